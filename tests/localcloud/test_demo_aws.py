"""What `inferfleet demo --aws` starts is stopped, however the demo ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inferfleet.localcloud.processes import Process

DEMO = """
import sys, time
from pathlib import Path
from inferfleet.demo.aws import running_cloud, stopped_for_sure
try:
    with stopped_for_sure(), running_cloud(Path(sys.argv[1])):
        print("up", flush=True)
        time.sleep(120)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_local_cloud_of_the_demo(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", DEMO, str(tmp_path)], stdout=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline() == b"up\n"
        kept = json.loads((tmp_path / "cloud.json").read_text())
        processes = [Process(**service["process"]) for service in kept["services"].values()]
        assert [process.is_alive for process in processes] == [True, True]
        demo.send_signal(number)
        assert demo.wait(60) == 130
    assert [process.is_alive for process in processes] == [False, False]
