"""A plan for people: each rollout in numbers, and the fleet as a drawing of letters."""

from __future__ import annotations

from collections.abc import Sequence

from inferfleet.deploy.plan.rollout import IMAGE_PULL_SECONDS, INSTANCE_START_SECONDS, Rollout
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService, tasks_per_instance

_MINUTE = 60


def render(fleet: ResolvedFleet, rollouts: list[Rollout], ways_out: Sequence[str] = ()) -> str:
    """Returns the plan of a fleet.

    Args:
        fleet: The fleet.
        rollouts: Its rollouts.
        ways_out: Lines that say how tasks reach what they need.
    """
    blocks = [_picture(fleet), *(["\n".join(ways_out)] if ways_out else []), *(rollout(item) for item in rollouts)]
    assumed = (
        f"Counted with {INSTANCE_START_SECONDS} s for an instance to join, and for an image "
        f"{IMAGE_PULL_SECONDS['gpu']} s (GPU) or {IMAGE_PULL_SECONDS['cpu']} s; AWS promises neither."
    )
    return "\n\n".join([*blocks, assumed])


def _picture(fleet: ResolvedFleet) -> str:
    network = fleet.file.network
    where = network.vpc or f"a new VPC {network.cidr}, {network.zones} zones"
    lines = [f"{fleet.file.name} in {fleet.region}, cluster {fleet.cluster}, {where}"]
    for number, service in enumerate(fleet.services, start=1):
        last = number == len(fleet.services)
        lines.append(f"{'└' if last else '├'}─ {_service(service)}")
        bar = " " if last else "│"
        lines += [f"{bar}    {line}" for line in _details(service)]
    return "\n".join(lines)


def _service(service: ResolvedService) -> str:
    size = f"{service.cpu / 1024:g} vCPU, {service.memory} MiB"
    gpus = f", {service.gpus} GPU" if service.gpus else ", part of a GPU" if service.shared_gpu else ""
    return f"{service.names.service}: {service.count} x {service.names.family} ({size}{gpus})"


def _details(service: ResolvedService) -> list[str]:
    lines = [f"on {capacity(service)}"]
    balancer = service.spec.load_balancer
    if balancer is not None:
        scheme = "public" if balancer.public else "internal"
        port = "HTTPS 443" if balancer.certificate else "HTTP 80"
        lines.append(f"behind {service.names.load_balancer} ({scheme}, {port}) at {', '.join(balancer.paths)}")
    scaling = service.spec.scaling
    if scaling is not None:
        lines.append(f"scales from {scaling.min} to {scaling.max} tasks")
    return lines


def capacity(service: ResolvedService) -> str:
    """Says in a few words what a service runs on."""
    names = " + ".join(
        f"{item.name}{f' (base {item.base}, weight {item.weight})' if len(service.providers) > 1 else ''}"
        for item in service.providers
    )
    room = service.room
    if room is None:
        return names or "EKS"
    return f"{names}: {room.least} to {room.most} x {room.name}, tasks on each: {tasks_per_instance(service)}"


def rollout(rollout: Rollout) -> str:
    """Returns one rollout: its phases, what it waits for, and how long at worst."""
    lines = [f"Rollout of {rollout.service}: {rollout.strategy} on {rollout.capacity}"]
    width = max(len(phase.name) for phase in rollout.phases)
    for phase in rollout.phases:
        bar = "●" * phase.old + "○" * phase.new
        on = f"  {phase.instances} instance{'s' * (phase.instances != 1)}" if phase.instances is not None else ""
        lines.append(f"  {phase.name:{width}}  {phase.old:3} old {phase.new:3} new  {bar}{on}")
    lines.append("  waits for " + "; ".join(rollout.waits))
    if rollout.gap:
        lines.append("  for that time no task runs")
    if rollout.problem:
        lines.append(f"  CANNOT FINISH: {rollout.problem}")
    else:
        lines.append(f"  at worst {minutes(rollout.worst_seconds)} when nothing fails")
    return "\n".join(lines)


def minutes(seconds: int) -> str:
    """Writes seconds as minutes, rounded up."""
    return f"{-(-seconds // _MINUTE)} min"
