"""A Grafana dashboard and Prometheus alerts for the metrics that workers and servers export.

`docs/metrics.md` and `docs/serving.md` list these metrics. GPUs are told of by NVIDIA's DCGM exporter, where it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inferfleet.deploy.resolve import ResolvedFleet

_COLUMNS = 24
_HEIGHT = 8
_SCHEMA = 41
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph.

    Attributes:
        title: What it shows.
        unit: Unit of its values, as Grafana names it.
        lines: PromQL and the legend of each of its lines.
    """

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]


def _quantile(share: float, histogram: str, by: str, selector: str) -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"


def _rate(counter: str, by: str, selector: str) -> str:
    return f"sum by ({by}) (rate({counter}{{{selector}}}[$__rate_interval]))"


_CAMERA = 'camera=~"$camera"'
_MODEL = 'model=~"$model"'

CAMERAS = (
    Panel(
        "Cameras by state",
        "short",
        ((f"sum by (state) (inferfleet_camera_state{{{_CAMERA}}})", "{{state}}"),),
    ),
    Panel(
        "Seconds since the last frame",
        "s",
        ((f"time() - inferfleet_camera_last_frame_timestamp_seconds{{{_CAMERA}}}", "{{camera}}"),),
    ),
    Panel("Frames analysed", "ops", ((_rate("inferfleet_frames_total", "camera", _CAMERA), "{{camera}}"),)),
    Panel(
        "Frames not analysed",
        "ops",
        (
            (_rate("inferfleet_frames_dropped_total", "camera, reason", _CAMERA), "{{camera}} {{reason}}"),
            (_rate("inferfleet_frames_displaced_total", "camera", _CAMERA), "{{camera}} displaced"),
        ),
    ),
    Panel(
        "From decoding to the end of analysis",
        "s",
        ((_quantile(0.95, "inferfleet_frame_latency_seconds", "camera", _CAMERA), "{{camera}} p95"),),
    ),
    Panel(
        "Behind the source",
        "s",
        ((f"inferfleet_camera_behind_seconds{{{_CAMERA}}}", "{{camera}}"),),
    ),
    Panel("Events", "ops", ((_rate("inferfleet_events_total", "camera, type", _CAMERA), "{{camera}} {{type}}"),)),
    Panel(
        "Sources opened again",
        "short",
        ((f"increase(inferfleet_camera_reconnects_total{{{_CAMERA}}}[$__rate_interval])", "{{camera}}"),),
    ),
)
"""What workers tell of their cameras."""

DELIVERY = (
    Panel("Events that wait", "short", (("sum by (sink) (inferfleet_sink_backlog_events)", "{{sink}}"),)),
    Panel("How long the oldest waits", "s", (("max by (sink) (inferfleet_sink_lag_seconds)", "{{sink}}"),)),
    Panel(
        "Delivered and failed",
        "ops",
        (
            (_rate("inferfleet_sink_delivered_total", "sink", ""), "{{sink}}"),
            (_rate("inferfleet_sink_failures_total", "sink", ""), "{{sink}} failed"),
        ),
    ),
    Panel(
        "Spool; cameras held",
        "short",
        (
            ("sum(inferfleet_spool_bytes)", "spool bytes"),
            ("sum by (instance) (inferfleet_leases_held)", "{{instance}}"),
        ),
    ),
)
"""What workers tell of their sinks."""

MODELS = (
    Panel(
        "Inference, one batch",
        "s",
        ((_quantile(0.95, "inferfleet_inference_seconds", "model", _MODEL), "{{model}} p95"),),
    ),
    Panel(
        "Frames in a batch",
        "short",
        ((_quantile(0.5, "inferfleet_batch_size", "model", _MODEL), "{{model}} median"),),
    ),
)
"""What workers tell of their models."""

REQUESTS = (
    Panel(
        "Requests by status",
        "reqps",
        ((_rate("inferfleet_serve_requests_total", "model, code", _MODEL), "{{model}} {{code}}"),),
    ),
    Panel(
        "Time to answer",
        "s",
        tuple(
            (_quantile(share, "inferfleet_serve_request_seconds", "model", _MODEL), f"{{{{model}}}} p{share * 100:g}")
            for share in (0.5, 0.95, 0.99)
        ),
    ),
    Panel(
        "Turned away and failed",
        "ops",
        (
            (_rate("inferfleet_serve_rejected_total", "model, reason", _MODEL), "{{model}} {{reason}}"),
            (_rate("inferfleet_serve_errors_total", "model, kind", _MODEL), "{{model}} {{kind}}"),
        ),
    ),
    Panel(
        "Waiting",
        "short",
        (
            (f"sum by (model) (inferfleet_serve_queue_pictures{{{_MODEL}}})", "{{model}} pictures"),
            (f"max by (model) (inferfleet_serve_predicted_seconds{{{_MODEL}}})", "{{model}} seconds"),
        ),
    ),
    Panel(
        "Where the time goes, mean",
        "s",
        tuple(
            (
                f"sum by (model) (rate(inferfleet_serve_{step}_seconds_sum{{{_MODEL}}}[$__rate_interval])) / "
                f"sum by (model) (rate(inferfleet_serve_{step}_seconds_count{{{_MODEL}}}[$__rate_interval]))",
                f"{{{{model}}}} {step}",
            )
            for step in ("queue", "decode", "inference")
        ),
    ),
    Panel(
        "Pictures in a batch",
        "short",
        ((_quantile(0.5, "inferfleet_serve_batch_size", "model", _MODEL), "{{model}} median"),),
    ),
)
"""What servers tell."""

GPUS = (
    Panel("GPU at work", "percent", (("DCGM_FI_DEV_GPU_UTIL", "{{Hostname}} {{gpu}}"),)),
    Panel("GPU memory used", "decmbytes", (("DCGM_FI_DEV_FB_USED", "{{Hostname}} {{gpu}}"),)),
    Panel(
        "Temperature; Xid errors",
        "short",
        (("DCGM_FI_DEV_GPU_TEMP", "{{gpu}} °C"), ("DCGM_FI_DEV_XID_ERRORS", "{{gpu}} Xid")),
    ),
)
"""What NVIDIA's DCGM exporter tells."""


def files(fleet: ResolvedFleet, folder: Path | None) -> dict[str, str]:
    """Renders the dashboard of what the fleet runs, and alerts on the same metrics."""
    del folder
    dashboard = json.dumps(_dashboard(fleet), indent=2) + "\n"
    rules = yaml.safe_dump({"groups": [{"name": fleet.file.name, "rules": list(_alerts(fleet))}]}, sort_keys=False)
    return {"dashboard.json": dashboard, "prometheus-rules.yaml": rules}


def _rows(fleet: ResolvedFleet) -> Iterator[tuple[str, Sequence[Panel]]]:
    kinds = {service.spec.kind for service in fleet.services}
    if "streams" in kinds:
        yield from (("Cameras", CAMERAS), ("Delivery", DELIVERY), ("Models", MODELS))
    if "api" in kinds:
        yield "Requests", REQUESTS
    if any(service.gpus or service.shared_gpu for service in fleet.services):
        yield "GPUs", GPUS


def _dashboard(fleet: ResolvedFleet) -> dict[str, Any]:
    return {
        "title": fleet.file.name,
        "uid": f"inferfleet-{fleet.file.name}"[:40],
        "tags": ["inferfleet"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": list(_variables(fleet))},
        "panels": list(_panels(_rows(fleet))),
    }


def _variables(fleet: ResolvedFleet) -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    kinds = {service.spec.kind for service in fleet.services}
    if "streams" in kinds:
        yield _choice("camera", "label_values(inferfleet_camera_state, camera)")
    if kinds & {"streams", "api"}:
        metrics = ["inferfleet_inference_seconds_count"] if "streams" in kinds else []
        metrics += ["inferfleet_serve_queue_pictures"] if "api" in kinds else []
        yield _choice("model", f'label_values({{__name__=~"{"|".join(metrics)}"}}, model)')


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name, "type": "query", "datasource": _SOURCE, "query": {"query": query, "refId": name},
        "refresh": 2, "multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}, "sort": 1,
    }  # fmt: skip


def _panels(rows: Iterator[tuple[str, Sequence[Panel]]]) -> Iterator[dict[str, Any]]:
    number, y = 0, 0
    for title, panels in rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y}}
        y += 1
        width = _COLUMNS // (3 if len(panels) % 3 == 0 else 2)
        for index, panel in enumerate(panels):
            number += 1
            column = index % (_COLUMNS // width)
            if index and column == 0:
                y += _HEIGHT
            yield _graph(panel, number, {"h": _HEIGHT, "w": width, "x": column * width, "y": y})
        y += _HEIGHT


def _graph(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "gridPos": place,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"tooltip": {"mode": "multi"}, "legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.lines)
        ],
    }


def _alerts(fleet: ResolvedFleet) -> Iterator[dict[str, Any]]:
    """Yields Prometheus alerts: what the guides call worth an alarm."""
    kinds = {service.spec.kind for service in fleet.services}
    if "streams" in kinds:
        yield _alert(
            "CameraSilent", "time() - inferfleet_camera_last_frame_timestamp_seconds > 60", "5m", "critical",
            "camera {{ $labels.camera }} gives no frames",
        )  # fmt: skip
        yield _alert(
            "FramesDropped",
            "sum by (camera, reason) (rate(inferfleet_frames_dropped_total[5m])) > 0", "10m", "warning",
            "camera {{ $labels.camera }} loses frames: {{ $labels.reason }}",
        )  # fmt: skip
        yield _alert(
            "SinkBehind", "max by (sink) (inferfleet_sink_lag_seconds) > 300", "5m", "critical",
            "sink {{ $labels.sink }} is behind; its events wait in the spool",
        )  # fmt: skip
        yield _alert(
            "CamerasWithoutWorker", "max(inferfleet_leases_wanted) > sum(inferfleet_leases_held)", "5m", "critical",
            "cameras have no worker: too few workers, or one died",
        )  # fmt: skip
    if "api" in kinds:
        yield _alert(
            "RequestsTurnedAway",
            "sum by (model) (rate(inferfleet_serve_rejected_total[5m])) / "
            "sum by (model) (rate(inferfleet_serve_requests_total[5m])) > 0.01",
            "10m", "warning", "{{ $labels.model }} turns away more than 1 % of its requests: it needs more tasks",
        )  # fmt: skip
        yield _alert(
            "RequestsFail",
            'sum by (model) (rate(inferfleet_serve_requests_total{code=~"5.."}[5m])) / '
            "sum by (model) (rate(inferfleet_serve_requests_total[5m])) > 0.05",
            "5m", "critical", "{{ $labels.model }} fails more than 5 % of its requests",
        )  # fmt: skip


def _alert(name: str, expression: str, lasting: str, severity: str, summary: str) -> dict[str, Any]:
    return {
        "alert": name, "expr": expression, "for": lasting,
        "labels": {"severity": severity}, "annotations": {"summary": summary},
    }  # fmt: skip
