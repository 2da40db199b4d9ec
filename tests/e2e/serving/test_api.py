"""What the server answers to pictures in every form, and what it tells of itself."""

from __future__ import annotations

import base64
import gzip
import re

import jsonschema
import pytest

from tests.e2e.serving import pictures
from tests.e2e.serving.process import ServerProcess

JPEG = {"Content-Type": "image/jpeg"}
RED = pictures.encoded()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "request_options",
    [
        {"content": RED, "headers": JPEG},
        {"content": pictures.encoded(".png"), "headers": {"Content-Type": "image/png"}},
        {"content": pictures.encoded(".webp"), "headers": {"Content-Type": "image/webp"}},
        {"content": pictures.encoded(".bmp"), "headers": {"Content-Type": "image/bmp"}},
        {"content": RED},
        {"files": {"file": ("cat.jpg", RED, "image/jpeg")}},
        {"json": {"image": b64(RED)}},
        {"json": {"image": f"data:image/jpeg;base64,{b64(RED)}"}},
        {"content": gzip.compress(RED), "headers": {**JPEG, "Content-Encoding": "gzip"}},
    ],
)
def test_a_picture_is_classified_whatever_it_comes_in(server: ServerProcess, request_options: dict) -> None:
    with server.client() as client:
        response = client.post("/predict", **request_options)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert [one["class"] for one in answer["predictions"]] == ["red", "green", "blue"]
    assert [one["class_id"] for one in answer["predictions"]] == [0, 1, 2]
    assert sum(one["confidence"] for one in answer["predictions"]) == pytest.approx(1, abs=1e-3)
    assert (answer["model"], answer["model_version"]) == ("channels", "7")
    assert (answer["width"], answer["height"]) == (pictures.WIDTH, pictures.HEIGHT)
    assert answer["latency_seconds"] > 0


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        (pictures.by_pillow("L", "JPEG", 90), (60, 40)),
        (pictures.by_pillow("L", "PNG", 90), (60, 40)),
        (pictures.by_pillow("CMYK", "JPEG", (10, 200, 200, 10)), (60, 40)),
        (pictures.by_pillow("RGBA", "PNG", (200, 60, 20, 128)), (60, 40)),
        (pictures.by_pillow("I;16", "PNG", 40_000), (60, 40)),
        (pictures.by_pillow("P", "PNG", 3), (60, 40)),
        (pictures.turned(), (40, 60)),
        (pictures.encoded(".jpg", pictures.colour(1, 2, 3, 1, 1)), (1, 1)),
    ],
)
def test_grey_cmyk_alpha_16_bit_and_turned_pictures_are_answered(
    server: ServerProcess, picture: bytes, size: tuple[int, int]
) -> None:
    with server.client() as client:
        response = client.post("/predict", content=picture)
    assert response.status_code == 200, response.text
    assert (response.json()["width"], response.json()["height"]) == size


def test_several_pictures_are_answered_in_their_order(server: ServerProcess) -> None:
    files = [pictures.encoded(".png", pictures.colour(*rgb)) for rgb in ((9, 9, 200), (200, 9, 9), (9, 200, 9))]
    with server.client() as client:
        by_json = client.post("/predict?top=1", json={"images": [b64(one) for one in files]}).json()
        by_form = client.post("/predict?top=1", files=[("file", one) for one in files]).json()
        alone = client.post("/predict", json={"images": [b64(RED)]}).json()
    for answer in (by_json, by_form):
        assert [[one["class"] for one in result["predictions"]] for result in answer["results"]] == [
            ["blue"],
            ["red"],
            ["green"],
        ]
    assert len(alone["results"]) == 1


def test_a_detector_answers_with_boxes_in_the_pictures_pixels(server: ServerProcess) -> None:
    with server.client() as client:
        response = client.post(
            "/v1/models/bus/predict", content=pictures.encoded(".jpg", pictures.colour(1, 2, 3, 128, 128))
        )
        everything = client.post("/v1/models/bus/predict?min_confidence=0.95", content=RED)
    first, second = response.json()["predictions"]
    assert (first["class"], first["class_id"], first["confidence"]) == ("bus", 1, 0.9)
    assert first["box"] == pytest.approx([32, 32, 64, 96], abs=0.2)
    assert second["class"] == "car"
    assert everything.json()["predictions"] == []


def test_top_and_min_confidence_choose_what_is_told(server: ServerProcess) -> None:
    with server.client() as client:
        assert len(client.post("/predict?top=2", content=RED).json()["predictions"]) == 2
        strict = client.post("/predict?min_confidence=0.5", content=RED).json()["predictions"]
    assert [one["class"] for one in strict] == ["red"]


@pytest.mark.parametrize(
    ("path", "options", "status", "kind", "words"),
    [
        ("/predict", {"content": b""}, 400, "bad-request", "the picture is empty"),
        ("/predict", {"content": b"no picture"}, 415, "unsupported-media-type", "is not a JPEG, PNG, WebP or BMP"),
        ("/predict", {"content": RED[:300], "headers": JPEG}, 400, "damaged-picture", "picture"),
        ("/predict", {"data": {"a": "b"}}, 415, "unsupported-media-type", "-H 'Content-Type: image/jpeg'"),
        (
            "/predict",
            {"content": b"x", "headers": {"Content-Type": "text/plain"}},
            415,
            "unsupported-media-type",
            "send",
        ),
        ("/predict", {"files": {"image": RED}}, 400, "bad-request", "no field `file` (it has 'image')"),
        ("/predict", {"json": {"image": "!!!"}}, 400, "bad-request", "image: is not base64"),
        ("/predict", {"json": {"img": "aa"}}, 400, "bad-request", "img"),
        ("/predict", {"json": {}}, 422, "invalid-value", "give either"),
        ("/predict", {"json": {"images": []}}, 422, "invalid-value", "the list is empty"),
        ("/predict", {"json": {"images": [b64(RED), b64(RED[:99])]}}, 400, "damaged-picture", "picture 2"),
        ("/predict", {"json": {"images": [b64(RED)] * 5}}, 413, "too-large", "at most 4"),
        ("/predict", {"content": bytes(200_001)}, 413, "too-large", "200000 bytes"),
        (
            "/predict",
            {"content": gzip.compress(bytes(9_000_000)), "headers": {"Content-Encoding": "gzip"}},
            413,
            "too-large",
            "",
        ),
        ("/predict", {"content": b"x", "headers": {"Content-Encoding": "br"}}, 415, "unsupported-media-type", "gzip"),
        ("/predict", {"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 400, "bad-request", "gzip"),
        ("/predict?top=0", {"content": RED}, 422, "invalid-value", "top: "),
        ("/predict?min_confidence=nan", {"content": RED}, 422, "invalid-value", "min_confidence: "),
        ("/predict?tpo=1", {"content": RED}, 422, "invalid-value", "'tpo' is unknown"),
        (
            "/predict",
            {"content": RED, "headers": {"X-Request-Timeout": "soon"}},
            400,
            "bad-request",
            "X-Request-Timeout",
        ),
        ("/v1/models/none/predict", {"content": RED}, 404, "not-found", "there are channels, bus"),
        ("/v1/models/bus/reload", {}, 403, "forbidden", "admin"),
        ("/nothing", {}, 404, "not-found", "/docs"),
        ("/health", {}, 405, "method-not-allowed", "GET"),
    ],
)
def test_what_is_wrong_is_told_as_a_problem_document(  # noqa: PLR0917
    server: ServerProcess, path: str, options: dict, status: int, kind: str, words: str
) -> None:
    with server.client() as client:
        response = client.post(path, **options)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (problem["type"], problem["status"]) == (f"urn:inferfleet:problem:{kind}", status)
    assert words in problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]


def test_problems_and_answers_are_as_the_openapi_document_says(server: ServerProcess) -> None:
    with server.client() as client:
        document = client.get("/openapi.json").json()
        good = client.post("/predict", content=RED).json()
        many = client.post("/predict", json={"images": [b64(RED)]}).json()
        found = client.post("/v1/models/bus/predict", content=RED).json()
        bad = client.post("/predict", content=b"?").json()
    schemas = {"components": document["components"]}
    for name, answer in (("SingleAnswer", good), ("ManyAnswer", many), ("SingleAnswer", found), ("Problem", bad)):
        jsonschema.validate(answer, {"$ref": f"#/components/schemas/{name}", **schemas})


def test_the_docs_page_needs_nothing_from_elsewhere(server: ServerProcess) -> None:
    with server.client() as client:
        page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"(?:src|href)=\"https?:|@import|//cdn", page.text)
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_the_server_tells_its_state(server: ServerProcess) -> None:
    with server.client() as client:
        client.post("/predict", content=RED)
        assert client.get("/health").json() == client.get("/healthz").json() == {"status": "healthy"}
        assert client.get("/ready").json() == {"status": "ready"}
        assert client.head("/ready").status_code == 200
        assert client.get("/version").json()["models"]["channels"] == "7"
        lane = client.get("/status").json()["models"]["channels"]
        listed = client.get("/v1/models").json()
        metrics = client.get("/metrics")
    assert (lane["queue_pictures"], lane["queue_limit"]) == (0, 256)
    assert lane["predicted_seconds"] > 0
    assert listed["default"] == "channels"
    assert [model["kind"] for model in listed["models"]] == ["classifier", "detector"]
    assert metrics.headers["content-type"].startswith("text/plain")
    for line in (
        'inferfleet_serve_requests_total{code="200",model="channels"}',
        'inferfleet_serve_inference_seconds_count{model="channels"}',
        'inferfleet_serve_decode_seconds_count{model="channels"}',
        'inferfleet_serve_queue_pictures{model="channels"} 0.0',
        'version="7"',
    ):
        assert line in metrics.text


def test_probing_runs_no_inference(server: ServerProcess) -> None:
    def batches(client) -> str:
        (line,) = [
            row for row in client.get("/metrics").text.splitlines() if "batch_size_count" in row and "bus" in row
        ]
        return line

    with server.client() as client:
        before = batches(client)
        for _ in range(20):
            client.get("/ready")
            client.get("/health")
        assert batches(client) == before


def test_request_ids_and_traces_go_through_to_the_log(server: ServerProcess) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {
        "X-Request-ID": "abc-123",
        "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
        "X-Forwarded-For": "10.0.0.9",
    }
    with server.client() as client:
        response = client.post("/predict", content=RED, headers=headers)
        fresh = client.get("/health", headers={"X-Request-ID": "with space"})
    assert response.headers["x-request-id"] == "abc-123"
    assert re.fullmatch("[0-9a-f]{16}", fresh.headers["x-request-id"])
    entry = server.wait_for_log("request", request_id="abc-123")
    assert (entry["trace_id"], entry["forwarded_for"], entry["model"]) == (trace, "10.0.0.9", "channels")
    assert (entry["status"], entry["pictures"], entry["path"]) == (200, 1, "/predict")


def test_no_page_elsewhere_may_call_it_unless_told(server: ServerProcess) -> None:
    with server.client() as client:
        response = client.get("/version", headers={"Origin": "https://example.com"})
    assert not [name for name in response.headers if name.startswith("access-control")]
