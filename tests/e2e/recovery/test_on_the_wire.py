"""Recovery as deployed: handlers, store, effects; ECS and EC2 on the wire, DynamoDB in the local cloud."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError
from typer.testing import CliRunner

from inferfleet.cli.main import build
from inferfleet.errors import InputError
from inferfleet.recovery.aws.settings import EVIDENCE_ATTRIBUTE, FENCE_ATTRIBUTE
from inferfleet.recovery.core.observations import Verb
from inferfleet.recovery.core.record import replay
from inferfleet.recovery.core.terms import JobPhase, NodePhase

FAILED = (
    226,
    json.dumps(
        {
            "DCGM Diagnostic": {
                "test_categories": [
                    {
                        "tests": [
                            {
                                "name": "memory",
                                "results": [
                                    {
                                        "entity_group": "GPU",
                                        "entity_id": 0,
                                        "status": "Fail",
                                        "warnings": [{"error_severity": 2, "warning": "bad"}],
                                    }
                                ],
                            }
                        ]
                    }
                ]
            }
        }
    ),
)
PASSED = (
    0,
    json.dumps(
        {
            "DCGM Diagnostic": {
                "test_categories": [
                    {
                        "tests": [
                            {"name": "memory", "results": [{"entity_group": "GPU", "entity_id": 0, "status": "Pass"}]}
                        ]
                    }
                ]
            }
        }
    ),
)


def _sick_until_boot(region, node: str, boot: int) -> None:
    item = region.cluster.instances[node]
    item.verdict = lambda command: PASSED if item.boot >= boot else FAILED


def _running(region, size: int = 1) -> None:
    region.submit(size)
    region.settle(2)
    assert region.job().phase is JobPhase.RUNNING


def test_a_failing_gpu_is_found_fenced_rebooted_diagnosed_and_the_job_restarted(region):
    fleet = region(nodes=3)
    _running(fleet, 2)
    node = fleet.fail(1)
    _sick_until_boot(fleet, node, 2)
    fleet.deliver()
    assert FENCE_ATTRIBUTE in fleet.cluster.instances[node].attributes
    fleet.settle(6)
    assert fleet.count("RebootInstances") == 1
    assert fleet.cluster.instances[node].boot == 2
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert FENCE_ATTRIBUTE not in fleet.cluster.instances[node].attributes
    assert fleet.job().phase is JobPhase.RUNNING
    assert fleet.job().generation == 2
    assert len(fleet.live()) == 2
    assert fleet.cluster.published == [], "nobody was called"


def test_with_every_event_lost_it_still_converges(region):
    fleet = region(nodes=3)
    fleet.submit(2)
    fleet.settle(3, events=False)
    node = fleet.fail(0)
    _sick_until_boot(fleet, node, 2)
    fleet.settle(12, events=False)
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert fleet.cluster.instances[node].boot == 2
    assert fleet.job().phase is JobPhase.RUNNING
    assert len(fleet.live()) == 2


def test_a_second_failure_is_replaced_and_the_third_attempt_calls_a_person(region):
    fleet = region(nodes=3, job_attempts=2)
    _running(fleet)
    first = fleet.fail()
    _sick_until_boot(fleet, first, 2)
    fleet.settle(5)
    second = fleet.fail()
    _sick_until_boot(fleet, second, 99)
    fleet.settle(8)
    assert fleet.node(second).phase is NodePhase.RETIRED
    assert fleet.job().phase is JobPhase.RUNNING
    fleet.fail()
    fleet.settle(3)
    assert fleet.job().phase is JobPhase.FAILED
    message = fleet.cluster.published[-1]
    assert message["Subject"].startswith("GPU recovery needs you")
    for part in ("Where:", "Tried:", "To do:", "inferfleet recovery explain"):
        assert part in message["Message"]


def test_a_duplicated_stream_does_everything_once(region):
    fleet = region(nodes=3)
    _running(fleet, 2)
    node = fleet.fail(0)
    _sick_until_boot(fleet, node, 2)
    for _ in range(6):
        fleet.deliver(times=2)
        fleet.settle(1)
    assert fleet.count("RebootInstances") == 1
    assert len(fleet.live()) == 2
    assert fleet.job().generation == 2


def test_a_users_stop_restarts_nothing(region):
    fleet = region(nodes=3)
    _running(fleet, 2)
    fleet.cluster.user_stops(fleet.live()[0]["taskArn"])
    fleet.settle(5)
    assert fleet.job().phase is JobPhase.STOPPED
    assert fleet.live() == []
    assert fleet.cluster.running("inferfleet-diagnosis/") == []


def test_a_throttled_start_ends_with_a_whole_gang(region):
    fleet = region(nodes=3)
    fleet.cluster.throttle["RunTask"] = 2
    fleet.submit(2)
    fleet.settle(4)
    assert fleet.job().phase is JobPhase.RUNNING
    assert len(fleet.live()) == 2


def test_events_of_a_cluster_whose_name_begins_like_ours_are_ignored(region):
    fleet = region(nodes=2)
    _running(fleet)
    node = fleet.fail()
    event = fleet.cluster.events[-1]
    event["detail"]["clusterArn"] += "-2"
    fleet.send(event)
    assert fleet.node(node).phase is NodePhase.IN_SERVICE


def test_an_xid_reported_by_the_node_agent_is_acted_on_before_the_task_dies(region):
    fleet = region(nodes=2)
    _running(fleet)
    node = fleet.nodes()[0]
    detail = {
        "cluster": "gpu",
        "node": node,
        "xid": 79,
        "gpu": "",
        "at": fleet.cluster.now,
        "boot": f"{1:08x}-{node[2:]}",
        "text": "lost",
    }
    fleet.send({"detail-type": "inferfleet GPU Finding", "detail": detail})
    assert fleet.node(node).phase is not NodePhase.IN_SERVICE
    fleet.settle(6)
    assert fleet.count("RebootInstances") == 1
    assert fleet.job().phase is JobPhase.RUNNING


def test_evidence_pinned_to_the_instance_is_found_by_the_reconciler(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    fleet.cluster.instances[node].attributes[EVIDENCE_ATTRIBUTE] = f"79//{fleet.cluster.now}/{1:08x}-{node[2:]}/lost"
    fleet.reconcile()
    assert fleet.node(node).phase is NodePhase.REBOOTING


def test_a_node_is_drained_and_returned_by_hand(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    fleet.command(Verb.DRAIN, node)
    assert fleet.node(node).phase is NodePhase.QUARANTINED
    assert FENCE_ATTRIBUTE in fleet.cluster.instances[node].attributes
    fleet.command(Verb.RETURN, node)
    fleet.settle(2)
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert FENCE_ATTRIBUTE not in fleet.cluster.instances[node].attributes


def test_a_reboot_is_refused_while_a_strangers_task_runs_there(region):
    fleet = region(nodes=2)
    _running(fleet)
    node = fleet.fail()
    item = fleet.cluster.instances[node]
    _sick_until_boot(fleet, node, 2)
    fleet.deliver()
    fleet.cluster.run_pending()
    fleet.cluster.definitions["other"] = {"family": "other", "containerDefinitions": [{"name": "x"}]}
    fleet.cluster.serve(
        "RunTask",
        {
            "taskDefinition": "other",
            "startedBy": "someone",
            "placementConstraints": [{"expression": f"ec2InstanceId == {item.id}"}],
        },
    )
    fleet.lose()
    fleet.reconcile()
    assert fleet.count("RebootInstances") == 0


def test_every_decision_of_an_incident_can_be_replayed(region):
    fleet = region(nodes=2)
    _running(fleet)
    node = fleet.fail()
    _sick_until_boot(fleet, node, 2)
    fleet.settle(6)
    store = fleet.parts().recovery.store
    incidents = [item for item in store.scan("incident") if item.subject == f"node {node}"]
    assert [item.outcome for item in incidents] == ["repaired"]
    decisions = store.decisions(incidents[0].id)
    assert len(decisions) >= 3
    assert all(replay(item)[1] for item in decisions)


def test_a_second_token_with_other_parameters_is_refused_by_the_simulator(region):
    fleet = region(nodes=2)
    ecs = fleet._clients["ecs"]
    given = {"cluster": "gpu", "taskDefinition": "train", "clientToken": "t"}
    first = ecs.run_task(**given)
    assert ecs.run_task(**given)["tasks"][0]["taskArn"] == first["tasks"][0]["taskArn"]
    try:
        ecs.run_task(**given, startedBy="x")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ConflictException"
    else:
        raise AssertionError("a conflicting token was accepted")


def _xid(region, node: str, xid: int) -> None:
    item = region.cluster.instances[node]
    detail = {
        "cluster": "gpu",
        "node": node,
        "xid": xid,
        "gpu": "",
        "at": region.cluster.now,
        "boot": f"{item.boot:08x}-{node[2:]}",
        "text": "",
    }
    region.send({"detail-type": "inferfleet GPU Finding", "detail": detail})


def test_a_node_returned_to_service_leaves_standby(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    _xid(fleet, node, 79)
    assert fleet.cluster.instances[node].lifecycle == "Standby", "its group must not replace it while it reboots"
    fleet.settle(5)
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert fleet.cluster.instances[node].lifecycle == "InService"


def test_a_group_that_cannot_spare_a_node_does_not_keep_it_from_its_reboot(region):
    fleet = region(nodes=2)
    fleet.cluster.least = 2
    node = fleet.nodes()[0]
    _xid(fleet, node, 79)
    fleet.settle(5)
    assert fleet.count("RebootInstances") == 1
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert fleet.cluster.instances[node].lifecycle == "InService"


def test_services_tasks_are_moved_off_a_node_that_must_reboot_and_may_come_back(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    item = fleet.cluster.instances[node]
    task = fleet.cluster.place_service("api", node, "train")
    fleet.cluster.run_pending()
    fleet.deliver()
    _xid(fleet, node, 79)
    assert item.status == "DRAINING"
    assert fleet.count("RebootInstances") == 0, "not while a service's task runs there"
    assert fleet.cluster.tasks[task]["lastStatus"] == "STOPPED"
    fleet.settle(6)
    assert fleet.count("RebootInstances") == 1
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert item.status == "ACTIVE"
    assert FENCE_ATTRIBUTE not in item.attributes


def test_a_node_drained_by_hand_is_emptied_by_ecs_and_active_again_once_returned(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    fleet.command(Verb.DRAIN, node)
    assert fleet.cluster.instances[node].status == "DRAINING"
    fleet.command(Verb.RETURN, node)
    fleet.settle(2)
    assert fleet.cluster.instances[node].status == "ACTIVE"
    assert fleet.node(node).phase is NodePhase.IN_SERVICE


def test_a_node_that_someone_else_drains_gets_no_gang_and_is_not_activated(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    fleet.cluster.serve("UpdateContainerInstancesState", _state(fleet, node, "DRAINING"))
    fleet.settle(1)
    fleet.submit(2)
    fleet.settle(3)
    assert fleet.job().phase is JobPhase.WAITING
    assert fleet.cluster.instances[node].status == "DRAINING"
    fleet.cluster.serve("UpdateContainerInstancesState", _state(fleet, node, "ACTIVE"))
    fleet.settle(2)
    assert fleet.job().phase is JobPhase.RUNNING


def _state(region, node: str, status: str) -> dict:
    return {"containerInstances": [region.cluster.instances[node].arn], "status": status}


def test_a_node_of_no_auto_scaling_group_is_given_to_a_person_instead_of_replaced(region):
    fleet = region(nodes=2)
    node = fleet.nodes()[0]
    fleet.cluster.instances[node].grouped = False
    _sick_until_boot(fleet, node, 99)
    fleet.reconcile()
    _xid(fleet, node, 79)
    fleet.settle(8)
    assert fleet.terminated() == 0
    assert fleet.node(node).phase is NodePhase.QUARANTINED
    assert "belongs to no Auto Scaling group" in fleet.cluster.published[-1]["Message"]


def test_a_gpu_reset_is_over_when_its_task_is_and_a_diagnosis_decides(region):
    fleet = region(nodes=2, allow_reset=True)
    node = fleet.nodes()[0]
    _xid(fleet, node, 46)
    assert fleet.node(node).phase is NodePhase.RESETTING, "its task has only begun"
    fleet.settle(3)
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    assert fleet.count("RebootInstances") == 0


def test_a_gpu_reset_that_fails_is_followed_by_a_reboot(region):
    fleet = region(nodes=2, allow_reset=True)
    node = fleet.nodes()[0]
    item = fleet.cluster.instances[node]
    item.verdict = lambda command: (19, "in use by another client") if command == ["reset"] else PASSED
    _xid(fleet, node, 46)
    fleet.settle(6, events=False)
    assert fleet.count("RebootInstances") == 1
    assert fleet.node(node).phase is NodePhase.IN_SERVICE
    incidents = [item for item in fleet.parts().recovery.store.scan("incident") if item.subject == f"node {node}"]
    assert any("in use by another client" in step.text for step in incidents[0].steps)


def test_a_diagnosis_asks_for_as_many_gpus_as_its_node_has(region):
    fleet = region(nodes=2)
    small = fleet.cluster.add_instance(gpus=1)
    fleet.reconcile()
    fleet.command(Verb.DRAIN, small.id)
    fleet.command(Verb.RETURN, small.id)
    fleet.settle(2)
    assert fleet.node(small.id).phase is NodePhase.IN_SERVICE


def test_a_cluster_that_recovery_is_not_deployed_for_is_told_so(ministack, monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": ministack.url,
        "NODE_TABLE_NAME": "no_such_table",
    }.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(build("recovery"), ["recovery", "status", "--cluster", "theirs"])
    assert isinstance(result.exception, InputError)
    assert 'not deployed for the cluster "theirs"' in str(result.exception)


def test_a_minute_in_which_nothing_happened_costs_no_read_of_any_node_or_task(region):
    fleet = region(nodes=3)
    _running(fleet, 2)
    fleet.reconcile()
    fleet.reads.clear()
    fleet.reconcile()
    assert fleet.reads.count("get_item") <= 1, "only the tick's look at the budgets"
