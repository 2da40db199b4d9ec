"""Structured data in which every value knows its place, and a missing one knows where it would stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from inferfleet.config.source import Place
from inferfleet.deploy.lint.excerpt import Excerpt

Scalar = None | bool | int | float | str
Value = Scalar | dict[str, "Node"] | list["Node"]

_OPEN = re.compile(r"\$[A-Za-z_{(]|^<[^>]*>$|YOUR_|\.\.\.|^x{3,}$|-x{3,}$|-y{3,}$")


class Node:
    """A value of a JSON or YAML document, or of a command's options.

    `node["a"]["b"]` never fails: what is not there is a missing node, which is false and stands where its parent does.

    Attributes:
        value: A scalar, a dict of nodes or a list of nodes.
        excerpt: The text it was read from.
        offset: Where in the excerpt it begins; for a value of a mapping, where its key does.
        exists: Whether it was written at all.
    """

    __slots__ = ("excerpt", "exists", "offset", "value")

    def __init__(self, value: Value, excerpt: Excerpt, offset: int, *, exists: bool = True) -> None:
        self.value = value
        self.excerpt = excerpt
        self.offset = offset
        self.exists = exists

    @property
    def place(self) -> Place:
        """Where it stands in the file."""
        return self.excerpt.place(self.offset)

    def __bool__(self) -> bool:
        """Whether it was written."""
        return self.exists

    def __getitem__(self, key: str | int) -> Node:
        """Returns a member or an item, or a missing node."""
        if isinstance(self.value, dict) and isinstance(key, str) and key in self.value:
            return self.value[key]
        if isinstance(self.value, list) and isinstance(key, int) and -len(self.value) <= key < len(self.value):
            return self.value[key]
        return Node(None, self.excerpt, self.offset, exists=False)

    def __contains__(self, key: str) -> bool:
        """Whether a mapping has a key."""
        return isinstance(self.value, dict) and key in self.value

    def __iter__(self) -> Iterator[Node]:
        """Walks a list; a lone value counts as a list of one, as IAM reads it."""
        if isinstance(self.value, list):
            return iter(self.value)
        return iter([self] if self.exists and self.value is not None else [])

    def items(self) -> Iterator[tuple[str, Node]]:
        """Walks the members of a mapping."""
        return iter(self.value.items()) if isinstance(self.value, dict) else iter(())

    @property
    def is_mapping(self) -> bool:
        """Whether it has members."""
        return isinstance(self.value, dict)

    @property
    def text(self) -> str:
        """The value as text; empty for a missing one, a list or a mapping."""
        if self.value is None or isinstance(self.value, dict | list):
            return ""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    @property
    def number(self) -> float | None:
        """The value as a number, if it is one, also when it is written in quotes."""
        if isinstance(self.value, bool):
            return None
        try:
            return float(self.text)
        except ValueError:
            return None

    @property
    def is_true(self) -> bool:
        """Whether it says true, as a boolean or in quotes."""
        return self.text.lower() == "true"

    @property
    def known(self) -> bool:
        """Whether it is a literal: false for `${VAR}`, `$(command)`, a template's reference and `YOUR_…` fillers."""
        return self.exists and not _OPEN.search(self.text)

    def texts(self) -> list[str]:
        """The texts of a list's items, or of a lone value."""
        return [item.text for item in self]

    def walk(self) -> Iterator[Node]:
        """Yields itself and everything below it."""
        yield self
        below = list(self.value.values()) if isinstance(self.value, dict) else self.value
        for child in below if isinstance(below, list) else ():
            yield from child.walk()

    def find(self, path: tuple[str | int, ...]) -> Node:
        """Returns the node at a path, or the nearest one above it that exists."""
        node = self
        for key in path:
            below = node[key]
            if not below.exists:
                return node
            node = below
        return node

    def plain(self) -> Any:
        """Returns it as ordinary data."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def with_value(self, value: Value) -> Node:
        """Returns another value in the same place."""
        return Node(value, self.excerpt, self.offset)
