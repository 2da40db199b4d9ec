"""`inferfleet serve`: a model as an HTTP API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.config.inline import config_file

if TYPE_CHECKING:
    from inferfleet.config.serve import ServeFile


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve")(serve)


def serve(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar=["SERVE_CONFIG", "CONFIG_FILE"],
            help="A serve.yaml.",
            exists=True,
            dir_okay=False,
            default_factory=lambda: config_file("serve.yaml"),
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            envvar="MODEL_PATH",
            help="A file, https://, s3://, zoo:NAME, or NAME=any of these; repeat for several.",
        ),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Class names: a text file with a name a line, coco, or coco-91.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(envvar="HTTP_HOST", help="Address to serve on [default: 0.0.0.0].")
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="HTTP_PORT", help="Port to serve on; 0 takes a free one [default: 8080].")
    ] = None,
    devices: Annotated[str | None, typer.Option(help="cuda:0,cuda:1: a process each, behind the one port.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, f32, bf16 or f16.")] = None,
    engine: Annotated[str | None, typer.Option(help="auto, openvino or onnxruntime.")] = None,
    log_level: Annotated[str, typer.Option(envvar="LOG_LEVEL", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Serve models over HTTP: POST a picture to /predict, see /docs for the rest.

    Without --model and --config the small model that ships is served. Stop with SIGTERM (drains as a load balancer
    needs it) or Ctrl-C (at once).

    Example: `inferfleet serve --model resnet50.onnx --labels imagenet.txt`, then
    `curl -F file=@cat.jpg http://localhost:8080/predict`
    """
    from inferfleet import logs
    from inferfleet.serving.launch import launch

    logs.set_up(log_level)
    common = {"names": labels, "precision": precision, "engine": engine}
    overrides = {"host": host, "port": port, "devices": devices.split(",") if devices else None}
    launch(settings(model or [], config, common, overrides), log_level)


def settings(models: list[str], path: Path | None, common: dict[str, Any], overrides: dict[str, Any]) -> ServeFile:
    """Puts the command line's options over the file's.

    Raises:
        InputError: A value makes no sense; the message names the option or the place in the file.
    """
    from inferfleet.config.base import validate
    from inferfleet.config.serve import ServeFile
    from inferfleet.config.source import Document, SourceMap, load
    from inferfleet.errors import InputError
    from inferfleet.serving.launch import first_try

    given = {key: value for key, value in common.items() if value is not None}
    document = load(path) if path else Document({}, SourceMap("command line"))
    if not isinstance(document.data, dict):
        return validate(document, ServeFile)
    if path and given and not models:
        raise InputError(f"--{next(iter(given))}: says something of --model; with --config, write it in {path}")
    data = {**document.data, **{key: value for key, value in overrides.items() if value is not None}}
    if models or "models" not in data:
        named = [_named(text) for text in models or [first_try()]]
        data["models"] = {name: {"path": place, **given} for name, place in named}
        data.pop("default", None)
    parsed = validate(Document(data, document.source), ServeFile)
    if path is None or models:
        return parsed
    anchored = {name: model.anchored(path.parent) for name, model in parsed.models.items()}
    return parsed.model_copy(update={"models": anchored})


def _named(text: str) -> tuple[str, str]:
    """Splits NAME=PLACE; without a name the model goes by its file's."""
    name, separator, place = text.partition("=")
    if separator and "/" not in name and ":" not in name:
        return name, place
    stem = text.removeprefix("zoo:").rstrip("/").rpartition("/")[2].removesuffix(".onnx")
    return stem or "model", text
