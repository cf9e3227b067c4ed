"""Loads an export of the formats ``trl`` and ``trl-turns`` with TRL's SFTTrainer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.seen import SeenRow, run, seen_row


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of every file. more: settings as ``name=JSON``, and ``step`` for a step of
    training behind the rows."""
    from datasets import load_dataset
    from trl import SFTConfig, SFTTrainer

    with tempfile.TemporaryDirectory() as work:
        files = [str(file) for file in sorted(export.glob("*.parquet"))]
        rows = load_dataset("parquet", data_files=files, split="train", cache_dir=work)
        changes = [item.partition("=") for item in more if item != "step"]
        settings: dict[str, Any] = {
            "output_dir": work,
            "assistant_only_loss": "messages" in rows.column_names,
            "max_length": None,
            "per_device_train_batch_size": 1,
            "max_steps": 1,
            "use_cpu": True,
            "bf16": False,
            "report_to": "none",
            "save_strategy": "no",
            **{name: json.loads(value) for name, _, value in changes},
        }
        trainer = SFTTrainer(str(student), args=SFTConfig(**settings), train_dataset=rows)
        trainer.get_train_dataloader()  # makes the trainer choose the columns that it reads
        for row in rows:
            read = {name: row[name] for name in trainer._signature_columns if name in row}
            batch = trainer.data_collator([read])
            yield seen_row(
                trainer.processing_class.tokenizer,
                batch["input_ids"][0],
                batch["labels"][0],
                batch.get("pixel_values"),
                batch.get("image_grid_thw"),
                attention_mask=batch["attention_mask"][0],
            )
        if "step" in more:
            trainer.train()


if __name__ == "__main__":
    run(load, "trl", "transformers", "datasets", "torch")
