"""What `inferfleet serve` is told: models, limits, queueing, draining, who may ask. The file is `serve.yaml`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from inferfleet.config.base import Misfit, Model
from inferfleet.config.model import ModelConfig

MIB = 1024 * 1024
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ORIGIN = re.compile(r"\*|https?://[^/\s]+")


class ServedModel(ModelConfig):
    """A model to serve. A bare string stands for `path`; `zoo:text` is the text reader that ships."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """What answers call this version; the first 12 digits of the file's SHA-256 when left out."""

    top: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many classes a classifier's answer holds, where the request does not say."""

    batch_wait: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Seconds that a batch that is not full waits for more. With 0 it takes what queued while the device was busy."""

    decode_threads: Annotated[int, Field(ge=0, le=64)] | None = None
    """Threads that decode pictures; 0 decodes in the device's own. Left out, 0 on a CPU and one a core on a GPU."""


class LimitsConfig(Model):
    """What a request may hold. More is refused before it is decoded."""

    body_bytes: Annotated[int, Field(ge=1024, le=1024 * MIB)] = 20 * MIB
    """The largest body, after undoing `Content-Encoding`."""

    pixels: Annotated[int, Field(ge=1, le=1_000_000_000)] = 50_000_000
    """The largest width times height of one picture: a decoded pixel takes three bytes."""

    images: Annotated[int, Field(ge=1, le=1024)] = 16
    """The most pictures in one request."""

    read_seconds: Seconds = 30
    """How long a request may take to arrive."""


class QueueConfig(Model):
    """When a request is turned away at once rather than kept waiting."""

    pictures: Annotated[int, Field(ge=1, le=100_000)] = 256
    """The most pictures of one model that are accepted and not yet answered."""

    max_wait: Seconds = 2
    """A request whose predicted time to an answer is longer is answered 429 at once."""

    timeout: Seconds = 30
    """Answers later than this are given up (504). A request may ask for less with `X-Request-Timeout`."""


class DrainConfig(Model):
    """What happens on SIGTERM, in the order that a load balancer needs."""

    delay: Annotated[float, Field(ge=0, le=3600)] = 10
    """Seconds of serving on with `/ready` at 503, for balancers to notice."""

    timeout: Seconds = 20
    """Seconds for open requests to finish after that. ECS kills after `stopTimeout`, 30 s unless set."""


class AccessConfig(Model):
    """Who may ask. Keys are kept as SHA-256 only: `printf %s "$KEY" | sha256sum`."""

    api_keys: dict[str, Sha256] = {}
    """Names and hashes of the keys, of which a request must bring one; empty lets everybody in."""

    admin_token: Sha256 | None = None
    """The hash of the token for reloading over the main port."""

    cors_origins: tuple[str, ...] = ()
    """Web pages from these origins may call the API; `*` for all."""

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin; write https://example.com, without a path, or *")
        return value


class ServeFile(Model):
    """The file `serve.yaml`."""

    models: Annotated[dict[str, ServedModel], Field(min_length=1)]
    """The models by name; each answers at `/v1/models/NAME/predict`."""

    default: str | None = None
    """The model that answers at `/predict`; the first when left out."""

    host: str = "0.0.0.0"
    """The address to listen on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """The port; 0 takes a free one."""

    admin_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """A second port, on the loopback address, that may reload models without a token; 0 takes a free one."""

    keep_alive: Seconds = 75
    """Idle connections are closed after this; it must be longer than the balancer's idle timeout (an ALB's is 60)."""

    limits: LimitsConfig = LimitsConfig()
    queue: QueueConfig = QueueConfig()
    drain: DrainConfig = DrainConfig()
    access: AccessConfig = AccessConfig()

    watch: bool = True
    """Whether a model whose local file changes is reloaded."""

    access_log: bool = True
    """Whether each request is logged."""

    traces: Literal["off", "otlp"] = "off"
    """`otlp` sends spans to `OTEL_EXPORTER_OTLP_ENDPOINT` (extra `otel`)."""

    devices: tuple[Annotated[str, Field(pattern=r"^(cpu|(cuda|tensorrt)(:\d+)?)$")], ...] = ()
    """One process each, behind the one port; left out, one process with each model's own device."""

    @field_validator("models")
    @classmethod
    def _names(cls, value: dict[str, ServedModel]) -> dict[str, ServedModel]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise Misfit(f"model name {name!r}: use letters, digits, `.`, `_` and `-`, at most 64", name)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default is not None and self.default not in self.models:
            raise Misfit(f"there is no model {self.default!r}; there are {', '.join(self.models)}", "default")
        if self.limits.images > self.queue.pictures:
            raise Misfit(
                f"{self.queue.pictures} is less than limits.images ({self.limits.images}), so the largest requests "
                "could never be accepted",
                "queue",
                "pictures",
            )
        for index, device in enumerate(self.devices):
            if device in self.devices[:index]:
                raise Misfit(f"{device} has a process already; name each device once", "devices", index)
        return self

    @property
    def default_model(self) -> str:
        """The name of the model that answers at `/predict`."""
        return self.default or next(iter(self.models))
