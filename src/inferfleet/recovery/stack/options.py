"""What a deployment of recovery is told: by the environment variables of its CDK app, or by a fleet.yaml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from inferfleet.config.fleet_system import Recovery
from inferfleet.errors import InputError
from inferfleet.recovery.aws.settings import Settings, settings_from
from inferfleet.recovery.core.policy import policy_from

DCGM_IMAGE = "nvcr.io/nvidia/cloud-native/dcgm:4.2.3-1-ubuntu22.04"
"""NVIDIA's own image with `dcgmi`, pulled without an account."""
TOPIC = "gpu-recovery-notifications"
DISPLAY_NAME = "GPU recovery"
_ROLE = re.compile(r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to deploy.

    Attributes:
        settings: Names and limits, as the Lambdas read them.
        memory_mib: Memory of each Lambda function.
        topic_name: The SNS topic that is created for what needs a person.
        emails: Addresses that are subscribed to it.
        task_roles: ARNs of the roles that jobs run with (task and execution roles); no other is passed to a task.
        diagnosis_image: What `dcgmi` comes from, unless the diagnosis's task definition is one that exists.
        agent_image: An image with inferfleet and its `node-agent` extra; "" deploys no node agent.
    """

    settings: Settings
    memory_mib: int = 512
    topic_name: str = TOPIC
    topic_display_name: str = DISPLAY_NAME
    emails: tuple[str, ...] = ()
    task_roles: tuple[str, ...] = ()
    diagnosis_image: str = DCGM_IMAGE
    agent_image: str = ""

    def __post_init__(self) -> None:
        """Refuses roles that are none.

        Raises:
            InputError: Naming the role.
        """
        for role in self.task_roles:
            if not _ROLE.match(role):
                raise InputError(
                    f'recovery: task role "{role}" is not the ARN of a role; it looks like '
                    "arn:aws:iam::111122223333:role/training"
                )

    @property
    def own_diagnosis(self) -> bool:
        """Whether the stack makes the diagnosis's task definition; an ARN or `family:revision` is one that exists."""
        return ":" not in self.settings.diagnosis_task


def options_from(environment: Mapping[str, str]) -> Options:
    """Reads the options from environment variables, those of the Lambdas and a few more.

    Raises:
        InputError: Naming the variable that is missing or makes no sense.
    """
    try:
        settings = settings_from(environment)
    except ValueError as error:
        raise InputError(str(error)) from None
    memory = environment.get("LAMBDA_MEMORY_SIZE", "512")
    if not memory.isdigit() or not 128 <= int(memory) <= 10240:  # noqa: PLR2004 - Lambda's quota
        raise InputError(f"LAMBDA_MEMORY_SIZE is {memory!r}; it must be a number from 128 to 10240")
    return Options(
        settings=settings,
        memory_mib=int(memory),
        topic_name=environment.get("SNS_TOPIC_NAME", TOPIC),
        topic_display_name=environment.get("SNS_TOPIC_DISPLAY_NAME", DISPLAY_NAME),
        emails=_list(environment, "ALERT_EMAIL"),
        task_roles=_list(environment, "JOB_ROLE_ARNS"),
        diagnosis_image=environment.get("DCGM_IMAGE", DCGM_IMAGE),
        agent_image=environment.get("NODE_AGENT_IMAGE", ""),
    )


def options_for(recovery: Recovery, *, cluster: str, agent_image: str = "", emails: tuple[str, ...] = ()) -> Options:
    """The options of a fleet's `recovery:`.

    Args:
        recovery: What the file says.
        cluster: Name of the cluster.
        agent_image: URI of the image that `recovery.agent_image` names.
        emails: The fleet's `alerts.emails`.

    Raises:
        InputError: A limit is unknown or makes no sense.
    """
    try:
        settings = settings_for(recovery, cluster)
    except ValueError as error:
        raise InputError(str(error)) from None
    return Options(
        settings=settings,
        memory_mib=recovery.memory_mib,
        topic_name=recovery.topic,
        topic_display_name=recovery.topic_display_name,
        emails=emails,
        task_roles=recovery.task_roles,
        diagnosis_image=recovery.diagnosis_image or DCGM_IMAGE,
        agent_image=agent_image,
    )


def settings_for(recovery: Recovery, cluster: str) -> Settings:
    """A fleet's `recovery:` as the Lambdas' settings; its defaults are those of the policy, which are simulated.

    Raises:
        ValueError: A limit is unknown or makes no sense.
    """
    named = {
        "dry_run": recovery.dry_run,
        "allow_reset": recovery.reset_gpu or "reset" in recovery.steps,
        "allow_replace": "replace" in recovery.steps,
        "job_attempts": recovery.attempts,
        "node_reboots": recovery.reboots,
        "max_repairs": recovery.nodes_at_once or 0,
        "diagnose_level": recovery.diagnosis_level,
        "diagnose_level_after_repair": recovery.diagnosis_level_after_repair,
    }
    return Settings(
        cluster=cluster,
        task_table=recovery.task_table,
        job_table=recovery.job_table,
        node_table=recovery.node_table,
        incident_table=recovery.incident_table,
        intent_table=recovery.intent_table,
        diagnosis_task=recovery.diagnosis_task,
        lease_seconds=float(recovery.timeout_seconds),
        policy=policy_from({**named, **recovery.limits}),
    )


def _list(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in environment.get(name, "").split(",") if item.strip())
