"""What a request says in its headers."""

from __future__ import annotations

import pytest

from inferfleet.serving.exchange import Exchange
from inferfleet.serving.problems import Problem

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def exchange(query: bytes = b"", **headers: str) -> Exchange:
    encoded = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Exchange({"type": "http", "headers": encoded, "query_string": query}, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"00-{TRACE}-{PARENT}-01", (TRACE, PARENT)),
        (f"cc-{TRACE}-{PARENT}-01-what-will-come", (TRACE, PARENT)),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_trace_parents_are_read_as_w3c_says(text: str, found: tuple[str, str] | None) -> None:
    assert exchange(traceparent=text).trace() == found


@pytest.mark.parametrize(("asked", "most", "timeout"), [("0.5", 30, 0.5), ("90", 30, 30), ("1e-3", 30, 0.001)])
def test_a_request_may_ask_for_less_time_but_not_for_more(asked: str, most: float, timeout: float) -> None:
    one = exchange(x_request_timeout=asked)
    one.choose_timeout(most)
    assert one.timeout == timeout
    assert one.left <= timeout


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "inf", "soon", "", "1,5"])
def test_a_timeout_that_makes_no_sense_is_refused(asked: str) -> None:
    with pytest.raises(Problem, match="X-Request-Timeout"):
        exchange(x_request_timeout=asked).choose_timeout(30)


@pytest.mark.parametrize("query", [b"\xff=1", b"&".join(b"a=1" for _ in range(60)), b"a=%ff"])
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    with pytest.raises(Problem, match="query"):
        exchange(query).query()
