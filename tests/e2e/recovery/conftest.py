"""The real handlers with real boto3: DynamoDB from the local cloud, ECS and EC2 from the simulator on the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from inferfleet.recovery.aws import handlers
from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.aws.tables import definitions
from inferfleet.recovery.core.model import Job, Node
from inferfleet.recovery.core.observations import Command, JobSubmitted, Verb
from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.core.terms import FINAL_JOB_PHASES, JobPhase, NodePhase
from inferfleet.recovery.simulator.aws import SmallCluster
from inferfleet.recovery.simulator.wire import served
from tests.localcloud.delivery.cloud import MiniStack

TOPIC = "arn:aws:sns:us-east-1:111122223333:gpu-recovery-notifications"
_CALM = (NodePhase.IN_SERVICE, NodePhase.RETIRED, NodePhase.QUARANTINED)
_ONCE = Config(retries={"total_max_attempts": 1})


class Crash(BaseException):
    """The Lambda dies: nothing that follows is executed, not even an exception handler."""


class Region:
    """A cluster, the tables, and recovery deployed between them."""

    def __init__(self, dynamodb_url: str, wire_url: str, cluster: SmallCluster, policy: Policy) -> None:
        self.cluster = cluster
        prefix = uuid.uuid4().hex[:8]
        names = {f"{kind}_table": f"{prefix}_ecs_{kind}" for kind in ("task", "job", "node", "incident", "intent")}
        self.settings = Settings(
            cluster=cluster.name, topic=TOPIC, diagnosis_task="dcgm", diagnosis_container="dcgm", policy=policy, **names
        )
        self.changes: list[str] = []
        """The calls that changed something, by name."""
        self.reads: list[str] = []
        """The other calls."""
        self.crash_at: int | None = None
        """Which of them the process dies at, counted from 1."""
        self.dies_after_effect = False
        self._clients = {
            name: boto3.client(
                name,
                endpoint_url=dynamodb_url if name == "dynamodb" else wire_url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=_ONCE,
            )
            for name in ("dynamodb", "ecs", "ec2", "autoscaling", "sns", "logs")
        }
        for definition in definitions(self.settings):
            self._clients["dynamodb"].create_table(**definition)
        cluster.definitions["train"] = _definition("main", 8)
        cluster.definitions["dcgm"] = _definition("dcgm", 8)
        self.delivered = 0
        self.reconcile()
        self.changes.clear()

    def parts(self) -> handlers.Parts:
        return handlers.assemble(self.settings, self._client, clock=lambda: self.cluster.now)

    def _client(self, name: str) -> Any:
        return _Mortal(self._clients[name], self)

    def strike(self, name: str) -> bool:
        """Notes a call that changes something; True if the process dies at this one."""
        self.changes.append(name)
        return self.crash_at == len(self.changes)

    # Events

    def deliver(self, *, times: int = 1) -> None:
        """Sends every event that has happened since through the queues to the handlers."""
        while self.delivered < len(self.cluster.events):
            event = self.cluster.events[self.delivered]
            self.delivered += 1
            for _ in range(times):
                self.send(event)

    def lose(self) -> None:
        self.delivered = len(self.cluster.events)

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        batch = {"Records": [{"messageId": "m", "body": json.dumps(event)}]}
        answer: dict[str, Any] = {"batchItemFailures": []}
        for handle in _targets(event):
            answer = handlers.each_message(batch, self.parts(), handle)
            assert answer == {"batchItemFailures": []}, event
        return answer

    def reconcile(self) -> dict[str, int]:
        return self.parts().reconciler().run()

    # What people and the world do

    def submit(self, size: int = 1, job: str = "train") -> None:
        launch = json.dumps({"task_definition": "train", "container": "main"})
        self.parts().recovery.observe(JobSubmitted(job, size, 8, launch))

    def command(self, verb: Verb, target: str = "") -> None:
        self.parts().recovery.observe(Command(verb, target, "tester"))

    def settle(self, minutes: int = 15, *, events: bool = True, skip: Callable[[], None] = lambda: None) -> None:
        """Lets minutes pass: tasks come up, nodes boot or leave, events arrive or are lost, the reconciler runs.

        Stops before, once nothing is left to wait for.
        """
        for _ in range(minutes):
            for node in tuple(self.cluster.rebooted):
                self.cluster.rebooted.remove(node)
                self.cluster.go_down(node)
                self.cluster.now += 120
                self.cluster.come_up(node)
            for node in tuple(self.cluster.terminated):
                self.cluster.terminated.remove(node)
                self.cluster.leave(node)
                self.cluster.add_instance()
            self.cluster.run_pending()
            if events:
                self.deliver()
            else:
                self.lose()
            skip()
            self.cluster.now += 60
            self.reconcile()
            if self.is_at_rest():
                return

    def is_at_rest(self) -> bool:
        """Whether time alone would change nothing more."""
        if self.cluster.rebooted or self.cluster.terminated or self.delivered < len(self.cluster.events):
            return False
        store = self.parts().recovery.store
        return (
            not any(store.open_intents())
            and all(node.phase in _CALM for node in store.scan("node"))
            and all(job.phase in FINAL_JOB_PHASES or job.phase is JobPhase.RUNNING for job in store.scan("job"))
        )

    def node(self, key: str) -> Node:
        found = self.parts().recovery.store.view().node(key)
        assert found is not None
        return found

    def job(self, key: str = "train") -> Job:
        found = self.parts().recovery.store.view().job(key)
        assert found is not None
        return found

    def nodes(self) -> list[str]:
        return list(self.cluster.instances)

    def live(self) -> list[dict[str, Any]]:
        return self.cluster.running("inferfleet/")

    def fail(self, rank: int = 0, exit_code: int = 134) -> str:
        """One of the job's tasks exits; returns its node."""
        task = next(item for item in self.live() if item["group"].endswith(f":{rank}"))
        self.cluster.exit_task(task["taskArn"], exit_code)
        arn = task["containerInstanceArn"]
        return next(item.id for item in self.cluster.instances.values() if item.arn == arn)

    def terminated(self) -> int:
        return self.count("TerminateInstanceInAutoScalingGroup")

    def count(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.cluster.calls)


class _Mortal:
    """A boto3 client whose process can die at a call that changes something, before it or after it."""

    def __init__(self, client: Any, region: Region) -> None:
        self._client_, self._region = client, region

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client_, name)
        if not name.startswith(_CHANGES):
            self._region.reads.append(name)
            return real

        def call(**given: Any) -> Any:
            if not self._region.strike(name):
                return real(**given)
            if self._region.dies_after_effect:
                real(**given)
            raise Crash(name)

        return call


_CHANGES = (
    "put_",
    "delete_",
    "update_",
    "transact_",
    "run_",
    "stop_",
    "reboot_",
    "enter_",
    "exit_",
    "terminate_",
    "publish",
)


def _targets(event: dict[str, Any]) -> list[Any]:
    """What the EventBridge rules say."""
    if event["detail-type"] != "ECS Task State Change":
        return [handlers.on_instance_event]
    return [handlers.on_task_event, handlers.on_diagnosis_event]


def _definition(container: str, gpus: int) -> dict[str, Any]:
    return {
        "family": container,
        "containerDefinitions": [
            {
                "name": container,
                "resourceRequirements": [{"type": "GPU", "value": str(gpus)}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-group": "/ecs/dcgm", "awslogs-stream-prefix": "dcgm"},
                },
            }
        ],
    }


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    emulator = MiniStack(tmp_path_factory.mktemp("ministack"), auth=False)
    yield emulator
    emulator.stop()


@pytest.fixture
def region(ministack: MiniStack) -> Iterator[Callable[..., Region]]:
    """Makes a region with `nodes` nodes of 8 GPUs."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(nodes: int = 3, **limits: Any) -> Region:
            cluster = SmallCluster(nodes=nodes)
            url = stack.enter_context(served(cluster))
            return Region(ministack.url, url, cluster, Policy(**{"max_fenced_share": 1.0, **limits}))

        yield make
