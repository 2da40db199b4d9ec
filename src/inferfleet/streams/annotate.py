"""What is drawn on a camera's pictures: its tracks, zones and lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inferfleet.config.cameras import Camera
from inferfleet.config.geometry import to_pixels
from inferfleet.streams.analysis import TrackView
from inferfleet.vision.draw import Mark, Outline
from inferfleet.vision.types import Picture


def marks_of(tracks: Iterable[TrackView]) -> list[Mark]:
    """Returns a box for each track, labelled with class, confidence, and the text on it."""
    return [
        Mark(track.box, " ".join(filter(None, (track.label, f"{track.confidence:.2f}", track.text))), track.label)
        for track in tracks
    ]


def outlines_of(camera: Camera, picture: Picture, tracks: Sequence[TrackView]) -> list[Outline]:
    """Returns the camera's zones and lines in pixels; a zone is active while an object is in it."""
    occupied = {zone for track in tracks if track.confirmed for zone in track.zones}
    zones = [
        Outline(to_pixels(zone.polygon, picture.width, picture.height), name, active=name in occupied)
        for name, zone in camera.zones.items()
    ]
    lines = [
        Outline(to_pixels(line.points, picture.width, picture.height), name, closed=False)
        for name, line in camera.lines.items()
    ]
    return zones + lines
