"""What recovery on AWS is told by its environment: tables, cluster, diagnosis task, topic and limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from inferfleet.recovery.core.codec import encode
from inferfleet.recovery.core.policy import Policy, policy_from

FENCE_ATTRIBUTE = "inferfleet.fence"
"""Custom attribute of a fenced container instance; placement of gangs and of careful services requires its absence."""
EMPTIED = "emptied"
"""Value of the fence attribute where recovery itself has set the container instance to DRAINING."""
BOOT_ATTRIBUTE = "inferfleet.boot"
"""Custom attribute in which the node agent keeps `<boot id>@<seconds since the epoch>`."""
EVIDENCE_ATTRIBUTE = "inferfleet.evidence"
"""Custom attribute in which the node agent keeps its last finding, so that a lost event is made good by a listing."""
STOP_MARK = "inferfleet recovery"
"""Begins the reason of every StopTask of ours, so that it is never taken for a user's."""
AGENT_SERVICE = "inferfleet-node-agent"
"""The daemon service that runs the node agent on each GPU instance."""
MANAGED_TAG = "inferfleet:recovery"
"""EC2 tag that an instance needs before recovery may reboot or replace it; IAM requires it, too."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Names and limits.

    Attributes:
        diagnosis_task: Family or ARN of the task definition that runs `dcgmi diag`.
        diagnosis_container: Name of its container, whose command is overridden with the level.
        topic: ARN of the SNS topic.
        lease_seconds: How long an executor may work on an intent: Lambda's own timeout.
        daemons: Services whose tasks are never in the way of a repair.
    """

    cluster: str
    task_table: str = "ecs_task"
    job_table: str = "ecs_job"
    node_table: str = "ecs_node"
    incident_table: str = "ecs_incident"
    intent_table: str = "ecs_intent"
    diagnosis_task: str = "gpu-dcgm-health-check"
    diagnosis_container: str = "dcgm"
    topic: str = ""
    lease_seconds: float = 120.0
    daemons: frozenset[str] = frozenset({AGENT_SERVICE})
    xid_overrides: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Reads the settings from environment variables.

    Raises:
        ValueError: Naming the variable that is missing or makes no sense.
    """
    cluster = environment.get("ECS_CLUSTER_NAME", "")
    if not cluster:
        raise ValueError("ECS_CLUSTER_NAME is not set; it names the cluster that recovery looks after")
    timeout = environment.get("LAMBDA_TIMEOUT_SECONDS", "120")
    if not timeout.isdigit() or not 30 <= int(timeout) <= 900:  # noqa: PLR2004
        raise ValueError(f"LAMBDA_TIMEOUT_SECONDS is {timeout!r}; it must be a number from 30 to 900")
    return Settings(
        cluster=cluster.rsplit("/", 1)[-1],
        task_table=environment.get("TASK_TABLE_NAME", "ecs_task"),
        job_table=environment.get("JOB_TABLE_NAME", "ecs_job"),
        node_table=environment.get("NODE_TABLE_NAME", "ecs_node"),
        incident_table=environment.get("INCIDENT_TABLE_NAME", "ecs_incident"),
        intent_table=environment.get("INTENT_TABLE_NAME", "ecs_intent"),
        diagnosis_task=environment.get("DCGM_HEALTH_CHECK_TASK", "gpu-dcgm-health-check"),
        diagnosis_container=environment.get("DCGM_HEALTH_CHECK_CONTAINER", "dcgm"),
        topic=environment.get("SNS_TOPIC_ARN", ""),
        lease_seconds=float(timeout),
        daemons=frozenset(environment.get("RECOVERY_DAEMONS", AGENT_SERVICE).split(",")),
        xid_overrides=_mapping(environment, "RECOVERY_XID_OVERRIDES"),
        policy=policy_of(environment),
    )


def policy_of(environment: Mapping[str, str]) -> Policy:
    """The limits, from RECOVERY_POLICY.

    Raises:
        ValueError: It is no JSON object, or names a limit that is unknown or makes no sense.
    """
    return policy_from(_mapping(environment, "RECOVERY_POLICY"))


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment variables that `settings_from` reads the same settings from."""
    return {
        "ECS_CLUSTER_NAME": settings.cluster,
        "TASK_TABLE_NAME": settings.task_table,
        "JOB_TABLE_NAME": settings.job_table,
        "NODE_TABLE_NAME": settings.node_table,
        "INCIDENT_TABLE_NAME": settings.incident_table,
        "INTENT_TABLE_NAME": settings.intent_table,
        "DCGM_HEALTH_CHECK_TASK": settings.diagnosis_task,
        "DCGM_HEALTH_CHECK_CONTAINER": settings.diagnosis_container,
        "SNS_TOPIC_ARN": settings.topic,
        "LAMBDA_TIMEOUT_SECONDS": f"{settings.lease_seconds:.0f}",
        "RECOVERY_DAEMONS": ",".join(sorted(settings.daemons)),
        "RECOVERY_XID_OVERRIDES": json.dumps(dict(settings.xid_overrides), sort_keys=True),
        "RECOVERY_POLICY": json.dumps(encode(settings.policy), sort_keys=True),
    }


def _mapping(environment: Mapping[str, str], name: str) -> dict[str, str]:
    try:
        value = json.loads(environment.get(name) or "{}")
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object, found {type(value).__name__}")
    return value
