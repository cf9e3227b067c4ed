"""Plays an export of the format ``trl-rl`` with its own ``train.py``.

That is TRL's GRPOTrainer and its loop of tool calls, with the tools and the reward of the export.

The student is a script: it says what the teacher said, which the export of ``trl`` beside
this one holds. So the rollout has to come out as the trace did.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.replay import is_played_alike
from tests.formats.seen import IGNORED, SeenRow, run, seen_row

TEACHER = "trl"
END = "<|im_end|>"
OWN_MODULES = ("train", "photo_tools", "reward")
ZOOM = (
    'I look.\n<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [9, 9, 500, 500]'
    "}}\n</tool_call>"
)
STEP = (
    (ZOOM, ZOOM),
    ("Here. <answer>\\boxed{10.0, 20.0}</answer>", "There. <answer>\\boxed{-40.0, 170.0}</answer>"),
)
"""What two rollouts say in a step of training; from their rewards the student can learn."""


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every rollout that TRL plays as the teacher's trace was.

    more: settings as ``name=NUMBER``, and ``step`` for a step of training behind the rollouts.
    """
    for name in OWN_MODULES:
        sys.modules.pop(name, None)  # of the export before
    # A folder may have any name, also one that reads as a pattern.
    with tempfile.TemporaryDirectory(prefix="run[1]*") as work:
        own = Path(work) / "export"
        shutil.copytree(export, own)
        sys.path.insert(0, str(own))
        try:
            yield from _load(export, student, Path(work), more)
        finally:
            sys.path.remove(str(own))


def _load(export: Path, student: Path, work: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    from datasets import load_dataset

    trainer = importlib.import_module("train").make_trainer(
        str(student),
        output_dir=str(work),
        num_generations=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        max_steps=1,
        use_cpu=True,
        bf16=False,
        report_to="none",
        save_strategy="no",
        **dict(_setting(item) for item in more if item != "step"),
    )
    scores: list[float] = []
    trainer.reward_funcs[0] = _noting(trainer.reward_funcs[0], scores)
    taught = load_dataset(
        "parquet",
        data_files=str(export.parent / TEACHER / "*.parquet"),
        split="train",
        cache_dir=str(work),
    ).remove_columns("images")
    teachers = {row["trace"].rpartition("-")[0]: row["messages"] for row in taught}
    for row in trainer.train_dataset:
        messages = teachers[row["sample"]]
        replies = [_text(m) for m in messages if m["role"] == "assistant"]
        contexts = [_text(m) for m in messages if m["role"] != "assistant"]
        if not is_played_alike(replies, contexts, only_objects=True):
            continue
        trainer._generate_single_turn = _saying(trainer, [(reply, reply) for reply in replies])
        output = trainer._generate_and_score_completions([dict(row), dict(row)])
        seen = _seen(trainer.processing_class, output)
        calls = trainer.environments[0].session.calls
        seen.facts = {
            "score": scores[0],
            "tool_images": [call.image.sha256 for call in calls if call.image is not None],
        }
        yield seen
    if "step" in more:
        trainer._generate_single_turn = _saying(trainer, STEP)
        trainer.train()


def _setting(item: str) -> tuple[str, int]:
    name, _, value = item.partition("=")
    return name, int(value)


def _text(message: dict[str, Any]) -> str:
    return "".join(part["text"] or "" for part in message["content"])


def _noting(reward: Callable[..., list[float]], scores: list[float]) -> Callable[..., list[float]]:
    def noting(**arguments: Any) -> list[float]:
        scores[:] = reward(**arguments)
        return scores

    return noting


def _saying(trainer: Any, replies: Iterable[Sequence[str]]) -> Callable[..., Any]:
    """Stands where TRL has a model that generates. replies: of all rollouts, turn by turn."""
    tokenizer, script = trainer.processing_class.tokenizer, iter(replies)

    def generate(prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[list[list[int]], None]:
        texts = zip(prompt_ids, next(script), strict=True)
        return [tokenizer.encode(text + END, add_special_tokens=False) for _, text in texts], None

    return generate


def _seen(processor: Any, output: dict[str, Any]) -> SeenRow:
    """The first of two rollouts that are alike, as the loss is computed of it."""
    prompt = output["prompt_ids"][0][output["prompt_mask"][0] == 1].tolist()
    is_there = output["completion_mask"][0] == 1
    completion = output["completion_ids"][0][is_there].tolist()
    own = output["tool_mask"][0][is_there].tolist()
    labels = [token if mask else IGNORED for token, mask in zip(completion, own, strict=True)]
    grids = output["image_grid_thw"].chunk(2)[0]
    pixels = output["pixel_values"][: int(grids.prod(1).sum())]
    ids = prompt + completion
    return seen_row(processor.tokenizer, ids, [IGNORED] * len(prompt) + labels, pixels, grids)


if __name__ == "__main__":
    run(load, "trl", "transformers", "datasets", "torch")
