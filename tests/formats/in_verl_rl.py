"""Plays an export of the format ``verl-rl`` with verl's own data set, agent loop, tools and reward.

The student is a script: it says what the teacher said, which the export of ``verl-sft-text``
beside this one holds. So the rollout has to come out as the trace did.
"""

from __future__ import annotations

import asyncio
import copy
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.formats.replay import is_played_alike
from tests.formats.seen import IGNORED, SeenRow, run, seen_row
from tests.formats.verl_settings import configuration, loaded_by_geostore

TEACHER = "verl-sft-text"
END = "<|im_end|>"
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
ZOOM = (
    '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [9, 9, 500, 500]}}\n'
    "</tool_call>"
)
UNKNOWN = ZOOM.replace("zoom_in", "compass")
REFUSED = "Not run: at most 3 tool calls"


class ScriptedServer:
    """Stands where verl has an inference server: says one reply after the other."""

    def __init__(self, tokenizer: Any, replies: Sequence[str]) -> None:
        self._tokenizer, self._replies = tokenizer, iter(replies)

    async def generate(self, **_request: Any) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        text = next(self._replies, "") + END
        return TokenOutput(token_ids=self._tokenizer.encode(text, add_special_tokens=False))


def load(export: Path, student: Path, more: Sequence[str]) -> Iterator[SeenRow]:
    """Every rollout that verl plays as the teacher's trace was. more: settings of verl's."""
    from datasets import load_dataset
    from omegaconf import OmegaConf
    from transformers import AutoProcessor
    from verl.experimental.agent_loop import agent_loop, tool_agent_loop  # noqa: F401 registers it
    from verl.tools.tool_registry import load_all_tools
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.utils.dataset.rl_dataset import RLHFDataset

    model = f"actor_rollout_ref.model.path={student}"
    config = configuration(export, "ppo_trainer", [model, *more])
    rollout = config.actor_rollout_ref.rollout
    sys.path.insert(0, str(export))
    for name in [name for name in sys.modules if name == "geostore_tools"]:
        del sys.modules[name]  # of the export before
    tools = load_all_tools(rollout.multi_turn.tool_config_path, None)
    hashes: list[str] = []
    for tool in tools:
        tool.execute = _noting(tool.execute, hashes)
    for loop in OmegaConf.load(rollout.agent.agent_loop_config_path):
        agent_loop._agent_loop_registry[loop.name] = loop
    processor = AutoProcessor.from_pretrained(student)
    config.data.cache_dir = str(export.parent / "cache")
    rows = RLHFDataset(config.data.train_files, processor.tokenizer, config.data, processor)
    taught = load_dataset(
        "parquet",
        data_files=str(export.parent / TEACHER / "*.parquet"),
        split="train",
        cache_dir=str(export.parent / "cache"),
    ).remove_columns("images")
    teachers = {row["trace"].rpartition("-")[0]: row for row in taught}
    reward = load_reward_manager(config, processor.tokenizer)
    for number in range(len(rows)):
        row = rows[number]
        teacher = teachers[row["extra_info"]["trace"]]
        messages = teacher["messages"]
        replies = [m["content"] for m in messages if m["role"] == "assistant"]
        contexts = [m["content"] for m in messages if m["role"] != "assistant"]
        if is_played_alike(replies, contexts):
            server = ScriptedServer(processor.tokenizer, replies)
            hashes.clear()
            output = asyncio.run(_play(config, row, server, processor, tools, student))
            seen = _seen(output, processor)
            score = asyncio.run(_score(reward, row, output))
            seen.facts = {"score": score, "tool_images": list(hashes)}
            if "Qwen2.5" in student.name:  # its template leaves all of a conversation to the text
                conversation = _rendered(processor.tokenizer, messages)
                seen.facts["is_as_taught"] = seen.text.rstrip() == conversation.rstrip()
            yield seen
    with_tools = next(row for row in rows if row["agent_name"] != "single_turn_agent")
    _check_sentences(config, with_tools, processor, tools, student)
    sys.path.remove(str(export))
    assert "which is 1 for the true place" in loaded_by_geostore("load_environment", export)


def _check_sentences(
    config: Any, row: dict[str, Any], processor: Any, tools: Any, student: Path
) -> None:
    """Calls past the recipe's limit are refused aloud, and the answer is asked for once."""
    from geostore.conversation.messages import LAST_TURN

    config = copy.deepcopy(config)
    config.actor_rollout_ref.rollout.multi_turn.max_assistant_turns = 3
    for calls, refused in (([ZOOM] * 2, 0), ([ZOOM] * 5, 2), ([ZOOM, UNKNOWN], 0)):
        server = ScriptedServer(processor.tokenizer, ["".join(calls), "".join(calls), "Rome"])
        text = _seen(
            asyncio.run(_play(config, row, server, processor, tools, student)), processor
        ).text
        assert text.count(REFUSED) == 2 * refused, text
        assert text.count(LAST_TURN) == 1, text
        assert text.partition(LAST_TURN)[2].count("<tool_response>") == 0, text


def _noting(execute: Any, hashes: list[str]) -> Any:
    """A tool's `execute` that notes the hash of each image that it gives; verl drops it."""

    async def noting(*arguments: Any, **more: Any) -> Any:
        response, reward, facts = await execute(*arguments, **more)
        assert len(response.image or ()) == ("image_sha256" in facts)
        hashes.extend([facts["image_sha256"]] if response.image else [])
        return response, reward, facts

    return noting


async def _play(
    config: Any, row: dict[str, Any], server: Any, processor: Any, tools: Any, student: Path
) -> Any:
    import hydra
    from verl.experimental.agent_loop.agent_loop import (
        DictConfigWrap,
        ToolListWrap,
        _agent_loop_registry,
    )
    from verl.utils.dataset.rl_dataset import RLHFDataset

    model_type = json.loads((student / "config.json").read_text())["model_type"]
    loop = hydra.utils.instantiate(
        config=_agent_loop_registry[row["agent_name"]],
        trainer_config=DictConfigWrap(config=config),
        server_manager=server,
        tokenizer=processor.tokenizer,
        processor=processor,
        hf_model_type=model_type,
        dataset_cls=RLHFDataset,
        data_config=DictConfigWrap(config.data),
        tools=ToolListWrap(tools),
    )
    return await loop.run({}, **row)


def _seen(output: Any, processor: Any) -> SeenRow:
    mask = [0] * len(output.prompt_ids) + output.response_mask
    ids = output.prompt_ids + output.response_ids
    labels = [token if learnt else IGNORED for token, learnt in zip(ids, mask, strict=True)]
    images = processor.image_processor(
        images=output.multi_modal_data["images"], return_tensors="pt"
    )
    return seen_row(
        processor.tokenizer,
        ids,
        labels,
        images["pixel_values"],
        images["image_grid_thw"],
    )


def _rendered(tokenizer: Any, messages: list[dict[str, Any]]) -> str:
    """A conversation as text: what a student of it has learnt to read and to write."""
    shown = [
        {**message, "content": message["content"].replace("<image>", IMAGE)} for message in messages
    ]
    return str(tokenizer.apply_chat_template(shown, tokenize=False))


async def _score(manager: Any, row: dict[str, Any], output: Any) -> float:
    """What verl's own reward manager makes of a rollout."""
    import numpy
    import torch
    from verl import DataProto

    manager.loop = asyncio.get_running_loop()
    response = torch.tensor([output.response_ids])
    length = len(output.prompt_ids) + len(output.response_ids)
    data = DataProto.from_dict(
        {
            "responses": response,
            "attention_mask": torch.ones(1, length, dtype=torch.int64),
        },
        non_tensors={
            "data_source": numpy.array([row["data_source"]], dtype=object),
            "reward_model": numpy.array([row["reward_model"]], dtype=object),
            "extra_info": numpy.array([dict(row["extra_info"])], dtype=object),
            "__num_turns__": numpy.array([output.num_turns]),
            "tool_extra_fields": numpy.array([output.extra_fields], dtype=object),
        },
    )
    result = await manager.run_single(data)
    return float(result["reward_score"])


if __name__ == "__main__":
    run(load, "verl", "transformers", "torch", "datasets")
