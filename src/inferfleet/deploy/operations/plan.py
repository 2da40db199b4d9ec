"""What a deployment will do, as data: stacks and their resources, images, rollouts, and what stands against it.

Making a plan only reads: AWS's stacks and services, the file, the Docker engine. Nothing is changed until a plan is
carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inferfleet.deploy.operations import stacks
from inferfleet.deploy.operations.account import Account
from inferfleet.deploy.operations.localise import Substitution
from inferfleet.deploy.operations.names import service_stack
from inferfleet.deploy.operations.stacks import Action, Change, StackState
from inferfleet.deploy.plan import rollout
from inferfleet.deploy.plan.rollout import Rollout
from inferfleet.deploy.resolve import ResolvedFleet

_TARGET_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
_REWRITES = (Action.UPDATE, Action.REPLACE, Action.MAY_REPLACE)
_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
FIRST_TARGETS = "ServiceLoadBalancerTargets"
"""Begins the id of the target group that a service's stack sends requests to at first."""
_SERVICE_TYPES = ("AWS::ECS::Service", "AWS::ECS::TaskDefinition")
# Replacing these loses what is in them, or takes the fleet off the network meanwhile.
_PRECIOUS = (
    "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::Kinesis::Stream", "AWS::EC2::VPC",
    "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ECS::Cluster", "AWS::EKS::Cluster",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What happens to a stack.

    Attributes:
        name: Its name.
        action: What.
        status: What CloudFormation calls it now; empty when there is none.
        changes: What happens to its resources.
    """

    name: str
    action: Action
    status: str
    changes: tuple[Change, ...]

    def of(self, action: Action) -> tuple[Change, ...]:
        """The changes of a kind."""
        return tuple(change for change in self.changes if change.action is action)


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What happens to an image.

    Attributes:
        name: Its name in the fleet.
        action: `push`, `there already`, `stays on this machine`, or `as it is deployed`.
        uri: Where it is, or will be.
        size: Bytes, unpacked; 0 when not known.
    """

    name: str
    action: str
    uri: str
    size: int = 0


@dataclass(frozen=True)
class Plan:
    """What a deployment will do.

    Attributes:
        fleet: The fleet's name.
        account: The account.
        region: The region.
        local: Whether that is the local cloud.
        bootstrap: Whether the CDK's own stack is made first.
        images: The images.
        stacks: The stacks, in order.
        rollouts: The services whose tasks are replaced.
        substitutions: What the local cloud plays otherwise.
        problems: Why it cannot end well.
        ways_out: How tasks reach what they need, in lines.
    """

    fleet: str
    account: str
    region: str
    local: bool
    bootstrap: bool
    images: tuple[ImagePlan, ...]
    stacks: tuple[StackPlan, ...]
    rollouts: tuple[Rollout, ...]
    substitutions: tuple[Substitution, ...] = ()
    problems: tuple[str, ...] = ()
    ways_out: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        """Whether all is as the file says."""
        return all(item.action is Action.NOTHING for item in self.stacks) and not self.bootstrap

    @property
    def losses(self) -> tuple[str, ...]:
        """Resources that hold data or traffic, and that the plan deletes or replaces."""
        return tuple(
            f"{stack.name}: {change.id} ({change.type}) is {_LOST[change.action]}"
            for stack in self.stacks
            for change in stack.changes
            if change.action in _LOST and change.type in _PRECIOUS
        )

    def as_data(self) -> dict[str, Any]:
        """The plan for a program."""
        data = asdict(self)
        data["losses"] = list(self.losses)
        data["rollouts"] = [{**asdict(item), "peak_tasks": item.peak_tasks} for item in self.rollouts]
        return data


_LOST = {
    Action.DELETE: "deleted",
    Action.REPLACE: "replaced by a new one",
    Action.MAY_REPLACE: "perhaps replaced by a new one",
}


def plan_stacks(
    account: Account, templates: Mapping[str, Mapping[str, Any]], states: Mapping[str, StackState]
) -> tuple[StackPlan, ...]:
    """Asks CloudFormation what each template would change.

    Args:
        account: Where.
        templates: The templates by the stack's name, in the order in which they are deployed.
        states: The stacks that exist.
    """
    planned = []
    for name, template in templates.items():
        state = states.get(name)
        changes = stacks.changes(account, state, template, name)
        planned.append(StackPlan(name, _action(state, changes), state.status if state else "", changes))
    return tuple(planned)


def _action(state: StackState | None, changes: tuple[Change, ...]) -> Action:
    if state is None or state.status == "REVIEW_IN_PROGRESS":
        return Action.CREATE
    if not state.is_there:
        return Action.REPLACE
    return Action.UPDATE if changes else Action.NOTHING


def lost_traffic(account: Account, planned: Iterable[StackPlan]) -> tuple[str, ...]:
    """What a plan does to load balancers that would send requests where no task is.

    Blue/green leaves the traffic in either of its two target groups, and a stack knows only the first: a change of
    strategy would remove the group that is in use, and a change of the listener rule would turn back to the other.
    """
    found: list[str] = []
    for stack in planned:
        removed = [change.id for change in stack.changes if change.type == _TARGET_GROUP and change.action in _LOST]
        rules = [change.id for change in stack.changes if change.type == _RULE and change.action in _REWRITES]
        if removed or rules:
            arns = {item.id: item.name for item in stacks.resources(account, stack.name)}
            found += (f"{stack.name}: {what}" for id in removed for what in _removed(account, id, arns[id]))
            found += (f"{stack.name}: {what}" for id in rules for what in _turned_back(account, id, arns))
    return tuple(found)


def _removed(account: Account, id: str, arn: str) -> Iterator[str]:
    health = account.client("elbv2").describe_target_health(TargetGroupArn=arn)
    live = sum(item["TargetHealth"]["State"] == "healthy" for item in health["TargetHealthDescriptions"])
    if live:
        yield (
            f"{id} carries the traffic of {live} healthy task{'s' * (live != 1)} and would be "
            "removed under it; `inferfleet restart` moves the traffic to the other target group, then deploy"
        )


def _turned_back(account: Account, id: str, arns: Mapping[str, str]) -> Iterator[str]:
    """The first of two target groups is that which the stack's template gives all the weight."""
    (rule,) = account.client("elbv2").describe_rules(RuleArns=[arns[id]])["Rules"]
    groups = [group for action in rule["Actions"] for group in action.get("ForwardConfig", {}).get("TargetGroups", ())]
    weights = {group["TargetGroupArn"]: group.get("Weight", 1) for group in groups}
    first = next((arn for name, arn in arns.items() if name.startswith(FIRST_TARGETS)), None)
    if len(weights) > 1 and weights.get(first or "") == 0:
        yield (
            f"{id} sends all requests to the second target group, and the change would send them to the first, where "
            "no task is; `inferfleet restart` moves the traffic there, then deploy"
        )


def changed_services(fleet: ResolvedFleet, planned: Iterable[StackPlan]) -> list[str]:
    """Keys of the services that run already and whose tasks a plan replaces."""
    replaced = {
        stack.name
        for stack in planned
        if stack.action is Action.UPDATE and any(change.type in _SERVICE_TYPES for change in stack.changes)
    }
    return [service.key for service in fleet.services if service_stack(fleet, service.key) in replaced]


def rollouts(fleet: ResolvedFleet, planned: Sequence[StackPlan]) -> tuple[tuple[Rollout, ...], tuple[str, ...]]:
    """The rollouts that a plan begins, and why any of them can never end."""
    keys = changed_services(fleet, planned)
    found = tuple(item for item in rollout.plan_fleet(fleet) if item.service in keys)
    return found, tuple(f"service {item.service}: {item.problem}" for item in found if item.problem)
