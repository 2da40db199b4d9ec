"""Listener weights: how the controller moves traffic from one target group to the other."""

from __future__ import annotations

import logging

from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.records import Kept

_LOG = logging.getLogger(__name__)
_ALL = 100.0


def shift(kept: Kept) -> None:
    """Sets the weights of a service's listener rules to what its deployment says."""
    deployment = kept.service.deployment
    weight = deployment.weight if deployment.shifts_traffic else _ALL
    revision = kept.revisions[deployment.target]
    for entry, group in zip(revision.settings.get("loadBalancers") or (), revision.groups, strict=True):
        advanced = entry.get("advancedConfiguration") or {}
        pair = (entry.get("targetGroupArn"), advanced.get("alternateTargetGroupArn"))
        if not all(pair):
            continue
        other = pair[1] if group == pair[0] else pair[0]
        for key, share in (("productionListenerRule", weight), ("testListenerRule", deployment.test_weight)):
            if rule := advanced.get(key):
                _weigh(rule, {group: share, str(other): _ALL - share})


def _weigh(rule_arn: str, weights: dict[str, float]) -> None:
    """Gives a rule, or a listener's default rule, one forward action with weights; its other actions stay."""
    from ministack.services import alb

    rules = [rule for arn, rule in alb._rules.items() if arn == rule_arn]
    rules = rules or [rule for rule in alb._rules.values() if rule["ListenerArn"] == rule_arn and rule.get("IsDefault")]
    if not rules:
        _LOG.warning("listener rule %s is gone; its traffic cannot be shifted", rule_arn)
        return
    groups: list[Json] = [{"TargetGroupArn": arn, "Weight": round(weight)} for arn, weight in weights.items()]
    heaviest = max(weights, key=lambda arn: weights[arn])
    forward = {"Type": "forward", "TargetGroupArn": heaviest, "ForwardConfig": {"TargetGroups": groups}}
    for rule in rules:
        kept = [action for action in rule["Actions"] if action["Type"] != "forward"]
        order = max((int(action.get("Order", 0)) for action in kept), default=0) + 1
        rule["Actions"] = [*kept, {**forward, "Order": order}]
        if rule.get("IsDefault"):
            alb._listeners[rule["ListenerArn"]]["DefaultActions"] = rule["Actions"]
