"""MJPEG, MPEG-TS, MP4 and HLS over a real HTTP server, well and badly behaved."""

from __future__ import annotations

import threading
import time
import traceback
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from inferfleet.config.sources import HttpSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame
from inferfleet.streams.sources.base import SourceError, StalledError
from inferfleet.streams.sources.http import HttpReader
from tests.media.clips import Clip, number_in
from tests.media.faults import Fault
from tests.media.http_server import HttpServer

CLIP = Clip(fps=50)
SECRET = "s3cret"
WRONG = "Bearer n0t-this"


def reader(server: HttpServer, fps: float | None = None, **config: Any) -> HttpReader:
    return HttpReader("gate", HttpSource(url=server.url, **{"timeout": 5, **config}), fps_target=fps)


def first(source: HttpReader, count: int) -> list[Frame]:
    frames = source.frames(None)
    found = list(islice(frames, count))
    source.interrupt()
    frames.close()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("kind", ["mpegts", "mp4", "hls"])
def test_every_frame_of_a_stream_comes_in_order(kind: Any, tmp_path: Path) -> None:
    folder = tmp_path if kind in ("mp4", "hls") else None
    with HttpServer(kind, [CLIP], folder=folder) as server:
        source = reader(server)
        assert [number_in(frame.picture) for frame in source.frames(None)] == list(range(60))
    assert source.is_live == (kind == "mpegts")


def test_mjpeg_comes_in_order_and_for_ever() -> None:
    with HttpServer("mjpeg", [CLIP]) as server:
        source = reader(server)
        assert [number_in(frame.picture) for frame in first(source, 70)] == [n % 60 for n in range(70)]
    assert source.is_live


def test_mjpeg_is_timed_by_arrival_because_it_has_no_clock() -> None:
    with HttpServer("mjpeg", [Clip(fps=20)]) as server:
        before = time.time()
        frames = first(reader(server, fps=5), 5)
    assert all(before <= frame.time.timestamp() <= time.time() for frame in frames)
    assert sorted(set(frames), key=lambda frame: frame.time) == frames
    elapsed = [frame.time.timestamp() - frames[0].time.timestamp() for frame in frames]
    stamped = [(frame.position.pts or 0.0) - (frames[0].position.pts or 0.0) for frame in frames]
    assert stamped == pytest.approx(elapsed, abs=0.01)


def test_a_finished_recording_has_the_same_tokens_every_time(tmp_path: Path) -> None:
    with HttpServer("mp4", [CLIP], folder=tmp_path) as server:
        once, again = ([frame.position.token for frame in reader(server).frames(None)] for _ in range(2))
        assert once == again


def test_segments_of_different_size_go_on_without_a_gap(tmp_path: Path) -> None:
    clips = [Clip(frames=24), Clip(frames=24, first=24, size=(288, 160))]
    with HttpServer("hls", clips, folder=tmp_path) as server:
        frames = list(reader(server).frames(None))
    assert [number_in(frame.picture) for frame in frames] == list(range(48))


def test_a_playlist_that_slides_is_followed_and_never_ends_by_itself(tmp_path: Path) -> None:
    clips = [Clip(frames=10, first=10 * number) for number in range(6)]
    with HttpServer("hls-live", clips, folder=tmp_path) as server:
        source = reader(server)
        frames = first(source, 55)  # the last one of a stream shows only when more comes
        assert server.shown >= 4
    assert [number_in(frame.picture) for frame in frames] == list(range(55))
    assert source.is_live


def test_a_change_of_codec_within_a_stream_ends_it_so_that_it_is_opened_anew() -> None:
    clips = [Clip(frames=50, fps=50), Clip("libx265", fps=50, frames=200, first=50)]
    with HttpServer("mpegts", clips) as server:
        source = reader(server, timeout=2)
        numbers = []
        with pytest.raises(SourceError):
            for frame in source.frames(None):
                numbers.append(number_in(frame.picture))
    assert numbers[:48] == list(range(48))
    assert len(numbers) <= 50


def test_headers_are_sent_and_a_refusal_tells_none_of_them() -> None:
    with HttpServer("mjpeg", [CLIP], headers={"Authorization": "Bearer s3cret"}) as server:
        assert first(reader(server, headers={"Authorization": SecretStr("Bearer s3cret")}), 2)
        with pytest.raises(SourceError) as caught:
            first(reader(server, headers={"Authorization": SecretStr(WRONG)}), 1)
    told = "".join(traceback.format_exception(caught.value))
    assert "401" in told
    assert WRONG not in told


def test_an_address_with_secrets_is_told_without_them() -> None:
    config = HttpSource(url=f"http://me:{SECRET}@127.0.0.1:9/x?token={SECRET}", timeout=1)
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:9/x ") as caught:
        list(HttpReader("gate", config).frames(None))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_header_over_two_lines_is_the_users_mistake() -> None:
    config = HttpSource(url="http://127.0.0.1:9/x", headers={"A": SecretStr("b\r\nHost: other")})
    with pytest.raises(InputError, match="line break"):
        HttpReader("gate", config)


@pytest.mark.parametrize("kind", ["mjpeg", "mpegts"])
def test_a_stream_that_stops_sending_counts_as_stalled(kind: Any) -> None:
    with HttpServer(kind, [CLIP], fault=Fault("stall", after=15)) as server, pytest.raises(StalledError):
        list(reader(server, timeout=0.5).frames(None))


@pytest.mark.parametrize("kind", ["mjpeg", "mpegts"])
@pytest.mark.parametrize("after", [0, 15])
def test_garbage_ends_the_connection_and_shows_no_picture(kind: Any, after: int) -> None:
    with HttpServer(kind, [CLIP], fault=Fault("garbage", after=after)) as server, pytest.raises(SourceError):
        for frame in reader(server, timeout=1).frames(None):
            assert frame.picture.bgr().max() > 100


def test_an_interrupt_ends_reading_while_the_server_is_silent() -> None:
    with HttpServer("mjpeg", [CLIP], silent=True) as server:
        source = reader(server, timeout=300)
        thread = threading.Thread(target=lambda: list(source.frames(None)))
        thread.start()
        source.interrupt()
        thread.join(20)
        assert not thread.is_alive()
