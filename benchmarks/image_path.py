"""Measure the image path of a turn, decode, crop and encode, against Pillow's floor for the work.

geostore's side is what a trace runs: `conversation_images` for the photo as sent, then one call
after another by the `ToolBench`, understood, derived from the photo's pixels, resized, encoded and
written as a row. The floor is Pillow alone doing the same to the same bytes with the same settings:
open, draft to the size sent, resize, save; decode at full size once; crop or rotate, resize, save.
It strips no metadata, reads no orientation, hashes nothing, checks nothing, and knows the boxes
beforehand. Both must give images of the same sizes with the same pixels, or the benchmark fails.

Sides take turns in one process, A B B A ..., and the figure is the median of the ratios of CPU
time within a round; base64 and HTTP are not part of it. `python benchmarks/image_path.py --parts`
tells how geostore's own time splits.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

from figures import HEADER, Figure, median_ratio, spread, turn_about
from photos import photo
from PIL import Image

from geostore.conversation.call_objects import WrittenCall
from geostore.conversation.images import conversation_images
from geostore.conversation.machine import Run
from geostore.conversation.recipe import RecipeChoices, make_recipe
from geostore.conversation.toolbench import ToolBench
from geostore.imaging import prepare_photo, probe
from geostore.records import ImageFacts, ToolCall

GOAL = 1.1
SIZES = {
    "8 megapixels, decoded twice": (3264, 2448),  # at half its size to be sent, then in full
    "3 megapixels": (2048, 1536),
    "0.8 megapixels, sent as stored": (1024, 768),
}
ZOOM, ROTATE = "image_zoom_in_tool", "image_rotate_tool"
# A distant sign, a quarter of the photo, a strip of road; then the photo turned, and a zoom of it.
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    (ZOOM, {"bbox_2d": [410, 420, 470, 500]}),
    (ZOOM, {"bbox_2d": [500, 0, 1000, 500]}),
    (ZOOM, {"bbox_2d": [0, 700, 1000, 900]}),
    (ROTATE, {"angle": 90}),
)
RECIPE = make_recipe("Qwen3-VL", RecipeChoices(bbox_frame="norm1000"))
LIMITS = RECIPE.limits


def geostore_side(data: bytes) -> list[bytes]:
    """What a trace does to a photo: prepare it, then run the calls; the bytes of every image."""
    bench = ToolBench()
    (sent,) = conversation_images(data, RECIPE, (), decoded=bench.decoded)
    images: list[ImageFacts] = [sent.facts]
    rows: list[ToolCall] = []
    made = [sent.data]
    for index, (name, arguments) in enumerate(CALLS):
        written = WrittenCall(name, json.dumps(arguments))
        step = Run(1, index, written, False, tuple(images), 0, tuple(rows))
        row, image = bench.run(step, RECIPE, data)
        assert image is not None, row.observation
        rows.append(row)
        images.append(image.facts)
        made.append(image.data)
    return made


class Floor:
    """Pillow alone, told beforehand what sizes and boxes come out."""

    def __init__(self, data: bytes) -> None:
        sizes = [Image.open(io.BytesIO(image)).size for image in geostore_side(data)]
        self._sent, *self._sizes = sizes
        self._full = Image.open(io.BytesIO(data)).size

    def __call__(self, data: bytes) -> list[bytes]:
        """The bytes of every image; the photo is decoded once where once is enough."""
        full = Image.open(io.BytesIO(data))
        made = [data]
        if self._sent != self._full:
            drafted = full.draft(None, self._sent)
            full.load()
            made = [_saved(full, self._sent, drafted[1] if drafted else None)]
            if full.size != self._full:
                full = Image.open(io.BytesIO(data))
        full.load()
        for (name, arguments), size in zip(CALLS, self._sizes, strict=True):
            if name == ZOOM:
                piece = full.crop(self._box(arguments["bbox_2d"]))
            else:
                piece = full.rotate(arguments["angle"], Image.Resampling.BICUBIC, expand=True)
            made.append(_saved(piece, size))
        return made

    def _box(self, box: list[int]) -> tuple[int, int, int, int]:
        width, height = self._full
        scaled = (side * (height if i % 2 else width) for i, side in enumerate(box))
        left, top, right, bottom = (int(side / 1000 + 0.5) for side in scaled)
        return left, top, right, bottom


def _saved(
    image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> bytes:
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, box=box)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=LIMITS.quality, subsampling="4:2:0")
    return out.getvalue()


def check_same(mine: list[bytes], other: list[bytes]) -> None:
    """Fail where the two sides did not do the same work."""
    for number, (one, two) in enumerate(zip(mine, other, strict=True)):
        with Image.open(io.BytesIO(one)) as first, Image.open(io.BytesIO(two)) as second:
            if first.size != second.size or first.tobytes() != second.tobytes():
                raise AssertionError(f"image {number} differs: the floor does other work")


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of this process for one call."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _all(sides: Sequence[Callable[[bytes], object]], data: list[bytes]) -> None:
    for side, photo_data in zip(sides, data, strict=True):
        side(photo_data)


def figures(*, rounds: int = 5, photos: int = 3) -> list[Figure]:
    """One ratio per size of photo, and what geostore needs for a turn."""
    found = []
    for what, size in SIZES.items():
        data = [photo(number, size) for number in range(photos)]
        floors = [Floor(each) for each in data]
        for each, floor in zip(data, floors, strict=True):
            check_same(geostore_side(each), floor(each))
        mine, floor_times = turn_about(
            [
                partial(cpu_of, partial(_all, [geostore_side] * photos, data)),
                partial(cpu_of, partial(_all, floors, data)),
            ],
            rounds=rounds,
        )
        ratios = [a / b for a, b in zip(mine, floor_times, strict=True)]
        turns = photos * (1 + len(CALLS))
        found += [
            Figure(
                f"{what}: geostore / Pillow",
                median_ratio(mine, floor_times),
                goal=GOAL,
                note=spread(ratios),
            ),
            Figure(
                f"{what}: CPU per image",
                median(mine) / turns * 1e3,
                " ms",
                note=f"{median(floor_times) / turns * 1e3:.2f} ms by Pillow alone",
            ),
        ]
    return found


def parts(data: bytes, *, repeat: int = 20) -> list[Figure]:
    """Milliseconds of the steps that only geostore takes."""
    floor = Floor(data)
    steps: dict[str, Callable[[], object]] = {
        "probe (once, when a row is drawn)": lambda: probe(data),
        "prepare_photo": lambda: prepare_photo(data, LIMITS),
        "the whole path": lambda: geostore_side(data),
        "Pillow's floor of it": lambda: floor(data),
    }
    return [
        Figure(name, median(cpu_of(step) for _ in range(repeat)) * 1e3, " ms")
        for name, step in steps.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="The image path against Pillow's own floor.")
    parser.add_argument("--rounds", type=int, default=5, help="times each side is measured")
    parser.add_argument("--photos", type=int, default=3, help="photos per round")
    parser.add_argument("--parts", action="store_true", help="how geostore's time splits")
    options = parser.parse_args()
    print(HEADER)
    found = (
        parts(photo(0)) if options.parts else figures(rounds=options.rounds, photos=options.photos)
    )
    for figure in found:
        print(figure.line())


if __name__ == "__main__":
    main()
