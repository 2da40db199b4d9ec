"""The handlers of the simple API, of health and of management, over the models and the state of the process."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from inferfleet import __version__
from inferfleet.config.serve import ServeFile
from inferfleet.errors import InferfleetError
from inferfleet.serving import pages, pictures
from inferfleet.serving.answers import ManyAnswer, SingleAnswer
from inferfleet.serving.auth import Gate
from inferfleet.serving.exchange import Exchange
from inferfleet.serving.lane import Lane
from inferfleet.serving.metrics import Metrics
from inferfleet.serving.peers import Peers, merge_metrics
from inferfleet.serving.problems import Problem
from inferfleet.serving.registry import Registry
from inferfleet.serving.response import Response, as_json
from inferfleet.serving.routing import Routes
from inferfleet.serving.ticket import Ticket

_OK = 200
_DIGITS = 6
_NO_STORE = (b"cache-control", b"no-store")


@dataclass(slots=True)
class State:
    """What the process is doing.

    Attributes:
        draining: Whether it is about to end.
        started: When it began, by `time.time`.
    """

    draining: bool
    started: float


class Service:
    """Answers requests with the models of a registry."""

    def __init__(
        self, config: ServeFile, registry: Registry, metrics: Metrics, state: State, peers: Peers | None = None
    ) -> None:
        """Takes what there is; with `peers`, questions about the whole server go to all its processes."""
        self._peers = peers
        self.config = config
        self.registry = registry
        self.gate = Gate(config.access)
        self._metrics = metrics
        self._state = state

    def add_to(self, routes: Routes, *, admin: bool) -> None:
        """Adds the routes; `admin` for the port that needs no token."""
        routes.add("GET", "/health", self.health)
        routes.add("GET", "/healthz", self.health)
        routes.add("GET", "/ready", self.ready)
        routes.add("GET", "/version", self.version)
        routes.add("GET", "/status", self.status)
        routes.add("GET", "/metrics", self.metrics)
        routes.add("GET", "/v1/models", self.models)
        routes.add("POST", "/v1/models/{name}/reload", self.reload if admin else self.guarded_reload)
        if admin:
            return
        routes.add("POST", "/predict", self.predict)
        routes.add("POST", "/v1/models/{name}/predict", self.predict)
        routes.add("GET", "/openapi.json", self.openapi)
        routes.add("GET", "/docs", self.docs)
        routes.add("GET", "/", self.docs)

    async def predict(self, exchange: Exchange) -> Response:
        """Answers what is on the request's pictures."""
        lane = self.enter(exchange)
        ask = pictures.asked(exchange.query())
        body = await exchange.body(self.config.limits)
        found = pictures.parse(exchange.header(b"content-type"), body, self.config.limits)
        exchange.pictures = len(found.files)
        ticket = Ticket(found.files, ask, timeout=exchange.timeout, arrived=exchange.arrived, receive=exchange.receive)
        # The model may have been swapped while the body arrived.
        lane = self.registry.lane(exchange.model)
        answers = await lane.infer(ticket)
        exchange.queued, exchange.worked = ticket.queued, ticket.worked
        version = lane.servable.about.version
        latency = round(time.monotonic() - exchange.arrived, _DIGITS)
        if found.listed:
            return as_json(ManyAnswer([*answers], latency, lane.name, version))
        one = answers[0]
        return as_json(SingleAnswer(one.predictions, latency, lane.name, version, one.width, one.height))

    def enter(self, exchange: Exchange) -> Lane:
        """Checks key, model, deadline, announced length and queue before any of the body is read.

        Raises:
            Problem: The request is refused.
        """
        self.gate.check_key(exchange)
        lane = self.registry.lane(exchange.parameters.get("name"))
        exchange.model = lane.name
        exchange.choose_timeout(self.config.queue.timeout)
        exchange.check_length(self.config.limits)
        lane.check(1, exchange.left)
        return lane

    async def health(self, _: Exchange) -> Response:
        """Whether the process is alive: restart it when this fails."""
        alive = self.registry.is_alive
        return as_json({"status": "healthy" if alive else "dead"}, 200 if alive else 503, _NO_STORE)

    async def ready(self, _: Exchange) -> Response:
        """Whether it wants requests: all models loaded and warm, and not about to end."""
        if self._state.draining:
            return as_json({"status": "draining"}, 503, _NO_STORE)
        ready = self.registry.is_ready
        return as_json({"status": "ready" if ready else "loading"}, 200 if ready else 503, _NO_STORE)

    async def version(self, _: Exchange) -> Response:
        """The versions of the server and its models."""
        versions = {name: lane.servable.about.version for name, lane in self.registry}
        return as_json({"version": __version__, "models": versions}, 200, _NO_STORE)

    async def models(self, _: Exchange) -> Response:
        """What is served."""
        listed = [{"name": name, **asdict(lane.servable.about)} for name, lane in self.registry]
        return as_json({"default": self.registry.default, "models": listed}, 200, _NO_STORE)

    async def status(self, _: Exchange) -> Response:
        """Queue depth and predicted wait of every model, on every device."""
        if self._peers is not None:
            found = await self._peers.get("/status")
            return as_json({"devices": {device: msgspec.Raw(body) for device, body in found.items()}}, 200, _NO_STORE)
        lanes = {}
        for name, lane in self.registry:
            per_picture, per_batch = lane.batch_line()
            lanes[name] = {
                "version": lane.servable.about.version,
                "queue_pictures": lane.pending,
                "queue_limit": self.config.queue.pictures,
                "predicted_seconds": round(lane.predicted(), _DIGITS),
                "seconds_per_picture": round(per_picture, _DIGITS),
                "seconds_per_batch": round(per_batch, _DIGITS),
                "workers": lane.capacity.workers,
                "largest_batch": lane.capacity.batch,
            }
        state = "draining" if self._state.draining else "ready" if self.registry.is_ready else "loading"
        up = round(time.time() - self._state.started, 1)
        return as_json({"state": state, "uptime_seconds": up, "models": lanes}, 200, _NO_STORE)

    async def metrics(self, _: Exchange) -> Response:
        """All metrics in Prometheus' text format, of all devices."""
        if self._peers is None:
            text = self._metrics.exposition()
        else:
            text = merge_metrics((await self._peers.get("/metrics")).values())
        return Response(text, content_type=CONTENT_TYPE_LATEST.encode())

    async def guarded_reload(self, exchange: Exchange) -> Response:
        """Reloads a model for who brings the admin token."""
        self.gate.check_admin(exchange)
        return await self.reload(exchange)

    async def reload(self, exchange: Exchange) -> Response:
        """Loads a model again and swaps it in."""
        name = exchange.parameters["name"]
        self.registry.lane(name)
        if self._peers is not None:
            outcomes = await self._peers.post(f"/v1/models/{name}/reload")
            failed = [f"{device}: {_detail(body)}" for device, (status, body) in outcomes.items() if status != _OK]
            if failed:
                raise Problem("reload-failed", "; ".join(failed))
            return as_json({"devices": {device: msgspec.Raw(body) for device, (_, body) in outcomes.items()}})
        try:
            outcome = await self.registry.reload(name)
        except InferfleetError as error:
            raise Problem("reload-failed", str(error)) from error
        about = self.registry.lane(name).servable.about
        return as_json({"model": name, "outcome": outcome, "model_version": about.version, "digest": about.digest})

    async def openapi(self, _: Exchange) -> Response:
        """The OpenAPI document."""
        return as_json(pages.openapi(self.config, self.registry.names))

    async def docs(self, _: Exchange) -> Response:
        """A page that shows the API and lets people try it."""
        return Response(pages.docs(), content_type=b"text/html; charset=utf-8", headers=pages.DOCS_HEADERS)


def _detail(body: bytes) -> str:
    """What a process said was wrong."""
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "no answer"
