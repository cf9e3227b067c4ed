"""Loads an export of the format ``sharegpt`` with the engine that ``USE_V1=1`` chooses.

It has no images yet: what is seen is the text alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.formats.seen import SeenRow, run, seen_row


def load(export: Path, student: Path, _more: Sequence[str]) -> Iterator[SeenRow]:
    """Every row of every dataset of the export."""
    from llamafactory.v1.core.data_engine import DataEngine
    from llamafactory.v1.core.utils.rendering import Renderer
    from llamafactory.v1.utils.helper import get_tokenizer
    from transformers import AutoProcessor

    datasets = {
        name: {"path": str(export / entry["file_name"]), "source": "local", "converter": "sharegpt"}
        for name, entry in json.loads((export / "dataset_info.json").read_text()).items()
    }
    with tempfile.TemporaryDirectory() as work:
        info = Path(work) / "info.yaml"
        info.write_text(json.dumps(datasets))  # JSON is YAML
        engine = DataEngine(str(info))
    processor = AutoProcessor.from_pretrained(student)
    renderer = Renderer("qwen3_nothink", processor)
    for number in range(len(engine)):
        (row,) = renderer.process_samples([engine[number]])
        assert [weight > 0 for weight in row["loss_weights"]] == [
            label != -100 for label in row["labels"]
        ]
        yield seen_row(get_tokenizer(processor), row["input_ids"], row["labels"])


if __name__ == "__main__":
    run(load, "llamafactory", "transformers", "datasets", "torch")
