"""What all handlers of one emulator share, and the checks that every call passes first."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from inferfleet.localcloud.kvs import signatures
from inferfleet.localcloud.kvs.errors import ServiceError, invalid, throttled, too_many_connections
from inferfleet.localcloud.kvs.faults import Fault, Faults, Kind
from inferfleet.localcloud.kvs.limits import Limits, Rates
from inferfleet.localcloud.kvs.store import Store, Stream


@dataclass
class Emulator:
    """One emulated account in one region.

    Attributes:
        store: The streams.
        limits: The quotas.
        faults: Faults that wait to happen.
        rates: Calls of the last second.
        endpoints: Path prefixes of data endpoints that are valid.
        sessions: HLS sessions by their token.
        secrets: The secret of each access key id whose signatures are verified.
    """

    store: Store
    limits: Limits = field(default_factory=Limits)
    faults: Faults = field(default_factory=Faults)
    rates: Rates = field(default_factory=Rates)
    endpoints: set[str] = field(default_factory=set)
    sessions: dict[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=lambda: signatures.DEFAULT_SECRETS)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def new_endpoint(self) -> str:
        """A fresh path prefix of a data endpoint."""
        prefix = f"s-{next(self._numbers):08x}"
        self.endpoints.add(prefix)
        return prefix

    def check_signed(self, request: Request, body: bytes = b"") -> None:
        """Sees that a call is signed; see `signatures.check`."""
        signatures.check(request, body, self.secrets)

    async def parameters(self, request: Request) -> dict[str, Any]:
        """The parameters of a call in JSON, after the checks that concern no stream.

        Raises:
            ServiceError: It is not signed as it must be, or is not JSON.
        """
        body = await request.body()
        self.check_signed(request, body)
        try:
            found = await request.json() if body else {}
        except ValueError:
            raise ServiceError("SerializationException", "The body is not JSON.") from None
        if not isinstance(found, dict):
            raise invalid("The body is not a JSON object.")
        return found

    def admit(self, call: str, stream: Stream, request: Request) -> None:
        """Lets a call on a data endpoint pass, or refuses it.

        Raises:
            ServiceError: A fault is due, the endpoint is not valid (any more), or the rate is exceeded.
        """
        fault = self.faults.refusal(call, stream.name)
        if fault is not None:
            raise self._refusal(fault)
        endpoint = request.path_params.get("endpoint")
        if endpoint is not None and endpoint not in self.endpoints:
            raise _invalid_endpoint()
        limit = {"GetMedia": self.limits.get_media_a_second, "PutMedia": self.limits.put_media_a_second}.get(call)
        if limit and not self.rates.allow(call, stream.name, limit):
            raise throttled()

    def refuse(self, call: str, stream: str | None) -> None:
        """Refuses a call of the control plane when a fault says so.

        Raises:
            ServiceError: A fault is due.
        """
        fault = self.faults.refusal(call, stream)
        if fault is not None:
            raise self._refusal(fault)

    def _refusal(self, fault: Fault) -> ServiceError:
        if fault.kind is Kind.EXPIRED_ENDPOINT:
            self.endpoints.clear()
            return _invalid_endpoint()
        if fault.kind is Kind.EXPIRED_TOKEN:
            return ServiceError("ExpiredTokenException", "The security token included in the request is expired", 403)
        if fault.kind is Kind.BUSY:
            return too_many_connections(self.limits.readers)
        if fault.kind is Kind.BROKEN:
            return ServiceError("InternalFailure", "The request processing has failed.", 500)
        return throttled()


def _invalid_endpoint() -> ServiceError:
    message = "The endpoint is not valid for the stream; call GetDataEndpoint again."
    return ServiceError("InvalidEndpointException", message)
