"""The server as its users start it: a process with a configuration, a log and a port."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

DEADLINE = 120
FAKE = Path(__file__).with_name("fake_server.py")


class ServerProcess:
    """`inferfleet serve` on a configuration in a folder, or the same server over a model that only takes time."""

    def __init__(self, folder: Path, config: dict[str, Any], *options: str, fake: float | None = None) -> None:
        """Starts it; `fake` is the seconds that a batch takes in a model that answers without looking."""
        self.config = folder / "serve.yaml"
        self.config.write_text(yaml.safe_dump({"host": "127.0.0.1", "port": 0, **config}, sort_keys=False))
        program = ["-m", "inferfleet", "serve"] if fake is None else [str(FAKE), str(fake)]
        self.log: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self._seen = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, *program, "--config", str(self.config), *options],
            env={key: value for key, value in os.environ.items() if key not in ("HTTP_PORT", "MODEL_PATH")},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for_log(self, event: str, **fields: Any) -> dict[str, Any]:
        """Returns the first log entry with an event and fields, waiting for it."""

        def wanted(entry: dict[str, Any]) -> bool:
            return entry.get("event") == event and all(entry.get(key) == value for key, value in fields.items())

        with self._seen:
            entries = self.requests if event == "request" else self.log
            self._seen.wait_for(lambda: any(map(wanted, entries)) or not self._reader.is_alive(), DEADLINE)
            found = next(filter(wanted, entries), None)
            assert found is not None, entries[-5:]
            return found

    @functools.cached_property
    def port(self) -> int:
        """The main port."""
        return int(self.wait_for_log("serving")["port"])

    @property
    def admin_port(self) -> int:
        """The admin port."""
        return int(self.wait_for_log("serving")["admin_port"])

    @property
    def url(self) -> str:
        """The base of all addresses."""
        return f"http://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        """A client with kept connections."""
        return httpx.Client(base_url=self.url, timeout=DEADLINE, trust_env=False, verify=False, **options)

    def ready(self) -> ServerProcess:
        """Waits until the models are loaded."""
        self.wait_for_log("ready")
        return self

    def status(self) -> dict[str, Any]:
        """The server's `/status`."""
        return dict(self.get("/status").json())

    def get(self, path: str) -> httpx.Response:
        """Asks over a new connection."""
        return httpx.get(f"{self.url}{path}", timeout=DEADLINE, trust_env=False, verify=False)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the device of the model that only takes time busy."""
        hold = self.config.with_name("hold")
        hold.touch()
        try:
            yield
        finally:
            hold.unlink()

    def wait_until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Polls `/status` until it fulfils a condition, and returns it."""
        until = time.monotonic() + DEADLINE
        status: dict[str, Any] = {}
        while time.monotonic() < until:
            status = self.status()
            if condition(status):
                return status
            time.sleep(0.02)
        raise AssertionError(f"never came true; last status: {status}")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Waits for the end and returns the exit code."""
        code = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._seen:
                entry = json.loads(line) if line.startswith("{") else {"event": line.rstrip()}
                (self.requests if entry.get("event") == "request" else self.log).append(entry)
                self._seen.notify_all()
        with self._seen:
            self._seen.notify_all()
