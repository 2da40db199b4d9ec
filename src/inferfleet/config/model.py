"""What a user says about a model: where its file is, and whatever the file does not say itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from inferfleet.config.base import Model

FamilyName = Literal[
    "yolov5", "yolov8", "yolov10", "yolox", "rt-detr", "rt-detr-ultralytics", "rf-detr", "detr", "classifier"
]
TaskName = Literal["detect", "classify"]
EngineName = Literal["auto", "openvino", "onnxruntime"]
PrecisionName = Literal["auto", "f32", "bf16", "f16"]
FitName = Literal["letterbox", "top-left", "stretch", "centre", "crop"]

_ALIASES: dict[str, FamilyName] = {
    "yolov3": "yolov5",
    "yolov7": "yolov5",
    "yolov9": "yolov8",
    "yolov11": "yolov8",
    "yolo11": "yolov8",
    "yolov12": "yolov8",
    "yolo12": "yolov8",
    "rtdetr": "rt-detr",
    "d-fine": "rt-detr",
    "dfine": "rt-detr",
    "deim": "rt-detr",
    "rfdetr": "rf-detr",
}
"""Other names of a family that share its output layout."""

Channels = Annotated[tuple[float, float, float], Field(description="one value for red, green and blue, 0 to 255")]


class PreprocessConfig(Model):
    """How a picture becomes the model's input, where that differs from what the model's family does."""

    fit: FitName | None = None
    """`letterbox` (centred, padded), `top-left` (padded right and below), `stretch`, `centre` (the largest part of the
    input's shape), or `crop` (7/8 of that, ImageNet's evaluation)."""

    colour: Literal["rgb", "bgr"] | None = None
    """The order of the channels that the model was trained with."""

    mean: Channels | None = None
    """Subtracted from each channel (red, green, blue; on the scale 0 to 255)."""

    std: Channels | None = None
    """Each channel is divided by this afterwards; 255 gives the range 0 to 1."""

    @field_validator("std")
    @classmethod
    def _divisible(cls, value: Channels | None) -> Channels | None:
        if value is not None and min(value) <= 0:
            raise ValueError("every value must be above 0; use 1 to leave a channel as it is")
        return value


class ModelConfig(Model):
    """A model file, and what the file does not say itself. A bare string stands for `path`."""

    path: str
    """A local file, `https://…`, `s3://bucket/key`, or `zoo:street-v1`, the small demonstration model that ships."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The file's SHA-256 in lower-case hex; loading fails when it differs. Worth giving for every download."""

    family: FamilyName | None = None
    """The layout of the model's outputs; recognised from the file when left out."""

    task: TaskName | None = None
    """`detect` or `classify`; follows from the family when left out. A mismatch is an error."""

    names: tuple[str, ...] | str | None = None
    """Class names by class number: a list, a text file with a name a line, `coco` (80 classes) or `coco-91` (COCO's own
    numbers, as RF-DETR uses them); from the file's metadata when left out."""

    input_size: tuple[int, int] | None = None
    """Width and height in pixels (one number for both), for a model whose input size is not fixed."""

    preprocess: PreprocessConfig = PreprocessConfig()
    """Where the model's input differs from its family's."""

    engine: EngineName = "auto"
    """`auto` takes OpenVINO on a CPU and ONNX Runtime on a GPU."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|(cuda|tensorrt)(:\d+)?)$")] = "auto"
    """`cpu`, `cuda`, `cuda:1`, `tensorrt`, `tensorrt:1`; `auto` is CUDA where ONNX Runtime has it, else the CPU."""

    precision: PrecisionName = "auto"
    """What the engine computes in; `auto` takes bf16 on a CPU with AMX or AVX512-BF16, else the model's own."""

    max_batch: Annotated[int, Field(ge=1, le=128)] | None = None
    """The most pictures in one inference; left out, 1 on a CPU and 16 on a GPU. A model may fix its own."""

    confidence: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Detections below this score are dropped, where nothing closer to their use says otherwise."""

    iou: Annotated[float, Field(gt=0, le=1)] | None = None
    """Of two boxes of a class that overlap more than this, the weaker goes; the family's own value when left out."""

    max_detections: Annotated[int, Field(ge=1, le=10_000)] = 300
    """The most detections kept of one picture, best first."""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"path": str(value)} if isinstance(value, str | Path) else value

    @field_validator("path")
    @classmethod
    def _known_place(cls, value: str) -> str:
        if not value:
            raise ValueError("is empty; give a file, https://…, s3://bucket/key or zoo:street-v1")
        scheme, separator, _ = value.partition("://")
        if separator and scheme not in ("https", "s3"):
            raise ValueError(f"{scheme}:// cannot be read; use https://, s3:// or a local file")
        return value

    @field_validator("family", mode="before")
    @classmethod
    def _alias(cls, value: Any) -> Any:
        return _ALIASES.get(value.lower(), value.lower()) if isinstance(value, str) else value

    @field_validator("input_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) else value

    @field_validator("input_size")
    @classmethod
    def _sensible_size(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not all(16 <= side <= 8192 for side in value):  # noqa: PLR2004
            raise ValueError(f"{value[0]}x{value[1]}: each side is from 16 to 8192 pixels")
        return value

    @model_validator(mode="after")
    def _engine_has_device(self) -> Self:
        if self.engine == "openvino" and self.device.startswith(("cuda", "tensorrt")):
            raise ValueError(f"OpenVINO has no device {self.device}; use engine: onnxruntime (or leave engine out)")
        return self

    def anchored(self, base: Path) -> Self:
        """Returns the same settings with local files (the model, its names) looked for below `base`."""
        changes: dict[str, str] = {}
        if "://" not in self.path and not self.path.startswith("zoo:"):
            changes["path"] = str(base / self.path)
        if isinstance(self.names, str) and (base / self.names).is_file():
            changes["names"] = str(base / self.names)
        return self.model_copy(update=changes)
