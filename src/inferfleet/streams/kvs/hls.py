"""The other way to read a stream: HLS sessions, renewed before they expire, as the same fragments that GetMedia gives.

It is some seconds behind GetMedia and needs data retention, but does not take one of a stream's three connections.
What is recorded already is read as fast as it comes, session by session (ON_DEMAND: a playlist of what there is from
a time on); at its end a LIVE session goes on, whose playlist shows the newest fragments. When the last known fragment
has dropped out of that playlist, what came after it is fetched from the record, so nothing is left out.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import structlog

from inferfleet.streams.delivery.backoff import Backoff
from inferfleet.streams.kvs import errors
from inferfleet.streams.kvs.account import Account, calling
from inferfleet.streams.kvs.client import Options
from inferfleet.streams.kvs.fragments import Clock, Fragment, Frame, trusted_start
from inferfleet.streams.kvs.hls_media import Segment, demux, media_playlist, parse_playlist
from inferfleet.streams.kvs.lag import Lag
from inferfleet.streams.kvs.progress import Progress, Reading
from inferfleet.streams.kvs.selector import Begin, Start

_API = "GET_HLS_STREAMING_SESSION_URL"
SESSION_S = 3600
"""Lifetime asked for; the service allows 5 minutes to 12 hours."""
_RENEW_AT = 0.9
"""Share of its lifetime after which a session is replaced."""
_RECORDED, _NEWEST = 1000, 10
"""Fragments in a playlist of what is recorded, and of what comes in; the service allows 5,000 and advises 3 to 10."""
_DAY_S = 86_400.0
"""The longest span of a playlist of what is recorded."""
_LONGEST_RETENTION_S = 10 * 365 * _DAY_S
_MARGIN_S = 3600.0
"""How far the producer's clock may be from the server's where a server's time is all that is known of a place."""
_MAX_BYTES = 64 * 2**20
_NS = 10**9


class _AbsurdClockError(Exception):
    """The producer's clock cannot be right; the server's is to be asked for instead."""


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
        self._by = Clock.PRODUCER
        self._has_no_more = False
        self._empty_days = 0
        self._lag = Lag(self._options.max_lag_s, clock, self._reading, self._log)

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
        return (fragment for fragment in self.arrivals(start) if fragment is not None)

    def arrivals(self, start: Start) -> Iterator[Fragment | None]:
        """Yields what `fragments` does, and None when the next fragment is overdue.

        Raises:
            KvsError: As from `fragments`.
        """
        while not self._stopping.is_set():
            try:
                with closing(self._session(start)) as session:
                    for fragment in session:
                        yield fragment
                        if fragment is None:
                            continue
                        start = self._after(fragment)
                        if self._lag.calls_for_a_jump(fragment):
                            start = Start.now()
                            break
            except _AbsurdClockError as problem:
                self._log.warning("stream is read by the server's clock", problem=str(problem))
                self._by = Clock.SERVER
            except errors.KvsError as error:
                if self._stopping.is_set():
                    return
                self._recover(error)

    def _after(self, fragment: Fragment) -> Start:
        self._reading.took(fragment)
        self._backoff.reset()
        self._empty_days = 0
        return Start.at(fragment.start or 0.0, by_producer=self._by is Clock.PRODUCER, after=fragment.number)

    def _recover(self, error: errors.KvsError) -> None:
        """Pauses before the next try.

        Raises:
            KvsError: Trying again cannot help.
        """
        self._reading.failed(error)
        if error.lasting:
            raise error
        self._log.warning("stream reading failed, trying again", error=str(error))
        if isinstance(error, errors.ExpiredTokenError):
            self._account.renew()
        if isinstance(error, errors.EndpointExpiredError | errors.ConnectionBrokenError):
            self._account.forget_endpoint(self._stream, _API)
        self._stopping.wait(self._backoff.next())

    def _session(self, start: Start) -> Generator[Fragment | None, None, None]:
        """One session's fragments; it ends when another one has to be opened."""
        if start.begin is Begin.NOW or self._has_no_more:
            yield from self._live(start)
        else:
            yield from self._recorded(start)

    def _recorded(self, start: Start) -> Iterator[Fragment | None]:
        """What the record holds from a start on, as far as one playlist goes."""
        begin = self._beginning(start)
        url = None if begin is None else self._open_recorded(begin + self._empty_days * _DAY_S)
        with self._connected(url) as media_url:
            fresh = [segment for segment in self._listed(media_url) if start.is_before(segment.number)]
            for segment in fresh:
                if self._stopping.is_set():
                    return
                yield self._fragment(segment)
        if not fresh:
            self._empty_days += 1
            self._has_no_more = begin is None or begin + self._empty_days * _DAY_S > time.time()

    def _live(self, start: Start) -> Iterator[Fragment | None]:
        """What comes in, until it is time for the next session or something is missing from the playlist."""
        is_all, self._has_no_more, self._empty_days = self._has_no_more, False, 0
        by = {"FragmentSelectorType": f"{self._by.upper()}_TIMESTAMP"}
        url = self._open(PlaybackMode="LIVE", MaxMediaPlaylistFragmentResults=_NEWEST, HLSFragmentSelector=by)
        if url is None:
            yield None
            self._stopping.wait(self._options.idle_pause_s)
            return
        heard, longest = self._clock(), 1.0
        with self._connected(url) as media_url:
            until = self._clock() + SESSION_S * _RENEW_AT
            while not self._stopping.is_set() and self._clock() < until:
                listed = self._listed(media_url)
                fresh = [segment for segment in listed if start.is_before(segment.number)]
                if start.begin is Begin.NOW:
                    fresh = fresh[-1:]
                elif listed and len(fresh) == len(listed) and not is_all:
                    return  # the last known one is not in the list: the record may have more between
                is_all = False
                for segment in fresh:
                    start = Start.after(segment.number)
                    self._check_clock(segment)
                    yield self._fragment(segment)
                    if self._stopping.is_set():
                        return
                    heard, longest = self._clock(), max(1.0, segment.duration)
                if self._clock() - heard > 2 * longest:
                    yield None
                    heard = float("inf")
                pause = min((segment.duration for segment in listed), default=2.0) / 2
                self._stopping.wait(min(max(pause, 0.2), self._options.stall_s))

    @contextmanager
    def _connected(self, url: str | None) -> Iterator[str | None]:
        """A session's media playlist, while it is read; None where there is no session."""
        if url is None:
            yield None
            return
        self._maps.clear()
        media_url = media_playlist(url, self._get(url).decode())
        self._reading.connected()
        try:
            yield media_url
        finally:
            self._reading.ended()

    def _listed(self, media_url: str | None) -> list[Segment]:
        return [] if media_url is None else parse_playlist(media_url, self._get(media_url).decode())

    def _check_clock(self, segment: Segment) -> None:
        """Sees that what has just come in says that it is from just now; this machine's clock stands for the server's.

        Raises:
            _AbsurdClockError: It is further away than is allowed.
        """
        if self._by is Clock.PRODUCER and abs(time.time() - (segment.time or 0.0)) > self._options.max_skew_s:
            raise _AbsurdClockError(f"fragment {segment.number} came in now and says {segment.time}")

    def _beginning(self, start: Start) -> float | None:
        """When what is wanted of the record begins, in seconds since 1970; None when there is no record.

        Raises:
            KvsError: The service refused.
            _AbsurdClockError: What is recorded has times that cannot be.
        """
        if self._by is Clock.SERVER:
            # Of a place whose only time is the producer's, which is absurd, nothing is known but its number.
            return start.time if start.begin is Begin.AT_SERVER_TIME else time.time() - _DAY_S
        if start.begin is Begin.AT_SERVER_TIME:
            return start.time - _MARGIN_S
        if start.begin is Begin.AT_PRODUCER_TIME:
            return start.time
        # The record can only be asked for a day at a time, so its first fragment must be found first.
        all_ = {"FragmentSelectorType": "PRODUCER_TIMESTAMP", "TimestampRange": {"StartTimestamp": 1.0}}
        with self._connected(self._open(PlaybackMode="LIVE_REPLAY", HLSFragmentSelector=all_)) as media_url:
            first, now = next((segment.time for segment in self._listed(media_url)), None), time.time()
        if first is not None and not now - _LONGEST_RETENTION_S < first < now + self._options.max_skew_s:
            raise _AbsurdClockError(f"the first fragment says {first}")
        return first

    def _open_recorded(self, begin: float) -> str | None:
        """Opens a session over what is recorded, a day of it at most; see `_open`."""
        end = begin + _DAY_S
        if self._by is Clock.SERVER:
            end = min(end, time.time() - 1.0)  # the service wants it in the past
        if begin >= end:
            return None
        selector = {
            "FragmentSelectorType": f"{self._by.upper()}_TIMESTAMP",
            "TimestampRange": {"StartTimestamp": begin, "EndTimestamp": end},
        }
        return self._open(
            PlaybackMode="ON_DEMAND", MaxMediaPlaylistFragmentResults=_RECORDED, HLSFragmentSelector=selector
        )

    def _open(self, **wanted: Any) -> str | None:
        """Opens a session.

        Returns:
            Its address; None when there is no fragment for it (for a live one: of the last 30 seconds).

        Raises:
            KvsError: The service refused.
        """
        client = self._account.archive(self._stream, _API)  # which tells if there is no such stream
        try:
            with calling(f"GetHLSStreamingSessionURL of stream {self._stream!r}"):
                found = client.get_hls_streaming_session_url(
                    StreamName=self._stream,
                    ContainerFormat="FRAGMENTED_MP4",
                    DisplayFragmentTimestamp="ALWAYS",
                    DiscontinuityMode="ALWAYS",
                    Expires=SESSION_S,
                    **wanted,
                )
        except errors.StreamNotFoundError:
            return None
        return str(found["HLSStreamingSessionURL"])

    def _fragment(self, segment: Segment) -> Fragment:
        head = self._map(segment.map_url) if segment.map_url else b""
        media = self._get(segment.url)
        track, frames = demux(head + media)
        is_producers = self._by is Clock.PRODUCER
        producer, server = (segment.time, None) if is_producers else (None, segment.time)
        start, clock = trusted_start(producer, server)
        first = frames[0].timecode if frames else 0
        stamped = tuple(
            Frame(
                f.track, f.timecode, None if start is None else start + (f.timecode - first) / _NS, f.keyframe, f.data
            )
            for f in frames
        )
        return Fragment(
            number=segment.number,
            producer_time=producer,
            server_time=server,
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
