"""The other way to read a stream: HLS sessions, renewed before they expire, as the same fragments that GetMedia gives.

It is some seconds behind GetMedia and needs data retention, but does not take one of a stream's three connections.
"""

from __future__ import annotations

import io
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import structlog

from inferfleet.streams.delivery.backoff import Backoff
from inferfleet.streams.kvs import errors
from inferfleet.streams.kvs.account import Account, calling
from inferfleet.streams.kvs.client import Options
from inferfleet.streams.kvs.fragments import Fragment, Frame, Track, trusted_start
from inferfleet.streams.kvs.progress import Progress, Reading
from inferfleet.streams.kvs.selector import Begin, Start

_API = "GET_HLS_STREAMING_SESSION_URL"
SESSION_S = 3600
"""Lifetime asked for; the service allows 5 minutes to 12 hours."""
_RENEW_AT = 0.9
"""Share of its lifetime after which a session is replaced."""
_MOST_FRAGMENTS = 1000
_MAX_BYTES = 64 * 2**20
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


class HlsClient:
    """Reads one stream by way of HLS. One thread takes `fragments`; any thread may `interrupt` it."""

    def __init__(
        self,
        account: Account,
        stream: str,
        options: Options | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares the client; nothing is called before `fragments`.

        Args:
            account: Whose stream it is.
            stream: Its name.
            options: How it is read.
            clock: Seconds, as `time.monotonic` gives them.
        """
        self._account = account
        self._stream = stream
        self._options = options or Options()
        self._clock = clock
        self._log = structlog.get_logger().bind(stream=stream)
        self._stopping = threading.Event()
        self._backoff = Backoff(first=self._options.first_pause_s, most=60.0)
        self._reading = Reading()
        self._maps: dict[str, bytes] = {}

    @property
    def progress(self) -> Progress:
        """What is known now."""
        return self._reading.progress

    def interrupt(self) -> None:
        """Ends `fragments` soon. Thread-safe, and final."""
        self._stopping.set()

    def fragments(self, start: Start) -> Iterator[Fragment]:
        """Yields fragments until interrupted, each once, in order, from a start on.

        Raises:
            KvsError: Only what trying again cannot help.
        """
        while not self._stopping.is_set():
            try:
                for fragment in self._session(start):
                    yield fragment
                    start = Start.at(fragment.start or 0.0, by_producer=True, after=fragment.number)
                    self._reading.took(fragment)
                    self._backoff.reset()
            except errors.KvsError as error:
                if self._stopping.is_set():
                    return
                self._reading.failed(error)
                if error.lasting:
                    raise
                self._log.warning("stream reading failed, trying again", error=str(error))
                if isinstance(error, errors.ExpiredTokenError):
                    self._account.renew()
                if isinstance(error, errors.EndpointExpiredError | errors.ConnectionBrokenError):
                    self._account.forget_endpoint(self._stream, _API)
                self._stopping.wait(self._backoff.next())

    def _session(self, start: Start) -> Iterator[Fragment]:
        """One session's fragments, until it is time for the next one."""
        url = self._open(start)
        until = self._clock() + SESSION_S * _RENEW_AT
        self._maps.clear()
        media_url = _media_playlist(url, self._get(url).decode())
        self._reading.connected()
        try:
            while not self._stopping.is_set() and self._clock() < until:
                listed = parse_playlist(media_url, self._get(media_url).decode())
                fresh = [segment for segment in listed if start.is_before(segment.number)]
                if start.begin is Begin.NOW:
                    fresh = fresh[-1:]
                for segment in fresh:
                    start = Start.after(segment.number)
                    yield self._fragment(segment)
                    if self._stopping.is_set():
                        return
                if not fresh and len(listed) >= _MOST_FRAGMENTS:
                    return  # this session's playlist is full; the next one begins where it ends
                pause = min((segment.duration for segment in listed), default=2.0) / 2
                self._stopping.wait(min(max(pause, 0.2), self._options.stall_s))
        finally:
            self._reading.ended()

    def _open(self, start: Start) -> str:
        """Opens a session.

        Raises:
            KvsError: The service refused, or keeps nothing yet.
        """
        live = start.begin is Begin.NOW
        wanted: dict[str, Any] = {"PlaybackMode": "LIVE" if live else "LIVE_REPLAY"}
        if not live:
            kind = "SERVER_TIMESTAMP" if start.begin is Begin.AT_SERVER_TIME else "PRODUCER_TIMESTAMP"
            wanted["HLSFragmentSelector"] = {
                "FragmentSelectorType": kind,
                "TimestampRange": {"StartTimestamp": max(1.0, start.time)},
            }
            wanted["MaxMediaPlaylistFragmentResults"] = _MOST_FRAGMENTS
        client = self._account.archive(self._stream, _API)
        with calling(f"GetHLSStreamingSessionURL of stream {self._stream!r}"):
            found = client.get_hls_streaming_session_url(
                StreamName=self._stream,
                ContainerFormat="FRAGMENTED_MP4",
                DisplayFragmentTimestamp="ALWAYS",
                DiscontinuityMode="ALWAYS",
                Expires=SESSION_S,
                **wanted,
            )
        return str(found["HLSStreamingSessionURL"])

    def _fragment(self, segment: Segment) -> Fragment:
        head = self._map(segment.map_url) if segment.map_url else b""
        media = self._get(segment.url)
        track, frames = demux(head + media)
        start, clock = trusted_start(segment.time, None)
        first = frames[0].timecode if frames else 0
        stamped = tuple(
            Frame(
                f.track, f.timecode, None if start is None else start + (f.timecode - first) / _NS, f.keyframe, f.data
            )
            for f in frames
        )
        return Fragment(
            number=segment.number,
            producer_time=segment.time,
            server_time=None,
            start=start,
            clock=clock,
            continuation_token=segment.number,
            millis_behind=None if start is None else max(0, round((time.time() - start - segment.duration) * 1000)),
            tags={},
            tracks=(track,),
            frames=stamped,
            timecode=first,
            size=len(media),
        )

    def _map(self, url: str) -> bytes:
        if url not in self._maps:
            self._maps.clear()
            self._maps[url] = self._get(url)
        return self._maps[url]

    def _get(self, url: str) -> bytes:
        """Downloads.

        Raises:
            KvsError: The session is not valid any more, or the connection broke.
        """
        what = f"HLS of stream {self._stream!r}"
        try:
            with urllib.request.urlopen(url, timeout=self._options.stall_s) as answer:
                return bytes(answer.read(_MAX_BYTES))
        except urllib.error.HTTPError as error:
            code = error.headers.get("x-amzn-ErrorType", "") if error.headers else ""
            refused = f"HTTP {error.code} {code}".strip()
            raise errors.ConnectionBrokenError(f"{what}: {refused}; a new session is opened") from error
        except TimeoutError as error:
            raise errors.StalledError(f"{what}: nothing came for {self._options.stall_s:g} s") from error
        except OSError as error:
            raise errors.ConnectionBrokenError(f"{what}: {error}") from error


def _media_playlist(url: str, master: str) -> str:
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
