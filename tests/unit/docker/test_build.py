"""The script that builds an image: what it tells docker, and when it builds at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def build(load, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return load("docker/build.py")


@pytest.fixture
def repository(build, tmp_path: Path) -> Path:
    for name in build.INGREDIENTS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == "src":
            (path / "inferfleet").mkdir(parents=True)
            (path / "inferfleet/__init__.py").write_text("")
        else:
            path.write_text(name)
    return tmp_path


def test_whatever_is_in_the_image_changes_its_digest(build, repository: Path):
    seen = {build.digest(repository)}
    for name in (*build.INGREDIENTS[:-1], "src/inferfleet/__init__.py", "src/inferfleet/new.py"):
        with (repository / name).open("a") as file:
            file.write("x")
        seen.add(build.digest(repository))
    assert len(seen) == len(build.INGREDIENTS) + 2


def test_what_is_not_in_the_image_does_not_change_its_digest(build, repository: Path, tmp_path: Path):
    before = build.digest(repository)
    cache = repository / "src/inferfleet/__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"x")
    (repository / "CHANGELOG.md").write_text("x")
    moved = tmp_path / "elsewhere"
    shutil.copytree(repository, moved)
    assert build.digest(repository) == build.digest(moved) == before


def test_the_context_lets_in_what_the_image_is_made_of(build, root: Path):
    lines = (root / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == set(build.INGREDIENTS) - {build.DOCKERFILE}


def test_an_index_with_a_password_is_not_on_the_command_line(build, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:password@packages.example/simple")
    words = build.command("cpu", "inferfleet:cpu", "0" * 64, None, build.pip_settings())
    assert words[words.index("--build-arg") + 1] == "PIP_INDEX_URL"
    assert not any("password" in word for word in words)


def test_an_index_on_this_machine_alone_is_of_no_use_in_a_container(build, monkeypatch):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///srv/wheels https://packages.example/simple")
    assert build.pip_settings() == {"PIP_EXTRA_INDEX_URL": "https://packages.example/simple"}
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///srv/wheels")
    assert build.pip_settings() == {}
