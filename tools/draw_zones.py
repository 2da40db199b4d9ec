"""Draws the pictures of docs/zones.md with the code that decides, so that they cannot say anything else than it does.

Run: `python tools/draw_zones.py docs/zones`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from inferfleet.config.cameras import Line, Zone
from inferfleet.streams.analysis.boxes import centres, feet
from inferfleet.streams.analysis.lines import Lines
from inferfleet.streams.analysis.track import Moment, Track
from inferfleet.streams.analysis.zones import Regions

SIZE = (480, 240)
ZONE = [(150.0, 60.0), (430.0, 60.0), (430.0, 215.0), (290.0, 140.0), (150.0, 215.0)]
BOXES = [
    (20.0, 30.0, 60.0, 110.0),
    (112.0, 70.0, 164.0, 150.0),
    (125.0, 10.0, 185.0, 100.0),
    (210.0, 10.0, 250.0, 80.0),
    (200.0, 76.0, 260.0, 136.0),
    (265.0, 150.0, 315.0, 225.0),
    (320.0, 76.0, 372.0, 132.0),
    (395.0, 120.0, 445.0, 190.0),
]
BARRIER = [(240.0, 40.0), (240.0, 170.0)]
PATHS = {
    "counts": [(60.0, 60.0), (160.0, 75.0), (330.0, 70.0), (440.0, 80.0)],
    "counts, though it jumped": [(100.0, 120.0), (390.0, 120.0)],
    "trembles: not yet": [(60.0, 155.0), (200.0, 155.0), (243.0, 158.0), (236.0, 152.0), (244.0, 156.0)],
    "passes the end": [(60.0, 205.0), (200.0, 205.0), (420.0, 205.0)],
}
IN, OUT, EDGE = "#1a9850", "#8c8c8c", "#2166ac"


def draw_match(match: str) -> str:
    """A zone with boxes around it: green ones are in it."""
    zone = Zone.model_validate({"polygon": ZONE, "match": match})
    boxes = np.array(BOXES)
    held = Regions({"zone": zone}, SIZE).locate(boxes, ["car"] * len(boxes), np.zeros((1, len(boxes)), np.bool_))[0]
    shapes = [_polygon(ZONE)]
    for box, inside in zip(BOXES, held, strict=True):
        shapes.append(_box(box, IN if inside else OUT))
    anchors = {"foot": feet, "center": centres}.get(match)
    if anchors is not None:
        shapes += [_dot(x, y, IN if inside else OUT) for (x, y), inside in zip(anchors(boxes), held, strict=True)]
    return _svg(shapes, f"zone with match: {match}; the {held.sum()} green boxes of {len(boxes)} are in it")


def draw_lines() -> str:
    """A line with paths over and around it: green ones cross it."""
    lines = Lines({"barrier": Line.model_validate({"points": BARRIER})}, SIZE)
    shapes = [_path(BARRIER, EDGE, "6"), _text(248, 36, "1", EDGE), _text(248, 190, "2", EDGE)]
    for name, path in PATHS.items():
        colour = IN if _crosses(lines, path) else OUT
        shapes += [
            _path(path, colour, "2"),
            _dot(*path[-1], colour),
            _text(path[0][0] - 40, path[0][1] - 8, name, colour),
        ]
    return _svg(shapes, "a line, and which paths of an object's foot cross it")


def _crosses(lines: Lines, path: Iterable[tuple[float, float]]) -> bool:
    boxes = [(x - 30, y - 60, x + 30, y) for x, y in path]
    moment = Moment("", 0, None, None, 0, 0, SIZE)
    track = Track(id="", labels={}, label="car", step=0, box=boxes[0], confidence=1, seen=moment, latest=0)
    ways = zip(boxes[:1] + boxes, boxes, strict=False)
    return any(lines.cross([track], np.array([before]), np.array([now])) for before, now in ways)


def _svg(shapes: Iterable[str], title: str) -> str:
    width, height = SIZE
    frame = f'<rect width="{width}" height="{height}" fill="#f7f7f7" stroke="#cccccc"/>'
    inside = "\n".join(["<title>" + title + "</title>", frame, *shapes])
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img">\n{inside}\n</svg>\n'


def _polygon(points: Iterable[tuple[float, float]]) -> str:
    corners = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polygon points="{corners}" fill="{EDGE}" fill-opacity="0.12" stroke="{EDGE}" stroke-width="2"/>'


def _box(box: tuple[float, float, float, float], colour: str) -> str:
    left, top, right, bottom = box
    size = f'x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}"'
    return f'<rect {size} fill="{colour}" fill-opacity="0.15" stroke="{colour}" stroke-width="2"/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{colour}"/>'


def _path(points: Iterable[tuple[float, float]], colour: str, width: str) -> str:
    corners = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, colour: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-family="sans-serif" font-size="12" fill="{colour}">{words}</text>'


def pictures() -> dict[str, str]:
    """All pictures by their file names."""
    matches = ("center", "foot", "any", "all", "overlap")
    return {**{f"{match}.svg": draw_match(match) for match in matches}, "lines.svg": draw_lines()}


def main() -> None:
    """Writes the pictures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="where to write them")
    folder = options.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        (folder / name).write_text(picture)


if __name__ == "__main__":
    main()
