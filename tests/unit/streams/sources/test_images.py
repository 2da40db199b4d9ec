"""A folder of pictures as a camera."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import pytest

from inferfleet.config.sources import ImagesSource
from inferfleet.errors import InputError
from inferfleet.streams.frame import Frame
from inferfleet.streams.sources.base import SourceError
from inferfleet.streams.sources.images import ImagesReader
from tests.media.clips import draw, number_in


def reader(folder: Path, fps_target: float | None = None, **config: Any) -> ImagesReader:
    return ImagesReader("gate", ImagesSource(path=folder.name, **config), folder.parent, fps_target=fps_target)


def numbers(frames: list[Frame]) -> list[int]:
    return [number_in(frame.picture) for frame in frames]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(10):
        ending = "jpg" if number % 2 else "png"
        cv2.imwrite(str(tmp_path / f"{number:03}.{ending}"), draw(number, (192, 128))[..., ::-1])
    return tmp_path


def test_pictures_come_in_the_order_of_their_names_at_an_even_rate(folder: Path) -> None:
    frames = list(reader(folder, fps=4).frames(None))
    assert numbers(frames) == list(range(10))
    assert [frame.position.frame for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == [
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=n / 4) for n in range(10)
    ]
    assert frames[0].picture.scaled(96, 64).shape == (64, 96, 3)


def test_a_token_leads_to_the_next_picture_by_name(folder: Path) -> None:
    token = list(reader(folder).frames(None))[3].position.token
    (folder / "003.jpg").unlink()
    rest = list(reader(folder).frames(token))
    assert numbers(rest) == [4, 5, 6, 7, 8, 9]
    assert [frame.position.frame for frame in rest] == [4, 5, 6, 7, 8, 9]


def test_what_is_no_picture_is_skipped_and_counted(folder: Path) -> None:
    (folder / "004.png").write_bytes(b"not a picture")
    (folder / "readme.txt").write_text("neither")
    source = reader(folder)
    assert numbers(list(source.frames(None))) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert source.skipped == 2


def test_a_pattern_chooses_files_and_a_target_rate_chooses_among_them(folder: Path) -> None:
    assert numbers(list(reader(folder, pattern="*.jpg").frames(None))) == [1, 3, 5, 7, 9]
    source = reader(folder, fps_target=1, fps=4)
    assert numbers(list(source.frames(None))) == [0, 4, 8]
    assert source.skipped == 7


def test_a_loop_goes_on_in_time_and_resumes_in_any_round(folder: Path) -> None:
    frames = list(islice(reader(folder, loop=True).frames(None), 25))
    assert numbers(frames) == [n % 10 for n in range(25)]
    assert frames[-1].time == datetime(1970, 1, 1, 0, 0, 24, tzinfo=UTC)
    again = list(islice(reader(folder, loop=True).frames(frames[12].position.token), 12))
    assert [(f.position, f.time) for f in again] == [(f.position, f.time) for f in frames[13:]]


def test_a_missing_folder_and_an_empty_loop_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        list(reader(tmp_path / "none").frames(None))
    with pytest.raises(SourceError, match="holds no picture"):
        list(reader(tmp_path, loop=True).frames(None))


def test_a_token_of_another_kind_of_source_is_the_users_mistake(folder: Path) -> None:
    with pytest.raises(InputError, match="was not made by a folder"):
        list(reader(folder).frames("0:3600:1:0:0"))
