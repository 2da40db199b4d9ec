"""A drawing of a fleet as SVG: the network, the capacity in it, and the services on that."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from inferfleet.deploy.plan.rollout import Rollout
from inferfleet.deploy.plan.text import capacity, minutes
from inferfleet.deploy.resolve import ResolvedFleet, ResolvedService

_WIDTH = 860
_MARGIN = 24
_CARD = 132
_GAP = 20
_HEAD = 96
_TASKS_SHOWN = 24
_STYLE = """
text{font-family:system-ui,sans-serif;fill:#1b2733}
.title{font-size:20px;font-weight:600}.name{font-size:15px;font-weight:600}.small{font-size:12px;fill:#52616f}
.net{fill:#f5f8fb;stroke:#9fb3c8;stroke-dasharray:6 4}.card{fill:#fff;stroke:#9fb3c8}.bad{stroke:#c0392b;stroke-width:2}
.task{fill:#2f6fab}.gpu{fill:#4a9f5b}.alb{fill:#e8eef5;stroke:#2f6fab}.warn{fill:#c0392b;font-size:12px}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9fb3c8}.net{fill:#17202b}.card{fill:#1f2b38}
.alb{fill:#22384f}svg{background:#0f1720}}
"""


def render(fleet: ResolvedFleet, rollouts: list[Rollout]) -> str:
    """Returns the drawing."""
    height = _HEAD + (_CARD + _GAP) * max(1, len(fleet.services)) + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(fleet.file.name)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_MARGIN}" y="36">{escape(fleet.file.name)}</text>',
        f'<text class="small" x="{_MARGIN}" y="58">{escape(_where(fleet))}</text>',
        f'<rect class="net" x="{_MARGIN // 2}" y="72" width="{_WIDTH - _MARGIN}" height="{height - 84}" rx="10"/>',
    ]
    for number, (service, rollout) in enumerate(zip(fleet.services, rollouts, strict=True)):
        parts += _card(service, rollout, _HEAD + number * (_CARD + _GAP))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _where(fleet: ResolvedFleet) -> str:
    network = fleet.file.network
    vpc = network.vpc or f"new VPC {network.cidr} in {network.zones} zones, NAT {network.nat}"
    return f"{fleet.region} · cluster {fleet.cluster} · {vpc} · endpoints {network.endpoints}"


def _card(service: ResolvedService, rollout: Rollout, top: int) -> Iterator[str]:
    left = _MARGIN + (170 if service.spec.load_balancer is not None else 0)
    if service.spec.load_balancer is not None:
        yield from _balancer(service, top)
    bad = " bad" if rollout.problem else ""
    yield f'<rect class="card{bad}" x="{left}" y="{top}" width="{_WIDTH - left - _MARGIN}" height="{_CARD}" rx="8"/>'
    size = f"{service.cpu / 1024:g} vCPU · {service.memory} MiB" + (f" · {service.gpus} GPU" if service.gpus else "")
    yield _text("name", left + 14, top + 26, f"{service.names.service}  ·  {service.count} x {service.names.family}")
    yield _text("small", left + 14, top + 46, f"{size} each, on {capacity(service)}")
    colour = "gpu" if service.gpus or service.shared_gpu else "task"
    for number in range(min(service.count, _TASKS_SHOWN)):
        yield f'<rect class="{colour}" x="{left + 14 + number * 24}" y="{top + 58}" width="18" height="18" rx="3"/>'
    peak = f", {rollout.peak_tasks} tasks at most" if rollout.peak_tasks != service.count else ""
    instances = f" on {rollout.peak_instances} instances" if rollout.peak_instances is not None else ""
    gap = ", none in between" if rollout.gap else ""
    line = f"{rollout.strategy}: at worst {minutes(rollout.worst_seconds)}{peak}{instances}{gap}"
    yield _text("small", left + 14, top + 98, line)
    yield _text("warn" if rollout.problem else "small", left + 14, top + 118, rollout.problem or _scaling(service))


def _balancer(service: ResolvedService, top: int) -> Iterator[str]:
    balancer = service.spec.load_balancer
    assert balancer is not None
    middle = top + _CARD // 2
    yield f'<rect class="alb" x="{_MARGIN}" y="{middle - 26}" width="132" height="52" rx="8"/>'
    yield _text("name", _MARGIN + 10, middle - 4, "HTTPS" if balancer.certificate else "HTTP")
    yield _text("small", _MARGIN + 10, middle + 15, service.names.load_balancer)
    yield f'<path d="M{_MARGIN + 132} {middle}h38" stroke="#2f6fab" stroke-width="2"/>'


def _scaling(service: ResolvedService) -> str:
    scaling = service.spec.scaling
    return f"scales from {scaling.min} to {scaling.max}" if scaling is not None else ""


def _text(kind: str, x: int, y: int, text: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
