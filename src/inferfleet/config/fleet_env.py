"""`.env` files: what differs between accounts and stays out of `fleet.yaml`."""

from __future__ import annotations

import re
from pathlib import Path

from inferfleet.errors import InputError

_LINE = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<value>.*?)\s*$")
_REFERENCE = re.compile(r"\$\{(\w+)\}|\$([A-Za-z_]\w*)")


def read(path: Path) -> dict[str, str]:
    """Reads a file of `NAME=value` lines, with comments, quotes, `export` and `${OTHER}` as shells have them.

    Raises:
        InputError: The file cannot be read, or a line is no assignment.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, file: str) -> dict[str, str]:
    """Parses the text of such a file; see `read`."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        matched = _LINE.match(line)
        if not matched:
            raise InputError(f"{file}:{number}:1: expected NAME=value, found {line.strip()[:40]!r}")
        values[matched["name"]] = _value(matched["value"], values)
    return values


def beside(path: Path) -> dict[str, str]:
    """Reads the `.env` in a file's folder; empty when there is none."""
    candidate = path.parent / ".env"
    return read(candidate) if candidate.is_file() else {}


def _value(raw: str, known: dict[str, str]) -> str:
    if raw[:1] == "'" and raw.rstrip().endswith("'") and len(raw) > 1:
        return raw[1:-1]
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"', raw)
    text = quoted[1].replace('\\"', '"') if quoted else re.sub(r"\s+#.*$", "", raw)
    return _REFERENCE.sub(lambda match: known.get(match[1] or match[2], match[0]), text)
