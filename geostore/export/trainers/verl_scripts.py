"""Writes ``train.sh``: what starts verl on an export, with every setting that the rows need."""

from __future__ import annotations

from collections.abc import Sequence

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
_RESPONSE = 16384  # tokens of all responses and observations of a rollout
_GPUS = 8


def write_sft_script(folder: ExportFolder, traces: ExportStream, rows: RowFiles) -> None:
    """Add the script for conversations, if there are any."""
    if not rows.by_split:
        return
    length, learnt = _measured(traces), _learnt_rows(traces, rows)
    settings = [
        f"model.path={_MODEL}",
        *_files(traces, rows, validate=False),
        f"data.train_batch_size={batch_size(learnt, most=256)}",
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
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    learnt = _learnt_rows(traces, rows)
    prompt, batch = _measured(traces), batch_size(learnt, most=1024)
    settings = [
        "algorithm.adv_estimator=grpo",
        f"actor_rollout_ref.model.path={_MODEL}",
        *_files(traces, rows, validate=True),
        f"data.train_batch_size={batch}",
        f"data.max_prompt_length={prompt}",
        f"data.max_response_length={_RESPONSE}",
        "data.filter_overlong_prompts=false",
        "data.truncation=error",
        f"{actor}.ppo_mini_batch_size={min(batch, 256)}",
        # verl does not start without this or a number of rollouts for each GPU.
        f"{actor}.use_dynamic_bsz=true",
        f"{actor}.ppo_max_token_len_per_gpu={prompt + _RESPONSE}",
        f"{rollout}.name=vllm",
        f"{rollout}.n=8",
    ]
    if traces.stems(rows.stem)[1] is None:
        # The prompts to validate with are those to learn from.
        settings.append("trainer.val_before_train=false")
    if tools.names:
        settings += [
            f"{rollout}.multi_turn.enable=true",
            f"{rollout}.multi_turn.format=hermes",
            f'{rollout}.multi_turn.tool_config_path="{_path(TOOL_CONFIG)}"',
            f'{rollout}.agent.agent_loop_config_path="{_path(AGENT_CONFIG)}"',
            f"{rollout}.multi_turn.max_assistant_turns={tools.max_turns}",
            # verl drops calls past it without a word; a recipe's own limit gets a sentence.
            f"{rollout}.multi_turn.max_parallel_calls=64",
            f"{rollout}.multi_turn.max_tool_response_length=2048",
        ]
    if reward:
        settings.append(f'reward.custom_reward_function.path="{_path(REWARD_FILE)}"')
    folder.add(TRAIN_SCRIPT, _script("python -m verl.trainer.main_ppo", settings).encode())


def _measured(traces: ExportStream) -> int:
    """Tokens in which every row fits."""
    return _LONG if traces.for_student is None else traces.for_student.lengths.setting


def batch_size(rows: int, *, most: int) -> int:
    """Rows in a step, at most. verl drops an epoch's last rows, where they fill no step.

    So an epoch has eight steps or more, but where each of eight GPUs would have no row. A power
    of two, of which each GPU gets as many.
    """
    wanted = min(most, max(rows // 8, min(rows, _GPUS)))
    return 1 << (wanted.bit_length() - 1)


def _files(traces: ExportStream, rows: RowFiles, *, validate: bool) -> list[str]:
    """The files to learn and to validate with. validate: with the same ones, where there are none
    for it."""
    learnt, validated = traces.stems(rows.stem)
    if validated is None and validate:
        validated = learnt
    return [
        f"data.train_files={_listed(rows.by_split[learnt])}",
        f"data.val_files={'null' if validated is None else _listed(rows.by_split[validated])}",
    ]


def _learnt_rows(traces: ExportStream, rows: RowFiles) -> int:
    """How many rows there are to learn."""
    return rows.counts[traces.stems(rows.stem)[0]]


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
