"""Mailboxes: the newest frame, or all of them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from inferfleet.streams.frame import Frame, Position
from inferfleet.streams.mailbox import CompleteMailbox, LiveMailbox, Mailbox
from inferfleet.streams.picture import StillPicture

PICTURE = StillPicture(np.zeros((4, 4, 3), np.uint8))


def frame(number: int) -> Frame:
    return Frame("gate", datetime(2026, 1, 1, tzinfo=UTC), Position(str(number), number), PICTURE, 0.0)


def drain(mailbox: Mailbox) -> list[int]:
    return [taken.position.frame for taken in iter(mailbox.take, None)]


def test_a_live_mailbox_keeps_the_newest_frame_and_counts_the_others() -> None:
    mailbox = LiveMailbox()
    assert all(mailbox.put(frame(number)) for number in range(5))
    assert len(mailbox) == 1
    assert drain(mailbox) == [4]
    assert mailbox.put(frame(5))
    assert drain(mailbox) == [5]
    assert mailbox.drops == {"newer_frame": 4}


def test_a_complete_mailbox_keeps_all_in_order_and_drops_none() -> None:
    mailbox = CompleteMailbox(8)
    assert all(mailbox.put(frame(number)) for number in range(8))
    assert len(mailbox) == 8
    assert drain(mailbox) == list(range(8))
    assert mailbox.drops == {}


def test_a_full_mailbox_makes_the_source_wait_until_there_is_room() -> None:
    mailbox = CompleteMailbox(3)
    ready = threading.Semaphore(0)
    writer = threading.Thread(target=lambda: [mailbox.put(frame(n)) and ready.release() for n in range(100)])
    writer.start()
    seen = []
    while len(seen) < 100:
        assert ready.acquire(timeout=20)
        assert len(mailbox) <= 3
        taken = mailbox.take()
        assert taken is not None
        seen.append(taken.position.frame)
    writer.join(20)
    assert seen == list(range(100))


@pytest.mark.parametrize("mailbox", [LiveMailbox(), CompleteMailbox(2)])
def test_a_closed_mailbox_takes_nothing_but_gives_what_waits(mailbox: Mailbox) -> None:
    assert mailbox.put(frame(1))
    mailbox.close()
    assert not mailbox.put(frame(2))
    assert drain(mailbox) == [1]


def test_closing_wakes_a_source_that_waits() -> None:
    mailbox = CompleteMailbox(1)
    mailbox.put(frame(0))
    answers: list[bool] = []
    waiting = threading.Event()

    def put() -> None:
        waiting.set()
        answers.append(mailbox.put(frame(1)))

    writer = threading.Thread(target=put)
    writer.start()
    assert waiting.wait(20)
    mailbox.close()
    writer.join(20)
    assert answers == [False]


@pytest.mark.parametrize("kind", ["live", "complete"])
def test_one_waiter_hears_of_every_frame_of_many_mailboxes(kind: str) -> None:
    heard = threading.Semaphore(0)
    boxes = [LiveMailbox(heard.release) if kind == "live" else CompleteMailbox(4, heard.release) for _ in range(5)]
    for box in boxes:
        box.put(frame(1))
    assert all(heard.acquire(timeout=20) for _ in boxes)


def test_the_batcher_may_take_from_within_the_call() -> None:
    taken: list[Frame | None] = []
    mailbox = CompleteMailbox(1, lambda: taken.append(mailbox.take()))
    assert all(mailbox.put(frame(number)) for number in range(3))
    assert [one.position.frame for one in taken if one is not None] == [0, 1, 2]


def test_a_mailbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        CompleteMailbox(0)
