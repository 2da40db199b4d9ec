"""Requests of CreateService and UpdateService → what a deployment needs to know, with ECS's defaults and refusals."""

from __future__ import annotations

from collections.abc import Mapping

from inferfleet.localcloud.ecs.launch import Json
from inferfleet.localcloud.ecs.model import Breaker, Rules, Step, Strategy

DEPLOYING = (
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
"""Settings whose change makes a new deployment (API reference, UpdateService), as that of the task definition does."""

OTHERS = (
    "deploymentConfiguration",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "placementConstraints",
    "placementStrategy",
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "propagateTags",
)
"""Settings that change in place."""

_MINUTE_S = 60.0
_ALL = 100.0
_CANARY = {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}
_LINEAR = {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}
"""ECS's defaults (API reference, CanaryConfiguration and LinearConfiguration)."""


class Refused(Exception):
    """A request that ECS refuses.

    Attributes:
        code: The name of the exception in the API.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> Refused:
    """A refusal of a parameter."""
    return Refused("InvalidParameterException", message)


def configuration(given: Json | None, before: Json | None = None) -> Json:
    """A complete deployment configuration: what is given, what was before, and ECS's defaults.

    Raises:
        Refused: Something in it cannot be.
    """
    merged: Json = {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
        **(before or {}),
        **{key: value for key, value in (given or {}).items() if value is not None},
    }
    if merged["strategy"] not in Strategy.__members__:
        raise invalid(f"deployment strategy {merged['strategy']!r} is not one of {', '.join(Strategy)}")
    if not (given or {}).get("strategy") or merged["strategy"] != "ROLLING":
        return merged
    for key in ("linearConfiguration", "canaryConfiguration"):
        merged.pop(key, None)
    return merged


def rules(configured: Json, balancers: list[Json], pace: float) -> Rules:
    """How to deploy, from a complete deployment configuration.

    Args:
        configured: The configuration.
        balancers: The `loadBalancers` of the service.
        pace: How much faster than AWS's the time of bakes passes.
    """
    strategy = Strategy(configured["strategy"])
    breaker = configured.get("deploymentCircuitBreaker") or {}
    threshold = breaker.get("thresholdConfiguration") or {}
    alarms = configured.get("alarms") or {}
    watches = bool(alarms.get("enable"))
    return Rules(
        strategy=strategy,
        minimum_percent=int(configured["minimumHealthyPercent"]),
        maximum_percent=int(configured["maximumPercent"]),
        bake_s=float(configured["bakeTimeInMinutes"]) * _MINUTE_S / pace,
        steps=steps(strategy, configured, pace),
        breaker=Breaker(
            enabled=bool(breaker.get("enable")),
            rollback=bool(breaker.get("rollback")),
            resets=bool(breaker.get("resetOnHealthyTask", True)),
            kind=threshold.get("type", "BOUNDED_PERCENT"),
            value=float(threshold.get("value", 50)),
        ),
        alarms=tuple(alarms.get("alarmNames") or ()) if watches else (),
        alarm_rollback=watches and bool(alarms.get("rollback")),
        has_test_traffic=any((entry.get("advancedConfiguration") or {}).get("testListenerRule") for entry in balancers),
    )


def steps(strategy: Strategy, configured: Mapping[str, Json], pace: float) -> tuple[Step, ...]:
    """Where the traffic stops on its way to the new revision."""
    if strategy is Strategy.CANARY:
        chosen = {**_CANARY, **(configured.get("canaryConfiguration") or {})}
        bake = float(chosen["canaryBakeTimeInMinutes"]) * _MINUTE_S / pace
        return (Step(float(chosen["canaryPercent"]), bake),)
    if strategy is Strategy.LINEAR:
        chosen = {**_LINEAR, **(configured.get("linearConfiguration") or {})}
        share = float(chosen["stepPercent"])
        bake = float(chosen["stepBakeTimeInMinutes"]) * _MINUTE_S / pace
        count = int((_ALL - 1e-9) // share)
        return tuple(Step(share * number, bake) for number in range(1, count + 1))
    return ()


def checked_balancers(balancers: list[Json], strategy: str, in_use: Mapping[str, set[str]]) -> None:
    """Whether a service can be put behind its load balancers.

    Args:
        balancers: The `loadBalancers` of a request.
        strategy: The deployment strategy.
        in_use: Target groups that a listener rule forwards to.

    Raises:
        Refused: It cannot.
    """
    for entry in balancers:
        advanced = entry.get("advancedConfiguration") or {}
        groups = [entry.get("targetGroupArn"), advanced.get("alternateTargetGroupArn")]
        for group in filter(None, groups):
            if group not in in_use:
                raise invalid(
                    f"The target group with targetGroupArn {group} does not have an associated load balancer."
                )
        if strategy != "ROLLING" and not (
            advanced.get("alternateTargetGroupArn") and advanced.get("productionListenerRule")
        ):
            raise invalid(
                "advancedConfiguration with alternateTargetGroupArn and productionListenerRule is required for each "
                f"load balancer with the {strategy} deployment strategy"
            )


def desired_count(value: object) -> int:
    """A desired count.

    Raises:
        Refused: It is none.
    """
    if not isinstance(value, int) or value < 0:
        raise invalid("desiredCount must be 0 or more")
    return value


def groups(balancers: list[Json], before: tuple[str, ...], strategy: str) -> tuple[str, ...]:
    """The target group of each load balancer with which a new revision's tasks are registered.

    Args:
        balancers: The `loadBalancers` of the service.
        before: The groups of the last good revision; empty if there is none.
        strategy: The deployment strategy: all but ROLLING take the other group of each pair.
    """
    found = []
    for number, entry in enumerate(balancers):
        main = str(entry.get("targetGroupArn"))
        other = (entry.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
        last = before[number] if number < len(before) else None
        if other is None or last not in (main, other):
            found.append(main)
        elif strategy == "ROLLING":
            found.append(str(last))
        else:
            found.append(str(other) if last == main else main)
    return tuple(found)
