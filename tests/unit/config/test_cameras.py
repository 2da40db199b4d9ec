"""cameras.yaml: what is accepted, what defaults do, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferfleet.config.base import read
from inferfleet.config.cameras import CamerasFile
from inferfleet.errors import InputError


def load(tmp_path: Path, text: str) -> CamerasFile:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    return read(path, CamerasFile)


def mistake(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_the_smallest_file_needs_a_camera_with_an_id_and_a_source(tmp_path: Path) -> None:
    config = load(tmp_path, "cameras:\n  - {id: gate, source: clip.mp4}\n")
    (camera,) = config.cameras
    assert (camera.source.type, camera.is_complete, config.sinks[0].kind) == ("file", True, "stdout")


@pytest.mark.parametrize(
    ("short", "kind", "complete"),
    [
        ("rtsp://10.0.0.7/stream1", "rtsp", False),
        ("https://example.org/live.m3u8", "http", False),
        ("/dev/video0", "device", False),
        ("pictures/", "images", True),
        ("clips/gate.mkv", "file", True),
    ],
)
def test_a_plain_string_is_understood_as_a_source(tmp_path: Path, short: str, kind: str, complete: bool) -> None:
    (camera,) = load(tmp_path, f"cameras: [{{id: gate, source: '{short}'}}]").cameras
    assert (camera.source.type, camera.is_complete) == (kind, complete)


def test_defaults_are_laid_under_each_camera_and_zones_add_up(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
defaults:
  fps_target: 5
  confirm: {frames: 2, within: 4}
  zones: {all: {polygon: [[0, 0], [1, 0], [1, 1]]}}
cameras:
  - {id: a, source: a.mp4}
  - {id: b, source: b.mp4, fps_target: 2, zones: {door: {polygon: [[0, 0], [10, 0], [10, 10]]}}}
""",
    )
    a, b = config.cameras
    assert (a.fps_target, b.fps_target, a.confirm.frames) == (5, 2, 2)
    assert (list(a.zones), list(b.zones)) == (["all"], ["all", "door"])


def test_steps_are_written_as_single_keys(tmp_path: Path) -> None:
    (camera,) = load(
        tmp_path,
        "cameras: [{id: a, source: a.mp4, steps: [{detect: {classes: {car: 0.5}}}, read_text]}]",
    ).cameras
    assert camera.detect_steps[0].classes == {"car": 0.5}
    assert len(camera.read_text_steps) == 1


def test_passwords_never_show(tmp_path: Path) -> None:
    config = load(tmp_path, "cameras: [{id: a, source: {url: 'rtsp://h/s', username: u, password: hunter2}}]")
    assert "hunter2" not in repr(config)
    assert "hunter2" not in config.model_dump_json()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "cameras:\n  - id: a\n    source: a.mp4\n    fps_traget: 5\n",
            "cameras.yaml:4:5: unknown key `fps_traget`; did you mean `fps_target`?",
        ),
        ("cameras:\n  - id: a\n", "cameras.yaml:2:5: `cameras.a.source` is missing"),
        (
            "cameras:\n  - id: gate\n    source: a.mp4\n    zones:\n      door:\n        polygon: [[0, 0], [5, 5]]\n",
            "cameras.yaml:6:9: `cameras.gate.zones.door.polygon`: a polygon needs at least 3 points, this one has 2",
        ),
        (
            "cameras:\n  - {id: a, source: a.mp4, confirm: {frames: 6, within: 5}}\n",
            "cameras.yaml:2:28: `cameras.a.confirm`: 6 frames within 5 can never be; lower frames or raise within",
        ),
        (
            "cameras:\n  - {id: a, source: a.mp4}\n  - {id: a, source: b.mp4}\n",
            "cameras.yaml:3:6: `cameras.a.id`: two cameras have the id 'a'; ids must differ",
        ),
        (
            "models: {m: m.onnx}\ncameras: [{id: a, source: a.mp4, steps: [{detect: {model: n}}]}]\n",
            "cameras.yaml:2:52: `cameras.a.steps.0.detect.model`: there is no model 'n'; `models` has: m",
        ),
        (
            "cameras: [{id: a, source: a.mp4}]\nsinks:\n  - fiel: out.jsonl\n",
            "cameras.yaml:3:5: unknown key `fiel`; did you mean `file`?",
        ),
        ("- a\n- b\n", "cameras.yaml:1:1: expected `key: value` lines at the top level"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_way_out(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in mistake(tmp_path, text).splitlines()


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "cameras:\n  - {id: 'a b', source: a.mp4}\n  - {id: c, source: c.mp4, fps_target: -1}\n"
    assert len(mistake(tmp_path, text).splitlines()) == 2


def test_the_schema_describes_every_field() -> None:
    schema = CamerasFile.model_json_schema()
    undescribed = [
        f"{name}.{key}"
        for name, definition in schema["$defs"].items()
        for key, field in definition.get("properties", {}).items()
        if "description" not in field and "const" not in field
    ]
    assert undescribed == []
