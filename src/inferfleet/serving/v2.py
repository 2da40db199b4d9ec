"""The Open Inference Protocol v2 under `/v2`: what Triton's and KServe's clients speak.

A model takes either `image` (BYTES, encoded pictures) or `pixels` (UINT8 [n, height, width, 3], RGB, any size), and
gives what the simple API gives, as tensors with a row a picture, padded to the longest row; `count` tells how many
values of each row are real.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from inferfleet import __version__
from inferfleet.serving import tensors
from inferfleet.serving.answers import ClassPrediction, ObjectPrediction, PictureAnswer, Prediction, TextPrediction
from inferfleet.serving.exchange import Exchange
from inferfleet.serving.lane import Lane
from inferfleet.serving.pictures import asked
from inferfleet.serving.problems import Problem
from inferfleet.serving.response import Response, as_json
from inferfleet.serving.routing import Routes
from inferfleet.serving.servable import Input, Kind
from inferfleet.serving.service import Service
from inferfleet.serving.tensors import Array, InferRequest
from inferfleet.serving.ticket import Ticket

_MICROSECONDS = 1_000_000
_PIXEL_DIMENSIONS = 4

_COUNT = ("count", "INT32", [-1])
_CONFIDENCE = ("confidence", "FP32", [-1, -1])
_CLASS = ("class", "BYTES", [-1, -1])
_CLASS_ID = ("class_id", "INT32", [-1, -1])
_OUTPUTS: dict[Kind, tuple[tuple[str, str, list[int]], ...]] = {
    "classifier": (_CLASS_ID, _CONFIDENCE, _CLASS, _COUNT),
    "detector": (("box", "FP32", [-1, -1, 4]), _CLASS_ID, _CONFIDENCE, _CLASS, _COUNT),
    "text": (("text", "BYTES", [-1, -1]), _CONFIDENCE, ("box", "FP32", [-1, -1, 4, 2]), _COUNT),
}
_INPUTS = (("image", "BYTES", [-1]), ("pixels", "UINT8", [-1, -1, -1, 3]))


class InferenceProtocol:
    """The routes of the protocol over the same models as the simple API."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = service.registry

    def add_to(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("GET", "/v2", self.server)
        routes.add("GET", "/v2/health/live", self._service.health)
        routes.add("GET", "/v2/health/ready", self._service.ready)
        routes.add("POST", "/v2/repository/index", self.index)
        for model in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
            routes.add("GET", model, self.metadata)
            routes.add("GET", f"{model}/ready", self.model_ready)
            routes.add("POST", f"{model}/infer", self.infer)

    async def server(self, _: Exchange) -> Response:
        """What this server is."""
        return as_json({"name": "inferfleet", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def index(self, _: Exchange) -> Response:
        """What is loaded (Triton's model repository extension)."""
        return as_json(
            [
                {"name": name, "version": lane.servable.about.version, "state": "READY", "reason": ""}
                for name, lane in self._registry
            ]
        )

    async def metadata(self, exchange: Exchange) -> Response:
        """The inputs and outputs of a model; one of the inputs is to be sent."""
        lane = self._lane(exchange)
        about = lane.servable.about
        return as_json(
            {
                "name": lane.name,
                "versions": [about.version],
                "platform": f"inferfleet_{about.kind}",
                "inputs": [_described(*port) for port in _INPUTS],
                "outputs": [_described(*port) for port in _OUTPUTS[about.kind]],
            }
        )

    async def model_ready(self, exchange: Exchange) -> Response:
        """Whether a model answers."""
        lane = self._lane(exchange)
        return as_json({"name": lane.name, "ready": lane.is_alive}, 200 if lane.is_alive else 503)

    async def infer(self, exchange: Exchange) -> Response:
        """Answers a request's tensors."""
        self._lane(exchange)
        self._service.enter(exchange)
        limits = self._service.config.limits
        body = await exchange.body(limits)
        request, rest = tensors.split(body, exchange.header(tensors.HEADER_LENGTH))
        found = self._pictures(request, rest)
        exchange.pictures = len(found)
        names = [] if request.outputs is None else [output.name for output in request.outputs]
        lane = self._lane(exchange)
        ports = _chosen(lane, names)
        ask = asked({key: str(value) for key, value in request.parameters.items() if key in ("top", "min_confidence")})
        timeout = min(exchange.timeout, _timeout(request) or exchange.timeout)
        ticket = Ticket(found, ask, timeout=timeout, arrived=exchange.arrived, receive=exchange.receive)
        answers = await lane.infer(ticket)
        exchange.queued, exchange.worked = ticket.queued, ticket.worked
        header = {"model_name": lane.name, "model_version": lane.servable.about.version}
        if request.id:
            header["id"] = request.id
        header_parameters = {"latency_seconds": round(time.monotonic() - exchange.arrived, 6)}
        outputs = [(name, datatype, _values(name, shape, answers)) for name, datatype, shape in ports]
        return tensors.respond(
            {**header, "parameters": header_parameters}, outputs, _binary(request, names, len(ports))
        )

    def _lane(self, exchange: Exchange) -> Lane:
        lane = self._registry.lane(exchange.parameters["name"])
        version = exchange.parameters.get("version")
        if version not in (None, lane.servable.about.version):
            raise Problem(
                "not-found", f"model {lane.name}: serves version {lane.servable.about.version}, not {version}"
            )
        return lane

    def _pictures(self, request: InferRequest, rest: bytes) -> list[Input]:
        limits = self._service.config.limits
        pairs = list(tensors.blobs(request.inputs, rest))
        if len(pairs) != 1:
            raise Problem("invalid-value", f"{len(pairs)} inputs; send one, either `image` or `pixels`")
        tensor, blob = pairs[0]
        if (tensor.name, tensor.datatype) == ("image", "BYTES"):
            return [*tensors.read_bytes(tensor, blob, limits.images)]
        if (tensor.name, tensor.datatype) != ("pixels", "UINT8"):
            raise Problem(
                "invalid-value",
                f"input {tensor.name[:50]!r} of {tensor.datatype[:20]}: send `image` (BYTES, encoded pictures) or "
                "`pixels` (UINT8 [n, height, width, 3], RGB)",
            )
        pixels = tensors.read_pixels(tensor, blob)
        if pixels.ndim != _PIXEL_DIMENSIONS or pixels.shape[3] != 3:  # noqa: PLR2004
            raise Problem("invalid-value", f"pixels: the shape is {tensor.shape}, not [n, height, width, 3]")
        if len(pixels) > limits.images or pixels.shape[1] * pixels.shape[2] > limits.pixels:
            raise Problem(
                "too-large", f"pixels: at most {limits.images} pictures of {limits.pixels} pixels are accepted"
            )
        return [*pixels]


def _described(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _chosen(lane: Lane, names: Sequence[str]) -> list[tuple[str, str, list[int]]]:
    ports = {port[0]: port for port in _OUTPUTS[lane.servable.about.kind]}
    unknown = [name for name in names if name not in ports]
    if unknown:
        raise Problem(
            "invalid-value", f"model {lane.name}: has no output {unknown[0][:50]!r}; it has {', '.join(ports)}"
        )
    return [ports[name] for name in names] if names else list(ports.values())


def _binary(request: InferRequest, names: Sequence[str], count: int) -> list[bool]:
    usual = request.parameters.get("binary_data_output") is True
    if not names or request.outputs is None:
        return [usual] * count
    return [output.parameters.get("binary_data", usual) is True for output in request.outputs]


def _timeout(request: InferRequest) -> float | None:
    """The request's own timeout in seconds: the protocol's parameter is in microseconds."""
    value = request.parameters.get("timeout")
    return value / _MICROSECONDS if isinstance(value, int) and value > 0 else None


def _values(name: str, shape: list[int], answers: Sequence[PictureAnswer]) -> Array:
    """Makes one output tensor: a row a picture, padded to the longest."""
    if name == "count":
        return np.array([len(answer.predictions) for answer in answers], np.int32)
    longest = max(len(answer.predictions) for answer in answers)
    inner = shape[2:]
    filler: Any = {"class_id": -1, "class": "", "text": ""}.get(name, 0.0)
    kind: Any = object if isinstance(filler, str) else np.int32 if name == "class_id" else np.float32
    values = np.full((len(answers), longest, *inner), filler, kind)
    for row, answer in enumerate(answers):
        for column, prediction in enumerate(answer.predictions):
            values[row, column] = _field(prediction, name)
    return values


def _field(prediction: Prediction, name: str) -> Any:
    match name, prediction:
        case "class", ClassPrediction() | ObjectPrediction():
            return prediction.class_
        case "text", TextPrediction():
            return prediction.text
    return getattr(prediction, name)
