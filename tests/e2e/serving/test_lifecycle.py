"""Starting, draining, reloading, restarting: under load, and no request fails."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.serving import pictures
from tests.e2e.serving.process import DEADLINE, ServerProcess
from tests.e2e.serving.raw import BODY, connect, is_closed, read_response, request
from tests.unit.vision.onnxmodels import mean_model

TOKEN = "let me in"


class Load:
    """Clients that ask without pause and keep the book."""

    def __init__(
        self, ask: Callable[[httpx.Client], httpx.Response], base: Callable[[], str], clients: int = 4
    ) -> None:
        self.statuses: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self._ask, self._base = ask, base
        self._stop = threading.Event()
        self._more = threading.Condition()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE)

    def wait_for(self, more: int) -> None:
        """Waits for so many more answers."""
        with self._more:
            wanted = self.statuses.total() + more
            assert self._more.wait_for(lambda: self.statuses.total() >= wanted, DEADLINE)

    def _work(self) -> None:
        client, base = None, ""
        while not self._stop.is_set():
            if self._base() != base:
                base = self._base()
                client = httpx.Client(base_url=base, timeout=DEADLINE, trust_env=False, verify=False)
            assert client is not None
            try:
                response = self._ask(client)
                outcome = str(response.status_code)
                version = response.json().get("model_version", "")
            except httpx.HTTPError as error:
                outcome, version = repr(error), ""
            with self._more:
                self.statuses[outcome] += 1
                self.versions[version] += 1
                self._more.notify_all()


def ask(client: httpx.Client) -> httpx.Response:
    return client.post("/predict", content=BODY)


def ask_picture(client: httpx.Client) -> httpx.Response:
    return client.post("/predict", content=pictures.encoded(".png"))


def test_it_is_alive_before_it_is_ready(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"models": {"m": "none"}}, fake=1.0) as server, server.client() as client:
        assert client.get("/health").status_code == 200
        early = client.get("/ready")
        refused = client.post("/predict", content=BODY)
        assert (early.status_code, early.json()) == (503, {"status": "loading"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        server.ready()
        assert client.get("/ready").status_code == 200


def test_sigterm_shows_not_ready_serves_on_and_ends_without_a_failed_request(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"models": {"m": "none"}, "drain": {"delay": 1.5}}, fake=0.01) as server:
        server.ready()
        with Load(ask, lambda: server.url) as load:
            load.wait_for(20)
            server.signal(signal.SIGTERM)
            server.wait_for_log("draining")
            ready = server.get("/ready")
            assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
            assert server.get("/health").status_code == 200
            assert ready.headers["connection"] == "close"
            load.wait_for(20)
        assert set(load.statuses) == {"200"}
        assert server.wait() == 0


def test_what_is_open_at_the_end_is_finished(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"models": {"m": "none"}, "drain": {"delay": 0}}, fake=0.01) as server:
        server.ready()
        connection = connect(server)
        with server.held():
            connection.sendall(request())
            server.wait_until(lambda status: status["models"]["m"]["queue_pictures"] == 1)
            server.signal(signal.SIGTERM)
            with contextlib.suppress(OSError):
                while True:
                    connect(server).close()
        assert read_response(connection)[0] == 200
        assert is_closed(connection)
        assert server.wait() == 0


def test_ctrl_c_leaves_the_delay_out(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"models": {"m": "none"}, "drain": {"delay": 3600}}, fake=0.01) as server:
        server.ready()
        server.signal(signal.SIGINT)
        assert server.wait() == 0


def test_a_second_sigterm_leaves_the_rest_of_the_delay_out(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"models": {"m": "none"}, "drain": {"delay": 3600}}, fake=0.01) as server:
        server.ready()
        server.signal(signal.SIGTERM)
        server.wait_for_log("draining")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_sigterm_while_loading_ends_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path, {"models": {"m": "none"}, "drain": {"delay": 0}}, fake=0.5) as server:
        server.wait_for_log("serving")
        server.get("/health")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


def test_a_rolling_restart_fails_no_request(tmp_path: Path) -> None:
    config = {"models": {"m": "none"}, "drain": {"delay": 1}}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with ServerProcess(tmp_path / "a", config, fake=0.01) as old:
        old.ready()
        target = [old.url]
        with Load(ask, lambda: target[0]) as load:
            load.wait_for(20)
            with ServerProcess(tmp_path / "b", config, fake=0.01) as new:
                new.ready()
                target[0] = new.url
                old.signal(signal.SIGTERM)
                load.wait_for(40)
                assert old.wait() == 0
                load.wait_for(20)
                assert set(load.statuses) == {"200"}
                load.__exit__(None, None, None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return mean_model(tmp_path / "m.onnx")


@pytest.fixture
def server(tmp_path: Path, model: Path) -> Iterator[ServerProcess]:
    config = {
        "models": {"m": str(model)},
        "admin_port": 0,
        "access": {"admin_token": hashlib.sha256(TOKEN.encode()).hexdigest()},
    }
    with ServerProcess(tmp_path, config) as process:
        yield process.ready()


def version_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def replace(model: Path, **options: object) -> str:
    """Puts another model in a model's place, as a deployment does, and returns its version."""
    fresh = mean_model(model.with_suffix(".fresh"), **options)
    version = version_of(fresh)
    fresh.replace(model)
    return version


def test_a_changed_file_is_swapped_in_under_load(server: ServerProcess, model: Path) -> None:
    old = version_of(model)
    with Load(ask_picture, lambda: server.url) as load:
        load.wait_for(20)
        new = replace(model, softmax=True)
        server.wait_for_log("model reloaded", version=new, outcome="swapped")
        load.wait_for(20)
    assert set(load.statuses) == {"200"}
    assert set(load.versions) == {old, new}


def test_a_reload_by_the_admin_port_or_the_token_swaps(server: ServerProcess, model: Path) -> None:
    admin = f"http://127.0.0.1:{server.admin_port}"
    same = httpx.post(f"{admin}/v1/models/m/reload", timeout=DEADLINE, trust_env=False, verify=False)
    assert (same.status_code, same.json()["outcome"]) == (200, "unchanged")
    with server.client() as client:
        assert client.post("/v1/models/m/reload").status_code == 401
        assert client.post("/v1/models/m/reload", headers={"Authorization": "Bearer wrong"}).status_code == 401
        done = client.post("/v1/models/m/reload", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (done.status_code, done.json()["model_version"]) == (200, version_of(model))
        assert client.post("/v1/models/x/reload", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404
    assert httpx.post(f"{admin}/predict", trust_env=False, verify=False).status_code == 404


def test_a_bad_file_leaves_the_old_model_serving_and_a_good_one_mends_it(server: ServerProcess, model: Path) -> None:
    old = version_of(model)
    kept = model.read_bytes()
    with Load(ask_picture, lambda: server.url) as load:
        broken = model.with_suffix(".broken")
        broken.write_bytes(kept[: len(kept) // 2])
        broken.replace(model)
        server.wait_for_log("reload failed; the old model goes on serving")
        refused = httpx.post(
            f"http://127.0.0.1:{server.admin_port}/v1/models/m/reload", timeout=DEADLINE, trust_env=False
        )
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:inferfleet:problem:reload-failed")
        load.wait_for(10)
        new = replace(model, softmax=True)
        server.wait_for_log("model reloaded", version=new)
        load.wait_for(10)
    assert set(load.statuses) == {"200"}
    assert set(load.versions) == {old, new}


def test_a_removed_file_changes_nothing(server: ServerProcess, model: Path, tmp_path: Path) -> None:
    shutil.move(model, tmp_path / "away.onnx")
    with server.client() as client:
        assert ask_picture(client).status_code == 200


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"models": {"m": "none.onnx"}}, "none.onnx"),
        ({"models": {}}, "models"),
        ({"models": {"a b": "x.onnx"}}, "model name 'a b'"),
        ({"models": {"m": "x.onnx"}, "defualt": "m"}, "did you mean `default`?"),
        ({"models": {"m": "x.onnx"}, "default": "n"}, "there is no model 'n'"),
        ({"models": {"m": "x.onnx"}, "queue": {"pictures": 3}}, "limits.images"),
        ({"models": {"m": "x.onnx"}, "access": {"cors_origins": ["example.com"]}}, "is not an origin"),
    ],
)
def test_what_cannot_be_served_is_told_at_start(tmp_path: Path, config: dict, message: str) -> None:
    with ServerProcess(tmp_path, config) as server:
        assert server.wait() == 1
        assert message in "\n".join(str(entry["event"]) for entry in server.log)


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with contextlib.closing(__import__("socket").create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with ServerProcess(tmp_path, {"models": {"m": "x.onnx"}, "port": port}) as server:
            assert server.wait() == 3
            assert "choose another port" in server.log[-1]["event"]
