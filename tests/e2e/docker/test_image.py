"""What is in the image, what is not, and whom it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import docker
import pytest

from tests.e2e.docker.container import Container

MOST_BYTES = 950_000_000
"""Of the image, uncompressed, on a python:slim base of 150 MB."""


@pytest.fixture(scope="module")
def shell(cpu_image: str) -> Iterator[Container]:
    with Container(cpu_image, "sleep", "600", network_mode="none", ports={}) as container:
        yield container


@pytest.fixture(scope="module")
def facts(cpu_image: str) -> Any:
    client = docker.from_env()
    yield client.images.get(cpu_image).attrs
    client.close()


def test_nobody_is_root_and_only_the_volumes_can_be_written(shell: Container, facts: Any) -> None:
    assert facts["Config"]["User"] == "10001:10001"
    assert shell.run("id", "-u") == (0, "10001\n")
    code, _ = shell.run("touch", "/app/new")
    assert code != 0
    for folder in facts["Config"]["Volumes"]:
        assert shell.run("touch", f"{folder}/new") == (0, "")
    _, programs = shell.run("find", "/opt/inferfleet", "-writable", "-not", "-type", "l")
    assert programs == ""


def test_what_built_the_image_is_not_in_it(shell: Container) -> None:
    compilers = "gcc g++ cc c++ clang tcc ld as make cmake rustc go"
    _, found = shell.run("sh", "-c", f"for name in {compilers}; do command -v $name; done")
    assert found == ""
    folders = "/var/lib/apt/lists /var/cache/apt $(find / -xdev -type d '(' -path '*/.cache/pip' -o -path /build ')')"
    assert shell.run("sh", "-c", f"find {folders} -type f -size +0", user="root") == (0, "")
    code, _ = shell.run("python", "-c", "import pip")
    assert code != 0


def test_the_image_is_no_larger_than_it_says(facts: Any) -> None:
    assert facts["Size"] < MOST_BYTES


def test_the_bill_of_materials_lists_what_is_installed(shell: Container, facts: Any) -> None:
    labels = facts["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["io.inferfleet.sbom.format"] == "CycloneDX"
    code, text = shell.run("cat", labels["io.inferfleet.sbom"])
    assert code == 0
    bill = json.loads(text)
    assert bill["bomFormat"] == "CycloneDX"
    listed = {part["name"].lower().replace("_", "-"): part["version"] for part in bill["components"]}
    assert listed["inferfleet"] == version("inferfleet")
    _, printed = shell.run(
        "python", "-c", "import importlib.metadata as m\nfor d in m.distributions(): print(d.name, d.version)"
    )
    installed = dict(line.split() for line in printed.lower().replace("_", "-").splitlines())
    assert listed == installed
    assert {"openvino", "onnxruntime", "av", "boto3"} <= installed.keys()


def test_modules_are_compiled_once_for_all_starts(shell: Container) -> None:
    """Nothing can be written at the start, so what is not compiled in the image is compiled anew at every start."""
    check = (
        "import sys, pathlib, importlib.util as u\n"
        "for module in ('numpy', 'openvino', 'inferfleet.cli.main', 'inferfleet.streams.worker'):\n"
        "    kept = pathlib.Path(u.cache_from_source(u.find_spec(module).origin)).read_bytes()\n"
        "    print(int.from_bytes(kept[4:8], 'little'))\n"
    )
    code, flags = shell.run("python", "-c", check)
    assert (code, set(flags.split())) == (0, {"1"})  # PEP 552: by hash, never checked against the source


def test_the_command_line_is_there_whole(shell: Container) -> None:
    assert shell.run("inferfleet", "--version") == (0, f"inferfleet {version('inferfleet')}\n")
    code, output = shell.run("inferfleet", "models", "--help")
    assert code == 0, output
