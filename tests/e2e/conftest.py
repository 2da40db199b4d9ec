"""Clips with known content for the end-to-end tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inferfleet.demo.clips import CLIPS, write_clip


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of a street with cars, buses, trucks, bicycles and people."""
    clip = replace(CLIPS[0], seconds=5.0)
    return write_clip(clip, tmp_path_factory.mktemp("street")).video
