"""Task definitions and services of ECS, and how they are scaled."""

from __future__ import annotations

from typing import Any

from tests.localcloud.cloudformation.emulator import Emulator, Stack
from tests.localcloud.cloudformation.template import Name, att, ref, resource


def task(name: Name, image: str = "none.invalid/worker:1") -> dict[str, Any]:
    container = {
        "Name": "worker", "Image": image, "Memory": 64, "Essential": True,
        "HealthCheck": {"Command": ["CMD", "true"], "Interval": 5, "Retries": "2"},
        "DependsOn": [{"ContainerName": "worker", "Condition": "START"}],
        "LinuxParameters": {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}},
        "Secrets": [{"Name": "TOKEN", "ValueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/token"}],
    }  # fmt: skip
    del container["DependsOn"]
    volume = {"Name": "spool", "DockerVolumeConfiguration": {"Scope": "shared", "Labels": {"For": "events"}}}
    return resource(
        "ECS::TaskDefinition", Family=name("task"), ContainerDefinitions=[container], Volumes=[volume],
        RequiresCompatibilities=["EC2"], RuntimePlatform={"CpuArchitecture": "X86_64"},
    )  # fmt: skip


def service(name: Name, **more: Any) -> dict[str, Any]:
    return {
        "Cluster": resource("ECS::Cluster", ClusterName=name("cluster")),
        "Task": task(name),
        "Service": resource(
            "ECS::Service", Cluster=ref("Cluster"), TaskDefinition=ref("Task"), ServiceName=name("service"),
            **{"DesiredCount": 0, **more},
        ),
    }  # fmt: skip


def test_task_definitions_keep_all_that_the_template_says(aws: Emulator, stack: Stack, name: Name) -> None:
    assert stack.create({"Task": task(name)}) == "CREATE_COMPLETE", stack.failures()
    ecs = aws.client("ecs")
    found = ecs.describe_task_definition(taskDefinition=stack.ids()["Task"])["taskDefinition"]
    (container,) = found["containerDefinitions"]
    assert container["healthCheck"]["command"] == ["CMD", "true"]
    assert container["healthCheck"]["retries"] == 2
    assert container["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}}
    assert container["secrets"][0]["name"] == "TOKEN"
    assert found["volumes"][0]["dockerVolumeConfiguration"]["labels"] == {"For": "events"}
    before = stack.ids()["Task"]
    newer = {"Task": task(name, "none.invalid/worker:2")}
    assert stack.changes(newer) == {"Task": ("Modify", "True")}
    assert stack.update(newer) == "UPDATE_COMPLETE", stack.failures()
    assert stack.ids()["Task"] == before.removesuffix(":1") + ":2"
    status = ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]["status"]
    assert status == "INACTIVE"


def test_services_keep_all_that_the_template_says_and_change_in_place(aws: Emulator, stack: Stack, name: Name) -> None:
    ecs = aws.client("ecs")
    more = {
        "EnableExecuteCommand": "true", "AvailabilityZoneRebalancing": "DISABLED", "PropagateTags": "SERVICE",
        "DeploymentConfiguration": {"MaximumPercent": 100, "MinimumHealthyPercent": "0"},
    }  # fmt: skip
    outputs = {"Name": {"Value": att("Service", "Name")}, "Arn": {"Value": ref("Service")}}
    assert stack.create(service(name, **more), **outputs) == "CREATE_COMPLETE", stack.failures()
    assert stack.outputs()["Name"] == name("service")
    found = _service(ecs, name)
    assert found["serviceArn"] == stack.outputs()["Arn"]
    assert found["enableExecuteCommand"] is True
    assert found["deploymentConfiguration"]["minimumHealthyPercent"] == 0
    wider = service(name, **more | {"DeploymentConfiguration": {"MaximumPercent": 200, "MinimumHealthyPercent": 50}})
    assert stack.changes(wider) == {"Service": ("Modify", "False")}
    assert stack.update(wider) == "UPDATE_COMPLETE", stack.failures()
    assert _service(ecs, name)["deploymentConfiguration"]["minimumHealthyPercent"] == 50
    assert stack.changes(service(lambda what: name(what) + "-b", **more))["Service"] == ("Modify", "True")


def _service(ecs: Any, name: Name) -> Any:
    found = ecs.describe_services(cluster=name("cluster"), services=[name("service")])["services"]
    return next(item for item in found if item["status"] == "ACTIVE")


def scaled(name: Name, most: int = 4, value: float = 50.0, **more: Any) -> dict[str, Any]:
    wanted = service(name)
    identity = {
        "ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": {"Fn::Join": ["/", ["service", ref("Cluster"), att("Service", "Name")]]},
    }  # fmt: skip
    night = {"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)", "Timezone": "Europe/Zurich"}
    night["ScalableTargetAction"] = {"MaxCapacity": 1}
    tracking = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "TargetValue": value,
    }
    wanted["Target"] = resource(
        "ApplicationAutoScaling::ScalableTarget", MinCapacity=0, MaxCapacity=most, ScheduledActions=[night], **identity
    )
    wanted["Policy"] = resource(
        "ApplicationAutoScaling::ScalingPolicy", PolicyName="cpu", PolicyType="TargetTrackingScaling",
        ScalingTargetId=ref("Target"), TargetTrackingScalingPolicyConfiguration=tracking,
    )  # fmt: skip
    return wanted | more


def test_scalable_targets_and_policies_are_those_of_application_auto_scaling(
    aws: Emulator, stack: Stack, name: Name
) -> None:
    scaling, cloudwatch = aws.client("application-autoscaling"), aws.client("cloudwatch")
    assert stack.create(scaled(name)) == "CREATE_COMPLETE", stack.failures()
    asked = {"ServiceNamespace": "ecs", "ResourceId": f"service/{name('cluster')}/{name('service')}"}
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[asked["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 4)
    (action,) = scaling.describe_scheduled_actions(**asked)["ScheduledActions"]
    assert (action["Timezone"], action["ScalableTargetAction"]) == ("Europe/Zurich", {"MaxCapacity": 1})
    (policy,) = scaling.describe_scaling_policies(**asked)["ScalingPolicies"]
    assert policy["PolicyARN"] == stack.ids()["Policy"]
    names = [alarm["AlarmName"] for alarm in policy["Alarms"]]
    alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert sorted(alarm["Threshold"] for alarm in alarms) == [45.0, 50.0]

    other = scaled(name, most=6, value=70.0)
    assert stack.changes(other) == {"Target": ("Modify", "False"), "Policy": ("Modify", "False")}
    assert stack.update(other) == "UPDATE_COMPLETE", stack.failures()
    (policy,) = scaling.describe_scaling_policies(**asked)["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0
    assert not cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]

    assert stack.update(service(name)) == "UPDATE_COMPLETE", stack.failures()
    assert not scaling.describe_scaling_policies(**asked)["ScalingPolicies"]
    assert not scaling.describe_scheduled_actions(**asked)["ScheduledActions"]


def test_a_policy_that_cannot_work_leaves_the_earlier_state(aws: Emulator, stack: Stack, name: Name) -> None:
    scaling = aws.client("application-autoscaling")
    assert stack.create(scaled(name)) == "CREATE_COMPLETE", stack.failures()
    wrong = scaled(name, most=9)
    wrong["Policy"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"] = {
        "PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": "loadbalancer/app/a/1/targetgroup/b/2"
    }  # fmt: skip
    assert stack.update(wrong) == "UPDATE_ROLLBACK_COMPLETE"
    assert "ResourceLabel" in " ".join(stack.failures())
    (target,) = scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[f"service/{name('cluster')}/{name('service')}"]
    )["ScalableTargets"]
    assert target["MaxCapacity"] == 4


def test_a_target_needs_a_service_that_exists(stack: Stack) -> None:
    target = resource(
        "ApplicationAutoScaling::ScalableTarget", ServiceNamespace="ecs", ResourceId="service/nowhere/nobody",
        ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=2,
    )  # fmt: skip
    assert stack.create({"Target": target}) == "ROLLBACK_COMPLETE"
    assert "ECS service doesn't exist" in " ".join(stack.failures())
