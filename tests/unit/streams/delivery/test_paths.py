from __future__ import annotations

from pathlib import PurePosixPath

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.streams.delivery.paths import picture_path, safe_path
from tests.unit.streams.delivery.support import make_item


def test_a_template_is_filled_from_the_event() -> None:
    event = make_item("gate", 5).event
    template = "{camera}/{date}/{time}-{id}-{kind}.{ext}"
    assert picture_path(template, event, "full", "jpg") == f"gate/2026-01-31/083005-000000-{event.id}-full.jpg"


def test_dates_can_be_parts_of_their_own() -> None:
    template = "year={year}/month={month}/day={day}/hour={hour}/{type}-{id}-{kind}.{ext}"
    event = make_item("gate", 0).event
    expected = f"year=2026/month=01/day=31/hour=08/detection-{event.id}-crop.png"
    assert picture_path(template, event, "crop", "png") == expected


@given(camera=st.text(max_size=300), template=st.sampled_from(["{camera}/{id}-{kind}", "a/{camera}{type}/{id}{kind}"]))
def test_no_value_adds_a_part_or_leads_away(camera: str, template: str) -> None:
    event = msgspec.structs.replace(make_item("gate", 1).event, subject=camera)
    path = PurePosixPath(picture_path(template, event, "full", "jpg"))
    assert not path.is_absolute()
    assert not {"..", "."} & set(path.parts)
    assert len(path.parts) <= template.count("/") + 1
    assert all(len(part.encode()) <= 200 for part in path.parts)


@given(st.text())
def test_any_path_becomes_a_safe_one(text: str) -> None:
    path = PurePosixPath(safe_path(text))
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert safe_path(str(path)) == ("" if str(path) == "." else str(path))
