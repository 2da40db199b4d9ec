"""Events against the truth of a rendered clip: what was found, what was missed, what was wrong.

An object has to be found if it was clear for long enough; whoever is seen less may be found, and is right when it is.
Every object gives one event, so a second one for the same object is wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inferfleet.demo.truth import TruthObject
from inferfleet.streams.event import Event

CLEAR_VISIBLE = 0.75
"""Least share of a clear object that nothing hides."""
EDGE = 4.0
"""A clear object is wholly in the picture: at least so many pixels from its edge."""
CLEAR_HEIGHT = 24.0
"""Least height of a clear object in pixels."""
CLEAR_FRAMES = 15
"""An object that is clear in so many frames has to be found."""
READABLE_HEIGHT = 20.0
"""Least height in pixels of a plate that can be read."""
READABLE_SHAPE = 2.2
"""Least width of a readable plate over its height; 3.8 seen from straight ahead, less from the side."""
READABLE_FRAMES = 8
"""A plate that is readable, on a clear vehicle, in so many frames has to be read."""
SAME_PLACE = 0.5
"""Least intersection over union of an event's box with its object's."""
PLATES = "plates read"


@dataclass(slots=True)
class Row:
    """How one class of objects did.

    Attributes:
        expected: How many had to be found.
        found: How many of those were.
        right: Events that were right, for objects that had to be found or may be.
        wrong: Events that were not.
    """

    expected: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0

    def add(self, other: Row) -> None:
        """Adds another row's counts to these."""
        self.expected += other.expected
        self.found += other.found
        self.right += other.right
        self.wrong += other.wrong

    @property
    def precision(self) -> float:
        """Share of the events that were right; 1 without events."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Share found of what had to be; 1 if there was nothing."""
        return self.found / self.expected if self.expected else 1.0


def score(truth: Sequence[Sequence[TruthObject]], events: Iterable[Event], size: tuple[int, int]) -> dict[str, Row]:
    """Compares a camera's events with the truth of its clip.

    Args:
        truth: The objects of each frame.
        size: Width and height of the frames.
        events: All events of that camera, in order; only detections and texts count.

    Returns:
        A row for each class that there is or that was found, and one for plates.
    """
    rows: dict[str, Row] = defaultdict(Row)
    clear, readable, labels, plates = _survey(truth, size)
    for number in clear:
        rows[labels[number]].expected += 1
    rows[PLATES].expected += len(readable)
    seen: set[int] = set()
    read: set[int] = set()
    for event in events:
        if event.type == "inferfleet.detection":
            track = _object_of(truth, event)
            label = str(event.data.label)
            right = track is not None and track not in seen and labels[track] == label
            _count(rows[label], right, track in clear)
            if right and track is not None:
                seen.add(track)
        elif event.type == "inferfleet.text" and event.data.text is not None:
            track = _object_of(truth, event)
            right = track is not None and track not in read and _same(plates.get(track), event.data.text.value)
            _count(rows[PLATES], right, track in readable)
            if right and track is not None:
                read.add(track)
    return dict(rows)


def _count(row: Row, right: bool, had_to: bool) -> None:
    row.right += right
    row.wrong += not right
    row.found += right and had_to


def _survey(
    truth: Sequence[Sequence[TruthObject]], size: tuple[int, int]
) -> tuple[set[int], set[int], dict[int, str], dict[int, str]]:
    """Returns who has to be found, whose plate has to be read, and each object's class and plate."""
    clear: dict[int, int] = defaultdict(int)
    readable: dict[int, int] = defaultdict(int)
    labels: dict[int, str] = {}
    plates: dict[int, str] = {}
    for item in (item for frame in truth for item in frame):
        labels[item.track] = item.label
        whole = _is_clear(item, size)
        clear[item.track] += whole
        if item.plate is not None and item.plate_box is not None:
            plates[item.track] = item.plate
            width, height = item.plate_box[2] - item.plate_box[0], item.plate_box[3] - item.plate_box[1]
            readable[item.track] += whole and height >= READABLE_HEIGHT and width >= READABLE_SHAPE * height
    must_find = {track for track, frames in clear.items() if frames >= CLEAR_FRAMES}
    must_read = {track for track, frames in readable.items() if frames >= READABLE_FRAMES}
    return must_find, must_read, labels, plates


def _is_clear(item: TruthObject, size: tuple[int, int]) -> bool:
    left, top, right, bottom = item.box
    whole = min(left, top) > EDGE and right < size[0] - EDGE and bottom < size[1] - EDGE
    return whole and item.visible >= CLEAR_VISIBLE and bottom - top >= CLEAR_HEIGHT


def _object_of(truth: Sequence[Sequence[TruthObject]], event: Event) -> int | None:
    """Returns the object that an event is about: the one in its place in its frame."""
    box = event.data.box
    if box is None or event.data.position.frame >= len(truth):
        return None
    best = max(truth[event.data.position.frame], key=lambda item: _overlap(item.box, box), default=None)
    return best.track if best is not None and _overlap(best.box, box) >= SAME_PLACE else None


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def _same(plate: str | None, text: str) -> bool:
    return plate is not None and plate.replace(" ", "").upper() == text.replace(" ", "").upper()
