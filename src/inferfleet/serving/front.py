"""What every request passes through: errors become problems, answers get headers, all is counted and logged."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from inferfleet.serving.accesslog import AccessLog, Line
from inferfleet.serving.exchange import Exchange
from inferfleet.serving.metrics import Metrics
from inferfleet.serving.problems import ClientGone, Problem
from inferfleet.serving.response import Header, Response
from inferfleet.serving.routing import Routes
from inferfleet.serving.tracing import Tracer

_log = structlog.get_logger(__name__)

_CLIENT_GONE = 499
"""What nginx logs for a client that went away; no response is sent."""
_ALLOWED_HEADERS = b"authorization, content-type, traceparent, x-api-key, x-request-id, x-request-timeout"


class Front:
    """The ASGI application over a table of routes."""

    def __init__(
        self,
        routes: Routes,
        metrics: Metrics,
        *,
        tracer: Tracer,
        log: AccessLog | None = None,
        cors_origins: tuple[str, ...] = (),
        closing: Callable[[], bool] = lambda: False,
    ) -> None:
        """Takes the routes; while `closing` is true, answers ask the client to use another connection."""
        self._routes = routes
        self._metrics = metrics
        self._tracer = tracer
        self._access_log = log
        self._origins = frozenset(origin.encode() for origin in cors_origins)
        self._closing = closing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive)
        problem = ""
        with self._tracer.request(exchange) as span:
            try:
                response = await self._answer(exchange)
            except ClientGone:
                response = Response(b"", _CLIENT_GONE)
            except Problem as error:
                problem = error.kind
                response = error.response(exchange.request_id)
            except Exception:
                problem = "internal"
                _log.exception("a request failed", path=scope["path"], request_id=exchange.request_id)
                response = Problem("internal", "the server failed; its log says why").response(exchange.request_id)
            span.end(exchange, response.status)
        if response.status != _CLIENT_GONE:
            await send(
                {"type": "http.response.start", "status": response.status, "headers": self._headers(exchange, response)}
            )
            await send({"type": "http.response.body", "body": response.body})
        self._account(exchange, response.status, problem)

    async def _answer(self, exchange: Exchange) -> Response:
        if exchange.scope["method"] == "OPTIONS" and self._origins:
            return Response(b"", 204)
        return await self._routes.find(exchange)(exchange)

    def _headers(self, exchange: Exchange, response: Response) -> list[Header]:
        headers = [
            (b"content-type", response.content_type),
            (b"content-length", str(len(response.body)).encode()),
            (b"x-request-id", exchange.request_id.encode()),
            *response.headers,
        ]
        if self._closing():
            headers.append((b"connection", b"close"))
        if self._origins:
            headers += self._cors(exchange)
        return headers

    def _cors(self, exchange: Exchange) -> list[Header]:
        origin = exchange.headers.get(b"origin", b"")
        if b"*" not in self._origins and origin not in self._origins:
            return [(b"vary", b"origin")]
        return [
            (b"access-control-allow-origin", b"*" if b"*" in self._origins else origin),
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-expose-headers", b"retry-after, x-request-id"),
            (b"access-control-max-age", b"600"),
            (b"vary", b"origin"),
        ]

    def _account(self, exchange: Exchange, status: int, problem: str) -> None:
        seconds = time.monotonic() - exchange.arrived
        if exchange.model:
            self._metrics.answered(exchange.model, str(status), seconds)
            if problem:
                self._metrics.failed(exchange.model, problem)
        if self._access_log is None:
            return
        scope = exchange.scope
        client = scope.get("client")
        trace = exchange.trace()
        self._access_log.write(
            Line(
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=round(seconds, 6),
                request_id=exchange.request_id,
                timestamp=datetime.now(UTC),
                client=client[0] if client else "",
                forwarded_for=exchange.header(b"x-forwarded-for"),
                trace_id=trace[0] if trace else "",
                model=exchange.model,
                pictures=exchange.pictures,
                queued=round(exchange.queued, 6),
                worked=round(exchange.worked, 6),
                problem=problem,
            )
        )
