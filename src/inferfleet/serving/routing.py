"""Finds the handler of a request: exact paths by one look-up, paths with names in them part by part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from inferfleet.serving.exchange import Exchange
from inferfleet.serving.problems import Problem
from inferfleet.serving.response import Response

Handler = Callable[[Exchange], Awaitable[Response]]

_NAME = "{}"


@dataclass(slots=True)
class _Node:
    handlers: dict[str, Handler] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    below: dict[str, _Node] = field(default_factory=dict)


class Routes:
    """Paths and methods with their handlers."""

    def __init__(self) -> None:
        self._root = _Node()
        self._exact: dict[tuple[str, str], Handler] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Adds a handler; `{name}` stands for one part of the path and becomes a parameter."""
        node = self._root
        names = []
        for part in path.split("/")[1:]:
            if part.startswith("{"):
                names.append(part[1:-1])
            node = node.below.setdefault(_NAME if part.startswith("{") else part, _Node())
        node.names = tuple(names)
        node.handlers[method] = handler
        if method == "GET":
            node.handlers["HEAD"] = handler
        if not names:
            self._exact[method, path] = handler

    def find(self, exchange: Exchange) -> Handler:
        """Finds the handler, and sets the exchange's parameters.

        Raises:
            Problem: There is no such path, or not with this method.
        """
        method, path = exchange.scope["method"], exchange.scope["path"]
        handler = self._exact.get((method, path))
        if handler is not None:
            return handler
        node: _Node | None = self._root
        values = []
        for part in path.split("/")[1:]:
            assert node is not None
            exact = node.below.get(part)
            if exact is None and part:
                values.append(part)
                exact = node.below.get(_NAME)
            node = exact
            if node is None:
                break
        if node is None or not node.handlers:
            raise Problem("not-found", f"there is nothing at {path[:200]}; /docs shows what there is")
        handler = node.handlers.get(method)
        if handler is None:
            allowed = ", ".join(sorted(node.handlers))
            raise Problem("method-not-allowed", f"{path[:200]} takes {allowed}", (b"allow", allowed.encode()))
        exchange.parameters = dict(zip(node.names, values, strict=True))
        return handler
