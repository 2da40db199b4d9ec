"""A fleet for a machine without AWS: what the local cloud cannot play is replaced, and every replacement is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inferfleet.config.fleet import FleetFile, Image
from inferfleet.config.fleet_capacity import FargateCapacity
from inferfleet.config.fleet_network import Network
from inferfleet.config.fleet_service import Service


@dataclass(frozen=True, slots=True)
class Substitution:
    """What was replaced.

    Attributes:
        path: Where the file says it.
        was: What it says.
        now: What is used instead.
        why: Why.
    """

    path: str
    was: str
    now: str
    why: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}: {self.was} → {self.now} ({self.why})"


def localise(fleet: FleetFile, account: str, region: str) -> tuple[FleetFile, tuple[Substitution, ...]]:
    """Returns a fleet that the local cloud can run, and what differs from the one in the file.

    Args:
        fleet: The fleet.
        account: The account that the local cloud plays.
        region: The region that it plays.
    """
    said: list[Substitution] = []

    def say(path: str, was: object, now: object, why: str) -> None:
        said.append(Substitution(path, str(was), str(now), why))

    changed: dict[str, Any] = {"account": account, "region": region}
    if fleet.region != region:
        say("region", fleet.region, region, "the region that the local cloud plays")
    if fleet.network.vpc is not None:
        say("network", fleet.network.vpc, "a new VPC", "the local cloud has none of your networks")
        changed["network"] = Network(nat=fleet.network.nat, endpoints=fleet.network.endpoints)
    hardware = [name for name, item in fleet.capacity.items() if not isinstance(item, FargateCapacity)]
    for name in hardware:
        say(f"capacity.{name}", _described(fleet.capacity[name]), "containers on this machine", "no instances here")
    changed["capacity"] = {
        name: FargateCapacity() if name in hardware else item for name, item in fleet.capacity.items()
    }
    changed["services"] = {key: _service(key, service, hardware, say) for key, service in fleet.services.items()}
    changed["images"] = {name: _image(name, image, say) for name, image in fleet.images.items()}
    if fleet.budget is not None:
        say("budget", f"{fleet.budget.monthly_usd:g} USD a month", "none", "nothing here costs anything")
        changed["budget"] = None
    return fleet.model_copy(update=changed), tuple(said)


Say = Callable[[str, object, object, str], None]


def _described(capacity: object) -> str:
    return ", ".join(getattr(capacity, "instances", ())) or "managed instances"


def _service(key: str, service: Service, hardware: list[str], say: Say) -> Service:
    path = f"services.{key}"
    changed: dict[str, Any] = {}
    if service.gpu:
        say(f"{path}.gpu", service.gpu if isinstance(service.gpu, int) else "a part of one", 0, "no GPU for containers")
        changed |= {"gpu": 0, "cpu": None, "memory": None}
    if service.target not in (None, "fargate"):
        say(f"{path}.target", service.target, "fargate", "what the local cloud runs are plain containers")
        changed["target"] = "fargate"
    if service.capacity in hardware or changed.get("target"):
        changed |= _fargate_size(service)
    balancer = service.load_balancer
    if balancer is not None:
        without = {field: None for field in ("certificate", "waf") if getattr(balancer, field) is not None}
        if "certificate" in without:
            say(f"{path}.load_balancer.certificate", "HTTPS", "HTTP", "the local cloud has no certificates")
        if "waf" in without:
            say(f"{path}.load_balancer.waf", balancer.waf, "none", "the local cloud has no web ACL of yours")
        changed["load_balancer"] = balancer.model_copy(update=without)
    return service.model_copy(update=changed)


def _fargate_size(service: Service) -> dict[str, Any]:
    """A size that Fargate has; sizes of instances are others."""
    return {"cpu": None, "memory": None} if service.cpu is not None or service.memory is not None else {}


def _image(name: str, image: Image, say: Say) -> Image:
    if image.build is None or image.stage != "gpu":
        return image
    say(f"images.{name}.stage", "gpu", "cpu", "no GPU for containers")
    return image.model_copy(update={"stage": "cpu"})
