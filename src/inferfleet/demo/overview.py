"""One picture of four: what the demo saw, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

_TILE = (640, 360)
_COLUMNS = 2
_QUALITY = 88


def write_overview(pictures: Sequence[Path], path: Path) -> None:
    """Writes the pictures as tiles of one JPEG, two in a row."""
    tiles = [cv2.resize(cv2.imread(str(picture)), _TILE, interpolation=cv2.INTER_AREA) for picture in pictures]
    while len(tiles) % _COLUMNS:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
