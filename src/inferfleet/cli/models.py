"""`inferfleet models`: what a model file is and how it would run here."""

from __future__ import annotations

import json
import statistics
import time
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
    models = typer.Typer(help="Inspect model files.", no_args_is_help=True)
    models.callback()(_group)
    models.command("inspect")(inspect)
    app.add_typer(models, name="models")


def _group() -> None:
    """Inspect model files."""


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
