"""YAML text with its places: every value can be traced to a line and a column.

`load` turns a file into plain data after `${VAR}` expansion, keeping a `SourceMap` so that whatever is found
wrong later can point at the very characters that are to blame.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from inferfleet.errors import InputError

Key = str | int
KeyPath = tuple[Key, ...]

_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
_MAX_BYTES = 4 * 1024 * 1024
_MAX_VALUES = 200_000
"""Aliases can make a small file stand for billions of values; this is where reading it ends."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file.

    Attributes:
        file: The path as the user gave it.
        line: Counted from 1.
        column: Counted from 1.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """The form that editors make clickable: `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Where each value of a document stands."""

    file: str
    places: Mapping[KeyPath, Place] = field(default_factory=dict)

    def find(self, path: KeyPath) -> Place:
        """Returns the place of a value, or of its nearest parent that is in the file."""
        for end in range(len(path), -1, -1):
            place = self.places.get(path[:end])
            if place is not None:
                return place
        return Place(self.file, 1, 1)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: plain data and where each part of it came from."""

    data: Any
    source: SourceMap


def load(path: Path, environment: Mapping[str, str] | None = None) -> Document:
    """Reads a YAML (or JSON) file.

    Args:
        path: The file.
        environment: Where `${VAR}` is looked up; the process's own environment when left out.

    Raises:
        InputError: The file is missing, too large (over 4 MiB), not YAML, or names a variable that is not set.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(raw) > _MAX_BYTES:
        raise InputError(f"{path}: {len(raw)} bytes; a configuration has at most {_MAX_BYTES}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); is this a configuration?") from error
    return parse(text, str(path), os.environ if environment is None else environment)


def parse(text: str, file: str, environment: Mapping[str, str]) -> Document:
    """Parses YAML text; see `load`."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        raise InputError(f"{place}: not valid YAML: {error.problem or error}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{file}:1:1: not valid YAML: {error}") from error
    builder = _Builder(file, environment)
    data = {} if root is None else builder.build(root, ())
    return Document(data, SourceMap(file, builder.places))


class _Builder:
    """Turns YAML nodes into data, noting the place of each value and of each key."""

    def __init__(self, file: str, environment: Mapping[str, str]) -> None:
        self.file = file
        self.environment = environment
        self.places: dict[KeyPath, Place] = {}
        self._scalars = yaml.SafeLoader("")
        self._values = 0

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self._values += 1
        if self._values > _MAX_VALUES:
            raise InputError(
                f"{self._place(node)}: too many values (over {_MAX_VALUES}); are there aliases of aliases?"
            )
        self.places.setdefault(path, self._place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key == "<<":
                parts = self.build(value_node, path)
                for part in parts if isinstance(parts, list) else [parts]:
                    merged = {**part, **merged}
                continue
            if key in result:
                raise InputError(f"{self._place(key_node)}: `{key}` is given twice; keep one of the two")
            self.places[(*path, key)] = self._place(key_node)
            result[key] = self.build(value_node, (*path, key))
        return {**merged, **result}

    def _scalar(self, node: yaml.Node) -> Any:
        assert isinstance(node, yaml.ScalarNode)
        expanded = self._expand(node)
        if expanded == node.value:
            return self._construct(node)
        if node.style in ("'", '"'):
            return expanded
        # An unquoted ${PORT} takes the type of what it stands for, as if it had been written there.
        tag = self._scalars.resolve(yaml.ScalarNode, expanded, (True, False))  # type: ignore[no-untyped-call]
        return self._construct(yaml.ScalarNode(tag, expanded, node.start_mark, node.end_mark))

    def _construct(self, node: yaml.Node) -> Any:
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{self._place(node)}: this value cannot be read: {node.value!r}") from error

    def _expand(self, node: yaml.ScalarNode) -> str:
        def replace(match: re.Match[str]) -> str:
            name = match["name"]
            if name is None:
                return "$"
            value = self.environment.get(name) or match["default"]
            if value is None:
                raise InputError(
                    f"{self._place(node)}: the variable {name} is not set; "
                    f"set it, or give a default as ${{{name}:-value}}"
                )
            return value

        return _VARIABLE.sub(replace, node.value)

    def _place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
