"""Each resource type that the local cloud adds: made, changed, replaced and removed, as its service tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.localcloud.cloudformation.emulator import DEADLINE_S, Emulator, Stack, error_of

Name = Callable[[str], str]


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def network() -> dict[str, Any]:
    return {
        "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
        "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24"),
    }


def nat(subnet: str = "Subnet") -> dict[str, Any]:
    return {
        "Address": resource("EC2::EIP", Domain="vpc", Tags=[{"Key": "For", "Value": "nat"}]),
        "Gateway": resource("EC2::NatGateway", SubnetId=ref(subnet), AllocationId=att("Address", "AllocationId")),
    }


def test_a_nat_gateway_has_its_address_in_the_calls_of_ec2(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    outputs = {"Ip": {"Value": ref("Address")}, "Nat": {"Value": att("Gateway", "NatGatewayId")}}
    assert stack.create(network() | nat(), **outputs) == "CREATE_COMPLETE", stack.failures()
    found = stack.outputs()
    (gateway,) = ec2.describe_nat_gateways(NatGatewayIds=[found["Nat"]])["NatGateways"]
    (address,) = [item for item in ec2.describe_addresses()["Addresses"] if item["PublicIp"] == found["Ip"]]
    assert gateway["State"] == "available"
    assert gateway["NatGatewayAddresses"][0]["PublicIp"] == found["Ip"]
    assert gateway["NatGatewayAddresses"][0]["AllocationId"] == address["AllocationId"]
    assert address["AssociationId"]
    assert {"Key": "For", "Value": "nat"} in address["Tags"]
    assert error_of(ec2.release_address, AllocationId=address["AllocationId"]) == "InvalidIPAddress.InUse"


def test_a_nat_gateway_in_another_subnet_is_another_one(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    second = {"Second": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24")}
    both = network() | second
    private = resource("EC2::NatGateway", SubnetId=ref("Subnet"), ConnectivityType="private")
    assert stack.create(both | {"Gateway": private}) == "CREATE_COMPLETE", stack.failures()
    before = stack.ids()["Gateway"]
    moved = both | {"Gateway": resource("EC2::NatGateway", SubnetId=ref("Second"), ConnectivityType="private")}
    assert stack.changes(moved) == {"Gateway": ("Modify", "True")}
    assert stack.update(moved) == "UPDATE_COMPLETE", stack.failures()
    after = stack.ids()
    assert after["Gateway"] != before
    states = {item["NatGatewayId"]: item for item in ec2.describe_nat_gateways()["NatGateways"]}
    assert states[before]["State"] == "deleted"
    assert states[after["Gateway"]]["SubnetId"] == after["Second"]


def test_addresses_are_released_with_their_stack(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    assert stack.create(network() | nat()) == "CREATE_COMPLETE", stack.failures()
    address = stack.ids()["Address"]
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert address not in {item["PublicIp"] for item in ec2.describe_addresses()["Addresses"]}


def test_a_nat_gateway_needs_an_address_that_exists(stack: Stack) -> None:
    gateway = resource("EC2::NatGateway", SubnetId=ref("Subnet"), AllocationId="eipalloc-none")
    assert stack.create(network() | {"Gateway": gateway}) == "ROLLBACK_COMPLETE"
    assert "InvalidAllocationID.NotFound" in " ".join(stack.failures())


def groups(port: int = 443) -> dict[str, Any]:
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return network() | {
        "A": resource("EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="a"),
        "B": resource("EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="b"),
        "In": resource("EC2::SecurityGroupIngress", GroupId=ref("A"), SourceSecurityGroupId=ref("B"), **rule),
        "Out": resource("EC2::SecurityGroupEgress", GroupId=ref("B"), DestinationSecurityGroupId=ref("A"), **rule),
    }


def test_groups_that_name_each_other_get_their_rules_and_change_them(aws: Emulator, stack: Stack) -> None:
    ec2 = aws.client("ec2")
    assert stack.create(groups()) == "CREATE_COMPLETE", stack.failures()
    ids = stack.ids()
    assert _ports(ec2, ids["A"], "IpPermissions") == {(443, ids["B"])}
    assert (443, ids["A"]) in _ports(ec2, ids["B"], "IpPermissionsEgress")
    assert stack.changes(groups(8080)) == {"In": ("Modify", "True"), "Out": ("Modify", "True")}
    assert stack.update(groups(8080)) == "UPDATE_COMPLETE", stack.failures()
    assert _ports(ec2, ids["A"], "IpPermissions") == {(8080, ids["B"])}
    described = groups(8080)
    described["In"]["Properties"]["Description"] = "requests"
    assert stack.changes(described) == {"In": ("Modify", "False")}
    assert stack.update(described) == "UPDATE_COMPLETE", stack.failures()
    (group,) = ec2.describe_security_groups(GroupIds=[ids["A"]])["SecurityGroups"]
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["Description"] == "requests"


def _ports(ec2: Any, group: str, direction: str) -> set[tuple[int, str]]:
    (found,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    pairs = [(rule.get("FromPort"), pair) for rule in found[direction] for pair in rule["UserIdGroupPairs"]]
    return {(port, pair["GroupId"]) for port, pair in pairs}


def test_flow_logs_are_those_of_their_network(aws: Emulator, stack: Stack, name: Name) -> None:
    ec2 = aws.client("ec2")
    log = resource(
        "EC2::FlowLog", ResourceId=ref("Vpc"), ResourceType="VPC", TrafficType="ALL",
        LogDestinationType="cloud-watch-logs", LogGroupName=name("flow"),
        DeliverLogsPermissionArn="arn:aws:iam::000000000000:role/flow",
    )  # fmt: skip
    assert stack.create(network() | {"Log": log}) == "CREATE_COMPLETE", stack.failures()
    ids = stack.ids()
    (found,) = ec2.describe_flow_logs(FlowLogIds=[ids["Log"]])["FlowLogs"]
    assert found["ResourceId"] == ids["Vpc"]
    assert stack.update(network()) == "UPDATE_COMPLETE", stack.failures()
    assert not ec2.describe_flow_logs(FlowLogIds=[ids["Log"]])["FlowLogs"]


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


GPU_IMAGE = "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id"


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


def test_a_web_acl_guards_its_load_balancer(aws: Emulator, stack: Stack) -> None:
    wafv2 = aws.client("wafv2")
    visible = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "acl"}
    wanted = network() | {
        "Zone": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b"),
        "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("Subnet"), ref("Zone")]),
        "Acl": resource("WAFv2::WebACL", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=visible),
        "Guard": resource(
            "WAFv2::WebACLAssociation", ResourceArn=ref("Balancer"), WebACLArn=att("Acl", "Arn")
        ),
    }  # fmt: skip
    assert stack.create(wanted) == "CREATE_COMPLETE", stack.failures()
    balancer = stack.ids()["Balancer"]
    guarded = wafv2.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]
    assert guarded["ARN"] == stack.ids()["Guard"].split("|")[0]
    del wanted["Guard"]
    assert stack.update(wanted) == "UPDATE_COMPLETE", stack.failures()
    answer = error_of(wafv2.get_web_acl_for_resource, ResourceArn=balancer)
    assert answer in ("WAFNonexistentItemException", "")


def test_a_composite_alarm_follows_its_rule(aws: Emulator, stack: Stack, name: Name) -> None:
    cloudwatch = aws.client("cloudwatch")
    alarm = resource(
        "CloudWatch::Alarm", AlarmName=name("alarm"), Namespace="Fleet", MetricName=name("Lag"), Statistic="Maximum",
        Period=60, EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    both = resource(
        "CloudWatch::CompositeAlarm", AlarmName=name("both"), AlarmRule={"Fn::Sub": 'ALARM("${Alarm}")'},
        AlarmDescription="before",
    )  # fmt: skip
    assert stack.create({"Alarm": alarm, "Both": both}) == "CREATE_COMPLETE", stack.failures()
    cloudwatch.set_alarm_state(AlarmName=name("alarm"), StateValue="ALARM", StateReason="test")
    asked = {"AlarmNames": [name("both")], "AlarmTypes": ["CompositeAlarm"]}
    (found,) = cloudwatch.describe_alarms(**asked)["CompositeAlarms"]
    assert found["StateValue"] == "ALARM"
    both["Properties"]["AlarmDescription"] = "after"
    assert stack.changes({"Alarm": alarm, "Both": both}) == {"Both": ("Modify", "False")}
    assert stack.update({"Alarm": alarm, "Both": both}) == "UPDATE_COMPLETE", stack.failures()
    (found,) = cloudwatch.describe_alarms(**asked)["CompositeAlarms"]
    assert (found["AlarmDescription"], found["StateValue"]) == ("after", "ALARM")


def test_an_alarm_on_metric_math_follows_its_expression(aws: Emulator, stack: Stack, name: Name) -> None:
    cloudwatch = aws.client("cloudwatch")

    def query(part: str) -> dict[str, Any]:
        metric = {"Namespace": name("Fleet"), "MetricName": part, "Dimensions": [{"Name": "Service", "Value": "api"}]}
        return {"Id": part, "ReturnData": False, "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Sum"}}

    def alarm(above: int) -> dict[str, Any]:
        share = {"Id": "share", "Label": "errors", "Expression": "100 * FILL(failed, 0) / requests"}
        return {
            "Alarm": resource(
                "CloudWatch::Alarm", AlarmName=name("alarm"), EvaluationPeriods=1, Threshold=above,
                ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching",
                Metrics=[share, query("failed"), query("requests")], Tags=[{"Key": "For", "Value": "errors"}],
            )
        }  # fmt: skip

    assert stack.create(alarm(30)) == "CREATE_COMPLETE", stack.failures()
    until = time.monotonic() + DEADLINE_S
    while _state(cloudwatch, name) != "ALARM":
        assert time.monotonic() < until
        dimensions = [{"Name": "Service", "Value": "api"}]
        data = [{"MetricName": part, "Dimensions": dimensions, "Value": value} for part, value in ERRORS.items()]
        cloudwatch.put_metric_data(Namespace=name("Fleet"), MetricData=data)
        time.sleep(0.1)
    arn = cloudwatch.describe_alarms(AlarmNames=[name("alarm")])["MetricAlarms"][0]["AlarmArn"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "For", "Value": "errors"}]
    assert stack.changes(alarm(90)) == {"Alarm": ("Modify", "False")}
    assert stack.update(alarm(90)) == "UPDATE_COMPLETE", stack.failures()
    wrong = alarm(90)
    wrong["Alarm"]["Properties"]["Metrics"][0]["Expression"] = "100 * faild / requests"
    assert stack.update(wrong) == "UPDATE_ROLLBACK_COMPLETE"
    assert "use what is not there" in " ".join(stack.failures())


ERRORS = {"failed": 2.0, "requests": 4.0}


def _state(cloudwatch: Any, name: Name) -> str:
    (found,) = cloudwatch.describe_alarms(AlarmNames=[name("alarm")])["MetricAlarms"]
    return str(found["StateValue"])


def budget(name: Name, amount: float, whom: str) -> dict[str, Any]:
    limit = {"BudgetName": name("budget"), "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    limit["BudgetLimit"] = {"Amount": amount, "Unit": "USD"}  # type: ignore[assignment]
    notification = {"ComparisonOperator": "GREATER_THAN", "NotificationType": "ACTUAL", "Threshold": 80}
    subscribers = [{"SubscriptionType": "EMAIL", "Address": whom}]
    notified = [{"Notification": notification, "Subscribers": subscribers}]
    return {"Budget": resource("Budgets::Budget", Budget=limit, NotificationsWithSubscribers=notified)}


def test_a_budget_changes_its_limit_and_tells_its_subscribers(aws: Emulator, stack: Stack, name: Name) -> None:
    budgets = aws.client("budgets")
    asked = {"AccountId": "000000000000", "BudgetName": name("budget")}
    assert stack.create(budget(name, 100, "a@example.com")) == "CREATE_COMPLETE", stack.failures()
    assert float(budgets.describe_budget(**asked)["Budget"]["BudgetLimit"]["Amount"]) == 100
    assert len(budgets.describe_notifications_for_budget(**asked)["Notifications"]) == 1
    assert stack.update(budget(name, 200, "a@example.com")) == "UPDATE_COMPLETE", stack.failures()
    assert float(budgets.describe_budget(**asked)["Budget"]["BudgetLimit"]["Amount"]) == 200
    assert stack.changes(budget(name, 200, "b@example.com")) == {"Budget": ("Modify", "True")}
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert error_of(budgets.describe_budget, **asked) == "NotFoundException"


@pytest.mark.parametrize("path", ["gpu/recommended", "recommended"])
def test_the_images_of_ecs_are_found_by_their_public_parameters(aws: Emulator, path: str) -> None:
    root = "/aws/service/ecs/optimized-ami/amazon-linux-2023"
    image = aws.client("ssm").get_parameter(Name=f"{root}/{path}/image_id")["Parameter"]["Value"]
    (found,) = aws.client("ec2").describe_images(ImageIds=[image])["Images"]
    assert found["Name"].startswith("al2023-ami-ecs")


def test_a_bucket_is_emptied_before_it_goes(aws: Emulator, stack: Stack, name: Name) -> None:
    s3 = aws.client("s3")
    versions = {"Status": "Enabled"}
    wanted = {
        "Bucket": resource("S3::Bucket", BucketName=name("bucket"), VersioningConfiguration=versions),
        "Empty": {
            "Type": "Custom::S3AutoDeleteObjects",
            "Properties": {"ServiceToken": "arn:aws:lambda:none", "BucketName": ref("Bucket")},
        },
    }
    assert stack.create(wanted) == "CREATE_COMPLETE", stack.failures()
    for body in (b"one", b"two"):
        s3.put_object(Bucket=name("bucket"), Key="picture", Body=body)
    s3.delete_object(Bucket=name("bucket"), Key="picture")
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert name("bucket") not in {item["Name"] for item in s3.list_buckets()["Buckets"]}


@pytest.mark.parametrize(("removal", "stays"), [("destroy", False), ("retain", True)])
def test_the_retention_of_a_log_group_is_set_and_changed(
    aws: Emulator, stack: Stack, name: Name, removal: str, stays: bool
) -> None:
    logs = aws.client("logs")

    def wanted(days: int) -> dict[str, Any]:
        properties = {"LogGroupName": name("group"), "RetentionInDays": str(days), "RemovalPolicy": removal}
        return {"Retention": {"Type": "Custom::LogRetention", "Properties": {"ServiceToken": "none", **properties}}}

    def retention() -> list[int]:
        found = logs.describe_log_groups(logGroupNamePrefix=name("group"))["logGroups"]
        return [item["retentionInDays"] for item in found]

    assert stack.create(wanted(7)) == "CREATE_COMPLETE", stack.failures()
    assert retention() == [7]
    assert stack.update(wanted(14)) == "UPDATE_COMPLETE", stack.failures()
    assert retention() == [14]
    assert stack.delete() == "DELETE_COMPLETE", stack.failures()
    assert bool(retention()) == stays
