"""What machines there are and what fits on them: the dated table of EC2 types and Fargate sizes that ships with us.

An instance never offers a task all of its memory: the kernel and the GPU driver take their part before the ECS agent
counts. See https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REGISTERED_AT_MOST = 0.985
"""No instance registers more of its advertised memory. Known point: m4.large, 7985 of 8192 MiB."""

_SAFE_SHARE = 0.93
AGENT_RESERVE_MIB = 256
"""What the ECS agent keeps of an instance's memory for itself (`ECS_RESERVED_MEMORY`)."""
_ROUND_MIB = 128
_UNITS = 1024


@dataclass(frozen=True, slots=True)
class InstanceType:
    """An EC2 instance type.

    Attributes:
        name: `g4dn.xlarge`.
        vcpu: Virtual CPUs.
        memory_mib: Memory as advertised, in MiB.
        gpus: Number of GPUs.
        gpu_model: `T4`; empty without GPUs.
        gpu_memory_mib: Memory of each GPU, in MiB.
    """

    name: str
    vcpu: int
    memory_mib: int
    gpus: int
    gpu_model: str
    gpu_memory_mib: int

    @property
    def cpu_units(self) -> int:
        """CPU in ECS units, 1024 to a vCPU."""
        return self.vcpu * _UNITS

    @property
    def registered_mib(self) -> int:
        """The most that the ECS agent can register."""
        return int(self.memory_mib * REGISTERED_AT_MOST)

    @property
    def usable_mib(self) -> int:
        """What tasks can count on: a cautious share, less a reserve for the agent, in steps of 128 MiB."""
        return (int(self.memory_mib * _SAFE_SHARE) - AGENT_RESERVE_MIB) // _ROUND_MIB * _ROUND_MIB


@dataclass(frozen=True, slots=True)
class Table:
    """The table.

    Attributes:
        as_of: Its date.
        ec2: Instance types by name.
        fargate: For each CPU size in units, the memory sizes in MiB that go with it.
    """

    as_of: str
    ec2: dict[str, InstanceType]
    fargate: dict[int, tuple[int, ...]]

    def matching(self, pattern: str) -> list[InstanceType]:
        """Returns the types that a pattern like `g4dn.*` names."""
        from fnmatch import fnmatchcase

        return [item for name, item in self.ec2.items() if fnmatchcase(name, pattern)]


@cache
def table() -> Table:
    """Returns the table that ships."""
    data = json.loads((Path(__file__).parent / "instances.json").read_text())
    fargate = {}
    for cpu, (low, high, step) in data["fargate"].items():
        sizes = [512, 1024, 2048] if cpu == "256" else range(low, high + 1, step)
        fargate[int(cpu)] = tuple(sizes)
    return Table(data["as_of"], {name: InstanceType(name, *row) for name, row in data["ec2"].items()}, fargate)
