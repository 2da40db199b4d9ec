"""MiniStack as our local cloud runs it: a process of its own, extended by what MiniStack lacks, then served.

An extension is a module with a function `extend(place)`. It is called once, after MiniStack is imported and before
the first request, and changes MiniStack in place: handlers are plain dictionaries (`ministack.services.ecs._ACTION_MAP`
and the like). What it returns, if anything, is called when the process shall end, before MiniStack itself ends.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module

from inferfleet.errors import InputError

EXTENSIONS = (
    "inferfleet.localcloud.ecs",
    "inferfleet.localcloud.cloudformation",
    "inferfleet.localcloud.autoscaling",
    "inferfleet.localcloud.cloudwatch",
    "inferfleet.localcloud.events",
)
"""Modules that extend MiniStack, in the order in which they do it."""

PACE = "INFERFLEET_LOCAL_PACE"
"""Names how much faster than AWS the waits of the platform pass."""

_KEEP_ALIVE_S = 75


@dataclass(frozen=True, slots=True)
class Place:
    """Where the emulator runs.

    Attributes:
        host: Address it listens at.
        port: Port of MiniStack.
        kvs_port: Port of Kinesis Video Streams beside it.
        region: What the region is called.
        account: Number of the account.
        pace: How much faster than AWS the waits of the platform pass (deregistration delay, bake time, cooldowns);
            from $INFERFLEET_LOCAL_PACE, else 1. Health checks and stop timeouts, which wait for real programs, keep
            their own time.
    """

    host: str
    port: int
    kvs_port: int
    region: str
    account: str
    pace: float = 1.0

    @property
    def url(self) -> str:
        """Where MiniStack answers."""
        return f"http://{self.host}:{self.port}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until the process is told to stop. MiniStack itself is set up by its own environment variables."""
    parser = argparse.ArgumentParser(prog="python -m inferfleet.localcloud.emulator", description=__doc__)
    parser.add_argument("--kvs-port", type=int, required=True, help="port of Kinesis Video Streams on this machine")
    options = parser.parse_args(arguments)
    place = Place(
        host=os.environ.get("BIND_HOST", "127.0.0.1"),
        port=int(os.environ.get("GATEWAY_PORT", "4566")),
        kvs_port=options.kvs_port,
        region=os.environ.get("MINISTACK_REGION", "us-east-1"),
        account=os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000"),
        pace=_pace(),
    )
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each request through a load balancer holds a few
    with ExitStack() as stack:
        for close in extend(place):
            stack.callback(close)
        asyncio.run(_serve(place, stack.close))


def _pace() -> float:
    """How much faster than AWS the platform's waits pass.

    Raises:
        InputError: The variable holds something else.
    """
    text = os.environ.get(PACE) or "1"
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not pace >= 1:
        raise InputError(f"{PACE}={text!r} must be a number from 1 on, such as 60 for an hour's waits in a minute")
    return pace


def extend(place: Place, extensions: Sequence[str] = EXTENSIONS) -> list[Callable[[], None]]:
    """Extends MiniStack in this process; what to call when it ends."""
    closers = [import_module(name).extend(place) for name in extensions]
    return [close for close in closers if close is not None]


async def _serve(place: Place, close: Callable[[], None]) -> None:
    """Serves until SIGTERM or SIGINT; extensions end before MiniStack clears away what they may still use."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as ministack

    config = Config()
    config.bind = [f"{place.host}:{place.port}"]
    config.keep_alive_timeout = _KEEP_ALIVE_S
    config.loglevel = ministack.LOG_LEVEL
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)

    async def over() -> None:
        await told.wait()
        await asyncio.to_thread(close)

    await serve(ministack.app, config, shutdown_trigger=over)
    # All has been closed and kept. Threads that still wait, for a target's answer or a container's end, do so in vain.
    os._exit(0)


if __name__ == "__main__":
    main()
