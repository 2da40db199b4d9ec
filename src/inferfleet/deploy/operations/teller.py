"""How operations tell what they do while they do it; the command line shows it, a test keeps it."""

from __future__ import annotations

from typing import Protocol

from inferfleet.deploy.operations.follow import Progress


class Teller(Protocol):
    """Hears of every step."""

    def step(self, text: str) -> None:
        """Something begins that takes a while."""

    def detail(self, text: str) -> None:
        """A line of a program that runs: the newest is of interest, not all of them."""

    def note(self, text: str) -> None:
        """Something that a reader should find afterwards too."""

    def progress(self, progress: Progress) -> None:
        """A deployment of a service has moved."""
