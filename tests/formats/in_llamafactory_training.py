"""Trains a student for one step with LLaMA-Factory's own program and the export's settings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.formats.in_llamafactory import settings
from tests.formats.seen import SeenRow, run


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """No row: that the training ends is what is tried."""
    from llamafactory.train.tuner import run_exp

    with tempfile.TemporaryDirectory() as work:
        once = {"max_steps": 1, "gradient_accumulation_steps": 1, "logging_steps": 1}
        run_exp({**settings(export, student, Path(work), more), **once})
        weights = list(Path(work).glob("*.safetensors"))
    assert weights, "the training has saved no student"
    yield from ()


if __name__ == "__main__":
    run(load, "llamafactory", "transformers", "datasets", "torch")
