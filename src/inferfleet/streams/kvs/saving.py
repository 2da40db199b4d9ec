"""Writes a stream's fragments to a file that players read: one Matroska segment with continuous time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from inferfleet.errors import InputError
from inferfleet.streams.kvs import writer
from inferfleet.streams.kvs.client import MediaClient
from inferfleet.streams.kvs.fragments import Fragment
from inferfleet.streams.kvs.selector import Start


@dataclass(slots=True)
class Saved:
    """What has been written.

    Attributes:
        fragments: How many.
        frames: Of all tracks.
        seconds: From the first frame to the last.
    """

    fragments: int = 0
    frames: int = 0
    seconds: float = 0.0


def save(
    client: MediaClient,
    start: Start,
    file: BinaryIO,
    *,
    duration: float | None = None,
    fragments: int | None = None,
    idle: float | None = None,
) -> Saved:
    """Writes fragments until one of the limits is reached, or the client is interrupted.

    Args:
        client: Reads the stream.
        start: Where to begin.
        file: Takes the bytes; flushed after each fragment.
        duration: Seconds of video.
        fragments: How many.
        idle: Seconds without a fragment, once a connection has been made.

    Raises:
        KvsError: Reading failed for good.
        InputError: The tracks change within the stream.
    """
    saved = Saved()
    first: Fragment | None = None
    with _IdleTimer(idle, client) as timer:
        for fragment in client.fragments(start):
            timer.restart()
            if not fragment.frames:
                continue
            if first is None:
                first = fragment
                file.write(writer.header(fragment.tracks))
            elif fragment.tracks != first.tracks:
                raise InputError(f"fragment {fragment.number} has other tracks than the first; save them to two files")
            _write(file, fragment, first, saved)
            if saved.fragments == fragments or (duration is not None and saved.seconds >= duration):
                break
    return saved


def _write(file: BinaryIO, fragment: Fragment, first: Fragment, saved: Saved) -> None:
    """Writes a fragment at its time after the first one, by the clock that the fragments are stamped with."""
    begin = (fragment.start or 0.0) - (first.start or 0.0)
    offset = round(begin * 1e9) - fragment.timecode
    frames = [msgspec.structs.replace(frame, timecode=max(0, frame.timecode + offset)) for frame in fragment.frames]
    file.write(writer.cluster(frames))
    file.flush()
    saved.fragments += 1
    saved.frames += len(frames)
    saved.seconds = max(saved.seconds, max(frame.timecode for frame in frames) / 1e9)


class _IdleTimer:
    """Interrupts a client when it has not been restarted for a while."""

    def __init__(self, seconds: float | None, client: MediaClient) -> None:
        self._seconds = seconds
        self._client = client
        self._timer: threading.Timer | None = None

    def restart(self) -> None:
        """Begins to wait anew."""
        self._cancel()
        if self._seconds is not None:
            self._timer = threading.Timer(self._seconds, self._run_out)
            self._timer.daemon = True
            self._timer.start()

    def _run_out(self) -> None:
        if self._client.progress.connections:
            self._client.interrupt()
        else:
            self.restart()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def __enter__(self) -> _IdleTimer:
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self._cancel()
