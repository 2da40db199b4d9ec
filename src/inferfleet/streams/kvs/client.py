"""The GetMedia client: one stream's fragments, for as long as anybody wants them, whatever the service does.

Connections end after about 45 minutes, endpoints and tokens expire, producers pause, calls are throttled, a fourth
reader is refused, bodies carry errors or break. All of that is normal life here: the client connects again, with a
pause that grows and varies, and goes on right after the last fragment that it handed out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import msgspec
import structlog

from inferfleet.streams.delivery.backoff import Backoff
from inferfleet.streams.kvs import errors
from inferfleet.streams.kvs.account import Account
from inferfleet.streams.kvs.fragments import MAX_SKEW_S, Fragment
from inferfleet.streams.kvs.lag import Lag
from inferfleet.streams.kvs.matroska import MatroskaReader
from inferfleet.streams.kvs.progress import Progress, Reading
from inferfleet.streams.kvs.selector import Begin, Start
from inferfleet.streams.kvs.signed import SignedCall

_API = "GET_MEDIA"
_CHUNK = 64 * 1024
_MAX_SAME_PLACE = 3
"""So often the same fragment may be damaged before it is given up, so that it does not hold up all others."""
_SLOWEST_S = 60.0
_BETWEEN_CALLS_S = 0.25
"""Least pause between two calls: the service allows a stream five a second."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a stream is read.

    Attributes:
        stall_s: Seconds without a byte after which the connection is made anew. The service ends idle bodies by itself
            after a few seconds; this is for connections that are dead.
        max_lag_s: A live camera further behind than this jumps to now; None never jumps.
        max_skew_s: See `fragments.trusted_start`.
        idle_pause_s: Pause after a body without a fragment, as the producer has paused.
        first_pause_s: Upper bound of the first pause after a failure.
    """

    stall_s: float = 30.0
    max_lag_s: float | None = None
    max_skew_s: float = MAX_SKEW_S
    idle_pause_s: float = 1.0
    first_pause_s: float = 0.5


class MediaClient:
    """Reads one stream. One thread takes `fragments`; any thread may `interrupt` it or look at `progress`."""

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
        self._log = structlog.get_logger().bind(stream=stream)
        self._backoff = Backoff(first=self._options.first_pause_s, most=_SLOWEST_S)
        self._stopping = threading.Event()
        self._call: SignedCall | None = None
        self._reading = Reading()
        self._same_place = 0
        self._lag = Lag(self._options.max_lag_s, clock, self._reading, self._log)

    @property
    def progress(self) -> Progress:
        """What is known now."""
        return self._reading.progress

    def interrupt(self) -> None:
        """Ends `fragments` soon, also while it waits. Thread-safe, and final."""
        self._stopping.set()
        call = self._call
        if call is not None:
            call.interrupt()

    def fragments(self, start: Start) -> Iterator[Fragment]:
        """Yields complete fragments until interrupted, each once, in order, from a start on.

        A fragment counts as processed when the next one is asked for; after a failure reading goes on behind it.

        Raises:
            KvsError: Only what trying again cannot help: a missing stream or permission, no credentials.
        """
        return (fragment for fragment in self.arrivals(start) if fragment is not None)

    def arrivals(self, start: Start) -> Iterator[Fragment | None]:
        """Yields what `fragments` does, and None whenever a body has ended and nobody knows when the next one comes.

        Raises:
            KvsError: As from `fragments`.
        """
        while not self._stopping.is_set():
            before, failure = self.progress.fragments, None
            try:
                with closing(self._call_for(start)) as call:
                    start = _since(start, call.date)
                    for fragment in self._read(call, start):
                        yield fragment
                        start = self._after(fragment, start)
                        if self._lag.calls_for_a_jump(fragment):
                            start = Start.now()
                            break
            except errors.KvsError as error:
                failure = error
            finally:
                self._call = None
                self._reading.ended()
            progressed = self.progress.fragments > before
            if self._stopping.is_set():
                return
            yield None
            if failure is not None:
                start = self._recover(failure, start, progressed=progressed)
            else:
                self._stopping.wait(_BETWEEN_CALLS_S if progressed else self._options.idle_pause_s)

    def _call_for(self, start: Start) -> SignedCall:
        """Opens a body.

        Raises:
            KvsError: It was refused, or the connection broke.
        """
        url = self._account.endpoint(self._stream, _API) + "/getMedia"
        call = self._call = SignedCall(f"GetMedia on stream {self._stream!r}", url, self._options.stall_s)
        if self._stopping.is_set():
            call.interrupt()
        body = msgspec.json.encode({"StreamName": self._stream, "StartSelector": start.selector()})
        try:
            call.open(self._account.credentials(), self._account.region, {"Content-Type": "application/json"}, body)
            call.answer()
        except errors.KvsError:
            call.close()
            raise
        self._reading.connected()
        return call

    def _read(self, call: SignedCall, start: Start) -> Iterator[Fragment]:
        """A body's fragments, without those that are known already.

        Raises:
            KvsError: The connection broke or stalled, or the body carried an error or damage.
        """
        reader = MatroskaReader(max_skew=self._options.max_skew_s)
        while not self._stopping.is_set() and (chunk := call.read(_CHUNK)):
            for item in reader.feed(chunk):
                if isinstance(item, Fragment):
                    if start.is_before(item.number):
                        yield item
                elif isinstance(item, errors.DamageError) and self._same_place >= _MAX_SAME_PLACE:
                    self._same_place = 0
                    self._reading.lost()
                    self._log.error("fragment stays damaged and is left out", error=str(item))
                else:
                    raise item

    def _after(self, fragment: Fragment, start: Start) -> Start:
        self._reading.took(fragment)
        self._backoff.reset()
        self._same_place = 0
        return Start.after(fragment.number) if fragment.number else start

    def _recover(self, error: errors.KvsError, start: Start, *, progressed: bool) -> Start:
        """Decides what a failure means for the next try, and pauses.

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
        if isinstance(error, errors.FragmentGoneError):
            # Retention has removed what comes next: the oldest that is left is the nearest to it.
            self._reading.lost()
            start = Start.earliest(start.number)
        if isinstance(error, errors.DamageError):
            self._same_place = 1 if progressed else self._same_place + 1
        self._stopping.wait(self._backoff.next())
        return start


def _since(start: Start, connected: float | None) -> Start:
    """Makes "now" a time once it has begun, so that connecting again before the first fragment leaves no gap."""
    return Start.at(connected) if start.begin is Begin.NOW and connected is not None else start
