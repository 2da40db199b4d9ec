"""The PutMedia client: a producer that sends fragments, reads their acknowledgements, and sends again what was lost."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from inferfleet.streams.delivery.backoff import Backoff
from inferfleet.streams.kvs import writer
from inferfleet.streams.kvs.account import Account
from inferfleet.streams.kvs.errors import (
    ConnectionBrokenError,
    EndpointExpiredError,
    ExpiredTokenError,
    KvsError,
    StreamError,
)
from inferfleet.streams.kvs.fragments import Track
from inferfleet.streams.kvs.signed import SignedCall

_API = "PUT_MEDIA"
_PERSISTED = "PERSISTED"
_STALL_S = 60.0
_TRIES = 8
_RETRIED_IDS = frozenset((4000, 4003, 5000, 5001))
"""Errors that say nothing against the fragments: reading broke off, 45 minutes are over, the service failed."""


class RefusedFragmentError(StreamError):
    """The service does not take a fragment, and would not take it again."""

    lasting = True


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A fragment to send.

    Attributes:
        timecode: Of its Cluster, in milliseconds since 1970.
        data: The Cluster, and what else belongs to the fragment.
    """

    timecode: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement.

    Attributes:
        event: BUFFERING, RECEIVED, PERSISTED, ERROR or IDLE.
        timecode: Of the fragment, in milliseconds; None where it is about none.
        number: The fragment's number.
        error_id: For ERROR: which; 0 otherwise.
        error_code: For ERROR: the service's words.
    """

    event: str
    timecode: int | None = None
    number: str = ""
    error_id: int = 0
    error_code: str = ""


@dataclass(slots=True)
class Sent:
    """What a producer has done so far.

    Attributes:
        fragments: Fragments that the service has persisted.
        bytes: Their bytes.
        reconnects: How often the connection had to be made again.
        last_number: The newest persisted fragment's number.
    """

    fragments: int = 0
    bytes: int = 0
    reconnects: int = 0
    last_number: str = ""


@dataclass(slots=True)
class Producer:
    """Sends one stream's fragments.

    Attributes:
        account: Whose stream it is.
        stream: Its name.
        tracks: The tracks of all fragments.
        on_ack: Told each acknowledgement.
        sleep: Waits some seconds before another try.
    """

    account: Account
    stream: str
    tracks: tuple[Track, ...]
    on_ack: Callable[[Ack], None] = lambda ack: None
    sleep: Callable[[float], None] = time.sleep
    sent: Sent = field(default_factory=Sent)
    _waiting: deque[Outgoing] = field(default_factory=deque)

    def put(self, fragments: Iterable[Outgoing]) -> Sent:
        """Sends fragments until there are no more and all are persisted.

        What was sent but not persisted when a connection breaks is sent again on the next.

        Raises:
            KvsError: The service refuses for good, or nothing gets through any more.
        """
        source = iter(fragments)
        backoff, failures = Backoff(first=0.5), 0
        while True:
            before = self.sent.fragments
            try:
                self._connect_and_send(source)
            except KvsError as error:
                failures = 1 if self.sent.fragments > before else failures + 1
                if error.lasting or failures >= _TRIES:
                    raise
                self._prepare_retry(error)
                if failures == 1:
                    backoff.reset()
                self.sleep(backoff.next())
                self.sent.reconnects += 1
            else:
                return self.sent

    def _prepare_retry(self, error: KvsError) -> None:
        if isinstance(error, ExpiredTokenError):
            self.account.renew()
        if isinstance(error, EndpointExpiredError | ConnectionBrokenError):
            self.account.forget_endpoint(self.stream, _API)

    def _connect_and_send(self, source: Iterable[Outgoing]) -> None:
        url = self.account.endpoint(self.stream, _API) + "/putMedia"
        call = SignedCall(f"PutMedia on stream {self.stream!r}", url, _STALL_S)
        headers = {
            "x-amzn-stream-name": self.stream,
            "x-amzn-fragment-timecode-type": "ABSOLUTE",
            "x-amzn-producer-start-timestamp": f"{time.time():.3f}",
            "x-amzn-fragment-acknowledgment-required": "1",
        }
        answers = _Answers(call)
        try:
            call.open(self.account.credentials(), self.account.region, headers)
            answers.start()
            self._send(call, answers, source)
        except ConnectionBrokenError:
            # What the service said before it hung up tells more than that it did.
            call.interrupt()
            answers.join()
            with suppress(ConnectionBrokenError):
                for ack in answers.take():
                    self._note(ack)
            raise
        finally:
            call.interrupt()
            answers.join()
            call.close()

    def _send(self, call: SignedCall, answers: _Answers, source: Iterable[Outgoing]) -> None:
        call.send(writer.header(self.tracks))
        for fragment in tuple(self._waiting):
            call.send(fragment.data)
        for fragment in source:
            self._waiting.append(fragment)
            call.send(fragment.data)
            for ack in answers.take():
                self._note(ack)
        call.send(b"")
        for ack in answers.take(until_end=True):
            self._note(ack)
        if self._waiting:
            raise ConnectionBrokenError(
                f"PutMedia on stream {self.stream!r}: {len(self._waiting)} fragments unacknowledged"
            )

    def _note(self, ack: Ack) -> None:
        self.on_ack(ack)
        if ack.error_id:
            error = StreamError if ack.error_id in _RETRIED_IDS else RefusedFragmentError
            raise error(ack.error_id, ack.error_code)
        if ack.event != _PERSISTED or ack.timecode is None:
            return
        self.sent.last_number = ack.number
        while self._waiting and self._waiting[0].timecode <= ack.timecode:
            self.sent.fragments += 1
            self.sent.bytes += len(self._waiting.popleft().data)


class _Answers:
    """Reads acknowledgements in a thread of its own while the producer sends."""

    def __init__(self, call: SignedCall) -> None:
        self._call = call
        self._queue: SimpleQueue[Ack | KvsError | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="kvs-acks", daemon=True)

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def join(self) -> None:
        """Waits for the thread, whose connection has been broken."""
        if self._thread.ident is not None:
            self._thread.join()

    def take(self, *, until_end: bool = False) -> Iterable[Ack]:
        """The acknowledgements that have come, or all until the answer ends.

        Raises:
            KvsError: The call was refused or the connection broke.
        """
        while True:
            try:
                found = self._queue.get(block=until_end)
            except Empty:
                return
            if found is None:
                return
            if isinstance(found, KvsError):
                raise found
            yield found

    def _run(self) -> None:
        rest = b""
        try:
            self._call.answer()
            while piece := self._call.read():
                *lines, rest = (rest + piece).split(b"\n")
                for line in filter(None, map(bytes.strip, lines)):
                    self._queue.put(parse_ack(line))
            self._queue.put(None)
        except KvsError as error:
            self._queue.put(error)


def parse_ack(line: bytes) -> Ack:
    """Reads an acknowledgement.

    Raises:
        ConnectionBrokenError: The line is no acknowledgement.
    """
    try:
        found = json.loads(line)
        timecode = found.get("FragmentTimecode")
        return Ack(
            event=str(found["EventType"]),
            timecode=None if timecode is None else int(timecode),
            number=str(found.get("FragmentNumber", "")),
            error_id=int(found.get("ErrorId", 0)),
            error_code=str(found.get("ErrorCode", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConnectionBrokenError(f"PutMedia: {line[:80]!r} is no acknowledgement") from error
