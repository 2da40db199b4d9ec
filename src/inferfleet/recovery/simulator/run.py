"""One simulation from its settings to its report."""

import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from inferfleet.recovery.core.observations import JobSubmitted
from inferfleet.recovery.core.policy import DAY, Policy
from inferfleet.recovery.core.xid import load_catalog
from inferfleet.recovery.simulator.brain import Brain
from inferfleet.recovery.simulator.cloud import Channel, Cloud
from inferfleet.recovery.simulator.engine import Engine
from inferfleet.recovery.simulator.monitor import Monitor, Progress, Span, Trail
from inferfleet.recovery.simulator.profile import PROFILES, Profile
from inferfleet.recovery.simulator.trouble import Trouble

START = 1_800_000_000.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What to simulate."""

    nodes: int = 64
    gpus_per_node: int = 8
    days: float = 7.0
    seed: int = 1
    profile: str = "llama3"
    events_lost: float = 0.0
    duplicates: float = 0.02
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        """Refuses what cannot be simulated.

        Raises:
            ValueError: Naming the setting and what it may be.
        """
        if self.profile not in PROFILES:
            raise ValueError(f'profile "{self.profile}" is not known; there are {", ".join(PROFILES)}')
        if self.nodes < 2 or self.gpus_per_node < 1 or self.days <= 0:  # noqa: PLR2004
            raise ValueError("a simulation needs at least 2 nodes, 1 GPU a node and some time")
        for name in ("events_lost", "duplicates"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a share between 0 and 1")


@dataclass(slots=True)
class Outcome:
    """What a simulation showed. Times are in seconds from the beginning of a fault, as (median, 95th percentile)."""

    settings: dict[str, Any]
    gpus: int
    jobs: int
    faults: int
    interruptions: int
    effective_share: float
    detect: tuple[float, float]
    fence: tuple[float, float]
    repair: tuple[float, float]
    reboots: int
    false_reboots: int
    replacements: int
    jobs_lost: int
    people_called: int
    limits_broken: int
    broken: dict[str, int]
    calls: list[str]
    causes: dict[str, int]
    events: int
    events_lost: int
    decisions: int
    wall_seconds: float
    trails: list[Trail] = field(repr=False)
    spans: list[Span] = field(repr=False)

    def summary(self) -> dict[str, Any]:
        """All but the raw trails, as JSON values."""
        values = asdict(self)
        del values["trails"], values["spans"]
        return values


def simulate(settings: Settings, on_progress: Callable[[float], None] | None = None) -> Outcome:
    """Runs one simulation.

    Args:
        settings: What to simulate; the same settings give the same outcome.
        on_progress: Called now and then with the share done, 0 to 1.
    """
    began = time.monotonic()
    rng = random.Random(settings.seed)
    profile = PROFILES[settings.profile]
    engine = Engine(START)
    brain = Brain(engine, settings.policy, rng)
    cloud = Cloud(engine, profile, Channel(settings.events_lost, settings.duplicates), rng, tell=brain.tell)
    brain.cloud = cloud
    monitor = Monitor(engine, cloud, brain)
    trouble = Trouble(brain, monitor, profile, rng)
    brain.on_decision, brain.on_effect, brain.on_notice = monitor.on_decision, monitor.on_effect, trouble.on_notice
    cloud.on_up, cloud.on_down = monitor.on_up, monitor.on_down
    for _ in range(settings.nodes):
        brain.tell(cloud.node_seen(cloud.add_instance(settings.gpus_per_node, quiet=True)))
    _submit(settings, profile, brain, monitor)
    trouble.begin(load_catalog())
    brain.reconcile()
    length = settings.days * DAY
    report = None if on_progress is None else lambda now: on_progress((now - START) / length)
    engine.run(START + length, report)
    monitor.finish()
    return _outcome(settings, time.monotonic() - began, monitor, trouble.faults)


def _submit(settings: Settings, profile: Profile, brain: Brain, monitor: Monitor) -> None:
    spare = max(1, round(settings.nodes * profile.spare_share))
    left = settings.nodes - spare
    size = min(profile.job_nodes or left, left)
    for at in range(left // size):
        key = f"train-{at + 1}"
        monitor.jobs[key] = Progress(size)
        brain.tell(JobSubmitted(key, size, settings.gpus_per_node))


def _outcome(settings: Settings, wall: float, monitor: Monitor, faults: int) -> Outcome:
    cloud, brain = monitor.cloud, monitor.brain
    length = settings.days * DAY
    jobs = monitor.jobs.values()
    whole = sum(job.size for job in jobs) * length
    return Outcome(
        settings={**asdict(settings), "policy": asdict(settings.policy)},
        gpus=settings.nodes * settings.gpus_per_node,
        jobs=len(monitor.jobs),
        faults=faults,
        interruptions=sum(job.interruptions for job in jobs),
        effective_share=sum(job.effective * job.size for job in jobs) / whole,
        detect=_median_p95([trail.detected for trail in monitor.trails]),
        fence=_median_p95([trail.fenced for trail in monitor.trails]),
        repair=_median_p95([trail.repaired for trail in monitor.trails]),
        reboots=len(monitor.reboots),
        false_reboots=monitor.false_reboots,
        replacements=monitor.replacements,
        jobs_lost=sum(job.lost for job in jobs),
        people_called=len(monitor.people),
        limits_broken=sum(monitor.broken.values()),
        broken=dict(monitor.broken),
        calls=[f"day {(at - START) / DAY:.1f}: {what}" for at, what in monitor.people],
        causes=dict(monitor.causes.most_common()),
        events=cloud.events,
        events_lost=cloud.events_lost,
        decisions=brain.decisions,
        wall_seconds=wall,
        trails=monitor.trails,
        spans=monitor.spans,
    )


def _median_p95(values: list[float | None]) -> tuple[float, float]:
    known = sorted(value for value in values if value is not None)
    if not known:
        return 0.0, 0.0
    return known[len(known) // 2], known[min(len(known) - 1, int(len(known) * 0.95))]
