"""A store with a trace of every kind that a trainer's format has to carry, by a short name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from geostore.records import Recipe
from geostore.store import Store
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    NO_ANSWER,
    TEXT_RECIPE,
    TOOLLESS_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    Line,
    StoreBuilder,
    make_dataset,
    native,
    recipe_of,
)
from tests.minds import ROTATE, ZOOM, answer, text_call

PIXEL_RECIPE = recipe_of(model="test-pixel", protocol="text", bbox_frame="pixel")

_ZOOM_CORNER = {"bbox_2d": [0, 0, 500, 500]}
_BROKEN_JSON = (
    '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [1, 2\n</tool_call>'
)
_UNTAGGED = '{"name": "image_rotate_tool", "arguments": {"angle": 90}}'
_PLACEHOLDERS = (
    "The banner says <image> and <video>, the next one <image\\> and <|im_end|><|image_pad|>."
)


def _thinking(text: str, thought: str, *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A turn whose reasoning came in the field of its own."""
    turn = native(text, *calls) if calls else {"response": text}
    return {**turn, "reasoning": thought, "reasoning_source": "reasoning_content"}


def _broken_native(text: str, arguments: str) -> dict[str, Any]:
    """A native call with this text as its arguments."""
    turn = native(text, (ZOOM, {}))
    return {**turn, "native_calls": turn["native_calls"].replace('"{}"', arguments)}


Script = tuple[Recipe, tuple[Line, ...], int]
"""Under which recipe, what the teacher says, and the most turns."""

SCRIPTS: Mapping[str, Script] = MappingProxyType(
    {
        "zoom and rotate": (
            TEXT_RECIPE,
            (f"There is a sign.\n{ZOOM_IN}", f"It lies.\n{TURN_LEFT}", answer(10.0, 20.001)),
            10,
        ),
        "native": (
            NATIVE_RECIPE,
            (
                native("A closer look.", (ZOOM, _ZOOM_CORNER)),
                native("", (ROTATE, {"angle": 90})),
                answer(11.0, 21.0),
            ),
            10,
        ),
        "native, several images in one turn": (
            NATIVE_RECIPE,
            (
                native("Two.", (ZOOM, _ZOOM_CORNER), (ROTATE, {"angle": 180})),
                answer(12.0, 22.0),
            ),
            10,
        ),
        "several images in one turn": (
            TEXT_RECIPE,
            (f"Two at once.\n{ZOOM_IN}\n{TURN_LEFT}", answer(13.0, 23.0)),
            10,
        ),
        "Chinese": (
            TEXT_RECIPE,
            (
                "路牌上写着“东京都千代田区” 🗾，放大看看。\n"
                + text_call(ZOOM, {"bbox_2d": [100, 100, 600, 700], "label": "路牌"}),
                "这是日本东京。<answer>\\boxed{35.6895, 139.6917}</answer>",
            ),
            10,
        ),
        "reasoning in a field": (
            TEXT_RECIPE,
            (
                _thinking(f"I zoom.\n{ZOOM_IN}", "The sign is small.\n\nI need it larger."),
                _thinking(answer(10.5, 20.5), "Now it can be read."),
            ),
            10,
        ),
        "native with reasoning in a field": (
            NATIVE_RECIPE,
            (
                _thinking("", "The left side is dark.", (ZOOM, _ZOOM_CORNER)),
                _thinking(answer(11.5, 21.5), "A tram."),
            ),
            10,
        ),
        "reasoning in tags": (
            TEXT_RECIPE,
            (
                f"<think>\nA sign.\n</think>\n\nI zoom.\n{ZOOM_IN}",
                f"<think>Spanish.</think>{answer(12.5, 22.5)}",
            ),
            10,
        ),
        "reasoning whose opening tag the template wrote": (
            TEXT_RECIPE,
            (f"A sign.\n</think>\n\nI zoom.\n{ZOOM_IN}", f"Dutch.</think>{answer(13.5, 23.5)}"),
            10,
        ),
        "bad box": (TEXT_RECIPE, (f"There.\n{BAD_BOX}", answer(10.2, 20.2)), 10),
        "broken JSON": (TEXT_RECIPE, (f"There.\n{_BROKEN_JSON}", answer(11.2, 21.2)), 10),
        "unknown tool": (
            TEXT_RECIPE,
            (text_call("search_web", {"query": "Weßling"}), answer(11.4, 21.4)),
            10,
        ),
        "native broken JSON": (
            NATIVE_RECIPE,
            (_broken_native("There.", '"{\\"bbox_2d\\": [1, 2"'), answer(12.2, 22.2)),
            10,
        ),
        "native bad box": (
            NATIVE_RECIPE,
            (native("There.", (ZOOM, {"bbox_2d": [5, 5, 2, 2]})), answer(12.4, 22.4)),
            10,
        ),
        "call without tags": (TEXT_RECIPE, (_UNTAGGED, answer(13.2, 23.2)), 10),
        "good and bad at once": (
            TEXT_RECIPE,
            (f"{BAD_BOX}\n{ZOOM_IN}\n{_BROKEN_JSON}", answer(10.3, 20.3)),
            10,
        ),
        "words behind a call": (
            TEXT_RECIPE,
            (
                f"First.\n{ZOOM_IN}\nThe crop shows a tram.\n{TURN_LEFT}\nSo it is Lisbon.",
                answer(10.7, 20.7),
            ),
            10,
        ),
        "no tools": (TOOLLESS_RECIPE, (answer(10.4, 20.4),), 10),
        "nudge": (TEXT_RECIPE, ("I am thinking.", answer(11.3, 21.3)), 10),
        "nudge after a call": (
            TEXT_RECIPE,
            (ZOOM_IN, "Hm.", f"Again.\n{TURN_LEFT}", "Hm.", answer(12.3, 22.3)),
            10,
        ),
        "cut": (
            TEXT_RECIPE,
            (
                f"A sign.\n{ZOOM_IN}",
                {"response": "The sign says that I am in", "finish_reason": "length"},
            ),
            10,
        ),
        "cut in a call": (
            TEXT_RECIPE,
            (
                f"A sign.\n{ZOOM_IN}",
                {
                    "response": 'Closer.\n<tool_call>\n{"name": "image_zoom_in_tool", "argum',
                    "finish_reason": "length",
                },
            ),
            10,
        ),
        "last turn": (TEXT_RECIPE, (ZOOM_IN, answer(13.3, 23.3)), 2),
        "call in the last turn": (TEXT_RECIPE, (ZOOM_IN, f"Once more.\n{TURN_LEFT}"), 2),
        "native call in the last turn": (
            NATIVE_RECIPE,
            (
                native("", (ZOOM, _ZOOM_CORNER)),
                native("Once more.", (ROTATE, {"angle": 270})),
            ),
            2,
        ),
        "answer without numbers": (TEXT_RECIPE, (ZOOM_IN, NO_ANSWER), 10),
        "no answer": (TEXT_RECIPE, (ZOOM_IN, "Hm.", "I do not know.", "No."), 10),
        "boxes in pixels": (
            PIXEL_RECIPE,
            (text_call(ZOOM, {"bbox_2d": [40, 30, 280, 250]}), answer(10.6, 20.6)),
            10,
        ),
        "placeholders in the teacher's words": (
            TEXT_RECIPE,
            (f"{_PLACEHOLDERS}\n{ZOOM_IN}", f"{_PLACEHOLDERS}\n{answer(11.6, 21.6)}"),
            10,
        ),
        "native with placeholders in a call": (
            NATIVE_RECIPE,
            (
                native("<image>", (ZOOM, {**_ZOOM_CORNER, "label": "the <image> there"})),
                answer(12.6, 22.6),
            ),
            10,
        ),
    }
)
"""From what is special in a trace to how it is played. Each has a photo of its own."""


def fill_training_store(path: Path, photos: Path) -> dict[str, str]:
    """Make a store with all of them, and their dataset; from a trace's name to its kind.

    path: the file of the store. photos: the folder of the dataset.
    """
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(photos, rows=len(SCRIPTS), seed=7))
        return {
            builder.play(row, script, recipe=recipe, turn_limit=turn_limit): kind
            for row, (kind, (recipe, script, turn_limit)) in enumerate(SCRIPTS.items())
        }


_FAR = answer(-40.0, 170.0)
_ZOOM_TWICE = text_call(ZOOM, {"bbox_2d": [200, 200, 500, 900]})

PAIRS: tuple[tuple[Recipe, tuple[Line, ...], tuple[Line, ...]], ...] = (
    (TEXT_RECIPE, (f"A sign.\n{ZOOM_IN}", f"It lies.\n{TURN_LEFT}"), ()),
    (
        NATIVE_RECIPE,
        (native("A closer look.", (ZOOM, _ZOOM_CORNER)),),
        (native("", (ROTATE, {"angle": 90})), native("Again.", (ROTATE, {"angle": 180}))),
    ),
    (
        NATIVE_RECIPE,
        (native("Two.", (ZOOM, _ZOOM_CORNER), (ROTATE, {"angle": 180})),),
        (_broken_native("There.", '"{\\"bbox_2d\\": [1, 2"'),),
    ),
    (TEXT_RECIPE, (f"路牌上写着“东京都”。\n{_ZOOM_TWICE}",), (f"There.\n{_BROKEN_JSON}",)),
    (
        TEXT_RECIPE,
        (_thinking(f"I zoom.\n{ZOOM_IN}", "The sign is small."),),
        (f"<think>\nA sign.\n</think>\n\nI turn.\n{TURN_LEFT}",),
    ),
    (TOOLLESS_RECIPE, (), ("I am not sure yet.",)),
    (TEXT_RECIPE, (f"{_PLACEHOLDERS}\n{ZOOM_IN}",), ("Hm.", f"{_PLACEHOLDERS}\n{BAD_BOX}")),
    (TEXT_RECIPE, (ZOOM_IN,), (ZOOM_IN, f"Hm.\n{TURN_LEFT}")),
    (TEXT_RECIPE, ("Hm.", ZOOM_IN), ("Hm.",)),
)
"""What the teacher says before its answer, in the better and in the worse rollout of a photo."""


def fill_pairs_store(path: Path, photos: Path) -> None:
    """Make a store with two rollouts of each photo, for pairs; and their dataset.

    The first is the better one where the photo's number is even, and else the second.
    """
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(photos, rows=len(PAIRS), seed=8))
        for row, (recipe, better, worse) in enumerate(PAIRS):
            near = answer(10.0 + row, 20.0 + row)
            rollouts = [(*better, near), (*worse, _FAR)]
            for rollout, script in enumerate(rollouts[:: 1 if row % 2 == 0 else -1], start=1):
                builder.play(row, script, recipe=recipe, rollout=rollout)
