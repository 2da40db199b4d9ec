"""The answers of the simple API, field by field. They are stable: fields are added, never changed."""

from __future__ import annotations

import msgspec


class ClassPrediction(msgspec.Struct, rename={"class_": "class"}):
    """A class that a picture may show, the most probable first.

    Attributes:
        class_: The class's name.
        confidence: Its probability, 0 to 1.
        class_id: Its number in the model.
    """

    class_: str
    confidence: float
    class_id: int


class ObjectPrediction(msgspec.Struct, rename={"class_": "class"}):
    """An object on a picture, the surest first.

    Attributes:
        class_: The class's name.
        confidence: The score, 0 to 1.
        class_id: Its number in the model.
        box: Left, top, right, bottom, in pixels of the upright picture.
    """

    class_: str
    confidence: float
    class_id: int
    box: tuple[float, float, float, float]


class TextPrediction(msgspec.Struct):
    """A line of text on a picture, in reading order.

    Attributes:
        text: What was read.
        confidence: 0 to 1, the mean over the characters.
        box: The corners in pixels of the upright picture, clockwise from the top left.
    """

    text: str
    confidence: float
    box: tuple[tuple[float, float], ...]


Prediction = ClassPrediction | ObjectPrediction | TextPrediction


class PictureAnswer(msgspec.Struct):
    """What is on one picture.

    Attributes:
        predictions: The classes, objects or lines of text.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
    """

    predictions: list[Prediction]
    width: int
    height: int


class SingleAnswer(msgspec.Struct):
    """The answer to a request with one picture.

    Attributes:
        predictions: The classes, objects or lines of text.
        latency_seconds: From the request's arrival to this answer.
        model: The model's name.
        model_version: The version that answered.
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
    """

    predictions: list[Prediction]
    latency_seconds: float
    model: str
    model_version: str
    width: int
    height: int


class ManyAnswer(msgspec.Struct):
    """The answer to a request with a list of pictures.

    Attributes:
        results: One for each picture, in the request's order.
        latency_seconds: From the request's arrival to this answer.
        model: The model's name.
        model_version: The version that answered.
    """

    results: list[PictureAnswer]
    latency_seconds: float
    model: str
    model_version: str
