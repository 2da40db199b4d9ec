"""Licence plates: their texts, and the picture that is stretched over a vehicle's front and back."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from inferfleet.demo.brush import Picture

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Letters on plates; I, O and Q are left out, as road authorities do, since they read as digits."""

PATTERN = r"[A-Z]{3} ?\d{4}"
"""What every plate text matches, for a `read_text` step."""

WIDTH, HEIGHT = 320, 84
"""Size of the plate's picture in pixels."""

METRES = (0.95, 0.25)
"""Width and height of a plate on a vehicle; larger than real ones, so that a wide view can read them."""


def plate_text(random: np.random.Generator) -> str:
    """A new plate text such as `KTR 4821`."""
    letters = "".join(LETTERS[int(index)] for index in random.integers(len(LETTERS), size=3))
    return f"{letters} {int(random.integers(1000, 10000))}"


@lru_cache(maxsize=256)
def plate_picture(text: str) -> Picture:
    """The plate as a picture [HEIGHT, WIDTH, 3]: dark letters on white with a blue strip, not to be written to."""
    picture: Picture = np.full((HEIGHT, WIDTH, 3), 245, np.uint8)
    cv2.rectangle(picture, (0, 0), (WIDTH - 1, HEIGHT - 1), (30, 30, 30), 3)
    cv2.rectangle(picture, (2, 2), (22, HEIGHT - 3), (170, 70, 20), -1)
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, 6
    (width, height), _ = cv2.getTextSize(text, font, 1.0, thickness)
    scale = min((WIDTH - 46) / width, (HEIGHT - 26) / height)
    (width, height), _ = cv2.getTextSize(text, font, scale, thickness)
    place = (26 + (WIDTH - 30 - width) // 2, (HEIGHT + height) // 2)
    cv2.putText(picture, text, place, font, scale, (24, 20, 20), thickness, cv2.LINE_AA)
    picture.flags.writeable = False
    return picture
