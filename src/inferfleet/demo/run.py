"""The demo: four rendered cameras, the worker with the model that ships, and its events against the truth."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from inferfleet.config.base import read
from inferfleet.config.cameras import CamerasFile
from inferfleet.demo.clips import CLIPS, WrittenClip, read_truth, write_clip
from inferfleet.demo.score import Row, score
from inferfleet.streams.event import Event, decode
from inferfleet.streams.status import WorkerReport
from inferfleet.streams.worker import Worker

_REFRESH_SECONDS = 0.25
_DETECT = {"confidence": 0.5, "whole": True}


@dataclass(frozen=True)
class Result:
    """What the demo found.

    Attributes:
        cameras: How many cameras there were.
        frames: How many frames were analysed.
        seconds: How long that took, without rendering and loading.
        rows: How each class did, over all cameras.
        total: All classes together.
        pictures: An annotated picture of each camera.
    """

    cameras: int
    frames: int
    seconds: float
    rows: dict[str, Row]
    total: Row
    pictures: list[Path]

    @property
    def fps(self) -> float:
        """Frames a second over all cameras."""
        return self.frames / self.seconds


Live = Callable[[Callable[[], WorkerReport]], AbstractContextManager[Callable[[], None]]]
"""Shows a worker's report while the demo runs: a context that yields what refreshes it."""


def render_clips(folder: Path, progress: Callable[[], None]) -> list[WrittenClip]:
    """Renders the four clips with their truth; `progress` is called after each frame."""
    return [write_clip(clip, folder, progress=progress) for clip in CLIPS]


def frames_to_render() -> int:
    """How many frames the four clips have."""
    return sum(clip.frames for clip in CLIPS)


def run(folder: Path, clips: list[WrittenClip], live: Live) -> Result:
    """Runs the worker on the clips and compares its events with the truth.

    Args:
        folder: Gets `cameras.yaml`, `events.jsonl`, `pictures/` and `summary.json`; what an earlier run left goes.
        clips: The rendered clips.
        live: Shows the progress.
    """
    for name in ("events.jsonl", "pictures", "spool"):
        _remove(folder / name)
    path = folder / "cameras.yaml"
    path.write_text(yaml.safe_dump(configuration(folder, clips), sort_keys=False))
    worker = Worker(read(path, CamerasFile), base=folder, name="demo")
    try:
        worker.start()
        began = time.perf_counter()
        with live(worker.report) as refresh:
            while not worker.finished.wait(_REFRESH_SECONDS):
                refresh()
        seconds = time.perf_counter() - began
        frames = sum(camera.frames for camera in worker.report().cameras)
    finally:
        worker.stop()
    events = list(_events(folder / "events.jsonl"))
    result = judge(events, clips, frames, seconds, folder.joinpath)
    write_summary(result, folder)
    return result


def configuration(folder: Path, clips: list[WrittenClip]) -> dict[str, Any]:
    """The demo's cameras.yaml: detection everywhere, plates where they can be read, a line and a zone."""
    cameras: list[dict[str, Any]] = []
    for written in clips:
        camera: dict[str, Any] = {"id": written.clip.name, "source": str(written.video.relative_to(folder))}
        if written.clip.layout.place == "carpark":
            camera["steps"] = [
                {"detect": _DETECT},
                {"read_text": {"classes": ["car", "truck"], "pattern": "[A-Z]{3} ?[0-9]{4}", "votes": 2}},
            ]
        else:
            camera["lines"] = {"middle": {"points": [[0.5, 0.0], [0.5, 1.0]]}}
        cameras.append(camera)
    return {
        "models": {"street": "zoo:street-v1"},
        "defaults": {"steps": [{"detect": _DETECT}], "confirm": {"frames": 6, "within": 9}},
        "cameras": cameras,
        "sinks": [{"file": "events.jsonl"}, {"snapshots": {"folder": "pictures"}}],
    }


def judge(
    events: list[Event], clips: list[WrittenClip], frames: int, seconds: float, picture: Callable[[str], Path]
) -> Result:
    """Compares events with the truth.

    Args:
        events: All events, each once, those of a camera in order; positions count the frames of the clip.
        clips: The clips.
        frames: How many frames were analysed.
        seconds: How long that took.
        picture: Where the picture is that an event refers to.
    """
    rows: dict[str, Row] = {}
    total = Row()
    pictures: list[Path] = []
    for written in clips:
        own = [event for event in events if event.subject == written.clip.name]
        pictures += map(picture, _best_picture(own))
        camera = written.clip.camera
        for name, row in score(read_truth(written.truth), own, (camera.width, camera.height)).items():
            rows.setdefault(name, Row()).add(row)
            total.add(row)
    return Result(len(clips), frames, seconds, rows, total, pictures)


def write_summary(result: Result, folder: Path) -> None:
    """Writes `summary.json`."""
    (folder / "summary.json").write_text(json.dumps(_summary(result), indent=2) + "\n")


def _events(path: Path) -> Iterator[Event]:
    with path.open() as lines:
        for line in lines:
            yield decode(line)


def _best_picture(events: list[Event]) -> list[str]:
    """The picture of the middle one of a camera's events, which shows the scene in full swing."""
    shown = [event.data.snapshot for event in events if event.data.snapshot]
    return [shown[len(shown) // 2]] if shown else []


def _summary(result: Result) -> dict[str, Any]:
    return {
        "cameras": result.cameras,
        "frames": result.frames,
        "seconds": round(result.seconds, 2),
        "fps": round(result.fps, 1),
        "precision": round(result.total.precision, 4),
        "recall": round(result.total.recall, 4),
        "classes": {name: asdict(row) for name, row in result.rows.items()},
    }


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
