"""Reading the text on tracked objects: which crops are worth it, what counts as a reading, and the vote."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from inferfleet.config.cameras import ReadText
from inferfleet.errors import InputError
from inferfleet.streams.analysis.ballot import Ballot, Candidate
from inferfleet.streams.analysis.outcome import Reader
from inferfleet.streams.analysis.track import Track
from inferfleet.vision.types import U8, Picture, Text

PATIENCE = 16
"""After so many readings without a decision the interval between them doubles, and again after as many more: a parked
car whose plate cannot be read must not take the time of those that pass."""

_MOST_DOUBLINGS = 6


class TextStep:
    """One read_text step of a camera."""

    def __init__(self, place: str, number: int, step: ReadText, reader: Reader) -> None:
        """Makes the step.

        Args:
            place: Whose step it is, for messages.
            number: Its place among the camera's read_text steps.
            step: What to read.
            reader: Reads a crop.

        Raises:
            InputError: The pattern is no regular expression.
        """
        self._step = step
        self._number = number
        self._reader = reader
        try:
            self._pattern = None if step.pattern is None else re.compile(step.pattern, re.IGNORECASE)
        except re.error as error:
            raise InputError(f"{place}: read_text: the pattern {step.pattern!r} is not valid: {error}") from error

    def look(self, track: Track, zones: Collection[str], picture: Picture) -> Candidate | None:
        """Reads the text on a track that the picture shows, if it is time to.

        Args:
            track: A confirmed track; its ballot is kept.
            zones: The zones that it is in.
            picture: The whole picture.

        Returns:
            The agreed text, once: in the frame whose vote decided it.
        """
        if not self._concerns(track, zones):
            return None
        ballot = track.ballots.setdefault(self._number, Ballot())
        if ballot.decided:
            return None
        due = ballot.chances % self._interval(ballot) == 0
        ballot.chances += 1
        crop = crop_of(picture, track.box, self._step.expand) if due else None
        if crop is None:
            return None
        ballot.attempts += 1
        reading = best_reading(self._reader(crop), self._step.confidence, self._pattern)
        return None if reading is None else ballot.vote(*reading, self._step.votes)

    def _concerns(self, track: Track, zones: Collection[str]) -> bool:
        step = self._step
        return (
            (step.classes is None or track.label in step.classes)
            and (step.zones is None or any(zone in zones for zone in step.zones))
            and track.box[3] - track.box[1] >= step.min_height
        )

    def _interval(self, ballot: Ballot) -> int:
        return self._step.every << min(ballot.attempts // PATIENCE, _MOST_DOUBLINGS)


def crop_of(picture: Picture, box: tuple[float, float, float, float], expand: float) -> U8 | None:
    """Returns the part of a picture that shows a box and a margin, as BGR; None if nothing of it is in the picture.

    Args:
        picture: The whole picture.
        box: x1, y1, x2, y2 in pixels.
        expand: The margin on each side, as a fraction of the box's width and height.
    """
    left, top, right, bottom = box
    across, down = expand * (right - left), expand * (bottom - top)
    x1, y1 = max(0, int(left - across)), max(0, int(top - down))
    x2, y2 = min(picture.width, -int(-(right + across) // 1)), min(picture.height, -int(-(bottom + down) // 1))
    return picture.bgr()[y1:y2, x1:x2] if x1 < x2 and y1 < y2 else None


def best_reading(texts: Sequence[Text], least: float, pattern: re.Pattern[str] | None) -> tuple[str, float] | None:
    """Returns the one text that a crop votes for, normalised, and its confidence.

    Of the lines that are confident enough and match the pattern, the most confident counts. If no line matches the
    pattern alone, all of them together, from the top down, may (a plate in two rows).

    Args:
        texts: The lines that were read.
        least: The least confidence of a line.
        pattern: What the whole text must match.
    """
    sure = [text for text in texts if text.confidence >= least]
    readings = [(value, text.confidence) for text in sure if (value := normalise(text.value, pattern))]
    if not readings and pattern is not None and len(sure) > 1:
        rows = sorted(sure, key=lambda text: (float(text.box[:, 1].mean()), float(text.box[:, 0].mean())))
        whole = normalise(" ".join(text.value for text in rows), pattern)
        readings = [(whole, min(text.confidence for text in rows))] if whole else []
    return max(readings, key=lambda reading: reading[1], default=None)


def normalise(text: str, pattern: re.Pattern[str] | None) -> str | None:
    """Returns the text in capitals, or None if it is empty or does not match.

    Without a pattern, words are parted by single spaces. With one, spaces are left out if the text matches so (as a
    plate should, however its groups are spaced), else single spaces are kept if it matches so.
    """
    words = text.upper().split()
    loose, tight = " ".join(words), "".join(words)
    if pattern is None:
        return loose or None
    return next((form for form in (tight, loose) if form and pattern.fullmatch(form)), None)
