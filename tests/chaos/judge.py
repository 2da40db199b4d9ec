"""What the services hold in the end, against what was filmed."""

from __future__ import annotations

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
            for item in items:
                if item["id"]["S"].startswith("camera:") and "owner" in item:
                    camera = item["id"]["S"].removeprefix("camera:")
                    self.epochs[camera].setdefault(int(item["fence"]["N"]), item["owner"]["S"])
                    self.times[camera].setdefault(int(item["fence"]["N"]), time.monotonic())


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
        takeovers: Seconds from a worker's death to when another had its camera, for each camera it held.
        gap: The longest time from an event's happening to its arrival in Kinesis, in seconds.
    """

    injected: Mapping[str, int]
    expected: int
    lost: list[str] = field(default_factory=list)
    repeated: int = 0
    strange: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    moves: int = 0
    takeovers: list[float] = field(default_factory=list)
    gap: float = 0.0

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.strange or self.overlaps)

    def lines(self) -> list[str]:
        """The verdict for people."""
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.injected.items()))
        moved = "no camera of a killed worker had to move"
        if self.takeovers:
            moved = (
                f"{len(self.takeovers)} cameras of killed workers were taken by others: "
                f"half within {statistics.median(self.takeovers):.1f} s, all within {max(self.takeovers):.1f} s"
            )
        details = [*self.lost[:10], *self.strange[:10], *self.overlaps[:10]]
        return [
            f"faults: {faults}",
            *details,
            moved,
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
        if event.id not in ids[key]:
            happened = datetime.fromisoformat(event.time).timestamp()
            verdict.gap = max(verdict.gap, record["ApproximateArrivalTimestamp"].timestamp() - happened)
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


def takeovers(deaths: Iterable[Death], times: Mapping[str, Mapping[int, float]]) -> list[float]:
    """Seconds from each death to the next fence of each camera that the dead worker held."""
    found = []
    for death in deaths:
        for camera, fence in death.held.items():
            later = [seen for number, seen in times.get(camera, {}).items() if number > fence]
            found += [max(0.0, min(later) - death.at)] if later else []
    return found


def is_complete(records: Iterable[Mapping[str, Any]], items: Iterable[str], expected: int) -> bool:
    """Whether as many events have arrived as there must be, in both services."""
    return min(len({decode(record["Data"]).id for record in records}), len(set(items))) >= expected


def wait_until(condition: Any, seconds: float) -> bool:
    """Waits for something; returns whether it came true in time."""
    until = time.monotonic() + seconds
    while not (done := bool(condition())) and time.monotonic() < until:
        time.sleep(0.5)
    return done
