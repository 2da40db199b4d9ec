"""From the packets of one video stream to the frames that are wanted: damage is skipped, and so is needless work.

Where `fps_target` wants few frames, a packet is held back until a wanted frame needs it. The next key frame makes
what is still held back superfluous, so that whole groups of pictures are never decoded, and none that is wanted is
missed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import av
from av.error import FFmpegError

from inferfleet.streams.sources.keyframes import Entry, KeyFrames
from inferfleet.streams.sources.numbering import FrameNumbers, Ticks

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_MOST_HELD = 600
_MOST_HELD_BYTES = 32 * 1024**2
_JUMP_SECONDS = 5
_MOST_INSIDE = 64
"""More packets than any decoder holds back: 16 for reordering, and one for each of its threads."""
_MOST_FAILURES = 8


class LandedLate(Exception):
    """After a seek, the frame that was to come by did not."""


class Decoded(NamedTuple):
    """A wanted frame: its picture, its number in the stream, its time stamp, and whether that says where it is."""

    picture: VideoFrame
    number: int
    pts: int | None
    is_placed: bool


class Decoder:
    """Decodes one stream. Feed it packets with `push`, and call `finish` at the end.

    Attributes:
        numbers: Numbers the frames.
        damaged: Packets that could not be decoded, and frames that came out broken.
        has_seen_key: Whether a key frame has come, so that pictures can be expected.
    """

    def __init__(
        self,
        context: VideoCodecContext,
        time_base: Fraction,
        *,
        frame_ticks: int,
        fps_target: float | None,
        threads: int,
        is_live: bool,
    ) -> None:
        """Prepares the decoder of a stream.

        Args:
            context: The stream's codec context, not yet opened.
            time_base: Of the stream's time stamps, in seconds.
            frame_ticks: How long a frame lasts, in units of `time_base`, where frames have no time stamp.
            fps_target: Frames a second to take; None takes all.
            threads: For the decoder; 0 takes as many as there are cores.
            is_live: Decode early rather than late: low latency instead of least work.
        """
        context.thread_count = threads
        if threads != 1:
            # Frame threads hold back one frame each, which a live camera's latency cannot afford.
            context.thread_type = "SLICE" if is_live else "AUTO"
        self.numbers = FrameNumbers()
        self.damaged = 0
        self._fed = 0
        self._failures = 0
        self._fed_since = 0.0
        self.has_seen_key = False
        self._context = context
        self._frame_ticks = frame_ticks
        self._after: tuple[int, int] | None = None
        self._is_strict = False
        self._plan = _Plan(context, Ticks(fps_target, time_base), time_base, is_live) if fps_target else None
        self._known: frozenset[int | None] = frozenset()

    def skip_through(self, pts: int, number: int, *, is_strict: bool) -> None:
        """Lets the frames go by until and with the one at `pts`, whose number is known.

        Args:
            pts: Its time stamp.
            number: Its number; the next frame has the number after it.
            is_strict: Raise `LandedLate` if a later frame comes and that one has not.
        """
        self._after = (pts, number)
        self._is_strict = is_strict

    def push(self, packet: Packet[VideoStream]) -> Iterator[Decoded]:
        """Takes the next packet and yields the wanted frames that come out."""
        if not packet.is_discard:
            self.numbers.packet(packet.pts)
        self.has_seen_key |= packet.is_keyframe
        if self._plan is None or self._after is not None:
            yield from self._take(self._decode(packet))
            return
        for step in self._plan.push(packet):
            yield from self._follow(step)

    def finish(self) -> Iterator[Decoded]:
        """Yields what the decoder still holds."""
        if self._plan is not None:
            for step in self._plan.finish():
                yield from self._follow(step)
        yield from self._take(self._decode(None))
        self.numbers.finish()

    def begin_anew(self, known: Sequence[Packet[VideoStream]] = ()) -> None:
        """Forgets what was decoded, after `finish`.

        Args:
            known: Packets to decode first, for what comes next to refer to; their pictures do not come out.
        """
        self._context.flush_buffers()
        self._context.skip_frame = "DEFAULT"
        if self._plan is not None:
            self._plan.forget()
        self._known = frozenset(packet.pts for packet in known)
        for packet in known:
            self._decode(packet)

    def _follow(self, step: Packet[VideoStream] | None) -> Iterator[Decoded]:
        """Decodes a packet, or for None, empties the decoder before a jump to a key frame."""
        yield from self._take(self._decode(step))
        if step is None:
            self._context.flush_buffers()

    def is_overdue(self, seconds: float) -> bool:
        """Whether pictures should have come out of what was decoded in the last so many seconds, but none has."""
        is_late = self._fed > _MOST_INSIDE or self._failures >= _MOST_FAILURES
        return is_late and time.monotonic() - self._fed_since > seconds

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        if packet is not None:
            if self._fed == 0:
                self._fed_since = time.monotonic()
            self._fed += 1
        frames: list[VideoFrame] = []
        try:
            frames = self._context.decode(packet)
            self._failures += packet is None and self._fed > 0
        except av.EOFError:
            pass
        except FFmpegError:
            self.damaged += packet is not None
            self._failures += 1
        if frames:
            self._fed = self._failures = 0
        return frames

    def _take(self, pictures: list[VideoFrame]) -> Iterator[Decoded]:
        for picture in pictures:
            if picture.is_corrupt:
                self.damaged += 1
                continue
            pts = picture.pts
            if pts in self._known or (self._plan is not None and self._plan.has_come_out(pts)):
                continue
            number = self.numbers.frame(pts)
            if self._after is not None and self._passes_by(pts):
                continue
            if self._plan is None or self._plan.takes(number * self._frame_ticks if pts is None else pts):
                yield Decoded(picture, number, pts, not self.numbers.disordered)

    def _passes_by(self, pts: int | None) -> bool:
        """Whether a frame is still before, or is, the one that was processed last."""
        assert self._after is not None
        last, number = self._after
        if pts is None or pts > last:
            if self._is_strict:
                raise LandedLate
            self._after = None
            return False
        if self._plan is not None:
            self._plan.takes(pts)
        if pts == last:
            self.numbers.go_on_after(pts, number)
            self._after = None
        return True


class _Plan:
    """Decides what to decode so that the first frame of each tick comes out."""

    def __init__(self, context: VideoCodecContext, ticks: Ticks, time_base: Fraction, is_live: bool) -> None:
        self._context = context
        self._ticks = ticks
        self._is_live = is_live
        self._keys = KeyFrames(context)
        self._jump = int(_JUMP_SECONDS / time_base)
        self._taken: int | None = None
        self._held: list[Packet[VideoStream]] = []
        self._held_bytes = 0
        self._has_gap = False
        self._entry: tuple[int, int] | None = None
        self._last_dts: int | None = None
        self._last_pts: int | None = None
        self._again: int | None = None
        self._holds_wanted = False
        self._key_times: deque[int] = deque(maxlen=3)

    def has_come_out(self, pts: int | None) -> bool:
        """Whether a frame is a key frame that was decoded a second time."""
        return pts is not None and pts == self._again and self._ticks.of(pts) == self._taken

    def takes(self, pts: int) -> bool:
        """Whether a frame that came out is wanted: whether it is the first of its tick."""
        tick = self._ticks.of(pts)
        if tick == self._taken:
            return False
        self._taken = tick
        return True

    def push(self, packet: Packet[VideoStream]) -> Iterator[Packet[VideoStream] | None]:
        """Yields what to decode now, packet by packet; None means to empty the decoder."""
        pts = packet.pts
        if pts is None:
            yield from self._release()
            yield packet
            return
        if self._has_jumped(packet, pts):
            yield from self._release()
            yield None
            self._taken = None
        entry = self._note_entry(packet, pts)
        self._held.append(packet)
        self._held_bytes += packet.size
        if entry == "closed" and self._is_candidate(packet) and not self._is_wanted_before_next_key(pts):
            yield from self._key_alone(packet)
        elif self._must_decode(packet, pts):
            yield from self._release()

    def finish(self) -> Iterator[Packet[VideoStream] | None]:
        """Yields what must still be decoded at the end."""
        if self._holds_wanted:
            yield from self._release()

    def forget(self) -> None:
        """Lets go of what is held back, as the decoder begins anew."""
        self._held, self._held_bytes, self._entry = [], 0, None
        self._has_gap = self._holds_wanted = False

    def _has_jumped(self, packet: Packet[VideoStream], pts: int) -> bool:
        """Whether the time stamps begin anew, as after a camera's reset or where recordings were joined."""
        dts, last_dts, last_pts = packet.dts, self._last_dts, self._last_pts
        self._last_dts, self._last_pts = dts, pts
        if dts is not None and last_dts is not None:
            return dts < last_dts
        return last_pts is not None and pts < last_pts - self._jump

    def _note_entry(self, packet: Packet[VideoStream], pts: int) -> Entry:
        if self._entry is not None and pts > self._entry[1]:
            self._drop(self._entry[0])
        entry = self._keys.entry(packet)
        if entry == "none":
            return entry
        self._key_times.append(pts)
        if entry == "closed":
            self._drop(len(self._held))
        else:
            self._entry = (len(self._held), pts)
        return entry

    def _drop(self, count: int) -> None:
        """Forgets the first packets held back: decoding begins anew at the key frame behind them."""
        self._entry = None
        if count:
            self._has_gap = True
            self._held_bytes -= sum(packet.size for packet in self._held[:count])
            del self._held[:count]

    def _must_decode(self, packet: Packet[VideoStream], pts: int) -> bool:
        if len(self._held) > _MOST_HELD or self._held_bytes > _MOST_HELD_BYTES:
            return True
        is_candidate = self._is_candidate(packet)
        if self._entry is not None and (pts == self._entry[1] or not is_candidate):
            # Frames shown before a key frame may follow it, and need what is held back. Only when they are through
            # without one that is wanted can decoding begin at the key frame.
            self._holds_wanted |= is_candidate
            return False
        if is_candidate or self._holds_wanted:
            return True
        return self._is_live and (
            self._taken is None or self._is_wanted_before_next_key(self._ticks.begin(self._taken))
        )

    def _is_candidate(self, packet: Packet[VideoStream]) -> bool:
        return packet.pts is None or self._taken is None or self._ticks.of(packet.pts) > self._taken

    def _is_wanted_before_next_key(self, pts: int) -> bool:
        """Whether the tick after the one of `pts` begins before the next key frame, as far as can be foreseen."""
        if len(self._key_times) < 2:  # noqa: PLR2004
            return True
        interval = min(after - before for before, after in pairwise(self._key_times))
        return self._ticks.begin(self._ticks.of(pts) + 1) < self._key_times[-1] + interval

    def _key_alone(self, packet: Packet[VideoStream]) -> Iterator[Packet[VideoStream] | None]:
        """Decodes a wanted key frame and nothing else, but keeps it in case frames after it are wanted too."""
        yield from self._release()
        yield None
        self._held, self._held_bytes = [packet], packet.size
        self._again = packet.pts

    def _release(self) -> Iterator[Packet[VideoStream] | None]:
        held, self._held, self._held_bytes, self._entry, self._holds_wanted = self._held, [], 0, None, False
        if self._has_gap and held:
            self._has_gap = False
            yield None
        for packet in held:
            skip = self._keys.drops_unreferenced and not self._is_candidate(packet)
            self._context.skip_frame = "NONREF" if skip else "DEFAULT"
            yield packet
        self._context.skip_frame = "DEFAULT"
