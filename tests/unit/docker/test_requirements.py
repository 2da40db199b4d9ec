"""What an image installs follows from pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement

PROJECT = {
    "dependencies": ["msgspec>=0.19"],
    "optional-dependencies": {
        "vision": ["numpy>=2", "onnxruntime>=1.20"],
        "streams": ["inferfleet[vision]", "av>=14"],
        "both": ["inferfleet[streams,vision]", "msgspec>=0.19"],
    },
}


@pytest.fixture(scope="module")
def script(load):
    return load("docker/requirements.py")


def test_extras_of_extras_are_followed_and_nothing_is_named_twice(script):
    assert script.requirements(PROJECT, ("both",)) == ["av>=14", "msgspec>=0.19", "numpy>=2", "onnxruntime>=1.20"]


def test_a_gpu_image_has_the_other_onnxruntime_with_its_cuda_libraries(script):
    items = script.for_gpu(["numpy>=2", "onnxruntime>=1.20", "onnxruntime-extensions"])
    changed = Requirement(items[1])
    assert (items[0], items[2]) == ("numpy>=2", "onnxruntime-extensions")
    assert (changed.name, changed.extras) == ("onnxruntime-gpu", {"cuda", "cudnn"})


def test_the_lists_of_the_dockerfile_can_be_made_from_pyproject(root):
    """Every extra that the Dockerfile names exists, and what pip gets are requirements."""
    text = (root / "docker/Dockerfile").read_text()
    lines = [line for line in text.splitlines() if "python requirements.py" in line]
    assert len(lines) == 3
    for line in lines:
        words = line.split("requirements.py", 1)[1].split(">")[0].split()
        command = [sys.executable, str(root / "docker/requirements.py"), str(root / words[0]), *words[1:]]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        names = {Requirement(item).name for item in printed.splitlines()}
        assert "inferfleet" not in names
        assert {"av", "boto3", "openvino", "uvicorn"} <= names


def test_an_image_installs_no_tool_of_development(root, script):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    names = {Requirement(item).name for item in script.requirements(project, ("kvs", "serving"))}
    assert not names & {"pytest", "mypy", "torch", "aws-cdk-lib"}
