"""One local cloud for all tests of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.localcloud.cloudformation.emulator import Emulator, Stack, running


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated AWS. What a test makes there carries a name of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFERFLEET_STABLE_S", "60")
        with running(tmp_path_factory.mktemp("cloud")) as emulator:
            yield emulator


@pytest.fixture
def stack(aws: Emulator, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that is gone after the test."""
    made = aws.stack(f"test-{abs(hash(request.node.nodeid)) % 10**8}")
    yield made
    assert made.delete() == "DELETE_COMPLETE", made.failures()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names that no other test has."""
    return lambda what: f"{what}-{abs(hash(request.node.nodeid)) % 10**8}"
