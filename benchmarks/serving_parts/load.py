"""A load generator in a process of its own: a fixed number of connections, or a fixed rate whatever the server does.

    python load.py --port 8080 --connections 16 --seconds 10 --body picture.jpg --type image/jpeg
    python load.py --port 8080 --rate 900 --seconds 10 --header 'X-Request-Timeout: 1' …

Prints JSON: for each status its number and the latencies in milliseconds. At a fixed rate a request's latency counts
from when it was due, so that a server that stalls cannot hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict, deque
from pathlib import Path

_NONE = 0
"""The status of a request whose connection broke."""


class Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._data = b""
        self._due = 0.0
        self._busy = False
        self.transport: asyncio.Transport

    def connection_made(self, transport) -> None:
        self.transport = transport

    def ask(self, due: float) -> None:
        """Sends a request that was due at a time."""
        self._due, self._busy, self._data = due, True, b""
        self.transport.write(self._load.request)

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._data.lower().find(b"content-length:", 0, end)
        length = int(self._data[at + 15 : self._data.find(b"\r", at)])
        if len(self._data) < end + 4 + length:
            return
        self._busy = False
        self._load.answered(self, int(self._data[9:12]), self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._busy:
            self._load.answered(None, _NONE, self._due)


class Load:
    """What is sent, and what came back."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        body = Path(options.body).read_bytes()
        head = [f"POST {options.path} HTTP/1.1", "Host: bench", f"Content-Type: {options.type}"]
        head += [f"Content-Length: {len(body)}", *options.header]
        self.request = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        self.latencies: dict[int, list[float]] = defaultdict(list)
        self.begin = self.end = 0.0
        self.sent = self.done = 0
        self.free: deque[Connection] = deque()

    async def connect(self) -> Connection:
        """Opens a connection."""
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.options.port)
        return protocol

    def answered(self, connection: Connection | None, status: int, due: float) -> None:
        """Notes an answer, and in a closed loop sends the next request."""
        self.done += 1
        now = time.perf_counter()
        if (self.begin <= due and now <= self.end) or (self.options.rate and due >= self.begin):
            self.latencies[status].append(now - due)
        if self.options.rate:
            if connection is not None and not connection.transport.is_closing():
                self.free.append(connection)
        elif now < self.end and self.sent < self.options.requests:
            self.sent += 1
            if connection is None:
                asyncio.get_running_loop().create_task(self.replace())
            else:
                connection.ask(now)

    async def replace(self) -> None:
        """Goes on with a new connection where one broke."""
        (await self.connect()).ask(time.perf_counter())

    async def closed(self) -> None:
        """Keeps every connection busy."""
        connections = [await self.connect() for _ in range(self.options.connections)]
        start = time.perf_counter()
        self.begin = start + self.options.warm
        self.end = self.begin + self.options.seconds
        for connection in connections:
            self.sent += 1
            connection.ask(time.perf_counter())
        while time.perf_counter() < self.end and self.sent < self.options.requests:
            await asyncio.sleep(0.05)
        self.end = min(self.end, time.perf_counter())

    async def open(self) -> None:
        """Sends at a fixed rate."""
        self.free.extend([await self.connect() for _ in range(self.options.connections)])
        start = time.perf_counter() + 0.1
        self.begin = start + self.options.warm
        self.end = self.begin + self.options.seconds
        number = 0
        while (due := start + number / self.options.rate) < self.end:
            number += 1
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            elif number % 20 == 0:
                await asyncio.sleep(0)
            connection = self.free.popleft() if self.free else await self.connect()
            connection.ask(due)
        await asyncio.sleep(self.options.patience)

    def report(self) -> dict:
        """What came back."""
        seconds = self.end - self.begin
        statuses = {}
        for status, values in sorted(self.latencies.items()):
            values.sort()
            late = sum(value > self.options.deadline for value in values) if self.options.deadline else 0
            statuses[str(status)] = {
                "count": len(values),
                "per_second": round(len(values) / seconds, 1),
                "late": late,
                **{
                    f"p{share}": round(1000 * values[min(len(values) - 1, len(values) * share // 100)], 1)
                    for share in (50, 99)
                },
                "most": round(1000 * values[-1], 1),
            }
        return {"seconds": round(seconds, 2), "done": self.done, "statuses": statuses}


def main() -> None:
    """Runs the load that the arguments describe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/predict")
    parser.add_argument("--body", required=True)
    parser.add_argument("--type", default="image/jpeg")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=10**12)
    parser.add_argument("--warm", type=float, default=2)
    parser.add_argument("--deadline", type=float, default=0)
    parser.add_argument("--patience", type=float, default=3)
    options = parser.parse_args()
    load = Load(options)
    try:
        import uvloop

        run = uvloop.run
    except ImportError:
        run = asyncio.run
    run(load.open() if options.rate else load.closed())
    print(json.dumps(load.report()))


if __name__ == "__main__":
    main()
