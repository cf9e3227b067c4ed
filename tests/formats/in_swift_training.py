"""Runs an export's ``train.sh`` with ms-swift for one step, with a tiny student on the CPU."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.formats.seen import SeenRow, run

_OPTIONS = (
    *("--max_steps", "1", "--torch_dtype", "float32", "--save_strategy", "no"),
    *("--tuner_type", "full", "--report_to", "none", "--gradient_accumulation_steps", "1"),
)

_PROGRAM = f"""\
#!{sys.executable}
import sys
from swift.pipelines import rlhf_main, sft_main
from swift.template.templates.qwen import Qwen2VLTemplate, Qwen3VLTemplate
from transformers import AutoTokenizer

# ms-swift knows the number of this token in Qwen's own vocabulary, which is larger.
tokenizer = AutoTokenizer.from_pretrained(sys.argv[sys.argv.index("--student") + 1])
del sys.argv[sys.argv.index("--student") :]
for template in (Qwen2VLTemplate, Qwen3VLTemplate):
    template.image_token_id = tokenizer.convert_tokens_to_ids("<|image_pad|>")
{{"sft": sft_main, "rlhf": rlhf_main}}[sys.argv[1]](sys.argv[2:])
"""
"""Stands for the program ``swift``."""


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """No row; raises an error where the training fails, or its loss is no number."""
    family = "qwen3_vl" if "Qwen3" in student.name else "qwen2_5_vl"
    with tempfile.TemporaryDirectory() as work:
        program = Path(work) / "swift"
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        own = ("--model", student, "--model_type", family, "--template", family)
        subprocess.run(
            ["sh", export / "train.sh", *own, *_OPTIONS, *more, "--student", student],
            cwd=work,
            env={**os.environ, "PATH": os.pathsep.join([work, os.environ["PATH"]])},
            check=True,
        )
        (log,) = Path(work).rglob("logging.jsonl")
        entries = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [float(entry["loss"]) for entry in entries if "loss" in entry]
    assert losses, "no step was trained"
    assert all(map(math.isfinite, losses)), losses
    return iter(())


if __name__ == "__main__":
    run(load, "ms-swift", "transformers", "datasets", "torch")
