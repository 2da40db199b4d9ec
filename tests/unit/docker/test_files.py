"""docker/ by our own rules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml


def test_our_own_rules_find_nothing_in_docker(root: Path):
    command = [sys.executable, "-m", "inferfleet", "validate", "--json", str(root / "docker")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["findings"] == []


def test_services_of_compose_cannot_write_or_gain_rights(root: Path):
    services = yaml.safe_load((root / "docker/compose.yaml").read_text())["services"]
    assert {"cloud", "worker"} <= services.keys()
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_compose_builds_targets_that_the_dockerfile_has(root: Path):
    text = (root / "docker/Dockerfile").read_text()
    services = yaml.safe_load((root / "docker/compose.yaml").read_text())["services"]
    targets = {service["build"]["target"] for service in services.values() if "build" in service}
    assert targets == {"cpu", "local"}
    assert all(f" AS {target}\n" in text for target in (*targets, "gpu"))
