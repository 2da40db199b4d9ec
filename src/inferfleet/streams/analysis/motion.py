"""Where tracked boxes are expected next: a Kalman filter of constant velocity for many boxes at once.

Centre and size are four independent coordinates, each with a position, a velocity and their 2 x 2 covariance, so that
all arithmetic is elementwise. The noise is ByteTrack's (position 1/20 and velocity 1/160 of the box's height per frame
of a 30 Hz video; Zhang et al. 2022, after DeepSORT), turned into rates per second so that any frame rate will do, and
measured by width for horizontal and by height for vertical coordinates as BoT-SORT does (Aharon et al. 2022).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inferfleet.streams.analysis.boxes import F64

_RATE = 30.0
_MEASUREMENT = (1 / 20) ** 2
_DRIFT = (1 / 20) ** 2 * _RATE
_ACCELERATION = (_RATE / 160) ** 2 * _RATE
_FIRST_POSITION = (2 / 20) ** 2
_FIRST_VELOCITY = (10 * _RATE / 160) ** 2
_SMALLEST = 1.0
"""No box is expected to shrink below a pixel."""

_X, _V, _XX, _XV, _VV = range(5)


class Motion:
    """The filters of all tracks of a camera, in the order of the tracks.

    Attributes:
        state: float64 [5, n, 4]: position, velocity, and the variances xx, xv, vv of centre x, centre y, width, height.
    """

    def __init__(self, state: F64 | None = None) -> None:
        self.state: F64 = np.empty((5, 0, 4)) if state is None else state

    def boxes(self) -> F64:
        """Where the boxes are expected, [n, 4]."""
        centre, half = self.state[_X, :, :2], self.state[_X, :, 2:] / 2
        return np.concatenate([centre - half, centre + half], axis=1)

    def predict(self, seconds: float, missed: NDArray[np.bool_]) -> None:
        """Moves the expectation on.

        Args:
            seconds: How much later the next frame is.
            missed: [n], which objects the latest frame did not show; their size stays as it was.
        """
        x, v, xx, xv, vv = self.state
        step = v * seconds
        step[missed, 2:] = 0.0
        x += step
        np.maximum(x[:, 2:], _SMALLEST, out=x[:, 2:])
        squares = _squares(x)
        xx += seconds * (2.0 * xv + seconds * vv) + (_DRIFT * seconds) * squares
        xv += seconds * vv
        vv += (_ACCELERATION * seconds) * squares

    def update(self, tracks: NDArray[np.int64], boxes: F64) -> None:
        """Takes in where objects were found.

        Args:
            tracks: [k], places of the tracks.
            boxes: [k, 4], their boxes.
        """
        x, v, xx, xv, vv = self.state[:, tracks]
        surprise = _measure(boxes) - x
        certainty = 1.0 / (xx + _MEASUREMENT * _squares(x))
        gain, pull = xx * certainty, xv * certainty
        x += gain * surprise
        v += pull * surprise
        vv -= pull * xv
        xv *= 1.0 - gain
        xx *= 1.0 - gain
        np.maximum(x[:, 2:], _SMALLEST, out=x[:, 2:])
        self.state[:, tracks] = x, v, xx, xv, vv

    def begin(self, boxes: F64) -> None:
        """Adds objects at rest at boxes [k, 4], after all others."""
        if not len(boxes):
            return
        x = _measure(boxes)
        squares, still = _squares(x), np.zeros_like(x)
        fresh = np.stack([x, still, _FIRST_POSITION * squares, still, _FIRST_VELOCITY * squares])
        self.state = np.concatenate([self.state, fresh], axis=1)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forgets the objects for which `kept` [n] is false."""
        self.state = self.state[:, kept]

    def scale(self, by: tuple[float, float]) -> None:
        """Follows a picture whose width and height were multiplied by `by`."""
        factors = np.array(by * 2)
        self.state[:_XX] *= factors
        self.state[_XX:] *= factors**2


def _measure(boxes: F64) -> F64:
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _squares(x: F64) -> F64:
    squared = np.square(x[:, 2:])
    return np.concatenate([squared, squared], axis=1)
