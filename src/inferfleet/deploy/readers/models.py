"""Botocore's models of the AWS APIs, one service at a time.

Botocore's own loader merges and orders what only a client needs; reading the file directly takes a tenth of the time,
which is what keeps the linter fast. Nothing is cached on disk.
"""

from __future__ import annotations

import gzip
import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from botocore.model import OperationModel, ServiceModel, Shape

_ALIASES = {"configservice": "config", "deploy": "codedeploy", "s3api": "s3", "logs": "logs"}


@cache
def data_folder() -> Path | None:
    """Where botocore keeps its models; None when botocore is not installed."""
    spec = importlib.util.find_spec("botocore")
    return Path(spec.submodule_search_locations[0]) / "data" if spec and spec.submodule_search_locations else None


@cache
def service(name: str) -> ServiceModel | None:
    """Returns the model of a service, named as the command line names it; None when there is none."""
    folder = data_folder()
    home = folder / _ALIASES.get(name, name) if folder else None
    if home is None or not name.replace("-", "").isalnum() or not home.is_dir():
        return None
    versions = sorted(home.glob("*/service-2.json.gz"))
    if not versions:
        return None
    from botocore.model import ServiceModel

    description = msgspec.json.decode(gzip.decompress(versions[-1].read_bytes()))
    if name == "ecs":
        _add_gpu_sharing(description["shapes"])
    return ServiceModel(description, name)


def _add_gpu_sharing(shapes: dict[str, Any]) -> None:
    """Adds what ECS takes and botocore may not know yet: a part of a GPU, instead of a number of whole ones.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_SharingStrategy.html
    """
    requirement = shapes["ResourceRequirement"]
    if "sharingStrategy" in requirement["members"]:
        return
    allocation = {"memory": {"shape": "Integer"}, "maxComputePercent": {"shape": "BoxedInteger"}}
    shapes["NvidiaMpsAllocation"] = {"type": "structure", "required": ["memory"], "members": allocation}
    shapes["SharingStrategy"] = {"type": "structure", "members": {"nvidiaMps": {"shape": "NvidiaMpsAllocation"}}}
    requirement["members"]["sharingStrategy"] = {"shape": "SharingStrategy"}
    requirement["required"] = ["type"]


@cache
def _operations(name: str) -> dict[str, str]:
    from botocore import xform_name

    model = service(name)
    return {xform_name(operation, "-"): operation for operation in model.operation_names} if model else {}


def operation(service_name: str, command: str) -> OperationModel | None:
    """Returns the model of an operation, named as the command line names it (`create-service`)."""
    model, api_name = service(service_name), _operations(service_name).get(command)
    return model.operation_model(api_name) if model is not None and api_name else None


def operation_names(service_name: str) -> list[str]:
    """The operations of a service, as the command line names them."""
    return list(_operations(service_name))


def input_of(kind: str) -> Shape | None:
    """Returns the input of an API call, `ecs:CreateService`."""
    name, _, api_name = kind.partition(":")
    model = service(name)
    if model is None or api_name not in model.operation_names:
        return None
    return model.operation_model(api_name).input_shape
