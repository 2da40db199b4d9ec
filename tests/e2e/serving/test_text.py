"""A server that reads text."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.e2e.serving.process import ServerProcess


def sign(text: str) -> bytes:
    """A PNG with a line of black letters on white."""
    picture = np.full((360, 480, 3), 255, np.uint8)
    cv2.putText(picture, text, (30, 200), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 4)
    return cv2.imencode(".png", picture)[1].tobytes()


def test_text_is_read_with_its_place(tmp_path: Path) -> None:
    with (
        ServerProcess(tmp_path, {"models": {"text": "zoo:text"}, "watch": False}) as server,
        server.ready().client() as c,
    ):
        answer = c.post("/predict", content=sign("EXIT 42"), headers={"Content-Type": "image/png"}).json()
        blank = c.post("/v1/models/text/predict", content=sign(""), headers={"Content-Type": "image/png"}).json()
    (line,) = answer["predictions"]
    assert line["text"].replace(" ", "") == "EXIT42"
    assert line["confidence"] > 0.8
    xs, ys = zip(*line["box"], strict=True)
    assert 20 < min(xs) < 60 and 130 < min(ys) < 170
    assert (answer["width"], answer["height"]) == (480, 360)
    assert blank["predictions"] == []
