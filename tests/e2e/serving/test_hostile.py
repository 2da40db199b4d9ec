"""Pictures and bodies made to hurt: each gets a 4xx, or an answer, and the server goes on."""

from __future__ import annotations

import pytest

from tests.e2e.serving import pictures
from tests.e2e.serving.process import ServerProcess

HOSTILE = dict(pictures.hostile())
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'

BODIES: dict[str, tuple[str, bytes]] = {
    "a form cut off": ("multipart/form-data; boundary=x", FORM + b"abc"),
    "a form without boundary": ("multipart/form-data", FORM),
    "a form of another boundary": ("multipart/form-data; boundary=y", FORM + b"abc\r\n--x--"),
    "a boundary without end": (f"multipart/form-data; boundary={'b' * 5000}", FORM),
    "a form of a thousand parts": ("multipart/form-data; boundary=x", (FORM + b"a\r\n") * 1000 + b"--x--"),
    "deep JSON": ("application/json", b"[" * 100_000),
    "JSON of no object": ("application/json", b"7"),
    "JSON cut off": ("application/json", b'{"image": "'),
    "no UTF-8": ("application/json", b'{"image": "\xff\xfe"}'),
    "a type without end": ("image/" + "x" * 5000, b"abc"),
    "an unknown charset": ("application/json; charset=\xe4", b"{}"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_or_answered(server: ServerProcess, name: str) -> None:
    with server.client() as client:
        for path in ("/predict", "/v1/models/bus/predict"):
            response = client.post(path, content=HOSTILE[name])
            assert response.status_code in (200, 400, 413, 415), response.text
            if response.status_code != 200:
                assert response.headers["content-type"] == "application/problem+json"
        assert client.post("/predict", content=pictures.encoded()).status_code == 200


@pytest.mark.parametrize(
    "name", ["a bomb", "thousands of scans", "a JPEG of 65535 x 65535", "a picture without rows", "noise"]
)
def test_bombs_are_refused_before_they_are_decoded(server: ServerProcess, name: str) -> None:
    with server.client() as client:
        assert client.post("/predict", content=HOSTILE[name]).status_code in (400, 413, 415)


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused(server: ServerProcess, name: str) -> None:
    kind, body = BODIES[name]
    with server.client() as client:
        response = client.post("/predict", content=body, headers={"Content-Type": kind.encode("latin-1")})
        assert response.status_code in (400, 413, 415, 422), response.text
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "//predict",
        "/predict/",
        "/v1/models//predict",
        "/v1/models/%00/predict",
        "/v2/models/bus/versions/9",
        "/%2e%2e/etc/passwd",
    ],
)
def test_odd_paths_are_not_found(server: ServerProcess, path: str) -> None:
    with server.client() as client:
        assert client.request("POST", f"{server.url}{path}", content=b"x").status_code in (404, 405)
