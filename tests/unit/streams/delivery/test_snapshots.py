from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from inferfleet.config.cameras import CamerasFile
from inferfleet.streams.analysis.outcome import TrackView
from inferfleet.streams.delivery import Snapshots
from inferfleet.vision.picture import Still
from tests.unit.streams.delivery.support import make_item

GREY = np.full((480, 640, 3), 90, np.uint8)
EVENT = make_item("gate", 7).event
"""Its object is at 10, 20 to 110, 120."""


def track(id_: str, box: tuple[float, float, float, float], *, confirmed: bool = True) -> TrackView:
    return TrackView(id_, "car", 0.9, box, confirmed, None, ())


def snapshots(*sinks: Any) -> Snapshots:
    made = Snapshots.of(CamerasFile.model_validate({"sinks": list(sinks)}).sinks)
    assert made is not None
    return made


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_without_a_sink_for_pictures_there_is_nothing_to_do() -> None:
    assert Snapshots.of(CamerasFile.model_validate({"sinks": ["stdout"]}).sinks) is None


def test_the_event_says_where_its_picture_will_be() -> None:
    item = snapshots({"snapshots": "/data/pictures"}).attach(EVENT, Still(GREY), [track("t7", (10, 20, 110, 120))])
    (full,) = item.attachments
    assert full.path == f"gate/2026-01-31/083007-000000-{EVENT.id}-full.jpg"
    assert full.content_type == "image/jpeg"
    assert item.event.data.snapshot == f"/data/pictures/{full.path}"
    assert item.event.data.crop is None
    assert item.event.id == EVENT.id


def test_the_picture_shows_what_was_found_and_the_crop_is_plain() -> None:
    sink = {"snapshots": {"folder": "pictures", "format": "png", "crops": True}}
    item = snapshots(sink).attach(EVENT, Still(GREY), [track("t7", (10, 20, 110, 120))])
    full, crop = (decoded(attachment.data) for attachment in item.attachments)
    assert full.shape == GREY.shape
    assert (full[60:110, 8:13] != 90).any(), "the box is drawn"
    assert (full[300:, 300:] == 90).all(), "the rest is as it was"
    assert crop.shape == (100, 100, 3)
    assert (crop == 90).all()
    assert item.event.data.crop == f"pictures/{item.attachments[1].path}"


def test_what_is_not_believed_is_not_drawn() -> None:
    far = track("t9", (400, 300, 500, 400), confirmed=False)
    sink = {"snapshots": {"folder": "pictures", "format": "png"}}
    item = snapshots(sink).attach(EVENT, Still(GREY), [far])
    assert (decoded(item.attachments[0].data) == 90).all()


def test_a_box_that_reaches_out_of_the_picture_is_cropped_to_it() -> None:
    small = np.full((60, 50, 3), 90, np.uint8)
    sink = {"snapshots": {"folder": "pictures", "full": False, "crops": True}}
    item = snapshots(sink).attach(EVENT, Still(small), [])
    assert [decoded(attachment.data).shape for attachment in item.attachments] == [(40, 40, 3)]


def test_each_sink_gets_its_own_pictures_and_the_first_is_referred_to() -> None:
    item = snapshots(
        {"snapshots": {"folder": "one"}}, {"snapshots": {"folder": "two", "format": "png", "name": "archive"}}
    ).attach(EVENT, Still(GREY), [])
    assert [(a.sink, a.content_type) for a in item.attachments] == [
        ("snapshots", "image/jpeg"),
        ("archive", "image/png"),
    ]
    assert (item.event.data.snapshot or "").startswith("one/")


@pytest.mark.parametrize("quality", [10, 95])
def test_quality_is_what_was_asked_for(quality: int) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    item = snapshots({"snapshots": {"folder": "p", "quality": quality}}).attach(EVENT, Still(noise), [])
    size = len(item.attachments[0].data)
    assert size < 30_000 if quality == 10 else size > 60_000
