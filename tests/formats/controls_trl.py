"""Ways to break the exports for TRL, for each of which a check has to fail."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow
from pyarrow import parquet

from tests.formats.controls import Break

ParquetRow = dict[str, Any]
Change = Callable[[ParquetRow], bool]
"""Changes a row in place; False where it cannot be broken so."""


def breaking_a_row(change: Change) -> Break:
    """A `Break` of the first row of a Parquet export that `change` says to have changed."""

    def break_export(folder: Path) -> None:
        for file in sorted(folder.glob("*.parquet")):
            table = parquet.read_table(file)
            rows = table.to_pylist()
            for row in rows:
                if change(row):
                    # The schema's metadata says which columns are images.
                    parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), file)
                    return
        raise AssertionError(f"no row of {folder} can be broken so")

    return break_export


def without_a_row(folder: Path) -> None:
    """Leaves out the second row."""
    file = min(folder.glob("*.parquet"))
    table = parquet.read_table(file)
    parquet.write_table(pyarrow.concat_tables([table[:1], table[2:]]), file)


def images_not_marked(folder: Path) -> None:
    """Takes the types of columns out of the schema, so that images come as dicts."""
    for file in folder.glob("*.parquet"):
        parquet.write_table(parquet.read_table(file).replace_schema_metadata(None), file)


# --- conversations ------------------------------------------------------------------------------


def _messages(row: ParquetRow) -> list[ParquetRow]:
    if "messages" in row:
        messages: list[ParquetRow] = row["messages"]
        return messages
    return [*row["prompt"], *row.get("completion", ())]


def _learnt(row: ParquetRow) -> Iterator[ParquetRow]:
    """The parts of text that are to be learnt."""
    for message in row.get("messages") or row["completion"]:
        if message["role"] == "assistant":
            yield from message["content"]


def _read(row: ParquetRow) -> Iterator[ParquetRow]:
    """The parts that the student reads."""
    for message in _messages(row):
        if message["role"] == "user":
            yield from message["content"]


def replaced_in_a_reply(pattern: str, text: str) -> Change:
    """Replaces what the pattern finds first in a reply that is to be learnt."""

    def change(row: ParquetRow) -> bool:
        for part in _learnt(row):
            part["text"], count = re.subn(pattern, text, part["text"], count=1, flags=re.S)
            if count:
                return True
        return False

    return change


def replaced_in_a_result(pattern: str, text: str) -> Change:
    """Replaces what the pattern finds first in what the student reads."""

    def change(row: ParquetRow) -> bool:
        for part in _read(row):
            if part["text"] is not None:
                part["text"], count = re.subn(pattern, text, part["text"], count=1, flags=re.S)
                if count:
                    return True
        return False

    return change


def _an_image_too_few(row: ParquetRow) -> bool:
    if len(row["images"]) < 2:
        return False
    row["images"].pop()
    return True


def _an_image_too_many(row: ParquetRow) -> bool:
    row["images"].append(row["images"][0])
    return True


def _images_swapped(row: ParquetRow) -> bool:
    row["images"].reverse()
    return len(row["images"]) > 1


def _a_placeholder_too_few(row: ParquetRow) -> bool:
    for message in _messages(row):
        if message["role"] == "user":
            message["content"] = [p for p in message["content"] if p["type"] != "image"]
            return True
    return False


def _an_image_in_a_reply(row: ParquetRow) -> bool:
    """The right number of images, one of them under loss."""
    messages = _messages(row)
    for before, message in itertools.pairwise(messages):
        kinds = [part["type"] for part in message["content"]]
        if before["role"] == "assistant" and "image" in kinds:
            before["content"].append(message["content"].pop(kinds.index("image")))
            return True
    return False


def _a_result_as_a_reply(row: ParquetRow) -> bool:
    messages = _messages(row)
    for message in messages[2:]:
        if message["role"] == "user" and all(p["type"] == "text" for p in message["content"]):
            message["role"] = "assistant"
            return True
    return False


def _a_reply_not_under_loss(row: ParquetRow) -> bool:
    messages = row["messages"]
    if len(messages) < 5:
        return False
    messages[2]["role"] = "user"
    return True


def _a_turn_lost(row: ParquetRow) -> bool:
    if len(row["messages"]) < 6:
        return False
    shown = sum(part["type"] == "image" for m in row["messages"][-2:] for part in m["content"])
    del row["messages"][-2:]
    row["images"] = row["images"][: len(row["images"]) - shown]
    return True


def _a_turn_lost_in_the_prompt(row: ParquetRow) -> bool:
    prompt = row["prompt"]
    if len(prompt) < 4:
        return False
    shown = sum(part["type"] == "image" for m in prompt[-2:] for part in m["content"])
    # The result stays, or the conversation would end with a reply.
    prompt[-2:] = []
    row["images"] = row["images"][: len(row["images"]) - shown]
    return True


def _another_turn_as_completion(row: ParquetRow) -> bool:
    replies = [message for message in row["prompt"] if message["role"] == "assistant"]
    if not replies:
        return False
    row["completion"] = replies[:1]
    return True


def _the_result_in_the_completion(row: ParquetRow) -> bool:
    prompt = row["prompt"]
    if len(prompt) < 4:
        return False
    row["completion"] = [*prompt[-1:], *row["completion"]]
    texts = [part["type"] == "text" for part in prompt.pop()["content"]]
    return all(texts)


def _a_label_lost(row: ParquetRow) -> bool:
    row["label"] = None
    return True


def _no_system(row: ParquetRow) -> bool:
    del (row.get("messages") or row["prompt"])[0]
    return True


_BOTH: Mapping[str, Break] = {
    "an image too few": breaking_a_row(_an_image_too_few),
    "an image too many": breaking_a_row(_an_image_too_many),
    "two images swapped": breaking_a_row(_images_swapped),
    "a placeholder too few": breaking_a_row(_a_placeholder_too_few),
    "images not marked": images_not_marked,
    "a call lost": breaking_a_row(replaced_in_a_reply("<tool_call>.*?</tool_call>", "")),
    "a call with other arguments": breaking_a_row(
        replaced_in_a_reply(r'("bbox_2d": \[)\d+', r"\g<1>101")
    ),
    "a word changed": breaking_a_row(replaced_in_a_reply("sign", "post")),
    "a Chinese word changed": breaking_a_row(replaced_in_a_reply("日本", "日木")),
    "a thought lost": breaking_a_row(replaced_in_a_reply("<think>.*?</think>\\s*", "")),
    "an escape lost": breaking_a_row(replaced_in_a_reply(r"<\|image_pad\|\\>", "<|image_pad|>")),
    "a result lost": breaking_a_row(replaced_in_a_result(r"Image \d+ \(", "")),
    "no system prompt": breaking_a_row(_no_system),
    "a row lost": without_a_row,
}

TRL: Mapping[str, Break] = MappingProxyType(
    {
        **_BOTH,
        "an image in a reply": breaking_a_row(_an_image_in_a_reply),
        "a result as a reply": breaking_a_row(_a_result_as_a_reply),
        "a reply not under loss": breaking_a_row(_a_reply_not_under_loss),
        "a turn lost": breaking_a_row(_a_turn_lost),
    }
)
"""Breaks of the format ``trl``."""

TRL_TURNS: Mapping[str, Break] = MappingProxyType(
    {
        **_BOTH,
        "a turn lost in the prompt": breaking_a_row(_a_turn_lost_in_the_prompt),
        "another turn as completion": breaking_a_row(_another_turn_as_completion),
        "a result in the completion": breaking_a_row(_the_result_in_the_completion),
    }
)
"""Breaks of the format ``trl-turns``."""


def _sides_swapped(row: ParquetRow) -> bool:
    row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    return True


def _a_worse_reply_lost(row: ParquetRow) -> bool:
    row["rejected"] = row["chosen"]
    return True


def _the_shared_turn_lost(row: ParquetRow) -> bool:
    if len(row["prompt"]) < 4 or len(row["images"]) > 1:
        return False
    del row["prompt"][2:]
    return True


TRL_PAIRS: Mapping[str, Break] = MappingProxyType(
    {
        "the sides swapped": breaking_a_row(_sides_swapped),
        "a worse reply lost": breaking_a_row(_a_worse_reply_lost),
        "a shared turn lost": breaking_a_row(_the_shared_turn_lost),
        "an image too few": breaking_a_row(_an_image_too_few),
        "an image too many": breaking_a_row(_an_image_too_many),
        "two images swapped": breaking_a_row(_images_swapped),
        "a row lost": without_a_row,
    }
)
"""Breaks of ``pairs`` for TRL, as DPO."""

TRL_KTO: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": breaking_a_row(_an_image_too_few),
        "two images swapped": breaking_a_row(_images_swapped),
        "a call lost": breaking_a_row(replaced_in_a_reply("<tool_call>.*?</tool_call>", "")),
        "a result in the completion": breaking_a_row(_the_result_in_the_completion),
        "a label lost": breaking_a_row(_a_label_lost),
        "a row lost": without_a_row,
    }
)
"""Breaks of ``pairs`` for TRL, as KTO."""


# --- prompts with tools -------------------------------------------------------------------------


def _replaced_in_a_file(name: str, old: str, new: str) -> Break:
    """A `Break` of a script that stands beside the rows."""

    def break_export(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text, f"{name} does not hold {old!r}"
        (folder / name).write_text(text.replace(old, new))

    return break_export


def _another_photo(folder: Path) -> None:
    """The first row's tools cut from the second row's photo."""
    file = min(folder.glob("*.parquet"))
    table = parquet.read_table(file)
    rows = table.to_pylist()
    for name in ("photo", "photo_sha256"):
        rows[0][name] = rows[1][name]
    parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), file)


def _another_hash(row: ParquetRow) -> bool:
    row["photo_sha256"] = "0" * 64
    return True


def _another_frame(row: ParquetRow) -> bool:
    row["tool_settings"] = row["tool_settings"].replace("norm1000", "pixel")
    return "pixel" in row["tool_settings"]


def _smaller_crops(row: ParquetRow) -> bool:
    row["tool_settings"] = re.sub(r'"zoom_side":\d+', '"zoom_side":200', row["tool_settings"])
    return "200" in row["tool_settings"]


def _another_place(row: ParquetRow) -> bool:
    row["lat"] += 5.0
    return True


def _a_question_without_its_end(row: ParquetRow) -> bool:
    part = row["prompt"][-1]["content"][-1]
    part["text"] = part["text"].partition("End with your best")[0]
    return True


TRL_RL: Mapping[str, Break] = MappingProxyType(
    {
        "an image too many": breaking_a_row(_an_image_too_many),
        "a placeholder too few": breaking_a_row(
            lambda row: _a_placeholder_too_few({**row, "completion": ()})
        ),
        "a question without its end": breaking_a_row(_a_question_without_its_end),
        "no system prompt": breaking_a_row(_no_system),
        "another photo": _another_photo,
        "another hash": breaking_a_row(_another_hash),
        "another frame": breaking_a_row(_another_frame),
        "smaller crops": breaking_a_row(_smaller_crops),
        "another place": breaking_a_row(_another_place),
        "another reward": _replaced_in_a_file("reward.py", "'scale': 1492.7", "'scale': 100.0"),
        "a sentence lost": _replaced_in_a_file(
            "photo_tools.py", '"text": f"\\n{result.sentence}"', '"text": ""'
        ),
        "results without images": _replaced_in_a_file(
            "photo_tools.py", "if result.image is None:", "if True:"
        ),
        "a tool lost": _replaced_in_a_file(
            "photo_tools.py", "for _name in TOOLS:", "for _name in list(TOOLS)[:1]:"
        ),
    }
)
"""Breaks of ``trl-rl``."""
