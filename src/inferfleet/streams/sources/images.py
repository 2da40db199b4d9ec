"""A folder of pictures, as if a camera had taken them at an even rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, timedelta
from fractions import Fraction
from pathlib import Path

from inferfleet.config.sources import ImagesSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame, Position
from inferfleet.streams.picture import StillPicture
from inferfleet.streams.sources.base import SourceError
from inferfleet.streams.sources.file import EPOCH
from inferfleet.streams.sources.numbering import Ticks
from inferfleet.vision.types import U8

_MICROSECONDS = 1_000_000


class ImagesReader:
    """Reads the pictures of a folder in the order of their names, once or for ever."""

    def __init__(self, camera: str, config: ImagesSource, base: Path, *, fps_target: float | None = None) -> None:
        """Prepares the source; see `open_source`."""
        self._camera = camera
        self._config = config
        self._folder = base / config.path
        self._period = 1 / Fraction(str(config.fps))
        self._ticks = Ticks(fps_target, self._period) if fps_target else None
        self._interrupted = threading.Event()
        self._skipped = 0
        start = config.start_time or EPOCH
        self._start = start if start.tzinfo else start.replace(tzinfo=UTC)
        self._pace_from: tuple[float, int] | None = None

    @property
    def is_live(self) -> bool:
        """A folder is never live."""
        return False

    @property
    def skipped(self) -> int:
        """Files that were no pictures, and pictures that `fps_target` leaves out."""
        return self._skipped

    def interrupt(self) -> None:
        """Ends `frames` before its next picture."""
        self._interrupted.set()

    def frames(self, resume: str | None) -> Iterator[Frame]:
        """Yields the pictures; see `Source`. A token holds the picture's name, so new files may come before it."""
        number, after = (-1, "") if resume is None else _parse(resume)
        while True:
            any_picture = False
            for path in self._list():
                if self._interrupted.is_set():
                    return
                if path.name <= after:
                    continue
                number += 1
                pixels = _read(path) if self._is_wanted(number) else None
                if pixels is None:
                    self._skipped += 1
                    continue
                any_picture = True
                yield self._frame(number, path.name, pixels)
            if not self._config.loop:
                return
            if not any_picture and not after:
                raise SourceError(f"camera {self._camera!r}: the folder {self._config.path} holds no picture")
            after = ""

    def _list(self) -> list[Path]:
        if not self._folder.is_dir():
            raise InputError(f"camera {self._camera!r}: there is no folder {self._folder}")
        return sorted(path for path in self._folder.glob(self._config.pattern) if path.is_file())

    def _is_wanted(self, number: int) -> bool:
        ticks = self._ticks
        return ticks is None or number == 0 or ticks.of(number) != ticks.of(number - 1)

    def _frame(self, number: int, name: str, pixels: U8) -> Frame:
        elapsed = number * self._period
        microseconds = int(elapsed * _MICROSECONDS)
        if self._config.pace == "realtime":
            self._wait(microseconds)
        return Frame(
            camera=self._camera,
            time=self._start + timedelta(microseconds=microseconds),
            position=Position(token=f"{number}/{name}", frame=number, pts=float(elapsed)),
            picture=StillPicture(pixels),
            received=time.monotonic(),
        )

    def _wait(self, elapsed: int) -> None:
        now = time.monotonic()
        if self._pace_from is None:
            self._pace_from = (now, elapsed)
        began, first = self._pace_from
        self._interrupted.wait(max(0.0, began + (elapsed - first) / _MICROSECONDS - now))


def _read(path: Path) -> U8 | None:
    """Returns the picture as BGR, turned as its EXIF says, or None if it is none."""
    import cv2

    pixels: U8 | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    return pixels


def _parse(token: str) -> tuple[int, str]:
    number, slash, name = token.partition("/")
    if not slash or not number.isdigit():
        raise InputError(
            f"the checkpoint {token!r} was not made by a folder of pictures: the camera's source has changed since; "
            "give the camera a new id, or remove its checkpoint"
        )
    return int(number), name
