"""`inferfleet run | head`: the reader of standard output has had enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml


def test_a_worker_ends_well_when_the_reader_of_its_output_goes(tmp_path: Path, street: Path) -> None:
    config = {
        "models": {"street": "zoo:street-v1"},
        "cameras": [{"id": "gate", "source": {"type": "file", "path": str(street), "loop": True}}],
        "sinks": ["stdout"],
    }
    (tmp_path / "cameras.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "inferfleet", "run", "--config", str(tmp_path / "cameras.yaml")]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, "HTTP_PORT": "0"})
    assert worker.stdout is not None
    try:
        first = json.loads(worker.stdout.readline())
        worker.stdout.close()
        assert first["subject"] == "gate"
        assert worker.wait(timeout=200) == 0, (tmp_path / "log").read_text()
    finally:
        worker.kill()
    assert "the reader of standard output has gone" in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()
