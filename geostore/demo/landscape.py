"""Draw the land of a scene: sky, hills, fields, and a road in perspective.

Lengths on the ground are metres. The picture is that of a pinhole camera that
stands in its own lane, so it shows on which side cars keep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

FOCAL = 1500.0
"""Focal length in pixels of the finished photo."""

EYE = 1.5
"""Height of the camera above the road in metres."""

HALF_ROAD = 3.5
"""From the road's middle to its edge in metres."""

Colour = tuple[int, int, int]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Climate:
    """What grows beside the road."""

    name: str
    """``tropical``, ``dry``, ``temperate`` or ``northern``."""
    grass: Colour
    """Base colour of the fields."""
    soil: Colour
    """Base colour of the verge."""
    leaves: Colour
    """Base colour of trees and hills."""
    tree: str
    """``palm``, ``shrub``, ``broadleaf`` or ``fir``."""


CLIMATES: tuple[Climate, ...] = (
    Climate("tropical", (92, 138, 52), (150, 98, 62), (52, 104, 44), "palm"),
    Climate("dry", (186, 166, 112), (196, 164, 116), (112, 116, 62), "shrub"),
    Climate("temperate", (118, 146, 76), (128, 108, 80), (72, 108, 50), "broadleaf"),
    Climate("northern", (132, 140, 98), (116, 104, 88), (50, 78, 52), "fir"),
)


def climate_at(lat: float) -> Climate:
    """The climate at a latitude in degrees; in the demo it depends on nothing else."""
    limits = (22.0, 36.0, 52.0)
    return CLIMATES[sum(abs(lat) >= limit for limit in limits)]


@dataclass(frozen=True)
class View:
    """Where the ground lies in the picture."""

    width: int
    """Of the picture, in pixels."""
    height: int
    """Of the picture, in pixels."""
    horizon: int
    """y of the horizon, in pixels."""
    vanishing: float
    """x where the road meets the horizon, in pixels."""
    bend: float
    """Of the road, in metres to the right per square metre ahead."""
    side: int
    """+1 where cars keep right, -1 where they keep left."""
    focal: float = FOCAL
    """Focal length in pixels."""

    @property
    def road_centre(self) -> float:
        """Metres from the camera to the road's middle; the camera is in its own lane."""
        return -self.side * HALF_ROAD / 2

    def at(self, across: float, ahead: float) -> tuple[float, float, float]:
        """Picture x, y of a point on the ground, and pixels per metre there."""
        scale = self.focal / ahead
        x = self.vanishing + (across + self.bend * ahead**2) * scale
        return x, self.horizon + EYE * scale, scale

    def halved(self) -> View:
        """The same view in a picture of half the size; width, height and horizon are even."""
        return View(
            self.width // 2,
            self.height // 2,
            self.horizon // 2,
            self.vanishing / 2,
            self.bend,
            self.side,
            self.focal / 2,
        )


def draw_landscape(view: View, climate: Climate, rng: np.random.Generator) -> Image.Image:
    """Sky with clouds, the ground with the road, and two ranges of hills between them.

    Sky and ground are drawn at half the size and enlarged, which takes a quarter of the
    time and loses nothing, since they have no detail.
    """
    half = view.halved()
    land = np.concatenate([_sky(half, rng), _ground(half, climate, rng)])
    image = Image.fromarray(land.clip(0, 255).astype(np.uint8))
    image = image.resize((view.width, view.height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    haze, leaves = np.array((176, 196, 214), np.float32), np.array(climate.leaves, np.float32)
    for rise, distance in ((rng.uniform(90, 230), 0.72), (rng.uniform(30, 100), 0.42)):
        colour = haze * np.float32(distance) + leaves * np.float32(1 - distance)
        steps = np.linspace(0, view.width, 129)
        heights = _smooth(rng, 129, 6) * 0.75 + _smooth(rng, 129, 18) * 0.25
        ridge = [
            (float(x), float(view.horizon - rise * (0.25 + y)))
            for x, y in zip(steps, heights, strict=True)
        ]
        edge = [(float(view.width), view.horizon + 2.0), (0.0, view.horizon + 2.0)]
        draw.polygon(ridge + edge, fill=_as_colour(colour))
    return image


def _sky(view: View, rng: np.random.Generator) -> Floats:
    top = np.array((92, 142, 200), dtype=np.float32) + rng.normal(0, 6, 3).astype(np.float32)
    low = np.array((206, 222, 236), dtype=np.float32)
    rows = np.linspace(0, 1, view.horizon, dtype=np.float32)[:, None, None] ** 1.4
    sky = top * (1 - rows) + low * rows
    clouds = _clouds(rng, view.width, view.horizon)[:, :, None]
    return np.asarray(sky * (1 - clouds) + np.float32(246) * clouds)


def _clouds(rng: np.random.Generator, width: int, height: int) -> Floats:
    """Cover of the sky by clouds, 0..1: noise of three sizes, stretched along the horizon."""
    total = np.zeros((height, width), dtype=np.float32)
    for cells, weight in ((5, 0.55), (13, 0.3), (34, 0.15)):
        total += weight * _field(rng, width, height, cells, cells * 2)
    return np.asarray(((total - 0.5) * 3.2).clip(0, 0.9))


def _ground(view: View, climate: Climate, rng: np.random.Generator) -> Floats:
    """Fields, verge, asphalt and markings by projecting every pixel back onto the ground."""
    height = view.height - view.horizon
    rows = np.arange(height, dtype=np.float32)[:, None] + 0.5
    ahead = view.focal * EYE / rows
    pixel = ahead / np.float32(view.focal)
    across = (np.arange(view.width, dtype=np.float32)[None, :] - view.vanishing) * pixel
    across = across - view.bend * ahead**2 - view.road_centre
    offset = np.abs(across)

    patches = _field(rng, view.width, height, 9, 22)[:, :, None]
    grain = rng.standard_normal((height, view.width, 1), np.float32)
    fade = (rows / height)[:, :, None]  # 0 at the horizon, 1 at the feet
    grass = np.array(climate.grass, np.float32) * (0.82 + 0.3 * patches)
    soil = np.array(climate.soil, np.float32) * (0.85 + 0.25 * patches)
    ground = grass + grain * (3 + 9 * fade)
    verge = _soft(offset, HALF_ROAD + 0.9, pixel)[:, :, None]
    ground = ground * (1 - verge) + (soil + grain * (2 + 7 * fade)) * verge
    asphalt = np.float32(98) + grain * (1 + 4 * fade) - 8 * patches
    road = _soft(offset, HALF_ROAD, pixel)[:, :, None]
    ground = ground * (1 - road) + asphalt * road

    edge = _soft(np.abs(offset - (HALF_ROAD - 0.25)), 0.07, pixel)
    dashes = _soft(offset, 0.07, pixel) * ((ahead % 9.0) < 3.5)
    paint = (np.maximum(edge, dashes) * 0.85)[:, :, None]
    ground = ground * (1 - paint) + np.float32(226) * paint
    far = (1 - fade) ** 9 * 0.5
    return np.asarray(ground * (1 - far) + np.array((190, 204, 214), np.float32) * far)


def _soft(distance: Floats, limit: float, pixel: Floats) -> Floats:
    """1 inside `limit` metres, 0 outside, with an edge one pixel (so many metres) wide."""
    return np.asarray(((limit - distance) / pixel + 0.5).clip(0, 1), dtype=np.float32)


def _smooth(rng: np.random.Generator, count: int, knots: int) -> NDArray[np.float64]:
    """A random curve 0..1 through `knots` points, at `count` places."""
    places = np.linspace(0, knots - 1, count)
    low = places.astype(int).clip(0, knots - 2)
    part = places - low
    part = part * part * (3 - 2 * part)
    values = rng.random(knots)
    return np.asarray(values[low] * (1 - part) + values[low + 1] * part)


def _field(rng: np.random.Generator, width: int, height: int, across: int, down: int) -> Floats:
    """Smooth noise 0..1 over a picture, `across` x `down` cells."""
    cells = Image.fromarray(rng.random((down, across)).astype(np.float32))
    return np.asarray(cells.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)


def _as_colour(values: Floats) -> Colour:
    red, green, blue = (int(value) for value in values.clip(0, 255))
    return red, green, blue
