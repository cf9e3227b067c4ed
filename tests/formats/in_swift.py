"""Loads an export of the formats ``swift`` and ``pairs`` with ms-swift, as its training does."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.seen import SeenRow, run, seen_row

SETTINGS = {
    "agent_template": "hermes",
    "loss_scale": "default",
    "max_length": 65536,
    "truncation_strategy": "delete",
    "strict": True,
    "dataset_shuffle": False,
    "split_dataset_ratio": 0,
    "load_from_cache_file": False,
    "torch_dtype": "float32",
    "per_device_train_batch_size": 1,
    "report_to": "none",
}
"""Those of the export's README, and what a trial on a CPU needs."""


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of the export. more: settings as ``name=JSON``.

    A pair is two rows, of which the first is the better one. Raises AssertionError where a label
    that is trained on is not the one of the row.
    """
    from swift.arguments import RLHFArguments, SftArguments
    from swift.pipelines.train.rlhf import SwiftRLHF
    from swift.pipelines.train.sft import SwiftSft

    family = "qwen3_vl" if "Qwen3" in student.name else "qwen2_5_vl"
    os.environ["ROOT_IMAGE_DIR"] = str(export)
    files = sorted(export.glob("*.jsonl"))
    own = {name: json.loads(value) for name, _, value in (item.partition("=") for item in more)}
    with tempfile.TemporaryDirectory() as work:
        settings: dict[str, Any] = {
            **SETTINGS,
            "model": str(student),
            "model_type": family,
            "template": family,
            "dataset": list(map(str, files)),
            "output_dir": work,
            **own,
        }
        if "rlhf_type" in settings:
            pipeline = SwiftRLHF(RLHFArguments(**settings))
        else:
            pipeline = SwiftSft(SftArguments(**settings))
        rows, _ = pipeline._prepare_dataset()
        template = pipeline.template
        # ms-swift knows the number of this token in Qwen's own vocabulary, which is larger.
        template.image_token_id = template.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        labels = [row.get("label") for file in files for row in _json_rows(file)]
        for number in range(len(rows)):
            batch = template.data_collator([rows[number]])
            if settings.get("rlhf_type") == "kto":
                assert batch["label"] == [labels[number]], f"label {batch['label']}"
                batch = {name.removeprefix("completion_"): value for name, value in batch.items()}
            yield from _seen(template.tokenizer, batch)


def _json_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _seen(tokenizer: Any, batch: dict[str, Any]) -> Iterator[SeenRow]:
    """The rows of a batch, each with its own images."""
    start = tokenizer.convert_tokens_to_ids("<|vision_start|>")
    grids, pixels = batch.get("image_grid_thw"), batch.get("pixel_values")
    image = patch = 0
    for number, ids in enumerate(batch["input_ids"]):
        count = int((ids == start).sum())
        grid = None if grids is None else grids[image : image + count]
        patches = 0 if grid is None else int(grid.prod(1).sum())
        yield seen_row(
            tokenizer,
            ids,
            batch["labels"][number],
            None if pixels is None else pixels[patch : patch + patches],
            grid,
            attention_mask=batch["attention_mask"][number],
        )
        image, patch = image + count, patch + patches
    assert pixels is None or patch == len(pixels), "there are pixels of no row"


if __name__ == "__main__":
    run(load, "ms-swift", "transformers", "datasets", "torch")
