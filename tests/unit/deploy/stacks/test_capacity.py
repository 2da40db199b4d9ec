from __future__ import annotations

CLUSTER = "vision-cluster"


def test_container_insights_are_enhanced(everything):
    cluster = everything.only("AWS::ECS::Cluster", CLUSTER)
    assert cluster["ClusterName"] == "vision-cluster"
    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enhanced"}]


def test_the_association_names_fargate_too_so_that_nothing_is_dropped(everything):
    """RISK 25: the association replaces the list that is there."""
    association = everything.only("AWS::ECS::ClusterCapacityProviderAssociations", CLUSTER)
    names = [item if isinstance(item, str) else item["Ref"] for item in association["CapacityProviders"]]
    assert names[:2] == ["FARGATE", "FARGATE_SPOT"]
    assert len(names) == 4
    assert association["DefaultCapacityProviderStrategy"] == []


def template(everything, key):
    found = everything.all("AWS::EC2::LaunchTemplate", CLUSTER)
    (data,) = [item["LaunchTemplateData"] for name, item in found.items() if key in name]
    return data


def test_gpu_instances_run_the_current_amazon_linux_2023_image_of_ecs(everything):
    """DOC 30: Amazon Linux 2 has ended."""
    parameters = everything.stacks[CLUSTER]["Parameters"]

    def image(key: str) -> str:
        return parameters[template(everything, key)["ImageId"]["Ref"]]["Default"]

    assert image("Gpu") == "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id"
    assert image("Arm") == "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"


def test_no_task_reaches_the_role_of_its_instance(everything):
    """DOC 15: IMDSv2 alone does not keep tasks away."""
    data = template(everything, "Gpu")
    assert data["MetadataOptions"] == {"HttpPutResponseHopLimit": 1, "HttpTokens": "required"}
    assert "ECS_AWSVPC_BLOCK_IMDS=true" in data["UserData"]["Fn::Base64"]


def test_the_root_volume_is_encrypted_and_large_enough(everything):
    """FAIL 29: a CUDA image does not fit the default volume."""
    (device,) = template(everything, "Gpu")["BlockDeviceMappings"]
    assert device["Ebs"] == {"Encrypted": True, "VolumeSize": 120, "VolumeType": "gp3"}


def test_the_first_start_names_the_cluster_and_starts_no_agent(everything):
    """FAIL 20, 21: a literal ${ECS_CLUSTER_NAME}, and an agent that is started by the script which it waits for."""
    script = template(everything, "Gpu")["UserData"]["Fn::Base64"]
    assert "ECS_CLUSTER=vision-cluster\n" in script
    assert "$" not in script
    assert "systemctl" not in script
    assert "ECS_ENABLE_GPU_SUPPORT=true" in script
    assert "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true" in script
    assert "ECS_CONTAINER_STOP_TIMEOUT=60s" in script
    assert "GPU" not in template(everything, "Arm")["UserData"]["Fn::Base64"]


def test_instances_have_a_profile_that_can_join_this_cluster_and_little_else(everything):
    """FAIL 26: the profile was never made."""
    assert "Arn" in template(everything, "Gpu")["IamInstanceProfile"]
    statements = everything.statements(CLUSTER, "ClusterGpuRole")
    wide = [item for item in statements if item["Resource"] == "*"]
    assert [item["Action"] for item in wide] == ["ecs:DiscoverPollEndpoint"]
    assert all(action.startswith("ecs:") for item in statements for action in _list(item["Action"]))


def _list(value):
    return value if isinstance(value, list) else [value]


def test_spot_and_on_demand_are_mixed_as_the_file_says(everything):
    groups = everything.all("AWS::AutoScaling::AutoScalingGroup", CLUSTER)
    (group,) = [item for name, item in groups.items() if "Gpu" in name]
    assert (group["MinSize"], group["MaxSize"]) == ("1", "4")
    mixed = group["MixedInstancesPolicy"]
    assert mixed["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 1,
        "OnDemandPercentageAboveBaseCapacity": 50,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }
    assert [item["InstanceType"] for item in mixed["LaunchTemplate"]["Overrides"]] == ["g5.xlarge", "g4dn.xlarge"]
    assert group["CapacityRebalance"] is True


def test_ecs_scales_drains_and_protects_the_group_that_it_is_given(everything):
    """REJ 19: no ARN with a wildcard. Termination protection needs instances that are protected from the start."""
    providers = everything.all("AWS::ECS::CapacityProvider", CLUSTER)
    (provider,) = [item for item in providers.values() if item["Name"] == "vision-gpu-capacity-provider"]
    settings = provider["AutoScalingGroupProvider"]
    groups = everything.all("AWS::AutoScaling::AutoScalingGroup", CLUSTER)
    group = groups[settings["AutoScalingGroupArn"]["Ref"]]
    assert group["NewInstancesProtectedFromScaleIn"] is True
    assert settings["ManagedTerminationProtection"] == "ENABLED"
    assert settings["ManagedDraining"] == "ENABLED"
    assert settings["ManagedScaling"]["Status"] == "ENABLED"
    assert settings["ManagedScaling"]["TargetCapacity"] == 100


def test_managed_instances_have_the_gpus_that_are_asked_for_and_repair_themselves(everything):
    providers = everything.all("AWS::ECS::CapacityProvider", CLUSTER)
    (provider,) = [item for item in providers.values() if "ManagedInstancesProvider" in item]
    settings = provider["ManagedInstancesProvider"]
    assert provider["ClusterName"]["Ref"] in everything.all("AWS::ECS::Cluster", CLUSTER)
    assert settings["AutoRepairConfiguration"] == {"ActionsStatus": "ENABLED"}
    launch = settings["InstanceLaunchTemplate"]
    wanted = launch["InstanceRequirements"]
    assert wanted["AcceleratorCount"] == {"Min": 1, "Max": 1}
    assert wanted["AcceleratorNames"] == ["l4", "t4"]
    assert wanted["MemoryMiB"] == {"Min": 4096, "Max": 65536}
    assert launch["StorageConfiguration"] == {"StorageSizeGiB": 100}
    (passing,) = everything.statements(CLUSTER, "InfrastructureRole")
    assert passing["Action"] == "iam:PassRole"
    assert passing["Resource"] != "*"
