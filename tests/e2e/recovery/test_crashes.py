"""The Lambda dies at any call that changes something, before it or after it; recovery still comes to the same end.

A test run crashes at the first and at the last call of each kind; with INFERFLEET_ALL_CRASHES=1, at every call.
"""

from __future__ import annotations

import os

import pytest

from inferfleet.recovery.core.terms import JobPhase, NodePhase
from tests.e2e.recovery.conftest import Crash
from tests.e2e.recovery.test_on_the_wire import _sick_until_boot

_AT_REST = (NodePhase.IN_SERVICE, NodePhase.RETIRED)


def _tale(fleet) -> None:
    """A job of two starts; one of its nodes fails, is rebooted and comes back."""
    fleet.submit(2)
    fleet.settle(2)
    node = fleet.fail(1)
    _sick_until_boot(fleet, node, 2)
    fleet.settle(8)


def _crash_points(changes: list[str], *, after: bool) -> list[int]:
    """Which calls to die at, counted from 1."""
    if os.environ.get("INFERFLEET_ALL_CRASHES"):
        return list(range(1, len(changes) + 1))
    numbers = dict.fromkeys(changes, 0)
    for number, name in enumerate(changes, 1):
        if after or not numbers[name]:
            numbers[name] = number
    return sorted(numbers.values())


@pytest.mark.slow
@pytest.mark.timeout(3600 if os.environ.get("INFERFLEET_ALL_CRASHES") else 300)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_write_or_effect_changes_nothing_in_the_end(region, after):
    calm = region(nodes=3)
    _tale(calm)
    kinds = set(calm.changes)
    assert {"transact_write_items", "put_item", "run_task", "put_attributes", "reboot_instances"} <= kinds
    for at in _crash_points(calm.changes, after=after):
        fleet = region(nodes=3)
        fleet.crash_at, fleet.dies_after_effect = at, after
        with pytest.raises(Crash):
            _tale(fleet)
        _finish(fleet)
        where = f"crash {'after' if after else 'before'} {fleet.changes[at - 1]}, call {at} of {len(calm.changes)}"
        assert fleet.job().phase is JobPhase.RUNNING, where
        assert len(fleet.live()) == 2, where
        assert len({item["startedBy"] for item in fleet.live()}) == 1, where
        assert all(fleet.node(node).phase in _AT_REST for node in fleet.nodes()), where
        assert fleet.count("RebootInstances") <= 2, where
        for item in fleet.cluster.instances.values():
            assert "inferfleet.fence" not in item.attributes, where
            assert (item.status, item.lifecycle) == ("ACTIVE", "InService") or item.gone, where


def _finish(fleet) -> None:
    """After the crash: the submission is repeated if it was lost, the fault happens if it had not, and time passes."""
    fleet.submit(2)
    fleet.settle(8)
    if all(item.boot == 1 for item in fleet.cluster.instances.values()) and not any(
        item.verdict for item in fleet.cluster.instances.values()
    ):
        node = fleet.fail(1)
        _sick_until_boot(fleet, node, 2)
    fleet.settle(30)
