"""Checks a node against botocore's model of an API: unknown and missing members, types, lengths, and enumerations.

Botocore checks plain data; values that are not known yet (`${VAR}`) are given a stand-in of the right type, and what
it then says is brought back to the place of the value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from inferfleet.config.source import Place
from inferfleet.deploy.lint.node import Node

if TYPE_CHECKING:
    from botocore.model import Shape

Problem = tuple[Place, str]

_OPAQUE = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)|<[^>]*>")
_WHERE = re.compile(r"(?:parameter in|for parameter|parameter) (?P<path>[\w.\[\]\-/: ]+?)(?:: \"|, |$)")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_MANY = 80


def check(node: Node, shape: Shape, *, complete: bool = True) -> list[Problem]:
    """Says what an API would say against a node.

    Args:
        node: The input as written.
        shape: The model of the input.
        complete: Whether missing members count.
    """
    from botocore.validate import ParamValidator

    opaque: list[str] = []
    problems: list[Problem] = []
    data = _plain(node, shape, "", opaque, problems)
    report = ParamValidator().validate(data, shape).generate_report()
    for line in report.splitlines():
        matched = _WHERE.search(line)
        path = matched["path"].strip() if matched else ""
        if "Missing required" in line and (not complete or path.removeprefix("input") in opaque or path in opaque):
            continue
        problems.append((_unknown(node, path, line).place, _worded(line)))
    return problems


def _plain(  # noqa: PLR0911 (a case a shape)
    node: Node, shape: Shape, path: str, opaque: list[str], problems: list[Problem]
) -> Any:
    if node.value is None or (isinstance(node.value, str) and _OPAQUE.search(node.value)):
        opaque.append(path)
        return _stand_in(shape)
    match shape.type_name:
        case "structure" if node.is_mapping:
            members = shape.members  # type: ignore[attr-defined]
            return {
                key: _plain(child, members[key], f"{path}.{key}".lstrip("."), opaque, problems)
                if key in members
                else child.plain()
                for key, child in node.items()
            }
        case "map" if node.is_mapping:
            value = shape.value  # type: ignore[attr-defined]
            return {key: _plain(child, value, f"{path}.{key}", opaque, problems) for key, child in node.items()}
        case "list" if isinstance(node.value, list):
            member = shape.member  # type: ignore[attr-defined]
            return [_plain(child, member, f"{path}[{i}]", opaque, problems) for i, child in enumerate(node.value)]
        case "string" if isinstance(node.value, str):
            _check_enum(node, shape, path, problems)
            return node.value
        case "timestamp" | "blob":
            return _stand_in(shape)
        case _:
            return node.plain()


def _check_enum(node: Node, shape: Shape, path: str, problems: list[Problem]) -> None:
    allowed = getattr(shape, "enum", None)
    if allowed and node.known and node.value not in allowed and len(allowed) < _MANY:
        problems.append((node.place, f"{path}: `{node.value}` is none of {', '.join(allowed[:12])}"))


def _stand_in(shape: Shape) -> Any:  # noqa: PLR0911 (a case a shape)
    match shape.type_name:
        case "structure" | "map":
            return {}
        case "list":
            return []
        case "integer" | "long":
            return max(1, int(shape.metadata.get("min", 1)))
        case "float" | "double":
            return 1.0
        case "boolean":
            return True
        case "blob":
            return b"x"
        case "timestamp":
            return 0
        case _:
            return "x" * max(1, int(shape.metadata.get("min", 1)))


def _unknown(node: Node, path: str, line: str) -> Node:
    """Finds the node that a line of botocore's report is about."""
    steps: list[str | int] = [
        int(index) if index else name for name, index in _STEP.findall(path.removeprefix("input")) if name or index
    ]
    found = node.find(tuple(steps))
    named = re.search(r'Unknown parameter in [^:]*: "([^"]+)"', line)
    return found[named[1]] if named and found[named[1]].exists else found


def _worded(line: str) -> str:
    return (
        line.strip()
        .replace("Unknown parameter in input: ", "unknown: ")
        .replace("Unknown parameter in ", "unknown in ")
    )
