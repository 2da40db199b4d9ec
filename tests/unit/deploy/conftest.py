from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def seeds(shared_data) -> list[Path]:
    """The five guides that the rules were first written for; they are not part of the repository."""
    found = sorted((shared_data.parent / "seeds").glob("*.txt"))
    if not found:
        pytest.skip(f"the guides are not in {shared_data.parent / 'seeds'}")
    return found


@pytest.fixture
def make_fleet():
    """Builds a resolved fleet from the services and capacity of a fleet.yaml."""
    import yaml

    from inferfleet.config.fleet import FleetFile
    from inferfleet.deploy.resolve import resolve

    def make(text):
        data = {"name": "vision", "account": "111122223333", **yaml.safe_load(text)}
        return resolve(FleetFile.model_validate(data))

    return make


@pytest.fixture
def examples() -> list[Path]:
    """The fleets that the repository shows."""
    return sorted((Path(__file__).parents[3] / "examples").glob("*/fleet.yaml"))
