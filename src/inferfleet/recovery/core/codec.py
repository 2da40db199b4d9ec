"""Records to plain JSON values and back, by their type hints: one codec for the tables, the replays and `--json`."""

import dataclasses
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Makes JSON values of a record, leaving out fields that hold their default."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: encode(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if item.default is dataclasses.MISSING or getattr(value, item.name) != item.default
        }
    if isinstance(value, tuple | list | frozenset):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def decode(kind: type[T], raw: Any) -> T:
    """Makes a record of JSON values.

    Raises:
        ValueError: If a field is missing or of the wrong kind: state that cannot be read is never guessed.
    """
    return typing.cast(T, _decode(kind, raw, kind.__name__))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _decode(kind: Any, raw: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        options = [item for item in typing.get_args(kind) if item is not type(None)]
        return None if raw is None else _decode(options[0], raw, where)
    if origin is tuple:
        if not isinstance(raw, list):
            raise ValueError(f"{where}: a list is needed, found {raw!r}")
        args = typing.get_args(kind)
        kinds = [args[0]] * len(raw) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(raw):
            raise ValueError(f"{where}: {len(kinds)} items are needed, found {len(raw)}")
        return tuple(
            _decode(item, value, f"{where}[{at}]") for at, (item, value) in enumerate(zip(kinds, raw, strict=True))
        )
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _decode_record(kind, raw, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(int(raw) if issubclass(kind, int) else raw)
        except (ValueError, TypeError):
            raise ValueError(f"{where}: {raw!r} is not one of {', '.join(str(item.value) for item in kind)}") from None
    return _decode_scalar(kind, raw, where)


def _decode_record(kind: type, raw: Any, where: str) -> Any:
    if not isinstance(raw, dict):
        raise ValueError(f"{where}: an object is needed, found {raw!r}")
    hints = _hints(kind)
    values = {}
    for item in dataclasses.fields(kind):
        if item.name in raw:
            values[item.name] = _decode(hints[item.name], raw[item.name], f"{where}.{item.name}")
        elif item.default is dataclasses.MISSING:
            raise ValueError(f"{where}: {item.name} is missing")
    return kind(**values)


def _decode_scalar(kind: Any, raw: Any, where: str) -> Any:
    if kind is bool and isinstance(raw, bool):
        return raw
    if kind is float and not isinstance(raw, bool | str):
        return float(raw)
    if kind is int and not isinstance(raw, bool | str) and int(raw) == raw:
        return int(raw)
    if kind is str and isinstance(raw, str):
        return raw
    raise ValueError(f"{where}: {raw!r} is no {kind.__name__}")
