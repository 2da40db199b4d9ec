"""What all sources have in common that send at their own pace: cameras, media servers, devices.

Capture time is the producer's clock where the connection tells it and it is within a day of ours (a camera whose
clock was never set says 1970); else it is the time at which the packet arrived.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from inferfleet.streams.frame import Frame, Position
from inferfleet.streams.picture import Scaler, VideoPicture
from inferfleet.streams.sources.base import SourceError
from inferfleet.streams.sources.decoding import Decoded, Decoder
from inferfleet.streams.sources.pump import Arrived, Opened, Pump, to_time

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_UNTIMED = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe", "h264", "hevc", "m4v"})
"""Containers whose time stamps FFmpeg makes up from a frame rate that it guesses."""
_MICROSECOND = Fraction(1, 1_000_000)
_DAY = 86_400.0
_MOST_TIMES = 256
_NO_KEY_SECONDS = 60.0


class LiveReader(ABC):
    """Reads a container that arrives at its own pace. Kinds differ in how they open it."""

    has_clock = False

    def __init__(self, camera: str, what: str, timeout: float, *, fps_target: float | None, threads: int) -> None:
        """Prepares the source.

        Args:
            camera: The camera's id.
            what: How errors call the source, without secrets.
            timeout: Seconds without data after which it counts as stalled.
            fps_target: Frames a second to take; None takes all.
            threads: For the decoder; 0 takes as many as there are cores.
        """
        self._camera = camera
        self._what = what
        self._timeout = timeout
        self._fps_target = fps_target
        self._threads = threads
        self._scaler = Scaler()
        self._lock = threading.Lock()
        self._pump: Pump | None = None
        self._interrupted = False
        self._skipped = 0
        self._session = ""
        self._last_number = -1
        self._is_finite = False

    @abstractmethod
    def open(self) -> tuple[InputContainer, VideoStream]:
        """Opens the container; called in a thread that may be left behind."""

    @property
    def is_live(self) -> bool:
        """Whether it never ends by itself; known once it is open, and assumed before."""
        return not self._is_finite

    @property
    def skipped(self) -> int:
        """Frames not delivered so far, because `fps_target` wants fewer or because they were damaged."""
        return self._skipped

    def interrupt(self) -> None:
        """Ends `frames` at once, whatever it waits for."""
        with self._lock:
            self._interrupted = True
            if self._pump is not None:
                self._pump.stop()

    def frames(self, resume: str | None) -> Iterator[Frame]:
        """Yields frames as they come; see `Source`. What was sent while nobody listened is gone: no resuming."""
        with self._lock:
            if self._interrupted:
                return
            pump = self._pump = Pump(
                self._camera, self.open, what=self._what, timeout=self._timeout, has_clock=self.has_clock
            )
        try:
            opened = pump.opened()
            if opened is not None:
                self._is_finite = opened.is_finite
                yield from self._decode(pump, opened)
        finally:
            pump.stop()

    def _decode(self, pump: Pump, opened: Opened) -> Iterator[Frame]:
        is_untimed = not _UNTIMED.isdisjoint(opened.format.split(","))
        if is_untimed:
            opened = replace(opened, time_base=_MICROSECOND)
        decoder = Decoder(
            opened.context,
            opened.time_base,
            frame_ticks=0,
            fps_target=self._fps_target,
            threads=self._threads,
            is_live=True,
        )
        clock = _Clock(opened, is_untimed=is_untimed)
        self._session = f"{time.time_ns() // 1000:x}"
        broken: SourceError | None = None
        try:
            while (arrived := pump.take()) is not None:
                clock.note(arrived)
                for decoded in decoder.push(arrived.packet):
                    yield self._frame(decoded, clock, opened)
                self._watch(decoder, opened)
        except SourceError as error:
            broken = error
        if self._interrupted:
            return
        # What the decoder still holds came well, even if the connection broke after it.
        for decoded in decoder.finish():
            yield self._frame(decoded, clock, opened)
        if broken is not None:
            raise broken
        if self._last_number < 0:
            raise SourceError(f"{self._what} ended before its first picture")

    def _watch(self, decoder: Decoder, opened: Opened) -> None:
        """Gives up on a stream whose packets do not become pictures, as after a change of codec."""
        if decoder.is_overdue(self._timeout if decoder.has_seen_key else max(self._timeout, _NO_KEY_SECONDS)):
            codec = opened.context.name
            raise SourceError(f"{self._what} sends data that does not decode as {codec}; opening it anew")

    def _frame(self, decoded: Decoded, clock: _Clock, opened: Opened) -> Frame:
        pts = decoded.pts
        self._skipped += max(0, decoded.number - self._last_number - 1)
        self._last_number = decoded.number
        prefix = "" if opened.is_finite else f"{self._session}:"
        return Frame(
            camera=self._camera,
            time=to_time(clock.capture_time(pts)),
            position=Position(
                token=f"{prefix}{decoded.number}",
                frame=decoded.number,
                pts=None if pts is None else float(pts * opened.time_base),
            ),
            picture=VideoPicture(decoded.picture, self._scaler),
            received=time.monotonic(),
        )


class _Clock:
    """Keeps each packet's capture time until its frame comes out of the decoder."""

    def __init__(self, opened: Opened, *, is_untimed: bool) -> None:
        self._time_base = opened.time_base
        self._is_untimed = is_untimed
        self._began = time.time()
        self._next = min(0, opened.origin - 1)
        self._times: dict[int, float] = {}
        self._last = self._began

    def note(self, arrived: Arrived) -> None:
        """Takes note of a packet, and stamps it with its arrival where the container has no time of its own."""
        packet, received, captured = arrived
        if self._is_untimed:
            packet.pts = packet.dts = max(self._next, int((received - self._began) / self._time_base))
        elif packet.pts is None:
            # FFmpeg leaves out the stamp of the first RTP packet, from which the others are counted.
            packet.pts = self._next
        self._next = packet.pts + 1
        is_plausible = captured is not None and abs(captured - received) < _DAY
        self._last = captured if is_plausible and captured is not None else received
        self._times[packet.pts] = self._last
        if len(self._times) > _MOST_TIMES:
            del self._times[next(iter(self._times))]

    def capture_time(self, pts: int | None) -> float:
        """Unix time at which the frame was captured."""
        return self._last if pts is None else self._times.pop(pts, self._last)
