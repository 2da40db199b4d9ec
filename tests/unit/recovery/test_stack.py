"""The stack: what it makes, with which names and rights, and that its Lambdas run on what it packs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inferfleet.config.fleet_system import Recovery
from inferfleet.errors import InputError
from inferfleet.recovery.aws.settings import environment_of, settings_from
from inferfleet.recovery.core.policy import Policy
from inferfleet.recovery.stack.asset import code_folder
from inferfleet.recovery.stack.options import Options, options_for, options_from

ROLE = "arn:aws:iam::111122223333:role/training"
ENVIRONMENT = {
    "ECS_CLUSTER_NAME": "my-gpu-cluster",
    "TASK_TABLE_NAME": "my_ecs_task",
    "JOB_TABLE_NAME": "my_ecs_job",
    "NODE_TABLE_NAME": "my_ecs_node",
    "LAMBDA_TIMEOUT_SECONDS": "90",
    "LAMBDA_MEMORY_SIZE": "1024",
    "SNS_TOPIC_NAME": "my-gpu-notifications",
    "SNS_TOPIC_DISPLAY_NAME": "My GPU Training Job Notifications",
    "ALERT_EMAIL": "oncall@example.com",
    "JOB_ROLE_ARNS": ROLE,
    "NODE_AGENT_IMAGE": "111122223333.dkr.ecr.us-east-1.amazonaws.com/inferfleet@sha256:" + "0" * 64,
}


def test_a_fleet_that_says_nothing_gets_the_limits_that_were_simulated():
    assert options_for(Recovery(), cluster="gpu").settings.policy == Policy()


def test_a_fleets_recovery_becomes_settings_that_the_lambdas_understand():
    recovery = Recovery(
        attempts=5, reboots=1, nodes_at_once=2, steps=("restart", "reboot"), diagnosis_level=3, limits={"min_fenced": 4}
    )
    settings = options_for(recovery, cluster="gpu").settings
    assert settings_from(environment_of(settings)) == settings
    policy = settings.policy
    assert (policy.job_attempts, policy.node_reboots, policy.min_fenced, policy.diagnose_level) == (5, 1, 4, 3)
    assert policy.allow_replace is False
    assert policy.repair_limit(1000) == 2


def test_a_limit_that_is_not_known_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean min_fenced"):
        options_for(Recovery(limits={"min_fence": 4}), cluster="gpu")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ECS_CLUSTER_NAME": ""}, "ECS_CLUSTER_NAME is not set"),
        ({"LAMBDA_MEMORY_SIZE": "lots"}, "LAMBDA_MEMORY_SIZE"),
        ({"JOB_ROLE_ARNS": "training"}, "is not the ARN of a role"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(change, problem):
    with pytest.raises(InputError, match=problem):
        options_from({**ENVIRONMENT, **change})


def test_the_lambdas_code_needs_nothing_but_the_standard_library_and_boto3():
    with code_folder() as folder:
        load = "import sys; sys.path.append(sys.argv[1]); from inferfleet.recovery.aws import handlers; print(handlers)"
        command = [sys.executable, "-S", "-I", "-c", load, str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert str(folder) in ran.stdout


@pytest.fixture(scope="module")
def template() -> dict:
    """The template of a deployment with everything in it."""
    pytest.importorskip("aws_cdk")
    from aws_cdk import App
    from aws_cdk.assertions import Template

    from inferfleet.recovery.stack.stack import EcsGpuRecoveryStack

    return dict(Template.from_stack(EcsGpuRecoveryStack(App(), options=options_from(ENVIRONMENT))).to_json())


def _of(template: dict, kind: str) -> dict[str, dict]:
    return {name: item["Properties"] for name, item in template["Resources"].items() if item["Type"] == kind}


def test_names_are_those_of_the_environment(template):
    names = {item["TableName"] for item in _of(template, "AWS::DynamoDB::Table").values()}
    assert names == {"my_ecs_task", "my_ecs_job", "my_ecs_node", "ecs_incident", "ecs_intent"}
    (topic,) = _of(template, "AWS::SNS::Topic").values()
    assert (topic["TopicName"], topic["DisplayName"]) == ("my-gpu-notifications", "My GPU Training Job Notifications")


def test_the_functions_carry_the_names_that_users_know_and_their_size(template):
    functions = _of(template, "AWS::Lambda::Function")
    for name in ("EcsTaskHandler", "DcgmTaskMonitor", "EcsInstanceMonitor", "Reconciler"):
        (made,) = [item for key, item in functions.items() if key.startswith(name)]
        assert (made["Timeout"], made["MemorySize"]) == (90, 1024)
        variables = made["Environment"]["Variables"]
        assert variables["ECS_CLUSTER_NAME"] == "my-gpu-cluster"
        assert variables["DCGM_HEALTH_CHECK_TASK"] == "gpu-dcgm-health-check"


def test_every_event_waits_in_a_queue_with_a_dead_letter_queue_and_an_alarm(template):
    queues = _of(template, "AWS::SQS::Queue")
    fed = [item for item in queues.values() if "RedrivePolicy" in item]
    assert len(fed) == 3
    assert all(item["VisibilityTimeout"] == 6 * 90 for item in fed)
    for mapping in _of(template, "AWS::Lambda::EventSourceMapping").values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    for rule in _of(template, "AWS::Events::Rule").values():
        assert all("DeadLetterConfig" in item or "ScheduleExpression" in rule for item in rule["Targets"])
    alarms = _of(template, "AWS::CloudWatch::Alarm")
    assert len(alarms) == 8
    assert all(len(item["AlarmActions"]) == 1 for item in alarms.values())


def test_rules_listen_to_one_cluster_by_its_whole_name(template):
    for rule in _of(template, "AWS::Events::Rule").values():
        pattern = rule.get("EventPattern", {})
        if pattern.get("source") == ["aws.ecs"]:
            assert json.dumps(pattern["detail"]["clusterArn"]).endswith(':cluster/my-gpu-cluster"]]}]')


def test_no_role_may_do_everything_or_open_a_shell(template):
    for kind in ("AWS::IAM::Role", "AWS::IAM::Policy"):
        for item in _of(template, kind).values():
            documents = [item.get("PolicyDocument"), *(one["PolicyDocument"] for one in item.get("Policies", ()))]
            for statement in (one for document in documents if document for one in document["Statement"]):
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert not [action for action in actions if action.startswith("ssm:") or action.endswith("*")]


def test_only_the_diagnosis_and_the_named_roles_are_passed_to_tasks(template):
    statements = [
        statement
        for item in _of(template, "AWS::IAM::Role").values()
        for one in item.get("Policies", ())
        for statement in one["PolicyDocument"]["Statement"]
        if statement["Action"] == "iam:PassRole"
    ]
    (statement,) = statements
    assert ROLE in statement["Resource"]
    assert len(statement["Resource"]) == 3


def test_the_node_agent_is_a_daemon_on_gpu_instances(template):
    (service,) = _of(template, "AWS::ECS::Service").values()
    assert service["SchedulingStrategy"] == "DAEMON"
    assert service["Cluster"] == "my-gpu-cluster"
    assert service["ServiceName"] == "inferfleet-node-agent"
    (definition,) = [
        item for item in _of(template, "AWS::ECS::TaskDefinition").values() if item["Family"] == "inferfleet-node-agent"
    ]
    (container,) = definition["ContainerDefinitions"]
    assert definition["NetworkMode"] == "host"
    assert container["EntryPoint"] == ["python", "-m", "inferfleet.recovery.aws.agent"]
    assert "ResourceRequirements" not in container, "it must not take a GPU from the work that it watches"


def test_without_an_agent_image_there_is_no_daemon_and_a_diagnosis_of_ones_own_is_left_alone():
    pytest.importorskip("aws_cdk")
    from aws_cdk import App
    from aws_cdk.assertions import Template

    from inferfleet.recovery.stack.stack import EcsGpuRecoveryStack

    own = "arn:aws:ecs:us-east-1:111122223333:task-definition/gpu-dcgm-health-check:1"
    options = options_from({**ENVIRONMENT, "NODE_AGENT_IMAGE": "", "DCGM_HEALTH_CHECK_TASK": own})
    found = Template.from_stack(EcsGpuRecoveryStack(App(), options=options))
    found.resource_count_is("AWS::ECS::Service", 0)
    found.resource_count_is("AWS::ECS::TaskDefinition", 0)


def test_nothing_is_needed_of_the_cluster_but_its_name(template):
    assert not _of(template, "AWS::ECS::Cluster")
    assert Options(settings=settings_from({"ECS_CLUSTER_NAME": "theirs"})).settings.cluster == "theirs"


def test_a_fleet_with_recovery_has_its_stack_its_instances_tagged_and_its_services_off_fenced_nodes(tmp_path):
    pytest.importorskip("aws_cdk")
    from inferfleet.config.fleet import read_fleet
    from inferfleet.deploy.resolve import resolve
    from inferfleet.deploy.stacks.synth import synthesise

    folder = Path(__file__).parents[3] / "examples" / "gpu-recovery"
    fleet = resolve(read_fleet(folder / "fleet.yaml", {}))
    assembly = synthesise(fleet, folder, images={}, out=tmp_path / "cdk.out")
    templates = {stack.name: json.loads(stack.template.read_text()) for stack in assembly.stacks}
    assert "EcsGpuRecoveryStack" in templates
    (service,) = _of(templates["gpu-recovery-training"], "AWS::ECS::Service").values()
    assert service["PlacementConstraints"] == [{"Type": "memberOf", "Expression": "attribute:inferfleet.fence !exists"}]
    (group,) = _of(templates["gpu-recovery-cluster"], "AWS::AutoScaling::AutoScalingGroup").values()
    tag = {"Key": "inferfleet:recovery", "Value": "my-gpu-cluster", "PropagateAtLaunch": True}
    assert tag in group["Tags"]


def test_cdk_nag_finds_nothing_that_is_not_acknowledged_with_a_reason(tmp_path):
    pytest.importorskip("cdk_nag")
    from inferfleet.recovery.stack.stack import EcsGpuRecoveryStack
    from tests.unit.deploy.stacks.test_nag import found

    assert found(lambda app: EcsGpuRecoveryStack(app, options=options_from(ENVIRONMENT)), tmp_path) == []
