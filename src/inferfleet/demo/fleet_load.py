"""Requests against a fleet, at a steady rate, and a record of every one that was not answered as it should be."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from types import TracebackType

_TIMEOUT_S = 30.0
_KEPT = 5


@dataclass
class Load:
    """Sends the same request again and again while it is open.

    Attributes:
        url: Where to.
        body: A picture.
        rate: Requests a second.
        threads: How many send.
        sent: Requests that were answered, in whatever way.
        failed: Those of them that were not answered with 200.
        examples: The first failures, in words.
    """

    url: str
    body: bytes
    rate: float
    threads: int = 4
    sent: int = 0
    failed: int = 0
    examples: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._running: list[threading.Thread] = []

    def __enter__(self) -> Load:
        """Begins to send."""
        for number in range(self.threads):
            thread = threading.Thread(target=self._send, args=(number,), name=f"load-{number}", daemon=True)
            thread.start()
            self._running.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Sends no more; what is open is waited for."""
        self._over.set()
        for thread in self._running:
            thread.join(_TIMEOUT_S)

    def _send(self, number: int) -> None:
        pause = self.threads / self.rate
        due = time.monotonic() + number / self.rate
        while not self._over.wait(max(0.0, due - time.monotonic())):
            failure = post(self.url, self.body)[1]
            with self._lock:
                self.sent += 1
                if failure:
                    self.failed += 1
                    if len(self.examples) < _KEPT:
                        self.examples.append(failure)
            # A late answer delays the requests after it; they are not sent in a burst, as no client would.
            due = max(due + pause, time.monotonic())


def post(url: str, body: bytes) -> tuple[bytes, str]:
    """Sends a picture; the answer, and what was wrong with it: empty for an answer with 200."""
    request = urllib.request.Request(url, body, {"Content-Type": "image/jpeg"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            return answer.read(), "" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return b"", f"status {error.code}: {error.read()[:200].decode(errors='replace')}"
    except OSError as error:
        return b"", f"no answer: {error}"
