"""The Open Inference Protocol, as Triton's own client speaks it, and what it refuses."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.e2e.serving import pictures
from tests.e2e.serving.process import ServerProcess

RED, BLUE = pictures.encoded(".png"), pictures.encoded(".png", pictures.colour(9, 9, 200))


@pytest.fixture
def client(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


def image(*files: bytes, binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput("image", [len(files)], "BYTES")
    tensor.set_data_from_numpy(np.array(files, np.object_), binary_data=binary)
    return tensor


def test_server_and_models_are_live_ready_and_described(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("channels")
    assert client.is_model_ready("channels", "7")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("bus")
    assert [port["name"] for port in metadata["inputs"]] == ["image", "pixels"]
    assert {port["name"] for port in metadata["outputs"]} == {"box", "class_id", "confidence", "class", "count"}
    assert {model["name"] for model in client.get_model_repository_index()} == {"channels", "bus"}


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_encoded_pictures_are_classified_in_binary(
    client: triton.InferenceServerClient, compression: str | None
) -> None:
    result = client.infer("channels", [image(RED, BLUE)], request_id="r1", request_compression_algorithm=compression)
    assert result.get_response()["id"] == "r1"
    assert result.get_response()["model_version"] == "7"
    assert result.as_numpy("class_id").tolist() == [[0, 1, 2], [2, 1, 0]] or result.as_numpy("class_id")[1, 0] == 2
    assert result.as_numpy("class")[0].tolist() == [b"red", b"green", b"blue"]
    np.testing.assert_allclose(result.as_numpy("confidence").sum(axis=1), 1, atol=1e-3)
    assert result.as_numpy("confidence").dtype == np.float32
    assert result.as_numpy("count").tolist() == [3, 3]


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_give_what_the_same_picture_gives_encoded(client: triton.InferenceServerClient, binary: bool) -> None:
    rgb = cv2.imdecode(np.frombuffer(RED, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    tensor = triton.InferInput("pixels", [1, *rgb.shape], "UINT8")
    tensor.set_data_from_numpy(np.ascontiguousarray(rgb)[np.newaxis], binary_data=binary)
    outputs = [triton.InferRequestedOutput("confidence", binary_data=binary)]
    by_pixels = client.infer("channels", [tensor], outputs=outputs).as_numpy("confidence")
    encoded = client.infer("channels", [image(RED)], outputs=outputs).as_numpy("confidence")
    np.testing.assert_allclose(by_pixels, encoded, atol=1e-4)


def test_boxes_come_with_their_count_and_parameters_choose(client: triton.InferenceServerClient) -> None:
    picture = pictures.encoded(".png", pictures.colour(1, 2, 3, 128, 128))
    result = client.infer("bus", [image(picture)])
    assert result.as_numpy("box").shape == (1, 2, 4)
    np.testing.assert_allclose(result.as_numpy("box")[0, 0], [32, 32, 64, 96], atol=0.2)
    strict = client.infer("bus", [image(picture)], parameters={"min_confidence": 0.95})
    assert strict.as_numpy("count").tolist() == [0]
    assert strict.as_numpy("box").shape == (1, 0, 4)


def test_json_bodies_carry_base64(server: ServerProcess) -> None:
    body = {
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(RED).decode()]}],
        "outputs": [{"name": "class"}],
    }
    with server.client() as client:
        answer = client.post("/v2/models/channels/versions/7/infer", json=body).json()
    assert answer["outputs"] == [
        {"name": "class", "datatype": "BYTES", "shape": [1, 3], "data": ["red", "green", "blue"]}
    ]


def test_what_is_wrong_is_told_where_the_client_looks_for_it(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="there is no model 'none'"):
        client.infer("none", [image(RED)])
    with pytest.raises(InferenceServerException, match="has no output 'logits'"):
        client.infer("channels", [image(RED)], outputs=[triton.InferRequestedOutput("logits")])
    with pytest.raises(InferenceServerException, match="picture 2"):
        client.infer("channels", [image(RED, RED[:40])])
    with pytest.raises(InferenceServerException, match="at most 4"):
        client.infer("channels", [image(*[RED] * 5)])
    with pytest.raises(InferenceServerException, match="serves version 7"):
        client.infer("channels", [image(RED)], model_version="8")


HEADER = b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":%d}}]}'


@pytest.mark.parametrize(
    ("body", "header_length"),
    [
        (b"", None),
        (b"{}", None),
        (b"[]", "2"),
        (HEADER % 8 + b"\xff\xff\xff\xff1234", len(HEADER % 8)),
        (HEADER % 3 + b"abc", len(HEADER % 3)),
        (HEADER % 999 + b"abc", len(HEADER % 999)),
        (HEADER % 1 + b"abc", len(HEADER % 1)),
        (HEADER.replace(b"%d", b"-1"), len(HEADER)),
        (HEADER % 3 + b"abc", "nonsense"),
        (HEADER % 3 + b"abc", "99999999999999999999"),
        (b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[-1],"data":["YQ=="]}]}', None),
        (b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[],"data":["YQ=="]}]}', None),
        (b'{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":[7]}]}', None),
        (b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,2,2,3],"data":[300]}]}', None),
        (b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,2,2,3],"data":{"a":1}}]}', None),
        (b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[999999999,999999999,9,3],"data":[1]}]}', None),
        (b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[4],"data":[1,2,3,4]}]}', None),
        (b'{"inputs":[{"name":"other","datatype":"FP32","shape":[1],"data":[1]}]}', None),
        (gzip.compress(b"{}", mtime=0), None),
    ],
)
def test_hostile_bodies_are_refused(server: ServerProcess, body: bytes, header_length: object) -> None:
    headers = {} if header_length is None else {"Inference-Header-Content-Length": str(header_length)}
    with server.client() as client:
        response = client.post("/v2/models/channels/infer", content=body, headers=headers)
    assert response.status_code in (400, 413, 415, 422), response.text
    assert response.json()["error"]
