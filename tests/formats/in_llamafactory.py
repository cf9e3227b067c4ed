"""Loads an export of the format ``sharegpt`` with LLaMA-Factory, as its training does.

The settings are those of the export's own ``llamafactory.yaml``, but for the student and
what a machine without a GPU needs.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.formats.seen import SeenRow, run, seen_row


def settings(export: Path, student: Path, work: Path, more: Sequence[str]) -> dict[str, Any]:
    """The settings of a training. work: for what it writes. more: others, as ``name=JSON``."""
    import yaml

    return {
        **yaml.safe_load((export / "llamafactory.yaml").read_text()),
        "dataset_dir": str(export),
        "model_name_or_path": str(student),
        "template": "qwen3_vl_nothink" if "Qwen3" in student.name else "qwen2_vl",
        "finetuning_type": "full",
        "output_dir": str(work),
        "overwrite_cache": True,
        "use_cpu": True,
        "bf16": False,
        **{name: json.loads(value) for name, _, value in (item.partition("=") for item in more)},
    }


@cache
def model_of(student: Path) -> Any:
    """The student itself, which knows where images stand; loaded once."""
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(student)


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of the training, and then of the evaluation. more: as of `settings`."""
    from llamafactory.data import (
        SFTDataCollatorWith4DAttentionMask,
        get_dataset,
        get_template_and_fix_tokenizer,
    )
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    with tempfile.TemporaryDirectory() as work:
        arguments = settings(export, student, Path(work), more)
        model_args, data_args, training_args, _, _ = get_train_args(arguments)
        parts = load_tokenizer(model_args)
        tokenizer = parts["tokenizer"]
        template = get_template_and_fix_tokenizer(tokenizer, data_args)
        datasets = get_dataset(template, model_args, data_args, training_args, stage="sft", **parts)
        collate = SFTDataCollatorWith4DAttentionMask(
            template=template,
            model=model_of(student),
            pad_to_multiple_of=8,
            label_pad_token_id=-100,
            compute_dtype=model_args.compute_dtype,
            **parts,
        )
        for rows in (datasets["train_dataset"], datasets.get("eval_dataset") or ()):
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
