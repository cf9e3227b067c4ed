"""Ways to break an export, for each of which a check has to fail."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
from PIL import Image
from pyarrow import Table, parquet

Break = Callable[[Path], None]
"""Breaks the export in a folder. Raises AssertionError where nothing in it can be broken so."""
JsonRow = dict[str, Any]


def breaking_a_row(change: Callable[[JsonRow], bool]) -> Break:
    """A `Break` of the first row of JSONL or Parquet that `change` says to have changed."""

    def break_export(folder: Path) -> None:
        for file in sorted(folder.glob("*.parquet")):
            table = parquet.read_table(file)
            rows = table.to_pylist()
            if any(map(change, rows)):
                parquet.write_table(Table.from_pylist(rows, table.schema), file)
                return
        for file in sorted(folder.glob("*.jsonl")):
            rows = [orjson.loads(line) for line in file.read_bytes().splitlines()]
            for row in rows:
                if change(row):
                    file.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
                    return
        raise AssertionError(f"no row of {folder} can be broken so")

    return break_export


def without_a_row(folder: Path) -> None:
    """Leaves out the second row."""
    file = min(folder.glob("*.jsonl"))
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) > 2
    file.write_bytes(b"".join(lines[:1] + lines[2:]))


# --- LLaMA-Factory's conversations --------------------------------------------------------------


def _replies(row: JsonRow) -> Iterator[tuple[int, JsonRow]]:
    for number, entry in enumerate(row["conversations"]):
        if entry["from"] == "gpt":
            yield number, entry


def _replace_in_a_reply(pattern: str, text: str) -> Callable[[JsonRow], bool]:
    def change(row: JsonRow) -> bool:
        for _, entry in _replies(row):
            entry["value"], count = re.subn(pattern, text, entry["value"], count=1, flags=re.S)
            if count:
                return True
        return False

    return change


def _an_image_too_few(row: JsonRow) -> bool:
    if len(row["images"]) < 2:
        return False
    row["images"].pop()
    return True


def _an_image_too_many(row: JsonRow) -> bool:
    row["images"].append(row["images"][0])
    return True


def _images_swapped(row: JsonRow) -> bool:
    row["images"].reverse()
    return len(row["images"]) > 1


def _a_placeholder_too_few(row: JsonRow) -> bool:
    entry = next(e for e in row["conversations"] if e["from"] == "human")
    entry["value"] = entry["value"].replace("<image>", "")
    return True


def _a_result_under_loss(row: JsonRow) -> bool:
    for number, entry in _replies(row):
        if number + 1 < len(row["conversations"]):
            result = row["conversations"][number + 1]["value"]
            entry["value"] += "\n" + result.replace("<image>", "")
            return True
    return False


def _a_result_lost(row: JsonRow) -> bool:
    for number, _ in _replies(row):
        if number + 1 < len(row["conversations"]):
            entry = row["conversations"][number + 1]
            entry["value"] = re.sub(r"Image \d+ \(", "", entry["value"])
            return True
    return False


def _tags_twice(row: JsonRow) -> bool:
    entries = [e for e in row["conversations"] if "<tool_response>" in e["value"]][1:]
    for entry in entries:
        entry["from"] = "observation"
    return bool(entries)


def _a_result_with_more(row: JsonRow) -> bool:
    for number, _ in _replies(row):
        if number + 1 < len(row["conversations"]):
            row["conversations"][number + 1]["value"] += "\nIt is in France."
            return True
    return False


def _a_reply_not_under_loss(row: JsonRow) -> bool:
    entries = row["conversations"]
    for number, _ in _replies(row):
        if number + 1 < len(entries):
            text = "\n".join(entry["value"] for entry in entries[number - 1 : number + 2])
            entries[number - 1 : number + 2] = [{"from": "human", "value": text}]
            return True
    return False


def _a_turn_lost(row: JsonRow) -> bool:
    if len(row["conversations"]) < 6:
        return False
    del row["conversations"][-2:]
    row["images"] = row["images"][: sum(str(e).count("<image>") for e in row["conversations"])]
    return True


def _a_role_twice(row: JsonRow) -> bool:
    row["conversations"].append({"from": "gpt", "value": "And so on."})
    return True


def _no_system(row: JsonRow) -> bool:
    del row["conversations"][0]
    return True


SHAREGPT: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": breaking_a_row(_an_image_too_few),
        "an image too many": breaking_a_row(_an_image_too_many),
        "two images swapped": breaking_a_row(_images_swapped),
        "a placeholder too few": breaking_a_row(_a_placeholder_too_few),
        "a call lost": breaking_a_row(_replace_in_a_reply("<tool_call>.*?</tool_call>", "")),
        "a call with other arguments": breaking_a_row(
            _replace_in_a_reply(r'("bbox_2d": \[)\d+', r"\g<1>101")
        ),
        "a word changed": breaking_a_row(_replace_in_a_reply("sign", "post")),
        "a Chinese word changed": breaking_a_row(_replace_in_a_reply("日本", "日木")),
        "a thought lost": breaking_a_row(_replace_in_a_reply("<think>.*?</think>\\s*", "")),
        "an escape lost": breaking_a_row(_replace_in_a_reply(r"<image\\>", "<image>")),
        "a result under loss": breaking_a_row(_a_result_under_loss),
        "a result lost": breaking_a_row(_a_result_lost),
        "a result with more": breaking_a_row(_a_result_with_more),
        "results in tags of the template": breaking_a_row(_tags_twice),
        "a reply not under loss": breaking_a_row(_a_reply_not_under_loss),
        "a turn lost": breaking_a_row(_a_turn_lost),
        "two replies in a row": breaking_a_row(_a_role_twice),
        "no system prompt": breaking_a_row(_no_system),
        "a row lost": without_a_row,
    }
)
"""Breaks of the format ``sharegpt``."""


def _images_of_another(row: JsonRow) -> bool:
    row["images"] = [{"bytes": _a_picture()} for _ in row["images"]]
    return True


def _a_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (480, 360), "black").save(out, "PNG")
    return out.getvalue()


def _swap_sides(row: JsonRow) -> bool:
    row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    return True


def _a_shared_turn_lost(row: JsonRow) -> bool:
    if len(row["conversations"]) < 4:
        return False
    del row["conversations"][-2:]
    row["images"] = row["images"][: sum(str(e).count("<image>") for e in row["conversations"])]
    return True


def _a_word_of_the_worse_changed(row: JsonRow) -> bool:
    row["rejected"]["value"] += " And so on."
    return True


def _another_label(row: JsonRow) -> bool:
    row["label"] = not row["label"]
    return True


SHAREGPT_PAIRS: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": breaking_a_row(_an_image_too_few),
        "an image too many": breaking_a_row(_an_image_too_many),
        "images of another": breaking_a_row(_images_of_another),
        "sides swapped": breaking_a_row(_swap_sides),
        "a shared turn lost": breaking_a_row(_a_shared_turn_lost),
        "a word of the worse changed": breaking_a_row(_a_word_of_the_worse_changed),
        "no system prompt": breaking_a_row(_no_system),
    }
)
"""Breaks of pairs for LLaMA-Factory."""

SHAREGPT_LABELS: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": breaking_a_row(_an_image_too_few),
        "another label": breaking_a_row(_another_label),
        "a turn lost": breaking_a_row(_a_turn_lost),
    }
)
"""Breaks of rollouts with labels for LLaMA-Factory."""
