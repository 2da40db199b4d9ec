"""More requests than the device can answer: refused at once, never after a wait; nobody waits for who has gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.serving.process import ServerProcess
from tests.e2e.serving.raw import BODY, connect, read_response, request

BATCH_SECONDS = 0.2
LARGEST = 4


@pytest.fixture
def fake(tmp_path) -> Iterator[ServerProcess]:
    """A server whose device takes 0.2 s for at most four pictures: 20 pictures a second."""
    config = {"models": {"m": "none"}, "queue": {"pictures": 40, "max_wait": 1}}
    with ServerProcess(tmp_path, config, fake=BATCH_SECONDS) as process:
        yield process.ready()


def post_many(server: ServerProcess, count: int, headers: dict[str, str] | None = None) -> list[httpx.Response]:
    """So many requests at once."""
    start = threading.Barrier(count)

    def one(_: int) -> httpx.Response:
        with server.client() as client:
            client.get("/health")
            start.wait()
            return client.post("/predict", content=BODY, headers=headers)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_what_would_wait_too_long_is_refused_with_the_time_to_come_back(fake: ServerProcess) -> None:
    responses = post_many(fake, 80)
    refused = [response for response in responses if response.status_code == 429]
    answered = [response for response in responses if response.status_code == 200]
    assert len(answered) + len(refused) == 80
    assert 10 <= len(answered) <= 40
    for response in refused:
        assert int(response.headers["retry-after"]) >= 1
        assert response.json()["type"] == "urn:inferfleet:problem:overloaded"
    metrics = fake.get("/metrics").text
    assert 'inferfleet_serve_rejected_total{model="m",reason="predicted-wait"}' in metrics


def test_refusals_come_before_any_accepted_request_is_late(fake: ServerProcess) -> None:
    responses = post_many(fake, 80)
    slowest_refusal = max(response.elapsed for response in responses if response.status_code == 429)
    slowest_answer = max(response.elapsed for response in responses if response.status_code == 200)
    assert slowest_refusal < slowest_answer


def test_a_request_in_a_hurry_is_refused_where_a_patient_one_is_not(fake: ServerProcess) -> None:
    with ThreadPoolExecutor(9) as pool, fake.client() as client:
        with fake.held():
            waiting = [pool.submit(client.post, "/predict", content=BODY) for _ in range(8)]
            fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 8)
            hasty = client.post("/predict", content=BODY, headers={"X-Request-Timeout": "0.1"})
            assert hasty.status_code == 429
            waiting.append(pool.submit(client.post, "/predict", content=BODY))
            fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 9)
        assert all(one.result().status_code == 200 for one in waiting)


def test_what_is_late_is_given_up_at_its_deadline(fake: ServerProcess) -> None:
    with fake.client() as client:
        with fake.held():
            response = client.post("/predict", content=BODY, headers={"X-Request-Timeout": "0.3"})
        assert response.status_code == 504
        assert response.json()["type"] == "urn:inferfleet:problem:deadline-exceeded"
        assert client.post("/predict", content=BODY).status_code == 200


def test_the_queue_is_shown(fake: ServerProcess) -> None:
    with ThreadPoolExecutor(12) as pool, fake.client() as client:
        with fake.held():
            waiting = [pool.submit(client.post, "/predict", content=BODY) for _ in range(12)]
            busy = fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 12)["models"]["m"]
        for one in waiting:
            one.result()
    assert busy["predicted_seconds"] > 3 * BATCH_SECONDS
    assert fake.status()["models"]["m"]["queue_pictures"] == 0


def test_a_client_that_goes_frees_its_places(fake: ServerProcess) -> None:
    with fake.held():
        gone = [connect(fake) for _ in range(8)]
        for connection in gone:
            connection.sendall(request())
        fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 8)
        for connection in gone:
            connection.close()
        fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 0)
        fake.wait_for_log("request", status=499)
    waiting = connect(fake)
    waiting.sendall(request())
    assert read_response(waiting)[0] == 200


def test_what_queued_while_the_device_was_busy_becomes_one_batch(fake: ServerProcess) -> None:
    with ThreadPoolExecutor(13) as pool, fake.client() as client:
        with fake.held():
            first = pool.submit(client.post, "/predict", content=BODY)
            fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 1)
            rest = [pool.submit(client.post, "/predict", content=BODY) for _ in range(10)]
            fake.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 11)
        assert all(one.result().status_code == 200 for one in (first, *rest))
    metrics = fake.get("/metrics").text
    rows = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if "serve_batch_size_" in line and "#" not in line)
    assert float(rows['inferfleet_serve_batch_size_sum{model="m"}']) == 11
    assert float(rows['inferfleet_serve_batch_size_count{model="m"}']) <= 5
    assert float(rows['inferfleet_serve_batch_size_bucket{le="1.0",model="m"}']) <= 2
    assert (
        rows['inferfleet_serve_batch_size_bucket{le="4.0",model="m"}']
        == rows['inferfleet_serve_batch_size_count{model="m"}']
    )


def test_answers_go_to_who_asked(fake: ServerProcess) -> None:
    def ask(number: int) -> int:
        with fake.client() as client:
            return int(
                json.loads(client.post("/predict", content=bytes([number])).content)["predictions"][0]["class_id"]
            )

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == list(range(8))
