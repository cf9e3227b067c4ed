"""The format ``chat``: OpenAI's messages, in the dialect of one reader."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import datasets
import pytest
from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionToolMessageParam,
    ChatCompletionUserMessageParam,
)
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

import geostore
from geostore.cli import app
from geostore.errors import ExportError
from geostore.export import ExportOptions, ExportResult, export, make_splits
from geostore.export.files.checking import check_export
from geostore.export.formats import chat
from geostore.export.student.placeholders import unescape_placeholders
from geostore.export.trainers.dialects import DIALECTS, DialectName
from geostore.store import Store
from tests.builders import (
    NATIVE_RECIPE,
    ZOOM_IN,
    StoreBuilder,
    fill,
    make_dataset,
    native,
)
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.running import geostore as geostore_command

NAMES: tuple[DialectName, ...] = get_args(DialectName)
TYPES: dict[str, Any] = {
    "system": ChatCompletionSystemMessageParam,
    "user": ChatCompletionUserMessageParam,
    "assistant": ChatCompletionAssistantMessageParam,
    "tool": ChatCompletionToolMessageParam,
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos", rows=6))
        fill(builder)
        words = "On it stands <image>, and <image\\> below. 東京"
        label = {"bbox_2d": [0, 0, 500, 500], "label": "a <video> of <image>"}
        builder.play(
            4,
            [native(words, (ZOOM, label)), native("", (ROTATE, {"angle": 90})), answer(14, 24)],
            recipe=NATIVE_RECIPE,
        )
        builder.play(
            5, [words + ZOOM_IN, 'Cut: <tool_call>\n{"name": "image_z', answer(15.0, 25.0)]
        )
    return folder / "geostore.db"


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if DIALECTS[name].calls == "native"])
def test_no_place_of_an_image_hides_in_a_call(tmp_path: Path, dialect: DialectName) -> None:
    """A template writes the values of arguments, and the name of a tool, into the prompt."""
    hidden = {
        "response": "There.",
        "finish_reason": "tool_calls",
        "native_calls": json.dumps(
            [
                {
                    "id": "c",
                    "type": "function",
                    "function": {
                        "name": ZOOM,
                        "arguments": '{"bbox_2d": [0, 0, 9, 9], "label": "\\u003cimage\\u003e"}',
                    },
                }
            ]
        ),
    }
    with Store.open(tmp_path / "s.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=2))
        builder.play(0, [hidden, answer(1.0, 2.0)], recipe=NATIVE_RECIPE)
        builder.play(
            1, [native("Hm.", ("<image>", {"a": 1})), answer(1.0, 2.0)], recipe=NATIVE_RECIPE
        )
    exported(tmp_path / "s.db", tmp_path / "out", dialect)
    by_arguments, by_name = rows(tmp_path / "out")
    [call] = [c for m in by_arguments["messages"] for c in m.get("tool_calls") or ()]
    label = decoded_label(call["function"]["arguments"])
    assert label == "<image\\>"
    assert not [m for m in by_name["messages"] if m.get("tool_calls")]
    said = [words_of(m) for m in by_name["messages"] if m["role"] == "assistant"]
    assert "<image\\>" in said[0]
    assert "<image>" not in said[0]


def decoded_label(arguments: Any) -> str:
    values = json.loads(arguments) if isinstance(arguments, str) else arguments
    return str(values["label"])


def exported(store: Path, out: Path, dialect: DialectName) -> ExportResult:
    with Store.open(store) as opened:
        return export(opened, out, options=ExportOptions(format="chat", dialect=dialect))


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "traces.jsonl").read_text("utf-8").splitlines()]


def check_message(message: dict[str, Any]) -> None:
    """Raise where OpenAI's own types refuse a message, or know no such member."""
    kind = TYPES[message["role"]]
    assert message.keys() <= kind.__annotations__.keys(), message.keys()
    checked = TypeAdapter(kind).validate_python(message, strict=True)
    for value in checked.values():
        if isinstance(value, Iterable) and not isinstance(value, str):
            list(value)  # pydantic checks the items of an Iterable only when they are read


def check_row(row: dict[str, Any], dialect: DialectName) -> None:
    """Raise where a row is no chat completion, or has what its reader does not know."""
    reader = DIALECTS[dialect]
    native_calls = reader.calls == "native"
    assert row.keys() <= {"messages", "tools", "parallel_tool_calls"}
    tools = row.get("tools", [])
    for tool in json.loads(tools) if isinstance(tools, str) else tools:
        TypeAdapter(ChatCompletionFunctionToolParam).validate_python(tool, strict=True)
    open_calls: list[str] = []
    for message in row["messages"]:
        member = reader.weight if message["role"] == "assistant" else None
        if member is not None:
            assert message[member] in (0, 1)
        check_message({name: value for name, value in message.items() if name != member})
        assert native_calls or message["role"] in ("system", "user", "assistant")
        if reader.every_content_a_list:
            assert isinstance(message["content"], list)
        if isinstance(message["content"], list) and message["role"] != "user":
            assert all(part["type"] == "text" for part in message["content"])
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            continue
        assert not open_calls, "a call has no result"
        for call in message.get("tool_calls", ()):
            TypeAdapter(ChatCompletionMessageFunctionToolCallParam).validate_python(call)
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            open_calls.append(call["id"])
    assert row["messages"][-1]["role"] == "assistant"


def words_of(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def decoded(arguments: str) -> Any:
    """The arguments of a call, without the escapes."""
    return json.loads(
        arguments,
        object_hook=lambda members: {
            name: unescape_placeholders(value) if isinstance(value, str) else value
            for name, value in members.items()
        },
    )


def image_hashes(messages: Sequence[dict[str, Any]]) -> list[str]:
    urls = [
        part["image_url"]["url"]
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    return [hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest() for url in urls]


@pytest.mark.parametrize("dialect", NAMES)
def test_every_row_is_what_openais_own_types_and_the_reader_take(
    filled: Path, tmp_path: Path, dialect: DialectName
) -> None:
    exported(filled, tmp_path / "out", dialect)
    written = rows(tmp_path / "out")
    assert len(written) == 7
    for row in written:
        check_row(row, dialect)


def test_the_check_of_rows_fails_on_what_a_reader_would_refuse(
    filled: Path, tmp_path: Path
) -> None:
    """A check that takes everything would prove nothing."""
    exported(filled, tmp_path / "out", "openai")
    row = next(row for row in rows(tmp_path / "out") if len(row["messages"]) > 4)
    image = next(part for part in row["messages"][1]["content"] if part["type"] == "image_url")
    result = next(message for message in row["messages"] if message["role"] == "tool")
    assistant = row["messages"][2]
    broken: list[dict[str, Any]] = [
        {**row, "trace": "17"},
        {**row, "messages": row["messages"][:-1]},
        {**row, "messages": [message for message in row["messages"] if message != result]},
        {**row, "messages": [{**assistant, "content": [image]}, *row["messages"][3:]]},
        {**row, "messages": [{**assistant, "thought": "A sign."}, *row["messages"][3:]]},
        {**row, "messages": [{**assistant, "weight": 0.5}, *row["messages"][3:]]},
        {**row, "messages": [{"role": "user", "content": [{"type": "text"}]}, assistant]},
    ]
    for wrong in broken:
        with pytest.raises((AssertionError, ValidationError)):
            check_row(wrong, "openai")


@pytest.mark.parametrize("dialect", NAMES)
def test_words_and_images_are_those_of_the_trace_in_their_order(
    filled: Path, tmp_path: Path, dialect: DialectName
) -> None:
    exported(filled, tmp_path / "out", dialect)
    with Store.open(filled) as store:
        names = [
            name
            for (name,) in store.db.connection.execute(
                "select id from traces where status != 'failed' order by sample_id, rollout"
            )
        ]
        traces = [store.traces.get_trace(name) for name in names]
    for row, trace in zip(rows(tmp_path / "out"), traces, strict=True):
        images = [call.image for call in trace.calls if call.image is not None]
        assert trace.photo is not None
        assert image_hashes(row["messages"]) == [
            image.sha256 for image in (trace.photo, *images)
        ], trace.name
        replies = [message for message in row["messages"] if message["role"] == "assistant"]
        assert len(replies) == len(trace.turns)
        for reply, turn in zip(replies, trace.turns, strict=True):
            if "tool_calls" not in reply:
                assert turn.response in unescape_placeholders(words_of(reply))
                continue
            functions = [call["function"] for call in reply["tool_calls"]]
            assert [(call["name"], decoded(call["arguments"])) for call in functions] == [
                (call.name, json.loads(call.raw_arguments))
                for call in trace.calls
                if call.turn == turn.turn
            ]
        with_calls = sum("tool_calls" in reply for reply in replies)
        assert bool(with_calls) == (DIALECTS[dialect].calls == "native" and bool(trace.calls))


def test_a_crop_follows_the_text_of_its_result_in_a_user_message(
    filled: Path, tmp_path: Path
) -> None:
    """The role `tool` holds text alone at nearly every reader."""
    exported(filled, tmp_path / "out", "openai")
    row = rows(tmp_path / "out")[4]  # two native calls at once
    roles = [message["role"] for message in row["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "user", "assistant"]
    crops = row["messages"][5]["content"]
    assert [part["type"] for part in crops] == ["text", "image_url"] * 2
    assert [part["text"] for part in crops[::2]] == ["Image 1:", "Image 2:"]


def test_a_placeholder_in_the_teachers_words_or_calls_is_escaped(
    filled: Path, tmp_path: Path
) -> None:
    """A trainer would count it as one more image, and stop."""
    exported(filled, tmp_path / "out", "openai")
    native_row, text_row = rows(tmp_path / "out")[-2:]
    words = "On it stands <image>, and <image\\> below. 東京"
    reply = native_row["messages"][2]
    assert reply["content"] == "On it stands <image\\>, and <image\\\\> below. 東京"
    assert unescape_placeholders(reply["content"]) == words
    [call] = reply["tool_calls"]
    label = json.loads(call["function"]["arguments"])["label"]
    assert (label, unescape_placeholders(label)) == (
        "a <video\\> of <image\\>",
        "a <video> of <image>",
    )
    assert text_row["messages"][2]["content"] == reply["content"]


def test_a_call_that_could_not_be_read_stays_in_the_teachers_words(tmp_path: Path) -> None:
    broken = 'Look. <tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox\n</tool_call>'
    with Store.open(tmp_path / "g.db", create=True) as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos"))
        builder.play(0, [broken, ZOOM_IN, answer(1.0, 2.0)])
    exported(tmp_path / "g.db", tmp_path / "out", "azure")
    [row] = rows(tmp_path / "out")
    check_row(row, "azure")
    roles = [message["role"] for message in row["messages"]]
    assert roles == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "user",
        "assistant",
    ]
    assert row["messages"][2]["content"] == broken
    assert "tool_calls" not in row["messages"][2]


def test_calls_stay_text_and_roles_alternate_where_a_reader_knows_no_tool_messages(
    filled: Path, tmp_path: Path
) -> None:
    exported(filled, tmp_path / "out", "together")
    for row in rows(tmp_path / "out"):
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["system", *["user", "assistant"] * (len(roles) // 2)]
        assert "tools" not in row
    native_row = rows(tmp_path / "out")[-2]
    assert "image_zoom_in_tool" in words_of(native_row["messages"][0])
    assert words_of(native_row["messages"][2]).endswith("\n</tool_call>")


def test_a_row_over_a_limit_of_its_reader_is_left_out_named_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together refuses the whole file where one row has 11 images."""
    eleven = [text_call(ZOOM, {"bbox_2d": [0, 0, 300 + 10 * n, 400]}) for n in range(10)]
    with Store.open(tmp_path / "g.db", create=True) as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos"))
        large = builder.play(0, [*eleven, answer(1.0, 2.0)], turn_limit=20)
        builder.play(1, [*eleven[:9], answer(1.0, 2.0)], turn_limit=20)
    result = exported(tmp_path / "g.db", tmp_path / "together", "together")
    assert (result.count, result.left_out) == (1, "1 of 2: 1 over a limit of the reader")
    [left_out] = result.unwritten
    assert left_out.trace == large
    assert left_out.why == "11 images, and Together takes 10 in a row"
    assert exported(tmp_path / "g.db", tmp_path / "azure", "azure").count == 2

    out = CliRunner().invoke(
        app,
        f"export {tmp_path / 'cli'} --store {tmp_path / 'g.db'} --format chat --dialect together",
    )
    assert f"  {large}: 11 images, and Together takes 10 in a row" in out.stderr

    tiny = replace(DIALECTS["azure"], most_image_bytes=100)
    monkeypatch.setattr(chat, "DIALECTS", {**DIALECTS, "azure": tiny})
    with pytest.raises(ExportError, match=r"over a limit.*bytes, and Azure OpenAI takes 100"):
        exported(tmp_path / "g.db", tmp_path / "none", "azure")
    no_jpeg = replace(DIALECTS["azure"], image_types=("image/png",))
    monkeypatch.setattr(chat, "DIALECTS", {**DIALECTS, "azure": no_jpeg})
    with pytest.raises(ExportError, match="image 0 is image/jpeg, which Azure OpenAI does not"):
        exported(tmp_path / "g.db", tmp_path / "none", "azure")


@pytest.mark.parametrize(
    ("limit", "files"), [({"most_rows": 3}, 3), ({"most_file_bytes": 150_000}, 4)]
)
def test_a_file_that_its_reader_would_refuse_ends_and_another_begins(
    filled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: dict[str, Any],
    files: int,
) -> None:
    exported(filled, tmp_path / "whole", "azure")
    monkeypatch.setattr(chat, "DIALECTS", {"azure": replace(DIALECTS["azure"], **limit)})
    exported(filled, tmp_path / "out", "azure")
    parts = sorted((tmp_path / "out").glob("*.jsonl"), key=lambda path: (len(path.name), path))
    assert [path.name for path in parts] == [
        "traces.jsonl",
        *(f"traces-{number:05d}.jsonl" for number in range(1, files)),
    ]
    data = [path.read_bytes() for path in parts]
    assert b"".join(data) == (tmp_path / "whole" / "traces.jsonl").read_bytes()
    for part in data:
        assert len(part.splitlines()) <= limit.get("most_rows", 7)
        assert len(part) <= limit.get("most_file_bytes", 10**9)


def test_a_turn_that_is_masked_has_no_weight_where_its_reader_knows_one(
    filled: Path, tmp_path: Path
) -> None:
    members = {}
    with Store.open(filled) as store:
        for dialect in ("fireworks", "swift", "nemo-rl"):
            options = ExportOptions("chat", dialect=dialect, mask_turns="failed_call")
            if dialect == "nemo-rl":
                with pytest.raises(ExportError, match=r"takes no --mask-turns; leave such traces"):
                    export(store, tmp_path / dialect, options=options)
                continue
            export(store, tmp_path / dialect, options=options)
            member = DIALECTS[dialect].weight
            members[member] = [
                [m[member] for m in row["messages"] if m["role"] == "assistant"]
                for row in rows(tmp_path / dialect)
            ]
    assert members["weight"] == members["loss"]
    assert [weights for weights in members["weight"] if not all(weights)] == [[0, 1], [1, 0, 1]]


@pytest.mark.parametrize("dialect", NAMES)
def test_the_readme_names_the_limits_and_where_they_stand(
    filled: Path, tmp_path: Path, dialect: DialectName
) -> None:
    exported(filled, tmp_path / "out", dialect)
    readme = (tmp_path / "out" / "README.md").read_text()
    reader = DIALECTS[dialect]
    assert " ".join(reader.how_to_load.split()) in " ".join(readme.split())
    for limit in (reader.most_images, reader.most_image_bytes, reader.most_rows):
        assert limit is None or f"{limit:,}" in readme
    assert ("May 2026" in readme) == (dialect == "openai")


@pytest.mark.parametrize("dialect", NAMES)
def test_a_loader_of_folders_takes_the_rows_alone(
    filled: Path, tmp_path: Path, dialect: DialectName
) -> None:
    """prime-rl is given the folder, in which the manifest is JSON as well."""
    exported(filled, tmp_path / "out", dialect)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    for row, written in zip(loaded["train"], rows(tmp_path / "out"), strict=True):
        assert without_nulls(row) == written


def without_nulls(value: Any) -> Any:
    """A value without the null members that a table adds; prime-rl drops them too."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def test_boxes_can_be_framed_for_the_student(filled: Path, tmp_path: Path) -> None:
    with Store.open(filled) as store:
        options = ExportOptions("chat", bbox_frame="pixel", student="qwen2.5-vl")
        export(store, tmp_path / "out", options=options)
    call = rows(tmp_path / "out")[0]["messages"][2]["tool_calls"][0]["function"]
    assert json.loads(call["arguments"])["bbox_2d"] != [100, 100, 600, 700]


def test_the_readme_names_the_files_of_the_splits(filled: Path, tmp_path: Path) -> None:
    with geostore.open(filled) as store:
        splits = {"train": 0.5, "val": 0.5}
        store.export(tmp_path, format="chat", dialect="together", split=splits, split_by="cell:5")
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["train.jsonl", "val.jsonl"]
    readme = (tmp_path / "README.md").read_text()
    assert "`together files upload train.jsonl`" in readme
    assert "`val.jsonl` is to validate on" in readme
    assert "traces.jsonl" not in readme


def test_the_readme_names_the_first_of_several_shards(filled: Path, tmp_path: Path) -> None:
    with Store.open(filled) as store:
        for dialect in ("together", "swift"):
            out = tmp_path / dialect
            options = ExportOptions(format="chat", dialect=dialect, shard_size=2)
            export(store, out, options=options, splits=make_splits("train=0.5,val=0.5"))
            readme = (out / "README.md").read_text()
            for split in ("train", "val"):
                assert (f"{split}-00000.jsonl" in readme) == bool(
                    list(out.glob(f"{split}-*.jsonl"))
                )
                assert f"{split}.jsonl" not in readme


def test_a_dialect_is_refused_where_it_means_nothing_or_is_misspelt(
    filled: Path, tmp_path: Path
) -> None:
    with Store.open(filled) as store:
        with pytest.raises(ExportError, match="the format jsonl takes no --dialect"):
            export(store, tmp_path / "out", options=ExportOptions("jsonl", dialect="azure"))
        wrong = ExportOptions("chat", dialect="azur")  # type: ignore[arg-type]
        with pytest.raises(ExportError, match=r"no dialect 'azur' .did you mean azure"):
            export(store, tmp_path / "out", options=wrong)
        with pytest.raises(ExportError, match="the format chat has no --images files"):
            export(store, tmp_path / "out", options=ExportOptions("chat", images="files"))


def test_the_same_store_and_dialect_give_the_same_bytes(filled: Path, tmp_path: Path) -> None:
    first = exported(filled, tmp_path / "a", "openai")
    again = exported(filled, tmp_path / "b", "openai")
    other = exported(filled, tmp_path / "c", "prime-rl")
    assert first.sha256 == again.sha256 != other.sha256
    assert len(rows(tmp_path / "a")) == first.count == 7


def test_a_check_says_why_no_reader_is_tried(filled: Path, tmp_path: Path) -> None:
    exported(filled, tmp_path / "out", "openai")
    assert check_export(tmp_path / "out").loader.startswith(
        "the reader of chat was not asked: there"
    )


def test_a_file_of_too_few_rows_for_its_reader_is_named(filled: Path, tmp_path: Path) -> None:
    """In the summary, also of an export that stands already, and in a check."""
    arguments = ("export", tmp_path / "out", "--store", filled, "--format", "chat", "--limit", "2")
    sentence = "traces.jsonl has 2 rows, and OpenAI takes no file of fewer than 10"
    for more in ((), (), ("--check",)):
        shown = geostore_command(*arguments[: 2 if more else None], *more)
        assert shown.returncode == 0, shown.stderr
        assert sentence in " ".join(shown.stderr.split())
    shown = geostore_command(*arguments, "--dialect", "together")
    assert "takes no file" not in shown.stderr
