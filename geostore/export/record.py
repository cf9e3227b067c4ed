"""Builds the trace record, the JSON that the formats ``trace`` and ``jsonl`` write.

Its members and their order are older than this project, and scripts read them;
what is added stands at the end of ``metadata`` and in the last member, ``geostore``.
"""

from __future__ import annotations

from typing import Any

import orjson

from geostore.errors import ExportError
from geostore.export.files.manifest import SCHEMA_VERSION
from geostore.export.images import image_names, image_url
from geostore.export.messages import MessagesMode, turn_messages
from geostore.export.round_trip import own_members
from geostore.export.stream import ExportedTrace
from geostore.records import Reward, StoredTrace, ToolCall
from geostore.rewards.specs import IMPORTED

ACCURACIES_KM = {f"acc@{km}km": km for km in (1, 25, 200, 750, 2500)}
UNPARSED_KM = 20000.0
"""The distance in trace files where no answer could be read. The store keeps none there."""


def trace_record(
    exported: ExportedTrace, *, messages: MessagesMode, relative_to: str = ""
) -> dict[str, Any]:
    """The record of a trace that came to an end, its members in their order.

    messages: how much of the conversation each turn repeats. relative_to: the
    folder of the export, "" or with ``/`` at its end, from which paths of image
    files start. Raises ExportError where the trace has no reward under the spec
    that the export carries.
    """
    trace = exported.trace
    reward = reward_of(trace)
    parsed = reward is not None
    distance = reward.distance_km if reward is not None else UNPARSED_KM
    score = reward.score if reward is not None else own_score(trace)
    return {
        "dataset_path": trace.dataset.path,
        "sample_index": trace.sample.sample_index,
        "sample_data": sample_data(trace),
        "conversation_history": _history(exported, messages, relative_to),
        "final_response": trace.final_response,
        "reward_score": {
            "score": score,
            "distance@km": distance,
            "geoguessr@point": reward.geoguessr_points if reward is not None else 0,
            "parse_success": parsed,
            **_accuracies(reward),
        },
        "tool_calls": [_tool_call(call) for call in trace.calls],
        "metadata": {
            "total_turns": len(trace.turns),
            "num_tool_calls": len(trace.calls),
            "parse_success": parsed,
            "distance_km": distance,
            "score": score,
            "schema_version": SCHEMA_VERSION,
            "trace": trace.name,
            "recipe": trace.key.recipe_sha256,
            "reward_spec": trace.reward_spec,
            "stop_reason": trace.stop_reason,
            "model": trace.recipe.model,
        },
        "geostore": own_members(trace),
    }


def own_score(trace: StoredTrace) -> float:
    """The score that the reward gives an answer without coordinates; 0 where it gives none."""
    return 0.0 if trace.reward is None else trace.reward.score or 0.0


def reward_of(trace: StoredTrace) -> Reward | None:
    """The reward of a parsed answer; None where no answer could be read.

    A reward that a trace file carried may have a distance where geostore reads no
    answer, and the other way round; the file's is taken. Raises ExportError for a
    trace that was not scored yet: written without a reward, it would look like one
    whose answer could not be read.
    """
    reward = trace.reward
    if reward is not None and trace.reward_kind == IMPORTED:
        is_unread = reward.score is None or reward.geoguessr_points == 0
        return None if reward.distance_km is None and is_unread else reward
    if reward is not None and reward.distance_km is not None:
        return reward
    if trace.answer is not None and trace.answer.failure is not None:
        return None
    if trace.answer is not None and reward is not None:
        return None if reward.score is None else reward
    if trace.reward_kind == IMPORTED:
        raise ExportError(
            f"{trace.name} came with no reward of its own; choose another with --reward NAME, or "
            "leave such traces out with: --where 'score is not null'"
        )
    raise ExportError(
        f"{trace.name} has no reward under {trace.reward_spec or 'any spec'} yet; "
        "compute it with: geostore rescore"
        + (f" --reward {trace.reward_spec!r}" if trace.reward_spec else "")
    )


def _accuracies(reward: Reward | None) -> dict[str, float]:
    distance = None if reward is None else reward.distance_km
    if distance is None:
        return dict.fromkeys(ACCURACIES_KM, 0.0)
    return {name: float(distance <= km) for name, km in ACCURACIES_KM.items()}


def sample_data(trace: StoredTrace) -> dict[str, Any]:
    """What is known of the sample: place, country, locatability, and the other columns."""
    sample = trace.sample
    named = {
        "lat": sample.lat,
        "lon": sample.lon,
        "locatability_score": sample.locatability_score,
        "country": sample.country,
    }
    # The dataset may have a column `lat` that is not the one with the true latitude.
    others = {name: value for name, value in sample.columns.items() if name not in named}
    return {**named, **others}


def _history(exported: ExportedTrace, mode: MessagesMode, relative_to: str) -> list[dict[str, Any]]:
    def url(number: int) -> dict[str, Any]:
        return image_url(exported.images[number], exported.trace, relative_to=relative_to)

    # In an imported trace without images of ours, messages name images as its file did.
    per_turn = turn_messages(
        exported.messages,
        mode=mode,
        image_url=url if exported.images else None,
        numbers_by_name=image_names(exported.trace) if exported.trace.image_proofs else None,
    )
    history = []
    for turn, messages in zip(exported.trace.turns, per_turn, strict=True):
        entry: dict[str, Any] = {
            "turn": turn.turn,
            "messages": messages,
            "response": turn.response,
            "usage": {
                "prompt_tokens": turn.prompt_tokens,
                "completion_tokens": turn.completion_tokens,
                "total_tokens": turn.total_tokens,
            },
        }
        if turn.reasoning is not None:
            entry["reasoning"] = turn.reasoning
        history.append(entry)
    return history


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {
        "turn": call.turn,
        "tool_call": {"name": call.name, "arguments": _arguments(call.raw_arguments)},
        "success": call.success,
    }


def _arguments(raw: str) -> Any:
    """The arguments as the teacher wrote them: a JSON value, or the text where it is no JSON."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
