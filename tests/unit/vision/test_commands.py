"""`inferfleet detect` and `inferfleet models inspect`, run as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.unit.vision.onnxmodels import constant_model, mean_model


def inferfleet(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from inferfleet.cli.main import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def detector(tmp_path) -> Path:
    output = np.zeros((300, 6), np.float32)
    output[0] = 16, 16, 32, 48, 0.9, 1
    return constant_model(tmp_path / "m.onnx", {"output0": output}, metadata={"names": "{0: 'car', 1: 'bus'}"})


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "street.png"
    cv2.imwrite(str(path), np.full((128, 128, 3), 100, np.uint8))
    return path


def test_detections_come_as_json_lines_with_the_models_digest(tmp_path, detector, picture):
    done = inferfleet("detect", picture, picture, "--model", detector, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2
    assert (lines[0]["width"], lines[0]["height"], len(lines[0]["digest"])) == (128, 128, 64)
    (found,) = lines[0]["detections"]
    assert (found["label"], found["class_id"], found["confidence"]) == ("bus", 1, 0.9)
    np.testing.assert_allclose(found["box"], [32, 32, 64, 96], atol=0.01)


def test_annotated_copies_are_saved_and_the_table_names_what_was_found(tmp_path, detector, picture):
    other = tmp_path / "other" / "street.png"
    other.parent.mkdir()
    other.write_bytes(picture.read_bytes())
    done = inferfleet("detect", picture, other, "--model", detector, "--save", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "bus" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["street-2.jpg", "street.jpg"]
    drawn = cv2.imread(str(tmp_path / "out" / "street.jpg"))
    assert np.abs(drawn.astype(int) - 100).max() > 60


def test_a_bad_picture_is_reported_and_the_others_are_processed(tmp_path, detector, picture):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    done = inferfleet("detect", broken, tmp_path / "gone.png", picture, "--model", detector, "--json")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert "broken.jpg: is not a JPEG, PNG, WebP or BMP picture" in done.stderr
    assert "gone.png: cannot be read" in done.stderr


def test_a_confidence_leaves_out_what_is_below(detector, picture):
    done = inferfleet("detect", picture, "--model", detector, "--json", "--confidence", "0.95")
    assert json.loads(done.stdout)["detections"] == []


def test_a_classifier_tells_classes(tmp_path, picture):
    done = inferfleet("detect", picture, "--model", mean_model(tmp_path / "c.onnx"), "--json")
    assert [row["label"] for row in json.loads(done.stdout)["classes"]] != []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "none.onnx"], "model none.onnx: there is no such file"),
        (["--model", "ftp://host/m.onnx"], "--model: ftp:// cannot be read"),
        (["--model", "m.onnx", "--device", "gpu"], "--device: "),
        (["--model", "m.onnx", "--input-size", "big"], "--input-size: 'big' is neither"),
    ],
)
def test_wrong_options_are_explained_in_one_line(picture, arguments, message):
    done = inferfleet("detect", picture, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("inferfleet: ")
    assert message in done.stderr
    assert done.stdout == ""


def test_a_model_is_inspected(detector):
    done = inferfleet("models", "inspect", detector, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["family"], report["names"], report["input_size"]) == ("yolov10", ["car", "bus"], [64, 64])
    assert report["inputs"] == ["images float32 [?, 3, 64, 64]"]
    assert report["milliseconds_per_picture"] > 0
    table = inferfleet("models", "inspect", detector)
    assert "yolov10" in table.stdout
    assert report["digest"][:60] in table.stdout.replace("\n", "").replace(" ", "")
