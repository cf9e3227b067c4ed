"""The file ``rows.index`` of a trainer's export: which trace each row of data holds.

A trainer's row has no place for the photo's true coordinates, for what a call meant or for
the hash of a request. Here they stand, a line for each row, so that `geostore import` can make
the trace again of both. The words and the images are those of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geostore.export.files.row_hash import row_sha256
from geostore.export.record import sample_data
from geostore.export.round_trip import own_members
from geostore.identity import sha256_hex
from geostore.records import StoredTrace, Turn
from geostore.text.json_lines import json_bytes

INDEX = "rows.index"
"""Its name: no loader takes it for data, whatever files of a folder it reads."""


def index_line(trace: StoredTrace, file: str, row: int, values: Mapping[str, Any]) -> bytes:
    """The line for the row of a file that holds a trace. row: its number in the file, from 1.

    values: of the row, whose hash tells later whether somebody edited it. The further members are
    those of a trace record without the conversation. ``turns`` says of each turn what a row does
    not show: tokens; the hash, length and edges of its reasoning and its words; and the
    response where its calls stand in it, which a format may write apart.
    """
    value = {
        "file": file,
        "row": row,
        "row_sha256": row_sha256(values),
        "dataset_path": trace.dataset.path,
        "sample_index": trace.sample.sample_index,
        "sample_data": sample_data(trace),
        "turns": [_turn(trace, turn) for turn in trace.turns],
        "tool_calls": [
            {
                "turn": call.turn,
                "tool_call": {"name": call.name, "arguments": call.raw_arguments},
                "success": call.success,
            }
            for call in trace.calls
        ],
        "metadata": {
            "trace": trace.name,
            "recipe": trace.key.recipe_sha256,
            "stop_reason": trace.stop_reason,
            "model": trace.recipe.model,
        },
        "geostore": own_members(trace),
    }
    return json_bytes(value) + b"\n"


def _turn(trace: StoredTrace, turn: Turn) -> dict[str, Any]:
    # The calls of the last turn were not run, so no row is about them.
    has_calls = any(call.turn == turn.turn for call in trace.calls) or turn is trace.turns[-1]
    calls_in_text = turn.native_calls is None and has_calls and "<tool_call>" in turn.response
    return {
        "usage": {
            "prompt_tokens": turn.prompt_tokens,
            "completion_tokens": turn.completion_tokens,
            "total_tokens": turn.total_tokens,
        },
        "reasoning": None if turn.reasoning is None else _shape(turn.reasoning),
        "words": _shape(turn.response),
        "response": turn.response if calls_in_text else None,
    }


def _shape(text: str) -> dict[str, Any]:
    """Its hash, length in characters, and the white space around it, which formats leave out."""
    start = text[: len(text) - len(text.lstrip())] if text.strip() else ""
    return {
        "sha256": sha256_hex(text.encode()),
        "length": len(text),
        "start": start,
        "end": text[len(text.rstrip()) :],
    }
