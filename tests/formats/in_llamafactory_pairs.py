"""Loads pairs, or rollouts with their labels, with LLaMA-Factory as its training does.

A pair is seen as two rows, the better one first. Labels have to be those of the store of pairs,
where the better rollout of a photo is the first of every second photo, and else the second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.in_llamafactory import model_of, settings
from tests.formats.seen import SeenRow, run, seen_row


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of the training. more: settings, as ``name=JSON``."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.data.collator import (
        KTODataCollatorWithPadding,
        PairwiseDataCollatorWithPadding,
    )
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    with tempfile.TemporaryDirectory() as work:
        arguments = settings(export, student, Path(work), more)
        in_pairs = arguments["stage"] == "dpo"
        model_args, data_args, training_args, _, _ = get_train_args(arguments)
        parts = load_tokenizer(model_args)
        template = get_template_and_fix_tokenizer(parts["tokenizer"], data_args)
        stage = "rm" if in_pairs else "kto"
        rows = get_dataset(template, model_args, data_args, training_args, stage=stage, **parts)
        collator = PairwiseDataCollatorWithPadding if in_pairs else KTODataCollatorWithPadding
        collate = collator(
            template=template,
            model=model_of(student),
            pad_to_multiple_of=8,
            label_pad_token_id=-100,
            **parts,
        )
        labels: list[bool] = []
        for row in rows["train_dataset"]:
            batch = collate([dict(row)])
            yield from _rows(parts["tokenizer"], batch)
            labels += [] if in_pairs else batch["kto_tags"].tolist()
        wanted = [True, False, False, True] * (len(labels) // 4 + 1)
        assert labels == wanted[: len(labels)], labels


def _rows(tokenizer: Any, batch: dict[str, Any]) -> Iterator[SeenRow]:
    """The rows of a batch, each with as many of its images as the others have."""
    count = len(batch["input_ids"])
    grids = batch["image_grid_thw"].chunk(count)
    pixels = batch["pixel_values"].split([int(grid.prod(1).sum()) for grid in grids])
    for number in range(count):
        yield seen_row(
            tokenizer,
            batch["input_ids"][number],
            batch["labels"][number],
            pixels[number],
            grids[number],
            attention_mask=batch["attention_mask"][number],
        )


if __name__ == "__main__":
    run(load, "llamafactory", "transformers", "datasets", "torch")
