"""The documentation of events and zones says what the code does."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import get_args

import jsonschema
import numpy as np
import pytest

from inferfleet.streams.analysis.boxes import HYSTERESIS
from inferfleet.streams.analysis.zones import OVERLAP_SLACK
from inferfleet.streams.event import EventData, Kind, decode, encode, json_schema
from inferfleet.vision.types import Text

ROOT = Path(__file__).parents[4]
EVENTS = (ROOT / "docs" / "events.md").read_text()
ZONES = (ROOT / "docs" / "zones.md").read_text()
KINDS = get_args(Kind)
SECTIONS = {
    title: body for title, body in re.findall(r"### `inferfleet\.([\w.]+)`\n(.*?)(?=\n### |\Z)", EVENTS, re.DOTALL)
}
ROWS = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", EVENTS, re.MULTILINE)


def is_in(kind, places):
    """Whether the table's second column names a kind."""
    but = places.removeprefix("all but ")
    if places.startswith("all"):
        return f"`{kind}`" != but
    return f"`{kind}`" in places or (places == "`zone.*`" and kind.startswith("zone."))


def example(kind):
    (block,) = re.findall(r"```json\n(.*?)```", SECTIONS[kind], re.DOTALL)
    return json.loads(block)


@pytest.fixture(scope="module")
def real(stage, thing):
    """One event of each kind, as the analysis makes it."""
    camera = stage(
        reader=lambda crop: [Text("AB123CD", 0.9, np.zeros((4, 2), np.float32))],
        zones={
            "yard": {
                "polygon": [(0.4, 0), (0.6, 0), (0.6, 1), (0.4, 1)],
                "events": ["enter", "leave", "dwell", "count"],
                "dwell": 1,
            }
        },
        lines={"barrier": {"points": [(0.3, 0), (0.3, 1)]}},
        steps=[{"detect": {}}, {"read_text": {}}],
    )
    camera.play([[thing(50 + 10 * n, 300)] for n in range(90)])
    return {event.type.removeprefix("inferfleet."): json.loads(encode(event)) for event in camera.events}


def test_every_kind_has_its_section():
    assert sorted(SECTIONS) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_events(kind):
    shown = example(kind)
    jsonschema.validate(shown, json_schema())
    assert shown["type"] == f"inferfleet.{kind}"
    assert json.loads(encode(decode(json.dumps(shown)))) == shown


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_have_what_real_events_have(kind, real):
    made, shown = real[kind], example(kind)
    jsonschema.validate(made, json_schema())
    assert set(shown) == set(made)
    assert set(shown["data"]) == set(made["data"])
    for part in ("position", "model", "text"):
        assert set(shown["data"].get(part, ())) == set(made["data"].get(part, ()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_says_which_attributes_are_in_which_events(kind, real):
    told = {name for name, places, _ in ROWS if is_in(kind, places)}
    assert set(real[kind]["data"]) == told


def test_the_tables_name_every_attribute():
    assert {name for name, _, _ in ROWS} == set(EventData.__struct_fields__)
    envelope = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", EVENTS, re.MULTILINE))
    assert envelope == set(json_schema()["$defs"]["Event"]["properties"])


def test_the_pictures_of_zones_are_what_the_code_draws():
    spec = importlib.util.spec_from_file_location("draw_zones", ROOT / "tools" / "draw_zones.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    drawn = tool.pictures()
    kept = {path.name: path.read_text() for path in (ROOT / "docs" / "zones").glob("*.svg")}
    assert kept == drawn, "run: python tools/draw_zones.py docs/zones"
    assert set(re.findall(r"\]\(zones/([\w.]+)\)", ZONES)) == set(drawn)


def test_the_constants_in_the_text_are_those_of_the_code():
    assert HYSTERESIS == 0.1
    assert "more than a tenth of its size" in ZONES
    assert f"less than {OVERLAP_SLACK} times `min_overlap`" in ZONES
