"""What all stacks of a fleet share: account and region, tags, zones without a lookup, and how names become stacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from inferfleet.deploy.resolve import ResolvedFleet


def stack_name(fleet: str, part: str) -> str:
    """The name of a stack of a fleet."""
    return f"{fleet}-{part}"


BOOTSTRAPPED = "inferfleet:bootstrapped"
"""CDK context: `-c inferfleet:bootstrapped=true` deploys with the roles that `cdk bootstrap` has made."""


class FleetStack(cdk.Stack):
    """A stack of a fleet: no assets, so that an account needs no CDK bootstrap, and no lookups.

    It is deployed with the credentials at hand. Where a pipeline may only assume the roles of `cdk bootstrap`, the
    context `inferfleet:bootstrapped` asks for those.

    Args:
        scope: The app.
        part: What part of the fleet it holds; it names the stack.
        fleet: The fleet.
        description: What CloudFormation shows.
        props: More arguments of `aws_cdk.Stack`.
    """

    def __init__(self, scope: Construct, part: str, *, fleet: ResolvedFleet, description: str, **props: Any) -> None:
        props.setdefault("synthesizer", _synthesizer(scope))
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


def _synthesizer(scope: Construct) -> cdk.IReusableStackSynthesizer:
    """Of the CDK's synthesizers this is the one that names no role: those that it names are not there yet."""
    bootstrapped = str(scope.node.try_get_context(BOOTSTRAPPED)).lower() == "true"
    return cdk.DefaultStackSynthesizer() if bootstrapped else cdk.LegacyStackSynthesizer()


def at_home(fleet: ResolvedFleet) -> ResolvedFleet:
    """Returns the fleet in the account that it is deployed to, where its file names none."""
    if fleet.file.account is not None:
        return fleet
    unknown, account = fleet.account, cdk.Aws.ACCOUNT_ID
    services = tuple(replace(item, image=item.image.replace(unknown, account)) for item in fleet.services)
    return replace(fleet, account=account, services=services)


def camel(key: str) -> str:
    """A key of a fleet.yaml as a construct's name: `gpu-small` is `GpuSmall`."""
    return "".join(word.capitalize() for word in key.split("-"))


def output(scope: Construct, name: str, value: str, description: str) -> None:
    """Adds a stack output that operations read."""
    cdk.CfnOutput(scope, name, value=value, description=description).override_logical_id(name)
