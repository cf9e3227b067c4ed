"""Loads an export of the formats ``verl-sft`` and ``verl-sft-text`` with verl's own data set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.seen import IGNORED, SeenRow, run, seen_row

SETTINGS = {
    "max_length": 65536,
    "truncation": "error",
    "pad_mode": "no_padding",
    "enable_thinking_default": None,
}


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of every file of the export. more: settings as ``name=JSON``."""
    from omegaconf import OmegaConf
    from transformers import AutoProcessor
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    settings: dict[str, Any] = {
        **SETTINGS,
        **{name: json.loads(value) for name, _, value in (item.partition("=") for item in more)},
    }
    processor = AutoProcessor.from_pretrained(student)
    rows = MultiTurnSFTDataset(
        [str(file) for file in sorted(export.glob("*.parquet"))],
        processor.tokenizer,
        OmegaConf.create(settings),
        processor,
    )
    for number in range(len(rows)):
        row = rows[number]
        ids, mask = row["input_ids"].tolist(), row["loss_mask"].tolist()
        labels = [token if learnt else IGNORED for token, learnt in zip(ids, mask, strict=True)]
        inputs = row.get("multi_modal_inputs", {})
        yield seen_row(
            processor.tokenizer,
            ids,
            labels,
            inputs.get("pixel_values"),
            inputs.get("image_grid_thw"),
        )


if __name__ == "__main__":
    run(load, "verl", "transformers", "torch", "pandas")
