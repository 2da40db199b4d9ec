"""One process a device, behind one port: all accept from the same listening sockets.

The parent holds no model. It starts the processes, passes signals on, and starts one again that dies; when the parent
itself dies, the processes notice and drain.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from types import FrameType

import msgspec
import structlog

from inferfleet.config.serve import ServeFile
from inferfleet.errors import OutsideError

_log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 2.0
_SOON_SECONDS = 30.0
"""A process that dies within this time of its start was never able to serve, or soon was not …"""
_MOST_SOON = 3
"""… and after so many such deaths in a row, trying again is of no use."""


class Member(msgspec.Struct):
    """What a process of the server is told on its standard input.

    Attributes:
        config: The whole configuration, as JSON.
        device: The device to run on.
        sockets: File descriptors of the listening sockets.
        lifeline: A file descriptor that ends when the parent does.
        folder: Where the processes' own sockets are.
        log_level: What to log.
    """

    config: str
    device: str
    sockets: list[int]
    lifeline: int
    folder: str
    log_level: str


class Fleet:
    """The parent of the processes."""

    def __init__(self, config: ServeFile, sockets: Sequence[socket.socket], log_level: str) -> None:
        self._config = config
        self._sockets = list(sockets)
        self._log_level = log_level
        self._ending = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._failed: dict[str, int] = {}

    def run(self) -> None:
        """Runs until all processes have ended after a signal.

        Raises:
            OutsideError: A process cannot be kept running; its log says why.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        inner, outer = os.pipe()
        with tempfile.TemporaryDirectory(prefix="inferfleet-") as folder:
            keepers = [
                threading.Thread(target=self._keep, args=(device, inner, folder), name=f"keep-{device}")
                for device in self._config.devices
            ]
            for keeper in keepers:
                keeper.start()
            for keeper in keepers:
                keeper.join()
        os.close(inner)
        os.close(outer)
        if self._failed:
            told = ", ".join(f"{device} (exit code {code})" for device, code in self._failed.items())
            raise OutsideError(f"these devices' processes do not run: {told}; their log lines say why")

    def _keep(self, device: str, lifeline: int, folder: str) -> None:
        """Keeps one device's process running."""
        soon = 0
        while not self._ending.is_set():
            began = time.monotonic()
            process = self._start(device, lifeline, folder)
            if process is None:
                return
            code = process.wait()
            if self._ending.is_set():
                if code:
                    self._failed[device] = code
                return
            soon = soon + 1 if time.monotonic() - began < _SOON_SECONDS else 0
            _log.error("a device's process ended; starting it again", device=device, exit_code=code)
            if soon >= _MOST_SOON:
                self._failed[device] = code
                self._end(signal.SIGTERM)
                return
            self._ending.wait(_AGAIN_SECONDS)

    def _start(self, device: str, lifeline: int, folder: str) -> subprocess.Popen[bytes] | None:
        numbers = [one.fileno() for one in self._sockets]
        member = Member(self._config.model_dump_json(), device, numbers, lifeline, folder, self._log_level)
        with self._lock:
            if self._ending.is_set():
                return None
            process = subprocess.Popen(
                [sys.executable, "-m", "inferfleet.serving.member"],
                stdin=subprocess.PIPE,
                pass_fds=(*numbers, lifeline),
                start_new_session=True,  # Ctrl-C is passed on by the parent, once
            )
            self._running[device] = process
        assert process.stdin is not None
        with process.stdin as told, contextlib.suppress(BrokenPipeError):
            told.write(msgspec.json.encode(member))
        _log.info("process started", device=device, pid=process.pid)
        return process

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        threading.Thread(target=self._end, args=(number,), daemon=True).start()

    def _end(self, number: int) -> None:
        """Passes a signal on, and lets go of the port: the processes hold it until they have drained."""
        with self._lock:
            self._ending.set()
            for listener in self._sockets:
                listener.close()
            for process in self._running.values():
                if process.poll() is None:
                    process.send_signal(number)
