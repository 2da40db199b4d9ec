"""How a simulated fleet fails: causes with their rates, what each looks like from outside, and what heals it.

The rates are those of Llama 3's training: 419 unexpected interruptions in 54 days on 16,384 GPUs, by cause
(arXiv 2407.21783, table 5). What a cause looks like (Xid, crash or hang) and what heals it are our assumptions, and
named so: the study does not say.
"""

from dataclasses import dataclass
from enum import StrEnum

from inferfleet.recovery.core.terms import Rung

LLAMA3_GPU_HOURS = 16_384 * 54 * 24
"""GPU hours behind the counts below."""


class Look(StrEnum):
    """What a fault looks like from outside."""

    GPU = "gpu"
    """An Xid is logged; the task dies or hangs."""
    SILENT = "silent"
    """No Xid; the task dies; only a diagnosis finds it, deeper levels more surely."""
    HOST = "host"
    """The node stops answering, and EC2's status checks fail."""
    APP = "app"
    """The task dies; the node is healthy."""
    MAINTENANCE = "maintenance"
    """EC2 announces a reboot or a retirement."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of interruptions.

    Attributes:
        count: Interruptions in Llama 3's 54 days.
        xids: Xids that it logs, one of them at a time.
        replace_share: Share that a reboot does not heal.
        hang_share: Share in which the task hangs instead of dying.
    """

    name: str
    count: int
    look: Look
    xids: tuple[int, ...] = ()
    replace_share: float = 0.0
    hang_share: float = 0.0


LLAMA3 = (
    Cause("faulty GPU", 148, Look.GPU, (79, 95, 119, 74), 0.3, 0.3),
    Cause("GPU HBM3 memory", 72, Look.GPU, (94, 95, 64, 48), 0.15, 0.1),
    Cause("software bug", 54, Look.APP),
    Cause("network switch or cable", 35, Look.APP),
    Cause("host maintenance", 32, Look.MAINTENANCE, replace_share=0.5),
    Cause("GPU SRAM memory", 19, Look.GPU, (48, 140), 0.3, 0.1),
    Cause("GPU system processor", 17, Look.GPU, (119, 120), 0.1, 0.5),
    Cause("network interface", 7, Look.HOST, replace_share=0.5),
    Cause("NCCL watchdog", 7, Look.APP),
    Cause("silent data corruption", 6, Look.SILENT, replace_share=1.0),
    Cause("GPU thermal interface or sensor", 6, Look.SILENT, replace_share=1.0),
    Cause("SSD", 3, Look.HOST, replace_share=1.0),
    Cause("power supply", 3, Look.HOST, replace_share=1.0),
    Cause("server chassis", 2, Look.HOST, replace_share=1.0),
    Cause("IO expansion board", 2, Look.HOST, replace_share=1.0),
    Cause("dependency", 2, Look.APP),
    Cause("CPU", 2, Look.HOST, replace_share=0.5),
    Cause("system memory", 2, Look.HOST, replace_share=0.5),
)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take in the simulated cloud, in seconds: (low, high) drawn evenly. Assumptions of ours.

    Attributes:
        event: An event's way through EventBridge and a queue; `event_tail` for the slow ones, `slow_share` of them.
        api_rate: RunTask and StopTask calls a second for the account.
        task_up: From RunTask to RUNNING, image cached.
        warm_up: From the last task up to the first step of training: rendezvous, loading the checkpoint.
        diagnosis: Run time of `dcgmi diag` by level.
        checkpoint_every: Work since the last checkpoint is lost with each interruption.
        operator: Until a person who was called has acted.
    """

    event: tuple[float, float] = (0.5, 4.0)
    event_tail: tuple[float, float] = (30.0, 600.0)
    slow_share: float = 0.01
    lambda_start: tuple[float, float] = (0.1, 1.5)
    api_rate: float = 40.0
    task_up: tuple[float, float] = (8.0, 25.0)
    task_stop: tuple[float, float] = (2.0, 20.0)
    warm_up: float = 45.0
    diagnosis: tuple[tuple[float, float], ...] = ((0, 0), (15, 40), (100, 160), (700, 1000), (3600, 5400))
    reset: tuple[float, float] = (5.0, 30.0)
    shutdown: tuple[float, float] = (10.0, 40.0)
    boot: tuple[float, float] = (150.0, 420.0)
    terminate: tuple[float, float] = (30.0, 120.0)
    new_instance: tuple[float, float] = (420.0, 1200.0)
    flap: tuple[float, float] = (3.0, 60.0)
    checkpoint_every: float = 120.0
    operator: tuple[float, float] = (1800.0, 7200.0)


@dataclass(frozen=True, slots=True)
class Profile:
    """A way for a fleet to fail.

    Attributes:
        rate: Times Llama 3's rate.
        job_nodes: Nodes of one job; 0 for a single job over all but the spares.
        spare_share: Share of nodes that no job needs.
        burst_every: Mean hours between correlated bursts (a rack, a driver); 0 for none.
        burst_share: Share of nodes hit by a burst.
    """

    name: str
    causes: tuple[Cause, ...] = LLAMA3
    rate: float = 1.0
    job_nodes: int = 0
    spare_share: float = 0.015
    burst_every: float = 0.0
    burst_share: float = 0.0
    timing: Timing = Timing()
    inconclusive_share: float = 0.01
    cascade_share: float = 0.1
    flaps_per_hour: float = 3.0


PROFILES = {
    "llama3": Profile("llama3"),
    "gentle": Profile("gentle", rate=0.25, job_nodes=16, spare_share=0.05),
    "storm": Profile("storm", rate=8.0, job_nodes=32, spare_share=0.1, burst_every=72.0, burst_share=0.1),
}

DETECTED = {
    Look.GPU: (0.0, 0.97, 0.99, 0.999, 1.0),
    Look.SILENT: (0.0, 0.5, 0.8, 0.97, 1.0),
    Look.HOST: (0.0, 0.9, 0.95, 0.99, 1.0),
}
"""Chance that `dcgmi diag` finds a fault, by level 0 to 4. Assumption."""


RESET_HEALS = 0.7
"""Share of the GPU faults healed by a reboot that a reset heals, too. Assumption."""


def heal_of(cause: Cause, draw: float) -> Rung:
    """What heals a fault, for an even draw in 0..1."""
    return Rung.REPLACE if draw < cause.replace_share else Rung.REBOOT
