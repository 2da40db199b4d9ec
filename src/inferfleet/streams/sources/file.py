"""Video files. A checkpoint's token leads back to exactly the frame after it, in any container."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError, InvalidDataError

from inferfleet.config.sources import FileSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame, Position
from inferfleet.streams.picture import Scaler, VideoPicture
from inferfleet.streams.sources.base import SourceError
from inferfleet.streams.sources.decoding import Decoded, Decoder, LandedLate
from inferfleet.streams.sources.keyframes import KeyFrames
from inferfleet.streams.sources.opening import open_container, source_error
from inferfleet.streams.sources.place import Place

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BACK_SECONDS = (0, 2, 10, 60)
"""How far before the wanted frame to seek; further when a demuxer has landed behind it."""
_MOST_READ_ERRORS = 100
_MICROSECONDS = 1_000_000
_DEFAULT_RATE = Fraction(25)


class FileReader:
    """Reads a video file, once or for ever."""

    def __init__(
        self, camera: str, config: FileSource, base: Path, *, fps_target: float | None = None, threads: int = 1
    ) -> None:
        """Prepares the source; see `open_source`."""
        self._camera = camera
        self._config = config
        self._path = base / config.path
        self._what = f"camera {camera!r}: the file {config.path}"
        self._fps_target = fps_target
        self._threads = threads
        self._scaler = Scaler()
        self._interrupted = threading.Event()
        self._skipped = 0
        self._pace_from: tuple[float, int] | None = None

    @property
    def is_live(self) -> bool:
        """A file is never live."""
        return False

    @property
    def skipped(self) -> int:
        """Frames not delivered so far, because `fps_target` wants fewer or because they were damaged."""
        return self._skipped

    def interrupt(self) -> None:
        """Ends `frames` before its next frame."""
        self._interrupted.set()

    def frames(self, resume: str | None) -> Iterator[Frame]:
        """Yields the file's frames; see `Source`."""
        place = Place() if resume is None else Place.parse(resume)
        while not self._interrupted.is_set():
            lap = yield from self._lap(place)
            if not self._config.loop:
                return
            if lap.length == 0:
                raise SourceError(f"{self._what} holds no frame that can be decoded")
            place = lap.next_place

    def _lap(self, after: Place) -> Generator[Frame, None, _Lap]:
        """Reads the file once, from behind a place to its end."""
        ways = (*_BACK_SECONDS, None) if after.pts is not None else (None,)
        for back in ways:
            container, stream = self._open()
            with container:
                lap = _Lap(container, stream, after, self._what)
                if back is not None and not lap.seek(back):
                    continue
                lap.decode(self._fps_target, self._threads, is_strict=back is not None)
                try:
                    for decoded in lap.frames(self._interrupted):
                        self._skipped += lap.missing_before(decoded.number)
                        yield self._frame(lap, decoded)
                except LandedLate:
                    continue
                self._skipped += lap.missing_before(lap.count)
                return lap
        raise AssertionError("reading from the start never lands late")

    def _open(self) -> tuple[InputContainer, VideoStream]:
        """Opens the file.

        Raises:
            InputError: It is not there or no video. Unlike a camera that is down, that does not change by waiting.
        """
        if not self._path.is_file():
            raise InputError(f"{self._what} is not there; looked for {self._path}")
        try:
            return open_container(str(self._path), what=self._what)
        except SourceError as error:
            raise InputError(str(error)) from error

    def _frame(self, lap: _Lap, decoded: Decoded) -> Frame:
        elapsed = lap.elapsed(decoded)
        if self._config.pace == "realtime":
            self._wait(elapsed)
        return Frame(
            camera=self._camera,
            time=self._start(lap.created) + timedelta(microseconds=elapsed),
            position=lap.position(decoded),
            picture=VideoPicture(decoded.picture, self._scaler),
            received=time.monotonic(),
        )

    def _wait(self, elapsed: int) -> None:
        now = time.monotonic()
        if self._pace_from is None:
            self._pace_from = (now, elapsed)
        began, first = self._pace_from
        delay = began + (elapsed - first) / _MICROSECONDS - now
        if delay > 0:
            self._interrupted.wait(delay)

    def _start(self, created: datetime) -> datetime:
        start = self._config.start_time
        if start is None:
            return created
        return start if start.tzinfo else start.replace(tzinfo=UTC)


class _Lap:
    """One reading of the file.

    Attributes:
        created: Capture time of the first frame as far as the file knows it: its creation time, else 1970.
        length: How long the file was, in microseconds; known at the end.
        count: How many frames it had; known at the end.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, after: Place, what: str) -> None:
        self._container = container
        self._stream = stream
        self._after = after
        self._what = what
        self._first: Packet[VideoStream] | None = None
        self._time_base = stream.time_base or Fraction(1, _MICROSECONDS)
        self._rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
        self._frame_ticks = int(1 / self._rate / self._time_base)
        self._begin = stream.start_time or 0
        self._end = self._begin
        self._last = after.frame
        self.created = _creation_time(container)
        self.length = 0
        self.count = 0

    def seek(self, back: float) -> bool:
        """Goes to a key frame at or before the place; returns whether it is one."""
        pts = self._after.pts
        assert pts is not None
        keys = KeyFrames(self._stream.codec_context)
        try:
            self._container.seek(pts - int(back / self._time_base), stream=self._stream)
            packets = self._container.demux(self._stream)
            key = next((p for p in packets if p.pts is not None and keys.entry(p) != "none"), None)
        except FFmpegError:
            return False
        self._first = key
        return key is not None and key.pts is not None and key.pts <= pts

    def decode(self, fps_target: float | None, threads: int, *, is_strict: bool) -> None:
        """Makes the decoder; a strict one raises `LandedLate` when the place itself does not come by."""
        self._decoder = Decoder(
            self._stream.codec_context,
            self._time_base,
            frame_ticks=self._frame_ticks,
            fps_target=fps_target,
            threads=threads,
            is_live=False,
        )
        if self._after.pts is not None:
            self._decoder.skip_through(self._after.pts, self._after.frame, is_strict=is_strict)

    def frames(self, interrupted: threading.Event) -> Iterator[Decoded]:
        """Yields the frames behind the place."""
        decoder = self._decoder
        for packet in self._packets():
            for decoded in decoder.push(packet):
                if interrupted.is_set():
                    return
                if decoded.number > self._after.frame:
                    yield decoded
            if interrupted.is_set():
                return
        yield from (decoded for decoded in decoder.finish() if decoded.number > self._after.frame)
        self.count = decoder.numbers.next
        self.length = self._microseconds(self._end - self._begin) or int(self.count / self._rate * _MICROSECONDS)

    def missing_before(self, number: int) -> int:
        """How many frames lie between the last one asked for and this one."""
        missing, self._last = number - self._last - 1, number
        return max(0, missing)

    def elapsed(self, decoded: Decoded) -> int:
        """Microseconds from the first frame of the first lap to this one."""
        if decoded.pts is None:
            return self._after.offset + int(decoded.number / self._rate * _MICROSECONDS)
        return self._after.offset + self._microseconds(decoded.pts - self._begin)

    def position(self, decoded: Decoded) -> Position:
        """The frame's position."""
        after = self._after
        pts = decoded.pts
        place = Place(after.loop, pts if decoded.is_placed else None, decoded.number, after.offset, after.base)
        return Position(
            token=str(place),
            frame=after.base + decoded.number,
            pts=None if pts is None else pts * self._time_base.numerator / self._time_base.denominator,
        )

    @property
    def next_place(self) -> Place:
        """The beginning of the next lap."""
        after = self._after
        return Place(after.loop + 1, offset=after.offset + self.length, base=after.base + self.count)

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        if self._first is not None:
            yield self._first
        errors = 0
        while errors <= _MOST_READ_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size == 0:
                        continue
                    if packet.pts is not None and not packet.is_discard:
                        self._end = max(self._end, packet.pts + (packet.duration or self._frame_ticks))
                    yield packet
                return
            except InvalidDataError:
                errors += 1
            except FFmpegError as error:
                raise source_error(error, self._what) from None

    def _microseconds(self, ticks: int) -> int:
        return ticks * self._time_base.numerator * _MICROSECONDS // self._time_base.denominator


def _creation_time(container: InputContainer) -> datetime:
    try:
        created = datetime.fromisoformat(container.metadata.get("creation_time", ""))
    except ValueError:
        return EPOCH
    return created.astimezone(UTC) if created.tzinfo else created.replace(tzinfo=UTC)
