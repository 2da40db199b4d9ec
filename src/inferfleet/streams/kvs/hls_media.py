"""What an HLS session consists of: playlists that list fragments, and media that hold their frames."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urljoin, urlsplit

from inferfleet.streams.kvs import errors
from inferfleet.streams.kvs.fragments import Frame, Track

_NS = 10**9
_CODECS = {"h264": "V_MPEG4/ISO/AVC", "hevc": "V_MPEGH/ISO/HEVC"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A fragment in a media playlist.

    Attributes:
        url: Where its media are.
        map_url: Where its initialisation is; empty for MPEG-TS.
        number: Its fragment number.
        time: Its first frame's capture time, in seconds since 1970; None where the playlist does not say.
        duration: In seconds.
    """

    url: str
    map_url: str
    number: str
    time: float | None
    duration: float


def media_playlist(url: str, master: str) -> str:
    """The first media playlist of a master playlist.

    Raises:
        ConnectionBrokenError: It names none.
    """
    lines = [line for line in master.splitlines() if line and not line.startswith("#")]
    if not lines:
        raise errors.ConnectionBrokenError("the HLS master playlist names no media playlist")
    return urljoin(url, lines[0])


def parse_playlist(url: str, text: str) -> list[Segment]:
    """The fragments of a media playlist, in order."""
    found: list[Segment] = []
    map_url, when, duration = "", None, 0.0
    for line in text.splitlines():
        if match := re.match(r'#EXT-X-MAP:.*URI="([^"]+)"', line):
            map_url = urljoin(url, match[1])
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            when = datetime.fromisoformat(line.partition(":")[2]).timestamp()
        elif match := re.match(r"#EXTINF:([\d.]+)", line):
            duration = float(match[1])
        elif line and not line.startswith("#"):
            address = urljoin(url, line)
            number = parse_qs(urlsplit(address).query).get("FragmentNumber", [""])[0]
            found.append(Segment(address, map_url, number, when, duration))
            when = None
    return found


def demux(media: bytes) -> tuple[Track, list[Frame]]:
    """The video of a fragment in fragmented MP4 or MPEG-TS; timecodes are the container's, in nanoseconds.

    Raises:
        DamageError: It cannot be read.
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(io.BytesIO(media), "r") as file:
            stream = file.streams.video[0]
            context = stream.codec_context
            codec = _CODECS.get(context.name, context.name)
            private = bytes(context.extradata or b"")
            track = Track(number=1, kind=1, codec=codec, private=private, width=stream.width, height=stream.height)
            frames = []
            for packet in file.demux(stream):
                if packet.size and packet.pts is not None:
                    timecode = round(packet.pts * packet.time_base * _NS)
                    frames.append(Frame(1, timecode, None, packet.is_keyframe, memoryview(bytes(packet))))
            return track, frames
    except (FFmpegError, IndexError, ValueError) as error:
        raise errors.DamageError(f"an HLS fragment cannot be read: {error}", 0) from error
