"""Files: every frame once, and after a restart exactly the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from inferfleet.config.sources import FileSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame
from inferfleet.streams.sources.file import FileReader
from tests.media.clips import Clip, mux, number_in, transport_stream, write

UNEVEN = [n * 0.04 + (0.013 if n % 3 else 0.0) + (2.0 if n > 30 else 0.0) for n in range(60)]
FILES: dict[str, tuple[str, list[Clip]]] = {
    "h264-mp4": ("a.mp4", [Clip()]),
    "h264-mkv": ("a.mkv", [Clip()]),
    "h264-ts": ("a.ts", [Clip()]),
    "h264-without-b": ("a.mp4", [Clip(b_frames=0)]),
    "h264-open-gop": ("a.mp4", [Clip(options={"x264-params": "open-gop=1:keyint=12:scenecut=0:bframes=3"})]),
    "h264-intra-refresh": ("a.mp4", [Clip(options={"x264-params": "intra-refresh=1:keyint=12:bframes=0"})]),
    "h264-elementary-without-pts": ("a.h264", [Clip()]),
    "h264-avi": ("a.avi", [Clip(b_frames=0)]),
    "h265-mp4": ("a.mp4", [Clip("libx265")]),
    "h265-closed-gop": ("a.mkv", [Clip("libx265", options={"x265-params": "open-gop=0:keyint=12:log-level=none"})]),
    "h265-ts": ("a.ts", [Clip("libx265")]),
    "mjpeg-avi": ("a.avi", [Clip("mjpeg", b_frames=0)]),
    "mpeg4-mkv": ("a.mkv", [Clip("mpeg4", b_frames=0)]),
    "mpeg2-ts": ("a.ts", [Clip("mpeg2video")]),
    "vp9-webm": ("a.webm", [Clip("libvpx-vp9", b_frames=0, options={"deadline": "realtime", "cpu-used": "8"})]),
    "uneven-rate": ("a.mp4", [Clip(times=UNEVEN)]),
    "size-changes": ("a.ts", [Clip(frames=24), Clip(frames=36, first=24, size=(288, 160))]),
}


def reader(path: Path, fps: float | None = None, **config: Any) -> FileReader:
    return FileReader("gate", FileSource(path=path.name, **config), path.parent, fps_target=fps)


def read(path: Path, resume: str | None = None, fps: float | None = None, **config: Any) -> list[Frame]:
    return list(reader(path, fps, **config).frames(resume))


def seen(frames: list[Frame]) -> list[tuple[int, int, str, datetime]]:
    return [(number_in(f.picture), f.position.frame, f.position.token, f.time) for f in frames]


@pytest.fixture(scope="module", params=FILES)
def any_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name, clips = FILES[request.param]
    path = tmp_path_factory.mktemp(request.param) / name
    mux(path, *clips)
    return path


def test_every_frame_comes_once_in_order_with_its_number(any_file: Path) -> None:
    source = reader(any_file)
    frames = list(source.frames(None))
    assert [number_in(frame.picture) for frame in frames] == list(range(60))
    assert [frame.position.frame for frame in frames] == list(range(60))
    assert len({frame.position.token for frame in frames}) == 60
    assert source.skipped == 0
    assert not source.is_live


def test_a_token_leads_to_exactly_the_next_frame(any_file: Path) -> None:
    whole = seen(read(any_file))
    for index in (0, 1, 2, 11, 12, 13, 23, 24, 30, 31, 47, 58, 59):
        assert seen(read(any_file, resume=whole[index][2])) == whole[index + 1 :]


@pytest.mark.parametrize("fps", [12.5, 7.0, 2.0, 1.3, 0.4])
def test_the_target_rate_takes_the_first_frame_of_each_tick(any_file: Path, fps: float) -> None:
    whole = read(any_file)
    times = [frame.position.pts if frame.position.pts is not None else frame.position.frame / 25 for frame in whole]
    ticks = [int(round(time * 90_000) * fps / 90_000 + 1e-9) for time in times]
    wanted = [frame for n, frame in enumerate(whole) if n == 0 or ticks[n] != ticks[n - 1]]
    source = reader(any_file, fps)
    found = seen(list(source.frames(None)))
    assert found == seen(wanted)
    assert source.skipped == 60 - len(wanted)
    for index in range(0, len(found), 1 + len(found) // 4):
        assert seen(read(any_file, resume=found[index][2], fps=fps)) == found[index + 1 :]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mjpeg"])
@pytest.mark.parametrize("fps", [None, 7.0, 1.3])
def test_threads_of_the_decoder_change_nothing(tmp_path: Path, codec: str, fps: float | None) -> None:
    path = write(tmp_path / "a.mkv", Clip(codec, b_frames=0 if codec == "mjpeg" else 2))
    config = FileSource(path=path)
    alone = FileReader("gate", config, Path(), fps_target=fps, threads=1)
    together = FileReader("gate", config, Path(), fps_target=fps, threads=0)
    assert seen(list(together.frames(None))) == seen(list(alone.frames(None)))


def test_an_edit_list_neither_adds_nor_loses_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Clip(b_frames=2))
    shifted = tmp_path / "b.mp4"
    with av.open(str(path)) as source, av.open(str(shifted), "w") as target:
        out = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            packet.stream = out
            # Everything before 0.4 s is cut by the edit list, in the middle of a group of pictures.
            packet.pts -= round(0.4 / packet.time_base)
            packet.dts -= round(0.4 / packet.time_base)
            target.mux(packet)
    whole = seen(read(shifted))
    assert [number for number, *_ in whole][-50:] == list(range(10, 60))
    for index in (0, 1, 7, 20, len(whole) - 2):
        assert seen(read(shifted, resume=whole[index][2])) == whole[index + 1 :]


def test_joined_recordings_whose_time_begins_anew_are_read_through_and_resumed(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(transport_stream(Clip(frames=30)) + transport_stream(Clip(frames=30, first=30)))
    whole = seen(read(path))
    assert [number for number, *_ in whole] == list(range(60))
    assert len({token for _, _, token, _ in whole}) == 60
    for index in (5, 29, 30, 45, 59):
        assert seen(read(path, resume=whole[index][2])) == whole[index + 1 :]


def test_joined_recordings_do_not_blind_a_low_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(transport_stream(Clip(frames=100)) + transport_stream(Clip(frames=100, first=100)))
    numbers = [number_in(frame.picture) for frame in read(path, fps=1)]
    assert sum(number >= 100 for number in numbers) >= 4


def test_a_loop_goes_on_in_time_and_number_and_resumes_in_any_round(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Clip(frames=20))
    source = reader(path, loop=True)
    frames = []
    for frame in source.frames(None):
        frames.append(frame)
        if len(frames) == 65:
            break
    assert [number_in(frame.picture) for frame in frames] == [n % 20 for n in range(65)]
    assert [frame.position.frame for frame in frames] == list(range(65))
    assert {b.time - a.time for a, b in pairwise(frames)} == {timedelta(seconds=0.04)}
    again = reader(path, loop=True).frames(frames[42].position.token)
    assert seen([next(again) for _ in range(22)]) == seen(frames[43:])


def test_capture_time_is_the_configured_start_then_the_files_then_1970(tmp_path: Path) -> None:
    made = write(tmp_path / "a.mp4", Clip(frames=3), creation_time="2024-05-06T07:08:09Z")
    plain = write(tmp_path / "b.ts", Clip(frames=3))
    start = datetime(2020, 1, 1, tzinfo=UTC)
    assert read(made, start_time=start)[0].time == start
    assert read(made)[1].time == datetime(2024, 5, 6, 7, 8, 9, 40_000, tzinfo=UTC)
    assert read(plain)[2].time == datetime(1970, 1, 1, 0, 0, 0, 80_000, tzinfo=UTC)


def damage(source: Path, target: Path, packets: range) -> None:
    """Copies a file and destroys the insides of some packets."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for index, packet in enumerate(container.demux(video=0)):
            if packet.dts is None:
                continue
            data = bytearray(bytes(packet))
            if index in packets:
                data[len(data) // 4 :: 3] = bytes(b ^ 0x5A for b in data[len(data) // 4 :: 3])
            copy = av.Packet(bytes(data))
            copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, stream
            copy.is_keyframe = packet.is_keyframe
            out.mux(copy)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mjpeg"])
def test_damaged_frames_are_skipped_and_counted_and_none_is_black(tmp_path: Path, codec: str) -> None:
    whole = write(tmp_path / "whole.mkv", Clip(codec, frames=120, b_frames=0, gop=10))
    damage(whole, tmp_path / "a.mkv", range(53, 58))
    source = reader(tmp_path / "a.mkv")
    frames = list(source.frames(None))
    assert source.skipped == 120 - len(frames)
    assert 110 <= len(frames) <= 120
    assert all(frame.picture.bgr().max() > 100 for frame in frames)
    # Before the damage, and from the next key frame on, everything is as it was.
    untouched = {frame.position.frame: number_in(frame.picture) for frame in frames}
    assert all(untouched[n] == n for n in (*range(53), *range(60, 120)))


def test_a_file_cut_short_gives_what_it_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", Clip())
    path.write_bytes(path.read_bytes()[:6000])
    numbers = [number_in(frame.picture) for frame in read(path)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > 10


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_told_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"camera 'gate': the file noise\.mp4"):
        read(path)


def test_a_missing_file_is_told_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"looked for {tmp_path / 'none.mp4'}"):
        read(tmp_path / "none.mp4")


def test_a_token_of_another_kind_of_source_is_the_users_mistake(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Clip(frames=3))
    with pytest.raises(InputError, match="was not made by a file"):
        read(path, resume="7/picture.jpg")


def test_real_time_pace_waits_and_an_interrupt_ends_the_wait(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Clip(frames=3, times=[0.0, 0.04, 500.0]))
    source = reader(path, pace="realtime")
    frames: list[Frame] = []
    second = threading.Event()

    def run(note: Callable[[Frame], None]) -> None:
        for frame in source.frames(None):
            note(frame)
            if len(frames) == 2:
                second.set()

    thread = threading.Thread(target=run, args=(frames.append,))
    thread.start()
    assert second.wait(20)
    assert frames[1].received - frames[0].received >= 0.035
    source.interrupt()
    thread.join(20)
    assert not thread.is_alive()


def test_a_turned_recording_is_shown_upright(tmp_path: Path) -> None:
    plain, turned = write(tmp_path / "a.mp4", Clip(frames=4)), tmp_path / "b.mp4"
    with av.open(str(plain)) as source, av.open(str(turned), "w") as target:
        out = target.add_stream_from_template(source.streams.video[0])
        out.set_display_rotation(-90)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = out
                target.mux(packet)
    picture, original = read(turned)[3].picture, read(plain)[3].picture
    assert (picture.width, picture.height) == (128, 192)
    assert picture.bgr().shape == (192, 128, 3)
    assert picture.scaled(64, 96).shape == (96, 64, 3)
    # A rotation of -90 degrees is shown a quarter clockwise: the left column becomes the top row.
    assert abs(picture.bgr()[0, ::-1].astype(int) - original.bgr()[:, 0].astype(int)).max() <= 2
