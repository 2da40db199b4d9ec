"""Paths and methods."""

from __future__ import annotations

import pytest

from inferfleet.serving.exchange import Exchange
from inferfleet.serving.problems import Problem
from inferfleet.serving.response import Response
from inferfleet.serving.routing import Routes


async def handler(_: Exchange) -> Response:
    return Response(b"")


async def other(_: Exchange) -> Response:
    return Response(b"")


def exchange(method: str, path: str) -> Exchange:
    return Exchange({"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}, None)  # type: ignore[arg-type]


@pytest.fixture
def routes() -> Routes:
    routes = Routes()
    routes.add("GET", "/v2", handler)
    routes.add("GET", "/v2/models/{name}", handler)
    routes.add("POST", "/v2/models/{name}/versions/{version}/infer", other)
    return routes


def test_names_in_a_path_become_parameters(routes: Routes) -> None:
    asked = exchange("POST", "/v2/models/a/versions/3/infer")
    assert routes.find(asked) is other
    assert asked.parameters == {"name": "a", "version": "3"}


def test_exact_paths_and_head_requests_are_found(routes: Routes) -> None:
    assert routes.find(exchange("GET", "/v2")) is handler
    assert routes.find(exchange("HEAD", "/v2/models/x")) is handler


@pytest.mark.parametrize("path", ["/", "", "*", "/v2/", "/v2/models", "/v2/models/", "/v2/models/a/b", "/v3"])
def test_other_paths_are_not_found(routes: Routes, path: str) -> None:
    with pytest.raises(Problem, match="there is nothing at"):
        routes.find(exchange("GET", path))


def test_another_method_is_told_which_there_are(routes: Routes) -> None:
    with pytest.raises(Problem) as caught:
        routes.find(exchange("DELETE", "/v2"))
    assert caught.value.headers == ((b"allow", b"GET, HEAD"),)
