"""What all tests share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
CPU_IMAGE, LOCAL_IMAGE = "inferfleet:cpu-test", "inferfleet:local-test"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real recordings and a real detector, which is not part of the repository."""
    folder = Path(os.environ.get("INFERFLEET_SHARED", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real recordings, which are not in {folder}; set INFERFLEET_SHARED to their folder")
    return folder


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker engine that answers."""
    if shutil.which("docker") is None or _fails("docker", "info"):
        pytest.skip("needs a Docker engine; `python tools/docker_engine.py`, as root, brings one")


@pytest.fixture(scope="session")
def cpu_image(docker_engine: None) -> str:
    """The name of our image for CPUs, of the source as it is now; $INFERFLEET_TEST_IMAGE names another to be tested."""
    if given := os.environ.get("INFERFLEET_TEST_IMAGE"):
        return given
    base = re.findall(r"^ARG PYTHON_IMAGE=(\S+)", (REPOSITORY / "docker" / "Dockerfile").read_text(), re.MULTILINE)[0]
    if _fails("docker", "image", "inspect", base):
        pytest.skip(f"needs the image {base}; `python tools/docker_engine.py` pulls or makes it")
    return _built("cpu", CPU_IMAGE)


@pytest.fixture(scope="session")
def local_image(cpu_image: str) -> str:
    """The name of the image of the local cloud, of the source as it is now, on `cpu_image`."""
    return os.environ.get("INFERFLEET_TEST_LOCAL_IMAGE") or _built("local", LOCAL_IMAGE)


def _built(target: str, tag: str) -> str:
    words = [sys.executable, str(REPOSITORY / "docker" / "build.py"), "--target", target, "--tag", tag, "--if-changed"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return tag


def _fails(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0
