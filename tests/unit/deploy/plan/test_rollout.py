import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.config.fleet import FleetFile
from inferfleet.deploy import resolve
from inferfleet.deploy.plan import rollout, svg, text

GPU = "capacity: {{gpu: {{instances: [g4dn.xlarge], max: {most}}}}}\n"
ONE = GPU + "services: {{d: {{target: ecs-ec2, image: 'x/d:1', gpu: 1, count: {count}, deployment: {deployment}}}}}"


def plan(make_fleet, most, count, deployment="{}"):
    return rollout.plan_fleet(make_fleet(ONE.format(most=most, count=count, deployment=deployment)))[0]


def test_one_gpu_and_a_rolling_deployment_never_finish(make_fleet):
    assert "all 1 tasks must stay up while a new one starts" in plan(make_fleet, 1, 1).problem


def test_a_spare_instance_lets_it_finish_with_two_at_once(make_fleet):
    found = plan(make_fleet, 2, 1)
    assert found.problem == ""
    assert (found.peak_tasks, found.peak_instances, found.gap) == (2, 2, False)
    assert any("an instance to start" in wait for wait in found.waits)


def test_recreate_needs_no_spare_and_leaves_a_gap(make_fleet):
    found = plan(make_fleet, 1, 1, "{strategy: recreate}")
    assert found.problem == ""
    assert (found.peak_tasks, found.gap) == (1, True)
    assert [(phase.old, phase.new) for phase in found.phases] == [(1, 0), (0, 0), (0, 1)]


def test_a_rolling_deployment_goes_step_by_step_when_there_is_little_room(make_fleet):
    found = plan(make_fleet, 4, 3)
    assert [(phase.old, phase.new) for phase in found.phases] == [
        (3, 0), (3, 1), (2, 1), (2, 2), (1, 2), (1, 3), (0, 3),
    ]  # fmt: skip


def test_blue_green_needs_room_for_twice_as_many(make_fleet):
    text_of = GPU + (
        "services: {{d: {{target: ecs-ec2, image: 'x/d:1', gpu: 1, count: 2, load_balancer: {{}},"
        " deployment: {{strategy: blue-green}}}}}}"
    )
    assert (
        "runs 4 tasks at once, and the capacity holds 3"
        in rollout.plan_fleet(make_fleet(text_of.format(most=3)))[0].problem
    )
    assert rollout.plan_fleet(make_fleet(text_of.format(most=4)))[0].problem == ""


def test_other_services_take_instances_of_the_same_capacity(make_fleet):
    text_of = GPU + (
        "services: {{a: {{target: ecs-ec2, image: 'x/a:1', gpu: 1, count: 1}},"
        " b: {{target: ecs-ec2, image: 'x/b:1', gpu: 1, count: 1}}}}"
    )
    assert [bool(item.problem) for item in rollout.plan_fleet(make_fleet(text_of.format(most=2)))] == [True, True]
    assert [bool(item.problem) for item in rollout.plan_fleet(make_fleet(text_of.format(most=3)))] == [False, False]


def test_baking_and_steps_count_in_the_worst_time(make_fleet):
    text_of = (
        "services: {{a: {{image: 'x/a:1', load_balancer: {{}}, deployment: {{strategy: {0}, bake_minutes: 10}}}}}}"
    )
    times = [
        rollout.plan_fleet(make_fleet(text_of.format(name)))[0].worst_seconds
        for name in ("rolling", "blue-green", "linear")
    ]
    assert times == sorted(times)
    assert times[1] - times[0] == 600


@given(
    count=st.integers(1, 12),
    most=st.integers(1, 20),
    minimum=st.integers(0, 100),
    maximum=st.integers(100, 200),
)
def test_a_plan_keeps_the_limits_and_ends_when_nothing_is_in_the_way(count, most, minimum, maximum):
    data = {
        "name": "v",
        "capacity": {"gpu": {"instances": ["g4dn.xlarge"], "max": most}},
        "services": {
            "d": {
                "target": "ecs-ec2", "image": "x/d:1", "gpu": 1, "count": count,
                "deployment": {"strategy": "rolling", "minimum": minimum, "maximum": maximum},
            }
        },
    }  # fmt: skip
    found = rollout.plan(resolve.resolve(FleetFile.model_validate(data)).services[0])
    must, may = -(-count * minimum // 100), count * maximum // 100
    for phase in found.phases:
        assert phase.old + phase.new <= max(may, count)
        assert phase.old + phase.new >= min(must, count)
        assert phase.old >= 0
        assert phase.new <= count
    finished = (found.phases[-1].old, found.phases[-1].new) == (0, count)
    assert finished == (not found.problem)


def test_the_drawing_is_xml_and_names_every_service(make_fleet):
    from xml.etree import ElementTree

    fleet = make_fleet("services: {api: {image: 'x/api:1', load_balancer: {}}, web: {image: 'x/web:1'}}")
    drawing = svg.render(fleet, rollout.plan_fleet(fleet))
    words = " ".join(node.text or "" for node in ElementTree.fromstring(drawing).iter())
    assert all(word in words for word in ("api-service", "web-service", "api-alb", "vision"))


def test_the_text_says_that_a_rollout_cannot_finish(make_fleet):
    fleet = make_fleet(ONE.format(most=1, count=1, deployment="{}"))
    assert "CANNOT FINISH" in text.render(fleet, rollout.plan_fleet(fleet))


@pytest.mark.parametrize(("seconds", "words"), [(60, "1 min"), (61, "2 min"), (0, "0 min")])
def test_times_are_rounded_up(seconds, words):
    assert text.minutes(seconds) == words
