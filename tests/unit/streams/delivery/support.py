"""Events to deliver, and sinks that fail on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery import Attachment, Item
from inferfleet.streams.delivery.sinks.base import Failure
from inferfleet.streams.event import Event, EventData, EventModel, EventPosition, event_id

PATIENCE = 20.0


def make_item(camera: str, number: int, attachments: tuple[Attachment, ...] = ()) -> Item:
    """An event as the camera's frame `number` would make it; the same each time."""
    data = EventData(
        position=EventPosition(frame=number),
        frame_size=(640, 480),
        model=EventModel("street", "0" * 64),
        worker="test/1",
        label="car",
        confidence=0.9,
        box=(10.0, 20.0, 110.0, 120.0),
        track=f"t{number}",
    )
    event = Event(
        id=event_id(camera, str(number), "detection", f"t{number}"),
        source=f"/cameras/{camera}",
        type="inferfleet.detection",
        time=f"2026-01-31T08:30:{number % 60:02}.000000Z",
        subject=camera,
        data=data,
    )
    return Item(event, attachments)


def make_checkpoint(camera: str, number: int) -> Checkpoint:
    return Checkpoint(camera, str(number), f"state {number}".encode())


def numbers(items: Sequence[Item]) -> list[int]:
    return [item.event.data.position.frame for item in items]


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for: {what}"
        threading.Event().wait(0.005)


class MemorySink:
    """Keeps what it gets, and fails as its `trouble` says."""

    def __init__(self, name: str, batch_size: int = 100) -> None:
        self.name = name
        self.batch_size = batch_size
        self.items: list[Item] = []
        self.trouble: Callable[[Sequence[Item]], Sequence[Failure]] = lambda batch: ()
        self.open_trouble: Callable[[], None] = lambda: None
        self.is_open = False

    def open(self) -> None:
        self.open_trouble()
        self.is_open = True

    def deliver(self, batch: Sequence[Item]) -> Sequence[Failure]:
        failures = self.trouble(batch)
        failed = {failure.id for failure in failures}
        self.items += [item for item in batch if item.event.id not in failed]
        return failures

    def close(self) -> None:
        self.is_open = False
