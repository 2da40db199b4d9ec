"""One emulator for all tests of a process, and a proxy before it for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.delivery.cloud import MiniStack, Proxy


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    emulator = MiniStack(tmp_path_factory.mktemp("ministack"), auth=False)
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def strict_ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """An emulator that checks signatures and policies."""
    emulator = MiniStack(tmp_path_factory.mktemp("strict-ministack"), auth=True)
    yield emulator
    emulator.stop()


@pytest.fixture
def proxy(ministack: MiniStack) -> Iterator[Proxy]:
    made = Proxy(ministack.url)
    yield made
    made.close()
