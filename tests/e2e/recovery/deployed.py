"""Recovery deployed to the local cloud by the CDK, with the simulator as its ECS, EC2 and Auto Scaling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from inferfleet.deploy.operations.tools import find_cdk, quiet_node
from inferfleet.localcloud import cloud, events
from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.aws.store import Store
from inferfleet.recovery.core.model import Job, Node
from inferfleet.recovery.simulator.aws import SmallCluster
from inferfleet.recovery.simulator.wire import served

CLUSTER = "training"
STACK = "EcsGpuRecoveryStack"
_PLAYED = ("ECS", "EC2", "AUTO_SCALING", "CLOUDWATCH_LOGS")
"""The services that the simulator plays, as the AWS SDKs name them in AWS_ENDPOINT_URL_<SERVICE>."""
_ROUND_S = 0.25
_RECONCILE_S = 5.0
_PUT_AT_ONCE = 10
_DEADLINE_S = 90.0
EXAMPLE = Path(__file__).parents[3] / "examples" / "gpu-recovery"


class Deployment:
    """The deployed stack, the cluster that it looks after, and the events between them."""

    def __init__(self, cluster: SmallCluster, environment: dict[str, str]) -> None:
        self.cluster = cluster
        self.environment = environment
        self.store = Store(self.client("dynamodb"), Settings(cluster=CLUSTER))
        self._sent = 0
        self._reconciled = 0.0

    @cache  # noqa: B019 - as long as the test
    def client(self, service: str) -> Any:
        """A client of the local cloud."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def command(self, *words: str) -> Any:
        """Runs `inferfleet … --json` as a user would; returns what it prints."""
        ran = subprocess.run(
            [sys.executable, "-m", "inferfleet", *words, "--json"],
            env={**os.environ, **self.environment, "ECS_CLUSTER_NAME": CLUSTER},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def wait(self, until: Callable[[], bool], what: str) -> None:
        """Plays the world until something is so: time passes, nodes boot or leave, tasks come up, events are put."""
        deadline = time.monotonic() + _DEADLINE_S
        while not until():
            assert time.monotonic() < deadline, f"{what}: it did not come to that; {self.describe()}"
            began = time.monotonic()
            self._turn()
            time.sleep(max(0.0, began + _ROUND_S - time.monotonic()))

    def describe(self) -> str:
        """Where everything is, for a failure's message."""
        nodes = [(node.id[-2:], str(node.phase), node.reason) for node in self.store.scan("node")]
        jobs = [(job.id, str(job.phase), job.generation, job.reason) for job in self.store.scan("job")]
        return f"nodes {nodes}; jobs {jobs}; {len(self.cluster.events)} events, calls {self.cluster.calls[-3:]}"

    def _turn(self) -> None:
        cluster = self.cluster
        cluster.now = time.time()
        for node in tuple(cluster.rebooted):
            cluster.rebooted.remove(node)
            cluster.go_down(node)
            cluster.come_up(node)
        for node in tuple(cluster.terminated):
            cluster.terminated.remove(node)
            cluster.leave(node)
            cluster.add_instance()
        cluster.run_pending()
        self._put_events()
        if time.monotonic() > self._reconciled + _RECONCILE_S:
            self._reconciled = time.monotonic()
            self.client("lambda").invoke(FunctionName=self.output("ReconcilerName"), InvocationType="Event")

    def _put_events(self) -> None:
        new = self.cluster.events[self._sent :]
        self._sent += len(new)
        entries = [
            {"Source": item["source"], "DetailType": item["detail-type"], "Detail": json.dumps(item["detail"])}
            for item in new
        ]
        for at in range(0, len(entries), _PUT_AT_ONCE):
            answer = self.client("events").put_events(Entries=entries[at : at + _PUT_AT_ONCE])
            assert answer["FailedEntryCount"] == 0, answer

    @cache  # noqa: B019 - as long as the test
    def output(self, name: str) -> str:
        """One of the stack's outputs."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return str({item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}[name])

    def job(self) -> Job:
        """The job."""
        found: Job = self.store.get("job", "llm")[0]
        return found

    def node(self, key: str) -> Node:
        """A node."""
        found: Node = self.store.get("node", key)[0]
        return found

    def subscribe(self) -> str:
        """A queue that hears what the topic tells; returns its URL."""
        queue: str = self.client("sqs").create_queue(QueueName="person")["QueueUrl"]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        self.client("sns").subscribe(TopicArn=self.output("TopicArn"), Protocol="sqs", Endpoint=attributes["QueueArn"])
        return queue

    def heard(self, queue: str) -> list[dict[str, str]]:
        """Messages that came."""
        answer = self.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(item["Body"]) for item in answer.get("Messages", [])]


@contextmanager
def deployment(folder: Path) -> Iterator[Deployment]:
    """Starts the local cloud and the simulator, and deploys the example's stack between them."""
    with ExitStack() as stack:
        cluster = SmallCluster(CLUSTER, nodes=3, now=time.time(), account=cloud.ACCOUNT)
        wire = stack.enter_context(served(cluster))
        inherited = {events.VARIABLE: "1", **{f"AWS_ENDPOINT_URL_{name}": wire for name in _PLAYED}}
        before = {name: os.environ.get(name) for name in inherited}
        os.environ.update(inherited)
        try:
            running = cloud.start(folder / "cloud", port=0, kvs_port=0)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        stack.callback(cloud.stop, folder / "cloud")
        own = {**running.environment(), **{f"AWS_ENDPOINT_URL_{name}": wire for name in _PLAYED}}
        made = Deployment(cluster, own)
        _deploy(running.environment(), folder)
        diagnosis = made.client("ecs").describe_task_definition(taskDefinition="gpu-dcgm-health-check")
        kept = json.dumps(diagnosis["taskDefinition"], default=datetime.timestamp)
        cluster.definitions["gpu-dcgm-health-check"] = json.loads(kept)
        cluster.definitions["train"] = {
            "family": "train",
            "containerDefinitions": [
                {"name": "trainer", "resourceRequirements": [{"type": "GPU", "value": "8"}]},
            ],
        }
        yield made


def _deploy(environment: dict[str, str], folder: Path) -> None:
    cdk = find_cdk()
    assert cdk is not None
    settings = {"ECS_CLUSTER_NAME": CLUSTER, "RECOVERY_POLICY": json.dumps({"job_attempts": 2})}
    own = quiet_node({**environment, **settings, "CDK_DISABLE_VERSION_CHECK": "1"})
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
    for words in (
        ["bootstrap", f"aws://{cloud.ACCOUNT}/us-east-1"],
        ["deploy", "--require-approval", "never", "--output", str(folder / "cdk.out")],
    ):
        ran = subprocess.run(
            [cdk, *words, "--no-notices"], cwd=EXAMPLE, env=own, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
