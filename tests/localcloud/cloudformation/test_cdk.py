"""The CDK's command line against the local cloud: a stack is made, changed, left alone by a bad change, and removed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.cloudformation.emulator import Emulator

cdk = pytest.importorskip("aws_cdk", reason="needs the AWS CDK: pip install 'inferfleet[cdk]'")


class CommandLine:
    """`cdk` as its users run it."""

    def __init__(self, aws: Emulator, program: str, folder: Path) -> None:
        from inferfleet.deploy.operations import tools

        self._program = program
        self._folder = folder
        self._environment = tools.quiet_node(aws.environment)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._program, *arguments, "--ci", "--no-notices"],
            env=self._environment, cwd=self._folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def deploy(self, assembly: str) -> subprocess.CompletedProcess[str]:
        return self.run("deploy", "--all", "--app", assembly, "--require-approval", "never", "--outputs-file", "out")


@pytest.fixture
def commands(aws: Emulator, tmp_path: Path) -> CommandLine:
    from inferfleet.deploy.operations import tools

    program = tools.find_cdk()
    if program is None:
        pytest.skip(f"needs the CDK's command line: {tools.INSTALL_CDK}")
    return CommandLine(aws, program, tmp_path)


def app(out: Path, *, address: str = "10.0.0.0/24", target: int = 100, group: str | None = None) -> str:
    """Writes the assembly of two stacks: a network with a way out, and a cluster on it. Where it is."""
    from aws_cdk import aws_autoscaling as autoscaling
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_ecs as ecs
    from aws_cdk import aws_s3 as s3

    made = cdk.App(outdir=str(out), analytics_reporting=False)
    # As fleets have it: the account's own credentials and no bootstrapped roles.
    plain = {"synthesizer": cdk.LegacyStackSynthesizer()}
    network = cdk.Stack(made, "CdkNetwork", **plain)
    vpc = ec2.Vpc(
        network, "Vpc", ip_addresses=ec2.IpAddresses.cidr(address), max_azs=1, nat_gateways=1,
        restrict_default_security_group=False,
    )  # fmt: skip
    s3.Bucket(network, "Bucket", removal_policy=cdk.RemovalPolicy.DESTROY)
    cluster_stack = cdk.Stack(made, "CdkCluster", **plain)
    cluster = ecs.CfnCluster(cluster_stack, "Cluster", cluster_name="cdk-cluster")
    template = ec2.CfnLaunchTemplate(cluster_stack, "Template", launch_template_data={"instanceType": "g4dn.xlarge"})
    latest = {"launchTemplateId": template.ref, "version": template.attr_latest_version_number}
    instances = autoscaling.CfnAutoScalingGroup(
        cluster_stack, "Group", min_size="0", max_size="2", launch_template=latest,
        vpc_zone_identifier=[subnet.subnet_id for subnet in vpc.private_subnets],
    )  # fmt: skip
    provider = ecs.CfnCapacityProvider(
        cluster_stack, "Provider",
        auto_scaling_group_provider={
            "autoScalingGroupArn": group or instances.ref,
            "managedScaling": {"status": "ENABLED", "targetCapacity": target},
        },
    )  # fmt: skip
    ecs.CfnClusterCapacityProviderAssociations(
        cluster_stack, "Association", cluster=cluster.ref, capacity_providers=[provider.ref],
        default_capacity_provider_strategy=[{"capacityProvider": provider.ref, "weight": 1}],
    )  # fmt: skip
    cdk.CfnOutput(cluster_stack, "ProviderName", value=provider.ref)
    made.synth()
    return str(out)


@pytest.mark.slow
def test_stacks_are_made_changed_left_alone_by_a_bad_change_and_removed(
    aws: Emulator, commands: CommandLine, tmp_path: Path
) -> None:
    cloudformation, ec2, ecs = aws.client("cloudformation"), aws.client("ec2"), aws.client("ecs")
    before = {item["PublicIp"] for item in ec2.describe_addresses()["Addresses"]}
    made = commands.deploy(app(tmp_path / "first"))
    assert made.returncode == 0, made.stderr[-3000:]
    name = json.loads((tmp_path / "out").read_text())["CdkCluster"]["ProviderName"]
    assert _target(ecs, name) == 100
    assert len({item["PublicIp"] for item in ec2.describe_addresses()["Addresses"]} - before) == 1

    changed = commands.deploy(app(tmp_path / "second", target=60))
    assert changed.returncode == 0, changed.stderr[-3000:]
    assert _target(ecs, name) == 60

    spoilt = commands.deploy(app(tmp_path / "third", target=80, group="nobody"))
    assert spoilt.returncode == 1
    assert "Auto Scaling group nobody does not exist" in spoilt.stderr
    (stack,) = cloudformation.describe_stacks(StackName="CdkCluster")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert _target(ecs, name) == 60

    gone = commands.run("destroy", "--all", "--force", "--app", str(tmp_path / "second"))
    assert gone.returncode == 0, gone.stderr[-3000:]
    assert not {item["PublicIp"] for item in ec2.describe_addresses()["Addresses"]} - before
    assert name not in {item["name"] for item in ecs.describe_capacity_providers()["capacityProviders"]}
    left = {item["StackName"] for item in cloudformation.list_stacks()["StackSummaries"] if _is_there(item)}
    assert not left & {"CdkNetwork", "CdkCluster"}


def _target(ecs: Any, provider: str) -> int:
    (found,) = ecs.describe_capacity_providers(capacityProviders=[provider])["capacityProviders"]
    return int(found["autoScalingGroupProvider"]["managedScaling"]["targetCapacity"])


def _is_there(stack: dict[str, Any]) -> bool:
    return bool(stack["StackStatus"] != "DELETE_COMPLETE")
