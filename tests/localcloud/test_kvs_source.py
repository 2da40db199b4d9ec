"""The `kvs` source: frames with exact times and places, resuming anywhere, over GetMedia and over HLS."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog

from inferfleet.config.cameras import CamerasFile
from inferfleet.config.sources import KvsSource
from inferfleet.errors import InputError
from inferfleet.streams.camera import CameraReader
from inferfleet.streams.frame import Frame
from inferfleet.streams.kvs import recording, writer
from inferfleet.streams.kvs.decoding import FragmentDecoder
from inferfleet.streams.kvs.fragments import Fragment
from inferfleet.streams.kvs.matroska import Framing, MatroskaReader
from inferfleet.streams.kvs.recording import Recording
from inferfleet.streams.kvs.source import KvsReader
from inferfleet.streams.mailbox import CompleteMailbox
from inferfleet.streams.sources.base import SourceError

START = float(int(time.time()) - 60)
"""A minute ago, as a producer's clock that is years off would not be trusted."""

X264_OPEN = {
    "bf": "3",
    "preset": "fast",
    "g": "11",
    "x264-params": "open-gop=1:keyint=11:min-keyint=11:scenecut=0:b-adapt=0",
}
X265_OPEN = {
    "g": "11",
    "x265-params": "log-level=none:keyint=11:min-keyint=11:scenecut=0:open-gop=1:bframes=3:b-adapt=0",
}
"""Groups whose first shown pictures refer to the group before."""


def film(path: Path, codec: str = "libx264", **options: str) -> Recording:
    """Six seconds at ten frames a second, each frame a shade of its own, a key frame each second."""
    import av

    with av.open(str(path), "w") as file:
        video = file.add_stream(codec, rate=10, options={"g": "10", "preset": "ultrafast", **options})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        for n in range(60):
            file.mux(video.encode(av.VideoFrame.from_ndarray(np.full((96, 128, 3), 4 * n, np.uint8), "rgb24")))
        file.mux(video.encode(None))
    return recording.read(path, fragment_s=1.0)


@pytest.fixture
def open_reader(kvs) -> Iterator[Callable[..., KvsReader]]:
    """Makes a reader of the stream `gate`; all are interrupted at the end."""
    made: list[KvsReader] = []

    def make(**options) -> KvsReader:
        source = {name: options.pop(name) for name in ("start", "via", "max_lag") if name in options}
        config = KvsSource(stream="gate", endpoint_url=kvs.url, **({"start": "earliest"} | source))
        made.append(KvsReader("gate", config, **({"is_complete": True} | options)))
        return made[-1]

    yield make
    for reader in made:
        reader.interrupt()


def take(reader: KvsReader, count: int, resume: str | None = None) -> list[Frame]:
    return list(itertools.islice(reader.frames(resume), count))


def shade(frame: Frame) -> float:
    return float(frame.picture.bgr().mean()) / 4


@pytest.mark.parametrize("via", ["media", "hls"])
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "0"}),
        ("libx264", {"bf": "3", "b_strategy": "0", "sc_threshold": "0", "preset": "fast"}),
        ("libx264", X264_OPEN),
        ("libx265", {"x265-params": "log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=0"}),
        ("libx265", X265_OPEN),
    ],
    ids=["h264", "h264-b-frames", "h264-open", "h265", "h265-open"],
)
def test_every_frame_comes_with_its_time_fragment_and_place(kvs, open_reader, tmp_path, *, codec, options, via):
    kvs.create()
    clip = film(tmp_path / "clip.mp4", codec, **options)
    assert len(clip.groups) == 6
    kvs.put(clip, start=START)
    frames = take(open_reader(via=via), 60)
    assert [frame.time.timestamp() for frame in frames] == pytest.approx([START + n / 10 for n in range(60)], abs=2e-3)
    assert [shade(frame) for frame in frames] == pytest.approx(range(60), abs=1.0)
    numbers = [stored.number for stored in kvs.emulator.store.streams["gate"].fragments]
    own = sorted((f.timecode, number) for number, group in zip(numbers, clip.groups, strict=True) for f in group)
    assert [frame.position.fragment for frame in frames] == [number for _, number in own]
    assert len({frame.position.token for frame in frames}) == 60


@pytest.mark.parametrize(("codec", "options"), [("libx264", X264_OPEN), ("libx265", X265_OPEN)], ids=["h264", "h265"])
def test_open_groups_resume_at_any_frame_also_at_one_that_needs_the_fragment_before(
    kvs, open_reader, tmp_path, *, codec, options
):
    kvs.create()
    kvs.put(film(tmp_path / "clip.mp4", codec, **options), start=START)
    whole = take(open_reader(), 60)
    leading = [n for n, frame in enumerate(whole) if frame.position.token.endswith("<")]
    assert len(leading) >= 10
    for done in (0, leading[0] - 1, *leading[:4], leading[3] + 1, 58):
        rest = take(open_reader(), 59 - done, whole[done].position.token)
        assert [f.position.token for f in rest] == [f.position.token for f in whole[done + 1 :]]
        assert [shade(f) for f in rest] == pytest.approx(range(done + 1, 60), abs=1.0)


def test_open_groups_go_on_over_cut_connections_and_not_over_gaps(kvs, open_reader, tmp_path):
    kvs.create()
    clip = film(tmp_path / "clip.mp4", "libx265", **X265_OPEN)
    kvs.put(clip, start=START)
    kvs.fault("cut:call=GetMedia,after=2f,times=2")
    assert [shade(frame) for frame in take(open_reader(), 60)] == pytest.approx(range(60), abs=1.0)
    assert kvs.state()["injected"] == {"cut": 2}
    stored = kvs.emulator.store.streams["gate"].fragments
    del stored[3]
    missing = {f.timecode for f in clip.groups[3]} | {
        f.timecode for f in clip.groups[4] if f.timecode < clip.groups[4][0].timecode
    }
    shades = [shade(frame) for frame in take(open_reader(), 60 - len(missing))]
    assert shades == pytest.approx([n for n in range(60) if n * 100_000_000 not in missing], abs=1.0)


def test_a_lower_rate_takes_the_same_frames_of_open_groups(kvs, open_reader, tmp_path):
    kvs.create()
    kvs.put(film(tmp_path / "clip.mp4", "libx265", **X265_OPEN), start=START)
    for fps, count in ((5, 30), (2, 12)):
        taken = take(open_reader(fps_target=fps), count)
        assert [shade(f) for f in taken] == pytest.approx(range(0, 60, 10 // fps), abs=1.0)


@pytest.mark.parametrize("via", ["media", "hls"])
def test_reading_resumes_right_after_any_frame_with_the_same_places(kvs, clip, open_reader, via):
    kvs.create()
    kvs.put(clip, start=START)
    whole = take(open_reader(via=via), 60)
    for done in (0, 9, 10, 34, 58):
        rest = take(open_reader(via=via), 59 - done, whole[done].position.token)
        assert [f.position.token for f in rest] == [f.position.token for f in whole[done + 1 :]]
        assert [f.time for f in rest] == [f.time for f in whole[done + 1 :]]


def test_a_lower_rate_takes_the_same_frames_also_after_resuming(kvs, clip, open_reader):
    kvs.create()
    kvs.put(clip, start=START)
    whole = take(open_reader(fps_target=4), 24)
    gaps = [later.time.timestamp() - sooner.time.timestamp() for sooner, later in itertools.pairwise(whole)]
    assert max(gaps) == pytest.approx(0.3)
    assert sum(gaps) == pytest.approx(5.8, abs=0.1)
    rest = take(open_reader(fps_target=4), 13, whole[10].position.token)
    assert [f.position.token for f in rest] == [f.position.token for f in whole[11:]]


def test_what_is_left_out_is_counted(kvs, clip, open_reader):
    kvs.create()
    kvs.put(clip, start=START)
    reader = open_reader(fps_target=2)
    take(reader, 12)
    assert reader.skipped == 44


def test_frames_go_on_through_cut_connections(kvs, clip, open_reader):
    kvs.create()
    kvs.put(clip, start=START)
    kvs.fault("cut:call=GetMedia,after=2500B,times=3")
    frames = take(open_reader(), 60)
    assert [frame.time.timestamp() for frame in frames] == pytest.approx([START + n / 10 for n in range(60)])
    assert kvs.state()["injected"] == {"cut": 3}


def test_hls_sessions_are_renewed_before_they_expire(kvs, clip, open_reader, monkeypatch):
    from inferfleet.streams.kvs import hls

    kvs.create()
    kvs.put(clip, start=START)
    # The service's shortest session, of which a moment is used.
    monkeypatch.setattr(hls, "SESSION_S", 300)
    monkeypatch.setattr(hls, "_RENEW_AT", 0.001)
    got: list[Frame] = []
    reader = open_reader(via="hls")
    done = threading.Event()

    def run() -> None:
        for frame in reader.frames(None):
            got.append(frame)
            if len(got) == 120:
                done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    kvs.wait(lambda state: len(kvs.emulator.sessions) >= 3)
    kvs.put(clip, start=START + 6)
    assert done.wait(60), len(got)
    reader.interrupt()
    thread.join(10)
    assert [f.time.timestamp() for f in got] == pytest.approx([START + n / 10 for n in range(120)])


@pytest.mark.parametrize("name", ["_RECORDED", "_NEWEST"])
def test_hls_playlists_that_are_too_short_lose_nothing(kvs, clip, open_reader, monkeypatch, name):
    from inferfleet.streams.kvs import hls

    monkeypatch.setattr(hls, name, 2)
    kvs.create()
    kvs.put(clip, start=START)
    frames = open_reader(via="hls").frames(None)
    assert len(list(itertools.islice(frames, 60))) == 60
    kvs.put(clip, start=START + 6)
    later = list(itertools.islice(frames, 60))
    assert [f.time.timestamp() for f in later] == pytest.approx([START + 6 + n / 10 for n in range(60)])


def test_hls_reads_over_days_without_video_and_goes_on_when_the_producer_comes_back(kvs, clip, open_reader):
    kvs.create()
    kvs.put(clip, start=START - 3 * 86_400)
    frames = open_reader(via="hls", max_lag=1.0).frames(None)
    old = list(itertools.islice(frames, 60))
    stream = kvs.emulator.store.streams["gate"]
    stream.fragments[:] = [replace(stored, server_time=stored.server_time - 31) for stored in stream.fragments]
    new: list[Frame] = []
    reading = threading.Thread(target=lambda: new.extend(itertools.islice(frames, 60)), daemon=True)
    reading.start()
    kvs.put(clip, start=START)
    reading.join(60)
    assert [f.time.timestamp() for f in old] == pytest.approx([START - 3 * 86_400 + n / 10 for n in range(60)])
    assert [f.time.timestamp() for f in new] == pytest.approx([START + n / 10 for n in range(60)])


@pytest.mark.parametrize("via", ["media", "hls"])
def test_a_live_camera_that_is_too_far_behind_jumps_to_now(kvs, clip, open_reader, via):
    kvs.create()
    kvs.put(clip, start=time.time() - 600)
    stream = kvs.emulator.store.streams["gate"]
    stream.fragments[:] = [replace(stored, server_time=stored.server_time - 600) for stored in stream.fragments]
    kvs.put(clip, start=time.time() - 6)
    reader = open_reader(via=via, is_complete=False, max_lag=30.0)
    got: list[Frame] = []
    reading = threading.Thread(target=lambda: got.extend(itertools.islice(reader.frames(None), 20)), daemon=True)
    reading.start()
    kvs.wait(lambda state: reader.progress.jumps == 1 or not reading.is_alive())
    now = time.time()
    until = now + 60
    while reading.is_alive() and time.time() < until:
        kvs.put(clip, start=time.time() - 6)
        reading.join(0.5)
    assert len(got) == 20
    assert [f.time.timestamp() < now - 500 for f in got] == [True] * 10 + [False] * 10


def test_a_missing_stream_and_a_foreign_checkpoint_are_told_with_the_camera(kvs, open_reader):
    with pytest.raises(SourceError, match=r"camera 'gate'.*check the stream's name"):
        take(open_reader(), 1)
    with pytest.raises(InputError, match=r"camera 'gate'.*'17' is no place in a Kinesis video stream"):
        take(open_reader(), 1, "17")


@pytest.mark.parametrize(
    "source", ["kvs://gate", {"type": "kvs", "stream": "gate"}, {"stream": "gate", "region": "eu-central-1"}]
)
def test_a_camera_says_kvs_in_any_of_three_ways(source):
    file = CamerasFile.model_validate({"cameras": [{"id": "gate", "source": source}]})
    assert isinstance(file.cameras[0].source, KvsSource)
    assert file.cameras[0].source.stream == "gate"


def test_the_workers_camera_reads_a_stream(kvs, clip):
    kvs.create()
    kvs.put(clip, start=START)
    source = {"type": "kvs", "stream": "gate", "endpoint_url": kvs.url, "start": "earliest"}
    file = CamerasFile.model_validate({"cameras": [{"id": "gate", "source": source, "mode": "complete"}]})
    ready = threading.Event()
    mailbox = CompleteMailbox(8, ready.set)
    reader = CameraReader(file.cameras[0], mailbox)
    reader.start()
    frames: list[Frame] = []
    while len(frames) < 60:
        ready.clear()
        while (frame := mailbox.take()) is not None:
            frames.append(frame)
        assert len(frames) == 60 or ready.wait(60), (len(frames), reader.status)
    status = reader.status
    assert (status.state, status.error) == ("running", None)
    assert status.behind is not None
    kvs.fault("busy:call=GetMedia,times=0")
    kvs.fault("cut:call=GetMedia")
    until = time.monotonic() + 60
    while reader.status.state != "reconnecting":
        assert time.monotonic() < until, reader.status
        time.sleep(0.02)
    assert "another reader holds them" in (reader.status.error or "") or "broke" in (reader.status.error or "")
    assert reader.stop()
    assert [frame.time.timestamp() for frame in frames] == pytest.approx([START + n / 10 for n in range(60)])


@pytest.mark.parametrize("start", ["earliest", "now"])
@pytest.mark.parametrize("via", ["media", "hls"])
def test_a_producer_without_a_clock_is_stamped_with_the_servers_and_told(kvs, clip, open_reader, via, start):
    kvs.create()
    kvs.put(clip, start=1000.0)
    before = time.time()
    with structlog.testing.capture_logs() as logs:
        reader = open_reader(via=via, start=start)
        frames: list[Frame] = []
        reading = threading.Thread(target=lambda: frames.extend(take(reader, 60)), daemon=True)
        reading.start()
        while reading.is_alive() and time.time() < before + 60:
            reading.join(1.0)
            kvs.put(clip, start=1000.0 + time.time() - before)
        assert len(frames) == 60
    assert abs(frames[0].time.timestamp() - before) < 600
    assert [later.time > sooner.time for sooner, later in itertools.pairwise(frames[:10])] == [True] * 9
    assert any("clock of the server" in entry["event"] for entry in logs)


def test_decoded_frames_do_not_keep_their_fragments_in_memory(clip):
    def fragments(count: int) -> Iterator[Fragment]:
        for number in range(count):
            reader = MatroskaReader(Framing.PUT_MEDIA)
            body = writer.header(clip.tracks) + writer.cluster(clip.groups[number % 6])
            items = [*reader.feed(body), *reader.finish()]
            assert isinstance(items[0], Fragment)
            yield items[0]

    decoder = FragmentDecoder(fps_target=None, threads=1, is_live=False)
    kept = []
    for fragment in fragments(6):
        assert len(list(decoder.push(fragment))) == 10
        kept.append(weakref.ref(fragment.frames[0].data))
    del fragment
    gc.collect()
    assert [reference() for reference in kept] == [None] * 6
