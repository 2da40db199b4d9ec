"""Properties of a template as the parameters of an API call, by the shapes that botocore has of the API.

CloudFormation writes `LogConfiguration`, ECS `logConfiguration`; a template may write `"80"` or `"true"` where the
API wants a number or a truth value. What the API does not know is refused, as CloudFormation does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def parameters(
    client: Any, operation: str, properties: Mapping[str, Any], renamed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Parameters of an operation.

    Args:
        client: A boto3 client.
        operation: As the API names it, such as `CreateService`.
        properties: Of the resource.
        renamed: Properties that have another name in the API.

    Raises:
        ValueError: The operation has no such parameter, or a value does not fit.
    """
    shape = client.meta.service_model.operation_model(operation).input_shape
    names = renamed or {}
    return _structure(shape, {names.get(name, name): value for name, value in properties.items()}, "")


def accepted(client: Any, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the properties that an operation takes, as its parameters; the rest is left out."""
    shape = client.meta.service_model.operation_model(operation).input_shape
    known = {member.lower() for member in shape.members}
    return _structure(shape, {name: value for name, value in properties.items() if name.lower() in known}, "")


def _structure(shape: Any, value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"Value of property {place or 'Properties'} must be an object")
    members = {name.lower(): name for name in shape.members}
    found = {}
    for name, item in value.items():
        if item is None:
            continue
        member = members.get(name.lower())
        if member is None:
            raise ValueError(f"Encountered unsupported property {place + '.' if place else ''}{name}")
        found[member] = _value(shape.members[member], item, f"{place}.{name}" if place else name)
    return found


def _value(shape: Any, value: Any, place: str) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(shape, value, place)
        case "list":
            items = value if isinstance(value, list) else [value]
            return [_value(shape.member, item, f"{place}[{index}]") for index, item in enumerate(items)]
        case "map":
            if not isinstance(value, Mapping):
                raise ValueError(f"Value of property {place} must be an object")
            return {str(key): _value(shape.value, item, f"{place}.{key}") for key, item in value.items()}
        case scalar:
            return _SCALARS.get(scalar, _as_it_is)(value, place)


def _truth(value: Any, place: str) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"Value of property {place} must be true or false, not {value!r}")
    return text == "true"


def _number(value: Any, place: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"Value of property {place} must be a number, not {value!r}") from None


def _whole(value: Any, place: str) -> int:
    return int(_number(value, place))


def _text(value: Any, place: str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_it_is(value: Any, place: str) -> Any:
    return value


_SCALARS: Mapping[str, Callable[[Any, str], Any]] = {
    "boolean": _truth, "integer": _whole, "long": _whole, "float": _number, "double": _number, "string": _text,
}  # fmt: skip
