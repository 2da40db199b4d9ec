"""One local cloud for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.cloudformation.emulator import Emulator, running


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated AWS. What a test makes there carries a name of its own."""
    with running(tmp_path_factory.mktemp("cloud")) as emulator:
        yield emulator
