"""Faults on demand: what they are called, what they hit, and when they are due.

Written as `kind:key=value,…`, on the command line (`--fault`) and over HTTP alike:

    cut:after=30s               break the connection, as a network does (also after=2MB, after=3f for fragments)
    end:after=45m               end the body properly, as the service does after about 45 minutes
    stall:after=10s             keep the connection open and send nothing more
    slow:rate=50KB              send at most so many bytes a second
    error:id=5000,after=2f      error tags inside the body, then its end
    truncate:after=1f           leave out the second half of a fragment, then go on
    throttle:call=GetMedia      ClientLimitExceededException
    busy                        ConnectionLimitExceededException
    expired-endpoint            InvalidEndpointException until the endpoint is asked for again
    expired-token               ExpiredTokenException, 403
    broken                      500 InternalFailure

Each may say `stream=NAME`, `call=NAME` and `times=N` (once unless said otherwise; `times=0` for ever).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from inferfleet.errors import InputError

_SPEC = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[A-Za-z]*)")
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}
_BYTES = {"B": 1, "": 1, "KB": 1000, "MB": 1_000_000, "KiB": 1024, "MiB": 2**20}
_FRAGMENTS = "f"


class Kind(StrEnum):
    """What a fault does."""

    CUT = "cut"
    END = "end"
    STALL = "stall"
    SLOW = "slow"
    ERROR = "error"
    TRUNCATE = "truncate"
    THROTTLE = "throttle"
    BUSY = "busy"
    EXPIRED_ENDPOINT = "expired-endpoint"
    EXPIRED_TOKEN = "expired-token"
    BROKEN = "broken"

    @property
    def is_refusal(self) -> bool:
        """Whether the call is answered with an error at once, rather than its body bent."""
        return self in _REFUSALS


_REFUSALS = {Kind.THROTTLE, Kind.BUSY, Kind.EXPIRED_ENDPOINT, Kind.EXPIRED_TOKEN, Kind.BROKEN}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a body has come.

    Attributes:
        seconds: Since its beginning.
        bytes: Sent so far.
        fragments: Sent in full so far.
    """

    seconds: float = 0.0
    bytes: int = 0
    fragments: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that waits for its moment.

    Attributes:
        kind: What it does.
        stream: Only to this stream; to any when None.
        call: Only in this call, such as GetMedia; in any when None.
        seconds: Due so long after a body began.
        bytes: Due after so many bytes of a body.
        fragments: Due after so many fragments of a body.
        times: How often it happens; 0 for ever.
        rate: Bytes a second, for `slow`.
        id: Error id, for `error`.
    """

    kind: Kind
    stream: str | None = None
    call: str | None = None
    seconds: float = 0.0
    bytes: int = 0
    fragments: int = 0
    times: int = 1
    rate: float = 0.0
    id: int = 5000

    def hits(self, call: str, stream: str | None) -> bool:
        """Whether it concerns a call on a stream."""
        return self.call in (None, call) and self.stream in (None, stream)

    def is_due(self, progress: Progress) -> bool:
        """Whether a body has come far enough for it."""
        far_enough = progress.bytes >= self.bytes and progress.fragments >= self.fragments
        return far_enough and progress.seconds >= self.seconds


def parse(spec: str) -> Fault:
    """Reads a fault as a person writes it.

    Raises:
        InputError: It names a kind or a key that there is not, or a value that is none.
    """
    name, _, rest = spec.partition(":")
    try:
        kind = Kind(name.strip())
    except ValueError:
        raise InputError(f"fault {spec!r}: there is no {name!r}; there are: {', '.join(Kind)}") from None
    fault = Fault(kind)
    for pair in filter(None, (part.strip() for part in rest.split(","))):
        key, separator, value = pair.partition("=")
        if not separator:
            raise InputError(f"fault {spec!r}: {pair!r} is not key=value")
        fault = _with(fault, key, value, spec)
    if kind is Kind.SLOW and not fault.rate:
        raise InputError(f"fault {spec!r}: slow needs a rate, such as slow:rate=50KB")
    return fault


def _with(fault: Fault, key: str, value: str, spec: str) -> Fault:
    if key in ("stream", "call"):
        return replace(fault, stream=value) if key == "stream" else replace(fault, call=value)
    match = _SPEC.fullmatch(value)
    if not match:
        raise InputError(f"fault {spec!r}: {key}={value!r} is not a number with a unit, such as 30s, 2MB or 3f")
    number, unit = float(match["number"]), match["unit"]
    if key == "after" and unit == _FRAGMENTS:
        return replace(fault, fragments=int(number))
    if key == "after" and unit in _SECONDS:
        return replace(fault, seconds=number * _SECONDS[unit])
    if key == "after" and unit in _BYTES:
        return replace(fault, bytes=int(number * _BYTES[unit]))
    if key == "rate" and unit in _BYTES:
        return replace(fault, rate=number * _BYTES[unit])
    if key in ("times", "id") and not unit:
        return replace(fault, times=int(number)) if key == "times" else replace(fault, id=int(number))
    raise InputError(f"fault {spec!r}: cannot read {key}={value}; keys: after, rate, id, times, stream, call")


class Faults:
    """The faults that wait, by a number that names each."""

    def __init__(self) -> None:
        self._waiting: dict[int, Fault] = {}
        self._numbers = itertools.count(1)
        self.injected: dict[str, int] = {}

    def add(self, fault: Fault) -> int:
        """Adds one.

        Returns:
            Its number.
        """
        number = next(self._numbers)
        self._waiting[number] = fault
        return number

    def clear(self) -> None:
        """Removes all."""
        self._waiting.clear()

    @property
    def waiting(self) -> dict[int, Fault]:
        """Those that have not happened often enough yet."""
        return dict(self._waiting)

    def refusal(self, call: str, stream: str | None) -> Fault | None:
        """Takes the next fault that refuses a call."""
        return self._take(lambda fault: fault.kind.is_refusal and fault.hits(call, stream))

    def due(self, call: str, stream: str, progress: Progress) -> Fault | None:
        """Takes the next fault that bends a body now."""
        return self._take(
            lambda fault: not fault.kind.is_refusal and fault.hits(call, stream) and fault.is_due(progress)
        )

    def _take(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        for number, fault in self._waiting.items():
            if wanted(fault):
                if fault.times == 1:
                    del self._waiting[number]
                elif fault.times:
                    self._waiting[number] = replace(fault, times=fault.times - 1)
                self.injected[fault.kind] = self.injected.get(fault.kind, 0) + 1
                return fault
        return None
