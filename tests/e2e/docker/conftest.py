"""What the tests of the container share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def cameras(tmp_path: Path, street: Path) -> Any:
    """Writes a cameras.yaml with one camera on a clip beside it, and returns the folder."""

    def write(**source: Any) -> Path:
        folder = tmp_path / "config"
        folder.mkdir()
        shutil.copyfile(street, folder / "street.mp4")
        zones = {"road": {"polygon": [[0, 0.2], [1, 0.2], [1, 1], [0, 1]], "events": ["enter"]}}
        camera = {"id": "gate", "source": {"path": "street.mp4", **source}, "zones": zones}
        (folder / "cameras.yaml").write_text(yaml.safe_dump({"cameras": [camera]}))
        return folder

    return write
