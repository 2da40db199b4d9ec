from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from inferfleet.errors import InputError
from inferfleet.streams.checkpoint import Checkpoint
from inferfleet.streams.delivery import Attachment, Backlog, Spool, SpoolError, writer
from inferfleet.streams.delivery.spool import FILE_NAME
from tests.unit.streams.delivery.support import eventually, make_checkpoint, make_item, numbers


def read(spool: Spool, sink: str, limit: int = 1000, max_bytes: int = 10**9) -> list[int]:
    reader = spool.reader(sink)
    try:
        return numbers([row.item for row in reader.read(limit, max_bytes)])
    finally:
        reader.close()


def put(spool: Spool, camera: str, *frames: int) -> None:
    spool.append([make_item(camera, frame) for frame in frames], make_checkpoint(camera, max(frames)))


def acknowledge(spool: Spool, sink: str, seq: int) -> None:
    spool.acknowledge(sink, seq)
    spool.flush()


def test_events_come_back_in_order_for_every_sink(spool: Spool) -> None:
    put(spool, "gate", 1, 2)
    put(spool, "gate", 3)
    assert read(spool, "a") == read(spool, "b") == [1, 2, 3]


def test_an_event_that_is_there_already_is_skipped(spool: Spool) -> None:
    put(spool, "gate", 1)
    put(spool, "gate", 1, 2)
    assert read(spool, "a") == [1, 2]
    assert spool.backlog("a").events == 2


def test_an_event_comes_back_as_it_was(spool: Spool) -> None:
    picture = Attachment("gate/1.jpg", "image/jpeg", b"\xff\xd8", "a")
    other = Attachment("gate/1.png", "image/png", b"\x89PNG", "b")
    item = make_item("gate", 1, (picture, other))
    spool.append([item], make_checkpoint("gate", 1))
    reader = spool.reader("a")
    (row,) = reader.read(10, 10**6)
    reader.close()
    assert row.item.event == item.event
    assert row.item.attachments == (picture,), "a sink gets the pictures meant for it"


def test_events_are_held_until_every_sink_has_them(spool: Spool) -> None:
    put(spool, "gate", 1, 2)
    size = spool.size_bytes
    acknowledge(spool, "a", 2)
    assert spool.size_bytes == size
    assert spool.backlog("a") == Backlog(0, 0.0)
    assert spool.backlog("b").events == 2
    acknowledge(spool, "b", 1)
    assert 0 < spool.size_bytes < size
    acknowledge(spool, "b", 2)
    assert spool.size_bytes == 0
    assert spool.undelivered == 0


def test_numbers_are_not_used_again_after_everything_was_delivered(tmp_path: Path) -> None:
    with Spool.open(tmp_path, ["a"]) as spool:
        put(spool, "gate", 1, 2)
        acknowledge(spool, "a", 2)
    with Spool.open(tmp_path, ["a"]) as spool:
        put(spool, "gate", 3)
        assert read(spool, "a") == [3]


def test_a_checkpoint_and_its_events_survive_a_restart(tmp_path: Path) -> None:
    with Spool.open(tmp_path, ["a"]) as spool:
        put(spool, "gate", 1)
    with Spool.open(tmp_path, ["a"]) as spool:
        assert spool.checkpoint("gate") == make_checkpoint("gate", 1)
        assert spool.checkpoint("yard") is None
        assert read(spool, "a") == [1]


def test_a_checkpoint_without_events_needs_no_append_to_become_durable(spool: Spool, tmp_path: Path) -> None:
    heard: list[str] = []
    spool.on_delivered(lambda checkpoint: heard.append(checkpoint.token))
    spool.append([], make_checkpoint("gate", 7))
    eventually(lambda: heard == ["7"], "the checkpoint is written")
    assert spool.checkpoint("gate") == make_checkpoint("gate", 7)


def test_a_checkpoint_is_delivered_once_every_sink_has_what_came_before(spool: Spool) -> None:
    spool.append([], make_checkpoint("gate", 0))
    put(spool, "gate", 1)
    put(spool, "gate", 2)
    spool.append([], make_checkpoint("gate", 3))
    assert spool.checkpoint("gate") == make_checkpoint("gate", 3)
    assert spool.delivered_checkpoint("gate") is None, "0 was never written: 1 came at once"
    acknowledge(spool, "a", 2)
    assert spool.delivered_checkpoint("gate") is None
    acknowledge(spool, "b", 1)
    assert spool.delivered_checkpoint("gate") == make_checkpoint("gate", 1)
    acknowledge(spool, "b", 2)
    assert spool.delivered_checkpoint("gate") == make_checkpoint("gate", 3)


def test_who_asked_hears_of_delivered_checkpoints(spool: Spool) -> None:
    heard: list[Checkpoint] = []
    spool.on_delivered(heard.append)
    put(spool, "gate", 1)
    put(spool, "yard", 5)
    acknowledge(spool, "a", 2)
    assert heard == []
    acknowledge(spool, "b", 1)
    eventually(lambda: heard == [make_checkpoint("gate", 1)], "gate is delivered")
    acknowledge(spool, "b", 2)
    eventually(lambda: heard[1:] == [make_checkpoint("yard", 5)], "yard is delivered")


def test_a_listener_that_fails_does_not_stop_the_spool(spool: Spool) -> None:
    spool.on_delivered(lambda _: 1 / 0)
    put(spool, "gate", 1)
    acknowledge(spool, "a", 1)
    acknowledge(spool, "b", 1)
    put(spool, "gate", 2)
    assert read(spool, "a") == [2]


def test_a_new_sink_gets_what_is_still_held_and_a_removed_one_holds_nothing(tmp_path: Path) -> None:
    with Spool.open(tmp_path, ["a", "gone"]) as spool:
        put(spool, "gate", 1, 2, 3)
        acknowledge(spool, "a", 2)
    with Spool.open(tmp_path, ["a", "new"]) as spool:
        assert spool.backlog("a").events == 1
        assert read(spool, "new") == [1, 2, 3], "nothing had been deleted yet"
    with Spool.open(tmp_path, ["a"]) as spool:
        assert spool.undelivered == 1
        acknowledge(spool, "a", 3)
        assert spool.size_bytes == 0


def test_a_read_is_bounded_in_events_and_bytes(spool: Spool) -> None:
    big = tuple(Attachment(f"{n}", "image/jpeg", b"x" * 1000, "a") for n in range(1))
    spool.append([make_item("gate", n, big) for n in range(5)], make_checkpoint("gate", 5))
    assert read(spool, "a", limit=2) == [0, 1]
    assert read(spool, "a", max_bytes=1) == [0], "one event always comes"
    reader = spool.reader("a")
    got: list[int] = []
    while rows := reader.read(10, 4000):
        assert len(rows) < 4
        got += numbers([row.item for row in rows])
    reader.close()
    assert got == [0, 1, 2, 3, 4]


def test_a_full_spool_takes_what_is_on_its_way_and_says_when_there_is_space(tmp_path: Path) -> None:
    with Spool.open(tmp_path, ["a"], max_bytes=2000) as spool:
        assert spool.wait_for_space(0)
        put(spool, "gate", 1, 2, 3)
        assert spool.is_full
        assert not spool.wait_for_space(0)
        put(spool, "gate", 4)
        waited: list[bool] = []
        waiter = threading.Thread(target=lambda: waited.append(spool.wait_for_space(20)))
        waiter.start()
        spool.acknowledge("a", 4)
        waiter.join()
        assert waited == [True]
        assert read(spool, "a") == []


def test_the_age_of_the_oldest_event_survives_a_restart(tmp_path: Path) -> None:
    with Spool.open(tmp_path, ["a"]) as spool:
        put(spool, "gate", 1)
        before = spool.backlog("a").oldest_seconds
    with Spool.open(tmp_path, ["a"]) as spool:
        assert spool.backlog("a").oldest_seconds > before


def test_many_cameras_append_at_once_and_nothing_is_mixed_up(spool: Spool) -> None:
    def run(camera: str) -> None:
        for frame in range(50):
            put(spool, camera, frame)

    cameras = [threading.Thread(target=run, args=(f"camera-{n}",)) for n in range(16)]
    for camera in cameras:
        camera.start()
    for camera in cameras:
        camera.join()
    reader = spool.reader("a")
    items = [row.item for row in reader.read(10_000, 10**9)]
    reader.close()
    assert len(items) == 16 * 50
    for n in range(16):
        assert numbers([item for item in items if item.event.subject == f"camera-{n}"]) == list(range(50))
        assert spool.checkpoint(f"camera-{n}") == make_checkpoint(f"camera-{n}", 49)


def test_an_event_of_another_camera_is_a_mistake(spool: Spool) -> None:
    with pytest.raises(ValueError, match="another camera"):
        spool.append([make_item("gate", 1)], make_checkpoint("yard", 1))


def test_a_second_process_is_told_who_has_the_spool(spool: Spool) -> None:
    script = "import sys; from pathlib import Path; from inferfleet.streams.delivery import Spool\n"
    script += "Spool.open(Path(sys.argv[1]), ['a'])"
    second = subprocess.run(
        [sys.executable, "-c", script, str(spool.folder)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f"in use by another worker (process {os.getpid()})" in second.stderr


def test_a_spool_can_be_opened_again_after_it_was_closed(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path, ["a"])
    spool.close()
    spool.close()
    with pytest.raises(SpoolError, match="is closed"):
        put(spool, "gate", 1)
    Spool.open(tmp_path, ["a"]).close()


def test_two_openings_in_one_process_are_refused_too(spool: Spool) -> None:
    with pytest.raises(InputError, match="in use by another worker"):
        Spool.open(spool.folder, ["a", "b"])


def test_a_damaged_file_is_told_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, but long enough to be looked at" * 100)
    with pytest.raises(SpoolError, match="move the folder away"):
        Spool.open(tmp_path, ["a"])
    with pytest.raises(SpoolError, match="move the folder away"):
        Spool.open(tmp_path, ["a"])  # and not: in use


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"cannot be used: .*spool\.path"):
        Spool.open(tmp_path / "file" / "spool", ["a"])


def test_an_empty_spool_gives_its_space_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GIVE_BACK_BYTES", 4 * 1024**2)
    picture = (Attachment("x.jpg", "image/jpeg", bytes(1024**2), "a"),)
    with Spool.open(tmp_path, ["a"]) as spool:
        for frame in range(10):
            spool.append([make_item("gate", frame, picture)], make_checkpoint("gate", frame))
        assert (tmp_path / FILE_NAME).stat().st_size > 4 * 1024**2
        spool.acknowledge("a", 10)
        eventually(lambda: (tmp_path / FILE_NAME).stat().st_size < 1024**2, "the file shrinks")
        put(spool, "gate", 11)
        assert read(spool, "a") == [11]
