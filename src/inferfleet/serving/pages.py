"""The OpenAPI document, and the page that shows it; both are made here and need no network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from inferfleet import __version__
from inferfleet.config.serve import ServeFile
from inferfleet.serving import answers
from inferfleet.serving.problems import KINDS, PREFIX

DOCS_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob:",
    ),
    (b"x-content-type-options", b"nosniff"),
)

_REFERENCE = "#/components/schemas/{name}"
_PREDICT_PROBLEMS = (400, 401, 404, 408, 413, 415, 422, 429, 500, 503, 504)


@cache
def docs() -> bytes:
    """The page."""
    return (Path(__file__).parent / "docs.html").read_bytes()


def openapi(config: ServeFile, names: tuple[str, ...]) -> dict[str, Any]:
    """Makes the OpenAPI 3.1 document.

    Args:
        config: What is served, and whether a key is needed.
        names: The models' names.
    """
    schemas = _answer_schemas() | {"Problem": _problem_schema()}
    secured: list[dict[str, list[str]]] = [{"key": []}, {"bearer": []}] if config.access.api_keys else []
    predict = _predict(config, secured)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "inferfleet",
            "version": __version__,
            "description": f"Models: {', '.join(names)}. The default is {config.default_model}.",
        },
        "paths": {
            "/predict": {
                "post": predict | {"operationId": "predict", "summary": "What is on a picture (default model)"}
            },
            "/v1/models/{name}/predict": {
                "post": predict
                | {
                    "operationId": "predictWith",
                    "summary": "What is on a picture",
                    "parameters": [_name(names), *predict["parameters"]],
                }
            },
            "/v1/models": {"get": _get("models", "What is served", "object")},
            "/v1/models/{name}/reload": {"post": _reload(names)},
            "/health": {"get": _get("health", "Whether the process is alive", "object", (503,))},
            "/healthz": {"get": _get("healthz", "The same, at the path of a camera worker", "object", (503,))},
            "/ready": {"get": _get("ready", "Whether it wants requests", "object", (503,))},
            "/status": {"get": _get("status", "Queue depth and predicted wait", "object")},
            "/version": {"get": _get("version", "Versions of server and models", "object")},
            "/metrics": {"get": _get("metrics", "Prometheus metrics", "string", media="text/plain")},
            "/v2": {"get": _get("v2Server", "Open Inference Protocol: the server", "object")},
            "/v2/health/live": {"get": _get("v2Live", "Open Inference Protocol: alive", "object", (503,))},
            "/v2/health/ready": {"get": _get("v2Ready", "Open Inference Protocol: ready", "object", (503,))},
            "/v2/models/{name}": {
                "get": _get("v2Model", "Open Inference Protocol: inputs and outputs", "object", (404, 503))
                | {"parameters": [_name(names)]}
            },
            "/v2/models/{name}/ready": {
                "get": _get("v2ModelReady", "Open Inference Protocol: the model answers", "object", (404, 503))
                | {"parameters": [_name(names)]}
            },
            "/v2/models/{name}/infer": {"post": _infer(names, secured)},
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }
    return document


def _predict(config: ServeFile, secured: list[dict[str, list[str]]]) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    encoded = {"type": "string", "contentEncoding": "base64"}
    form = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
    listed = {"type": "array", "items": encoded, "minItems": 1, "maxItems": config.limits.images}
    json_body = {
        "oneOf": [
            {"type": "object", "properties": {"image": encoded}, "required": ["image"], "additionalProperties": False},
            {"type": "object", "properties": {"images": listed}, "required": ["images"], "additionalProperties": False},
        ]
    }
    kinds = ("image/jpeg", "image/png", "image/webp", "image/bmp")
    answer = {"oneOf": [{"$ref": _REFERENCE.format(name=name)} for name in ("SingleAnswer", "ManyAnswer")]}
    operation: dict[str, Any] = {
        "parameters": [
            {"name": "top", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}},
            {"name": "min_confidence", "in": "query", "schema": {"type": "number", "minimum": 0, "maximum": 1}},
            {
                "name": "X-Request-Timeout",
                "in": "header",
                "description": "Seconds after which the answer is of no use.",
                "schema": {"type": "number", "exclusiveMinimum": 0},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                **{kind: binary for kind in kinds},
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": json_body},
            },
        },
        "responses": _responses(answer, _PREDICT_PROBLEMS),
    }
    return operation | ({"security": secured} if secured else {})


def _infer(names: tuple[str, ...], secured: list[dict[str, list[str]]]) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"enum": ["image", "pixels"]},
            "datatype": {"enum": ["BYTES", "UINT8"]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "data": {"type": "array"},
        },
        "required": ["name", "datatype", "shape"],
    }
    body = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "inputs": {"type": "array", "items": tensor, "minItems": 1}},
        "required": ["inputs"],
    }
    operation: dict[str, Any] = {
        "operationId": "v2Infer",
        "summary": "Open Inference Protocol: tensors in, tensors out",
        "parameters": [_name(names)],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _responses({"type": "object"}, _PREDICT_PROBLEMS),
    }
    return operation | ({"security": secured} if secured else {})


def _reload(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "operationId": "reload",
        "summary": "Load a model again and swap it in (admin token, or the admin port)",
        "parameters": [_name(names)],
        "responses": _responses({"type": "object"}, (401, 403, 404, 422, 503)),
    }


def _get(operation: str, summary: str, kind: str, others: tuple[int, ...] = (), *, media: str = "") -> dict[str, Any]:
    responses = _responses({"type": kind}, tuple(code for code in others if code != 503), media or "application/json")  # noqa: PLR2004
    if 503 in others:  # noqa: PLR2004
        responses["503"] = {
            "description": "Not now",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "application/problem+json": {"schema": {"$ref": _REFERENCE.format(name="Problem")}},
            },
        }
    return {"operationId": operation, "summary": summary, "responses": responses}


def _responses(schema: dict[str, Any], problems: tuple[int, ...], media: str = "application/json") -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Done", "content": {media: {"schema": schema}}}}
    reference = {"schema": {"$ref": _REFERENCE.format(name="Problem")}}
    for code in problems:
        titles = [title for status, title in KINDS.values() if status == code]
        entry: dict[str, Any] = {
            "description": " or ".join(titles),
            "content": {"application/problem+json": reference},
        }
        if code == 429:  # noqa: PLR2004
            entry["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
        responses[str(code)] = entry
    return responses


def _name(names: tuple[str, ...]) -> dict[str, Any]:
    return {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "enum": list(names)}}


def _answer_schemas() -> dict[str, Any]:
    """The answers; their lists of predictions hold one kind each, which msgspec's own schemas cannot say."""
    kinds = (answers.ClassPrediction, answers.ObjectPrediction, answers.TextPrediction)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    listed = [{"type": "array", "items": {"$ref": _REFERENCE.format(name=kind.__name__)}} for kind in kinds]
    picture = {"predictions": {"anyOf": listed}, "width": {"type": "integer"}, "height": {"type": "integer"}}
    source = {
        "latency_seconds": {"type": "number", "description": "From the request's arrival to this answer."},
        "model": {"type": "string"},
        "model_version": {"type": "string"},
    }
    results = {"type": "array", "items": {"$ref": _REFERENCE.format(name="PictureAnswer")}}
    return schemas | {
        "PictureAnswer": _object("What is on one picture.", picture),
        "SingleAnswer": _object("The answer to a request with one picture.", picture | source),
        "ManyAnswer": _object("The answer to a request with a list of pictures.", {"results": results, **source}),
    }


def _object(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": properties, "required": list(properties)}


def _problem_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": {"type": "string", "enum": [PREFIX + kind for kind in KINDS]},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "error": {"type": "string"},
            "request_id": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail", "error", "request_id"],
    }
