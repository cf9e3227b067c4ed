"""The offline teacher's eyes: decode an image, look at it once, and remember the result.

A conversation sends its earlier images again with every turn, so the results of the
most recent images are kept, by the sha256 of their bytes.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass

from PIL import Image

from geostore.demo.conversation import Picture
from geostore.demo.gazetteer import Gazetteer
from geostore.demo.glance import (
    Panel,
    Scenery,
    find_panel,
    look_around,
    turn_upright,
    up_direction,
)
from geostore.demo.reader import MOST_TILT, Row, SignReader
from geostore.demo.towns import Fix, locate
from geostore.errors import DemoError

_MOST_PIXELS = 80_000_000
_REMEMBERED = 512  # images, at a few hundred bytes each


@dataclass(frozen=True)
class Sighting:
    """What one image shows."""

    size: tuple[int, int]
    """Width and height in pixels."""
    panel: Panel | None
    """The sign; None where none is seen."""
    turn: float
    """Degrees to rotate counter-clockwise until the sign is upright; 0 without a sign."""
    rows: tuple[Row, ...]
    """The rows of the sign that can be read."""
    fix: Fix | None
    """The place that follows from the rows; None where none does."""
    scenery: Scenery | None
    """None where the image is not upright."""


class Sight:
    """Looks at pictures, at most `at_once` at a time. Several threads may use it."""

    def __init__(self, reader: SignReader, gazetteer: Gazetteer, *, at_once: int = 2) -> None:
        self._reader = reader
        self._gazetteer = gazetteer
        self._seen: OrderedDict[str, Sighting] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(at_once)

    def look(self, picture: Picture) -> Sighting:
        """What the picture shows. Raises DemoError if it is not an image."""
        with self._lock:
            known = self._seen.get(picture.digest)
            if known is not None:
                self._seen.move_to_end(picture.digest)
                return known
        with self._turns:
            sighting = self._look(_decoded(picture.data))
        with self._lock:
            self._seen[picture.digest] = sighting
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return sighting

    def _look(self, image: Image.Image) -> Sighting:
        panel = find_panel(image)
        turn, sky = 0.0, up_direction(image)
        level = sky is not None and abs(sky - 90) < 30
        rows: tuple[Row, ...] = ()
        if panel is not None:
            turn = turn_upright(panel, image)
            level = level and abs(turn) <= MOST_TILT
            rows = self._reader.read(image, panel)
        return Sighting(
            size=image.size,
            panel=panel,
            turn=turn,
            rows=rows,
            fix=locate(rows, self._gazetteer) if rows else None,
            scenery=look_around(image) if level else None,
        )


def _decoded(data: bytes) -> Image.Image:
    """The pixels of an image; its metadata is not read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DemoError(f"an image of {image.width} x {image.height} pixels is too large")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DemoError(f"an image cannot be decoded: {error}") from error
