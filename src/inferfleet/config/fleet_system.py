"""What watches over a fleet: `recovery`, `alerts`, `dashboards` and `budget` of `fleet.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from inferfleet.config.base import Model

Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Recovery(Model):
    """Finds failing GPUs, diagnoses them, and brings their nodes back or replaces them."""

    task_table: str = "ecs_task"
    """DynamoDB table with the state of each task."""
    job_table: str = "ecs_job"
    """DynamoDB table with the state of each job, a set of tasks that run together."""
    node_table: str = "ecs_node"
    """DynamoDB table with the health of each container instance."""
    diagnosis_task: str = "gpu-dcgm-health-check"
    """Family or ARN of the task definition that runs the DCGM diagnosis."""
    diagnosis_level: Annotated[int, Field(ge=1, le=4)] = 2
    """Level of `dcgmi diag`: 1 takes seconds, 2 about two minutes, 3 about fifteen."""
    reset_gpu: bool = False
    """Whether a GPU may be reset before its node is rebooted."""
    steps: tuple[Literal["restart", "reset", "reboot", "replace"], ...] = ("restart", "reboot", "replace")
    """The ladder, mildest first."""
    attempts: PositiveInt = 2
    """Attempts of each step for one node before the next step."""
    nodes_at_once: PositiveInt = 1
    """Nodes under repair at one time, over the whole fleet."""
    timeout_seconds: Annotated[int, Field(ge=30, le=900)] = 120
    """Longest run of a Lambda function."""
    memory_mib: Annotated[int, Field(ge=128, le=10240)] = 512
    """Memory of a Lambda function."""
    topic: str = "gpu-recovery-notifications"
    """SNS topic for what needs a person."""


class Alerts(Model):
    """Who is told."""

    topic: str | None = None
    """An SNS topic, by name or ARN; `<fleet>-alerts` is created when left out."""
    emails: tuple[Email, ...] = ()
    """Addresses that are subscribed to it."""


class Budget(Model):
    """A monthly budget with alerts at 80 % and 100 %, and when the forecast exceeds it."""

    monthly_usd: PositiveFloat
    """US dollars a month."""
