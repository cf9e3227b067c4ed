"""Loads an export with LLaMA-Factory's own loader, where that is installed, up to its tokenizer.

It needs no student. The module imports nothing of geostore, because LLaMA-Factory asks for older
packages than it, and so can be run in an environment of its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def loaded_rows(folder: Path) -> str:
    """How many rows LLaMA-Factory loads, and what of the first it learns, in words.

    Raises ValueError where it leaves rows out, which it says in its log alone, and whatever
    it raises itself where it cannot load them.
    """
    version = importlib.metadata.version("llamafactory")
    rows = left_out = 0
    first: dict[str, Any] | None = None
    with tempfile.TemporaryDirectory() as cache:
        for row in _rows(folder, cache):
            rows += 1
            left_out += not row["_response"]
            first = first or row
    if left_out or first is None:
        raise ValueError(f"LLaMA-Factory {version} leaves out {left_out} of {rows} rows")
    messages = [*first["_prompt"], *first["_response"]]
    replies = [message for message in messages if message["role"] == "assistant"]
    # Of a pair, or of a rollout with a label, the prompt holds replies that are not learnt.
    learnt = len(first["_response"]) if len(first["_response"]) > 1 else len(replies)
    return (
        f"LLaMA-Factory {version} loads {rows} rows; in the first it learns {learnt} of "
        f"{len(messages)} messages (images: {len(first['_images'] or ())})"
    )


def _rows(folder: Path, cache: str) -> Iterator[dict[str, Any]]:
    """Every row of every dataset, as its template is given it."""
    loader = importlib.import_module("llamafactory.data.loader")
    parser = importlib.import_module("llamafactory.data.parser")
    hparams = importlib.import_module("llamafactory.hparams")
    transformers = importlib.import_module("transformers")
    names = list(json.loads((folder / "dataset_info.json").read_text(encoding="utf-8")))
    model = hparams.ModelArguments(model_name_or_path=str(folder), cache_dir=cache)
    data = hparams.DataArguments(dataset_dir=str(folder), overwrite_cache=True)
    training = transformers.Seq2SeqTrainingArguments(output_dir=cache, use_cpu=True)
    for dataset in parser.get_dataset_list(names, data.dataset_dir):
        yield from loader._load_single_dataset(dataset, model, data, training)
