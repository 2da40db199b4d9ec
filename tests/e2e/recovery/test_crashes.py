"""The Lambda dies at any call that changes something, before or after it; recovery still comes to the same end."""

from __future__ import annotations

import pytest

from inferfleet.recovery.core.model import JobPhase, NodePhase
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


def _calls_of_a_tale(make) -> int:
    fleet = make(nodes=3)
    fleet.calls_left = 1_000_000
    _tale(fleet)
    return 1_000_000 - fleet.calls_left


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("part", range(4))
def test_a_crash_at_any_write_or_effect_changes_nothing_in_the_end(region, after, part):
    total = _calls_of_a_tale(region)
    for at in range(1 + part, total, 12):
        fleet = region(nodes=3)
        fleet.calls_left, fleet.dies_after_effect = at, after
        try:
            _tale(fleet)
        except Crash:
            fleet.calls_left = None
            _finish(fleet)
        where = f"crash {'after' if after else 'before'} call {at} of {total}"
        assert fleet.job().phase is JobPhase.RUNNING, where
        assert len(fleet.live()) == 2, where
        assert len({item["startedBy"] for item in fleet.live()}) == 1, where
        assert all(fleet.node(node).phase in _AT_REST for node in fleet.nodes()), where
        assert fleet.count("RebootInstances") <= 2, where
        assert all("inferfleet.fence" not in item.attributes for item in fleet.cluster.instances.values()), where


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
