from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferfleet.streams.delivery.sinks.base import SinkUnavailable
from inferfleet.streams.delivery.sinks.rounds import Entry, Limits, send_all

LIMITS = Limits(entries=4, bytes=100, entry_bytes=50)


class Service:
    """Takes and refuses what it is told to, one answer an entry, in the order in which entries come."""

    def __init__(self, answers: list[bool]) -> None:
        self._answers = list(answers)
        self.taken: list[Entry] = []
        self.requests: list[list[Entry]] = []

    def send(self, entries: Sequence[Entry]) -> list[str | None]:
        self.requests.append(list(entries))
        taken = [self._answers.pop(0) if self._answers else True for _ in entries]
        self.taken += [entry for entry, yes in zip(entries, taken, strict=True) if yes]
        return [None if yes else "busy" for yes in taken]


ENTRIES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60)), min_size=1, max_size=30).map(
    lambda given: [Entry(str(n), camera, b"", size) for n, (camera, size) in enumerate(given)]
)


@given(entries=ENTRIES, answers=st.lists(st.booleans(), max_size=60), ordered=st.booleans())
def test_everything_is_either_taken_once_or_reported_and_limits_hold(
    entries: list[Entry], answers: list[bool], ordered: bool
) -> None:
    service = Service(answers)
    failures = send_all(entries, LIMITS, service.send, ordered=ordered)
    assert sorted([entry.id for entry in service.taken] + [failure.id for failure in failures]) == sorted(
        entry.id for entry in entries
    )
    assert {f.id for f in failures if f.permanent} == {e.id for e in entries if e.size > LIMITS.entry_bytes}
    for request in service.requests:
        assert len(request) <= LIMITS.entries
        assert sum(entry.size for entry in request) <= LIMITS.bytes


@given(entries=ENTRIES, answers=st.lists(st.booleans(), max_size=60))
def test_with_retries_each_camera_arrives_in_order(entries: list[Entry], answers: list[bool]) -> None:
    service = Service(answers)
    left = [entry for entry in entries if entry.size <= LIMITS.entry_bytes]
    while left:
        failed = {failure.id for failure in send_all(left, LIMITS, service.send, ordered=True)}
        left = [entry for entry in left if entry.id in failed]
    for camera in "abc":
        numbers = [int(entry.id) for entry in service.taken if entry.camera == camera]
        assert numbers == sorted(numbers)


def test_without_order_requests_are_as_full_as_they_may_be() -> None:
    service = Service([])
    entries = [Entry(str(n), "a", b"", 10) for n in range(10)]
    assert send_all(entries, LIMITS, service.send, ordered=False) == []
    assert [len(request) for request in service.requests] == [4, 4, 2]


def test_a_first_request_that_fails_fails_all() -> None:
    def down(_: Sequence[Entry]) -> Sequence[str | None]:
        raise SinkUnavailable("no answer")

    with pytest.raises(SinkUnavailable):
        send_all([Entry("1", "a", b"", 1)], LIMITS, down, ordered=True)


def test_what_got_through_before_a_request_failed_is_not_sent_again() -> None:
    sent: list[str] = []

    def down_later(entries: Sequence[Entry]) -> Sequence[str | None]:
        if sent:
            raise SinkUnavailable("no answer")
        sent.extend(entry.id for entry in entries)
        return [None] * len(entries)

    failures = send_all([Entry(str(n), "a", b"", 1) for n in range(3)], LIMITS, down_later, ordered=True)
    assert sent == ["0"]
    assert [(failure.id, failure.reason) for failure in failures] == [("1", "no answer"), ("2", "no answer")]
