"""`cameras.yaml`: which cameras, which models look at them, what counts as an event, and where events go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator, model_validator

from inferfleet.config.base import Misfit, Model
from inferfleet.config.geometry import MinBox, Polygon, Segment
from inferfleet.config.model import ModelConfig
from inferfleet.config.sinks import Sink, Sinks
from inferfleet.config.sources import FileSource, ImagesSource, Source
from inferfleet.config.workers import Workers

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Classes = dict[str, Fraction | None]


def _classes(value: Any) -> Any:
    """Accepts a list of names for a mapping of names to their least confidence."""
    if isinstance(value, str):
        return {value: None}
    return dict.fromkeys(value) if isinstance(value, list) else value


class Detect(Model):
    """Find objects with a model."""

    model: str | None = None
    """Name of an entry of `models`; the first one when left out."""
    confidence: Fraction = 0.4
    """Least confidence of a detection."""
    classes: Classes | None = None
    """Which classes count, as a list, or each with its own least confidence; all when left out."""
    min_box: MinBox = MinBox()
    """Smaller boxes are ignored, as `[width, height]` in pixels or fractions."""
    whole: bool = False
    """Objects that touch the picture's edge begin no track: the front of a bus that drives in looks like a car."""

    @field_validator("classes", mode="before")
    @classmethod
    def _list_of_classes(cls, value: Any) -> Any:
        return _classes(value)


class ReadText(Model):
    """Read text (a number plate, a container number) on the objects that were found."""

    classes: tuple[str, ...] | None = None
    """On objects of these classes; on all when left out."""
    zones: tuple[str, ...] | None = None
    """Only while the object is in one of these zones."""
    expand: NonNegativeFloat = 0.05
    """How far the crop reaches beyond the box, as a fraction of its size."""
    min_height: PositiveInt = 48
    """Objects lower than this many pixels are not read."""
    confidence: Fraction = 0.6
    """Least confidence of a reading."""
    pattern: str | None = None
    """Regular expression that the whole text must match, spaces and case aside; others are dropped."""
    votes: PositiveInt = 3
    """How many readings must agree before an object has its text."""
    every: PositiveInt = 2
    """Read an object's text in every n-th of its frames, until the votes are in."""


class Step(Model):
    """One step, written as `- detect: {…}` or `- read_text: {…}`."""

    detect: Detect | None = None
    """Find objects."""
    read_text: ReadText | None = None
    """Read text on them."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Step:
        if (self.detect is None) == (self.read_text is None):
            raise ValueError("a step is exactly one of detect, read_text")
        return self


class Zone(Model):
    """A region of the picture in which presence is an event."""

    polygon: Polygon
    """At least three points, in pixels, or in fractions when all coordinates are between 0 and 1."""
    match: Literal["center", "any", "all", "overlap", "foot"] = "foot"
    """What of a box must be inside: centre, any of it, all of it, a share of it, or the middle of its lower edge."""
    min_overlap: Fraction = 0.5
    """For `match: overlap`: the least share of the box's area that is inside."""
    classes: tuple[str, ...] | None = None
    """Only objects of these classes; all when left out."""
    events: tuple[Literal["enter", "leave", "dwell", "count"], ...] = ("enter", "leave")
    """Which events the zone makes."""
    dwell: PositiveFloat = 10.0
    """For `dwell` events: seconds of capture time that an object must stay."""
    count_every: NonNegativeFloat = 1.0
    """For `count` events (the number of objects inside changed): least seconds between two."""


class Line(Model):
    """A line whose crossing is an event. Seen from the first point to the second, it has a left and a right side."""

    points: Segment
    """Two points, in pixels, or in fractions when all coordinates are between 0 and 1."""
    direction: Literal["both", "to_left", "to_right"] = "both"
    """Which crossings count."""
    anchor: Literal["center", "foot"] = "foot"
    """Which point of the box must cross."""
    classes: tuple[str, ...] | None = None
    """Only objects of these classes; all when left out."""


class Confirm(Model):
    """When a detection is believed."""

    frames: PositiveInt = 3
    """So many frames …"""
    within: PositiveInt = 5
    """… of the last so many must show the same object."""

    @model_validator(mode="after")
    def _possible(self) -> Confirm:
        if self.frames > self.within:
            raise ValueError(f"{self.frames} frames within {self.within} can never be; lower frames or raise within")
        return self


class Tracking(Model):
    """How detections of one object are joined over frames."""

    iou: Fraction = 0.2
    """Least overlap (intersection over union) of a box with where its track is expected."""
    low_confidence: Fraction = 0.15
    """Detections down to this confidence still carry on a track, though they begin none."""
    max_gap: PositiveFloat = 2.0
    """Seconds of capture time after which an unseen track ends."""


class CameraDefaults(Model):
    """What a camera has unless it says otherwise."""

    mode: Literal["live", "complete"] | None = None
    """`live`: only the newest frame counts, latency first. `complete`: every frame is processed, the source waits.
    Files and pictures are `complete` and everything else is `live` when left out."""
    fps_target: PositiveFloat | None = None
    """Frames a second of capture time to look at; all when left out. What can be skipped is not even decoded."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)] = (Step(detect=Detect()),)
    """What is done with each frame, in order."""
    zones: dict[Name, Zone] = {}
    """Regions."""
    lines: dict[Name, Line] = {}
    """Lines."""
    tracking: Tracking = Tracking()
    """Joining detections over frames."""
    confirm: Confirm = Confirm()
    """When a detection becomes an event."""
    cooldown: NonNegativeFloat = 0.0
    """Seconds of capture time before the same kind of event about the same track and zone may come again."""
    detection_events: bool = True
    """One event for each confirmed object, besides those of zones and lines."""
    queue: PositiveInt = 8
    """For `complete` cameras: decoded frames that may wait."""


class Camera(CameraDefaults):
    """One camera."""

    id: Name
    """Its name in events, metrics and paths."""
    source: Source
    """Where its frames come from."""
    enabled: bool = True
    """Whether it runs."""

    @property
    def is_complete(self) -> bool:
        """Whether every frame is processed."""
        if self.mode is not None:
            return self.mode == "complete"
        return isinstance(self.source, FileSource | ImagesSource)

    @property
    def detect_steps(self) -> tuple[Detect, ...]:
        """The detect steps, in order."""
        return tuple(step.detect for step in self.steps if step.detect is not None)

    @property
    def read_text_steps(self) -> tuple[ReadText, ...]:
        """The read_text steps, in order."""
        return tuple(step.read_text for step in self.steps if step.read_text is not None)

    @model_validator(mode="after")
    def _zones_exist(self) -> Camera:
        for index, step in enumerate(self.steps):
            for zone in (step.read_text.zones if step.read_text else None) or ():
                if zone not in self.zones:
                    known = ", ".join(self.zones) or "none"
                    message = f"there is no zone {zone!r}; this camera's zones: {known}"
                    raise Misfit(message, "steps", index, "read_text", "zones")
        if not self.detect_steps:
            raise Misfit("the steps hold no `detect`, so nothing would ever be found", "steps")
        return self


class SpoolConfig(Model):
    """The durable queue between the cameras and the sinks."""

    path: Path = Path("spool")
    """Its folder; it must survive a restart of the worker."""
    max_bytes: PositiveInt = 2 * 1024**3
    """Its bound in bytes. When it is reached, `complete` cameras wait and `live` ones drop frames; no event is lost."""


class CamerasFile(Model):
    """All of `cameras.yaml`."""

    models: Annotated[dict[Name, ModelConfig], Field(min_length=1)] = {"street": ModelConfig(path="zoo:street-v1")}
    """The models, by name. The one that ships (`zoo:street-v1`) is for the demo and for tests."""
    defaults: CameraDefaults = CameraDefaults()
    """What every camera has unless it says otherwise."""
    cameras: tuple[Camera, ...] = ()
    """The cameras."""
    sinks: Sinks = (Sink.model_validate("stdout"),)
    """Where events go; each sink gets all of them."""
    spool: SpoolConfig = SpoolConfig()
    """Where events wait until the sinks have them."""
    workers: Workers = Workers()
    """How several workers share the cameras."""

    @model_validator(mode="before")
    @classmethod
    def _apply_defaults(cls, value: Any) -> Any:
        """Lays each camera over the defaults. Zones and lines add up; everything else is replaced whole."""
        if not isinstance(value, dict) or not isinstance(value.get("defaults"), dict):
            return value
        cameras = value.get("cameras")
        if not isinstance(cameras, list):
            return value
        return {**value, "cameras": [_over(value["defaults"], camera) for camera in cameras]}

    @model_validator(mode="after")
    def _names_fit(self) -> CamerasFile:
        seen: set[str] = set()
        for index, camera in enumerate(self.cameras):
            if camera.id in seen:
                raise Misfit(f"two cameras have the id {camera.id!r}; ids must differ", "cameras", index, "id")
            seen.add(camera.id)
            for number, step in enumerate(camera.steps):
                if step.detect is not None and step.detect.model not in (None, *self.models):
                    message = f"there is no model {step.detect.model!r}; `models` has: {', '.join(self.models)}"
                    raise Misfit(message, "cameras", index, "steps", number, "detect", "model")
        return self

    def model_of(self, step: Detect) -> str:
        """The name of the model that a detect step uses."""
        return step.model or next(iter(self.models))


def _over(defaults: dict[str, Any], camera: Any) -> Any:
    if not isinstance(camera, dict):
        return camera
    merged = {**defaults, **camera}
    for key in ("zones", "lines"):
        if isinstance(defaults.get(key), dict) and isinstance(camera.get(key), dict):
            merged[key] = {**defaults[key], **camera[key]}
    return merged
