"""Draw one road scene: the land, trees and cars on it, and a sign with its posts.

The same `Scene` and random generator give the same pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from geostore.demo.landscape import (
    EYE,
    HALF_ROAD,
    Climate,
    Colour,
    Floats,
    View,
    draw_landscape,
)
from geostore.demo.roadside import draw_car, draw_tree
from geostore.errors import DemoError

WIDTH, HEIGHT = 2048, 1536
"""Size of a finished photo in pixels."""

_CANVAS = 2560  # side of the square that still fills a WIDTH x HEIGHT crop at any tilt
_POST = 0.2  # share of the panel's width from its edge to a post
_LETTER = 0.42  # metres: height of the em of a sign's text; its distance follows from the pixels

PANEL_COLOURS: tuple[Colour, ...] = ((14, 62, 150), (0, 104, 72))


@dataclass(frozen=True)
class Sign:
    """A sign to draw."""

    rows: tuple[tuple[str, int], ...]
    """Name and distance in km, from top to bottom."""
    em: int
    """Text size, in pixels of the finished photo."""
    colour: Colour
    """Of its panel."""


@dataclass(frozen=True)
class Scene:
    """One photo to draw."""

    climate: Climate
    """What grows beside the road."""
    drive_side: str
    """``left`` or ``right``."""
    sign: Sign | None
    """None for a scene without one."""
    tilt: float
    """Degrees, counter-clockwise as seen."""


def render(scene: Scene, rng: np.random.Generator) -> Image.Image:
    """The finished photo: RGB, WIDTH x HEIGHT."""
    upright = scene.tilt == 0.0
    width, height = (WIDTH, HEIGHT) if upright else (_CANVAS, _CANVAS)
    side = 1 if scene.drive_side == "right" else -1
    horizon = height // 2 + 2 * int(rng.integers(30, 80))
    # The camera looks a little away from the sign, so that the sign has room.
    vanishing = width / 2 - side * float(rng.uniform(60, 220))
    placed = None
    if scene.sign is not None:
        placed = _place_sign(scene.sign, (width, height), horizon, upright=upright)
        vanishing = side * min(side * vanishing, side * (width / 2) + placed.room - placed.aside)
    view = View(width, height, horizon, vanishing, float(rng.uniform(-2e-4, 2e-4)), side)

    image = draw_landscape(view, scene.climate, rng)
    _plant_trees(image, view, scene.climate, rng)
    _drive_cars(image, view, rng)
    if placed is not None:
        _put_up_sign(image, view, placed)
    if not upright:
        image = image.rotate(scene.tilt, Image.Resampling.BICUBIC)
        left, top = (_CANVAS - WIDTH) // 2, (_CANVAS - HEIGHT) // 2
        image = image.crop((left, top, left + WIDTH, top + HEIGHT))
    return _film(image, rng)


def sign_font(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's built-in outline font. Raises DemoError where Pillow has no FreeType."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise DemoError("Pillow was built without FreeType: the demo cannot draw its signs")
    return font


def panel_image(sign: Sign) -> Image.Image:
    """The sign's face: names at the left, distances in km at the right, capital letters.

    Letters are set one by one with extra space between them, as on real signs;
    Pillow's built-in font needs no file of its own.
    """
    em = sign.em
    font = sign_font(em)
    tracking, stroke = 0.13 * em, max(em / 50, 0.3)
    names = max(_text_width(font, name, tracking) for name, _ in sign.rows)
    numbers = max(_text_width(font, str(km), tracking) for _, km in sign.rows)
    pad, rim, line = 0.65 * em, max(round(em / 9), 2), 1.5 * em
    width = round(max(names + 1.5 * em + numbers + 2 * pad, (line * len(sign.rows) + pad) * 1.7))
    height = round(line * len(sign.rows) + 2 * pad - 0.45 * em)
    panel = Image.new("RGBA", (width + 2 * rim, height + 2 * rim), (0, 0, 0, 0))
    draw = ImageDraw.Draw(panel)
    draw.rounded_rectangle((0, 0, width + 2 * rim - 1, height + 2 * rim - 1), em // 3, "white")
    inner = (rim, rim, width + rim - 1, height + rim - 1)
    draw.rounded_rectangle(inner, max(em // 3 - rim, 1), sign.colour)
    for row, (name, km) in enumerate(sign.rows):
        baseline = rim + pad + row * line + 0.76 * em
        _set_text(draw, font, (rim + pad, baseline), name, tracking, stroke)
        start = rim + width - pad - _text_width(font, str(km), tracking)
        _set_text(draw, font, (start, baseline), str(km), tracking, stroke)
    return panel


def _text_width(font: ImageFont.FreeTypeFont, text: str, tracking: float) -> float:
    return sum(font.getlength(letter) + tracking for letter in text) - tracking


def _set_text(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    origin: tuple[float, float],
    text: str,
    tracking: float,
    stroke: float,
) -> None:
    x, y = origin
    for letter in text:
        draw.text((x, y), letter, "white", font, anchor="ls", stroke_width=stroke)
        x += font.getlength(letter) + tracking


def _plant_trees(
    image: Image.Image, view: View, climate: Climate, rng: np.random.Generator
) -> None:
    """Trees on both sides, the far ones first."""
    count = 16 if climate.tree == "shrub" else 34
    for ahead in np.sort(rng.uniform(14, 220, count))[::-1]:
        side = 1 if rng.random() < 0.5 else -1
        # None between the camera and the sign, which stands close to the road.
        near = 9.0 if side != view.side else 15.0
        across = view.road_centre + side * float(rng.uniform(near, near + 4 + 0.35 * ahead))
        x, y, scale = view.at(across, float(ahead))
        if -400 < x < view.width + 400:
            draw_tree(image, climate.tree, (x, y), scale, climate.leaves, rng)


def _drive_cars(image: Image.Image, view: View, rng: np.random.Generator) -> None:
    """Two cars that come towards the camera in the other lane, and one ahead in its own."""
    coming = np.sort(rng.uniform(16, 70, 2))[::-1]
    cars = [(float(ahead), -1, True) for ahead in coming]
    cars.append((float(rng.uniform(13, 22)), 1, False))
    for ahead, lane, front in sorted(cars, reverse=True):
        across = view.road_centre + lane * view.side * HALF_ROAD / 2
        x, y, scale = view.at(across, ahead)
        draw_car(image, (x, y), scale, front=front, rng=rng)


@dataclass(frozen=True)
class _PlacedSign:
    """A panel and its place in the picture."""

    panel: Image.Image
    """The sign's face."""
    aside: float
    """Pixels from the vanishing point to its middle."""
    bottom: float
    """y of its lower edge, in pixels."""
    room: float
    """Its middle may lie this many pixels from the picture's; else part of it is cut off."""
    scale: float
    """Pixels per metre."""


def _place_sign(sign: Sign, size: tuple[int, int], horizon: int, *, upright: bool) -> _PlacedSign:
    """Place a sign beside the road, at the distance at which its letters have their size."""
    panel = panel_image(sign)
    scale = sign.em / _LETTER
    middle = size[1] / 2
    bottom = max(horizon - max(0.6 * scale, 30), middle - HEIGHT / 2 + panel.height + 40)
    aside = (HALF_ROAD / 2 + 0.5) * scale + (0.5 - _POST) * panel.width
    if upright:
        room = WIDTH / 2 - panel.width / 2 - 40
    else:  # inside the circle that every tilt keeps
        reach = max(abs(bottom - middle), abs(bottom - panel.height - middle))
        room = max((HEIGHT / 2 - 20) ** 2 - reach**2, 0) ** 0.5 - panel.width / 2
    return _PlacedSign(panel, aside, bottom, max(room, 0.0), scale)


def _put_up_sign(image: Image.Image, view: View, placed: _PlacedSign) -> None:
    """Paste the panel on its two posts."""
    panel = placed.panel
    x = view.vanishing + view.side * placed.aside
    left, top = round(x - panel.width / 2), round(placed.bottom - panel.height)
    foot = view.horizon + EYE * placed.scale
    draw = ImageDraw.Draw(image)
    for share in (_POST, 1 - _POST):
        post = left + share * panel.width
        half = max(0.055 * placed.scale, 2)
        draw.rectangle((post - half, top + 4, post + half, foot), (128, 132, 134))
        draw.rectangle((post - half, top + 4, post - half / 3, foot), (166, 170, 172))
    image.paste(panel, (left, top), panel)


def _film(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add what a lens and a sensor add: a little blur, darker corners, grain."""
    blurred = image.filter(ImageFilter.GaussianBlur(0.6))
    pixels: Floats = np.asarray(blurred, dtype=np.float32)
    y = np.linspace(-1, 1, image.height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, image.width, dtype=np.float32)[None, :]
    pixels = pixels * (1 - np.float32(0.1) * (x * x + y * y))[:, :, None]
    noise = rng.standard_normal((image.height, image.width), np.float32)
    pixels = pixels + np.float32(2.2) * noise[:, :, None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
