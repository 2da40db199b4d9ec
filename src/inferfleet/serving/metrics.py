"""What the server counts, as Prometheus metrics in a registry of their own; `docs/serving.md` lists them.

Each process of a server marks its own with its device, so that several can be shown together without wrong sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from inferfleet.serving.workers import Batch

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WORK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """All metrics of one process."""

    def __init__(self, device: str = "") -> None:
        """Makes the metrics; `device` marks them where several processes serve behind one port."""
        self.registry = CollectorRegistry()
        self.device = device
        common = ["device"] if device else []
        self._common = (device,) if device else ()

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"inferfleet_serve_{name}", text, [*common, "model"], buckets=buckets, registry=self.registry
            )

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"inferfleet_serve_{name}", text, [*common, "model", *labels], registry=self.registry)

        self._requests = counter("requests", "Requests to a model, by HTTP status (499: the client went away).", "code")
        self._errors = counter("errors", "Requests that were not answered, by the kind of problem.", "kind")
        self._rejected = counter("rejected", "Requests refused on arrival with 429, by reason.", "reason")
        self._pictures = counter("pictures", "Pictures answered.")
        self._reloads = counter("reloads", "Reloads, by outcome.", "outcome")
        self._latency = histogram("request_seconds", "From a request's arrival to its answer.", _LATENCY)
        self._queue = histogram("queue_seconds", "From a picture's request's arrival to its batch.", _LATENCY)
        self._decode = histogram("decode_seconds", "Decoding and scaling one picture.", _WORK)
        self._inference = histogram("inference_seconds", "One batch in the model.", _WORK)
        self._batch = histogram("batch_size", "Pictures in a batch.", _SIZES)
        self._children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def answered(self, model: str, code: str, seconds: float) -> None:
        """Counts a request that has got its response."""
        pair = self._children.get((model, code))
        if pair is None:
            pair = self._requests.labels(*self._common, model, code), self._latency.labels(*self._common, model)
            self._children[model, code] = pair
        pair[0].inc()
        pair[1].observe(seconds)

    def failed(self, model: str, kind: str) -> None:
        """Counts a request that got a problem."""
        self._errors.labels(*self._common, model, kind).inc()

    def reloaded(self, model: str, outcome: str) -> None:
        """Counts a reload: `swapped`, `unchanged` or `failed`."""
        self._reloads.labels(*self._common, model, outcome).inc()

    def lane(self, model: str) -> LaneMetrics:
        """The metrics of one model, looked up once."""
        labels = (*self._common, model)
        return LaneMetrics(
            queue=self._queue.labels(*labels),
            decode=self._decode.labels(*labels),
            inference=self._inference.labels(*labels),
            sizes=self._batch.labels(*labels),
            pictures=self._pictures.labels(*labels),
            rejected=lambda reason: self._rejected.labels(*labels, reason).inc(),
        )

    def show(self, source: Callable[[], Iterable[LaneState]]) -> None:
        """Adds what is read at each scrape: queue depth, predicted wait, versions."""
        self.registry.register(_Scraped(source, self.device))

    def exposition(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class LaneMetrics:
    """The metrics of one model's lane."""

    def __init__(
        self,
        *,
        queue: Histogram,
        decode: Histogram,
        inference: Histogram,
        sizes: Histogram,
        pictures: Counter,
        rejected: Callable[[str], None],
    ) -> None:
        self._queue = queue
        self._decode = decode
        self._inference = inference
        self._sizes = sizes
        self._pictures = pictures
        self.rejected = rejected

    def batch(self, batch: Batch) -> None:
        """Counts what a thread did in one go."""
        if batch.decoded is not None:
            self._decode.observe(batch.decoded)
        if batch.answered:
            self._inference.observe(batch.inference)
            self._sizes.observe(batch.answered)
            self._pictures.inc(batch.answered)
            for ticket, _, _ in batch.results:
                self._queue.observe(max(0.0, batch.began - ticket.arrived))


class LaneState:
    """What a scrape shows of a lane.

    Attributes:
        model: The model's name.
        version: The version that answers.
        digest: SHA-256 of its file.
        pending: Pictures accepted and not yet answered.
        predicted: Seconds that a request arriving now would take.
    """

    def __init__(self, model: str, version: str, digest: str, pending: int, predicted: float) -> None:
        self.model, self.version, self.digest = model, version, digest
        self.pending, self.predicted = pending, predicted


class _Scraped(Collector):
    def __init__(self, source: Callable[[], Iterable[LaneState]], device: str) -> None:
        self._source = source
        self._names = ["device", "model"] if device else ["model"]
        self._common = [device] if device else []

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily(
            "inferfleet_serve_queue_pictures", "Pictures accepted and not yet answered.", labels=self._names
        )
        wait = GaugeMetricFamily(
            "inferfleet_serve_predicted_seconds",
            "What a request arriving now would take, as predicted.",
            labels=self._names,
        )
        version = InfoMetricFamily(
            "inferfleet_serve_model", "The version of each model that answers.", labels=self._names
        )
        for lane in self._source():
            labels = [*self._common, lane.model]
            depth.add_metric(labels, lane.pending)
            wait.add_metric(labels, lane.predicted)
            version.add_metric(labels, {"version": lane.version, "digest": lane.digest})
        return depth, wait, version

    def describe(self) -> Iterable[Metric]:
        return ()
