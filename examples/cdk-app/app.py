"""A CDK app of one's own that is partly inferfleet: pictures wait in a queue, and a service of ours labels them.

The network, the cluster and the service are inferfleet's constructs, in a stack with a queue and a table that are not.
`cdk synth` writes the templates; `cdk deploy` deploys them.
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks
from constructs import Construct

from inferfleet.config.fleet import FleetFile
from inferfleet.deploy.reach import reach
from inferfleet.deploy.resolve import ResolvedFleet, resolve
from inferfleet.deploy.stacks import AlertTopic, FleetCluster, FleetNetwork, FleetService, ServiceAlarms

QUEUE = "pictures-to-label"
FLEET: dict[str, Any] = {
    "name": "labels",
    "region": "eu-west-1",
    "images": {"labeller": {"uri": "public.ecr.aws/docker/library/python:3.12-slim"}},
    "services": {
        "labeller": {
            "image": "labeller",
            "command": ["python", "-m", "http.server", "8080"],
            "health": {"path": "/"},
            "cpu": "2 vCPU",
            "environment": {"QUEUE": QUEUE},
            # As many tasks as the queue wants, and none while it is empty.
            "scaling": {"min": 0, "max": 20, "queue": {"name": QUEUE, "per_task": 50}},
        }
    },
}


class LabelStack(cdk.Stack):
    """A queue of pictures, a table of their labels, and the service between them."""

    def __init__(self, scope: Construct, id: str, *, fleet: ResolvedFleet, **props: Any) -> None:
        super().__init__(scope, id, **props)
        queue = sqs.Queue(
            self,
            "Queue",
            queue_name=QUEUE,
            enforce_ssl=True,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=sqs.Queue(self, "GivenUp", enforce_ssl=True), max_receive_count=3
            ),
        )
        labels = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="picture", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
        )
        network = FleetNetwork(self, "Network", settings=fleet.file.network, reach=reach(fleet, None))
        cluster = FleetCluster(self, "Cluster", fleet=fleet, network=network)
        topic = AlertTopic(self, "Alerts", name="labels-alerts", emails=["oncall@example.com"]).topic
        (spec,) = fleet.services
        labeller = FleetService(self, "Labeller", fleet=fleet, service=spec, network=network)
        labeller.node.add_dependency(cluster)
        ServiceAlarms(
            self, "Alarms", fleet=fleet, service=spec, actions=[actions.SnsAction(topic)], log_group=labeller.log_group
        )
        # What the fleet cannot know, since these are not its own.
        queue.grant_consume_messages(labeller.task_role)
        labels.grant_write_data(labeller.task_role)


def main() -> None:
    """Synthesises the app."""
    app = cdk.App()
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    fleet = resolve(FleetFile.model_validate(FLEET))
    LabelStack(app, "Labels", fleet=fleet, env=cdk.Environment(region=fleet.region))
    app.synth()


if __name__ == "__main__":
    main()
