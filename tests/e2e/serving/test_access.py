"""API keys, origins, and spans that leave the process."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.serving.process import DEADLINE, ServerProcess
from tests.e2e.serving.raw import BODY

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    access = {"api_keys": {"team-a": hashlib.sha256(KEY.encode()).hexdigest()}, "cors_origins": ["https://a.example"]}
    with ServerProcess(
        tmp_path_factory.mktemp("g"), {"models": {"m": "none"}, "access": access}, fake=0.001
    ) as process:
        yield process.ready()


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}]
)
def test_without_a_key_nothing_is_answered(guarded: ServerProcess, headers: dict[str, str]) -> None:
    with guarded.client() as client:
        for path in ("/predict", "/v1/models/m/predict", "/v2/models/m/infer"):
            response = client.post(path, content=BODY, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
def test_with_a_key_it_is(guarded: ServerProcess, headers: dict[str, str]) -> None:
    with guarded.client() as client:
        assert client.post("/predict", content=BODY, headers=headers).status_code == 200


def test_probes_need_no_key(guarded: ServerProcess) -> None:
    with guarded.client() as client:
        assert {client.get(path).status_code for path in ("/health", "/ready", "/metrics", "/version")} == {200}


def test_pages_of_a_known_origin_may_call_it(guarded: ServerProcess) -> None:
    with guarded.client() as client:
        preflight = client.options("/predict", headers={"Origin": "https://a.example"})
        stranger = client.options("/predict", headers={"Origin": "https://b.example"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert "x-api-key" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in stranger.headers


class _Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans as an OpenTelemetry collector does."""

    bodies: list[bytes]
    came: threading.Event

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()
        self.came.set()

    def log_message(self, *_: object) -> None: ...


def test_spans_reach_a_collector_under_the_clients_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    handler = type("Handler", (_Collector,), {"bodies": [], "came": threading.Event()})
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    config = {"models": {"m": "none"}, "traces": "otlp", "drain": {"delay": 0}}
    with ServerProcess(tmp_path, config, fake=0.001) as server, server.ready().client() as client:
        client.post("/predict", content=BODY, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        assert handler.came.wait(DEADLINE)
    collector.shutdown()
    request = ExportTraceServiceRequest.FromString(handler.bodies[0])
    span = request.resource_spans[0].scope_spans[0].spans[0]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, "00f067aa0ba902b7")
    assert {one.key for one in span.attributes} >= {"http.response.status_code", "inferfleet.model"}
