"""A spool with two sinks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inferfleet.streams.delivery import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.open(tmp_path / "spool", ["a", "b"]) as opened:
        yield opened
