"""What the worker counts, as Prometheus metrics. `docs/metrics.md` lists them all.

Whatever another part already knows (states, backlogs) is read when the metrics are scraped, not copied as it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from inferfleet.streams.event import Event
from inferfleet.streams.frame import Frame

_LATENCY_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_INFERENCE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The worker's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._frames = Counter("inferfleet_frames", "Frames analysed.", ["camera"], registry=self.registry)
        self._dropped = Counter(
            "inferfleet_frames_dropped", "Frames not analysed, by reason.", ["camera", "reason"], registry=self.registry
        )
        self._events = Counter("inferfleet_events", "Events made.", ["camera", "type"], registry=self.registry)
        self._latency = Histogram(
            "inferfleet_frame_latency_seconds",
            "From a frame's decoding to the end of its analysis.",
            ["camera"],
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._inference = Histogram(
            "inferfleet_inference_seconds",
            "One run of a model on a batch, with decoding of its output.",
            ["model"],
            buckets=_INFERENCE_BUCKETS,
            registry=self.registry,
        )
        self._batch = Histogram(
            "inferfleet_batch_size", "Frames in a batch.", ["model"], buckets=_BATCH_BUCKETS, registry=self.registry
        )

    def processed(self, frame: Frame, latency: float) -> None:
        """Counts an analysed frame and its latency in seconds."""
        self._frames.labels(frame.camera).inc()
        self._latency.labels(frame.camera).observe(latency)

    def made(self, camera: str, events: Sequence[Event]) -> None:
        """Counts events of a camera."""
        for event in events:
            self._events.labels(camera, event.type).inc()

    def dropped(self, camera: str, reason: str) -> None:
        """Counts a frame that was taken from its mailbox but not analysed."""
        self._dropped.labels(camera, reason).inc()

    def inferred(self, model: str, frames: int, seconds: float) -> None:
        """Counts one run of a model."""
        self._batch.labels(model).observe(frames)
        self._inference.labels(model).observe(seconds)

    def drops(self, camera: str) -> dict[str, int]:
        """The frames of a camera that `dropped` counted, by reason."""
        return {
            sample.labels["reason"]: int(sample.value)
            for metric in self._dropped.collect()
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["camera"] == camera
        }

    def collect_from(self, source: Callable[[], Iterable[Metric]]) -> None:
        """Adds metrics that are read at each scrape."""
        self.registry.register(_Scraped(source))

    def exposition(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class _Scraped(Collector):
    def __init__(self, source: Callable[[], Iterable[Metric]]) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        return self._source()

    def describe(self) -> Iterable[Metric]:
        return ()
