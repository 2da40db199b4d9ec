"""From fragments to pictures: one decoder goes through them, and every picture knows its fragment, place and time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction as Ratio
from typing import TYPE_CHECKING, NamedTuple, cast

import structlog

from inferfleet.streams.kvs.continuity import End, leading
from inferfleet.streams.kvs.errors import KvsError
from inferfleet.streams.kvs.fragments import Fragment, Frame, Track
from inferfleet.streams.sources.decoding import Decoded, Decoder
from inferfleet.streams.sources.keyframes import KeyFrames

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_log = structlog.get_logger(__name__)

_CODECS = {
    "V_MPEG4/ISO/AVC": "h264",
    "V_MPEGH/ISO/HEVC": "hevc",
    "V_MJPEG": "mjpeg",
    "V_VP8": "vp8",
    "V_VP9": "vp9",
    "V_AV1": "av1",
}
"""FFmpeg's decoders by Matroska's codec ids."""
_VIDEO = 1
_TIME_BASE = Ratio(1, 1000)
_MOST_STAMPS = 1024
_LEADS = "<"
"""Ends the token of a leading picture."""
_PRODUCERS = "p"
"""Begins a time on the producer's clock."""


class UndecodableError(KvsError):
    """The stream's media cannot be decoded here."""

    lasting = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands.

    Attributes:
        fragment: Number of its fragment.
        begin_ms: When that fragment began, in milliseconds since 1970; 0 when nobody says.
        offset_ms: From the fragment's beginning, in milliseconds.
        is_leading: It is shown before its fragment's key frame, so what follows it may need the fragment before.
        is_by_producer: `begin_ms` is on the producer's clock, as the server's is not known; else on the server's.
    """

    fragment: str
    begin_ms: int
    offset_ms: int
    is_leading: bool = False
    is_by_producer: bool = False

    def token(self) -> str:
        """The place as text; reading the stream again gives the same."""
        clock, leads = _PRODUCERS if self.is_by_producer else "", _LEADS if self.is_leading else ""
        return f"{self.fragment}@{clock}{self.begin_ms}{self.offset_ms:+d}{leads}"

    def is_behind(self, other: Place) -> bool:
        """Whether it comes after another place of the stream."""
        if self.fragment == other.fragment or not self.fragment.isdigit():
            return self.fragment != other.fragment or self.offset_ms > other.offset_ms
        return int(self.fragment) > int(other.fragment)

    @classmethod
    def parse(cls, token: str) -> Place:
        """Reads a token.

        Raises:
            ValueError: It is none of ours.
        """
        number, separator, rest = token.removesuffix(_LEADS).partition("@")
        sign = max(rest.rfind("+"), rest.rfind("-"))
        if not separator or not number.isdigit() or sign < 1:
            raise ValueError(f"{token!r} is no place in a Kinesis video stream")
        begin, offset = int(rest[:sign].removeprefix(_PRODUCERS)), int(rest[sign:])
        return cls(number, begin, offset, token.endswith(_LEADS), rest.startswith(_PRODUCERS))


class Picture(NamedTuple):
    """A decoded picture, its number since the decoder began, its place, and its time.

    Attributes:
        picture: As the decoder gave it.
        number: Counted from 0; numbers that are left out were not wanted or damaged.
        place: Where it stands.
        time: When it was captured, in seconds since 1970.
        timecode: On the producer's media clock, in seconds.
    """

    picture: VideoFrame
    number: int
    place: Place
    time: float
    timecode: float


class _Stamp(NamedTuple):
    """Where and when the picture of a packet belongs; see `Picture`."""

    place: Place
    time: float
    timecode: float


class FragmentDecoder:
    """Decodes the video track of a stream's fragments.

    A fragment that begins with a closed group of pictures needs nothing before it, so the decoder gives everything at
    its end. As soon as one leans on the fragment before (see `continuity`), the decoder is left running from fragment
    to fragment, and begins anew only where they do not join, or where `pause` asks for all that there is.

    Where pictures are shown in another order than they are sent in, so that a fragment can lean, the last one is kept:
    if the decoder has given everything away when one comes that leans, the one before it is decoded a second time.
    """

    def __init__(self, *, fps_target: float | None, threads: int, is_live: bool) -> None:
        """Prepares it.

        Args:
            fps_target: Pictures a second of capture time; None takes all.
            threads: For the decoder; 0 takes as many as there are cores.
            is_live: Low latency rather than least work.
        """
        self._fps_target = fps_target
        self._threads = threads
        self._is_live = is_live
        self._track: Track | None = None
        self._context: VideoCodecContext | None = None
        self._decoder: Decoder | None = None
        self._keys: KeyFrames | None = None
        self._base = 0
        self._do_lean = False
        self._is_running = False
        self._former: Sequence[Packet[VideoStream]] = ()
        self._end: End | None = None
        self._stamps: dict[int, _Stamp] = {}

    def push(self, fragment: Fragment) -> Iterator[Picture]:
        """Yields a fragment's pictures (and, where fragments are not closed, what was left of the one before).

        Raises:
            UndecodableError: Its codec is unknown.
        """
        track, frames = _video(fragment)
        if track is None or not frames:
            return
        if not _is_same(track, self._track):
            yield from self.finish()
            self._open(track)
        packets = [_packet(frame) for frame in frames]
        if self._end is not None and not self._end.joins(frames):
            yield from self._drain()
            self._former = ()
        lacks_lead = self._lean(frames, packets)
        self._end = End.of(frames)
        decoder, context = self._decoder, self._context
        assert decoder is not None and context is not None
        self._is_running = True
        for frame, packet in zip(frames, packets, strict=True):
            is_leading = frame.timecode < frames[0].timecode
            self._note(fragment, frame, is_leading=is_leading)
            if is_leading and lacks_lead:
                decoder.numbers.packet(packet.pts)
            else:
                yield from map(self._picture, decoder.push(packet))
        if not self._do_lean:
            yield from self._drain()
        self._former = packets if context.has_b_frames else ()

    def pause(self) -> Iterator[Picture]:
        """Yields what the decoder still holds, as it is not known when the next fragment comes."""
        yield from self._drain()

    def precede(self, fragment: Fragment) -> None:
        """Takes the fragment before the first one that is wanted: its pictures do not come out.

        Raises:
            UndecodableError: Its codec is unknown.
        """
        track, frames = _video(fragment)
        if track is None or not frames:
            return
        if not _is_same(track, self._track):
            self._open(track)
        self._former, self._end = [_packet(frame) for frame in frames], End.of(frames)

    def finish(self) -> Iterator[Picture]:
        """Yields what the decoder still holds."""
        if self._decoder is None:
            return
        yield from map(self._picture, self._decoder.finish())
        self._base += self._decoder.numbers.next
        self._decoder = None
        self._stamps.clear()

    def _lean(self, frames: Sequence[Frame], packets: Sequence[Packet[VideoStream]]) -> bool:
        """Sees to it that what a fragment leans on has been decoded; returns whether its leading pictures lack that."""
        assert self._keys is not None and self._decoder is not None
        entry = self._keys.entry(packets[0])
        leads = leading(frames) if entry == "open" else 0
        if entry == "closed" or (entry == "open" and not leads):
            return False
        self._do_lean = True
        if not self._is_running and self._former:
            self._decoder.begin_anew(self._former)
            self._is_running = True
        if self._is_running or not leads:
            return False
        _log.info("pictures left out, as the fragment that they refer to is not there", pictures=leads)
        return True

    def _drain(self) -> Iterator[Picture]:
        """Yields what the decoder still holds, and has it begin anew."""
        if self._is_running and self._decoder is not None:
            yield from map(self._picture, self._decoder.finish())
            self._decoder.begin_anew()
        self._is_running = False

    def _open(self, track: Track) -> None:
        import av

        name = _CODECS.get(track.codec)
        if name is None:
            raise UndecodableError(f"track {track.number} is {track.codec}; known are {', '.join(_CODECS)}")
        context = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
        if track.private:
            context.extradata = track.private
        self._track, self._context, self._keys = track, context, KeyFrames(context)
        self._is_running, self._former, self._end = False, (), None
        self._decoder = Decoder(
            context,
            _TIME_BASE,
            frame_ticks=0,
            fps_target=self._fps_target,
            threads=self._threads,
            is_live=self._is_live,
        )

    def _note(self, fragment: Fragment, frame: Frame, *, is_leading: bool) -> None:
        # Not the fragment itself: a picture that comes late must not keep it in memory.
        self._stamps[_milliseconds(frame)] = _stamp(fragment, frame, is_leading=is_leading)
        if len(self._stamps) > _MOST_STAMPS:
            del self._stamps[next(iter(self._stamps))]

    def _picture(self, decoded: Decoded) -> Picture:
        # A decoder that makes up a time stamp of its own gets the place of the newest packet.
        pts = decoded.pts if decoded.pts in self._stamps else next(reversed(self._stamps))
        assert pts is not None
        stamp = self._stamps[pts]
        return Picture(decoded.picture, self._base + decoded.number, stamp.place, stamp.time, stamp.timecode)


def _video(fragment: Fragment) -> tuple[Track | None, list[Frame]]:
    """The video track of a fragment, and its frames that are not empty."""
    track = next((track for track in fragment.tracks if track.kind == _VIDEO), None)
    number = track.number if track is not None else 0
    # An empty packet would tell the decoder that the stream has ended.
    return track, [frame for frame in fragment.frames if frame.track == number and len(frame.data)]


def _packet(frame: Frame) -> Packet[VideoStream]:
    import av

    # A copy in FFmpeg's own memory. Were the packet a view of Python's, the thread of the decoder that is done with it
    # would need the interpreter's lock for letting it go, and who frees the decoder holds that lock while it waits for
    # the thread: both would wait for ever.
    packet = cast("Packet[VideoStream]", av.Packet(len(frame.data)))
    packet.update(cast("bytes", frame.data))
    packet.pts = _milliseconds(frame)
    packet.time_base = _TIME_BASE
    packet.is_keyframe = frame.keyframe
    return packet


def _stamp(fragment: Fragment, frame: Frame, *, is_leading: bool) -> _Stamp:
    start_ms = round((fragment.start if fragment.start is not None else fragment.timecode / 1e9) * 1000)
    is_by_producer = fragment.server_time is None and fragment.producer_time is not None
    begin_ms = round((fragment.server_time or fragment.producer_time or 0.0) * 1000)
    place = Place(fragment.number, begin_ms, _milliseconds(frame) - start_ms, is_leading, is_by_producer)
    timecode = frame.timecode / 1e9
    return _Stamp(place, frame.time if frame.time is not None else timecode, timecode)


def _milliseconds(frame: Frame) -> int:
    return round((frame.time if frame.time is not None else frame.timecode / 1e9) * 1000)


def _is_same(one: Track, other: Track | None) -> bool:
    return other is not None and (one.codec, one.private) == (other.codec, other.private)
