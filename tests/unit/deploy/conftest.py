from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def seeds(shared_data) -> list[Path]:
    """The five guides that the rules were first written for; they are not part of the repository."""
    found = sorted((shared_data.parent / "seeds").glob("*.txt"))
    if not found:
        pytest.skip(f"the guides are not in {shared_data.parent / 'seeds'}")
    return found
