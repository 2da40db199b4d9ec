"""Capacity providers of ECS, and which of them a cluster uses."""

from __future__ import annotations

from typing import Any

from tests.localcloud.cloudformation.emulator import Emulator, Stack
from tests.localcloud.cloudformation.template import Name, ref, resource

GPU_IMAGE = "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id"


def cluster(name: Name, target: int = 100, group: str = "Group") -> dict[str, Any]:
    data = {"InstanceType": "g4dn.xlarge", "ImageId": "{{resolve:ssm:" + GPU_IMAGE + "}}"}
    size = {"MinSize": "0", "MaxSize": "2", "LaunchTemplate": {"LaunchTemplateId": ref("Template"), "Version": "1"}}
    scaling = {"Status": "ENABLED", "TargetCapacity": target}
    provider = {
        "AutoScalingGroupArn": ref(group), "ManagedScaling": scaling, "ManagedDraining": "ENABLED",
        "ManagedTerminationProtection": "DISABLED",
    }  # fmt: skip
    spread = [{"CapacityProvider": ref("Provider"), "Weight": 1}]
    return {
        "Cluster": resource("ECS::Cluster", ClusterName=name("cluster")),
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData=data),
        "Group": resource("AutoScaling::AutoScalingGroup", **size),
        "Other": resource("AutoScaling::AutoScalingGroup", **size),
        "Provider": resource("ECS::CapacityProvider", AutoScalingGroupProvider=provider),
        "Association": resource(
            "ECS::ClusterCapacityProviderAssociations", Cluster=ref("Cluster"),
            CapacityProviders=["FARGATE", ref("Provider")], DefaultCapacityProviderStrategy=spread,
        ),
    }  # fmt: skip


def test_capacity_providers_are_those_of_ecs(aws: Emulator, stack: Stack, name: Name) -> None:
    ecs = aws.client("ecs")
    assert stack.create(cluster(name)) == "CREATE_COMPLETE", stack.failures()
    ids = stack.ids()
    provider = _provider(ecs, ids["Provider"])["autoScalingGroupProvider"]
    assert provider["autoScalingGroupArn"].endswith(f"autoScalingGroupName/{ids['Group']}")
    assert provider["managedScaling"]["targetCapacity"] == 100
    assert provider["managedDraining"] == "ENABLED"
    (found,) = ecs.describe_clusters(clusters=[ids["Cluster"]])["clusters"]
    assert found["capacityProviders"] == ["FARGATE", ids["Provider"]]
    assert found["defaultCapacityProviderStrategy"][0]["capacityProvider"] == ids["Provider"]

    assert stack.changes(cluster(name, target=80))["Provider"] == ("Modify", "Conditional")
    assert stack.update(cluster(name, target=80)) == "UPDATE_COMPLETE", stack.failures()
    assert stack.ids()["Provider"] == ids["Provider"]
    changed = _provider(ecs, ids["Provider"])["autoScalingGroupProvider"]
    assert changed["managedScaling"]["targetCapacity"] == 80

    assert stack.update(cluster(name, target=80, group="Other")) == "UPDATE_COMPLETE", stack.failures()
    after = stack.ids()["Provider"]
    assert after != ids["Provider"]
    assert _provider(ecs, ids["Provider"]) is None or _provider(ecs, ids["Provider"])["status"] == "INACTIVE"
    (found,) = ecs.describe_clusters(clusters=[ids["Cluster"]])["clusters"]
    assert found["capacityProviders"] == ["FARGATE", after]


def _provider(ecs: Any, name: str) -> Any:
    found = ecs.describe_capacity_providers(capacityProviders=[name])["capacityProviders"]
    return found[0] if found else None


def test_instances_that_ecs_manages_keep_their_requirements(aws: Emulator, stack: Stack, name: Name) -> None:
    ecs = aws.client("ecs")
    template = {
        "Ec2InstanceProfileArn": "arn:aws:iam::000000000000:instance-profile/p",
        "NetworkConfiguration": {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"]},
        "InstanceRequirements": {
            "VCpuCount": {"Min": 2, "Max": "8"}, "MemoryMiB": {"Min": 4096}, "AcceleratorCount": {"Min": 1, "Max": 1},
        },
    }  # fmt: skip
    managed = {
        "InfrastructureRoleArn": "arn:aws:iam::000000000000:role/r", "InstanceLaunchTemplate": template,
        "PropagateTags": "CAPACITY_PROVIDER",
    }  # fmt: skip
    wanted = {
        "Cluster": resource("ECS::Cluster", ClusterName=name("cluster")),
        "Provider": resource(
            "ECS::CapacityProvider", ClusterName=ref("Cluster"), Name=name("p"), ManagedInstancesProvider=managed
        ),
    }
    assert stack.create(wanted) == "CREATE_COMPLETE", stack.failures()
    kept = _provider(ecs, name("p"))["managedInstancesProvider"]
    assert kept["infrastructureRoleArn"] == "arn:aws:iam::000000000000:role/r"
    assert kept["instanceLaunchTemplate"]["instanceRequirements"]["vCpuCount"] == {"min": 2, "max": 8}


def test_a_group_of_instances_that_does_not_exist_rolls_back(aws: Emulator, stack: Stack) -> None:
    provider = resource("ECS::CapacityProvider", AutoScalingGroupProvider={"AutoScalingGroupArn": "nobody"})
    assert stack.create({"Provider": provider}) == "ROLLBACK_COMPLETE"
    assert "Auto Scaling group nobody does not exist" in " ".join(stack.failures())
