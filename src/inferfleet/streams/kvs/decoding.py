"""From fragments to pictures: one decoder goes through them, and every picture knows its fragment, place and time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction as Ratio
from typing import TYPE_CHECKING, NamedTuple, cast

from inferfleet.streams.kvs.errors import KvsError
from inferfleet.streams.kvs.fragments import Fragment, Frame, Track
from inferfleet.streams.sources.decoding import Decoded, Decoder

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

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


class UndecodableError(KvsError):
    """The stream's media cannot be decoded here."""

    lasting = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands.

    Attributes:
        fragment: Number of its fragment.
        server_ms: When the service received that fragment, in milliseconds since 1970; 0 when it does not say.
        offset_ms: From the fragment's beginning, in milliseconds.
    """

    fragment: str
    server_ms: int
    offset_ms: int

    def token(self) -> str:
        """The place as text; reading the stream again gives the same."""
        return f"{self.fragment}@{self.server_ms}{self.offset_ms:+d}"

    @classmethod
    def parse(cls, token: str) -> Place:
        """Reads a token.

        Raises:
            ValueError: It is none of ours.
        """
        number, separator, rest = token.partition("@")
        sign = max(rest.rfind("+"), rest.rfind("-"))
        if not separator or not number.isdigit() or sign < 1:
            raise ValueError(f"{token!r} is no place in a Kinesis video stream")
        return cls(number, int(rest[:sign]), int(rest[sign:]))


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

    A fragment that begins with a key frame needs nothing before it, so the decoder gives everything at its end.
    Where fragments do not begin so, it is left running from one to the next.
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
        self._base = 0
        self._are_closed = True
        self._stamps: dict[int, _Stamp] = {}

    def push(self, fragment: Fragment) -> Iterator[Picture]:
        """Yields a fragment's pictures (and, where fragments are not closed, what was left of the one before).

        Raises:
            UndecodableError: Its codec is unknown.
        """
        track = next((track for track in fragment.tracks if track.kind == _VIDEO), None)
        frames = [frame for frame in fragment.frames if track is not None and frame.track == track.number]
        if track is None or not frames:
            return
        if not _is_same(track, self._track):
            yield from self.finish()
            self._open(track)
        if not frames[0].keyframe:
            self._are_closed = False
        decoder, context = self._decoder, self._context
        assert decoder is not None and context is not None
        for frame in frames:
            for decoded in decoder.push(self._packet(fragment, frame)):
                yield self._picture(decoded)
        if self._are_closed:
            for decoded in decoder.finish():
                yield self._picture(decoded)
            context.flush_buffers()

    def finish(self) -> Iterator[Picture]:
        """Yields what the decoder still holds."""
        if self._decoder is None:
            return
        for decoded in self._decoder.finish():
            yield self._picture(decoded)
        self._base += self._decoder.numbers.next
        self._decoder = None
        self._stamps.clear()

    def _open(self, track: Track) -> None:
        import av

        name = _CODECS.get(track.codec)
        if name is None:
            raise UndecodableError(f"track {track.number} is {track.codec}; known are {', '.join(_CODECS)}")
        context = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
        if track.private:
            context.extradata = track.private
        self._track, self._context = track, context
        self._decoder = Decoder(
            context,
            _TIME_BASE,
            frame_ticks=0,
            fps_target=self._fps_target,
            threads=self._threads,
            is_live=self._is_live,
        )

    def _packet(self, fragment: Fragment, frame: Frame) -> Packet[VideoStream]:
        import av

        packet = cast("Packet[VideoStream]", av.Packet(cast("bytes", frame.data)))  # any buffer will do
        packet.pts = _milliseconds(frame)
        packet.time_base = _TIME_BASE
        packet.is_keyframe = frame.keyframe
        # Not the fragment itself: a picture that comes late must not keep it in memory.
        self._stamps[packet.pts] = _stamp(fragment, frame, packet.pts)
        if len(self._stamps) > _MOST_STAMPS:
            del self._stamps[next(iter(self._stamps))]
        return packet

    def _picture(self, decoded: Decoded) -> Picture:
        # A decoder that makes up a time stamp of its own gets the place of the newest packet.
        pts = decoded.pts if decoded.pts in self._stamps else next(reversed(self._stamps))
        assert pts is not None
        stamp = self._stamps[pts]
        return Picture(decoded.picture, self._base + decoded.number, stamp.place, stamp.time, stamp.timecode)


def _stamp(fragment: Fragment, frame: Frame, pts: int) -> _Stamp:
    start_ms = round((fragment.start if fragment.start is not None else fragment.timecode / 1e9) * 1000)
    place = Place(fragment.number, round((fragment.server_time or 0.0) * 1000), pts - start_ms)
    timecode = frame.timecode / 1e9
    return _Stamp(place, frame.time if frame.time is not None else timecode, timecode)


def _milliseconds(frame: Frame) -> int:
    return round((frame.time if frame.time is not None else frame.timecode / 1e9) * 1000)


def _is_same(one: Track, other: Track | None) -> bool:
    return other is not None and (one.codec, one.private) == (other.codec, other.private)
