"""Writes ``train.sh``: what starts verl on an export, with every setting that the rows need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import RowFiles
from geostore.export.stream import ExportStream
from geostore.export.trainers.reward_file import REWARD_FILE
from geostore.export.trainers.verl_environment import (
    AGENT_CONFIG,
    TOOL_CONFIG,
    TRAIN_SCRIPT,
    VerlTools,
)

_MODEL = '"${MODEL:-Qwen/Qwen3-VL-8B-Instruct}"'
_LONG = 32768  # tokens, where the rows were not measured


def write_sft_script(folder: ExportFolder, traces: ExportStream, rows: RowFiles) -> None:
    """Add the script for conversations, if there are any."""
    if not rows.by_split:
        return
    length = _measured(traces)
    settings = [
        f"model.path={_MODEL}",
        *_files(rows.by_split, validate=False),
        f"data.max_length={length}",
        f"data.max_token_len_per_gpu={length}",
        "data.truncation=error",
        "data.pad_mode=no_padding",
        "data.enable_thinking_default=null",
    ]
    program = 'torchrun --standalone --nproc_per_node "${GPUS:-8}" -m verl.trainer.sft_trainer'
    folder.add(TRAIN_SCRIPT, _script(program, settings).encode())


def write_rl_script(
    folder: ExportFolder, traces: ExportStream, rows: RowFiles, tools: VerlTools, *, reward: bool
) -> None:
    """Add the script for prompts, if there are any. reward: whether there is a reward file."""
    if not rows.by_split:
        return
    rollout = "actor_rollout_ref.rollout"
    settings = [
        "algorithm.adv_estimator=grpo",
        f"actor_rollout_ref.model.path={_MODEL}",
        *_files(rows.by_split, validate=True),
        f"data.max_prompt_length={_measured(traces)}",
        "data.max_response_length=16384",
        "data.filter_overlong_prompts=false",
        "data.truncation=error",
        f"{rollout}.name=vllm",
        f"{rollout}.n=8",
    ]
    if tools.names:
        settings += [
            f"{rollout}.multi_turn.enable=true",
            f"{rollout}.multi_turn.format=hermes",
            f'{rollout}.multi_turn.tool_config_path="{_path(TOOL_CONFIG)}"',
            f'{rollout}.agent.agent_loop_config_path="{_path(AGENT_CONFIG)}"',
            f"{rollout}.multi_turn.max_assistant_turns={tools.max_turns}",
            f"{rollout}.multi_turn.max_parallel_calls={tools.max_calls}",
            f"{rollout}.multi_turn.max_tool_response_length=2048",
        ]
    if reward:
        settings.append(f'reward.custom_reward_function.path="{_path(REWARD_FILE)}"')
    folder.add(TRAIN_SCRIPT, _script("python -m verl.trainer.main_ppo", settings).encode())


def _measured(traces: ExportStream) -> int:
    """Tokens in which every row fits."""
    return _LONG if traces.for_student is None else traces.for_student.lengths.setting


def _files(by_split: Mapping[str, Sequence[str]], *, validate: bool) -> list[str]:
    """The files to learn and to validate with. validate: with the same ones, where there are none
    for it."""
    first, *others = by_split.values()
    learnt = by_split.get("train", first)
    spare = [learnt] if validate else []
    other = [files for files in (*others, *spare) if files is not learnt or validate]
    validated = by_split.get("val", other[0] if other else ())
    return [
        f"data.train_files={_listed(learnt)}",
        f"data.val_files={_listed(validated) if validated else 'null'}",
    ]


def _listed(files: Sequence[str]) -> str:
    paths = [_path(name) for name in files]
    return f'"{paths[0]}"' if len(paths) == 1 else f'"[{",".join(paths)}]"'


def _path(name: str) -> str:
    """A file of the export in quotes of hydra's own, which else reads a comma or a blank in it."""
    return f"'$EXPORT/{name}'"


def _script(program: str, settings: Sequence[str]) -> str:
    lines = [
        "#!/bin/sh",
        "# Starts verl 0.9 on this export; settings can follow: sh train.sh trainer.nnodes=2",
        "set -e",
        'EXPORT=$(cd "$(dirname "$0")" && pwd)',
        'export PYTHONPATH="$EXPORT${PYTHONPATH:+:$PYTHONPATH}"',
        f"{program} \\",
        *(f"  {setting} \\" for setting in settings),
        '  "$@"',
    ]
    return "\n".join(lines) + "\n"
