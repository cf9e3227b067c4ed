"""The offline teacher's eyes: decode an image, look at it once, remember what was seen.

A conversation sends its earlier images again with every turn: what was seen in
an image is kept under the sha256 of its bytes, for the most recent images.
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
_REMEMBERED = 512  # images; what is kept of one is a few hundred bytes


@dataclass(frozen=True)
class Sighting:
    """What one image shows. size: width, height in pixels; turn: degrees to stand upright.

    panel, rows, fix: the sign, what it says, the place that follows; scenery: only
    of an image that stands upright.
    """

    size: tuple[int, int]
    panel: Panel | None
    turn: float
    rows: tuple[Row, ...]
    fix: Fix | None
    scenery: Scenery | None


class Sight:
    """Looks at pictures, from several threads, at most `at_once` of them at a time."""

    def __init__(self, reader: SignReader, gazetteer: Gazetteer, *, at_once: int = 2) -> None:
        self._reader = reader
        self._gazetteer = gazetteer
        self._seen: OrderedDict[str, Sighting] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(at_once)

    def look(self, picture: Picture) -> Sighting:
        """What the picture shows. Raises DemoError if it is no image."""
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
    """The pixels, and nothing of the metadata."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DemoError(f"an image of {image.width} x {image.height} pixels is too large")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DemoError(f"an image cannot be decoded: {error}") from error
