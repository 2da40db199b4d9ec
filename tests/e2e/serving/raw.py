"""HTTP by hand, for clients that do what no library does."""

from __future__ import annotations

import socket

from tests.e2e.serving.process import DEADLINE, ServerProcess

BODY = b"\x07abc"


def connect(server: ServerProcess) -> socket.socket:
    """A connection."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)


def request(body: bytes = BODY, *headers: str, path: str = "/predict", method: str = "POST") -> bytes:
    """A request's bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_response(connection: socket.socket, rest: bytes = b"") -> tuple[int, bytes, bytes]:
    """Reads one response: status, body, and what came after it. Status 0 where the connection was closed."""
    data = rest
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return 0, data, b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(
        next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    )
    while len(body) < length:
        chunk = connection.recv(65536)
        assert chunk
        body += chunk
    return int(head.split()[1]), body[:length], body[length:]


def is_closed(connection: socket.socket) -> bool:
    """Whether the server closes the connection, waiting for it."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True
