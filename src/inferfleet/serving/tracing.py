"""Spans for OpenTelemetry, where the user wants them: one a request, with what it waited and worked as attributes.

Without the extra nothing of OpenTelemetry is imported, and tracing costs nothing.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self

from inferfleet.errors import InputError
from inferfleet.serving.exchange import Exchange

_SERVER_ERROR = 500


class Span(Protocol):
    """One request's span."""

    def __enter__(self) -> Span:
        """Begins it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it."""

    def end(self, exchange: Exchange, status: int) -> None:
        """Adds what is known when the answer is there."""


class Tracer(Protocol):
    """Makes the spans."""

    def request(self, exchange: Exchange) -> Span:
        """Makes the span of a request, as a child of the client's if it sent a `traceparent`."""

    def stop(self) -> None:
        """Sends what has not been sent."""


class _Nothing:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def end(self, exchange: Exchange, status: int) -> None: ...


class NoTracer:
    """Traces nothing."""

    _nothing = _Nothing()

    def request(self, _: Exchange) -> Span:
        """Returns the span that does nothing."""
        return self._nothing

    def stop(self) -> None:
        """Has nothing to send."""


class OtlpTracer:
    """Sends spans by OTLP over HTTP, to where OpenTelemetry's own variables say."""

    def __init__(self, exporter: Any = None) -> None:
        """Sets up the exporter; `exporter` replaces OTLP's.

        Raises:
            InputError: The packages are missing.
        """
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            if exporter is None:
                from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

                exporter = OTLPSpanExporter()
        except ImportError as error:
            raise InputError("traces: otlp needs OpenTelemetry; install `inferfleet[otel]`") from error
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, where they are set, win over what is given here.
        self._provider = TracerProvider(resource=Resource({"service.name": "inferfleet"}).merge(Resource.create()))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("inferfleet.serving")

    def request(self, exchange: Exchange) -> Span:
        """Makes the span of a request."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {name: exchange.header(name.encode()) for name in ("traceparent", "tracestate")}
        context = TraceContextTextMapPropagator().extract(carrier) if carrier["traceparent"] else None
        scope = exchange.scope
        span = self._tracer.start_span(
            scope["method"],
            context=context,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
        )
        return _OtelSpan(span)

    def stop(self) -> None:
        """Sends what has not been sent, for a few seconds at most."""
        self._provider.force_flush(3000)
        self._provider.shutdown()


class _OtelSpan:
    def __init__(self, span: Any) -> None:
        self._span = span

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._span.end()

    def end(self, exchange: Exchange, status: int) -> None:
        """Adds status, model and times."""
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("inferfleet.request_id", exchange.request_id)
        if exchange.model:
            self._span.update_name(f"{exchange.scope['method']} {exchange.model}")
            self._span.set_attribute("inferfleet.model", exchange.model)
            self._span.set_attribute("inferfleet.pictures", exchange.pictures)
            self._span.set_attribute("inferfleet.queue_seconds", exchange.queued)
            self._span.set_attribute("inferfleet.batch_seconds", exchange.worked)
        if status >= _SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)


def make_tracer(kind: str) -> Tracer:
    """Makes the tracer that the configuration names: `off` or `otlp`."""
    return OtlpTracer() if kind == "otlp" else NoTracer()
