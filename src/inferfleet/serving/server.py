"""The life of a server process: listen, load, serve, and on SIGTERM end in the order that a load balancer needs.

    SIGTERM ─► /ready 503 ─► serve on for drain.delay ─► stop accepting ─► finish what is open ─► exit 0

SIGINT leaves the delay out. A second signal ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
import uvicorn

from inferfleet.config.serve import ServeFile
from inferfleet.errors import OutsideError
from inferfleet.serving.accesslog import AccessLog
from inferfleet.serving.front import Front
from inferfleet.serving.metrics import Metrics
from inferfleet.serving.peers import Peers
from inferfleet.serving.protocol import uvicorn_options
from inferfleet.serving.registry import Loader, Registry
from inferfleet.serving.routing import Routes
from inferfleet.serving.servable import load
from inferfleet.serving.service import Service, State
from inferfleet.serving.tracing import make_tracer
from inferfleet.serving.v2 import InferenceProtocol
from inferfleet.serving.watching import FileWatch

_log = structlog.get_logger(__name__)

_BACKLOG = 4096
_LOOPBACK = "127.0.0.1"


class _Uvicorn(uvicorn.Server):
    """uvicorn without its own handling of signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone: the process has its own order of ending."""
        yield


@dataclass(frozen=True, slots=True)
class Membership:
    """A process's place among those of a server with several devices.

    Attributes:
        device: What this one runs on.
        peers: All of them, this one included.
        private: The listening socket that the others reach this one by.
        lifeline: A file descriptor that ends when the parent does.
    """

    device: str
    peers: Peers
    private: socket.socket
    lifeline: int


class Process:
    """One server process."""

    def __init__(
        self,
        config: ServeFile,
        sockets: Sequence[socket.socket],
        loader: Loader = load,
        membership: Membership | None = None,
    ) -> None:
        """Prepares to serve on listening sockets.

        Args:
            config: What to serve, and how.
            sockets: The main port's, and the admin port's if there is one.
            loader: Loads a model.
            membership: Where it is one of several.
        """
        self._config = config
        self._sockets = sockets
        self._membership = membership
        self._state = State(draining=False, started=time.time())
        self._metrics = Metrics(membership.device if membership else "")
        self.registry = Registry(config, self._metrics, loader)
        self._metrics.show(self.registry.states)
        self._tracer = make_tracer(config.traces)
        self._access_log = AccessLog(sys.stderr.buffer) if config.access_log else None
        self._signalled = asyncio.Event()
        self._hurry = False

    def run(self) -> None:
        """Serves until a signal comes.

        Raises:
            InferfleetError: A model cannot be used.
        """
        raise_file_limit()
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.serve())

    async def serve(self) -> None:
        """Serves until a signal comes; see `run`."""
        self._handle_signals()
        servers = [self._uvicorn(admin=index > 0) for index in range(len(self._sockets))]
        listeners = list(self._sockets)
        if self._membership is not None:
            servers.append(self._uvicorn(admin=True, private=True))
            listeners.append(self._membership.private)
        serving = [
            asyncio.create_task(server.serve(sockets=[listener]))
            for server, listener in zip(servers, listeners, strict=True)
        ]
        watching: asyncio.Task[None] | None = None
        files = FileWatch(self._config)
        try:
            loading = asyncio.create_task(self._load())
            await _first(loading, asyncio.create_task(self._signalled.wait()))
            if loading.done():
                loading.result()
                watching = asyncio.create_task(files.run(self.registry))
                await self._signalled.wait()
            else:
                loading.cancel()
            await self._drain()
        finally:
            if watching is not None:
                watching.cancel()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving)
            await self.registry.stop()
            self._tracer.stop()
            if self._access_log is not None:
                self._access_log.flush()
        _log.info("stopped")

    async def _load(self) -> None:
        began = time.monotonic()
        await self.registry.load()
        for name, lane in self.registry:
            about = lane.servable.about
            _log.info(
                "model ready",
                model=name,
                kind=about.kind,
                version=about.version,
                engine=about.engine,
                device=about.device,
                precision=about.precision,
                workers=lane.capacity.workers,
                largest_batch=lane.capacity.batch,
                decode_threads=lane.capacity.decoders,
            )
        _log.info("ready", seconds=round(time.monotonic() - began, 2))

    async def _drain(self) -> None:
        """Shows balancers that this process is about to end, and serves on until they have noticed."""
        self._state.draining = True
        delay = self._config.drain.delay
        if self._hurry or not delay:
            return
        _log.info("draining", delay=delay)
        self._signalled.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._signalled.wait(), delay)

    def _uvicorn(self, *, admin: bool, private: bool = False) -> _Uvicorn:
        routes = Routes()
        peers = self._membership.peers if self._membership and not private else None
        service = Service(self._config, self.registry, self._metrics, self._state, peers)
        service.add_to(routes, admin=admin)
        if not admin:
            InferenceProtocol(service).add_to(routes)
        front = Front(
            routes,
            self._metrics,
            tracer=self._tracer,
            log=self._access_log,
            cors_origins=self._config.access.cors_origins,
            closing=lambda: self._state.draining,
        )
        options = uvicorn_options(self._config.limits.read_seconds, self._config.keep_alive)
        timeout = int(self._config.drain.timeout)
        return _Uvicorn(uvicorn.Config(front, backlog=_BACKLOG, timeout_graceful_shutdown=max(1, timeout), **options))

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()

        def on_signal(number: signal.Signals) -> None:
            self._hurry = self._hurry or number == signal.SIGINT or self._state.draining
            self._signalled.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        if self._membership is not None:
            lifeline = self._membership.lifeline

            def on_end() -> None:
                loop.remove_reader(lifeline)
                _log.warning("the parent process is gone; ending")
                on_signal(signal.SIGTERM)

            loop.add_reader(lifeline, on_end)


def listen(config: ServeFile) -> list[socket.socket]:
    """Opens the main port, and the admin port if there is one.

    Raises:
        OutsideError: One cannot be had.
    """
    sockets = [_bind(config.host, config.port, "--port or `port`")]
    if config.admin_port is not None:
        sockets.append(_bind(_LOOPBACK, config.admin_port, "`admin_port`"))
    return sockets


def raise_file_limit() -> None:
    """Lets the process have as many connections as the system allows it; the usual soft limit is 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _bind(host: str, port: int, where: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OutsideError(f"HTTP on {host}:{port}: {error.strerror}; choose another port with {where}") from error


async def _first(*tasks: asyncio.Task[object]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
