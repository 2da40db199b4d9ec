"""The `services` of `fleet.yaml`: what runs, how much of it, and how it is replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from inferfleet.config.base import Misfit, Model

Kind = Literal["streams", "api", "container"]
Target = Literal["ecs-ec2", "ecs-managed", "fargate", "eks"]
Strategy = Literal["recreate", "rolling", "blue-green", "canary", "linear"]
Arn = Annotated[str, Field(pattern=r"^arn:aws[\w-]*:.+")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Seconds = NonNegativeInt

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(MiB|MB|GiB|GB|G|M)?\s*$", re.IGNORECASE)
_MIB = 1024
_CONDITIONS = 5


def _mib(value: Any) -> Any:
    """Reads `4 GB` as MiB."""
    matched = _SIZE.match(value) if isinstance(value, str) and value != "max" else None
    if matched is None:
        return value
    giga = (matched[2] or "").upper().startswith("G")
    return int(float(matched[1]) * (_MIB if giga else 1))


def _cpu_units(value: Any) -> Any:
    """Reads `2 vCPU` as CPU units."""
    matched = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*vcpus?\s*", value, re.IGNORECASE) if isinstance(value, str) else None
    return int(float(matched[1]) * 1024) if matched else value


Memory = Annotated[Annotated[int, Field(ge=128)] | Literal["max"], BeforeValidator(_mib)]
Cpu = Annotated[Annotated[int, Field(ge=128, le=196_608)] | Literal["max"], BeforeValidator(_cpu_units)]


class SharedGpu(Model):
    """A part of a GPU, by NVIDIA MPS (EC2 and Managed Instances)."""

    memory: Annotated[PositiveInt, BeforeValidator(_mib)]
    """GPU memory that the task may use, in MiB or as `4 GB`."""
    compute: Annotated[int, Field(ge=1, le=100)] = 100
    """Most of the GPU's compute that it may use, in percent."""


class QueueScaling(Model):
    """Scale on the length of an SQS queue."""

    name: str
    """Name of the queue."""
    per_task: PositiveFloat = 100.0
    """Messages that one task may have waiting."""


class MetricScaling(Model):
    """Scale on a CloudWatch metric, such as a backlog that the application publishes."""

    namespace: str
    """Namespace of the metric."""
    name: str
    """Name of the metric."""
    dimensions: dict[str, str] = {}
    """Its dimensions."""
    statistic: Literal["Average", "Maximum", "Minimum", "Sum", "SampleCount"] = "Average"
    """Its statistic."""
    target: PositiveFloat
    """The value to hold, per task."""


class Schedule(Model):
    """Limits that hold from a time on."""

    cron: str = Field(pattern=r"^(cron|rate|at)\(.+\)$")
    """When, as Application Auto Scaling writes it: `cron(0 8 * * ? *)`."""
    min: NonNegativeInt
    """Least tasks from then on."""
    max: PositiveInt
    """Most tasks from then on."""
    timezone: str = "UTC"
    """The time zone of the expression."""


class Scaling(Model):
    """How the number of tasks follows the load."""

    min: NonNegativeInt = 2
    """Least tasks."""
    max: PositiveInt = 10
    """Most tasks."""
    cpu: Annotated[int, Field(ge=1, le=100)] | None = None
    """Average CPU to hold, in percent."""
    requests: PositiveFloat | None = None
    """Requests a minute for each task behind the load balancer."""
    queue: QueueScaling | None = None
    """Length of a queue."""
    metric: MetricScaling | None = None
    """Any metric."""
    schedules: tuple[Schedule, ...] = ()
    """Limits by the clock."""
    scale_in_cooldown: Seconds = 300
    """Seconds between two steps down."""
    scale_out_cooldown: Seconds = 60
    """Seconds between two steps up."""

    @model_validator(mode="after")
    def _possible(self) -> Scaling:
        if self.min > self.max:
            raise Misfit(f"min {self.min} is above max {self.max}", "min")
        if not any((self.cpu, self.requests, self.queue, self.metric, self.schedules)):
            raise Misfit("nothing to scale on; give cpu, requests, queue, metric or schedules")
        if self.min == 0 and not (self.queue or self.metric or self.schedules):
            raise Misfit("with no tasks there is no cpu and no request to scale out on; set min to at least 1", "min")
        return self


class Hook(Model):
    """A Lambda function that a deployment asks at one of its stages."""

    function: Arn
    """The function."""
    stages: Annotated[tuple[str, ...], Field(min_length=1)]
    """The stages, such as `POST_TEST_TRAFFIC_SHIFT`."""


class Deployment(Model):
    """How a new version takes over."""

    strategy: Strategy | None = None
    """`recreate` stops the old first; `rolling` replaces step by step; the others shift a load balancer's traffic.
    Left out: recreate for streams, which must not be read twice, rolling for the rest."""
    minimum: Annotated[int, Field(ge=0, le=100)] | None = None
    """For rolling: percentage of tasks that stay up."""
    maximum: Annotated[int, Field(ge=100, le=200)] | None = None
    """For rolling: percentage of tasks that may run at once."""
    bake_minutes: Annotated[int, Field(ge=0, le=1440)] = 5
    """For blue-green, canary and linear: how long both run after the shift, so that a rollback is instant."""
    canary_percent: Annotated[int, Field(ge=1, le=99)] = 10
    """For canary: the share of traffic that goes first."""
    step_percent: Annotated[int, Field(ge=3, le=100)] = 20
    """For linear: the share of traffic of each step."""
    step_minutes: Annotated[int, Field(ge=0, le=1440)] = 5
    """For canary and linear: how long each step bakes."""
    alarms: tuple[str, ...] = ()
    """CloudWatch alarms that roll the deployment back."""
    hooks: tuple[Hook, ...] = ()
    """Functions that are asked on the way."""


class LoadBalancer(Model):
    """An application load balancer in front of the service."""

    public: bool = True
    """Reachable from the internet, or inside the VPC only."""
    certificate: Arn | None = None
    """ACM certificate; with it the listener speaks HTTPS and HTTP redirects to it."""
    paths: Annotated[tuple[str, ...], Field(min_length=1)] = ("/*",)
    """Paths that lead to this service."""
    hosts: tuple[str, ...] = ()
    """Host names that lead to this service; all when left out."""
    waf: Arn | None = None
    """Web ACL in front of it."""
    deregistration_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """How long requests in flight may take when a task goes."""
    access_logs: bool = True
    """Whether each request is logged, in a bucket that is created for it and keeps it for 90 days."""
    deletion_protection: bool = False
    """Whether AWS refuses to delete it until this is taken back."""

    @model_validator(mode="after")
    def _one_rule(self) -> LoadBalancer:
        if len(self.paths) + len(self.hosts) > _CONDITIONS:
            raise Misfit(f"a listener rule has at most {_CONDITIONS} paths and hosts together", "paths")
        return self


class Logs(Model):
    """Where the service's output goes."""

    group: str | None = None
    """Log group; `/ecs/<service>` when left out."""
    retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653] = 30
    """How long it is kept."""


class Permission(Model):
    """A statement for the task role, for what the application itself calls."""

    actions: Annotated[tuple[str, ...], Field(min_length=1)]
    """IAM actions."""
    resources: Annotated[tuple[str, ...], Field(min_length=1)]
    """ARNs."""


class HealthCheck(Model):
    """How ECS, Kubernetes and the load balancer ask whether a container is well."""

    path: str = Field(default="", pattern=r"^(/.*)?$")
    """Path; `/healthz` for streams and containers, `/health` for an api, when left out."""
    interval: Annotated[int, Field(ge=5, le=300)] = 15
    """Seconds between two checks."""
    timeout: Annotated[int, Field(ge=2, le=60)] = 5
    """Seconds to answer."""
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    """Failures in a row that make it unhealthy."""
    start_period: Annotated[int, Field(ge=0, le=300)] = 120
    """Seconds in which failures do not count, for loading models."""
    command: tuple[str, ...] | None = None
    """What runs in the container; a request by Python when left out."""


class Service(Model):
    """A service."""

    kind: Kind = "container"
    """streams: `inferfleet run` with a cameras.yaml; api: `inferfleet serve`; container: any image."""
    target: Target | None = None
    """What it runs on; told by `capacity` when left out, else fargate."""
    capacity: str | None = None
    """Name of an entry of `capacity`; the only one that fits the target when left out."""
    image: str
    """Name of an entry of `images`, or a URI."""
    command: tuple[str, ...] | None = None
    """Arguments of the container; what the kind says when left out."""
    cpu: Cpu | None = None
    """CPU units (1024 to a vCPU), `2 vCPU`, or `max`; all of an instance for a GPU task, 1024 else, when left out."""
    memory: Memory | None = None
    """MiB, `4 GB`, or `max` for what fits; max for a GPU task, the least that fits the cpu else, when left out."""
    gpu: Annotated[int, Field(ge=0, le=16)] | SharedGpu = 0
    """GPUs for each task, or a part of one."""
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    """Processor of the image."""
    count: NonNegativeInt | None = None
    """Tasks; 1 for streams, 2 else, when left out. With `scaling` the count it begins with."""
    scaling: Scaling | None = None
    """How the count follows the load."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of the container, for health, metrics and requests."""
    health: HealthCheck = HealthCheck()
    """How its health is asked."""
    load_balancer: LoadBalancer | None = None
    """A load balancer in front of it."""
    config: Path | None = None
    """cameras.yaml of a streams service or serve.yaml of an api, from the folder of this file."""
    environment: dict[VariableName, str | int | float | bool] = {}
    """Environment variables."""
    secrets: dict[VariableName, Arn] = {}
    """Environment variables from Secrets Manager or Parameter Store, by ARN."""
    permissions: tuple[Permission, ...] = ()
    """What the application may call, beyond what `config` already says."""
    exec: bool = False
    """Whether `inferfleet exec` may open a shell in a task."""
    deployment: Deployment = Deployment()
    """How a new version takes over."""
    logs: Logs = Logs()
    """Where its output goes."""
    stop_seconds: Annotated[int, Field(ge=2, le=120)] = 60
    """Seconds between SIGTERM and SIGKILL."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,255}$")
    """Name of the ECS service; `<key>-service` when left out."""
    family: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,255}$")
    """Family of its task definitions; `<key>-gpu` or `<key>-task` when left out."""

    @model_validator(mode="after")
    def _fits_together(self) -> Service:
        shifting = self.deployment.strategy in ("blue-green", "canary", "linear")
        if shifting and self.load_balancer is None:
            raise Misfit(
                f"{self.deployment.strategy} shifts a load balancer's traffic; add load_balancer", "deployment"
            )
        if self.scaling and self.scaling.requests and self.load_balancer is None:
            raise Misfit("requests are counted by the load balancer; add load_balancer", "scaling", "requests")
        if self.kind == "streams" and self.load_balancer is not None:
            raise Misfit("a streams service takes no requests; remove load_balancer", "load_balancer")
        if isinstance(self.gpu, SharedGpu) and self.target == "fargate":
            raise Misfit("Fargate has no GPU to share; use ecs-ec2 or ecs-managed", "gpu")
        return self
