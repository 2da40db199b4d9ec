"""Pictures of events: drawn, encoded, and named in the event before it enters the spool.

The reference that an event carries is known before the picture is anywhere, so event and picture can be stored in
one step and delivered by different sinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inferfleet.config.sink_aws import S3Sink
from inferfleet.config.sink_settings import PictureSettings, SnapshotsSink
from inferfleet.config.sinks import Sink, sink_names
from inferfleet.streams.delivery.item import Attachment, Item
from inferfleet.streams.delivery.paths import picture_path
from inferfleet.streams.event import Event
from inferfleet.vision.types import U8, Picture

if TYPE_CHECKING:
    from inferfleet.streams.analysis.outcome import TrackView
    from inferfleet.vision.draw import Outline

_MEDIA = {"jpeg": "image/jpeg", "png": "image/png"}
_ENDINGS = {"jpeg": "jpg", "png": "png"}


@dataclass(frozen=True, slots=True)
class Target:
    """A sink that wants pictures.

    Attributes:
        sink: Its name.
        settings: Which pictures it wants, and how.
        prefix: What makes a path a reference: the folder, or `s3://bucket`.
    """

    sink: str
    settings: PictureSettings
    prefix: str


class Snapshots:
    """Turns events and their frames into items. Thread-safe."""

    def __init__(self, *targets: Target) -> None:
        """Prepares pictures for sinks; an event's references are those of the first."""
        self._targets = targets

    @classmethod
    def of(cls, sinks: Iterable[Sink]) -> Snapshots | None:
        """Returns what makes the pictures that the sinks want; None when none wants any."""
        configs = tuple(sinks)
        targets = [
            Target(name, config.settings, _prefix(config.settings))
            for name, config in zip(sink_names(configs), configs, strict=True)
            if isinstance(config.settings, PictureSettings)
        ]
        return cls(*targets) if targets else None

    def attach(
        self, event: Event, picture: Picture, tracks: Sequence[TrackView], outlines: Sequence[Outline] = ()
    ) -> Item:
        """Returns the event with its pictures, and with their references in its data.

        Args:
            event: The event.
            picture: The frame's picture.
            tracks: The objects in the frame; those that are believed are drawn.
            outlines: Zones and lines to draw.
        """
        bgr = picture.bgr()
        full = None
        crop = _crop(bgr, event)
        references: dict[str, str] = {}
        attachments: list[Attachment] = []
        for target in self._targets:
            if target.settings.full:
                full = _annotated(bgr, event, tracks, outlines) if full is None else full
                attachments.append(_encoded(target, event, "full", full))
                references.setdefault("snapshot", f"{target.prefix}/{attachments[-1].path}")
            if target.settings.crops and crop is not None:
                attachments.append(_encoded(target, event, "crop", crop))
                references.setdefault("crop", f"{target.prefix}/{attachments[-1].path}")
        data = msgspec.structs.replace(event.data, **references)
        return Item(msgspec.structs.replace(event, data=data), tuple(attachments))


def _prefix(settings: PictureSettings) -> str:
    if isinstance(settings, SnapshotsSink):
        return Path(settings.folder).as_posix().rstrip("/")
    if isinstance(settings, S3Sink):
        return f"s3://{settings.bucket}"
    raise TypeError(f"no reference is known for {type(settings).__name__}")


def _annotated(bgr: U8, event: Event, tracks: Sequence[TrackView], outlines: Sequence[Outline]) -> U8:
    """Draws what is believed; the event's own object in any case."""
    from inferfleet.vision.draw import Mark, annotate

    marks = [
        Mark(track.box, " ".join(filter(None, (track.label, f"{track.confidence:.2f}", track.text))), track.label)
        for track in tracks
        if track.confirmed or track.id == event.data.track
    ]
    return annotate(bgr, marks, outlines)


def _crop(bgr: U8, event: Event) -> U8 | None:
    """Returns the event's object alone; None when it has no box, or an empty one."""
    if event.data.box is None:
        return None
    height, width = bgr.shape[:2]
    x1, y1 = max(0, int(event.data.box[0])), max(0, int(event.data.box[1]))
    x2, y2 = min(width, round(event.data.box[2])), min(height, round(event.data.box[3]))
    return bgr[y1:y2, x1:x2] if x2 > x1 and y2 > y1 else None


def _encoded(target: Target, event: Event, kind: str, bgr: U8) -> Attachment:
    form = target.settings.format
    path = picture_path(target.settings.template, event, kind, _ENDINGS[form])
    return Attachment(path, _MEDIA[form], encode_picture(bgr, form, target.settings.quality), target.sink)


def encode_picture(bgr: U8, form: str, quality: int) -> bytes:
    """Encodes a picture (BGR, uint8 [height, width, 3]) as `jpeg` (quality 1 to 100) or `png`."""
    contiguous = np.ascontiguousarray(bgr)
    if form == "jpeg":
        import simplejpeg

        return bytes(simplejpeg.encode_jpeg(contiguous, quality=quality, colorspace="BGR", colorsubsampling="420"))
    import cv2

    _, encoded = cv2.imencode(".png", contiguous, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    return encoded.tobytes()
