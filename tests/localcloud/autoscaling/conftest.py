"""A local cloud on which a minute of scaling takes a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inferfleet.localcloud.autoscaling import MINUTE
from tests.localcloud.cloudformation.emulator import Emulator, running


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated AWS. What a test makes there carries a name of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MINUTE, "1")
        with running(tmp_path_factory.mktemp("cloud")) as emulator:
            yield emulator
