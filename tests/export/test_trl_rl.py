"""The format ``trl-rl``: prompts without a teacher's word, and its tools and reward as TRL calls
them."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
import pytest
from PIL import Image

from geostore.conversation.messages import LAST_TURN
from geostore.export import ExportOptions, export
from geostore.export.trainers.reward_file import reward_file
from geostore.records import StoredTrace
from geostore.rewards import make_spec
from geostore.store import Filter, Store, open_snapshot
from geostore.store.rewards import StoredSpec
from tests.builders import BAD_BOX, ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.minds import ROTATE, ZOOM, answer, text_call

WRONG_ARGUMENT = text_call(ZOOM, {"bbox_2d": [0, 0, 9, 9], "place": "Rome"})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        script = [ZOOM_IN, BAD_BOX, WRONG_ARGUMENT, text_call(ROTATE, {"angle": -12.5})]
        builder.play(1, [*script, answer(11.0, 21.0)], rollout=2, turn_limit=6)
    return folder / "geostore.db"


@pytest.fixture(scope="module")
def exported(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "out"
    with Store.open(filled) as store:
        export(store, out, options=ExportOptions(format="trl-rl"))
    return out


@pytest.fixture(scope="module")
def rows(exported: Path) -> list[dict[str, Any]]:
    """As TRL gets them: images decoded, one dict a row."""
    loaded = datasets.load_dataset(
        "parquet",
        data_files=str(exported / "prompts.parquet"),
        split="train",
        cache_dir=str(exported.parent / "cache"),
    )
    return list(loaded)


@pytest.fixture
def tools(exported: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The export's own ``photo_tools.py``, as ``train.py`` imports it."""
    monkeypatch.syspath_prepend(str(exported))
    yield importlib.import_module("photo_tools")
    for name in ("photo_tools", "reward"):
        sys.modules.pop(name, None)


def traces_of(store: Path) -> list[StoredTrace]:
    with open_snapshot(store) as snapshot:
        traces = list(snapshot.traces(Filter(), with_turns=True))
    return [trace for trace in traces if trace.turns]


def row_of(rows: list[dict[str, Any]], trace: StoredTrace) -> dict[str, Any]:
    return next(row for row in rows if row["sample"] == trace.name.rpartition("-")[0])


def called(environment: Any, name: str, arguments: str) -> list[dict[str, Any]]:
    """What TRL gets for a call: it finds the method by its name."""
    result: list[dict[str, Any]] = getattr(environment, name)(**json.loads(arguments))
    return result


def test_a_photo_is_asked_about_once_under_a_recipe(
    filled: Path, rows: list[dict[str, Any]]
) -> None:
    """Every rollout of a photo had the same prompt."""
    prompts = [trace.name.rpartition("-")[0] for trace in traces_of(filled)]
    assert len(set(prompts)) < len(prompts)
    assert [row["sample"] for row in rows] == list(dict.fromkeys(prompts))


def test_a_prompt_holds_the_question_and_no_word_of_a_teacher(
    filled: Path, rows: list[dict[str, Any]]
) -> None:
    for trace in traces_of(filled):
        row = row_of(rows, trace)
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        parts = [part for message in row["prompt"] for part in message["content"]]
        assert [part["type"] for part in parts].count("image") == len(row["images"]) == 1
        for turn in trace.turns:
            assert all(turn.response not in (part["text"] or "") for part in parts)
        assert (row["lat"], row["lon"]) == (trace.sample.lat, trace.sample.lon)


def test_each_call_of_the_store_gives_its_sentence_and_the_bytes_of_its_image(
    filled: Path, rows: list[dict[str, Any]], tools: ModuleType
) -> None:
    images = failed = 0
    for trace in traces_of(filled):
        environment = tools.PhotoTools()
        assert environment.reset(**row_of(rows, trace)) is None
        for call in trace.calls:
            *image, text = called(environment, call.name, call.raw_arguments)
            assert text == {"type": "text", "text": ("\n" if image else "") + str(call.observation)}
            assert len(image) == (call.image is not None)
            if call.image is None:
                failed += 1
                continue
            images += 1
            sent = image[0]["image"]
            assert sent.size == (call.image.width, call.image.height)
            sent.fp.seek(0)
            assert hashlib.sha256(sent.fp.read()).hexdigest() == call.image.sha256
    assert images >= 8
    assert failed >= 3


def test_the_photo_of_a_row_is_the_datasets_file_and_another_is_refused(
    rows: list[dict[str, Any]], tools: ModuleType
) -> None:
    row = rows[0]
    assert hashlib.sha256(row["photo"]).hexdigest() == row["photo_sha256"]
    assert Image.open(io.BytesIO(row["photo"])).size == (480, 360)
    with pytest.raises(Exception, match="not the one of the export"):
        tools.PhotoTools().reset(**{**row, "photo": rows[1]["photo"]})


def test_no_result_says_that_the_next_turn_is_the_last(
    rows: list[dict[str, Any]], tools: ModuleType
) -> None:
    """TRL does not say which response a call is of, and a response can make ten calls."""
    environment = tools.PhotoTools()
    environment.reset(**rows[0])
    for _ in range(12):
        assert LAST_TURN not in called(environment, ROTATE, '{"angle": 90}')[-1]["text"]


def test_trl_can_describe_every_tool_and_finds_nothing_else_to_call(tools: ModuleType) -> None:
    """TRL takes each public method for a tool, and reads its Google docstring."""
    public = {name for name in vars(tools.PhotoTools) if not name.startswith("_")}
    assert public == {"reset", ZOOM, ROTATE, "image_enhance_tool"}
    for name in public - {"reset"}:
        assert "Args:\n" in getattr(tools.PhotoTools, name).__doc__


class Tokenizer:
    """As much of a tokenizer as the reward asks for: a token is a number below."""

    eos_token_id = 1

    def convert_tokens_to_ids(self, token: str) -> int:
        assert token == "<|im_start|>"
        return 2


def scores_of(
    tools: ModuleType,
    rows: list[dict[str, Any]],
    traces: list[StoredTrace],
    logged: dict[str, float],
) -> list[float]:
    """What the reward function gives for rollouts in which the student says what a teacher said."""
    environments = []
    completions: list[list[dict[str, Any]]] = []
    for trace in traces:
        environment = tools.PhotoTools()
        environment.reset(**row_of(rows, trace))
        messages: list[dict[str, Any]] = []
        for turn in trace.turns:
            messages.append({"role": "assistant", "content": turn.response})
            for call in trace.calls:
                if call.turn == turn.turn:
                    content = called(environment, call.name, call.raw_arguments)
                    messages.append({"role": "tool", "name": call.name, "content": content})
        environments.append(environment)
        completions.append(messages)
    scores: list[float] = tools.answer_reward(Tokenizer())(
        prompts=[None] * len(traces),
        completions=completions,
        completion_ids=[[9, 1]] * len(traces),
        environments=environments,
        lat=[trace.sample.lat for trace in traces],
        lon=[trace.sample.lon for trace in traces],
        locatability_score=[trace.sample.locatability_score for trace in traces],
        log_metric=logged.__setitem__,
        trainer_state=None,
    )
    return scores


def test_the_reward_is_the_stores(
    filled: Path, rows: list[dict[str, Any]], tools: ModuleType
) -> None:
    logged: dict[str, float] = {}
    traces = traces_of(filled)
    scores = scores_of(tools, rows, traces, logged)
    wanted = [trace.reward.score if trace.reward else None for trace in traces]
    assert scores == pytest.approx([score or 0.0 for score in wanted])
    assert len(set(scores)) > 3
    assert logged["parsed"] == pytest.approx(sum(map(bool, wanted)) / len(wanted))


def test_a_reward_is_told_the_cuts_and_the_locatability(
    filled: Path,
    rows: list[dict[str, Any]],
    tools: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = make_spec("weighted", {"cut": "10", "locatability": "1"})
    stored = StoredSpec(1, spec.sha256, spec.name, spec.kind, spec.parameters, 1, True, "now")
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored))
    monkeypatch.setattr(tools, "score", runpy.run_path(str(file))["score"])
    traces = traces_of(filled)
    wanted = [
        10 * any(call.success and call.box is not None for call in trace.calls)
        + (trace.sample.locatability_score or 0.0)
        for trace in traces
    ]
    assert scores_of(tools, rows, traces, {}) == pytest.approx(wanted)
    assert {score >= 10 for score in wanted} == {True, False}


def test_a_rollout_that_ends_with_a_result_has_no_answer(
    rows: list[dict[str, Any]], tools: ModuleType
) -> None:
    environment = tools.PhotoTools()
    environment.reset(**rows[0])
    result = called(environment, ROTATE, '{"angle": 90}')
    messages = [
        {"role": "assistant", "content": answer(rows[0]["lat"], rows[0]["lon"])},
        {"role": "tool", "name": ROTATE, "content": result},
    ]
    reward = tools.answer_reward(Tokenizer())
    place = {name: [rows[0][name]] for name in ("lat", "lon", "locatability_score")}
    ids = [[9, 1]]
    assert reward([messages], ids, [environment], **place) == [0.0]
    assert reward([messages[:1]], ids, [environment], **place) == [1.0]


def test_tokens_of_results_are_not_the_students(tools: ModuleType) -> None:
    """Two responses of 3 and 2 tokens; between them a line break, a user's turn and a role."""
    ids = [7, 7, 1, 5, 2, 6, 5, 8, 8, 8, 1, 5, 2, 6, 5, 7, 1]
    assert tools._own_tokens(ids, 2) == 5


def test_the_script_allows_as_many_responses_as_the_teacher_had(exported: Path) -> None:
    script = (exported / "train.py").read_text()
    compile(script, "train.py", "exec")
    assert "\nRESPONSES = 10\n" in script


def test_the_readme_measures_the_teachers_traces_and_claims_no_word_of_them(
    filled: Path, exported: Path
) -> None:
    """A rollout takes as long as a trace, and all of them are behind the setting."""
    text = (exported / "README.md").read_text()
    assert f"The longest of {len(traces_of(filled))} traces has " in " ".join(text.split())
    assert "| of the traces | have at most |" in text
    assert "what a teacher was asked, without a word of its own." in text
    assert "Photos that a teacher located" not in text
