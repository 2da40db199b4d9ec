from __future__ import annotations

from pathlib import Path

import pytest

from inferfleet.streams.delivery import Attachment
from inferfleet.streams.delivery.sinks.base import SinkError
from inferfleet.streams.delivery.sinks.folder import FolderSink
from tests.unit.streams.delivery.support import make_item


def opened(folder: Path) -> FolderSink:
    sink = FolderSink("snapshots", folder)
    sink.open()
    return sink


def test_pictures_are_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    sink = opened(tmp_path / "pictures")
    picture = Attachment("gate/2026-01-31/1.jpg", "image/jpeg", b"first")
    sink.deliver([make_item("gate", 1, (picture,)), make_item("gate", 2)])
    sink.deliver([make_item("gate", 1, (picture,))])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / "pictures/gate/2026-01-31/1.jpg"]
    assert files[0].read_bytes() == b"first"


@pytest.mark.parametrize("path", ["../../escaped.jpg", "/escaped.jpg", "a/../../../escaped.jpg", "..", "a/./b.jpg"])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "deep" / "pictures"
    sink = opened(folder)
    sink.deliver([make_item("gate", 1, (Attachment(path, "image/jpeg", b"x"),))])
    files = [found for found in tmp_path.rglob("*") if found.is_file()]
    assert len(files) == 1
    assert files[0].resolve().is_relative_to(folder)


def test_a_failed_write_leaves_no_half_picture(tmp_path: Path) -> None:
    sink = opened(tmp_path)
    (tmp_path / "1.jpg").mkdir()
    with pytest.raises(OSError):
        sink.deliver([make_item("gate", 1, (Attachment("1.jpg", "image/jpeg", b"x"),))])
    assert [path.name for path in tmp_path.iterdir()] == ["1.jpg"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"folder .* of snapshots cannot be written"):
        opened(tmp_path / "file" / "pictures")
