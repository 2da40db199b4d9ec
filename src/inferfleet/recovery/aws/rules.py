"""The EventBridge rules in front of the queues, as patterns: exact matches, so no other cluster is heard."""

from dataclasses import dataclass
from typing import Any

from inferfleet.recovery.aws.agent import DETAIL_TYPE, SOURCE


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, the Lambda behind its queue, and what it matches."""

    name: str
    function: str
    pattern: dict[str, Any]


def rules(cluster_arn: str, cluster: str) -> tuple[Rule, ...]:
    """The rules for one cluster."""
    ours = {"clusterArn": [cluster_arn]}
    diagnosis = [{"prefix": "inferfleet-diagnosis/"}]
    return (
        Rule(
            "recovery-tasks",
            "EcsTaskHandler",
            {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": ours},
        ),
        Rule(
            "recovery-diagnoses",
            "DcgmTaskMonitor",
            {
                "source": ["aws.ecs"],
                "detail-type": ["ECS Task State Change"],
                "detail": {**ours, "lastStatus": ["STOPPED"], "startedBy": diagnosis},
            },
        ),
        Rule(
            "recovery-instances",
            "EcsInstanceMonitor",
            {
                "source": ["aws.ecs"],
                "detail-type": ["ECS Container Instance State Change", "ECS Container Instance Health Change"],
                "detail": ours,
            },
        ),
        Rule(
            "recovery-findings",
            "EcsInstanceMonitor",
            {"source": [SOURCE], "detail-type": [DETAIL_TYPE], "detail": {"cluster": [cluster]}},
        ),
        Rule(
            "recovery-spot",
            "EcsInstanceMonitor",
            {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]},
        ),
    )
