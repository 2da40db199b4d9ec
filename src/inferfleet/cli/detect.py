"""`inferfleet detect`: objects, or classes, in picture files."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inferfleet.cli import modeloptions
from inferfleet.errors import InputError, OutsideError

if TYPE_CHECKING:
    from inferfleet.vision.detector import Classifier, Detector
    from inferfleet.vision.picture import Still

Found = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("detect")(detect)


def detect(
    images: Annotated[list[Path], typer.Argument(help="Pictures: JPEG, PNG, WebP or BMP.", metavar="IMAGE...")],
    model: Annotated[str, typer.Option("--model", "-m", help="A file, https://, s3:// or zoo:street-v1.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a picture and line.")] = False,
    save: Annotated[Path | None, typer.Option(help="A folder for annotated copies.", file_okay=False)] = None,
    confidence: Annotated[float | None, typer.Option(help="Least score, 0 to 1.")] = None,
    iou: Annotated[float | None, typer.Option(help="Of boxes that overlap more than this, one goes.")] = None,
    family: modeloptions.Family = None,
    names: modeloptions.Names = None,
    input_size: modeloptions.InputSize = None,
    engine: modeloptions.Engine = "auto",
    device: modeloptions.Device = "auto",
    precision: modeloptions.Precision = "auto",
) -> None:
    """Find objects in pictures, or tell what they show if the model is a classifier.

    Boxes are x1 y1 x2 y2 in pixels of the upright picture. A picture that cannot be read is reported, the others are
    still processed, and the exit code is 1.

    Example: `inferfleet detect street.jpg --model zoo:street-v1 --save out`
    """
    from inferfleet import logs
    from inferfleet.vision.loader import load
    from inferfleet.vision.picture import Still

    logs.set_up("WARNING")
    config = modeloptions.model_config(
        path=model,
        confidence=confidence,
        iou=iou,
        family=family,
        names=names,
        input_size=input_size,
        engine=engine,
        device=device,
        precision=precision,
    )
    loaded = load(config)
    failed = False
    taken: set[str] = set()
    for image in images:
        try:
            still = Still.open(image)
            found = _look(loaded, still)
        except InputError as error:
            print(f"inferfleet: {error}", file=sys.stderr)
            failed = True
            continue
        saved = None if save is None else _save(_free_name(save, image, taken), still, found)
        if as_json:
            print(json.dumps({"image": str(image), **found, **({"saved": str(saved)} if saved else {})}), flush=True)
        else:
            _print(image, found, saved)
    if failed:
        raise typer.Exit(InputError.exit_code)


def _look(model: Detector | Classifier, still: Still) -> Found:
    from inferfleet.vision.detector import Detector

    started = time.perf_counter()
    prepared = model.prepare(still)
    found: Found = {"width": still.width, "height": still.height, "model": model.name, "digest": model.digest}
    if isinstance(model, Detector):
        result = model.detect([prepared])[0]
        found["detections"] = [
            {
                "label": model.names[number],
                "class_id": int(number),
                "confidence": round(float(score), 4),
                "box": [round(float(side), 2) for side in box],
            }
            for box, score, number in zip(result.boxes, result.scores, result.class_ids, strict=True)
        ]
    else:
        classes = model.classify([prepared])[0]
        found["classes"] = [
            {"label": model.names[number], "class_id": int(number), "confidence": round(float(score), 4)}
            for score, number in zip(classes.scores, classes.class_ids, strict=True)
        ]
    found["milliseconds"] = round((time.perf_counter() - started) * 1000, 1)
    return found


def _free_name(folder: Path, image: Path, taken: set[str]) -> Path:
    """Names a copy after its picture; pictures of one name from several folders are numbered."""
    name, number = image.stem, 1
    while name in taken:
        number += 1
        name = f"{image.stem}-{number}"
    taken.add(name)
    return folder / f"{name}.jpg"


def _save(target: Path, still: Still, found: Found) -> Path:
    import cv2

    from inferfleet.vision.draw import Mark, annotate

    marks = [
        Mark(item["box"], f"{item['label']} {item['confidence']:.2f}", item["label"])
        for item in found.get("detections", ())
    ]
    if found.get("classes"):
        best = found["classes"][0]
        marks = [Mark((0, 0, found["width"], found["height"]), f"{best['label']} {best['confidence']:.2f}", "")]
    _, content = cv2.imencode(".jpg", annotate(still.bgr(), marks), (cv2.IMWRITE_JPEG_QUALITY, 92))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.tobytes())
    except OSError as error:
        raise OutsideError(f"{target}: cannot be written: {error.strerror}") from error
    return target


def _print(image: Path, found: Found, saved: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    rows: list[Found] = found["detections"] if "detections" in found else found["classes"]
    size = f"{found['width']}x{found['height']}"
    where = f" → {saved}" if saved else ""
    line = f"{image}  {size}, {found['milliseconds']} ms, {len(rows)} found{where}"
    console.print(line, highlight=False, markup=False)
    if not rows:
        return
    table = Table("label", "confidence", *(["box"] if "detections" in found else []), box=None, padding=(0, 2))
    for row in rows:
        box = [" ".join(f"{side:.0f}" for side in row["box"])] if "box" in row else []
        table.add_row(row["label"], f"{row['confidence']:.2f}", *box)
    console.print(table)
