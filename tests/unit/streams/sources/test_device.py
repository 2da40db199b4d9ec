"""Devices, with FFmpeg's own test picture for a camera, and with a pipe for a driver that hangs."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from inferfleet.config.sources import DeviceSource
from inferfleet.streams.sources.base import SourceError, StalledError
from inferfleet.streams.sources.device import DeviceReader
from tests.media.clips import Clip, transport_stream


def reader(path: Path | str, camera: str = "gate", **config: Any) -> DeviceReader:
    return DeviceReader(camera, DeviceSource(path=Path(path), **config))


def reads_of(camera: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == f"packets-{camera}"]


def test_a_device_gives_frames_until_it_is_interrupted() -> None:
    source = reader("testsrc=size=64x48:rate=25", format="lavfi")
    frames = []
    for frame in source.frames(None):
        frames.append(frame)
        if len(frames) == 10:
            source.interrupt()
    assert [frame.position.frame for frame in frames] == list(range(10))
    assert (frames[0].picture.width, frames[0].picture.height) == (64, 48)
    assert source.is_live


def test_a_missing_device_is_told_with_its_name() -> None:
    with pytest.raises(SourceError, match="the device /dev/video99"):
        list(reader("/dev/video99").frames(None))


def test_a_driver_that_hangs_is_left_behind_and_only_so_often(tmp_path: Path) -> None:
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    # Nobody writes, so opening the pipe blocks in the system, where no timeout of FFmpeg reaches it.
    for _ in range(3):
        with pytest.raises(StalledError, match="could not be opened"):
            list(reader(pipe, "hangs", format="mpegts", timeout=0.1).frames(None))
    assert len(reads_of("hangs")) == 3
    with pytest.raises(SourceError, match="3 earlier reads still hang"):
        list(reader(pipe, "hangs", format="mpegts", timeout=0.1).frames(None))
    threads = reads_of("hangs")
    with suppress(BrokenPipeError), pipe.open("wb") as writer:
        writer.write(transport_stream(Clip(frames=5)))
    for thread in threads:
        thread.join(20)
    assert reads_of("hangs") == []


def test_a_hanging_driver_does_not_delay_an_interrupt(tmp_path: Path) -> None:
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    source = reader(pipe, "slow", format="mpegts", timeout=300)
    thread = threading.Thread(target=lambda: list(islice(source.frames(None), 1)))
    thread.start()
    source.interrupt()
    thread.join(20)
    assert not thread.is_alive()
    for left in reads_of("slow"):
        pipe.open("wb").close()
        left.join(20)
