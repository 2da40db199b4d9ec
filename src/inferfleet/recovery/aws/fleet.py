"""`recovery:` of a fleet.yaml, as the environment variables that the Lambdas read."""

import json
from typing import Any

from inferfleet.config.fleet_system import Recovery


def environment_for(recovery: Recovery, cluster: str, topic_arn: str) -> dict[str, str]:
    """The environment of the Lambdas.

    Args:
        recovery: The fleet's settings.
        cluster: Name of the cluster.
        topic_arn: ARN of the topic for what needs a person.
    """
    policy: dict[str, Any] = {
        "allow_reset": recovery.reset_gpu or "reset" in recovery.steps,
        "allow_replace": "replace" in recovery.steps,
        "job_attempts": recovery.attempts,
        "node_reboots": recovery.attempts,
        "max_repairs": recovery.nodes_at_once,
        "diagnose_level": recovery.diagnosis_level,
        "diagnose_level_after_repair": recovery.diagnosis_level,
    }
    return {
        "ECS_CLUSTER_NAME": cluster,
        "TASK_TABLE_NAME": recovery.task_table,
        "JOB_TABLE_NAME": recovery.job_table,
        "NODE_TABLE_NAME": recovery.node_table,
        "DCGM_HEALTH_CHECK_TASK": recovery.diagnosis_task,
        "LAMBDA_TIMEOUT_SECONDS": str(recovery.timeout_seconds),
        "LAMBDA_MEMORY_SIZE": str(recovery.memory_mib),
        "SNS_TOPIC_NAME": recovery.topic,
        "SNS_TOPIC_ARN": topic_arn,
        "RECOVERY_POLICY": json.dumps(policy),
    }
