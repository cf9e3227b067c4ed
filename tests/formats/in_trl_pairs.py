"""Loads pairs with TRL's DPOTrainer, and replies with their labels with its KTOTrainer.

A pair is seen as two rows, the better one first.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.seen import IGNORED, SeenRow, run, seen_row


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of every file. more: settings as ``name=JSON``, and ``step`` for a step of
    training behind the rows."""
    import trl
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as work:
        files = [str(file) for file in sorted(export.glob("*.parquet"))]
        rows = load_dataset("parquet", data_files=files, split="train", cache_dir=work)
        kind = "DPO" if "chosen" in rows.column_names else "KTO"
        changes = [item.partition("=") for item in more if item != "step"]
        settings: dict[str, Any] = {
            "output_dir": work,
            "max_length": None,
            "per_device_train_batch_size": 2,
            "max_steps": 1,
            "use_cpu": True,
            "bf16": False,
            "report_to": "none",
            "save_strategy": "no",
            **{name: json.loads(value) for name, _, value in changes},
        }
        config = getattr(trl, f"{kind}Config")(**settings)
        trainer = getattr(trl, f"{kind}Trainer")(str(student), args=config, train_dataset=rows)
        trainer.get_train_dataloader()  # makes the trainer choose the columns that it reads
        for row in rows:
            read = {name: row[name] for name in trainer._signature_columns if name in row}
            batch = trainer.data_collator([read])
            if kind == "KTO":
                assert batch["label"].tolist() == [row["label"]]
            yield from _rows(trainer.processing_class.tokenizer, batch)
        if "step" in more:
            trainer.train()


def _rows(tokenizer: Any, batch: dict[str, Any]) -> Iterator[SeenRow]:
    """The rows of a batch, each with as many of its images as the others have."""
    count = len(batch["input_ids"])
    grids = batch["image_grid_thw"].chunk(count)
    pixels = batch["pixel_values"].split([int(grid.prod(1).sum()) for grid in grids])
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED)
    for number in range(count):
        yield seen_row(
            tokenizer,
            batch["input_ids"][number],
            labels[number],
            pixels[number],
            grids[number],
            attention_mask=batch["attention_mask"][number],
        )


if __name__ == "__main__":
    run(load, "trl", "transformers", "datasets", "torch")
