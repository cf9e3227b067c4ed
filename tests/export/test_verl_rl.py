"""The format ``verl-rl``: prompts without a teacher's word, and what verl is started with.

verl's own classes run the tools and the reward in `tests.formats`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from geostore.conversation.recipe import tool_names
from geostore.conversation.tool_session import ToolSession, read_tool_settings
from geostore.errors import ExportError
from geostore.export import ExportOptions, export, make_splits
from geostore.export.trainers.verl_scripts import batch_size
from geostore.records import StoredTrace
from geostore.rewards import RewardSpec, ensure_spec, make_spec, rescore, set_default
from geostore.store import Filter, Store, open_snapshot
from geostore.store.rewards import find_spec
from tests.builders import TOOLLESS_RECIPE, StoreBuilder, fill, make_dataset, recipe_of
from tests.minds import answer, text_call

OPTIONS = ExportOptions(format="verl-rl")
PIXELS = recipe_of(
    model="Qwen/Qwen2.5-VL-7B", bbox_frame="pixel", extra_tools=("image_enhance_tool",)
)
ENHANCE = text_call("image_enhance_tool", {"contrast": 2})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        builder.play(0, [answer(1.0, 2.0)], recipe=TOOLLESS_RECIPE)
        builder.play(0, [ENHANCE, answer(1.0, 2.0)], recipe=PIXELS, turn_limit=12)
        builder.play(0, [answer(1.0, 2.0)], recipe=PIXELS, rollout=2, turn_limit=12)
    return folder / "geostore.db"


@pytest.fixture(scope="module")
def exported(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "out"
    with Store.open(filled) as store:
        assert export(store, out, options=OPTIONS).count == 8
    return out


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(folder / "prompts.parquet").to_pylist()
    return rows


def traces_of(store: Path) -> list[StoredTrace]:
    with open_snapshot(store) as snapshot:
        traces = list(snapshot.traces(Filter(), with_turns=True))
    return [trace for trace in traces if trace.turns]


def with_tools(row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tools = row["extra_info"]["tools_kwargs"] or {}
    return {name: kwargs["create_kwargs"] for name, kwargs in tools.items() if kwargs}


def settings_of(folder: Path, *more: str) -> list[str]:
    """What the export's script starts Python with."""
    program = folder.parent / "bin" / "python"
    program.parent.mkdir(exist_ok=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["sh", folder / "train.sh", *more],
        env={"PATH": path},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()


def values_of(settings: list[str]) -> dict[str, str]:
    """The values of settings by name, without the quotes that are hydra's."""
    pairs = (setting.split("=", 1) for setting in settings if "=" in setting)
    return {name: value.strip("'") for name, value in pairs}


def test_a_photo_is_asked_about_once_under_a_recipe(filled: Path, exported: Path) -> None:
    prompts = [trace.name.rpartition("-")[0] for trace in traces_of(filled)]
    assert len(set(prompts)) < len(prompts)
    assert [row["extra_info"]["trace"] for row in rows_of(exported)] == list(dict.fromkeys(prompts))


def test_a_row_holds_the_question_the_place_and_no_word_of_a_teacher(
    filled: Path, exported: Path
) -> None:
    rows = {row["extra_info"]["trace"]: row for row in rows_of(exported)}
    for trace in traces_of(filled):
        row = rows[trace.name.rpartition("-")[0]]
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        texts = [message["content"] for message in row["prompt"]]
        assert [text.count("<image>") for text in texts] == [0, 1]
        assert not any(turn.response in text for turn in trace.turns for text in texts)
        assert trace.photo is not None
        (image,) = row["images"]
        assert hashlib.sha256(image["bytes"]).hexdigest() == trace.photo.sha256
        place = {"lat": trace.sample.lat, "lon": trace.sample.lon}
        assert row["reward_model"] == {"style": "rule", "ground_truth": place}
        assert row["data_source"] == trace.dataset.name
        assert row["extra_info"]["index"] == trace.sample.sample_index


def test_a_row_says_what_its_tools_need_and_the_photo_goes_along(
    filled: Path, exported: Path
) -> None:
    """Each call of the store, run from the row alone, gives the bytes that the store has."""
    rows = {row["extra_info"]["trace"]: row for row in rows_of(exported)}
    images = 0
    for trace in traces_of(filled):
        tools = with_tools(rows[trace.name.rpartition("-")[0]])
        assert len(tools) == (3 if trace.recipe.tools else 0)
        if not tools:
            continue
        made_of = tools["image_zoom_in_tool"]
        assert all(other == made_of for other in tools.values())
        photo = (exported / made_of["photo"]).read_bytes()
        recipe = read_tool_settings(made_of["settings"])
        session = ToolSession(photo, recipe, sha256=made_of["sha256"])
        for call in trace.calls:
            result = session.call(call.name, call.raw_arguments, turn=call.turn)
            assert result.sentence == call.observation
            assert (result.image and result.image.sha256) == (call.image and call.image.sha256)
            images += call.image is not None
    assert images == 7
    assert len(list((exported / "photos").rglob("*.*"))) == 0
    assert len([file for file in (exported / "photos").rglob("*") if file.is_file()]) == 4


def test_a_tool_that_a_prompt_does_not_offer_is_refused_in_the_teachers_words(
    exported: Path,
) -> None:
    """verl offers every prompt the tools of the whole export."""
    refused = 0
    for row in rows_of(exported):
        for name, made_of in with_tools(row).items():
            recipe = read_tool_settings(made_of["settings"])
            session = ToolSession((exported / made_of["photo"]).read_bytes(), recipe)
            sentence = session.call(name, "{}", turn=1).sentence
            if name not in tool_names(recipe):
                assert sentence.startswith(f'There is no tool "{name}"')
                refused += 1
    assert refused == 4  # so many prompts offer two of the three tools


def test_prompts_without_tools_go_to_the_agent_of_one_turn(exported: Path) -> None:
    agents = {row["agent_name"]: with_tools(row) for row in rows_of(exported)}
    assert agents["single_turn_agent"] == {}
    assert agents["geostore_tool_agent"]
    loops = yaml.safe_load((exported / "agent_loop.yaml").read_text())
    assert [loop["name"] for loop in loops] == ["geostore_tool_agent"]


def test_the_configuration_names_classes_that_the_tools_file_has(exported: Path) -> None:
    source = ast.parse((exported / "geostore_tools.py").read_text())
    classes = [node.name for node in source.body if isinstance(node, ast.ClassDef)]
    config = yaml.safe_load((exported / "tool_config.yaml").read_text())["tools"]
    named = [tool["class_name"].rpartition(".") for tool in config]
    assert {module for module, _, _ in named} == {"geostore_tools"}
    assert [name for _, _, name in named] == [
        "ImageZoomInTool",
        "ImageRotateTool",
        "ImageEnhanceTool",
    ]
    loops = yaml.safe_load((exported / "agent_loop.yaml").read_text())
    assert {name for _, _, name in named} < set(classes)
    assert loops[0]["_target_"].rpartition(".")[2] in classes
    assert all(tool["config"] == {"type": "native"} for tool in config)


def test_the_script_starts_verl_with_the_files_of_its_own_folder(exported: Path) -> None:
    path, flag, module, *settings = settings_of(exported, "trainer.nnodes=2")
    assert (path, flag, module) == (str(exported), "-m", "verl.trainer.main_ppo")
    values = values_of(settings)
    assert values["data.train_files"] == str(exported / "prompts.parquet")
    assert values["reward.custom_reward_function.path"] == str(exported / "reward.py")
    assert values["trainer.nnodes"] == "2"
    turns = "actor_rollout_ref.rollout.multi_turn"
    assert values[f"{turns}.max_assistant_turns"] == "12"
    # More than any recipe allows, because verl drops calls past its own limit without a word.
    assert int(values[f"{turns}.max_parallel_calls"]) > 10
    assert values[f"{turns}.tool_config_path"] == str(exported / "tool_config.yaml")
    named = [value for value in values.values() if value.startswith("/")]
    assert len(named) == 5
    assert all(Path(value).is_file() for value in named)


def test_the_script_counts_in_tokens_what_a_gpu_takes_so_that_verl_starts(exported: Path) -> None:
    values = values_of(settings_of(exported))
    actor = "actor_rollout_ref.actor"
    assert values[f"{actor}.use_dynamic_bsz"] == "true"
    lengths = [int(values[f"data.max_{part}_length"]) for part in ("prompt", "response")]
    assert values[f"{actor}.ppo_max_token_len_per_gpu"] == str(sum(lengths))


def test_a_step_takes_no_more_prompts_than_there_are_to_learn_from(
    filled: Path, tmp_path: Path
) -> None:
    """verl drops the rows that do not fill a step, so with its own 1024 nothing would be learnt."""
    for name, splits in (("all", None), ("split", make_splits("train=0.5,val=0.5", seed=3))):
        out = tmp_path / name / "out"
        with Store.open(filled) as store:
            export(store, out, options=OPTIONS, splits=splits)
        learnt = out / ("train.parquet" if splits else "prompts.parquet")
        rows = parquet.read_metadata(learnt).num_rows
        values = values_of(settings_of(out))
        batch = int(values["data.train_batch_size"])
        assert rows / 2 < batch <= rows
        assert values["actor_rollout_ref.actor.ppo_mini_batch_size"] == str(batch)
        # Without a split of its own verl would validate with all prompts before it learns.
        assert values.get("trainer.val_before_train") == (None if splits else "false")


@pytest.mark.parametrize(
    ("rows", "batch"),
    [(1, 1), (7, 4), (9, 8), (100, 8), (1000, 64), (5000, 512), (99_999, 1024)],
)
def test_an_epoch_has_eight_steps_or_rows_for_eight_gpus(rows: int, batch: int) -> None:
    assert batch_size(rows, most=1024) == batch


def test_files_of_shards_are_listed_in_the_script(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Store.open(filled) as store:
        export(store, out, options=ExportOptions(format="verl-rl", shard_size=4))
    files = [f"'{out / name}'" for name in ("prompts-00000.parquet", "prompts-00001.parquet")]
    assert f"data.train_files=[{','.join(files)}]" in settings_of(out)


def test_each_split_has_a_file_and_the_script_validates_with_the_other(
    filled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Store.open(filled) as store:
        splits = make_splits("train=0.5,val=0.5", seed=3)
        export(store, out, options=OPTIONS, splits=splits)
    files = {file.name: parquet.read_table(file).to_pylist() for file in out.glob("*.parquet")}
    assert set(files) == {"train.parquet", "val.parquet"}
    for name, rows in files.items():
        assert {row["extra_info"]["split"] for row in rows} == {name.partition(".")[0]}
    values = values_of(settings_of(out))
    assert values["data.train_files"] == str(out / "train.parquet")
    assert values["data.val_files"] == str(out / "val.parquet")


@pytest.mark.parametrize("shares", ["val=0.9,test=0.1", "first=0.1,second=0.9"])
def test_without_a_split_train_the_largest_is_learnt_and_another_validates(
    filled: Path, tmp_path: Path, shares: str
) -> None:
    out = tmp_path / "out"
    with Store.open(filled) as store:
        export(store, out, options=OPTIONS, splits=make_splits(shares, seed=3))
    by_traces = json.loads((out / "manifest.json").read_text())["traces_by_split"]
    largest, other = sorted(by_traces, key=by_traces.get, reverse=True)
    values = values_of(settings_of(out))
    assert values["data.train_files"] == str(out / f"{largest}.parquet")
    assert values["data.val_files"] == str(out / f"{other}.parquet")


def test_without_tools_there_is_no_environment_but_the_reward(filled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Store.open(filled) as store:
        toolless = next(t.key.recipe_sha256 for t in traces_of(filled) if not t.recipe.tools)
        export(store, out, options=OPTIONS, filters=Filter(recipe=toolless))
    assert sorted(path.name for path in out.iterdir()) == [
        *("README.md", "SHA256SUMS", "manifest.json", "prompts.parquet", "reward.py", "train.sh"),
    ]
    assert not any("multi_turn" in setting for setting in settings_of(out))


def with_default(store: Path, folder: Path, spec: RewardSpec) -> Path:
    """A copy of a store whose scores are of another reward."""
    copy = folder / "geostore.db"
    copy.write_bytes(store.read_bytes())
    with Store.open(copy) as opened:
        ensure_spec(opened.db, spec)
        if spec.kind != "custom":
            rescore(opened.db, spec)
        known = find_spec(opened.db, spec.sha256)
        assert known is not None
        set_default(opened.db, known.sha256)
    return copy


def test_a_function_of_the_users_is_named_because_only_its_hash_is_known(
    filled: Path, tmp_path: Path
) -> None:
    spec = RewardSpec("mine", "custom", {"function": "mine.py:near", "source_sha256": "0" * 64})
    out = tmp_path / "out"
    with Store.open(with_default(filled, tmp_path, spec)) as store:
        export(store, out, options=OPTIONS)
    assert not (out / "reward.py").exists()
    readme = " ".join((out / "README.md").read_text().split())
    assert "mine.py:near" in readme
    assert "`reward.custom_reward_function.name` the function, `near`" in readme
    assert not any("custom_reward_function" in setting for setting in settings_of(out))


@pytest.mark.parametrize(
    "params", [{"geoguessr": "1", "tokens": "-0.1"}, {"geoguessr": "1", "geoguessr.if": "tokens"}]
)
def test_a_reward_that_counts_tokens_is_refused(
    filled: Path, tmp_path: Path, params: dict[str, str]
) -> None:
    """verl tells a reward no count of what the student wrote."""
    spec = make_spec("weighted", params)
    out = tmp_path / "out"
    with (
        Store.open(with_default(filled, tmp_path, spec)) as store,
        pytest.raises(ExportError, match=r"counts tokens.*--reward"),
    ):
        export(store, out, options=OPTIONS)
    assert not out.exists()


def test_the_same_store_gives_the_same_bytes(filled: Path, exported: Path, tmp_path: Path) -> None:
    with Store.open(filled) as store:
        export(store, tmp_path / "out", options=OPTIONS)
    assert (tmp_path / "out" / "SHA256SUMS").read_bytes() == (exported / "SHA256SUMS").read_bytes()


def test_the_readme_measures_each_row_once_and_claims_no_word_of_a_teacher(
    filled: Path, exported: Path
) -> None:
    text = (exported / "README.md").read_text()
    rows = len(rows_of(exported))
    assert rows < len(traces_of(filled))
    assert f"The longest of {rows} rows has " in " ".join(text.split())
    assert "what a teacher was asked, without a word of its own." in text
    assert "Photos that a teacher located" not in text
