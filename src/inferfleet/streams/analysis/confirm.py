"""When a track is believed, when an event may come again, and who is back: the decisions that keep events few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inferfleet.config.cameras import Confirm
from inferfleet.streams.analysis.boxes import overlaps
from inferfleet.streams.analysis.track import Track

MOST_REMEMBERED = 500
"""So many ended tracks are remembered at most while their cooldown runs, so that memory is bounded."""


def note_sighting(track: Track, number: int, confirm: Confirm) -> bool:
    """Notes that frame `number` showed the track with full confidence; returns whether that confirmed it."""
    if track.confirmed:
        return False
    track.recent = [*track.recent, number][-confirm.frames :]
    track.confirmed = len(track.recent) == confirm.frames and track.recent[0] > number - confirm.within
    return track.confirmed


def is_hopeless(track: Track, number: int, confirm: Confirm) -> bool:
    """Whether a tentative track was not seen in any of the `within` frames before frame `number`."""
    return not track.confirmed and track.recent[-1] < number - confirm.within


def may_fire(track: Track, rule: str, clock: int, cooldown: int) -> bool:
    """Notes an event about a track, unless one by the same rule came less than `cooldown` microseconds ago."""
    if not cooldown:
        return True
    last = track.fired.get(rule)
    if last is not None and clock - last < cooldown:
        return False
    track.fired[rule] = clock
    return True


def returning(label: str, box: tuple[float, ...], remembered: Sequence[Track], least: float) -> Track | None:
    """Finds the ended track that an object of class `label`, newly seen at `box`, takes up again.

    Args:
        label: Class of the object.
        box: x1, y1, x2, y2 in pixels.
        remembered: Tracks that ended within the cooldown.
        least: The least intersection over union with the place where the track was last seen.
    """
    alike = [track for track in remembered if track.label == label]
    if not alike:
        return None
    near = overlaps(np.array([box]), np.array([track.box for track in alike]))[0]
    best = int(near.argmax())
    return alike[best] if near[best] >= least and near[best] > 0 else None
