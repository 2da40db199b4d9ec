"""When a decoder that gives nothing is believed to be stuck, and when it only has nothing wanted."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from inferfleet.streams.sources.decoding import Decoder
from tests.media.clips import TIME_BASE, Clip, packets, write


def decoder(path: Path, fps: float | None) -> Decoder:
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
    return Decoder(context, TIME_BASE, frame_ticks=3600, fps_target=fps, threads=1, is_live=True)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("fps", [None, 5.0, 0.5, 0.05])
def test_a_good_stream_is_never_overdue_however_few_frames_are_wanted(
    tmp_path: Path, codec: str, fps: float | None
) -> None:
    clip = Clip(codec, frames=300, gop=25)
    under_test = decoder(write(tmp_path / "a.ts", Clip(codec, frames=2)), fps)
    came = 0
    for packet in packets(clip):
        came += len(list(under_test.push(packet)))
        # No time is allowed at all, so that only what was fed counts.
        assert not under_test.is_overdue(0.0)
    came += len(list(under_test.finish()))
    assert came == (300 if fps is None else max(1, round(12 * fps)))


@pytest.mark.parametrize("fps", [None, 5.0])
def test_a_stream_that_changed_its_codec_is_overdue(tmp_path: Path, fps: float | None) -> None:
    under_test = decoder(write(tmp_path / "a.ts", Clip(frames=2)), fps)
    came = [one for packet in packets(Clip("libx265", frames=100)) for one in under_test.push(packet)]
    assert came == []
    assert under_test.is_overdue(0.0)
