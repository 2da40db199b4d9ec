"""Takes out of an environment what no container of inferfleet runs, and compiles the rest.

Run: `python docker/slim.py ENVIRONMENT`. What is compiled here is never looked at again for changes
(`unchecked-hash`): a container's files do not change, and layers may keep their times or not.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    "**/tests",
    "**/*.pyi",
    "numpy/_core/include",
    "onnx/backend/test",  # test vectors
    "onnxruntime/transformers",  # exports language models
    "openvino/cmake",
    "openvino/include",
    # Would report each use to Intel; OpenVINO does without it where it is not installed.
    "openvino_telemetry*",
    # Processors that AWS does not have: Intel's GPUs and NPUs.
    "openvino/libs/libopenvino_intel_gpu_plugin.so",
    "openvino/libs/cache.json",
    "openvino/libs/libopenvino_intel_npu_plugin.so",
    # Model formats other than ONNX and OpenVINO's own.
    "openvino/libs/libopenvino_gguf_frontend.so.*",
    "openvino/libs/libopenvino_jax_frontend.so.*",
    "openvino/libs/libopenvino_paddle_frontend.so.*",
    "openvino/libs/libopenvino_pytorch_frontend.so.*",
    "openvino/libs/libopenvino_tensorflow*_frontend.so.*",
)
"""What goes, from the folder that packages are in. A pattern that fits nothing is no error: packages change."""


def unused(packages: Path) -> Iterator[Path]:
    """What of `UNUSED` is there."""
    for pattern in UNUSED:
        yield from packages.glob(pattern)


def main() -> None:
    """Slims the environment that the command line names, and says by how much."""
    (packages,) = Path(sys.argv[1]).glob("lib/python3*/site-packages")
    freed = 0
    for path in list(unused(packages)):
        if path.is_dir():
            freed += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            shutil.rmtree(path)
        elif path.exists():
            freed += path.stat().st_size
            path.unlink()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(packages, quiet=2, workers=0, invalidation_mode=mode)
    print(f"{freed / 1e6:.0f} MB taken out")


if __name__ == "__main__":
    main()
