"""The recovery of a fleet's GPUs among its stacks. The stack itself is that of `inferfleet.recovery`."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from constructs import Construct

from inferfleet.deploy.resolve import ResolvedFleet
from inferfleet.recovery.stack.stack import recovery_of
from inferfleet.recovery.stack.tags import instance_tags as managed_tags


def instance_tags(fleet: ResolvedFleet) -> dict[str, str]:
    """The tags that instances need so that recovery may reboot and replace them; none without `recovery`."""
    return managed_tags(fleet.cluster) if fleet.file.recovery is not None else {}


def recovery_stack(scope: Construct, fleet: ResolvedFleet, images: Mapping[str, str]) -> cdk.Stack:
    """Adds the stack of a fleet's `recovery`; it holds Lambda code, which needs a bootstrapped account.

    Args:
        scope: The app.
        fleet: The fleet.
        images: The URIs of the images that the fleet builds.

    Raises:
        InputError: The node agent's image is built by the fleet and not among `images`.
    """
    stack = recovery_of(
        scope,
        fleet.file,
        cluster=fleet.cluster,
        images=images,
        env=cdk.Environment(account=fleet.file.account or cdk.Aws.ACCOUNT_ID, region=fleet.region),
        tags={"inferfleet:fleet": fleet.file.name, **fleet.file.tags},
    )
    assert stack is not None, "only for fleets with recovery"
    return stack
