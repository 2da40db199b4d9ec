"""The code of the Lambdas as a folder: the decisions and their adapters, nothing else of the product.

Only the standard library and boto3 are imported there, and boto3 comes with Lambda's runtime, so the folder is made by
copying: no Docker, no pip.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import inferfleet

_PARTS = ("__init__.py", "recovery/__init__.py", "recovery/core", "recovery/aws")


@contextmanager
def code_folder() -> Iterator[Path]:
    """A folder with the Lambdas' code, for as long as the stack is being made."""
    package = Path(inferfleet.__file__).parent
    with TemporaryDirectory(prefix="inferfleet-recovery-") as name:
        folder = Path(name)
        for part in _PARTS:
            source, target = package / part, folder / "inferfleet" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                shutil.copyfile(source, target)
        yield folder
