"""What MiniStack's ECS forgets of a capacity provider: draining, and instances that ECS manages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_Answer = tuple[int, dict[str, str], bytes]
_Action = Callable[[Mapping[str, Any]], _Answer]


def install() -> None:
    """Keeps all of them in ECS's calls."""
    from ministack.services import ecs

    actions: dict[str, _Action] = ecs._ACTION_MAP
    for name in ("CreateCapacityProvider", "UpdateCapacityProvider"):
        actions[name] = _keeping(actions[name])


def _keeping(action: _Action) -> _Action:
    def answer(given: Mapping[str, Any]) -> _Answer:
        from ministack.core.responses import json_response
        from ministack.services import ecs

        answered = action(given)
        kept = ecs._capacity_providers.get(given.get("name", ""))
        if answered[0] >= 400 or kept is None:  # noqa: PLR2004 - HTTP's errors
            return answered
        if given.get("managedInstancesProvider"):
            kept.pop("autoScalingGroupProvider", None)
            kept["managedInstancesProvider"] = (
                kept.get("managedInstancesProvider", {}) | given["managedInstancesProvider"]
            )
            kept["type"] = "MANAGED_INSTANCES"
            kept["cluster"] = given.get("cluster", kept.get("cluster"))
        else:
            kept["autoScalingGroupProvider"] |= given.get("autoScalingGroupProvider") or {}
            kept["type"] = "EC2_AUTOSCALING"
        kept_answer: _Answer = json_response({"capacityProvider": kept})
        return kept_answer

    return answer
