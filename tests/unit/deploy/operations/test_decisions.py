"""What operations decide before they act: stacks in the way, versions to go back to, how far to scale, what goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inferfleet.deploy.operations import cdk, destroy, sweep, words
from inferfleet.deploy.operations.control import decide_scale
from inferfleet.deploy.operations.execute import choose as choose_task
from inferfleet.deploy.operations.execute import container_of
from inferfleet.deploy.operations.logs import stream_parts
from inferfleet.deploy.operations.mend import Remedy, remedy
from inferfleet.deploy.operations.names import stack_names
from inferfleet.deploy.operations.plan import ImagePlan, Plan, StackPlan, changed_services, rollouts
from inferfleet.deploy.operations.service import NEVER
from inferfleet.deploy.operations.stacks import Action, Change, StackState
from inferfleet.deploy.operations.sweep import Leftover
from inferfleet.deploy.operations.versions import Version, choose
from inferfleet.errors import InputError
from tests.unit.deploy.operations.conftest import at

API = """
    images: {api: {build: .}}
    services:
      api: {kind: api, image: api, count: 2, load_balancer: {}, deployment: {strategy: blue-green}}
"""


def state(name, status="UPDATE_COMPLETE", protected=False):
    return StackState(name, status, "", {}, protected)


# Stacks


@pytest.mark.parametrize(
    ("status", "needed"),
    [
        ("CREATE_COMPLETE", Remedy.NONE),
        ("UPDATE_ROLLBACK_COMPLETE", Remedy.NONE),
        ("ROLLBACK_COMPLETE", Remedy.DELETE),
        ("UPDATE_ROLLBACK_FAILED", Remedy.CONTINUE),
        ("DELETE_FAILED", Remedy.PERSON),
    ],
)
def test_what_an_interrupted_attempt_left_is_cleared_without_losing_anything(status, needed):
    assert remedy(status) is needed


def plan_of(*stacks, fleet="vision"):
    return Plan(fleet, "111122223333", "eu-west-1", False, False, (), tuple(stacks), ())


def test_a_plan_says_when_it_takes_away_what_holds_data():
    table = Change(Action.REPLACE, "Table", "AWS::DynamoDB::Table", ("KeySchema",))
    role = Change(Action.DELETE, "Role", "AWS::IAM::Role")
    plan = plan_of(StackPlan("vision-api", Action.UPDATE, "CREATE_COMPLETE", (table, role)))
    assert plan.losses == ("vision-api: Table (AWS::DynamoDB::Table) is replaced by a new one",)
    assert "This takes away what holds data or traffic" in words.plan(plan)


def test_only_services_that_run_and_change_roll_out(make_fleet):
    fleet = make_fleet(API)
    definition = Change(Action.REPLACE, "Task", "AWS::ECS::TaskDefinition", ("ContainerDefinitions",))
    created = StackPlan("vision-api", Action.CREATE, "", (definition,))
    updated = StackPlan("vision-api", Action.UPDATE, "CREATE_COMPLETE", (definition,))
    other = StackPlan(
        "vision-api", Action.UPDATE, "CREATE_COMPLETE", (Change(Action.UPDATE, "Alarm", "AWS::CloudWatch::Alarm"),)
    )
    assert [changed_services(fleet, [item]) for item in (created, updated, other)] == [[], ["api"], []]
    begun, problems = rollouts(fleet, [updated])
    assert [item.service for item in begun] == ["api"] and not problems


def test_a_rollout_that_can_never_end_is_a_problem_of_the_plan(make_fleet):
    fleet = make_fleet("""
        images: {api: {uri: example.com/api:1}}
        capacity: {gpu: {instances: [g4dn.xlarge], min: 1, max: 1}}
        services: {api: {image: api, gpu: 1, count: 1, deployment: {strategy: rolling}}}
    """)
    change = Change(Action.UPDATE, "Service", "AWS::ECS::Service", ("TaskDefinition",))
    _, problems = rollouts(fleet, [StackPlan("vision-api", Action.UPDATE, "CREATE_COMPLETE", (change,))])
    assert len(problems) == 1 and "raise its max by one instance" in problems[0]


def test_a_plan_reads_from_images_to_rollouts(make_fleet):
    fleet = make_fleet(API)
    change = Change(Action.REPLACE, "Task", "AWS::ECS::TaskDefinition", ("ContainerDefinitions",))
    stack = StackPlan("vision-api", Action.UPDATE, "CREATE_COMPLETE", (change,))
    begun, _ = rollouts(fleet, [stack])
    image = ImagePlan("api", "push", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/api:abc", 3 * 1024 * 1024)
    text = words.plan(Plan("vision", "111122223333", "eu-west-1", False, True, (image,), (stack,), begun))
    wanted = [
        "api: push, 3 MiB",
        "CDKToolkit",
        "~ vision-api: update (1 to replace)",
        "ContainerDefinitions",
        "shift all traffic",
    ]
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)


def test_a_plan_without_changes_says_so():
    plan = plan_of(StackPlan("vision-api", Action.NOTHING, "CREATE_COMPLETE", ()))
    assert plan.changes_nothing and words.plan(plan).endswith("Nothing to change.")


def test_the_lines_of_the_cdk_are_read_as_progress():
    event = cdk.parse("ml-api |  3/12 | 2:30:01 AM | UPDATE_IN_PROGRESS   | AWS::ECS::Service | Service (ServiceD69D)")
    assert event == cdk.StackEvent("ml-api", "3/12", "UPDATE_IN_PROGRESS", "AWS::ECS::Service", "Service (ServiceD69D)")
    done = cdk.parse("ml-api | 12/12 | 2:33:01 AM | UPDATE_COMPLETE      | AWS::CloudFormation::Stack | ml-api")
    assert done is not None and done.is_decided
    cleaning = cdk.parse(
        "ml-api | 2/3 | 2:33:01 AM | UPDATE_COMPLETE_CLEANUP_IN_PROGRESS | AWS::CloudFormation::Stack | ml-api"
    )
    assert cleaning is not None and not cleaning.is_decided
    assert cdk.parse("✨  Deployment time: 3.2s") is None


# Versions

VERSIONS = [
    Version("api-task:5", at(30), False, True),
    Version("api-task:4", at(20), False, False),
    Version("api-task:3", at(10), True, False),
    Version("api-task:2", NEVER, False, False),
]


def test_rolling_back_goes_to_the_last_version_that_succeeded():
    assert choose(VERSIONS, "", "api-task").task_definition == "api-task:3"


def test_without_a_known_success_it_goes_to_the_version_before():
    assert choose([VERSIONS[0], VERSIONS[1], VERSIONS[3]], "", "api-task").task_definition == "api-task:4"


@pytest.mark.parametrize("wanted", ["2", "api-task:2", "arn:aws:ecs:eu-west-1:1:task-definition/api-task:2"])
def test_a_version_can_be_named_in_every_usual_way(wanted):
    assert choose(VERSIONS, wanted, "api-task").task_definition == "api-task:2"


@pytest.mark.parametrize(("wanted", "message"), [("9", "there is no version api-task:9"), ("5", "runs already")])
def test_a_version_that_cannot_be_gone_back_to_is_refused(wanted, message):
    with pytest.raises(InputError, match=message):
        choose(VERSIONS, wanted, "api-task")


def test_the_first_version_has_none_before_it():
    with pytest.raises(InputError, match="no earlier version"):
        choose(VERSIONS[:1], "", "api-task")


# Scaling


def test_a_number_outside_of_what_autoscaling_keeps_is_refused_as_it_would_be_undone(service):
    with pytest.raises(InputError, match="would undo 20; move the limits"):
        decide_scale(service, (2, 10), 20, None, None)
    order = decide_scale(service, (2, 10), 20, None, 40)
    assert (order.count, order.limits) == (20, (2, 40))


def test_limits_need_something_that_scales(service):
    with pytest.raises(InputError, match="nothing scales api-service"):
        decide_scale(service, None, None, 1, None)
    assert decide_scale(service, None, 5, None, None).count == 5


def test_limits_that_contradict_each_other_are_refused(service):
    with pytest.raises(InputError, match="give --min and --max together"):
        decide_scale(service, (2, 10), None, 12, None)


# Tasks and their output


def test_a_command_goes_into_the_newest_task_or_the_one_that_is_named(task):
    tasks = [task("aaa1"), task("bbb2"), task("ccc3", stopped=at(1))]
    assert choose_task(tasks, "aaa").id == "aaa1"
    assert choose_task(tasks, "").id == "bbb2"
    with pytest.raises(InputError, match="no task that runs"):
        choose_task(tasks, "ccc")
    with pytest.raises(InputError, match="has no container web"):
        container_of(tasks[0], "web")


def test_a_stream_tells_its_container_and_task():
    assert stream_parts("ecs/api/0123abcd") == ("api", "0123abcd")
    assert stream_parts("something-else") == ("", "something-else")


# Removing


def removal(fleet, found=(), ordered=(), *, strangers=(), going=(), data=False):
    return destroy.decide("1", "eu-west-1", fleet, ordered, found, strangers=strangers, going=going, data=data)


def test_data_stays_unless_it_is_asked_for(make_fleet):
    fleet, found = make_fleet(API), [Leftover("table", "leases"), Leftover("log group", "/ecs/api")]
    plan = removal(fleet, found)
    assert plan.leftovers == (Leftover("log group", "/ecs/api"),)
    assert [(left.what, "--data" in left.why) for left in plan.kept] == [("table leases", True)]
    assert removal(fleet, found, data=True).leftovers == tuple(found)


def test_what_goes_with_its_stack_is_not_said_to_stay(make_fleet):
    table = Leftover("table", "ecs_node")
    plan = replace(removal(make_fleet(API), [table], going={"ecs_node"}), within=frozenset({"ecs_node"}))
    assert plan.leftovers == (table,) and not plan.kept
    assert "table ecs_node, with its stack and all that is in it" in words.removal(plan)


def test_a_cluster_with_services_of_others_stays_and_so_does_its_network(make_fleet):
    fleet = make_fleet(API)
    ordered = [state(name) for name in reversed(stack_names(fleet))]
    plan = removal(fleet, [Leftover("cluster", "vision-cluster")], ordered, strangers=["billing"])
    assert "vision-cluster" not in {item.name for item in plan.stacks}
    assert "vision-network" not in {item.name for item in plan.stacks}
    assert "vision-api" in {item.name for item in plan.stacks}
    assert not plan.leftovers and "billing" in plan.kept[0].why


def test_a_protected_stack_stays_and_the_way_to_lift_it_is_told(make_fleet):
    plan = removal(make_fleet(API), ordered=[state("vision-api", protected=True)])
    assert not plan.stacks and "--no-enable-termination-protection" in plan.kept[0].why


def test_services_go_before_what_they_stand_on(make_fleet):
    kinds = [item.kind for item in sweep.named(make_fleet(API))]
    order = ["service", "load balancer", "target group", "cluster", "task definitions", "log group", "repository"]
    assert [kinds.index(kind) for kind in order] == sorted(kinds.index(kind) for kind in order)


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        ("arn:aws:dynamodb:eu-west-1:1:table/leases", Leftover("table", "leases")),
        ("arn:aws:s3:::events", Leftover("bucket", "events")),
        ("arn:aws:logs:eu-west-1:1:log-group:/ecs/api:*", Leftover("log group", "/ecs/api")),
        ("arn:aws:ecr:eu-west-1:1:repository/team/api", Leftover("repository", "team/api")),
        ("arn:aws:kinesis:eu-west-1:1:stream/events", Leftover("stream", "events")),
        ("arn:aws:ecs:eu-west-1:1:cluster/c", None),
    ],
)
def test_what_outlives_a_stack_is_known_by_its_arn(arn, found):
    assert sweep.from_arn(arn) == found


def test_what_is_left_is_told_with_its_reason():
    done = destroy.Removed("vision", ("stack vision-api",), (destroy.Left("table leases", "it holds data"),), 12.3)
    assert words.removed(done) == "left: table leases: it holds data\nvision: 1 removed, 1 left, after 12 s"
