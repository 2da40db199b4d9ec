"""What the worker says of itself: the reports behind `/status`, the metrics and the live table."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import get_args

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from inferfleet.streams.camera import CameraState
from inferfleet.streams.delivery import SinkStatus
from inferfleet.streams.lane import Lane

_RATE_SECONDS = 5.0


class CameraReport(msgspec.Struct, frozen=True):
    """One camera.

    Attributes:
        id: Its id.
        mode: `live` or `complete`.
        state: What its source is doing.
        error: The last error of its source, if it has one now.
        fps: Frames a second, over the last five seconds.
        latency_seconds: From decoding to the end of analysis, smoothed.
        frames: Frames analysed since the start.
        events: Events made since the start.
        drops: Frames not analysed, by reason.
        skipped: Frames that `fps_target` left undecoded or that were damaged.
        reconnects: How often the source was opened again.
        last_frame_time: Capture time of the last frame.
        behind_seconds: How far its source is behind the newest that it could give; None where it cannot tell.
        lost: Fragments of its source that could not be had: damaged for good, or removed by retention before.
        jumps: How often its source was too far behind (`max_lag`) and jumped to now.
    """

    id: str
    mode: str
    state: str
    error: str | None
    fps: float
    latency_seconds: float
    frames: int
    events: int
    drops: Mapping[str, int]
    skipped: int
    reconnects: int
    last_frame_time: datetime | None
    behind_seconds: float | None = None
    lost: int = 0
    jumps: int = 0


class LeaseReport(msgspec.Struct, frozen=True):
    """This worker's part in sharing the cameras.

    Attributes:
        held: Cameras that it holds.
        wanted: Cameras of its configuration, which all workers share.
        taken: Leases taken since the start.
        lost: Leases that ran out or were refused since the start, rather than given up.
        renewed_seconds: Since the table last took all renewals; None before it has.
        duration: Of a lease, in seconds. Who has not renewed for 80 % of it publishes nothing any more.
    """

    held: int
    wanted: int
    taken: int
    lost: int
    renewed_seconds: float | None
    duration: float


class WorkerReport(msgspec.Struct, frozen=True):
    """The whole worker: cameras, models with their digests, sinks, the spool, and leases where cameras are shared."""

    worker: str
    uptime_seconds: float
    ready: bool
    cameras: list[CameraReport]
    models: Mapping[str, str]
    sinks: Sequence[SinkStatus]
    spool_bytes: int
    spool_full: bool
    spool_error: str | None = None
    leases: LeaseReport | None = None


class Rates:
    """Frames a second over the last few seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, now: float, count: int) -> None:
        """Notes the running count at a time in seconds."""
        self._samples.append((now, count))
        while now - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()

    @property
    def value(self) -> float:
        """The rate a second; 0 until two samples are there."""
        if len(self._samples) < 2:  # noqa: PLR2004 - a rate needs two points
            return 0.0
        (first, low), (last, high) = self._samples[0], self._samples[-1]
        return (high - low) / (last - first) if last > first else 0.0


def report_camera(lane: Lane, fps: float, drops: Mapping[str, int]) -> CameraReport:
    """Returns the state of one camera."""
    reader = lane.reader.status
    return CameraReport(
        id=lane.camera.id,
        mode="complete" if lane.camera.is_complete else "live",
        state=reader.state,
        error=reader.error,
        fps=round(fps, 2),
        latency_seconds=round(lane.latency, 4),
        frames=lane.frames,
        events=lane.events,
        drops={**lane.mailbox.drops, **drops},
        skipped=reader.skipped,
        reconnects=reader.reconnects,
        last_frame_time=lane.seen.frame.time if lane.seen else None,
        behind_seconds=reader.behind,
        lost=reader.lost,
        jumps=reader.jumps,
    )


def scrape(report: WorkerReport) -> Iterable[Metric]:
    """Turns a report into the metrics that are read at each scrape."""
    state = GaugeMetricFamily(
        "inferfleet_camera_state", "1 for the state the camera is in.", labels=["camera", "state"]
    )
    seen = GaugeMetricFamily(
        "inferfleet_camera_last_frame_timestamp_seconds", "Capture time of the last frame.", labels=["camera"]
    )
    behind = GaugeMetricFamily(
        "inferfleet_camera_behind_seconds", "How far the source is behind its newest.", labels=["camera"]
    )
    reconnects = CounterMetricFamily(
        "inferfleet_camera_reconnects", "Times the source was reopened.", labels=["camera"]
    )
    lost = CounterMetricFamily(
        "inferfleet_camera_lost_fragments", "Fragments of the source that could not be had.", labels=["camera"]
    )
    jumps = CounterMetricFamily(
        "inferfleet_camera_jumps", "Times the source was too far behind and jumped to now.", labels=["camera"]
    )
    skipped = CounterMetricFamily("inferfleet_frames_skipped", "Frames left undecoded or damaged.", labels=["camera"])
    displaced = CounterMetricFamily(
        "inferfleet_frames_displaced", "Frames that a newer one displaced before a model was free.", labels=["camera"]
    )
    for camera in report.cameras:
        for name in get_args(CameraState):
            state.add_metric([camera.id, name], float(camera.state == name))
        if camera.last_frame_time:
            seen.add_metric([camera.id], camera.last_frame_time.timestamp())
        if camera.behind_seconds is not None:
            behind.add_metric([camera.id], camera.behind_seconds)
        reconnects.add_metric([camera.id], camera.reconnects)
        lost.add_metric([camera.id], camera.lost)
        jumps.add_metric([camera.id], camera.jumps)
        skipped.add_metric([camera.id], camera.skipped)
        displaced.add_metric([camera.id], camera.drops.get("newer_frame", 0))
    yield from (state, seen, behind, reconnects, lost, jumps, skipped, displaced)
    if report.leases is not None:
        yield from _scrape_leases(report.leases)
    yield GaugeMetricFamily("inferfleet_spool_bytes", "Size of the spool.", value=report.spool_bytes)
    backlog = GaugeMetricFamily("inferfleet_sink_backlog_events", "Events a sink has not got yet.", labels=["sink"])
    oldest = GaugeMetricFamily("inferfleet_sink_lag_seconds", "Age of the oldest of them.", labels=["sink"])
    delivered = CounterMetricFamily("inferfleet_sink_delivered", "Events delivered.", labels=["sink"])
    failures = CounterMetricFamily("inferfleet_sink_failures", "Failed attempts to deliver.", labels=["sink"])
    for sink in report.sinks:
        backlog.add_metric([sink.name], sink.backlog)
        oldest.add_metric([sink.name], sink.oldest_seconds)
        delivered.add_metric([sink.name], sink.delivered)
        failures.add_metric([sink.name], sink.failures)
    yield from (backlog, oldest, delivered, failures)


def _scrape_leases(leases: LeaseReport) -> Iterable[Metric]:
    yield GaugeMetricFamily("inferfleet_leases_held", "Cameras that this worker holds.", value=leases.held)
    yield GaugeMetricFamily("inferfleet_leases_wanted", "Cameras that all workers share.", value=leases.wanted)
    yield CounterMetricFamily("inferfleet_leases_taken", "Leases taken.", value=leases.taken)
    yield CounterMetricFamily("inferfleet_leases_lost", "Leases that ran out or were refused.", value=leases.lost)
    if leases.renewed_seconds is not None:
        yield GaugeMetricFamily(
            "inferfleet_leases_renewed_seconds",
            "Since the table last took all renewals.",
            value=leases.renewed_seconds,
        )
