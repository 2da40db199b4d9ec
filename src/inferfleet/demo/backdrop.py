"""The picture behind the moving objects: sky, houses, trees and the painted ground, drawn once per scene."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from inferfleet.demo.brush import Brush, Picture
from inferfleet.demo.camera import Array, Camera
from inferfleet.demo.layout import Layout
from inferfleet.demo.light import Atmosphere, Colour, darker
from inferfleet.demo.surroundings import draw_surroundings

Floats = npt.NDArray[np.float32]

ASPHALT: Colour = (96, 94, 92)
PAINT: Colour = (228, 232, 232)
GRASS: Colour = (72, 118, 96)
PAVING: Colour = (158, 162, 166)


def draw_backdrop(camera: Camera, air: Atmosphere, layout: Layout, random: np.random.Generator) -> Picture:
    """Draws all that does not move.

    Returns:
        The picture [height, width, 3], blue, green, red.
    """
    picture = _sky(camera, air, random)
    _skyline(picture, camera, air, random)
    _ground(picture, camera, air, layout, random)
    draw_surroundings(Brush(picture, camera, air), air, layout, random)
    return picture


def _sky(camera: Camera, air: Atmosphere, random: np.random.Generator) -> Picture:
    rows, columns = camera.height, camera.width
    horizon = camera.height / 2 - camera.focal_px * np.tan(np.radians(camera.tilt))
    share = np.clip(1.0 - np.arange(rows) / max(horizon + 1.0, 40.0), 0.0, 1.0)[:, None, None]
    low, high = np.array(air.light.horizon), np.array(air.light.zenith)
    sky = np.broadcast_to(low * (1.0 - share) + high * share, (rows, columns, 3)).astype(np.float32)
    if horizon > 4:
        clouds = _clouds(random, (rows, columns), (5, 9))[..., None] * 0.55
        bright = np.minimum(low * 1.15 + 8.0, 255.0)
        sky = sky * (1.0 - clouds) + bright.astype(np.float32) * clouds
    return np.ascontiguousarray(np.clip(sky, 0, 255), np.uint8)


def _skyline(picture: Picture, camera: Camera, air: Atmosphere, random: np.random.Generator) -> None:
    """A hazy row of far roofs along the horizon."""
    horizon = camera.height / 2 - camera.focal_px * np.tan(np.radians(camera.tilt))
    if horizon < 2:
        return
    x = -20
    while x < camera.width:
        wide, tall = int(random.integers(30, 130)), float(random.uniform(10, 60)) * camera.focal
        tone = air.shade((150, 140, 132), 0.2, 220.0 if air.weather.haze < 0.01 else 90.0)
        uneven = [float(channel * random.uniform(0.9, 1.0)) for channel in tone]
        cv2.rectangle(picture, (x, int(horizon - tall)), (x + wide, int(horizon) + 2), uneven, -1)
        x += wide


def _ground(picture: Picture, camera: Camera, air: Atmosphere, layout: Layout, random: np.random.Generator) -> None:
    x, y, depth = camera.ground()
    top = int(np.argmax(np.isfinite(depth[:, 0])))
    x, y, depth = x[top:], y[top:], depth[top:]
    along, across = layout.local(x, y)
    pixel = depth / camera.focal_px * np.maximum(1.0, np.abs(depth) / camera.mount * 0.5)
    grain = _grain(random, x, y, pixel)
    colour = _surface(layout, along, across, pixel, random)
    colour *= (1.0 + grain)[..., None]
    lit = air.light.ambient + (1.0 - air.light.ambient) * max(air.light.sun[2], 0.0)
    colour *= np.array(air.light.gain, np.float32) * lit
    if air.light.lamps:
        colour *= 0.72
        colour += _lamp_pools(layout, along, across)[..., None] * np.array([26, 48, 62], np.float32)
    if air.weather.wet:
        mirrored = np.array(air.light.horizon, np.float32) * 0.8
        sheen = (air.weather.wet * np.clip(0.35 + grain * 2.5, 0.1, 0.8))[..., None]
        colour = colour * (1.0 - sheen) + mirrored * sheen
    clear = np.exp(-air.weather.haze * depth).astype(np.float32)[..., None]
    colour = colour * clear + np.array(air.haze_colour, np.float32) * (1.0 - clear)
    picture[top:] = np.clip(colour, 0, 255).astype(np.uint8)


def _surface(layout: Layout, along: Array, across: Array, pixel: Array, random: np.random.Generator) -> Floats:
    """Unlit colours of the ground [h, w, 3]."""

    def band(value: Array, low: float, high: float) -> Floats:
        """1 between two bounds, 0 outside, with edges as soft as a pixel is wide."""
        soft = np.maximum(pixel, 1e-3)
        rising = np.clip((value - low) / soft + 0.5, 0.0, 1.0)
        return np.asarray(rising * np.clip((high - value) / soft + 0.5, 0.0, 1.0), np.float32)

    def lay(colour: Floats, tone: Colour, share: Floats) -> Floats:
        return colour + (np.array(tone, np.float32) - colour) * share[..., None]

    shape = (*along.shape, 3)
    if layout.place == "plaza":
        base = PAVING if random.random() < 0.5 else ASPHALT
        colour = np.broadcast_to(np.array(base, np.float32), shape)
        joints = np.maximum(band(np.mod(along, 2.4), 0.0, 0.06), band(np.mod(across, 2.4), 0.0, 0.06))
        return lay(colour, darker(base, 0.86), joints)
    colour = np.broadcast_to(np.array(GRASS if layout.place == "street" else ASPHALT, np.float32), shape)
    edge, outer = layout.half, layout.half + layout.pavement
    if layout.place == "street":
        colour = lay(colour, PAVING, band(across, -outer, outer))
        joints = np.maximum(band(np.mod(along, 1.2), 0.0, 0.05), band(np.mod(across - edge, 0.8), 0.0, 0.05))
        colour = lay(colour, (132, 136, 140), joints * band(np.abs(across), edge, outer))
        colour = lay(colour, (186, 190, 192), band(np.abs(across), edge, edge + 0.22))
        colour = lay(colour, ASPHALT, band(across, -edge, edge))
        dashes = band(np.mod(along, 6.0), 0.0, 3.0)
        if layout.crossing is not None:
            zone = band(along, layout.crossing - 2.0, layout.crossing + 2.0)
            dashes = dashes * (1.0 - band(along, layout.crossing - 4.0, layout.crossing + 4.0))
            stripes = band(np.mod(across + edge, 1.0), 0.25, 0.75) * band(across, -edge + 0.2, edge - 0.2)
            colour = lay(colour, PAINT, stripes * zone * 0.9)
        colour = lay(colour, PAINT, dashes * band(across, -0.08, 0.08) * 0.85)
        return lay(colour, PAINT, band(np.abs(across), edge - 1.05, edge - 0.95) * 0.45)
    bays = band(np.abs(across), edge, edge + 5.2) * band(np.mod(along, 2.8), 0.0, 0.12)
    ends = band(np.abs(across), edge + 5.1, edge + 5.25)
    colour = lay(colour, (108, 106, 104), band(across, -edge, edge) * 0.8)
    colour = lay(colour, PAINT, np.maximum(bays, ends) * 0.8)
    arrow = band(np.abs(np.abs(across) - 1.7), 0.0, 0.1) * band(np.mod(along, 9.0), 0.0, 2.0)
    colour = lay(colour, PAINT, arrow * 0.7)
    return lay(colour, GRASS, band(np.abs(across), edge + 6.4, 400.0))


def _lamp_pools(layout: Layout, along: Array, across: Array) -> Floats:
    """Light of street lamps on the ground, 0 to 1."""
    spacing, place = 18.0, layout.half + 1.0
    nearest = np.mod(along + spacing / 2, spacing) - spacing / 2
    distance = (nearest**2 + (np.abs(across) - place) ** 2) / 36.0
    return np.asarray(np.exp(-distance), np.float32)


def _grain(random: np.random.Generator, x: Array, y: Array, pixel: Array) -> Floats:
    """Roughness of the ground as a factor around 0, from two scales of noise laid over the world."""
    total = np.zeros(x.shape, np.float32)
    for cell, strength in ((0.06, 0.10), (1.1, 0.06)):
        noise = np.tile(random.standard_normal((256, 256), dtype=np.float32), (2, 2))
        noise = cv2.GaussianBlur(noise, (0, 0), 1.2)[128:384, 128:384]
        column = np.mod(x / cell, 256.0).astype(np.float32)
        row = np.mod(y / cell, 256.0).astype(np.float32)
        sampled: Any = cv2.remap(noise / noise.std(), column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        total += sampled * np.asarray(strength / (1.0 + (pixel / cell) ** 2), np.float32)
    return total * 0.6


def _clouds(random: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Floats:
    """Soft patches, 0 to 1."""
    total = np.zeros(shape, np.float32)
    for octave in range(3):
        size = (cells[0] * 2**octave, cells[1] * 2**octave)
        small = random.random(size).astype(np.float32)
        large: Any = cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        total += large / 2**octave
    return np.asarray(np.clip(total / 1.75 * 2.4 - 0.95, 0.0, 1.0), np.float32)
