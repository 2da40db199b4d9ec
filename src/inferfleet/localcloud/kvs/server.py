"""The emulator as a server: in a thread of its own for tests, or as a process."""

from __future__ import annotations

import argparse
import logging
import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType

import uvicorn

from inferfleet.errors import OutsideError
from inferfleet.localcloud.kvs import faults
from inferfleet.localcloud.kvs.app import build
from inferfleet.localcloud.kvs.limits import Limits
from inferfleet.localcloud.kvs.signatures import DEFAULT_SECRETS
from inferfleet.localcloud.kvs.state import Emulator
from inferfleet.localcloud.kvs.store import Store

DEFAULT_PORT = 4567
DEFAULT_MAX_BYTES = 2 * 2**30


class KvsServer:
    """A running emulator. Use it as a context manager.

    Attributes:
        url: Where it listens, such as http://127.0.0.1:4567.
        emulator: What it serves; to be looked at, not changed, from other threads.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        region: str = "us-east-1",
        limits: Limits | None = None,
        max_bytes: int = DEFAULT_MAX_BYTES,
        specs: Sequence[str] = (),
        secrets: Mapping[str, str] = DEFAULT_SECRETS,
    ) -> None:
        """Prepares it and binds its port.

        Args:
            port: Where to listen; 0 for any that is free.
            host: Address to listen at.
            region: Goes into ARNs.
            limits: Quotas; AWS's when left out.
            max_bytes: Memory for fragments.
            specs: Faults, as `faults.parse` reads them.
            secrets: The secret of each access key id whose signatures are verified.

        Raises:
            InputError: A fault cannot be read.
            OutsideError: The port is taken.
        """
        self.emulator = Emulator(Store(region, max_bytes), limits or Limits(), secrets=secrets)
        for spec in specs:
            self.emulator.faults.add(faults.parse(spec))
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            raise OutsideError(f"cannot listen at {host}:{port}: {error.strerror}; choose another port") from error
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(build(self.emulator), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serves until the process is told to stop."""
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> KvsServer:
        self._socket.listen()
        self._thread = threading.Thread(target=self.run, name="kvs-emulator", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._socket.close()


def main() -> None:
    """Runs the emulator as a process: `python -m inferfleet.localcloud.kvs.server --port 4567`."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=DEFAULT_PORT)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--region", default="us-east-1")
    arguments.add_argument("--max-bytes", type=int, default=DEFAULT_MAX_BYTES)
    arguments.add_argument("--fault", action="append", default=[], help=faults.__doc__)
    options = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server = KvsServer(
        options.port, host=options.host, region=options.region, max_bytes=options.max_bytes, specs=options.fault
    )
    logging.info("Kinesis Video Streams at %s", server.url)
    server.run()


if __name__ == "__main__":
    main()
