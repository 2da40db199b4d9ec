"""Prints what an image installs: the dependencies of some extras of pyproject.toml, without inferfleet itself.

Run: `python docker/requirements.py pyproject.toml kvs,serving [--gpu]`. It needs nothing but Python, since it runs in
the first stage of the Dockerfile.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ITSELF = re.compile(r"inferfleet\[([\w,-]+)\]$")

GPU = {"onnxruntime": "onnxruntime-gpu[cuda,cudnn]>=1.20,<1.27"}
"""What a GPU image has in place of a package; the two hold the same files. From 1.27 on ONNX Runtime is built for
CUDA 13, which needs an NVIDIA driver of 2025 or newer (R580); CUDA 12 runs on every driver since R525."""


def requirements(project: dict[str, Any], extras: tuple[str, ...]) -> list[str]:
    """The dependencies of a project and of some of its extras, each once, sorted.

    Raises:
        KeyError: There is no such extra.
    """
    return sorted({*project["dependencies"], *(item for extra in extras for item in _of(project, extra))})


def _of(project: dict[str, Any], extra: str) -> Iterator[str]:
    for item in project["optional-dependencies"][extra]:
        if own := _ITSELF.match(item):
            for name in own[1].split(","):
                yield from _of(project, name)
        else:
            yield item


def for_gpu(items: list[str]) -> list[str]:
    """The same with the packages for a GPU in place of those for a CPU."""
    return [GPU.get(re.split(r"[^\w.-]", item, maxsplit=1)[0], item) for item in items]


def main() -> None:
    """Reads the command line and prints a requirements file."""
    path, extras, *options = sys.argv[1:]
    project = tomllib.loads(Path(path).read_text())["project"]
    items = requirements(project, tuple(extras.split(",")))
    print("\n".join(for_gpu(items) if "--gpu" in options else items))


if __name__ == "__main__":
    main()
