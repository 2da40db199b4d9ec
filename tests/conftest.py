"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real recordings and a real detector, which is not part of the repository."""
    folder = Path(os.environ.get("INFERFLEET_SHARED", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real recordings, which are not in {folder}; set INFERFLEET_SHARED to their folder")
    return folder
