"""Plates on drawn vehicles are read by the real OCR."""

from __future__ import annotations

import re

import numpy as np
import pytest

from inferfleet.demo.camera import Camera
from inferfleet.demo.casting import random_look
from inferfleet.demo.layout import Layout
from inferfleet.demo.plates import PATTERN, plate_picture, plate_text
from inferfleet.demo.scene import Actor, Scene, render
from inferfleet.vision.text import TextReader

CAMERA = Camera(mount=3.2, tilt=12.0, focal=0.95)


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader()


@pytest.mark.parametrize("seed", range(6))
def test_ocr_reads_the_plate_of_a_near_vehicle(reader: TextReader, seed: int) -> None:
    random = np.random.default_rng(seed)
    look = random_look("car", random)
    oncoming = Actor(1, look, random.uniform(-2, 2), random.uniform(9, 15), -np.pi / 2 + random.uniform(-0.2, 0.2), 0.0)
    frame, objects = render(Scene(seed, CAMERA, Layout("plaza"), "overcast", "clear", (oncoming,)), 0.0)
    (car,) = objects
    assert car.plate == look.plate
    assert car.plate_box is not None
    assert car.plate_box[3] - car.plate_box[1] >= 18
    left, top, right, bottom = (round(side) for side in car.box)
    texts = reader.read(np.ascontiguousarray(frame[top:bottom, left:right]))
    assert car.plate in [text.value for text in texts]


def test_a_plate_lies_within_its_vehicle() -> None:
    away = Actor(1, random_look("truck", np.random.default_rng(1)), 0.0, 16.0, np.pi / 2, 0.0)
    _, (truck,) = render(Scene(1, CAMERA, Layout("plaza"), actors=(away,)), 0.0)
    assert truck.plate_box is not None
    assert truck.box[0] <= truck.plate_box[0] < truck.plate_box[2] <= truck.box[2]
    assert truck.box[1] <= truck.plate_box[1] < truck.plate_box[3] <= truck.box[3] + 1


def test_a_plate_that_is_hidden_or_turned_away_is_not_in_the_truth() -> None:
    random = np.random.default_rng(2)
    sideways = Actor(1, random_look("car", random), 0.0, 14.0, 0.0, 0.0)
    covered = Actor(2, random_look("car", random), 0.0, 22.0, -np.pi / 2, 0.0)
    _, objects = render(Scene(2, CAMERA, Layout("plaza"), actors=(sideways, covered)), 0.0)
    assert [item.plate for item in objects] == [None, None]


def test_plate_texts_differ_and_follow_the_pattern() -> None:
    random = np.random.default_rng(0)
    texts = [plate_text(random) for _ in range(50)]
    assert len(set(texts)) == len(texts)
    assert all(re.fullmatch(PATTERN, text) for text in texts)


def test_a_plate_picture_fits_its_text() -> None:
    picture = plate_picture("WWW 8888")
    margin = picture[12:-12, -9:-4]
    assert margin.min() > 200
