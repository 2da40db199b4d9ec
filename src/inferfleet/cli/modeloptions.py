"""The options that say which model to use and how, shared by the commands that take a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from inferfleet.config.model import ModelConfig

Family = Annotated[str | None, typer.Option(help="What the outputs mean; recognised when left out.")]
Names = Annotated[str | None, typer.Option(help="Class names: a text file with a name a line, coco, or coco-91.")]
InputSize = Annotated[str | None, typer.Option(help="640 or 1280x736, for a model whose input is not fixed.")]
Engine = Annotated[str, typer.Option(help="auto, openvino or onnxruntime.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda:0 or tensorrt:0.")]
Precision = Annotated[str, typer.Option(help="auto, f32, bf16 or f16.")]


def model_config(**values: Any) -> ModelConfig:
    """Makes a model configuration of options; those that are None are left out.

    Raises:
        InputError: An option's value makes no sense; the message names the option.
    """
    from pydantic import ValidationError

    from inferfleet.config.model import ModelConfig
    from inferfleet.errors import InputError

    given = {key: value for key, value in values.items() if value is not None}
    if "input_size" in given:
        given["input_size"] = _size(given["input_size"])
    try:
        return ModelConfig.model_validate(given)
    except ValidationError as error:
        lines = []
        for detail in error.errors(include_url=False):
            key = str(detail["loc"][0]) if detail["loc"] else "path"
            option = "--model" if key == "path" else "--" + key.replace("_", "-")
            lines.append(f"{option}: {detail['msg'].removeprefix('Value error, ')}")
        raise InputError("\n".join(lines)) from error


def _size(text: str) -> tuple[int, int]:
    from inferfleet.errors import InputError

    parts = text.lower().split("x")
    if not all(part.isdigit() for part in parts) or len(parts) not in (1, 2):
        raise InputError(f"--input-size: {text!r} is neither a number nor WIDTHxHEIGHT")
    return int(parts[0]), int(parts[-1])
