"""examples/ml-inference on the local cloud, by the commands that a user types: from nothing to containers and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferfleet.demo.fleet import live
from inferfleet.deploy.operations import tools


@pytest.fixture
def cdk() -> None:
    """The CDK's command line."""
    if tools.find_cdk() is None:
        pytest.skip(f"needs the CDK's command line: {tools.INSTALL_CDK}")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("cdk")
def test_a_fleet_is_deployed_replaced_spoilt_scaled_and_removed_without_losing_a_request(
    tmp_path: Path, cpu_image: str
) -> None:
    said: list[str] = []
    life = live(tmp_path, cpu_image, said.append, said.append)
    log = "\n".join(said)

    # Containers of our own image answer behind the load balancer.
    assert life.answer["model"] == "street-classifier-v1", log
    assert life.answer["predictions"][0]["confidence"] > 0.5, life.answer

    # New versions take over without a failed request, each as a version of its own.
    rolling, blue_green = life.rollouts
    for rollout in (rolling, blue_green):
        assert (rollout.ran.code, rollout.failed, rollout.examples) == (0, 0, ()), log
        assert rollout.sent > 20, "there was no load to speak of"
        assert "succeeded" in rollout.ran.said
    assert "bake for 5 min" in blue_green.ran.said and blue_green.version != rolling.version

    # One that fails its health check does not stay, nobody notices, and what happened is told.
    spoilt = life.spoilt
    assert (spoilt.ran.code, spoilt.failed, spoilt.examples) == (1, 0, ()), log
    assert spoilt.version == rolling.version, log
    assert "rolled back" in spoilt.ran.said and "health check" in spoilt.ran.said.lower(), spoilt.ran.said
    assert '"port": 5999' in spoilt.ran.said, "the output of the task that failed is not told"

    # What would send requests where no task is, is refused before anything is done.
    assert life.refused.code == 1 and "carries the traffic of" in life.refused.said, life.refused.said

    # Load and calm move the number of tasks.
    assert life.scaled_out > 2, log
    assert life.scaled_in == 2, log

    # Nothing is left, and removing nothing is fine.
    assert life.removed.code == 0 and "nothing is left" in life.removed.said, life.removed.said
    assert life.removed_again.code == 0 and "nothing is there" in life.removed_again.said
    assert "deleting image" in life.removed.said and life.containers == ()
    assert life.complaint == ""
