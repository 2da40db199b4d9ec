"""A signed call whose bodies are streams, on a connection of its own.

boto3 has no PutMedia, and gives GetMedia's body in blocks that wait until they are full. Here both directions move
bytes as they come, a read that takes too long is an error, and any thread can break the connection.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inferfleet.streams.kvs.errors import ConnectionBrokenError, KvsError, StalledError, call_error

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

SERVICE = "kinesisvideo"
_CONNECT_S = 10.0
_OK = 200
_ERROR_BYTES = 64 * 1024


class SignedCall:
    """One POST to a data endpoint.

    Args:
        what: The call and its stream, for messages.
        url: Endpoint and path.
        timeout: Seconds without a byte after which the connection counts as stalled.
    """

    def __init__(self, what: str, url: str, timeout: float) -> None:
        self._what = what
        self._url = url
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._broken = False

    def open(
        self, credentials: ReadOnlyCredentials, region: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> None:
        """Connects and sends the request's head, with `body` or, for None, with a body that `send` gives.

        Raises:
            KvsError: The connection cannot be made.
        """
        headers = dict(headers) | ({"Transfer-Encoding": "chunked"} if body is None else {})
        signed = sign(self._url, headers, body or b"", credentials, region)
        with self._telling():
            connection = self._connection = _connection(self._url)
            connection.connect()
            self._socket = connection.sock
            self._socket.settimeout(self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            parts = urlsplit(self._url)
            connection.putrequest("POST", parts.path, skip_host=True, skip_accept_encoding=True)
            for name, value in signed.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        if self._broken:
            self.interrupt()

    def send(self, data: bytes) -> None:
        """Sends the next piece of the request's body; an empty one ends it.

        Raises:
            KvsError: The connection broke.
        """
        if self._socket is None:
            raise ConnectionBrokenError(f"{self._what}: the call is not open")
        with self._telling():
            self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def answer(self) -> None:
        """Waits for the status.

        Raises:
            KvsError: The call was refused, or the connection broke.
        """
        if self._connection is None:
            raise ConnectionBrokenError(f"{self._what}: the call is not open")
        with self._telling():
            self._response = self._connection.getresponse()
            if self._response.status == _OK:
                return
            body = self._response.read(_ERROR_BYTES)
        raise _refusal(self._what, self._response, body)

    @property
    def date(self) -> float | None:
        """The service's clock when it answered, in seconds since 1970; None where it does not say."""
        text = self._response.headers.get("Date") if self._response is not None else None
        try:
            return parsedate_to_datetime(text).timestamp() if text else None
        except ValueError:
            return None

    def read(self, size: int = 64 * 1024) -> bytes:
        """Whatever of the response's body has come, at most `size` bytes; empty at its end.

        Raises:
            StalledError: Nothing came for `timeout` seconds.
            ConnectionBrokenError: The connection broke, also before the body's proper end.
        """
        if self._response is None:
            raise ConnectionBrokenError(f"{self._what}: there is no answer yet")
        with self._telling():
            return self._response.read1(size)

    def interrupt(self) -> None:
        """Breaks the connection, so that whoever reads or writes gets an error at once. Thread-safe."""
        self._broken = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Lets go of the connection."""
        for part in (self._response, self._connection, self._socket):
            if part is not None:
                part.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise StalledError(f"{self._what}: nothing came for {self._timeout:g} s") from error
        except http.client.IncompleteRead as error:
            raise ConnectionBrokenError(f"{self._what}: the connection broke within the body") from error
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # A response that another thread closes fails inside http.client with ValueError or AttributeError.
            if isinstance(error, ValueError | AttributeError) and not self._broken:
                raise
            raise ConnectionBrokenError(f"{self._what}: {error or type(error).__name__}") from error


def sign(
    url: str, headers: Mapping[str, str], body: bytes, credentials: ReadOnlyCredentials, region: str
) -> dict[str, str]:
    """All headers of a request with Signature Version 4.

    A streamed body is signed as if it were empty, as the service wants it for PutMedia.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    given = Credentials(credentials.access_key or "", credentials.secret_key or "", credentials.token)
    request = AWSRequest("POST", url, headers={"Host": urlsplit(url).netloc, **headers}, data=body)
    SigV4Auth(given, SERVICE, region).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}


def _connection(url: str) -> http.client.HTTPConnection:
    """A connection to an address, by way of the environment's proxy where it says so."""
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    proxy = "" if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(parts.scheme, "")
    via = urlsplit(proxy) if proxy else None
    where = (via.hostname or "", via.port or 80) if via else (host, port)
    connection: http.client.HTTPConnection
    if is_secure:
        context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
        connection = http.client.HTTPSConnection(*where, timeout=_CONNECT_S, context=context)
    else:
        connection = http.client.HTTPConnection(*where, timeout=_CONNECT_S)
    if via:
        connection.set_tunnel(host, port)
    return connection


def _refusal(what: str, response: http.client.HTTPResponse, body: bytes) -> KvsError:
    """The error that a status other than 200 means."""
    try:
        found = json.loads(body)
    except ValueError:
        found = {}
    found = found if isinstance(found, dict) else {}
    code = response.headers.get("x-amzn-ErrorType") or found.get("__type") or f"HTTP {response.status}"
    message = str(found.get("Message") or found.get("message") or "")
    return call_error(what, str(code).split(":", maxsplit=1)[0].rpartition("#")[2], message, response.status)
