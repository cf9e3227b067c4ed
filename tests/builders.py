"""Builds real stores with traces in them, for tests of what reads a store.

Conversations run through the real state machine, the real tools on real photos
and the store's own writing methods, so every hash in the rows is right; only
the teacher's words come from a script.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from geostore.answers import PARSER_VERSION, parse_answer
from geostore.conversation.machine import Ask, Conversation, Run
from geostore.conversation.messages import RequestWriter, split_reasoning
from geostore.conversation.recipe import RecipeChoices, make_recipe, recipe_hash
from geostore.conversation.toolbench import ToolBench
from geostore.dataset import PhotoDataset
from geostore.imaging import prepare_photo
from geostore.records import Closing, FailedAttempt, Recipe, StoredTrace, TraceKey, Turn
from geostore.rewards import ensure_default_spec, score_trace
from geostore.store import ClaimedTrace, Store
from tests.conftest import photo_bytes, save_dataset
from tests.minds import ROTATE, ZOOM, answer, text_call


def recipe_of(model: str = "test", **choices: Any) -> Recipe:
    """The recipe of a model under these fields of `RecipeChoices`."""
    return make_recipe(model, RecipeChoices(**choices))


TEXT_RECIPE = recipe_of(model="test-text", protocol="text", bbox_frame="norm1000")
NATIVE_RECIPE = recipe_of(model="test-native", protocol="native", bbox_frame="norm1000")
TOOLLESS_RECIPE = recipe_of(model="test-text", tools=False)

ZOOM_IN = text_call(ZOOM, {"bbox_2d": [100, 100, 600, 700]})
TURN_LEFT = text_call(ROTATE, {"angle": 90})
BAD_BOX = text_call(ZOOM, {"bbox_2d": [5, 5, 2, 2]})
NO_ANSWER = "I could not say. <answer>\\boxed{latitude, longitude}</answer>"
RATE_LIMIT = FailedAttempt(
    turn=1, error_class="rate_limit", message="too many requests", http_status=429
)

Line = str | FailedAttempt | dict[str, Any]
"""What the teacher does next: says a text, fails, or says a turn with these fields."""


def played_recipe(trace: StoredTrace) -> Recipe:
    """The recipe of a trace that geostore itself played, whole."""
    assert isinstance(trace.recipe, Recipe)
    return trace.recipe


def native(text: str, *calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A line of a teacher that calls tools by the API."""
    written = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    return {
        "response": text,
        "finish_reason": "tool_calls",
        "native_calls": json.dumps(written, separators=(",", ":"), sort_keys=True),
    }


def make_dataset(path: Path, rows: int = 4, *, seed: int = 0, **columns: list[object]) -> Path:
    """A saved dataset of small photos, no two of them alike for different seeds."""
    photos = [photo_bytes(1000 * seed + row, size=(480, 360)) for row in range(rows)]
    return save_dataset(path, photos, **columns)


class StoreBuilder:
    """Puts scripted traces of one dataset into a store."""

    def __init__(self, store: Store, dataset_path: Path) -> None:
        self.store = store
        self.dataset = PhotoDataset.open(dataset_path)
        self._bench = ToolBench()
        with store.db.transaction():
            self.dataset_id = store.samples.put_dataset(self.dataset.facts)
            self.run_id = store.runs.start_run(
                arguments={}, versions={}, host="test", pid=1, process_started=None
            )
            self._spec_id = ensure_default_spec(store.db)

    def play(
        self,
        sample_index: int,
        script: Sequence[Line],
        *,
        recipe: Recipe = TEXT_RECIPE,
        rollout: int = 1,
        turn_limit: int = 10,
    ) -> str:
        """Play a trace until it closes or the script ends; its name without the dataset's.

        A trace whose script ends is left open, and can be played on.
        """
        key = TraceKey(sample_index, recipe_hash(recipe), rollout)
        claimed = self._claim(sample_index, recipe, rollout, turn_limit)
        photo = self.dataset.photo_bytes(sample_index)
        sent = prepare_photo(photo, recipe.limits, with_pixels=True)
        conversation = Conversation.resume(
            recipe, RequestWriter(recipe), sent.facts, turns=claimed.turns, calls=claimed.calls
        )
        lines = iter(script)
        with self.store.db.transaction():
            while True:
                step = conversation.next(turn_limit)
                if isinstance(step, Closing):
                    final = conversation.turns[-1].response
                    self._close(claimed.trace_id, step, turn_limit, final)
                    break
                if isinstance(step, Run):
                    call, _ = self._bench.run(step, recipe, photo)
                    self.store.traces.put_call(claimed.trace_id, call)
                    conversation.add_call(call)
                    continue
                line = next(lines, None)
                if line is None:
                    break
                if isinstance(line, FailedAttempt):
                    attempt = replace(line, turn=step.turn)
                    self.store.traces.put_attempt(claimed.trace_id, attempt, run_id=self.run_id)
                    failed = Closing("failed", line.error_class)
                    self._close(claimed.trace_id, failed, turn_limit, None)
                    break
                turn = _turn(step, line)
                self.store.traces.put_turn(
                    claimed.trace_id, turn, run_id=self.run_id, photo=sent.facts
                )
                conversation.add_turn(turn)
            self.store.claims.release_claims(self.run_id)
        return str(key)

    def _claim(
        self, sample_index: int, recipe: Recipe, rollout: int, turn_limit: int
    ) -> ClaimedTrace:
        sample = self.dataset.read_sample(sample_index)
        with self.store.db.transaction():
            known = self.store.samples.put_sample(self.dataset_id, sample)
            claimed = self.store.claims.claim(
                sample_id=known.sample_id,
                recipe_id=self.store.recipes.put_recipe(recipe),
                rollout=rollout,
                run_id=self.run_id,
                turn_limit=turn_limit,
                seconds=60.0,
            )
        assert isinstance(claimed, ClaimedTrace), claimed
        return claimed

    def _close(self, trace_id: int, closing: Closing, turn_limit: int, final: str | None) -> None:
        self.store.traces.close_trace(trace_id, closing, turn_limit=turn_limit)
        if final is not None:
            self.store.traces.put_answer(trace_id, PARSER_VERSION, parse_answer(final))
            score_trace(self.store.db, trace_id, self._spec_id)


def _turn(step: Ask, line: str | dict[str, Any]) -> Turn:
    fields = {"response": line} if isinstance(line, str) else dict(line)
    response, reasoning, where = split_reasoning(fields.pop("response"))
    values: dict[str, Any] = {
        "reasoning": reasoning,
        "reasoning_source": where,
        "native_calls": None,
        "finish_reason": "stop",
        "prompt_tokens": 1000 + step.turn,
        "completion_tokens": 100 + step.turn,
        "total_tokens": 1100 + 2 * step.turn,
        "latency_ms": 1500,
        "served_model": "test",
    }
    return Turn(
        turn=step.turn,
        response=response,
        turn_limit=step.turn_limit,
        request_sha256=step.request_sha256,
        **{**values, **fields},
    )


def fill(builder: StoreBuilder, *, backwards: bool = False) -> list[str]:
    """Six traces of every kind that ends, and their names in the order of an export.

    Row 0: zoom and rotation, near its place; twice. Row 1: no call, far from it.
    Row 2: two calls at once, one of them bad, then no answer. Row 3: native
    calls; and one failed.
    """
    plays: list[tuple[int, list[Line], Recipe, int]] = [
        (0, [f"<think>A sign.</think>{ZOOM_IN}", TURN_LEFT, answer(10.0, 20.001)], TEXT_RECIPE, 1),
        (0, [ZOOM_IN, "Hm.", answer(11.0, 20.0)], TEXT_RECIPE, 2),
        (1, [answer(-40.0, 170.0)], TEXT_RECIPE, 1),
        (2, [ZOOM_IN + BAD_BOX, NO_ANSWER, NO_ANSWER, NO_ANSWER], TEXT_RECIPE, 1),
        (
            3,
            [
                native("Two.", (ZOOM, {"bbox_2d": [0, 0, 500, 500]}), (ROTATE, {"angle": 180})),
                answer(13.5, 23.0),
            ],
            NATIVE_RECIPE,
            1,
        ),
        (3, [RATE_LIMIT], TEXT_RECIPE, 1),
    ]
    names = {}
    for number in reversed(range(len(plays))) if backwards else range(len(plays)):
        row, script, recipe, rollout = plays[number]
        names[number] = builder.play(row, script, recipe=recipe, rollout=rollout)
    return [names[number] for number in range(len(plays))]
