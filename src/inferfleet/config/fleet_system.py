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
    incident_table: str = "ecs_incident"
    """DynamoDB table with what happened and why."""
    intent_table: str = "ecs_intent"
    """DynamoDB table with what is to be done, recorded before it is done."""
    diagnosis_task: str = "gpu-dcgm-health-check"
    """Family of the task definition made for the DCGM diagnosis; an ARN or `family:revision` is one of yours."""
    diagnosis_image: str | None = None
    """Image with `dcgmi` for the diagnosis; NVIDIA's own when left out."""
    diagnosis_level: Annotated[int, Field(ge=1, le=4)] = 1
    """Level of a first `dcgmi diag`: 1 takes seconds, 2 about two minutes, 3 about fifteen."""
    diagnosis_level_after_repair: Annotated[int, Field(ge=1, le=4)] = 2
    """Level that a repaired node has to pass before it returns."""
    agent_image: str | None = None
    """Image of the node agent, by its name in `images` or as a URI; without it, no agent is deployed."""
    task_roles: tuple[Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/")], ...] = ()
    """ARNs of the roles that jobs run with; recovery can pass no other to a task."""
    dry_run: bool = False
    """Decide and record, and do nothing."""
    reset_gpu: bool = False
    """Whether a GPU may be reset before its node is rebooted."""
    steps: tuple[Literal["restart", "reset", "reboot", "replace"], ...] = ("restart", "reboot", "replace")
    """The ladder, mildest first."""
    attempts: PositiveInt = 3
    """Restarts of a job in a row that did not last, before a person is called."""
    reboots: PositiveInt = 2
    """Reboots of one node within a week, before it is replaced."""
    nodes_at_once: PositiveInt | None = None
    """Nodes under repair at one time; a tenth of the fleet when left out."""
    limits: dict[str, bool | int | float] = {}
    """Any other limit of recovery, by its name in docs/recovery.md."""
    timeout_seconds: Annotated[int, Field(ge=30, le=900)] = 120
    """Longest run of a Lambda function."""
    memory_mib: Annotated[int, Field(ge=128, le=10240)] = 512
    """Memory of a Lambda function."""
    topic: str = "gpu-recovery-notifications"
    """SNS topic for what needs a person."""
    topic_display_name: str = "GPU recovery"
    """How the topic names itself in messages."""


class Alerts(Model):
    """Who is told."""

    topic: str | None = None
    """An SNS topic: an ARN of one that exists, or the name of one to create; `<fleet>-alerts` when left out."""
    emails: tuple[Email, ...] = ()
    """Addresses that are subscribed to it."""


class Budget(Model):
    """A monthly budget with alerts at 80 % and 100 %, and when the forecast exceeds it."""

    monthly_usd: PositiveFloat
    """US dollars a month."""
