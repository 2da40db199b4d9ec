"""Measures the camera analysis: own time per frame for the tracker, four zones and lines, the whole step, the state.

Run: `python benchmarks/analysis.py [--tracks 10] [--frames 2000]`. Text reading is not part of it (the reader's time is
the OCR engine's). The objects drift through the picture and tremble as a detector's boxes do; one in fifty is missed.
Times are the thread's own, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from rich.console import Console
from rich.table import Table

from inferfleet.config.cameras import Camera
from inferfleet.streams.analysis import CameraAnalysis, ModelInfo
from inferfleet.streams.analysis.boxes import F64
from inferfleet.streams.analysis.lines import Lines
from inferfleet.streams.analysis.objects import Filter, Objects
from inferfleet.streams.analysis.track import Moment
from inferfleet.streams.analysis.tracker import Tracker
from inferfleet.streams.analysis.zones import Regions
from inferfleet.streams.frame import Frame, Position
from inferfleet.vision.types import U8, Detections

SIZE = (1920, 1080)
RATE = 25
MODEL = ModelInfo("bench", "0" * 64, ("car", "person"))
MATCHES = ("foot", "any", "all", "overlap")


class Blank:
    """A picture that nobody looks at."""

    width, height = SIZE

    def scaled(self, width: int, height: int) -> U8:
        """A black picture."""
        return np.zeros((height, width, 3), np.uint8)

    def bgr(self) -> U8:
        """A black picture."""
        return np.zeros((*SIZE[::-1], 3), np.uint8)


def camera(matches: tuple[str, ...], lines: int) -> Camera:
    """A camera with a concave zone for each match and so many lines."""
    arrow = [(0.1, 0.1), (0.9, 0.1), (0.5, 0.5), (0.9, 0.9), (0.1, 0.9), (0.3, 0.5)]
    return Camera.model_validate(
        {
            "id": "bench",
            "source": {"type": "file", "path": "none.mp4"},
            "zones": {f"z{n}": {"polygon": arrow, "match": match} for n, match in enumerate(matches)},
            "lines": {f"l{n}": {"points": [(0.2 + 0.2 * n, 0), (0.2 + 0.2 * n, 1)]} for n in range(lines)},
        }
    )


def scene(tracks: int, frames: int) -> list[Detections]:
    """What a detector finds in a scene of so many objects."""
    dice = np.random.default_rng(7)
    centre = dice.uniform((100, 100), (1820, 980), (tracks, 2))
    speed = dice.normal(0, 80 / RATE, (tracks, 2))
    size = dice.uniform((60, 80), (140, 220), (tracks, 2))
    found = []
    for _ in range(frames):
        centre += speed
        speed = np.where((centre < (100, 100)) | (centre > (1820, 980)), -speed, speed)
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
        boxes += dice.normal(0, 1.5, boxes.shape)
        shown = dice.random(tracks) > 0.02
        scores = dice.uniform(0.5, 0.95, tracks)
        order = np.argsort(-scores[shown])
        found.append(
            Detections(
                boxes[shown][order].astype(np.float32),
                scores[shown][order].astype(np.float32),
                (np.arange(tracks) % 2)[shown][order].astype(np.int32),
            )
        )
    return found


def percentiles(work: Callable[[int], object], frames: int) -> tuple[float, float]:
    """The median and the 95th percentile of the milliseconds that `work` takes per frame."""
    spent = np.empty(frames)
    for number in range(frames):
        start = time.thread_time()
        work(number)
        spent[number] = time.thread_time() - start
    return float(np.median(spent) * 1e3), float(np.percentile(spent, 95) * 1e3)


def measure(tracks: int, frames: int) -> list[tuple[str, str, tuple[float, float]]]:
    """All rows of the table: what, the limit, the figures."""
    found = scene(tracks, frames)
    moments = [
        Moment(str(n), n, n / RATE, None, n * 1_000_000 // RATE, n * 1_000_000 // RATE, SIZE) for n in range(frames)
    ]
    full = camera(MATCHES, 4)
    keep = Filter(full, [MODEL])
    objects = [keep([one], SIZE) for one in found]
    rows = [("filter", "", percentiles(lambda n: keep([found[n]], SIZE), frames))]

    tracker = Tracker(full, keep.labels)

    def track(number: int) -> None:
        tracker.expire(moments[number].clock, number)
        tracker.step(objects[number], moments[number], number, 1 / RATE)

    rows.append(("tracker", "0.3", percentiles(track, frames)))
    for matches in [("foot",) * 4, ("any",) * 4, ("all",) * 4, ("overlap",) * 4]:
        rows.append((f"4 zones, {matches[0]}", "0.1", percentiles(_zones(camera(matches, 0), objects), frames)))
    lines = Lines(full.lines, SIZE)
    final: list[F64] = [np.array([one.box for one in tracker.tracks])] * 2
    rows.append(("4 lines", "0.1", percentiles(lambda n: lines.cross(tracker.tracks, *final), frames)))

    analysis = CameraAnalysis(full, {"bench": MODEL}, "bench/0")
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    shots = [
        Frame("bench", begin + timedelta(seconds=n / RATE), Position(str(n), n, n / RATE), Blank(), 0.0)
        for n in range(frames)
    ]
    rows.append(
        ("whole step, 4 zones, 4 lines", "", percentiles(lambda n: analysis.step(shots[n], [found[n]]), frames))
    )
    rows.append((f"state ({len(analysis.state()):,} bytes)", "", percentiles(lambda n: analysis.state(), frames)))
    return rows


def _zones(made: Camera, objects: Sequence[Objects]) -> Callable[[int], object]:
    regions = Regions(made.zones, SIZE)
    last = [np.zeros((len(made.zones), 0), np.bool_)]

    def locate(number: int) -> None:
        count = len(objects[number])
        inside = np.zeros((len(made.zones), count), np.bool_)
        both = min(count, last[0].shape[1])
        inside[:, :both] = last[0][:, :both]
        last[0] = regions.locate(objects[number].boxes, ["car"] * count, inside)

    return locate


def main() -> None:
    """Prints the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tracks", type=int, default=10, help="objects in the picture")
    options.add_argument("--frames", type=int, default=2000, help="frames to measure")
    chosen = options.parse_args()
    table = Table(
        "part", "median ms", "p95 ms", "wanted < ms", title=f"camera analysis, {chosen.tracks} objects a frame"
    )
    for name, limit, (median, late) in measure(chosen.tracks, chosen.frames):
        table.add_row(name, f"{median:.3f}", f"{late:.3f}", limit)
    Console().print(table)


if __name__ == "__main__":
    main()
