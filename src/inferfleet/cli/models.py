"""`inferfleet models`: what a model file is, how it would run here, and other forms of it."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.cli import modeloptions

if TYPE_CHECKING:
    from inferfleet.config.model import ModelConfig
    from inferfleet.vision.detector import Classifier, Detector

_RUNS = 20
_MOST_NAMES = 12


def register(app: typer.Typer) -> None:
    """Adds the command and what is below it."""
    models = typer.Typer(help="Inspect, quantize and export model files.", no_args_is_help=True)
    models.callback()(_group)
    models.command("inspect")(inspect)
    models.command("quantize")(quantize)
    models.command("export")(export)
    app.add_typer(models, name="models")


def _group() -> None:
    """Inspect, quantize and export model files."""


def inspect(
    model: Annotated[str, typer.Argument(help="A file, https://, s3:// or zoo:street-v1.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    family: modeloptions.Family = None,
    names: modeloptions.Names = None,
    input_size: modeloptions.InputSize = None,
    engine: modeloptions.Engine = "auto",
    device: modeloptions.Device = "auto",
    precision: modeloptions.Precision = "auto",
) -> None:
    """Show a model's family, inputs, outputs, class names and digest, and what one picture takes on this machine.

    Example: `inferfleet models inspect yolov8n.onnx`
    """
    from inferfleet import logs

    logs.set_up("WARNING")
    config = modeloptions.model_config(
        path=model,
        family=family,
        names=names,
        input_size=input_size,
        engine=engine,
        device=device,
        precision=precision,
    )
    report = _report(config)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)


def quantize(
    model: Annotated[str, typer.Argument(help="A file, https://, s3:// or zoo:NAME.")],
    images: Annotated[
        Path,
        typer.Option(
            help="A folder of pictures as the model will see them; subfolders may name their classes.",
            exists=True,
            file_okay=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The int8 file to write.")],
    max_loss: Annotated[
        float, typer.Option(min=0, max=1, help="Write nothing if more than this share of the accuracy is lost.")
    ] = 0.01,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    family: modeloptions.Family = None,
    names: modeloptions.Names = None,
    input_size: modeloptions.InputSize = None,
) -> None:
    """Write an int8 copy of a model, calibrated on your pictures, and report what it loses.

    Half of the pictures calibrate; the other half compares the copy with the original.

    Example: `inferfleet models quantize resnet50.onnx --images samples --out resnet50-int8.onnx`
    """
    from inferfleet import logs
    from inferfleet.vision.quantize import quantize as make

    logs.set_up("WARNING")
    config = modeloptions.model_config(path=model, family=family, names=names, input_size=input_size)
    report = make(config, images, out, max_loss)
    if as_json:
        print(json.dumps({"out": str(out), "loss": report.loss, **asdict(report)}, indent=2))
    else:
        print(
            f"{out}: {report.measure}: {report.original:.2%} before, {report.quantized:.2%} after, on "
            f"{report.pictures} pictures; "
            f"{report.original_bytes / 1e6:.1f} MB became {report.quantized_bytes / 1e6:.1f} MB"
        )


def export(
    model: Annotated[str, typer.Argument(help="torchvision/NAME, for instance torchvision/resnet50.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The ONNX file [default: NAME.onnx].")] = None,
    weights: Annotated[str, typer.Option(help="Which of the model's weights.")] = "IMAGENET1K_V1",
) -> None:
    """Write a torchvision classifier as ONNX, with its labels beside it (needs a network and `inferfleet[export]`).

    Example: `inferfleet models export torchvision/resnet50`, then
    `inferfleet serve --model resnet50.onnx --labels resnet50.txt`
    """
    from inferfleet.vision.export import export as make

    done = make(model, out or Path(f"{model.rpartition('/')[2]}.onnx"), weights)
    print(f"{done.model}: {done.classes} classes, named in {done.labels}")


def _report(config: ModelConfig) -> dict[str, Any]:
    from inferfleet.vision import loader

    signature, family = loader.inspect(config)
    model = loader.load(config)
    look = model.preprocessing
    return {
        "model": config.path,
        "digest": model.digest,
        "family": family.name,
        "layout": family.layout,
        "inputs": [str(port) for port in signature.inputs],
        "outputs": [str(port) for port in signature.outputs],
        "input_size": list(model.input_size),
        "preprocessing": {
            "fit": look.fit,
            "colour": "bgr" if look.bgr else "rgb",
            "mean": list(look.mean),
            "std": list(look.std),
        },
        "names": list(model.names),
        "engine": model.engine.name,
        "device": model.engine.device,
        "precision": model.engine.precision,
        "batch_sizes": list(model.batch_sizes),
        "workers": model.workers,
        "milliseconds_per_picture": _measure(model),
        "metadata": {key: value for key, value in signature.metadata.items() if key != "names"},
    }


def _measure(model: Detector | Classifier) -> float:
    """The median time of one picture alone: preparing, running and reading a plain grey 720p picture."""
    import numpy as np

    from inferfleet.vision.detector import Detector
    from inferfleet.vision.picture import Still

    still = Still(np.full((720, 1280, 3), 114, np.uint8))
    times = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        prepared = [model.prepare(still)]
        if isinstance(model, Detector):
            model.detect(prepared)
        else:
            model.classify(prepared)
        times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1000, 2)


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    names = report["names"]
    more = f" … and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    look = report["preprocessing"]
    rows = {
        "model": report["model"],
        "sha256": report["digest"],
        "family": f"{report['family']}: {report['layout']}",
        "inputs": "\n".join(report["inputs"]),
        "outputs": "\n".join(report["outputs"]),
        "input size": "{}x{}".format(*report["input_size"]),
        "preprocessing": f"{look['fit']}, {look['colour']}, mean {look['mean']}, std {look['std']}",
        "names": f"{len(names)}: {', '.join(names[:_MOST_NAMES])}{more}",
        "engine": f"{report['engine']} on {report['device']}, {report['precision']}",
        "batch sizes": ", ".join(map(str, report["batch_sizes"])),
        "workers": str(report["workers"]),
        "one picture": f"{report['milliseconds_per_picture']} ms (preparing, running, reading; one at a time)",
    }
    for key, value in rows.items():
        table.add_row(key, str(value))
    Console().print(table, highlight=False, markup=False)
