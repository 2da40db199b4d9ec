"""The text that stands for a frame's place in a file, so that reading can go on right after it."""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a (looping) file a frame is; its text is the frame's token.

    Attributes:
        loop: How often the file was read to its end before.
        pts: The frame's time stamp in units of the stream; None where time stamps do not lead back to it.
        frame: The frame's number in this loop, from 0; -1 before the first.
        offset: Length of all earlier loops, in microseconds.
        base: How many frames they had.
    """

    loop: int = 0
    pts: int | None = None
    frame: int = -1
    offset: int = 0
    base: int = 0

    def __str__(self) -> str:
        """The token."""
        pts = "~" if self.pts is None else self.pts
        return f"{self.loop}:{pts}:{self.frame}:{self.offset}:{self.base}"

    @classmethod
    def parse(cls, token: str) -> Place:
        """Reads a token.

        Raises:
            InputError: It is not a file's token.
        """
        try:
            loop, pts, frame, offset, base = token.split(":")
            return cls(int(loop), None if pts == "~" else int(pts), int(frame), int(offset), int(base))
        except ValueError:
            raise InputError(
                f"the checkpoint {token!r} was not made by a file: the camera's source has changed since; "
                "give the camera a new id, or remove its checkpoint"
            ) from None
