"""Model files arrive whole and as expected, or not at all."""

from __future__ import annotations

import hashlib
import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inferfleet.errors import InputError, OutsideError
from inferfleet.vision.store import cache_folder, digest_of, fetch

CONTENT = b"model weights " * 100_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A web server that counts its answers.

    `/model.onnx` is whole, `/short.onnx` breaks off, `/insecure.onnx` redirects to plain http, all else is missing.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.answers = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answers += 1
                path = self.path.partition("?")[0]
                if path == "/insecure.onnx":
                    self.send_response(302)
                    self.send_header("Location", f"http://localhost:{outer.port}/model.onnx")
                    self.end_headers()
                    return
                if path not in ("/model.onnx", "/short.onnx", "/bucket/models/model.onnx"):
                    body = b"<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>"
                    self.send_response(404)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(CONTENT)))
                self.end_headers()
                self.wfile.write(CONTENT[: 1000 if path == "/short.onnx" else None])

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
        self.port = self._server.server_address[1]
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A key and a certificate for localhost, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl command to make a certificate")
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return both


@pytest.fixture
def web(certificate, monkeypatch) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = Server(context)
    yield server
    server.stop()


@pytest.fixture
def s3(monkeypatch) -> Iterator[Server]:
    server = Server(None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://localhost:{server.port}")
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "eu-central-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield server
    server.stop()


def left_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def test_a_local_file_is_used_where_it_is(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(CONTENT)
    found = fetch(str(path), DIGEST, tmp_path / "cache")
    assert (found.path, found.digest) == (path, DIGEST)
    assert not (tmp_path / "cache").exists()


def test_a_local_file_with_another_digest_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(CONTENT)
    with pytest.raises(InputError, match=f"its SHA-256 is {DIGEST}, not 000"):
        fetch(str(path), "0" * 64, tmp_path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        fetch(str(tmp_path / "none.onnx"), None, tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        fetch(str(tmp_path), None, tmp_path)


@pytest.mark.parametrize("name", ["zoo:nothing", "zoo:../loader", "zoo:"])
def test_an_unknown_zoo_model_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="no such model ships"):
        fetch(name, None, tmp_path)


def test_a_download_is_kept_under_its_digest(tmp_path, web):
    found = fetch(f"https://localhost:{web.port}/model.onnx?token=secret", None, tmp_path)
    assert found.digest == DIGEST
    assert found.path.read_bytes() == CONTENT
    assert left_in(tmp_path) == [f"models/{DIGEST[:16]}/model.onnx"]


def test_a_download_with_a_known_digest_is_fetched_once(tmp_path, web):
    for _ in range(3):
        assert fetch(f"https://localhost:{web.port}/model.onnx", DIGEST, tmp_path).digest == DIGEST
    assert web.answers == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path, web):
    place = f"https://localhost:{web.port}/model.onnx"
    fetch(place, DIGEST, tmp_path).path.write_bytes(b"damaged")
    assert digest_of(fetch(place, DIGEST, tmp_path).path) == DIGEST


def test_a_download_with_another_digest_leaves_nothing(tmp_path, web):
    with pytest.raises(InputError, match=f"its SHA-256 is {DIGEST}"):
        fetch(f"https://localhost:{web.port}/model.onnx", "0" * 64, tmp_path)
    assert left_in(tmp_path) == []


def test_a_download_that_breaks_off_leaves_nothing(tmp_path, web):
    with pytest.raises(OutsideError, match="broke off"):
        fetch(f"https://localhost:{web.port}/short.onnx", None, tmp_path)
    assert left_in(tmp_path) == []


def test_a_missing_download_tells_the_servers_answer(tmp_path, web):
    with pytest.raises(OutsideError, match="the server answers 404"):
        fetch(f"https://localhost:{web.port}/none.onnx", None, tmp_path)
    assert left_in(tmp_path) == []


def test_a_redirect_to_plain_http_is_refused(tmp_path, web, s3):
    web.port, port = s3.port, web.port
    with pytest.raises(OutsideError, match="which is not https"):
        fetch(f"https://localhost:{port}/insecure.onnx", None, tmp_path)
    assert left_in(tmp_path) == []


def test_a_server_that_is_not_trusted_is_refused(tmp_path, web, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OutsideError, match="certificate"):
        fetch(f"https://localhost:{web.port}/model.onnx", None, tmp_path)


def test_a_server_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutsideError, match="cannot be reached"):
        fetch("https://localhost:1/model.onnx", None, tmp_path)


def test_a_model_comes_from_s3(tmp_path, s3):
    found = fetch("s3://bucket/models/model.onnx", None, tmp_path)
    assert found.path.read_bytes() == CONTENT


def test_a_missing_object_tells_what_s3_answered_and_what_is_needed(tmp_path, s3):
    with pytest.raises(OutsideError, match=r"NoSuchKey.*s3:GetObject"):
        fetch("s3://bucket/none.onnx", None, tmp_path)
    assert left_in(tmp_path) == []


def test_a_bucket_without_a_key_is_refused(tmp_path, s3):
    with pytest.raises(InputError, match="is not s3://bucket/key"):
        fetch("s3://bucket", None, tmp_path)


def test_a_cache_that_cannot_be_written_says_how_to_move_it(tmp_path, web):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OutsideError, match="set MODEL_CACHE"):
        fetch(f"https://localhost:{web.port}/model.onnx", None, blocked)


def test_the_cache_folder_is_the_users_choice_first(tmp_path):
    assert cache_folder({"MODEL_CACHE": str(tmp_path)}) == tmp_path
    if not Path("/app/.cache").is_dir():
        assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "inferfleet"
