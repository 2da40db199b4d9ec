"""The demo's clips on disk: real codecs, with the truth of every frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from inferfleet.demo.camera import Camera
from inferfleet.demo.clips import CLIPS, Clip, read_truth, write_clip
from inferfleet.demo.figure import CLASSES
from inferfleet.demo.scene import render

FRAMES = 12


def short(clip: Clip) -> Clip:
    """The same clip, smaller and a second long."""
    camera = Camera(640, 360, clip.camera.mount, clip.camera.tilt, clip.camera.focal)
    return replace(clip, camera=camera, seconds=FRAMES / clip.fps)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_a_clip_holds_the_frames_that_were_drawn(clip: Clip, tmp_path: Path) -> None:
    clip = short(clip)
    steps: list[None] = []
    written = write_clip(clip, tmp_path / "clips", progress=lambda: steps.append(None))
    with av.open(str(written.video)) as container:
        stream = container.streams.video[0]
        codec, rate = stream.codec_context.name, stream.average_rate
        frames = [(frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(stream)]
    assert codec == ("hevc" if clip.codec == "libx265" else "h264")
    assert rate == clip.fps
    assert [time for time, _ in frames] == pytest.approx([number / clip.fps for number in range(FRAMES)], abs=1e-3)
    assert len(steps) == FRAMES
    drawn, _ = render(clip.scene(), 5 / clip.fps)
    assert np.abs(frames[5][1].astype(int) - drawn).mean() < 10


def test_one_clip_holds_frames_out_of_order(tmp_path: Path) -> None:
    clip = next(clip for clip in CLIPS if clip.options.get("bf", "0") != "0")
    written = write_clip(short(clip), tmp_path)
    with av.open(str(written.video)) as container:
        shown = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert shown != sorted(shown)


def test_the_truth_of_every_frame_is_stored_beside_the_clip(tmp_path: Path) -> None:
    clip = short(CLIPS[0])
    truth = read_truth(write_clip(clip, tmp_path).truth)
    _, drawn = render(clip.scene(), 7 / clip.fps)
    assert len(truth) == FRAMES
    assert [(item.track, item.label, item.plate) for item in truth[7]] == [
        (item.track, item.label, item.plate) for item in drawn
    ]
    for stored, real in zip(truth[7], drawn, strict=True):
        assert stored.box == pytest.approx(real.box, abs=0.01)
        assert stored.visible == pytest.approx(real.visible, abs=0.001)


def test_the_clips_differ_and_show_every_class() -> None:
    assert len({clip.name for clip in CLIPS}) == len(CLIPS) == 4
    assert len({(clip.light, clip.weather, clip.layout) for clip in CLIPS}) == 4
    assert {"libx264", "libx265"} == {clip.codec for clip in CLIPS}
    assert {actor.look.kind for clip in CLIPS for actor in clip.scene().actors} == set(CLASSES)
    assert all(150 <= clip.frames <= 250 for clip in CLIPS)
