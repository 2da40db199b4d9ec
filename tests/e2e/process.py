"""The worker as its users start it: a process with a configuration, a log and an HTTP port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import yaml

DEADLINE = 120


class WorkerProcess:
    """`inferfleet run` on a configuration in a folder."""

    def __init__(self, folder: Path, config: dict[str, Any], *options: str) -> None:
        self.folder = folder
        self.config = folder / "cameras.yaml"
        self.write(config)
        self.log: list[dict[str, Any]] = []
        self._seen = threading.Condition()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "inferfleet",
                "run",
                "--config",
                str(self.config),
                "--http-host",
                "127.0.0.1",
                *options,
            ],
            env={**os.environ, "HTTP_PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write(self, config: dict[str, Any]) -> None:
        """Replaces the configuration as editors do: a new file over the old one."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(config))
        fresh.replace(self.config)

    def wait_for_log(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Returns the first log entry that `wanted` accepts, waiting for it."""
        with self._seen:
            assert self._seen.wait_for(lambda: any(map(wanted, self.log)) or self.process.poll() is not None, DEADLINE)
            return next(entry for entry in self.log if wanted(entry))

    def wait_until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Polls `/status` until it fulfils a condition, and returns it."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            status = self.get("/status").json()
            if condition(status):
                return dict(status)
            time.sleep(0.05)
        raise AssertionError(f"never came true; last status: {status}")

    def get(self, path: str) -> httpx.Response:
        """Asks the worker's HTTP server."""
        port = self.wait_for_log(lambda entry: entry["event"] == "serving")["port"]
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Waits for the end and returns the exit code."""
        code = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def kill(self) -> None:
        """Ends it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._seen:
                self.log.append(json.loads(line) if line.startswith("{") else {"event": line.rstrip(), "level": "raw"})
                self._seen.notify_all()
        with self._seen:
            self._seen.notify_all()


def events_in(path: Path) -> list[dict[str, Any]]:
    """The events of a file sink, rotated files included."""
    files = sorted(path.parent.glob(f"{path.name}*"), key=lambda file: -int(file.suffix[1:]) if file != path else 1)
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
