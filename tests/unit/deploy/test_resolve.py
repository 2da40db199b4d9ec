import pytest

from inferfleet.deploy.resolve import capacity_provider, ecs_capacity, tasks_per_instance
from inferfleet.errors import InputError

GPU = "capacity: {gpu: {instances: [g4dn.xlarge]}}\n"


def service(fleet):
    return fleet.services[0]


def test_a_gpu_task_takes_what_fits_on_its_instance(make_fleet):
    found = service(make_fleet(GPU + "services: {d: {target: ecs-ec2, image: 'x/d:1', gpu: 1}}"))
    assert (found.cpu, found.memory, found.gpus) == (4096, 14976, 1)
    assert found.memory < 16384
    assert tasks_per_instance(found) == 1


def test_gpu_tasks_share_an_instance_with_several_gpus(make_fleet):
    found = service(
        make_fleet(
            "capacity: {gpu: {instances: [g4dn.12xlarge]}}\nservices: {d: {target: ecs-ec2, image: 'x/d:1', gpu: 1}}"
        )
    )
    assert found.cpu == 48 * 1024 // 4
    assert tasks_per_instance(found) == 4


def test_a_part_of_a_gpu_lets_several_tasks_share_it(make_fleet):
    text = GPU + "services: {d: {target: ecs-ec2, image: 'x/d:1', gpu: {memory: 4 GB}, cpu: 512, memory: 1 GB}}"
    assert tasks_per_instance(service(make_fleet(text))) == 4


@pytest.mark.parametrize(
    ("setting", "cpu", "memory"),
    [("", 1024, 2048), ("cpu: 512", 512, 2048), ("cpu: 2048", 2048, 4096), ("memory: max", 1024, 8192)],
)
def test_fargate_takes_a_size_that_there_is(make_fleet, setting, cpu, memory):
    found = service(make_fleet(f"services: {{d: {{target: fargate, image: 'x/d:1', {setting}}}}}"))
    assert (found.cpu, found.memory) == (cpu, memory)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            GPU + "services: {d: {target: ecs-ec2, image: 'x/d:1', memory: 16384}}",
            "g4dn.xlarge leaves 14976 MiB to tasks",
        ),
        (GPU + "services: {d: {target: ecs-ec2, image: 'x/d:1', cpu: 8192}}", "g4dn.xlarge has 4096"),
        (GPU + "services: {d: {target: ecs-ec2, image: 'x/d:1', gpu: 2}}", "2 GPUs a task, and g4dn.xlarge has 1 GPU"),
        ("services: {d: {target: fargate, image: 'x/d:1', gpu: 1}}", "Fargate has no GPUs"),
        ("services: {d: {target: fargate, image: 'x/d:1', cpu: 1000}}", "no size with 1000 CPU units"),
        ("services: {d: {target: fargate, image: 'x/d:1', memory: 2500}}", "the nearest is 3072 MiB"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(make_fleet, text, says):
    with pytest.raises(InputError, match=r"services\.d") as error:
        make_fleet(text)
    assert says in str(error.value)


def test_names_are_those_that_users_know(make_fleet):
    fleet = make_fleet(
        GPU + "name: kvs-infer\nservices: {kvs-infer: {kind: streams, target: ecs-ec2, image: 'x/d:1', gpu: 1}}"
    )
    found = service(fleet)
    assert fleet.cluster == "kvs-infer-cluster"
    assert found.names.service == "kvs-infer-service"
    assert found.names.family == "kvs-infer-gpu"
    assert found.names.log_group == "/ecs/kvs-infer"
    assert found.names.task_role == "kvs-infer-task-role"
    assert found.providers[0].name == "kvs-infer-gpu-capacity-provider"
    assert found.health_path == "/healthz"


def test_streams_are_recreated_and_the_rest_rolls(make_fleet):
    fleet = make_fleet("services: {a: {kind: streams, image: 'x/a:1'}, b: {kind: api, image: 'x/b:1'}}")
    assert [(item.strategy, item.minimum, item.maximum, item.count) for item in fleet.services] == [
        ("recreate", 0, 100, 1),
        ("rolling", 100, 200, 2),
    ]


@pytest.mark.parametrize(
    ("key", "settings", "name"),
    [
        ("api", "{}", "api-alb"),
        ("api", "{public: false}", "api-internal-alb"),
        ("the-classifier-of-the-quality-gate-east", "{}", "the-classifier-of-the-1096c6-alb"),
    ],
)
def test_a_load_balancer_has_a_name_that_fits_and_changes_with_what_replaces_it(make_fleet, key, settings, name):
    fleet = make_fleet(f"services: {{{key}: {{kind: api, image: 'x/api:1', load_balancer: {settings}}}}}")
    assert fleet.services[0].names.load_balancer == name
    assert len(name) <= 32


def test_a_capacity_provider_has_no_name_that_aws_keeps_for_itself():
    assert capacity_provider("vision", "gpu") == "vision-gpu-capacity-provider"
    assert capacity_provider("ecs-vision", "gpu") == "on-ecs-vision-gpu-capacity-provider"


def test_capacity_that_only_kubernetes_uses_is_not_of_ecs(make_fleet):
    capacity = "capacity: {nodes: {instances: [g6.xlarge]}, gpu: {instances: [g5.xlarge]}}\n"
    eks = "k: {target: eks, capacity: nodes, image: 'x/k:1', gpu: 1}"
    both = make_fleet(f"{capacity}services: {{{eks}, e: {{target: ecs-ec2, capacity: gpu, image: 'x/e:1', gpu: 1}}}}")
    assert set(ecs_capacity(both)) == {"gpu"}
    assert ecs_capacity(make_fleet(f"{capacity}services: {{{eks}}}")) == {}
