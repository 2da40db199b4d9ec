"""A camera's thread: it survives whatever its source does, tells what it was, and disturbs nobody."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from inferfleet.config.cameras import Camera
from inferfleet.errors import InputError
from inferfleet.streams.camera import Backoff, CameraReader, CameraStatus
from inferfleet.streams.frame import Frame
from inferfleet.streams.mailbox import CompleteMailbox, LiveMailbox
from tests.media.clips import Clip, number_in, write
from tests.media.faults import Fault
from tests.media.http_server import HttpServer
from tests.media.rtsp_server import RtspServer

SOON = Backoff(first=0.01, most=0.05)
NEVER = Backoff(first=1000.0, most=1000.0, random=lambda: 1.0)
DEADLINE = 30.0
CLIP = Clip(fps=50)


class Watch:
    """Collects a camera's frames and states, and waits for what a test expects of them."""

    def __init__(self, source: Any, base: Path = Path(), **options: Any) -> None:
        self.frames: list[Frame] = []
        self.states: list[str] = []
        self._changed = threading.Condition()
        self.mailbox = CompleteMailbox(4, self._take)
        camera = Camera(id=options.pop("id", "gate"), source=source)
        self._resume = options.pop("resume", None)
        options.setdefault("backoff", SOON)
        self.reader = CameraReader(camera, self.mailbox, base=base, on_change=self._note, **options)

    def __enter__(self) -> Watch:
        self.reader.start(self._resume)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.reader.stop(DEADLINE)

    def _take(self) -> None:
        with self._changed:
            taken = self.mailbox.take()
            if taken is not None:
                self.frames.append(taken)
            self._changed.notify_all()

    def _note(self, status: CameraStatus) -> None:
        with self._changed:
            self.states.append(status.state)
            self._changed.notify_all()

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline, f"{self.reader.status} after {self.states}"
            with self._changed:
                self._changed.wait(0.02)

    @property
    def numbers(self) -> list[int]:
        return [number_in(frame.picture) for frame in self.frames]


def rtsp(server: RtspServer, timeout: float = 5) -> dict[str, Any]:
    return {"url": server.url, "timeout": timeout}


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    with Watch(str(write(tmp_path / "a.mp4"))) as watch:
        assert watch.reader.join(DEADLINE)
    assert watch.numbers == list(range(60))
    status = watch.reader.status
    assert (status.state, status.frames, status.skipped, status.error, status.reconnects) == ("ended", 60, 0, None, 0)
    assert status.last_frame_time == watch.frames[-1].time
    assert status.fps > 0
    assert watch.states == ["running", "ended"]
    assert watch.reader.is_done


def test_a_camera_goes_on_after_its_checkpoint(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.mp4"))
    with Watch(path) as watch:
        assert watch.reader.join(DEADLINE)
    with Watch(path, resume=watch.frames[41].position.token) as again:
        assert again.reader.join(DEADLINE)
    assert again.numbers == list(range(42, 60))


def test_a_camera_that_is_down_at_start_is_read_once_it_is_up() -> None:
    with RtspServer(CLIP) as server:
        port = server.port
    with Watch({"url": f"rtsp://127.0.0.1:{port}/live", "timeout": 2}) as watch:
        watch.until(lambda: watch.reader.status.reconnects >= 2)
        assert "refused" in str(watch.reader.status.error)
        assert watch.reader.status.state == "reconnecting"
        with RtspServer(CLIP, port=port):
            watch.until(lambda: len(watch.frames) >= 5)
            assert watch.reader.status.state == "running"
            assert watch.reader.status.error is None


@pytest.mark.parametrize("name", ["none.mp4", "none/", "noise.mp4"])
def test_a_file_or_folder_that_is_missing_or_no_video_is_a_mistake_and_not_tried_again(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "noise.mp4").write_bytes(os.urandom(10_000))
    with Watch(f"{tmp_path}/{name}") as watch:
        assert watch.reader.join(DEADLINE)
        assert watch.reader.status.state == "failed"
        assert name.rstrip("/") in str(watch.reader.status.error)
        assert watch.reader.status.reconnects == 0


def test_a_stalled_camera_says_so_and_is_connected_anew() -> None:
    with RtspServer(CLIP, fault=Fault("stall", after=20), faulty=1) as server, Watch(rtsp(server, 2)) as watch:
        watch.until(lambda: "stalled" in watch.states)
        watch.until(lambda: len(watch.frames) >= 50)
        assert watch.states[:3] == ["running", "stalled", "running"]
        assert watch.reader.status.reconnects >= 1


def test_a_closed_connection_is_made_anew() -> None:
    with RtspServer(CLIP, fault=Fault("close", after=20), faulty=1) as server, Watch(rtsp(server)) as watch:
        watch.until(lambda: len(watch.frames) >= 50)
        assert watch.states[:3] == ["running", "reconnecting", "running"]


def test_a_camera_that_changes_its_codec_is_read_again() -> None:
    clips = [CLIP, Clip("libx265", fps=50, first=100)]
    with RtspServer(clips, fault=Fault("close", after=30), faulty=1) as server, Watch(rtsp(server)) as watch:
        watch.until(lambda: len(watch.frames) >= 60)
        assert watch.numbers[:25] == list(range(25))
        assert {number for number in watch.numbers[-25:]} <= set(range(100, 160))


def test_a_stream_that_changes_its_codec_while_it_runs_is_opened_again() -> None:
    clips = [Clip(fps=50), Clip("libx265", fps=50, frames=200, first=100)]
    with HttpServer("mpegts", clips) as server, Watch({"url": server.url, "timeout": 2}) as watch:
        watch.until(lambda: server.connections >= 2 and len(watch.frames) >= 90)
        assert watch.reader.status.reconnects >= 1


@contextmanager
def missing(folder: Path) -> Iterator[Any]:
    yield str(folder / "none.mp4")


@contextmanager
def refused(folder: Path) -> Iterator[Any]:
    with RtspServer(CLIP) as server:
        pass
    yield rtsp(server)


@contextmanager
def served(server: RtspServer | HttpServer) -> Iterator[Any]:
    with server:
        yield {"url": server.url, "timeout": 0.5}


@contextmanager
def noise(folder: Path) -> Iterator[Any]:
    (folder / "noise.mp4").write_bytes(os.urandom(100_000))
    yield str(folder / "noise.mp4")


BAD: dict[str, Callable[[Path], Any]] = {
    "missing": missing,
    "refused": refused,
    "noise": noise,
    "silent": lambda _: served(RtspServer(CLIP, silent=True)),
    "stalls": lambda _: served(RtspServer(CLIP, fault=Fault("stall", after=30))),
    "ends": lambda _: served(RtspServer(CLIP, fault=Fault("close", after=30))),
    "garbage": lambda _: served(RtspServer(CLIP, fault=Fault("garbage", after=30))),
    "http-garbage": lambda _: served(HttpServer("mpegts", [CLIP], fault=Fault("garbage"))),
    "other-size": lambda _: served(RtspServer(CLIP, then=Clip(fps=50, size=(288, 160)))),
    "other-codec": lambda _: served(HttpServer("mpegts", [CLIP, Clip("libx265", fps=50)])),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_camera_disturbs_no_other(kind: str, tmp_path: Path) -> None:
    path = str(write(tmp_path / "good.mp4", Clip(frames=120)))
    with ExitStack() as stack:
        source = stack.enter_context(BAD[kind](tmp_path))
        bad = stack.enter_context(Watch(source, id="bad"))
        bad.until(lambda: len(bad.states) > 0)
        live = stack.enter_context(RtspServer(CLIP))
        beside = stack.enter_context(Watch(rtsp(live), id="beside"))
        good = [stack.enter_context(Watch(path, id=f"good-{n}")) for n in range(3)]
        for watch in good:
            assert watch.reader.join(DEADLINE)
            assert watch.numbers == list(range(120))
            assert watch.states == ["running", "ended"]
        beside.until(lambda: len(beside.frames) >= 30)
        assert beside.numbers[:30] == list(range(30))
        assert beside.states == ["running"]
        assert all(frame.picture.bgr().max() > 100 for frame in bad.frames)


class Broken:
    """A source with a mistake in it, to show that a camera's thread survives mistakes of ours too."""

    is_live = True
    skipped = 0

    def __init__(self, error: Exception) -> None:
        self.error = error

    def frames(self, resume: str | None) -> Iterator[Frame]:
        raise self.error

    def interrupt(self) -> None:
        return


def test_a_mistake_in_a_source_is_treated_as_a_failure_of_the_camera() -> None:
    with Watch("/dev/null0", open_source=lambda: Broken(ZeroDivisionError("oops"))) as watch:
        watch.until(lambda: watch.reader.status.reconnects >= 3)
        assert watch.reader.status.error == "oops"
        assert not watch.reader.is_done


def test_a_wrong_configuration_is_not_tried_again() -> None:
    with Watch("/dev/null0", open_source=lambda: Broken(InputError("no such format"))) as watch:
        assert watch.reader.join(DEADLINE)
        status = watch.reader.status
        assert (status.state, status.error, status.reconnects) == ("failed", "no such format", 0)


@pytest.mark.parametrize("state", ["stalled connection", "full mailbox", "pause", "opening"])
def test_stop_ends_a_camera_whatever_it_waits_for(state: str, tmp_path: Path) -> None:
    fault = Fault("stall", after=30)
    with RtspServer(CLIP, fault=fault, silent=state == "opening") as server:
        source = rtsp(server, timeout=300) if state in ("stalled connection", "opening") else str(tmp_path / "a.mp4")
        if state == "full mailbox":
            write(tmp_path / "a.mp4")
        elif state == "pause":
            source = "rtsp://127.0.0.1:9/nobody"
        changed = threading.Event()
        mailbox = CompleteMailbox(2)
        camera = Camera(id="gate", source=source)
        reader = CameraReader(camera, mailbox, backoff=NEVER, on_change=lambda _: changed.set())
        reader.start()
        assert (server.connected if state == "opening" else changed).wait(DEADLINE)
        assert reader.stop(DEADLINE)
        assert reader.status.state == "stopped"
        assert len(mailbox) <= 2


def test_a_reader_that_was_never_started_can_be_stopped() -> None:
    assert CameraReader(Camera(id="gate", source="a.mp4"), LiveMailbox()).stop()


def test_a_status_cannot_be_changed() -> None:
    status = CameraReader(Camera(id="gate", source="a.mp4"), LiveMailbox()).status
    assert status.state == "starting"
    with pytest.raises(FrozenInstanceError):
        status.frames = 3  # type: ignore[misc]


def test_pauses_double_up_to_their_bound_and_are_spread_over_all_of_it() -> None:
    backoff = Backoff(first=1.0, most=60.0)
    assert [backoff.bound(failures) for failures in (1, 2, 3, 6, 7, 8, 5000)] == [1, 2, 4, 32, 60, 60, 60]
    pauses = [backoff.pause(5) for _ in range(500)]
    assert 0 <= min(pauses) < 2
    assert 14 < max(pauses) <= 16
    assert Backoff(random=lambda: 0.5).pause(3) == 2.0


def test_the_pause_grows_only_while_connections_do_not_last() -> None:
    now = [0.0]
    asked: list[float] = []

    def opened() -> Broken:
        now[0] += 100.0 if len(asked) == 4 else 0.1
        if len(asked) >= 6:
            raise InputError("enough")
        return Broken(OSError("gone"))

    class Recorder(Backoff):
        def pause(self, failures: int) -> float:
            asked.append(failures)
            return 0.0

    with Watch("/dev/null0", open_source=opened, backoff=Recorder(), clock=lambda: now[0]) as watch:
        assert watch.reader.join(DEADLINE)
    assert asked == [1, 2, 3, 4, 1, 2]
