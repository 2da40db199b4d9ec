"""Processes that outlive the command that starts them: started apart, recognised again, stopped for sure."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inferfleet.errors import OutsideError

_POLL_S = 0.1
_START_TIME = 19
"""Index of the start time among the fields of /proc/PID/stat that follow the name (proc(5), field 22)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that was started here.

    Attributes:
        pid: Its number, which is also its group's.
        started: Its start time in clock ticks since boot, as a number may be given to another process later.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has a number now."""
        return cls(pid, _started(pid) or 0)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return _started(self.pid) == self.started


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """Starts a process in a session of its own; what it prints goes to `log`.

    Raises:
        OutsideError: It cannot be started.
    """
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise OutsideError(f"{command[0]} cannot be started: {error.strerror}") from error
    return Process.of(child.pid)


def wait_until(is_ready: Callable[[], bool], process: Process, what: str, log: Path, timeout: float) -> None:
    """Waits until a process answers.

    Raises:
        OutsideError: It ended, or did not answer in time; with the last lines of its log.
    """
    until = time.monotonic() + timeout
    while not is_ready():
        _reap(process.pid)
        ended = not process.is_alive
        if ended or time.monotonic() > until:
            lines = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
            verb = "ended" if ended else f"did not answer within {timeout:g} s"
            raise OutsideError(f"{what} {verb}; the end of {log}:\n{lines}")
        time.sleep(_POLL_S)


def stop(process: Process, timeout: float = 10.0) -> None:
    """Ends a process and its children: politely, and after `timeout` seconds for sure."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not process.is_alive:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        until = time.monotonic() + timeout
        while process.is_alive and time.monotonic() < until:
            _reap(process.pid)
            time.sleep(_POLL_S)


def _started(pid: int) -> int | None:
    """Start time of a process; None when there is none, or it has ended and only waits to be noticed."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[_START_TIME - 1])


def _reap(pid: int) -> None:
    """Lets a child that has ended go; others are none of our business."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
