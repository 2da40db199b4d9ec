"""A configuration that comes in an environment variable instead of a file.

That is how `cameras.yaml` and `serve.yaml` reach a container on ECS: they are part of the task definition, so each
version has its own, a rollback brings back both, and neither a bucket nor a permission is needed for it. The text is
packed (gzip, base64), which leaves its `${VARIABLES}` to the container.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import os
import tempfile
import zlib
from pathlib import Path

from inferfleet.errors import InputError

VARIABLE = "CONFIG_DATA"
"""The environment variable."""

_MOST_BYTES = 4 * 1024 * 1024


def pack(text: str) -> str:
    """Packs a configuration for the variable; the same text always gives the same result."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def unpack(data: str) -> str:
    """Undoes `pack`.

    Raises:
        InputError: It is not what `pack` makes, or larger than a configuration may be (4 MiB).
    """
    try:
        raw = base64.b64decode(data, validate=True)
        stream = zlib.decompressobj(wbits=31)
        text = stream.decompress(raw, _MOST_BYTES).decode()
    except (binascii.Error, zlib.error, ValueError) as error:
        raise InputError(f"{VARIABLE}: not a packed configuration ({error}); it is gzip in base64") from error
    if not stream.eof:
        raise InputError(f"{VARIABLE}: cut short, or more than {_MOST_BYTES} bytes")
    return text


def config_file(name: str) -> Path | None:
    """Returns the configuration of the environment as a file, with paths in it relative to its folder.

    Args:
        name: How to call it: `cameras.yaml`.

    Returns:
        The file; None when the environment holds no configuration.

    Raises:
        InputError: What it holds is none.
    """
    data = os.environ.get(VARIABLE)
    if not data:
        return None
    folder = Path(tempfile.gettempdir()) / "inferfleet-config"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_text(unpack(data))
    return path
