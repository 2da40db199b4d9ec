"""The whole of it: `cdk deploy` to the local cloud, a failing GPU, and what becomes of it without anybody's help."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferfleet.recovery.aws.settings import FENCE_ATTRIBUTE
from inferfleet.recovery.core.terms import JobPhase, NodePhase
from tests.e2e.recovery.test_on_the_wire import FAILED, PASSED


@pytest.fixture
def fleet(tmp_path: Path):
    pytest.importorskip("aws_cdk", reason="needs aws-cdk-lib")
    pytest.importorskip("ministack", reason="needs MiniStack")
    tools = pytest.importorskip("inferfleet.deploy.operations.tools")
    if tools.find_cdk() is None:
        pytest.skip("the CDK command line is not installed; `make test` installs it")
    from tests.e2e.recovery.deployed import deployment

    with deployment(tmp_path) as made:
        yield made


def _fail(fleet, rank: int, *, heals: bool) -> str:
    """A rank's GPU fails: its task exits with 134, and diagnoses fail until a reboot, or for good."""
    task = next(item for item in fleet.cluster.running("inferfleet/llm/") if item["group"].endswith(f":{rank}"))
    item = next(one for one in fleet.cluster.instances.values() if one.arn == task["containerInstanceArn"])
    sick = item.boot
    item.verdict = lambda command: PASSED if heals and item.boot > sick else FAILED
    fleet.cluster.exit_task(task["taskArn"], 134)
    return item.id


def _is_up(fleet, generation: int) -> bool:
    job = fleet.job()
    return job.phase is JobPhase.RUNNING and job.generation == generation


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_failing_gpus_are_healed_replaced_and_at_last_a_person_is_called(fleet):
    queue = fleet.subscribe()
    fleet.wait(lambda: sum(1 for _ in fleet.store.scan("node")) == 3, "the reconciler finds the nodes")
    submitted = fleet.command("jobs", "run", "llm", "-t", "train", "--size", "2", "--container", "trainer")
    assert submitted["phase"] == "starting"
    fleet.wait(lambda: _is_up(fleet, 1), "the gang is up")

    healed = _fail(fleet, 1, heals=True)
    fleet.wait(lambda: fleet.node(healed).phase is not NodePhase.IN_SERVICE, "the failing GPU is found")
    fleet.wait(lambda: fleet.node(healed).certified_boot and fleet.node(healed).phase is NodePhase.IN_SERVICE, "healed")
    fleet.wait(lambda: _is_up(fleet, 2), "the gang has restarted")
    item = fleet.cluster.instances[healed]
    fleet.wait(lambda: FENCE_ATTRIBUTE not in item.attributes, "its fence is lifted")
    assert (item.boot, item.status, item.lifecycle) == (2, "ACTIVE", "InService")

    replaced = _fail(fleet, 0, heals=False)
    fleet.wait(lambda: fleet.node(replaced).phase is NodePhase.RETIRED, "the second node is replaced")
    fleet.wait(lambda: _is_up(fleet, 3), "the gang has restarted again")
    assert fleet.heard(queue) == [], "nobody was called for any of this"

    third = _fail(fleet, 1, heals=True)
    fleet.wait(lambda: fleet.job().phase is JobPhase.FAILED, "the third attempt is not made")
    heard: list[dict[str, str]] = []
    fleet.wait(lambda: bool(heard.extend(fleet.heard(queue)) or heard), "a person is called")
    assert heard[0]["Subject"].startswith("GPU recovery needs you: job llm was given up")
    assert "inferfleet jobs retry llm" in heard[0]["Message"]

    fleet.wait(lambda: fleet.node(third).certified_boot and fleet.node(third).phase is NodePhase.IN_SERVICE, "healed")
    stories = {item["subject"]: item for item in fleet.command("recovery", "incidents")}
    assert stories[f"node {healed}"]["outcome"] == "repaired"
    assert stories[f"node {replaced}"]["outcome"] == "replaced"
    assert [item["subject"] for item in fleet.command("recovery", "incidents", "--open")] == ["job llm"]
    assert all(item["same"] for item in fleet.command("recovery", "replay", stories[f"node {healed}"]["id"]))
    assert [name for name, _ in fleet.cluster.calls].count("RebootInstances") <= 4
