"""Loads the first row of an export with TRL's own code, where that is installed.

It needs no student: `datasets` decodes the images, and TRL fills them into the messages, as its
collators do first. The module imports nothing of geostore, so that it can be run in an
environment of TRL's own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_LONGEST_TEXT = 60


def loaded_row(folder: Path) -> str:
    """What TRL reads in the first row of an export, and learns of it, in words.

    Raises whatever it raises itself where it cannot load the row, or ValueError.
    """
    version = importlib.metadata.version("trl")
    datasets = importlib.import_module("datasets")
    files = [str(file) for file in sorted(folder.glob("*.parquet"))]
    # Streaming, so that neither all rows are read nor a cache is written.
    row = next(iter(datasets.load_dataset("parquet", data_files=files, streaming=True)["train"]))
    return f"TRL {version} loads the first row: {_said(row)}"


def _said(row: dict[str, Any]) -> str:
    fill = importlib.import_module("trl.data_utils").prepare_multimodal_messages
    images = row["images"]
    if any(isinstance(image, dict) for image in images):
        raise ValueError("its images are not decoded, because the file does not say what they are")
    count = "1 image" if len(images) == 1 else f"{len(images)} images"
    if "messages" in row:
        return f"{count}, learns {_learnt(fill(row['messages'], images=images))}"
    fill(row["prompt"], images=images)
    if "chosen" in row:
        chosen, rejected = (_learnt(fill(row[side])) for side in ("chosen", "rejected"))
        return f"{count}, learns {chosen} instead of {rejected}"
    if "completion" not in row:
        return f"{count}, a prompt alone"
    learnt = _learnt(fill(row["completion"]))
    label = f", labelled {row['label']}" if "label" in row else ""
    return f"{count}, learns {learnt}{label}"


def _learnt(messages: Iterable[dict[str, Any]]) -> str:
    """The replies in quotation marks, cut."""
    texts = [
        "".join(part["text"] for part in message["content"])
        for message in messages
        if message["role"] == "assistant"
    ]
    cut = (textwrap.shorten(text, _LONGEST_TEXT, placeholder=" ...") for text in texts)
    return ", ".join(f'"{text}"' for text in cut)
