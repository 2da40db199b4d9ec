"""The emulated AWS, and a proxy before it that fails on demand."""

from __future__ import annotations

import functools
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

START_SECONDS = 120.0
REGION = "eu-central-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MiniStack:
    """The emulator as a process of its own."""

    def __init__(self, folder: Path, *, auth: bool) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "false",
            "SFTP_ENABLED": "false",
            "MINISTACK_REGION": REGION,
            "AUTH": str(auth).lower(),
            "LOG_LEVEL": "WARNING",
        }
        self._log = (folder / "ministack.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, cwd=folder, stdout=self._log, stderr=self._log
        )
        self._wait(folder)

    def _wait(self, folder: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                log = (folder / "ministack.log").read_text()
                assert self._process.poll() is None, f"the emulator has ended: {log}"
                assert time.monotonic() < deadline, f"the emulator does not listen: {log}"
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


@functools.cache
def client(service: str, url: str, key: str = "test", secret: str = "test") -> Any:
    import boto3

    return boto3.client(
        service, endpoint_url=url, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret
    )


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def action(self) -> str:
        """The operation, for services that name it in a header: `PutRecords`."""
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


@dataclass(frozen=True)
class Response:
    """What it gets."""

    status: int
    body: bytes
    content_type: str = "application/x-amz-json-1.1"


Forward = Callable[[Request], Response]
Rule = Callable[[Request, Forward], Response | None]


class Proxy:
    """Passes requests on, unless a rule answers them."""

    def __init__(self, target: str) -> None:
        self.rules: list[Rule] = []
        self.requests: list[Request] = []
        self._target = urlsplit(target).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                response = proxy.answer(Request(self.command, self.path, headers, body))
                self.send_response(response.status)
                self.send_header("Content-Type", response.content_type)
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        for rule in list(self.rules):
            response = rule(request, self.forward)
            if response is not None:
                return response
        return self.forward(request)

    def forward(self, request: Request) -> Response:
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            kept = {key: value for key, value in request.headers.items() if key not in ("connection", "expect")}
            kept["content-length"] = str(len(request.body))
            connection.request(request.method, request.path, request.body, kept)
            answer = connection.getresponse()
            return Response(answer.status, answer.read(), answer.headers.get("Content-Type", "text/plain"))
        finally:
            connection.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def times(count: int, rule: Rule) -> Rule:
    """A rule that holds for its first `count` answers."""
    left = [count]

    def limited(request: Request, forward: Forward) -> Response | None:
        if left[0] <= 0:
            return None
        response = rule(request, forward)
        left[0] -= response is not None
        return response

    return limited
