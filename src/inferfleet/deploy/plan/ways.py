"""The ways out of a fleet's private subnets, in words: which endpoints there are, and what NAT is for."""

from __future__ import annotations

from inferfleet.config.fleet_network import Network
from inferfleet.deploy.reach import Reach


def lines(network: Network, ways: Reach) -> tuple[str, ...]:
    """Returns what a plan says of the ways out.

    Args:
        network: The `network` of a fleet.yaml.
        ways: What the fleet needs and gets.
    """
    if network.vpc is not None:
        made = [f"Endpoints that are made in {network.vpc}: {_names(ways)}"] if ways.endpoints else []
        return (*made, *_reasons(ways, f"These need a way out of {network.vpc} that is there already:"))
    endpoints = f"Endpoints: {_names(ways)}" if ways.endpoints else "No endpoints"
    gateways = f"{ways.nat_gateways} NAT gateway{'s' * (ways.nat_gateways != 1)}"
    if not ways.nat_gateways:
        return (
            endpoints,
            *(_reasons(ways, "No NAT gateway, and these need one:") or ("No NAT gateway: nothing needs one",)),
        )
    unneeded = f"{gateways}, and nothing needs one; `nat: auto` would leave it out"
    return (endpoints, *(_reasons(ways, f"{gateways}, for:") or (unneeded,)))


def _names(ways: Reach) -> str:
    return ", ".join(f"{item.name} (free)" if item.is_gateway else item.name for item in ways.endpoints)


def _reasons(ways: Reach, title: str) -> tuple[str, ...]:
    return (title, *(f"  {need}" for need in ways.internet)) if ways.internet else ()
