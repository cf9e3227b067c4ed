"""Reads from pixels where a sign stands in a photo, how it is tilted, and the scenery.

Angles are degrees counter-clockwise as seen; boxes are (left, top, right, bottom)
in pixels of the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

_LOOK = 640  # longest side, in pixels, at which an image is searched for a sign
_CELL = 4  # pixels: side of the cells in which connected regions are found
_LEAST_CELLS = 8
_HUES = ((138, 168), (100, 128))  # of blue and of green signs, in 255ths of the circle
_GROUNDS = {
    "tropical": (92, 138, 52),
    "dry": (186, 166, 112),
    "temperate": (118, 146, 76),
    "northern": (132, 140, 98),
}


@dataclass(frozen=True)
class Panel:
    """A sign's coloured face."""

    box: tuple[float, float, float, float]
    """The upright box around it, in pixels."""
    angle: float
    """Of its lines of text, in (-90, 90]: a line turned by half a circle looks the same."""
    centre: tuple[float, float]
    """Of the tilted rectangle, in pixels."""
    length: float
    """Of the tilted rectangle along its lines, in pixels."""
    height: float
    """Of the tilted rectangle across its lines, in pixels."""


@dataclass(frozen=True)
class Scenery:
    """What the scene shows apart from text."""

    side: str | None
    """The side on which cars keep, ``left`` or ``right``; None where none is seen."""
    ground: str
    """``tropical``, ``dry``, ``temperate`` or ``northern``, by the colour of the fields."""


def find_panel(image: Image.Image) -> Panel | None:
    """The largest rectangle in a road sign's blue or green, or None."""
    shrink = max(image.size) / _LOOK
    small = image.convert("RGB")
    if shrink > 1:
        size = (round(image.width / shrink), round(image.height / shrink))
        small = small.resize((max(size[0], 1), max(size[1], 1)), Image.Resampling.BOX)
    factor_x, factor_y = image.width / small.width, image.height / small.height
    hsv = np.asarray(small.convert("HSV"))
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    vivid = (saturation > 165) & (value > 50) & (value < 200)
    best: Panel | None = None
    for low, high in _HUES:
        mask = vivid & (hue >= low) & (hue <= high)
        panel = _largest_rectangle(mask)
        if panel is not None and (best is None or panel.length > best.length):
            best = panel
    if best is None:
        return None
    left, top, right, bottom = best.box
    return Panel(
        (left * factor_x, top * factor_y, right * factor_x, bottom * factor_y),
        best.angle,
        (best.centre[0] * factor_x, best.centre[1] * factor_y),
        best.length * factor_x,
        best.height * factor_y,
    )


def _largest_rectangle(mask: Mask) -> Panel | None:
    """The rectangle around the largest connected part of a mask, if it is one."""
    rows, columns = mask.shape[0] // _CELL, mask.shape[1] // _CELL
    cells = mask[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    dense = cells.mean(axis=(1, 3)) > 0.3
    region = _largest_region(dense)
    if len(region) < _LEAST_CELLS:
        return None
    ys, xs = np.array(region).T
    # One cell more on each side: cells at the rim are only partly covered.
    top, bottom = max(ys.min() - 1, 0) * _CELL, (ys.max() + 2) * _CELL
    left, right = max(xs.min() - 1, 0) * _CELL, (xs.max() + 2) * _CELL
    part = mask[top:bottom, left:right]
    points = _outline(part)
    angle, (low_u, high_u, low_v, high_v) = _least_rectangle(points)
    length, height = high_u - low_u, high_v - low_v
    if height < 4 or part.sum() < 0.45 * length * height or length > 12 * height:
        return None
    turn = math.radians(angle)
    u, v = (low_u + high_u) / 2, (low_v + high_v) / 2
    # v points down the picture when the angle is 0; y grows downwards.
    centre_x = left + u * math.cos(turn) + v * math.sin(turn)
    centre_y = top - u * math.sin(turn) + v * math.cos(turn)
    box = (
        left + float(points[:, 0].min()) - 0.5,
        top + float(points[:, 1].min()) - 0.5,
        left + float(points[:, 0].max()) + 0.5,
        top + float(points[:, 1].max()) + 0.5,
    )
    return Panel(box, angle, (centre_x, centre_y), length, height)


def _largest_region(dense: Mask) -> list[tuple[int, int]]:
    """The largest 4-connected set of true cells, as (row, column)."""
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(dense), strict=True)}
    best: list[tuple[int, int]] = []
    for start in sorted(left):
        if start not in left:
            continue
        left.remove(start)
        region = [start]
        for y, x in region:  # grows while it is walked
            for cell in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if cell in left:
                    left.remove(cell)
                    region.append(cell)
        if len(region) > len(best):
            best = region
    return best


def _outline(part: Mask) -> Points:
    """First and last true pixel of every row and column, as centres (x, y)."""
    ends_of_lines = []
    for mask, swap in ((part, False), (part.T, True)):
        lines = np.flatnonzero(mask.any(axis=1))
        first = mask[lines].argmax(axis=1)
        last = mask.shape[1] - 1 - mask[lines, ::-1].argmax(axis=1)
        for ends in (first, last):
            ends_of_lines.append(np.stack((lines, ends) if swap else (ends, lines), axis=1))
    return np.concatenate(ends_of_lines).astype(np.float64) + 0.5


def _least_rectangle(points: Points) -> tuple[float, tuple[float, float, float, float]]:
    """Angle and extent (along and across) of the smallest rectangle; along is the longer side.

    The extent leaves out a few outlying points, or one stray pixel would turn the rectangle.
    """

    def extent(angles: Points) -> Points:
        turn = np.radians(angles)[:, None]
        x, y = points[:, 0][None, :], points[:, 1][None, :]
        along = x * np.cos(turn) - y * np.sin(turn)
        across = x * np.sin(turn) + y * np.cos(turn)
        ends = [np.percentile(values, (1, 99), axis=1) for values in (along, across)]
        return np.concatenate(ends)

    def smallest(angles: Points) -> float:
        low_u, high_u, low_v, high_v = extent(angles)
        return float(angles[np.argmin((high_u - low_u) * (high_v - low_v))])

    angle = smallest(np.arange(-45.0, 45.0, 1.0))
    angle = smallest(np.arange(angle - 1.0, angle + 1.05, 0.1))
    low_u, high_u, low_v, high_v = extent(np.array([angle]))[:, 0]
    if high_v - low_v > high_u - low_u:
        angle = angle + 90 if angle <= 0 else angle - 90
        low_u, high_u, low_v, high_v = extent(np.array([angle]))[:, 0]
    return angle, (float(low_u), float(high_u), float(low_v), float(high_v))


def up_direction(image: Image.Image) -> float | None:
    """The direction of the sky, in degrees counter-clockwise from the right; 90 if upright.

    Sky and far hills are bluer than the ground, on average. None where no side of the
    image is clearly bluer than the other. Black corners, which a rotation leaves, are
    ignored.
    """
    pixels = np.asarray(image.convert("RGB").resize((64, 64)), dtype=np.float64)
    seen = pixels.max(axis=2) > 24
    blue = (pixels[..., 2] - pixels[..., 0]).clip(-60, 60)
    if not seen.any():
        return None
    weight = np.where(seen, blue - blue[seen].mean(), 0.0)
    y, x = np.mgrid[0:64, 0:64]
    across = float((weight * (x - 31.5)).sum()) * image.width
    upwards = float((weight * (31.5 - y)).sum()) * image.height
    # The halves must differ at least by this mean shade of blue.
    if math.hypot(across, upwards) < 1.5 * 32 * 64 * 64 / 4 * max(image.size):
        return None
    return math.degrees(math.atan2(upwards, across))


def turn_upright(panel: Panel, image: Image.Image) -> float:
    """Degrees to rotate counter-clockwise so that the panel's text is upright, in (-180, 180].

    Two turns level the lines; this is the one that brings the sky up.
    """
    turn = -panel.angle
    sky = up_direction(image)
    if sky is not None and math.sin(math.radians(sky + turn)) < 0:
        turn += 180
    return (turn + 180) % 360 - 180 if (turn + 180) % 360 else 180.0


def look_around(image: Image.Image) -> Scenery:
    """The side cars keep and the kind of ground, in a photo that stands upright."""
    size = (320, max(round(320 * image.height / image.width), 1))
    pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX), dtype=np.int16)
    return Scenery(_side_of_cars(pixels), _ground(pixels))


def _side_of_cars(pixels: NDArray[np.int16]) -> str | None:
    """Where the red lights of a car ahead lie on the grey of the road."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    lights = (red > 150) & (green < 90) & (blue < 90) & (red > 2 * green)
    lights[: pixels.shape[0] // 3] = False
    ys, xs = np.nonzero(lights)
    if len(xs) < 4:
        return None
    spread = float(xs.max() - xs.min())
    row = min(int(np.median(ys) + 0.75 * spread) + 1, pixels.shape[0] - 1)
    grey = (abs(red[row] - green[row]) < 16) & (abs(green[row] - blue[row]) < 16)
    road = np.flatnonzero(grey & (red[row] > 50) & (red[row] < 135))
    if len(road) < 8:
        return None
    middle = (float(np.percentile(road, 3)) + float(np.percentile(road, 97))) / 2
    car = float(xs.max() + xs.min()) / 2
    return "right" if car > middle else "left"


def _ground(pixels: NDArray[np.int16]) -> str:
    """The kind of ground whose colour is nearest to that of the fields beside the road."""
    height, width = pixels.shape[:2]
    band = pixels[round(height * 0.6) : round(height * 0.8)]
    sides = np.concatenate([band[:, : width // 5], band[:, -width // 5 :]], axis=1)
    flat = sides.reshape(-1, 3).astype(np.float64)
    coloured = flat[np.ptp(flat, axis=1) > 18]
    colour = np.median(coloured if len(coloured) else flat, axis=0)
    share = colour / max(float(colour.sum()), 1.0)

    def distance(name: str) -> float:
        reference = np.array(_GROUNDS[name], dtype=np.float64)
        return float(np.abs(share - reference / reference.sum()).sum())

    return min(sorted(_GROUNDS), key=distance)
