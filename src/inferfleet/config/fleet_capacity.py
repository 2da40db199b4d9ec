"""The `capacity` of `fleet.yaml`: what tasks run on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, NonNegativeInt, PositiveInt, Tag, model_validator

from inferfleet.config.base import Misfit, Model

InstanceTypeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]


class Ec2Capacity(Model):
    """A group of EC2 instances behind a capacity provider, which starts and stops them as tasks need."""

    kind: Literal["ec2"] = "ec2"
    instances: Annotated[tuple[InstanceTypeName, ...], Field(min_length=1)]
    """Instance types, best first. All must have as many GPUs as the first."""
    min: NonNegativeInt = 0
    """Instances that always run."""
    max: PositiveInt = 3
    """Most instances. One more than the tasks need lets a deployment start the new task first."""
    spot: Annotated[int, Field(ge=0, le=100)] = 0
    """Percentage of instances above `on_demand` that are Spot."""
    on_demand: NonNegativeInt = 0
    """Instances that are on-demand before any Spot is used."""
    root_volume_gib: Annotated[int, Field(ge=30, le=1024)] = 100
    """Encrypted gp3 root volume. Two CUDA images and their layers fill 30 GiB."""

    @model_validator(mode="after")
    def _limits(self) -> Ec2Capacity:
        if self.min > self.max:
            raise Misfit(f"min {self.min} is above max {self.max}", "min")
        return self


class FargateCapacity(Model):
    """Fargate, with Fargate Spot in a share. It has no GPUs."""

    kind: Literal["fargate"] = "fargate"
    base: NonNegativeInt = 1
    """Tasks that run on-demand before the weights count."""
    weight: NonNegativeInt = 1
    """On-demand tasks for every `spot_weight` Spot tasks."""
    spot_weight: NonNegativeInt = 0
    """Spot tasks for every `weight` on-demand tasks."""

    @model_validator(mode="after")
    def _some_weight(self) -> FargateCapacity:
        if not self.weight and not self.spot_weight:
            raise Misfit("weight and spot_weight are both 0, so no task could be placed", "weight")
        return self


class ManagedCapacity(Model):
    """ECS Managed Instances: AWS chooses, patches, repairs and replaces them, GPU drivers included."""

    kind: Literal["managed"] = "managed"
    gpu: NonNegativeInt = 0
    """GPUs of each instance."""
    gpu_models: tuple[str, ...] = ()
    """GPU models to choose from, such as `t4` or `l4`; any when left out."""
    vcpu: tuple[PositiveInt, PositiveInt] = (2, 16)
    """Least and most vCPUs of an instance."""
    memory_gib: tuple[PositiveInt, PositiveInt] = (4, 64)
    """Least and most memory of an instance, in GiB."""
    storage_gib: Annotated[int, Field(ge=30, le=1024)] = 100
    """Storage of each instance, in GiB."""


def _kind(value: Any) -> str:
    """Tells the kinds apart by what they hold when `kind` is left out."""
    if not isinstance(value, dict):
        return str(getattr(value, "kind", "ec2"))
    guess = "ec2" if "instances" in value else "fargate"
    return str(value.get("kind", guess))


Capacity = Annotated[
    Annotated[Ec2Capacity, Tag("ec2")]
    | Annotated[FargateCapacity, Tag("fargate")]
    | Annotated[ManagedCapacity, Tag("managed")],
    Discriminator(_kind),
]
