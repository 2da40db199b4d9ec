"""What all stacks of a fleet share: account and region, tags, zones without a lookup, and how names become stacks."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct

from inferfleet.deploy.resolve import ResolvedFleet


def stack_name(fleet: str, part: str) -> str:
    """The name of a stack of a fleet."""
    return f"{fleet}-{part}"


class FleetStack(cdk.Stack):
    """A stack of a fleet: no assets, so that an account needs no CDK bootstrap, and no lookups.

    Args:
        scope: The app.
        part: What part of the fleet it holds; it names the stack.
        fleet: The fleet.
        description: What CloudFormation shows.
        props: More arguments of `aws_cdk.Stack`.
    """

    def __init__(self, scope: Construct, part: str, *, fleet: ResolvedFleet, description: str, **props: Any) -> None:
        props.setdefault("synthesizer", cdk.BootstraplessSynthesizer())
        super().__init__(
            scope,
            stack_name(fleet.file.name, part),
            env=cdk.Environment(account=fleet.file.account or cdk.Aws.ACCOUNT_ID, region=fleet.region),
            tags={"inferfleet:fleet": fleet.file.name, **fleet.file.tags},
            description=description,
            **props,
        )
        self._zones = fleet.file.network.zones

    @property
    def availability_zones(self) -> list[str]:
        """The zones of a network that is created; CloudFormation fills them in, so that nothing is looked up."""
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(self._zones)]


def camel(key: str) -> str:
    """A key of a fleet.yaml as a construct's name: `gpu-small` is `GpuSmall`."""
    return "".join(word.capitalize() for word in key.split("-"))


def output(scope: Construct, name: str, value: str, description: str) -> None:
    """Adds a stack output that operations read."""
    cdk.CfnOutput(scope, name, value=value, description=description).override_logical_id(name)
