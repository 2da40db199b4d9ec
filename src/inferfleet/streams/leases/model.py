"""What is in the table, as plain data: a lease a camera, a heartbeat a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inferfleet.errors import OutsideError
from inferfleet.streams.checkpoint import Checkpoint


class TableUnavailableError(OutsideError):
    """The table does not answer now. Leases go on until they run out; it is asked again."""


class TableError(OutsideError):
    """The table cannot be used until somebody changes something: missing, not permitted, with another key."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A camera's item in the table.

    Attributes:
        camera: The camera's id.
        owner: The worker that holds it; None when it is free.
        counter: Grows with every write, so that who sees it stand still knows that its owner is gone.
        fence: Grows whenever the lease is taken. A write that names an older one is refused.
        updated: When it was last written, RFC 3339, by the writer's clock. For people; nothing is decided by it.
        token: Where in the camera's source the next owner goes on; None before the first checkpoint.
    """

    camera: str
    owner: str | None = None
    counter: int = 0
    fence: int = 0
    updated: str = ""
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """A worker's item in the table: it lives as long as its counter grows."""

    worker: str
    counter: int
    updated: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """All of the table at one moment."""

    leases: tuple[Lease, ...] = ()
    beats: tuple[Beat, ...] = ()


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a holder writes: that it is still there, and how far the camera's delivered events have come.

    Attributes:
        camera: The camera.
        fence: Under which the lease is held.
        checkpoint: The newest delivered checkpoint; None leaves the one in the table.
    """

    camera: str
    fence: int
    checkpoint: Checkpoint | None = None


class Table(Protocol):
    """The table. Every write is conditional, so of two workers that want the same, one gets it."""

    def look(self) -> View:
        """Reads everything, consistently, but for the checkpoints' states.

        Raises:
            TableUnavailableError: It does not answer.
        """

    def beat(self, beat: Beat) -> None:
        """Writes a worker's item, whose counter it has moved on.

        Raises:
            TableUnavailableError: It does not answer.
        """

    def forget(self, beat: Beat) -> None:
        """Removes a worker's item, if its counter has not moved on.

        Raises:
            TableUnavailableError: It does not answer.
        """

    def take(self, lease: Lease, worker: str) -> tuple[int, Checkpoint | None] | None:
        """Makes `worker` the owner, unless the lease has changed since it was seen as `lease`.

        Returns:
            The new fence and the checkpoint to go on from; None when somebody else was faster.

        Raises:
            TableUnavailableError: It does not answer; the write may have happened all the same.
        """

    def renew(self, renewals: Sequence[Renewal], worker: str) -> Sequence[bool | None]:
        """Renews leases; for each whether it is still held. None: no answer, so nobody knows."""

    def release(self, renewal: Renewal, worker: str) -> None:
        """Writes the last checkpoint and gives the lease up, if it is still held under that fence.

        Raises:
            TableUnavailableError: It does not answer.
        """
