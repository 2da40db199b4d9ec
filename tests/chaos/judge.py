"""What the services hold in the end, against what was filmed."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from inferfleet.streams.event import Event, decode
from tests.chaos.film import PERIOD_SECONDS, Truth
from tests.chaos.stage import LEASES, Services


@dataclass(frozen=True)
class Death:
    """A worker's death by kill -9.

    Attributes:
        at: When, in seconds of `time.monotonic()`.
        held: The cameras that it held, each with its fence.
    """

    at: float
    held: Mapping[str, int]


class Witness:
    """Writes down who held which camera, in the order of the fences, and when each fence was first seen."""

    def __init__(self, services: Services) -> None:
        self.epochs: dict[str, dict[int, str]] = defaultdict(dict)
        self.times: dict[str, dict[int, float]] = defaultdict(dict)
        self.beats: dict[str, dict[int, float]] = defaultdict(dict)
        self._services = services
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                items = self._services.dynamodb.scan(TableName=LEASES, ConsistentRead=True)["Items"]
            except self._services.dynamodb.exceptions.ResourceNotFoundException:
                continue
            now = time.monotonic()
            for item in items:
                kind, _, name = item["id"]["S"].partition(":")
                if kind == "worker":
                    self.beats[name].setdefault(int(item["counter"]["N"]), now)
                if item["id"]["S"].startswith("camera:") and "owner" in item:
                    camera = item["id"]["S"].removeprefix("camera:")
                    self.epochs[camera].setdefault(int(item["fence"]["N"]), item["owner"]["S"])
                    self.times[camera].setdefault(int(item["fence"]["N"]), now)


@dataclass(frozen=True)
class Takeover:
    """How a killed worker's camera came to another.

    Attributes:
        seconds: From the death to the next owner.
        attended: Another worker lived all the while, so that somebody could have taken it.
    """

    seconds: float
    attended: bool


@dataclass
class Verdict:
    """What came out.

    Attributes:
        injected: Faults, by kind.
        expected: True events.
        lost: Those that are missing in Kinesis or in DynamoDB.
        repeated: Records of Kinesis beyond the first of each id.
        strange: Ids that belong to no true event, or are second ids of one.
        overlaps: Times that a worker published for a camera that was another's already.
        moves: How often a camera changed hands.
        takeovers: How each camera of each killed worker came to another.
        slowest: Of the event that took longest, its camera and who had it when.
        gap: The longest time from an event's happening to its arrival in Kinesis, in seconds.
    """

    injected: Mapping[str, int]
    expected: int
    lost: list[str] = field(default_factory=list)
    repeated: int = 0
    strange: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    moves: int = 0
    takeovers: list[Takeover] = field(default_factory=list)
    slowest: str = ""
    gap: float = 0.0

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.strange or self.overlaps)

    def lines(self) -> list[str]:
        """The verdict for people."""
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.injected.items()))
        moved = "no camera of a killed worker had to move"
        if self.takeovers:
            moved = f"cameras of killed workers taken by others: {_spread(self.takeovers)}; "
            moved += f"where another worker lived all the while: {_spread([t for t in self.takeovers if t.attended])}"
        details = [*self.lost[:10], *self.strange[:10], *self.overlaps[:10]]
        return [
            f"faults: {faults}",
            *details,
            moved,
            f"slowest event: {self.slowest}",
            f"chaos: {sum(self.injected.values())} faults injected, {self.expected} events expected, "
            f"{len(self.lost)} lost, {self.repeated} repeated, {len(self.strange)} wrong, "
            f"{len(self.overlaps)} published by two at once, {self.moves} moves, longest gap {self.gap:.1f} s",
        ]


def judge(
    injected: Mapping[str, int],
    films: Mapping[str, tuple[float, Sequence[Truth]]],
    records: Iterable[Mapping[str, Any]],
    items: Iterable[str],
    epochs: Mapping[str, Mapping[int, str]],
) -> Verdict:
    """Compares.

    Args:
        injected: Faults, by kind.
        films: For each camera when its film began, and what was in it.
        records: Of Kinesis, in order for each camera.
        items: Ids in DynamoDB.
        epochs: For each camera its owner under each fence.
    """
    kept = list(records)
    published = [decode(record["Data"]) for record in kept]
    stored = set(items)
    counts = Counter(event.id for event in published)
    verdict = Verdict(injected, sum(len(truth) for _, truth in films.values()))
    verdict.repeated = sum(counts.values()) - len(counts)
    verdict.moves = sum(max(0, len(owners) - 1) for owners in epochs.values())
    ids: dict[tuple[str, int], set[str]] = defaultdict(set)
    for event, record in zip(published, kept, strict=True):
        key = _true_event(event, *films[event.subject])
        if key is None:
            verdict.strange.append(f"wrong: {event.subject} at {event.time}: {event.data.box}")
            continue
        happened = datetime.fromisoformat(event.time).timestamp()
        gap = record["ApproximateArrivalTimestamp"].timestamp() - happened
        if event.id not in ids[key] and gap > verdict.gap:
            verdict.gap = gap
            verdict.slowest = f"{event.subject}, seen by {event.data.worker.partition('/')[0]}, {event.time}"
        ids[key].add(event.id)
    verdict.strange += [
        f"wrong: {camera} {number}: ids {found}" for (camera, number), found in ids.items() if len(found) > 1
    ]
    for camera, (_, truth) in films.items():
        for item in truth:
            found = ids.get((camera, item.number), set())
            if not found:
                verdict.lost.append(f"lost: {camera} {item.number}: not in Kinesis")
            elif not found & stored:
                verdict.lost.append(f"lost: {camera} {item.number}: not in DynamoDB")
    verdict.overlaps = _overlaps(published, epochs)
    return verdict


def _true_event(event: Event, start: float, truth: Sequence[Truth]) -> tuple[str, int] | None:
    number = int((datetime.fromisoformat(event.time).timestamp() - start + 1e-3) // PERIOD_SECONDS)
    box = event.data.box
    if not 0 <= number < len(truth) or box is None:
        return None
    near = all(abs(a - b) < 2 for a, b in zip(box, truth[number].box, strict=True))
    return (event.subject, number) if near else None


def _overlaps(published: Sequence[Event], epochs: Mapping[str, Mapping[int, str]]) -> list[str]:
    """Each camera's records must follow its fences: after the first of one owner, none of an earlier one's."""
    found = []
    at: dict[str, int] = {}
    for event in published:
        camera, worker = event.subject, event.data.worker.partition("/")[0]
        fences = [
            f for f, owner in sorted(epochs.get(camera, {}).items()) if owner == worker and f >= at.get(camera, 0)
        ]
        if fences:
            at[camera] = fences[0]
        else:
            found.append(f"two at once: {camera} at {event.time} by {worker}, after fence {at.get(camera)}")
    return found


def takeovers(
    deaths: Iterable[Death],
    epochs: Mapping[str, Mapping[int, str]],
    times: Mapping[str, Mapping[int, float]],
    beats: Mapping[str, Mapping[int, float]],
    lease: float,
) -> list[Takeover]:
    """From each death to the next fence of each camera that the dead worker held.

    Args:
        deaths: The deaths.
        epochs: For each camera its owner under each fence.
        times: When each fence was first seen.
        beats: For each worker, when each count of its heartbeat was first seen.
        lease: A lease's duration in seconds: a worker that does not beat for half of it is not taken to live.
    """
    found = []
    for death in deaths:
        for camera, fence in death.held.items():
            later = [seen for number, seen in times.get(camera, {}).items() if number > fence]
            if not later:
                continue
            end, dead = max(death.at, min(later)), epochs[camera].get(fence)
            others = [sorted(seen.values()) for worker, seen in beats.items() if worker != dead]
            attended = any(_lives(seen, death.at, end, lease / 2) for seen in others)
            found.append(Takeover(end - death.at, attended))
    return found


def _lives(beats: Sequence[float], begin: float, end: float, longest: float) -> bool:
    """Whether a heartbeat goes on from before `begin` to after `end` without a pause longer than `longest`."""
    marks = [beat for beat in beats if begin - longest <= beat <= end + longest]
    whole = bool(marks) and marks[0] <= begin and marks[-1] >= end - longest
    return whole and all(later - sooner <= longest for sooner, later in itertools.pairwise(marks))


def _spread(found: Sequence[Takeover]) -> str:
    if not found:
        return "none"
    seconds = [takeover.seconds for takeover in found]
    return f"{len(found)}, half within {statistics.median(seconds):.1f} s, all within {max(seconds):.1f} s"


def is_complete(records: Iterable[Mapping[str, Any]], items: Iterable[str], expected: int) -> bool:
    """Whether as many events have arrived as there must be, in both services."""
    return min(len({decode(record["Data"]).id for record in records}), len(set(items))) >= expected


def wait_until(condition: Any, seconds: float) -> bool:
    """Waits for something; returns whether it came true in time."""
    until = time.monotonic() + seconds
    while not (done := bool(condition())) and time.monotonic() < until:
        time.sleep(0.5)
    return done
