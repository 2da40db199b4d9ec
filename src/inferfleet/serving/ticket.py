"""A request on its way through a lane: its pictures, what it asks, until when, and who waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from inferfleet.serving.answers import PictureAnswer
from inferfleet.serving.servable import ANYTHING, Ask, Input

Receive = Callable[[], Awaitable[Any]]


class Ticket:
    """One request. Only the event loop changes it; device threads read it and hand back what they found.

    Attributes:
        pictures: What to look at.
        ask: What to tell of it.
        arrived: When the request arrived, by `time.monotonic`.
        deadline: When its answer is of no use any more, by the same clock.
        receive: Tells when the client is gone (ASGI); None where nobody can go.
        open: Whether somebody still waits for the answer.
        left: Pictures not yet answered.
        answers: The answers so far, in the pictures' order.
        queued: Seconds that the first picture waited for a device thread.
        worked: Seconds that its batch took.
    """

    __slots__ = (
        "answers",
        "arrived",
        "ask",
        "deadline",
        "future",
        "left",
        "open",
        "pictures",
        "queued",
        "receive",
        "watcher",
        "worked",
    )

    def __init__(
        self,
        pictures: Sequence[Input],
        ask: Ask = ANYTHING,
        *,
        timeout: float,
        arrived: float | None = None,
        receive: Receive | None = None,
    ) -> None:
        self.pictures = pictures
        self.ask = ask
        self.arrived = time.monotonic() if arrived is None else arrived
        self.deadline = self.arrived + timeout
        self.receive = receive
        self.open = True
        self.left = len(pictures)
        self.answers: list[PictureAnswer | None] = [None] * self.left
        self.queued = self.worked = 0.0
        self.future: asyncio.Future[None] | None = None
        self.watcher: asyncio.Task[None] | None = None

    def name(self, index: int) -> str:
        """What messages call a picture."""
        return "picture" if len(self.pictures) == 1 else f"picture {index + 1}"
