"""The load balancers in front of services, and how each target of theirs is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferfleet.deploy.operations.account import Account, is_missing


@dataclass(frozen=True, slots=True)
class BalancerState:
    """A load balancer.

    Attributes:
        arn: Its ARN.
        name: Its name.
        url: Where it answers.
        targets: How many targets are in which state, by target group.
    """

    arn: str
    name: str
    url: str
    targets: Mapping[str, Mapping[str, int]]


def read_balancers(account: Account, groups: Sequence[str]) -> list[BalancerState]:
    """The load balancers that send to these target groups; those that are gone are left out."""
    client = account.client("elbv2")
    groups_of: dict[str, list[str]] = {}
    for group in groups:
        try:
            described = client.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
        except Exception as error:
            if is_missing(error):
                continue
            raise
        for arn in described[0].get("LoadBalancerArns", ()):
            groups_of.setdefault(arn, []).append(group)
    found = []
    for arn, mine in groups_of.items():
        item = client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        targets = {group.split("/")[-2]: _health(account, group) for group in mine}
        found.append(BalancerState(arn, item["LoadBalancerName"], _url(account, item), targets))
    return found


def _health(account: Account, group: str) -> dict[str, int]:
    answer = account.client("elbv2").describe_target_health(TargetGroupArn=group)
    return dict(Counter(item["TargetHealth"]["State"] for item in answer["TargetHealthDescriptions"]))


def _url(account: Account, item: Mapping[str, str]) -> str:
    """The address; the local cloud has one port for all its balancers, and tells them apart by the path."""
    if account.is_local:
        return f"{account.endpoint}/_alb/{item['LoadBalancerName']}"
    listeners = account.client("elbv2").describe_listeners(LoadBalancerArn=item["LoadBalancerArn"])["Listeners"]
    secure = any(listener["Protocol"] == "HTTPS" for listener in listeners)
    return f"{'https' if secure else 'http'}://{item['DNSName']}"
