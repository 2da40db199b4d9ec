from __future__ import annotations

import json

import pytest

from inferfleet.config import inline
from tests.unit.deploy.stacks.conftest import CAMERAS, WORKER

ALL = ("cameras", "blue", "canary", "linear", "part", "tools")


def service(everything, key):
    return everything.only("AWS::ECS::Service", f"vision-{key}")


def container(everything, key):
    (found,) = everything.only("AWS::ECS::TaskDefinition", f"vision-{key}")["ContainerDefinitions"]
    return found


@pytest.mark.parametrize("key", ALL)
def test_capacity_is_a_strategy_and_never_a_launch_type(everything, key):
    """FAIL 1, REJ 56: with a launch type no provider scales; with both AWS refuses."""
    found = service(everything, key)
    assert "LaunchType" not in found
    strategy = found["CapacityProviderStrategy"]
    fargate = {item["CapacityProvider"].startswith("FARGATE") for item in strategy}
    assert len(fargate) == 1, "one kind of provider a strategy"
    assert sum("Base" in item for item in strategy) <= 1


def test_fargate_and_fargate_spot_are_mixed_as_the_file_says(everything):
    assert service(everything, "blue")["CapacityProviderStrategy"] == [
        {"CapacityProvider": "FARGATE", "Weight": 1, "Base": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 2},
    ]


def test_no_service_on_fargate_has_a_gpu_and_the_others_ask_for_theirs(everything):
    """REJ 55."""
    assert container(everything, "cameras")["ResourceRequirements"] == [{"Type": "GPU", "Value": "1"}]
    part = {"NvidiaMps": {"Memory": 4096, "MaxComputePercent": 50}}
    assert container(everything, "part")["ResourceRequirements"] == [{"Type": "GPU", "SharingStrategy": part}]
    for key in ("blue", "canary", "linear"):
        assert "ResourceRequirements" not in container(everything, key)


def test_a_gpu_task_leaves_the_instance_its_memory(everything):
    """FAIL 2: an instance registers less than it advertises."""
    assert int(everything.only("AWS::ECS::TaskDefinition", "vision-cameras")["Memory"]) <= 15000


def test_images_run_by_digest(everything):
    """RISK 10."""
    assert container(everything, "cameras")["Image"] == WORKER
    assert all("@sha256:" in container(everything, key)["Image"] for key in ALL)


def test_no_image_is_expired_while_a_task_definition_may_still_name_it(everything):
    """RISK 28, and a tag never moves."""
    repository = everything.only("AWS::ECR::Repository", "vision-registry")
    assert repository["RepositoryName"] == "vision/worker"
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    (rule,) = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged"
    assert rule["selection"]["countType"] == "sinceImagePushed"


@pytest.mark.parametrize("key", ALL)
def test_a_failed_deployment_is_rolled_back_whatever_its_strategy(everything, key):
    breaker = service(everything, key)["DeploymentConfiguration"]["DeploymentCircuitBreaker"]
    assert breaker == {"Enable": True, "Rollback": True}


def test_cameras_are_never_read_twice_while_a_version_is_replaced(everything):
    """RISK 4, FAIL 3: one GPU, one reader."""
    found = service(everything, "cameras")
    configuration = found["DeploymentConfiguration"]
    assert (configuration["MinimumHealthyPercent"], configuration["MaximumPercent"]) == (0, 100)
    assert found["AvailabilityZoneRebalancing"] == "DISABLED"


def test_zones_are_not_rebalanced_without_room_for_a_task_more(everything):
    assert service(everything, "tools")["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service(everything, "blue")["AvailabilityZoneRebalancing"] == "ENABLED"


def test_blue_green_is_that_of_ecs_with_two_target_groups_and_the_rule_that_it_shifts(everything):
    """FAIL 46: a rolling update by another name."""
    found = service(everything, "blue")
    configuration = found["DeploymentConfiguration"]
    assert configuration["Strategy"] == "BLUE_GREEN"
    assert configuration["BakeTimeInMinutes"] == 7
    (balancer,) = found["LoadBalancers"]
    shifted = balancer["AdvancedConfiguration"]
    (rule,) = everything.all("AWS::ElasticLoadBalancingV2::ListenerRule", "vision-blue")
    assert shifted["ProductionListenerRule"] == {"Ref": rule}
    forward = everything.only("AWS::ElasticLoadBalancingV2::ListenerRule", "vision-blue")["Actions"][0]["ForwardConfig"]
    assert forward["TargetGroups"] == [
        {"TargetGroupArn": balancer["TargetGroupArn"], "Weight": 100},
        {"TargetGroupArn": shifted["AlternateTargetGroupArn"], "Weight": 0},
    ]
    role = everything.stacks["vision-blue"]["Resources"][shifted["RoleArn"]["Fn::GetAtt"][0]]
    assert "AmazonECSInfrastructureRolePolicyForLoadBalancers" in json.dumps(role["Properties"]["ManagedPolicyArns"])


def test_canary_and_linear_shift_in_the_steps_of_the_file(everything):
    canary = service(everything, "canary")["DeploymentConfiguration"]
    assert canary["Strategy"] == "CANARY"
    assert canary["CanaryConfiguration"] == {"CanaryPercent": 5, "CanaryBakeTimeInMinutes": 3}
    linear = service(everything, "linear")["DeploymentConfiguration"]
    assert linear["Strategy"] == "LINEAR"
    assert linear["LinearConfiguration"] == {"StepPercent": 25, "StepBakeTimeInMinutes": 5}


def test_hooks_are_asked_with_a_role_that_may_call_them_alone(everything):
    (hook,) = service(everything, "blue")["DeploymentConfiguration"]["LifecycleHooks"]
    assert hook["HookTargetArn"] == "arn:aws:lambda:eu-west-1:111122223333:function:ask"
    assert hook["LifecycleStages"] == ["POST_SCALE_UP"]
    assert hook["RoleArn"]["Fn::GetAtt"][0] in everything.all("AWS::IAM::Role", "vision-blue")
    (statement,) = everything.statements("vision-blue", "HookRole")
    assert statement["Resource"] == hook["HookTargetArn"]


def test_requests_that_fail_take_a_deployment_back_unless_the_file_names_its_own_alarms(everything):
    alarms = service(everything, "canary")["DeploymentConfiguration"]["Alarms"]
    assert (alarms["Enable"], alarms["Rollback"]) == (True, True)
    (name,) = alarms["AlarmNames"]
    alarm = everything.stacks["vision-canary"]["Resources"][name["Ref"]]["Properties"]
    assert alarm["TreatMissingData"] == "notBreaching"
    assert service(everything, "linear")["DeploymentConfiguration"]["Alarms"]["AlarmNames"] == ["too-slow"]
    assert "Alarms" not in service(everything, "cameras")["DeploymentConfiguration"]


def test_the_task_role_allows_what_the_cameras_need_and_what_exec_needs(everything):
    """FAIL 5, FAIL 6, RISK 7."""
    statements = {item["Sid"]: item for item in everything.statements("vision-cameras", "TaskRole")}
    assert set(statements) == {
        "OpenShell", "PublishEvents", "ReadModels", "ReadVideo", "StoreEvents", "StorePictures",
    }  # fmt: skip
    assert set(statements["OpenShell"]["Action"]) == {
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    }  # fmt: skip
    assert [key for key, item in statements.items() if item["Resource"] == "*"] == ["OpenShell"]
    assert "s3:PutObjectAcl" not in json.dumps(statements)
    assert service(everything, "cameras")["EnableExecuteCommand"] is True


def test_the_execution_role_reads_the_one_secret_and_makes_no_log_group(everything):
    """FAIL 38: the group is made here, with its retention; awslogs is not asked to."""
    statements = {item["Sid"]: item for item in everything.statements("vision-cameras", "ExecutionRole")}
    secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:camera-a1b2c3"
    assert statements["ReadSecrets"]["Resource"] == secret
    pulled = statements["PullImage"]["Resource"]
    assert pulled == "arn:aws:ecr:eu-west-1:111122223333:repository/vision/worker"
    assert "logs:CreateLogGroup" not in json.dumps(statements)
    group = everything.only("AWS::Logs::LogGroup", "vision-cameras")
    assert (group["LogGroupName"], group["RetentionInDays"]) == ("/ecs/cameras", 7)
    options = container(everything, "cameras")["LogConfiguration"]["Options"]
    assert "awslogs-create-group" not in options
    assert options["awslogs-group"] == "/ecs/cameras"


def test_a_log_group_can_be_made_again_after_the_fleet_was_destroyed(everything):
    """DOC 68: log groups stay behind by default, and their name is taken then."""
    for stack, template in everything.stacks.items():
        for key, resource in template["Resources"].items():
            if resource["Type"] in ("AWS::Logs::LogGroup", "AWS::ECR::Repository", "AWS::S3::Bucket"):
                assert resource.get("DeletionPolicy") == "Delete", (stack, key)


def test_only_this_accounts_tasks_and_services_can_take_the_roles(everything):
    for stack in (f"vision-{key}" for key in ALL):
        for key, role in everything.all("AWS::IAM::Role", stack).items():
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}, key


def test_the_configuration_is_in_the_task_definition_and_the_secret_is_not(everything):
    environment = {item["Name"]: item["Value"] for item in container(everything, "cameras")["Environment"]}
    assert inline.unpack(environment[inline.VARIABLE]) == CAMERAS
    assert "CAMERA_PASSWORD" not in environment
    (secret,) = container(everything, "cameras")["Secrets"]
    assert secret["Name"] == "CAMERA_PASSWORD"


def test_health_is_asked_by_what_the_image_has(everything):
    """FAIL 39: no curl in a slim image."""
    for key in ALL:
        command = container(everything, key)["HealthCheck"]["Command"]
        assert command[:2] == ["CMD", "python"]
        assert "curl" not in str(command)


def test_a_service_waits_for_its_log_group_and_its_policies(everything):
    definition = next(
        item
        for item in everything.stacks["vision-cameras"]["Resources"].values()
        if item["Type"] == "AWS::ECS::TaskDefinition"
    )
    kinds = {everything.stacks["vision-cameras"]["Resources"][key]["Type"] for key in definition["DependsOn"]}
    assert {"AWS::Logs::LogGroup", "AWS::IAM::Policy"} <= kinds


def test_an_unknown_account_is_filled_in_by_cloudformation(existing):
    statements = {item["Sid"]: item for item in existing.statements("guest-api", "ExecutionRole")}
    assert "AWS::AccountId" in json.dumps(statements["WriteLogs"])
    assert "AWS_ACCOUNT_ID" not in json.dumps(existing.stacks)
