"""The chaos in short: workers killed and paused, services failing, and no event lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import Plan, run


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_event_is_lost_whatever_fails(tmp_path: Path) -> None:
    verdict = run(Plan(seconds=20, cameras=3, workers=2, lease=5.0, every=2.0, seed=3), tmp_path)
    assert verdict.expected == 12
    assert verdict.moves > 0, "no camera ever changed hands"
    assert verdict.injected, "nothing went wrong"
    assert verdict.is_good, "\n".join(verdict.lines())
