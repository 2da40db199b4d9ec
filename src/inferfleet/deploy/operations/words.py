"""Plans, verdicts and what is left behind, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from inferfleet.deploy.operations.destroy import Removal, Removed
from inferfleet.deploy.operations.doctor import Check, Level
from inferfleet.deploy.operations.plan import ImagePlan, Plan, StackPlan
from inferfleet.deploy.operations.service import NEVER
from inferfleet.deploy.operations.stacks import Action, Change
from inferfleet.deploy.operations.verdict import Cause, Outcome, Verdict
from inferfleet.deploy.operations.versions import Version
from inferfleet.deploy.plan import text

_MIB: Final = 1024 * 1024
_LISTED: Final = 12
_SIGNS = {
    Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "±", Action.MAY_REPLACE: "±?", Action.DELETE: "-",
    Action.NOTHING: "=",
}  # fmt: skip
_MARKS = {Level.OK: "✓", Level.WARNING: "!", Level.FAILED: "✗"}


def checks(found: list[Check]) -> str:
    """What the doctor found, a line each."""
    width = max((len(check.name) for check in found), default=0)
    lines = []
    for check in found:
        lines.append(f"{_MARKS[check.level]} {check.name:{width}}  {check.found}")
        if check.fix and check.level is not Level.OK:
            lines.append(f"  {'':{width}}  → {check.fix}")
    return "\n".join(lines)


def plan(planned: Plan) -> str:
    """A plan, from images to rollouts."""
    where = "the local cloud" if planned.local else f"account {planned.account}"
    blocks = [f"Plan for {planned.fleet} in {planned.region}, {where}"]
    if planned.substitutions:
        listed = [f"  {item}" for item in planned.substitutions]
        blocks.append("\n".join(["Played otherwise on this machine:", *listed]))
    if planned.images:
        blocks.append("\n".join(["Images", *(f"  {_image(item)}" for item in planned.images)]))
    begin = (
        ["  + CDKToolkit: the CDK's own bucket and roles, once for an account and region"] if planned.bootstrap else []
    )
    blocks.append("\n".join(["Stacks", *begin, *(line for item in planned.stacks for line in _stack(item))]))
    if planned.ways_out:
        blocks.append("\n".join(["Ways out of the private subnets", *(f"  {line}" for line in planned.ways_out)]))
    blocks += [text.rollout(item) for item in planned.rollouts]
    if planned.losses:
        blocks.append(
            "\n".join(["This takes away what holds data or traffic:", *(f"  {item}" for item in planned.losses)])
        )
    if planned.problems:
        blocks.append("\n".join(["This cannot end well:", *(f"  {item}" for item in planned.problems)]))
    if planned.changes_nothing:
        blocks.append("Nothing to change.")
    return "\n\n".join(blocks)


def _image(item: ImagePlan) -> str:
    size = f", {item.size / _MIB:.0f} MiB" if item.size else ""
    return f"{item.name}: {item.action}{size}  {item.uri}"


def _stack(item: StackPlan) -> Iterator[str]:
    counted = ", ".join(
        f"{len(item.of(action))} to {action.value}"
        for action in Action
        if action is not Action.NOTHING and item.of(action)
    )
    status = f" [{item.status}]" if item.status and item.action is not Action.NOTHING else ""
    yield f"  {_SIGNS[item.action]} {item.name}: {item.action.value}{f' ({counted})' if counted else ''}{status}"
    if item.action is not Action.UPDATE:
        return
    for change in item.changes[:_LISTED]:
        yield f"      {_SIGNS[change.action]} {_change(change)}"
    if len(item.changes) > _LISTED:
        yield f"      and {len(item.changes) - _LISTED} more"


def _change(change: Change) -> str:
    which = f": {', '.join(change.properties)}" if change.properties else ""
    return f"{change.type} {change.id}{which}"


def verdict(item: Verdict) -> str:
    """How a deployment ended, and why."""
    what = f" ({item.task_definition})" if item.task_definition else ""
    lines = [f"{item.service}{what}: {item.outcome.value}"]
    if item.reason and item.outcome is not Outcome.SUCCEEDED:
        lines.append(f"  ECS says: {item.reason}")
    for cause in item.causes:
        lines += [f"  {line}" for line in _cause(cause)]
    return "\n".join(lines)


def _cause(item: Cause) -> Iterator[str]:
    many = f", and {item.times - 1} more like it" if item.times > 1 else ""
    yield f"task {item.task} stopped: {item.reason}{many}"
    for line in item.exits:
        yield f"  {line}"
    if item.lines:
        yield "  the last that it printed:"
    for line in item.lines:
        yield f"  | {line}"


def versions(found: Sequence[Version]) -> str:
    """The versions of a service, newest first."""
    width = max((len(item.task_definition) for item in found), default=0)
    lines = []
    for item in found:
        at = f"{item.deployed_at:%Y-%m-%d %H:%M}" if item.deployed_at > NEVER else "not known when"
        state = "runs now" if item.current else "succeeded" if item.succeeded else "not known to have succeeded"
        lines.append(f"{item.task_definition:{width}}  {at:16}  {state}")
    return "\n".join(lines)


def removal(planned: Removal) -> str:
    """What removing a fleet will do."""
    lines = [f"Removing {planned.fleet} from account {planned.account}, {planned.region}"]
    lines += [f"  - stack {item.name} [{item.status}]" for item in planned.stacks]
    for item in planned.leftovers:
        with_stack = item.name in planned.within
        if item.holds_data or not with_stack:
            lines.append(f"  - {item.kind} {item.name}{', with its stack and all that is in it' if with_stack else ''}")
    lines += [f"  = {item.what} stays: {item.why}" for item in planned.kept]
    if planned.is_empty:
        lines.append("  nothing is there" if not planned.kept else "  nothing else is there")
    return "\n".join(lines)


def removed(done: Removed) -> str:
    """What removing a fleet did."""
    lines = [f"left: {item.what}: {item.why}" for item in done.left]
    rest = "nothing is left" if not done.left else f"{len(done.left)} left"
    return "\n".join([*lines, f"{done.fleet}: {len(done.gone)} removed, {rest}, after {done.seconds:.0f} s"])
