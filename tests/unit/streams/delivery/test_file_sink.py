from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inferfleet.streams.delivery.sinks.base import SinkError
from inferfleet.streams.delivery.sinks.file import FileSink
from inferfleet.streams.event import decode
from tests.unit.streams.delivery.support import make_item

FRAMES = range(10)


def opened(path: Path, max_bytes: int = 10**6, keep: int = 3) -> FileSink:
    sink = FileSink("file", path, max_bytes, keep)
    sink.open()
    return sink


def write(path: Path, *frames: int) -> None:
    sink = opened(path)
    sink.deliver([make_item("gate", frame) for frame in frames])
    sink.close()


def frames_in(path: Path) -> list[int]:
    return [decode(line).data.position.frame for line in path.read_bytes().splitlines()]


def test_events_are_lines_of_json_in_a_folder_that_it_makes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"
    write(path, 1, 2)
    assert [decode(line) for line in path.read_bytes().splitlines()] == [make_item("gate", n).event for n in (1, 2)]


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1, 2)
    write(path, 1, 2, 3)
    sink = opened(path)
    sink.deliver([make_item("gate", 3), make_item("gate", 4)])
    sink.deliver([make_item("gate", 4), make_item("gate", 4)])
    assert frames_in(path) == [1, 2, 3, 4]


def test_a_line_that_a_crash_tore_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1, 2)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in {*range(first, first + 30), *range(first, len(whole), 7), *range(len(whole) - 30, len(whole))}:
        path.write_bytes(whole[:length])
        write(path, 2)
        assert path.read_bytes() == whole, f"torn at byte {length}"


def test_zeros_that_a_power_failure_left_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1)
    with path.open("ab") as file:
        file.write(b"\0" * 5000)
    write(path, 2)
    assert frames_in(path) == [1, 2]


@pytest.mark.parametrize("text", ["a letter to my mother\n", '{"not": "an event"}', "x" * 3_000_000])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "letter.txt"
    path.write_text(text)
    with pytest.raises(SinkError, match="something else than events"):
        opened(path)
    assert path.read_text() == text


def test_full_files_are_rotated_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    size = len(FRAMES) * 700
    sink = opened(path, max_bytes=size, keep=2)
    for frame in range(60):
        sink.deliver([make_item("gate", frame)])
    sink.close()
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]
    files = [frames_in(tmp_path / name) for name in ("events.jsonl.2", "events.jsonl.1", "events.jsonl")]
    kept = [frame for file in files for frame in file]
    assert kept == list(range(kept[0], 60)), "the newest ones, in order, without a gap"
    assert all(p.stat().st_size <= size for p in tmp_path.iterdir())


def test_ids_in_the_file_before_are_remembered_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = opened(path, max_bytes=100)
    for frame in range(3):
        sink.deliver([make_item("gate", frame)])
    sink.close()
    sink = opened(path, max_bytes=100)
    sink.deliver([make_item("gate", 1)])
    assert frames_in(path) == [2]


def test_a_rotation_that_a_crash_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sink = opened(path, max_bytes=100, keep=3)
    for frame in range(3):
        sink.deliver([make_item("gate", frame)])
    sink.close()
    (tmp_path / "events.jsonl.1").rename(tmp_path / "events.jsonl.2.moved")
    (tmp_path / "events.jsonl.2").rename(tmp_path / "events.jsonl.3")
    (tmp_path / "events.jsonl.2.moved").rename(tmp_path / "events.jsonl.2")
    sink = opened(path, max_bytes=100, keep=3)
    sink.deliver([make_item("gate", 9)])
    assert frames_in(path) == [9]
    assert frames_in(tmp_path / "events.jsonl.1") == [2]
    assert frames_in(tmp_path / "events.jsonl.3") == [1]


def test_a_write_that_failed_half_way_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    script = """
import resource, signal, sys
from pathlib import Path
from inferfleet.streams.delivery.sinks.file import FileSink
from tests.unit.streams.delivery.support import make_item
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = FileSink("file", Path(sys.argv[1]), 10**6, 3)
sink.open()
sink.deliver([make_item("gate", 0)])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
batch = [make_item("gate", frame) for frame in range(1, 10)]
try:
    sink.deliver(batch)
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
sink.deliver(batch)
"""
    repository = Path(__file__).parents[4]
    child = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=repository, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() == "File too large"
    assert frames_in(path) == list(range(10))


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    first = opened(path)
    with pytest.raises(SinkError, match="another process"):
        opened(path)
    first.close()
    opened(path).close()


def test_a_folder_where_the_file_should_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="Is a directory"):
        opened(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="Permission denied"):
        opened(tmp_path / "events.jsonl")
