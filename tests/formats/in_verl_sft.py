"""Loads an export of the formats ``verl-sft`` and ``verl-sft-text`` with verl's own data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.formats.seen import IGNORED, SeenRow, run, seen_row
from tests.formats.verl_settings import configuration, loaded_by_geostore


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of every file of the export. more: settings of verl's."""
    from transformers import AutoProcessor
    from verl.utils.dataset.multiturn_sft_dataset import MultiTurnSFTDataset

    config = configuration(export, "sft_trainer_engine", [f"model.path={student}", *more])
    files = config.data.train_files
    processor = AutoProcessor.from_pretrained(student)
    rows = MultiTurnSFTDataset(
        [files] if isinstance(files, str) else list(files),
        processor.tokenizer,
        config.data,
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
    assert "verl" in loaded_by_geostore("load_conversation", export)


if __name__ == "__main__":
    run(load, "verl", "transformers", "torch", "pandas")
