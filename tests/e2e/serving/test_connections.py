"""Clients that are slow, silent, many, or in a hurry."""

from __future__ import annotations

import contextlib
import json
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.serving.process import ServerProcess
from tests.e2e.serving.raw import BODY, connect, is_closed, read_response, request

IDLE = 10_000


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that answers at once and waits a second for a request to arrive."""
    config = {"models": {"m": "none"}, "limits": {"read_seconds": 1}, "keep_alive": 1.5, "access_log": False}
    with ServerProcess(tmp_path_factory.mktemp("fake"), config, fake=0.001) as process:
        yield process.ready()


def test_a_body_of_a_byte_a_second_is_given_up_and_hinders_nobody(fake: ServerProcess) -> None:
    slow = connect(fake)
    whole = request(bytes(100))
    slow.sendall(whole[:-99])
    stop = threading.Event()

    def drip() -> None:
        for byte in whole[-99:]:
            if stop.wait(1):
                return
            with contextlib.suppress(OSError):
                slow.send(bytes([byte]))

    dripping = threading.Thread(target=drip)
    dripping.start()
    with fake.client() as client:
        for _ in range(50):
            assert client.post("/predict", content=BODY).status_code == 200
    status, body, _ = read_response(slow)
    stop.set()
    dripping.join()
    assert status == 408
    assert json.loads(body)["type"].endswith("read-timeout")
    assert is_closed(slow)


def test_headers_that_never_end_are_given_up(fake: ServerProcess) -> None:
    slow = connect(fake)
    slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nX-A: ")
    silent = connect(fake)
    assert is_closed(slow)
    assert is_closed(silent)


def test_headers_without_bound_are_refused(fake: ServerProcess) -> None:
    greedy = connect(fake)
    with contextlib.suppress(OSError):
        greedy.sendall(b"POST /predict HTTP/1.1\r\n" + b"X-Filler: aaaaaaaaaaaaaaaa\r\n" * 20_000)
    data = b""
    with contextlib.suppress(OSError):
        while chunk := greedy.recv(65536):
            data += chunk
    assert not data or data.startswith(b"HTTP/1.1 431")


def test_a_half_closed_connection_is_let_go(fake: ServerProcess) -> None:
    import socket

    half = connect(fake)
    half.sendall(request(bytes(100))[:-50])
    half.shutdown(socket.SHUT_WR)
    assert is_closed(half)
    assert fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 0)


def test_pipelined_requests_are_answered_in_order(fake: ServerProcess) -> None:
    connection = connect(fake)
    connection.sendall(b"".join(request(bytes([number])) for number in range(1, 21)))
    rest = b""
    for number in range(1, 21):
        status, body, rest = read_response(connection, rest)
        assert status == 200
        assert json.loads(body)["predictions"][0]["class_id"] == number


def test_an_idle_connection_is_kept_as_long_as_configured_and_no_longer(fake: ServerProcess) -> None:
    connection = connect(fake)
    for _ in range(3):
        connection.sendall(request())
        assert read_response(connection)[0] == 200
    assert is_closed(connection)


def test_what_is_not_http_is_refused(fake: ServerProcess) -> None:
    connection = connect(fake)
    connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10)
    assert read_response(connection)[0] == 400


def test_expect_100_continue_is_answered_before_the_body(fake: ServerProcess) -> None:
    connection = connect(fake)
    connection.sendall(request(BODY, "Expect: 100-continue")[: -len(BODY)])
    data = connection.recv(100)
    assert data.startswith(b"HTTP/1.1 100")
    connection.sendall(BODY)
    assert read_response(connection, data.partition(b"\r\n\r\n")[2])[0] == 200


@pytest.mark.slow
def test_ten_thousand_idle_connections_do_not_hinder_others(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < IDLE + 500:
        pytest.skip(f"needs {IDLE} open files; the limit is {most} (ulimit -Hn)")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config = {"models": {"m": "none"}, "access_log": False}
    idle = []
    try:
        with ServerProcess(tmp_path, config, fake=0.001) as server:
            server.ready()
            for number in range(IDLE):
                connection = connect(server)
                if number % 2:
                    connection.sendall(request())
                    assert read_response(connection)[0] == 200
                idle.append(connection)
            with server.client() as client:
                assert all(client.post("/predict", content=BODY).status_code == 200 for _ in range(200))
            last = idle[-1]
            last.sendall(request())
            assert read_response(last)[0] == 200
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
