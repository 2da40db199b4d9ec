from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inferfleet.deploy.operations.service import NEVER, ContainerState, DeploymentState, ServiceState, TaskState

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture
def deployment():
    """Makes a deployment; what is not said is that of one that succeeded at noon."""
    plain = DeploymentState(
        arn="arn:aws:ecs:eu-west-1:111122223333:service-deployment/c/s/one", status="SUCCESSFUL", reason="", stage="",
        strategy="ROLLING", created_at=NOON, finished_at=at(3), revision="rev", requested=2, running=2, pending=0,
        traffic=None, rollback_reason="", breaker="MONITORING", failures=0, threshold=3, alarms=(), bake_minutes=0,
    )  # fmt: skip

    def make(**fields):
        return replace(plain, **fields)

    return make


@pytest.fixture
def task():
    """Makes a task that runs; give `exit_code` or `reason` for one that does not."""

    def make(
        name="0123abcd",
        *,
        version="api-task:2",
        exit_code=None,
        health="HEALTHY",
        reason="",
        stop_code="",
        stopped=NEVER,
    ):
        ended = stopped > NEVER
        container = ContainerState("api", "STOPPED" if ended else "RUNNING", health, exit_code, "", (), "sha256:1")
        return TaskState(
            arn=f"arn:aws:ecs:eu-west-1:111122223333:task/c/{name}", task_definition=version,
            status="STOPPED" if ended else "RUNNING", wanted="STOPPED" if ended else "RUNNING", health=health,
            reason=reason, stop_code=stop_code, started_at=NOON, stopped_at=stopped, on="FARGATE", zone="eu-west-1a",
            address="10.0.1.7", containers=(container,),
        )  # fmt: skip

    return make


@pytest.fixture
def service():
    return ServiceState(
        name="api-service", arn="arn:aws:ecs:eu-west-1:111122223333:service/c/api-service", cluster="c",
        status="ACTIVE", desired=2, running=2, pending=0, task_definition="api-task:3", target_groups=(), events=(),
    )  # fmt: skip
