from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inferfleet.demo.fleet import draw
from inferfleet.demo.fleet_load import Load, post


@pytest.fixture
def server():
    """Answers 200, and 503 to every third request; counts both."""
    answered: list[int] = []
    enough = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            answered.append(503 if len(answered) % 3 == 2 else 200)
            self.send_response(answered[-1])
            self.end_headers()
            self.wfile.write(b"no target")
            if len(answered) >= 30:
                enough.set()

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}", answered, enough
    running.shutdown()
    running.server_close()


def test_every_request_is_counted_and_a_few_failures_are_kept_as_examples(server):
    url, answered, enough = server
    with Load(url, b"picture", rate=200, threads=1) as load:
        assert enough.wait(30)
    assert load.sent == len(answered)
    assert load.failed == answered.count(503)
    assert load.examples == ["status 503: no target"] * 5


def test_nobody_there_is_a_failure_too(server):
    assert post("http://127.0.0.1:1/predict", b"picture")[1].startswith("no answer")


def test_the_picture_is_one_that_the_model_that_ships_knows(tmp_path):
    cv2 = pytest.importorskip("cv2")
    draw(tmp_path / "picture.jpg")
    picture = cv2.imread(str(tmp_path / "picture.jpg"))
    assert picture is not None and min(picture.shape[:2]) > 60
