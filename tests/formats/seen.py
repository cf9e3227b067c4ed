"""What a trainer sees of a row, as JSON. Runs in a trainer's environment, beside its loader.

A module ``in_<trainer>.py`` hands `run` a function that loads an export with the
trainer's own code and gives each row as the tensors that its collator makes.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

IGNORED = -100
IMAGE_PAD = "<|image_pad|>"


@dataclass
class SeenImage:
    """An image as the student gets it."""

    size: tuple[int, int]
    """Width and height in pixels, behind the processor's resize."""
    corner: int
    """The side of the corners, in pixels: what the student merges into one token."""
    colours: list[list[float]]
    """Mean red, green and blue, 0 to 1, of the upper left corner, the lower right corner and the
    whole."""


@dataclass
class SeenRow:
    """A row as it is trained on."""

    text: str
    """All of it, decoded with its special tokens; each image is one ``<|image_pad|>``."""
    learnt: list[str]
    """The stretches under loss, decoded, in order."""
    tokens: int = 0
    """How many tokens it has, without padding."""
    pads: int = 0
    """How many tokens stand for images."""
    images: list[SeenImage] = field(default_factory=list)
    """Every image whose pixels come with the row."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else is seen of it, by names of `wanted.Row.facts`."""


def seen_row(
    tokenizer: Any,
    input_ids: Sequence[int],
    labels: Sequence[int],
    pixel_values: Any = None,
    image_grid_thw: Any = None,
    *,
    merge_size: int = 2,
    attention_mask: Sequence[int] | None = None,
) -> SeenRow:
    """A row of a batch of one. pixel_values, image_grid_thw: as the Qwen processors give them.

    attention_mask: what it hides is padding and no part of the row.
    """
    ids = [int(number) for number in input_ids]
    marks = [int(number) for number in labels]
    if attention_mask is not None:
        visible = [bool(value) for value in attention_mask]
        assert all(mark == IGNORED for mark, see in zip(marks, visible, strict=True) if not see)
        ids = [number for number, see in zip(ids, visible, strict=True) if see]
        marks = [mark for mark, see in zip(marks, visible, strict=True) if see]
    assert all(mark in (IGNORED, number) for mark, number in zip(marks, ids, strict=True))
    stretches: list[list[int]] = []
    before = IGNORED
    for mark in marks:
        if mark != IGNORED:
            if before == IGNORED:
                stretches.append([])
            stretches[-1].append(mark)
        before = mark
    pad = tokenizer.convert_tokens_to_ids(IMAGE_PAD)
    single = [number for at, number in enumerate(ids) if number != pad or ids[at - 1] != pad]
    return SeenRow(
        text=tokenizer.decode(single, skip_special_tokens=False),
        learnt=[tokenizer.decode(stretch, skip_special_tokens=False) for stretch in stretches],
        tokens=len(ids),
        pads=ids.count(pad),
        images=list(_images(pixel_values, image_grid_thw, merge_size)),
    )


def _images(pixel_values: Any, grids: Any, merge_size: int) -> Iterator[SeenImage]:
    """The images out of the patches, whose order is block by block of those merged into one."""
    if pixel_values is None or grids is None:
        return
    at, block = 0, merge_size * merge_size
    for frames, rows, columns in grids.tolist():
        count = frames * rows * columns
        patches = pixel_values[at : at + count].float()
        at += count
        side = round((patches.shape[1] / 3 / 2) ** 0.5)  # 3 colours, a patch is two frames deep
        means = patches.reshape(count, 3, -1).mean(2) * 0.5 + 0.5
        colours = [means[:block].mean(0), means[-block:].mean(0), means.mean(0)]
        yield SeenImage(
            (columns * side, rows * side),
            merge_size * side,
            [colour.tolist() for colour in colours],
        )
    assert at == len(pixel_values), f"{len(pixel_values) - at} patches belong to no image"


def versions(*packages: str) -> dict[str, str]:
    """The versions of installed packages."""
    return {name: importlib.metadata.version(name) for name in packages}


Load = Callable[[Path, Path, Sequence[str]], Iterator[SeenRow]]
"""From an export's folder, a student's folder and further arguments to the rows."""


def run(load: Load, *packages: str) -> None:
    """Load every export that the command line names and write what was seen of it, or the error.

    packages: whose versions are written beside.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True, help="the file that is written")
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--with", dest="more", action="append", default=[])
    parser.add_argument("exports", type=Path, nargs="+")
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    for export in options.exports:
        try:
            rows = [asdict(row) for row in load(export, options.student, options.more)]
            results.append({"rows": rows})
        except Exception as error:  # any way in which a loader refuses an export
            print(f"--- {export}", traceback.format_exc(), flush=True)
            results.append({"error": f"{type(error).__name__}: {error}"[:2000]})
    options.out.write_text(json.dumps({"versions": versions(*packages), "exports": results}))
