"""Loads an export of the format ``sharegpt`` with LLaMA-Factory, as its training does."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.seen import SeenRow, run, seen_row

SETTINGS = {
    "stage": "sft",
    "do_train": True,
    "finetuning_type": "full",
    "cutoff_len": 65536,
    "image_max_pixels": 16777216,
    "mask_history": False,
    "train_on_prompt": False,
    "overwrite_cache": True,
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
}


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of every dataset of the export. more: settings as ``name=JSON``."""
    from llamafactory.data import (
        SFTDataCollatorWith4DAttentionMask,
        get_dataset,
        get_template_and_fix_tokenizer,
    )
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_model, load_tokenizer

    datasets = json.loads((export / "dataset_info.json").read_text())
    with tempfile.TemporaryDirectory() as work:
        settings: dict[str, Any] = {
            **SETTINGS,
            "model_name_or_path": str(student),
            "template": "qwen3_vl_nothink" if "Qwen3" in student.name else "qwen2_vl",
            "dataset_dir": str(export),
            "dataset": ",".join(datasets),
            "output_dir": work,
            **{
                name: json.loads(value) for name, _, value in (item.partition("=") for item in more)
            },
        }
        model_args, data_args, training_args, finetuning_args, _ = get_train_args(settings)
        parts = load_tokenizer(model_args)
        tokenizer = parts["tokenizer"]
        template = get_template_and_fix_tokenizer(tokenizer, data_args)
        rows = get_dataset(template, model_args, data_args, training_args, stage="sft", **parts)[
            "train_dataset"
        ]
        model = load_model(tokenizer, model_args, finetuning_args, is_trainable=True)
        collate = SFTDataCollatorWith4DAttentionMask(
            template=template,
            model=model,
            pad_to_multiple_of=8,
            label_pad_token_id=-100,
            compute_dtype=model_args.compute_dtype,
            **parts,
        )
        for row in rows:
            batch = collate([dict(row)])
            yield seen_row(
                tokenizer,
                batch["input_ids"][0],
                batch["labels"][0],
                batch.get("pixel_values"),
                batch.get("image_grid_thw"),
                attention_mask=batch["attention_mask"][0],
            )


if __name__ == "__main__":
    run(load, "llamafactory", "transformers", "datasets", "torch")
