"""Reads packets in a thread of its own, so that whoever waits for them can stop waiting at any moment.

FFmpeg's reads can block for longer than any timeout given to it: in name resolution, in a device's driver, or
because packets of other streams keep it busy. PyAV offers no way to interrupt them from outside. So the read happens
in a daemon thread; the camera's own thread waits on a queue with its own clock, and leaves a read that hangs behind.
Such a thread closes its connection as soon as the read returns; how many may hang for one camera is bounded.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, cast

import av

from inferfleet.streams.sources.base import SourceError, StalledError
from inferfleet.streams.sources.opening import source_error

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_MOST_HUNG = 3
_MOST_BYTES = 64 * 1024**2
_MOST_PACKETS = 1024
_MICROSECONDS = 1_000_000
_CLOCK_BYTES = 8


class Arrived(NamedTuple):
    """A packet, when it arrived (Unix time), and when the producer says it was captured (Unix time), if it does."""

    packet: Packet[VideoStream]
    received: float
    captured: float | None


@dataclass(frozen=True, slots=True)
class Opened:
    """What must be known of an open stream. The stream itself belongs to the pump's thread.

    Attributes:
        context: Its codec context, which nobody but the decoder uses.
        time_base: Of its time stamps.
        format: FFmpeg's name of the container.
        is_finite: Whether it has an end.
        origin: Time stamp of its beginning.
    """

    context: VideoCodecContext
    time_base: Fraction
    format: str
    is_finite: bool
    origin: int


class Pump:
    """Opens a container and hands over its video packets."""

    def __init__(
        self,
        name: str,
        open: Callable[[], tuple[InputContainer, VideoStream]],
        *,
        what: str,
        timeout: float,
        has_clock: bool = False,
    ) -> None:
        """Starts to open it.

        Args:
            name: The camera's id.
            open: Opens the container; called in the pump's thread.
            what: How errors call it.
            timeout: Seconds without a packet after which it counts as stalled.
            has_clock: Whether packets may carry the producer's clock.

        Raises:
            SourceError: Too many earlier reads of this camera still hang.
        """
        self._open = open
        self._what = what
        self._timeout = timeout
        self._has_clock = has_clock
        self._changed = threading.Condition()
        self._packets: deque[Arrived] = deque()
        self._bytes = 0
        self._opened: Opened | None = None
        self._error: SourceError | None = None
        self._is_over = False
        self._stopped = False
        thread_name = f"packets-{name}"
        hung = sum(thread.name == thread_name for thread in threading.enumerate())
        if hung >= _MOST_HUNG:
            raise SourceError(f"{what}: {hung} earlier reads still hang in the system; waiting for them to return")
        threading.Thread(target=self._run, name=thread_name, daemon=True).start()

    def opened(self) -> Opened | None:
        """Waits until it is open. None when stopped.

        Raises:
            SourceError: It cannot be opened, or opening takes too long.
        """
        with self._changed:
            # FFmpeg applies the timeout to connecting and to looking at the first packets separately.
            self._changed.wait_for(lambda: self._opened or self._is_over or self._stopped, 2 * self._timeout + 1)
            if self._stopped:
                return None
            if self._error is not None:
                raise self._error
            if self._opened is None:
                raise StalledError(f"{self._what} could not be opened within {2 * self._timeout + 1:g} s")
            return self._opened

    def take(self) -> Arrived | None:
        """Waits for the next packet. None at the end, and when stopped.

        Raises:
            StalledError: None came within the timeout.
            SourceError: The connection broke.
        """
        with self._changed:
            came = self._changed.wait_for(lambda: self._packets or self._is_over or self._stopped, self._timeout)
            if self._stopped:
                return None
            if self._packets:
                arrived = self._packets.popleft()
                self._bytes -= arrived.packet.size
                self._changed.notify_all()
                return arrived
            if self._error is not None:
                raise self._error
            if not came:
                raise StalledError(f"{self._what} sent no picture for {self._timeout:g} s")
            return None

    def stop(self) -> None:
        """Ends waiting, and the connection as soon as the read under way returns. Thread-safe."""
        with self._changed:
            self._stopped = True
            self._packets.clear()
            self._changed.notify_all()

    # In the pump's thread.

    def _run(self) -> None:
        try:
            container, stream = self._open()
            with container:
                self._pump(container, stream)
        except SourceError as error:
            self._error = error
        except (av.error.FFmpegError, OSError) as error:
            self._error = source_error(error, self._what, self._timeout)
        except Exception as error:
            self._error = SourceError(f"{self._what} cannot be read: {type(error).__name__}")
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _pump(self, container: InputContainer, stream: VideoStream) -> None:
        index = stream.index
        with self._changed:
            self._opened = Opened(
                context=stream.codec_context,
                time_base=stream.time_base or Fraction(1, _MICROSECONDS),
                format=container.format.name,
                is_finite=bool(container.duration and container.duration > 0),
                origin=stream.start_time or 0,
            )
            self._changed.notify_all()
        # All streams are read, not just the video's, so that the thread notices a stop while only sound comes.
        for packet in cast("Iterator[Packet[VideoStream]]", container.demux()):
            if packet.stream_index != index or packet.size == 0:
                if self._stopped:
                    return
                continue
            captured = _captured(container, packet) if self._has_clock else None
            if not self._hand_over(Arrived(packet, time.time(), captured)):
                return

    def _hand_over(self, arrived: Arrived) -> bool:
        with self._changed:
            while (len(self._packets) >= _MOST_PACKETS or self._bytes >= _MOST_BYTES) and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return False
            self._packets.append(arrived)
            self._bytes += arrived.packet.size
            self._changed.notify_all()
            return True


def _captured(container: InputContainer, packet: Packet[VideoStream]) -> float | None:
    """The producer's clock for a packet, from RTCP sender reports (FFmpeg's AVProducerReferenceTime)."""
    if packet.has_sidedata("prft"):
        return int.from_bytes(bytes(packet.get_sidedata("prft"))[:_CLOCK_BYTES], "little", signed=True) / _MICROSECONDS
    start = container.start_time_realtime
    if start is None or packet.pts is None:
        return None
    return start / _MICROSECONDS + float(packet.pts * packet.time_base)


def to_time(seconds: float) -> datetime:
    """Unix time as UTC."""
    return datetime.fromtimestamp(seconds, UTC)
