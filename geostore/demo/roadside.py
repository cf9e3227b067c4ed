"""Draw trees by climate, and cars from the front and from behind.

Each is drawn in metres, at the scale (pixels per metre) of its place, with its foot
at the given point. A car ahead of the camera shows red lights, one that comes
towards it white ones.
"""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]

_PAINT: tuple[Colour, ...] = (
    (196, 198, 200),
    (52, 54, 58),
    (232, 232, 228),
    (118, 30, 34),
    (88, 92, 96),
    (150, 132, 96),
)


def draw_tree(
    image: Image.Image,
    kind: str,
    foot: Point,
    scale: float,
    leaves: Colour,
    rng: np.random.Generator,
) -> None:
    """Draw one tree. kind: palm, shrub, broadleaf or fir; scale: pixels per metre."""
    draw = ImageDraw.Draw(image)
    x, y = foot
    tone = float(rng.uniform(0.8, 1.2))
    draw.ellipse(_around((x, y), 1.8 * scale, 0.3 * scale), _shade(leaves, 0.55))
    if kind == "fir":
        _draw_fir(draw, foot, scale * float(rng.uniform(0.7, 1.3)), _shade(leaves, tone))
    elif kind == "palm":
        _draw_palm(draw, foot, scale * float(rng.uniform(0.8, 1.2)), _shade(leaves, tone), rng)
    else:
        _draw_crown(draw, foot, scale, _shade(leaves, tone), rng, low=kind == "shrub")


def _draw_fir(draw: ImageDraw.ImageDraw, foot: Point, scale: float, leaves: Colour) -> None:
    x, y = foot
    draw.rectangle((x - 0.15 * scale, y - 1.5 * scale, x + 0.15 * scale, y), (74, 58, 44))
    for tier in range(5):
        half = (2.1 - 0.36 * tier) * scale
        base = y - (1.1 + 1.45 * tier) * scale
        tip = (x, base - 2.6 * scale)
        draw.polygon([(x - half, base), tip, (x + half, base)], _shade(leaves, 0.9 + 0.04 * tier))
        lit = [(x + 0.1 * half, base), tip, (x + half, base)]
        draw.polygon(lit, _shade(leaves, 1.12 + 0.04 * tier))


def _draw_palm(
    draw: ImageDraw.ImageDraw,
    foot: Point,
    scale: float,
    leaves: Colour,
    rng: np.random.Generator,
) -> None:
    x, y = foot
    lean = float(rng.uniform(-1.2, 1.2)) * scale
    trunk = [(x + lean * t * t, y - 8 * scale * t) for t in np.linspace(0, 1, 9)]
    draw.line(trunk, (128, 106, 82), max(round(0.3 * scale), 1), joint="curve")
    top = trunk[-1]
    for turn in np.linspace(0, 2 * pi, 12, endpoint=False) + rng.uniform(0, 0.5):
        reach, droop = 2.8 * scale, 1.5 * scale
        upper, lower = [], []
        for t in np.linspace(0, 1, 7):
            px = top[0] + cos(turn) * reach * t
            py = top[1] - sin(turn) * 0.6 * reach * t + droop * t * t
            blade = 0.28 * scale * sin(pi * min(t + 0.12, 1))
            upper.append((px, py - blade))
            lower.append((px, py + blade))
        tone = _shade(leaves, float(rng.uniform(0.8, 1.3)))
        draw.polygon(upper + lower[::-1], tone)


def _draw_crown(
    draw: ImageDraw.ImageDraw,
    foot: Point,
    scale: float,
    leaves: Colour,
    rng: np.random.Generator,
    *,
    low: bool,
) -> None:
    """A trunk and a heap of leaves, lighter towards the upper left."""
    x, y = foot
    height = float(rng.uniform(1.0, 1.8) if low else rng.uniform(5.0, 8.0))
    radius = height * (0.75 if low else 0.36)
    middle = y - (height - radius * 0.8) * scale
    if not low:
        half = 0.16 * scale
        draw.rectangle((x - half, middle, x + half, y), (88, 70, 54))
    puffs = []
    for _ in range(14 if low else 34):
        turn, reach = float(rng.uniform(0, 2 * pi)), float(rng.random()) ** 0.5
        puffs.append((cos(turn) * reach, -sin(turn) * reach * (0.6 if low else 1.0)))
    for across, down in sorted(puffs, key=lambda puff: puff[0] - 2 * puff[1]):
        light = 1.0 - 0.22 * down - 0.12 * across + float(rng.uniform(-0.06, 0.06))
        centre = (x + across * radius * scale, middle + down * radius * scale)
        size = radius * scale * float(rng.uniform(0.26, 0.42))
        draw.ellipse(_around(centre, size, size * 0.85), _shade(leaves, light))


def draw_car(
    image: Image.Image, foot: Point, scale: float, *, front: bool, rng: np.random.Generator
) -> None:
    """Draw a car from the front or from behind, wheels on `foot`; scale: pixels per metre.

    Drawing it at twice its size and reducing it smooths its edges.
    """
    paint = _PAINT[int(rng.integers(len(_PAINT)))]
    unit = 2 * scale
    width, height = round(2.4 * unit), round(1.9 * unit)
    sprite = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sprite)

    def box(x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
        """Metres from the middle and above the road -> pixels of the sprite."""
        base = height - 0.15 * unit
        return width / 2 + x1 * unit, base - y2 * unit, width / 2 + x2 * unit, base - y1 * unit

    draw.ellipse(box(-1.1, -0.13, 1.1, 0.2), (30, 32, 34, 170))
    for x in (-0.72, 0.72):
        draw.rounded_rectangle(box(x - 0.13, 0.0, x + 0.13, 0.6), 0.08 * unit, (24, 24, 26, 255))
    left, top, right, bottom = box(-0.66, 0.8, 0.66, 1.45)
    lean = 0.16 * unit
    cabin = [(left + lean, top), (right - lean, top), (right, bottom), (left, bottom)]
    draw.polygon(cabin, (*_shade(paint, 0.92), 255))
    glass = (64, 78, 90, 255)
    inset = 0.07 * unit
    window = [
        (left + lean + inset / 2, top + inset),
        (right - lean - inset / 2, top + inset),
        (right - inset, bottom - inset / 2),
        (left + inset, bottom - inset / 2),
    ]
    draw.polygon(window, glass)
    body = box(-0.88, 0.28, 0.88, 0.92)
    draw.rounded_rectangle(body, 0.14 * unit, (*paint, 255))
    draw.rounded_rectangle(box(-0.86, 0.25, 0.86, 0.45), 0.07 * unit, (*_shade(paint, 0.6), 255))
    if front:
        draw.rounded_rectangle(box(-0.42, 0.5, 0.42, 0.66), 0.05 * unit, (36, 38, 40, 255))
        for x in (-0.64, 0.64):
            draw.ellipse(box(x - 0.19, 0.56, x + 0.19, 0.8), (255, 250, 214, 255))
    else:
        draw.rectangle(box(-0.26, 0.5, 0.26, 0.63), (236, 236, 230, 255))
        for x in (-0.7, 0.7):
            lamp = box(x - 0.16, 0.58, x + 0.16, 0.84)
            draw.rounded_rectangle(lamp, 0.04 * unit, (226, 24, 22, 255))
    small = sprite.resize((max(width // 2, 1), max(height // 2, 1)), Image.Resampling.BOX)
    place = (round(foot[0] - small.width / 2), round(foot[1] - small.height + 0.15 * scale))
    image.paste(small, place, small)


def _around(
    centre: Point, half_width: float, half_height: float
) -> tuple[float, float, float, float]:
    x, y = centre
    return x - half_width, y - half_height, x + half_width, y + half_height


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(max(round(value * factor), 0), 255) for value in colour)
    return red, green, blue
