"""Faults as a person writes them, and when they are due."""

from __future__ import annotations

import pytest

from inferfleet.errors import InputError
from inferfleet.localcloud.kvs.faults import Fault, Faults, Kind, Progress, parse


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("cut", Fault(Kind.CUT)),
        ("cut:after=30s", Fault(Kind.CUT, seconds=30)),
        ("cut:after=2MB,times=0", Fault(Kind.CUT, bytes=2_000_000, times=0)),
        ("end:after=45m", Fault(Kind.END, seconds=2700)),
        ("truncate:after=3f,stream=gate", Fault(Kind.TRUNCATE, fragments=3, stream="gate")),
        ("slow:rate=50KB", Fault(Kind.SLOW, rate=50_000)),
        ("error:id=4500, after=1.5s", Fault(Kind.ERROR, id=4500, seconds=1.5)),
        ("throttle:call=GetMedia,times=5", Fault(Kind.THROTTLE, call="GetMedia", times=5)),
    ],
)
def test_a_fault_is_read(spec, fault):
    assert parse(spec) == fault


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("boom", "there is no 'boom'; there are: cut, end"),
        ("cut:30s", "'30s' is not key=value"),
        ("cut:after=soon", "is not a number with a unit"),
        ("cut:after=3parsecs", "cannot read after=3parsecs"),
        ("cut:until=3s", "keys: after, rate"),
        ("slow", "slow needs a rate"),
    ],
)
def test_a_mistake_in_a_fault_is_told(spec, told):
    with pytest.raises(InputError, match=told):
        parse(spec)


def test_a_fault_happens_as_often_as_it_says_where_it_says():
    faults = Faults()
    faults.add(parse("cut:after=2f,times=2,stream=gate"))
    assert faults.due("GetMedia", "gate", Progress(fragments=1)) is None
    assert faults.due("GetMedia", "yard", Progress(fragments=2)) is None
    assert faults.refusal("GetMedia", "gate") is None
    assert [faults.due("GetMedia", "gate", Progress(fragments=2)) is not None for _ in range(3)] == [True, True, False]
    assert faults.injected == {"cut": 2}
    faults.add(parse("busy:times=0"))
    assert all(faults.refusal("PutMedia", "yard") for _ in range(5))
    faults.clear()
    assert faults.refusal("PutMedia", "yard") is None
