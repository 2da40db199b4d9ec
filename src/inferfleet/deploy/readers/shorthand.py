"""The AWS command line's shorthand, `key=value,list=[a,b],nested={c=d}`, read with places.

Grammar: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
"""

from __future__ import annotations

import re

from inferfleet.config.source import Place
from inferfleet.deploy.lint.excerpt import Excerpt
from inferfleet.deploy.lint.node import Node

_KEY = re.compile(r"\s*([\w.:/#-]+)\s*=")
_OPEN = re.compile(r"\$\{[^}]*\}|\$\([^)]*\)")


class ShorthandProblem(Exception):
    """The text is not shorthand.

    Attributes:
        place: Where reading stopped.
    """

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(problem)
        self.place = place


def read(excerpt: Excerpt) -> Node:
    """Reads `key=value,…`.

    Raises:
        ShorthandProblem: It is not shorthand.
    """
    reader = _Reader(excerpt)
    node = reader.pairs(stop="")
    reader.end()
    return node


def read_list(excerpt: Excerpt) -> list[Node]:
    """Reads `a,b,c`."""
    return _Reader(excerpt).values(stop="")


class _Reader:
    def __init__(self, excerpt: Excerpt) -> None:
        self.excerpt = excerpt
        self.text = excerpt.text
        self.at = 0

    def end(self) -> None:
        if self.text[self.at :].strip():
            raise self._problem(f"cannot read `{self.text[self.at : self.at + 20]}` as shorthand")

    def pairs(self, stop: str) -> Node:
        start = self.at
        members: dict[str, Node] = {}
        while True:
            matched = _KEY.match(self.text, self.at)
            if not matched:
                raise self._problem(f"expected key=value, found `{self.text[self.at : self.at + 20]}`")
            offset, key = matched.start(1), matched[1]
            self.at = matched.end()
            value = self._value(stop)
            self._blank()
            if self._peek() == "," and not self._key_follows() and not isinstance(value.value, dict):
                items = [value]
                while self._peek() == "," and not self._key_follows():
                    self.at += 1
                    items.append(self._value(stop))
                    self._blank()
                value = Node(items, self.excerpt, offset)
            members[key] = Node(value.value, self.excerpt, offset)
            self._blank()
            if self._peek() != ",":
                break
            self.at += 1
            self._blank()
            if stop and self._peek() == stop:
                break
        return Node(members, self.excerpt, start)

    def values(self, stop: str) -> list[Node]:
        items = []
        while True:
            self._blank()
            if self._peek() == stop:
                break
            items.append(self._value(stop))
            self._blank()
            if self._peek() != ",":
                break
            self.at += 1
        return items

    def _value(self, stop: str) -> Node:
        self._blank()
        start = self.at
        opening = self._peek()
        if opening == "{":
            self.at += 1
            self._blank()
            node = self.pairs("}") if self._peek() != "}" else Node({}, self.excerpt, start)
            self._expect("}")
            return Node(node.value, self.excerpt, start)
        if opening == "[":
            self.at += 1
            items = self.values("]")
            self._expect("]")
            return Node(list(items), self.excerpt, start)
        if opening in ("'", '"'):
            end = self.text.find(opening, self.at + 1)
            if end < 0:
                raise self._problem("a quote is not closed")
            self.at = end + 1
            return Node(self.text[start + 1 : end], self.excerpt, start)
        while self.at < len(self.text):
            opened = _OPEN.match(self.text, self.at)
            if opened:
                self.at = opened.end()
                continue
            character = self.text[self.at]
            if character == "," or (stop and character == stop):
                break
            self.at += 1
        return Node(self.text[start : self.at].strip(), self.excerpt, start)

    def _key_follows(self) -> bool:
        return _KEY.match(self.text, self.at + 1) is not None

    def _peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def _blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _expect(self, character: str) -> None:
        self._blank()
        if self._peek() != character:
            raise self._problem(f"expected `{character}`, found `{self.text[self.at : self.at + 20]}`")
        self.at += 1

    def _problem(self, problem: str) -> ShorthandProblem:
        return ShorthandProblem(self.excerpt.place(self.at), problem)
