"""Light and weather of a drawn scene: what colours become by day, at dusk, at night, in rain and in fog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Colour = tuple[float, float, float]
"""Blue, green, red, 0 to 255."""

LightName = Literal["day", "dusk", "night", "overcast"]
WeatherName = Literal["clear", "rain", "fog"]


def darker(colour: Colour, share: float) -> Colour:
    """`share` of a colour's brightness."""
    return colour[0] * share, colour[1] * share, colour[2] * share


@dataclass(frozen=True)
class Light:
    """How a time of day looks.

    Attributes:
        gain: Factor on blue, green and red of everything that does not shine by itself.
        ambient: Share of light that reaches a face turned away from the sun.
        sun: Direction towards the sun (x, y, z), unit length.
        zenith: Sky colour overhead.
        horizon: Sky colour at the horizon.
        shadow: Darkness of cast shadows, 0 to 1.
        lamps: Whether street lamps, windows and headlights are lit.
        noise: Standard deviation of the sensor noise, in grey levels.
    """

    gain: Colour
    ambient: float
    sun: tuple[float, float, float]
    zenith: Colour
    horizon: Colour
    shadow: float
    lamps: bool
    noise: float


LIGHTS: dict[LightName, Light] = {
    "day": Light((0.98, 1.0, 1.0), 0.62, (-0.45, -0.4, 0.8), (205, 150, 90), (235, 220, 200), 0.42, False, 2.5),
    "overcast": Light((0.88, 0.86, 0.83), 0.85, (0.0, -0.1, 0.99), (190, 182, 172), (212, 208, 202), 0.18, False, 3.5),
    "dusk": Light((0.62, 0.56, 0.60), 0.75, (0.8, 0.3, 0.5), (120, 82, 62), (110, 150, 225), 0.22, True, 5.0),
    "night": Light((0.47, 0.41, 0.39), 0.85, (0.2, -0.3, 0.93), (38, 24, 16), (66, 48, 38), 0.12, True, 7.0),
}


@dataclass(frozen=True)
class Weather:
    """What the air does to the picture.

    Attributes:
        haze: Share of light lost to the air per metre.
        rain: Streaks per picture.
        wet: How strongly the ground mirrors the sky, 0 to 1.
    """

    haze: float
    rain: int
    wet: float


WEATHERS: dict[WeatherName, Weather] = {
    "clear": Weather(0.0015, 0, 0.0),
    "rain": Weather(0.006, 260, 0.35),
    "fog": Weather(0.022, 0, 0.1),
}


@dataclass(frozen=True)
class Atmosphere:
    """Light and weather together: the one place where colours of things become colours of pixels."""

    light: Light
    weather: Weather

    @classmethod
    def named(cls, light: LightName, weather: WeatherName) -> Atmosphere:
        """The atmosphere of one time of day and one kind of weather."""
        return cls(LIGHTS[light], WEATHERS[weather])

    @property
    def haze_colour(self) -> Colour:
        """What far things fade into."""
        blue, green, red = self.light.horizon
        return blue * 0.92, green * 0.92, red * 0.92

    def clear(self, depth: float) -> float:
        """Share of a thing's own colour that arrives from `depth` metres away."""
        return float(np.exp(-self.weather.haze * max(depth, 0.0)))

    def shade(self, colour: Colour, facing: float, depth: float, *, shines: bool = False) -> Colour:
        """The colour of a lit face in the picture.

        Args:
            colour: The face's own colour.
            facing: Cosine between the face's normal and the sun.
            depth: Metres from the camera.
            shines: Whether the face gives its own light (lamps, lit windows).
        """
        clear = self.clear(depth)
        bright = 1.0 if shines else self.light.ambient + (1.0 - self.light.ambient) * max(facing, 0.0)
        gain = (1.0, 1.0, 1.0) if shines else self.light.gain
        fade = self.haze_colour
        return (
            min(colour[0] * bright * gain[0], 255.0) * clear + fade[0] * (1.0 - clear),
            min(colour[1] * bright * gain[1], 255.0) * clear + fade[1] * (1.0 - clear),
            min(colour[2] * bright * gain[2], 255.0) * clear + fade[2] * (1.0 - clear),
        )
