"""Ways to break an export for verl, for each of which its check has to fail."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyarrow import Table, parquet

from tests.formats.controls import Break

Message = dict[str, Any]
Row = dict[str, Any]


def _breaking_a_row(change: Callable[[Row], bool]) -> Break:
    """A `Break` of the first row of a Parquet export that `change` says to have changed."""

    def break_export(folder: Path) -> None:
        for file in sorted(folder.glob("*.parquet")):
            table = parquet.read_table(file)
            rows = table.to_pylist()
            for row in rows:
                if change(row):
                    parquet.write_table(Table.from_pylist(rows, table.schema), file)
                    return
        raise AssertionError(f"no row of {folder} can be broken so")

    return break_export


def _without_a_row(folder: Path) -> None:
    file = min(folder.glob("*.parquet"))
    table = parquet.read_table(file)
    parquet.write_table(Table.from_pylist(table.to_pylist()[1:], table.schema), file)


def _replies(row: Row) -> Iterator[tuple[int, Message]]:
    for number, message in enumerate(row["messages"]):
        if message["role"] == "assistant":
            yield number, message


def _replace_in_a_reply(pattern: str, text: str) -> Callable[[Row], bool]:
    def change(row: Row) -> bool:
        for _, message in _replies(row):
            message["content"], count = re.subn(
                pattern, text, message["content"], count=1, flags=re.DOTALL
            )
            if count:
                return True
        return False

    return change


def _change_a_call(pattern: str, text: str) -> Callable[[Row], bool]:
    def change(row: Row) -> bool:
        for _, message in _replies(row):
            for call in message["tool_calls"] or ():
                function = call["function"]
                function["arguments"], count = re.subn(pattern, text, function["arguments"])
                if count:
                    return True
        return False

    return change


def _a_call_lost(row: Row) -> bool:
    for _, message in _replies(row):
        if message["tool_calls"]:
            message["tool_calls"] = None
            return True
    return False


def _of_two_calls_one(row: Row) -> bool:
    for _, message in _replies(row):
        if len(message["tool_calls"] or ()) > 1:
            message["tool_calls"].pop()
            return True
    return False


def _an_image_too_few(row: Row) -> bool:
    row["images"].pop()
    return True


def _an_image_too_many(row: Row) -> bool:
    row["images"].append(row["images"][0])
    return True


def _images_swapped(row: Row) -> bool:
    row["images"].reverse()
    return len(row["images"]) > 1


def _a_placeholder_too_few(row: Row) -> bool:
    message = row["messages"][1]
    message["content"] = message["content"].replace("<image>", "")
    return True


def _a_result_under_loss(row: Row) -> bool:
    for number, message in _replies(row):
        if number + 1 < len(row["messages"]) and "<tool_call>" in message["content"]:
            result = row["messages"][number + 1]["content"].replace("<image>", "")
            message["content"] += "\n" + result
            return True
    return False


def _results_as_replies(row: Row) -> bool:
    for number, _ in _replies(row):
        if number + 1 < len(row["messages"]):
            row["messages"][number + 1]["role"] = "assistant"
            return True
    return False


def _a_result_lost(row: Row) -> bool:
    for number, _ in _replies(row):
        if number + 1 < len(row["messages"]):
            message = row["messages"][number + 1]
            message["content"], count = re.subn(r"Image \d+ \(", "", message["content"])
            return count > 0
    return False


def _a_reply_not_under_loss(row: Row) -> bool:
    number, message = next(_replies(row))
    message["role"] = "user"
    return number + 1 < len(row["messages"])


def _a_turn_lost(row: Row) -> bool:
    if len(row["messages"]) < 6:
        return False
    del row["messages"][-2:]
    row["images"] = row["images"][: sum(m["content"].count("<image>") for m in row["messages"])]
    return True


def _no_content(row: Row) -> bool:
    _, message = next(_replies(row))
    message["content"] = None
    return True


def _no_system(row: Row) -> bool:
    del row["messages"][0]
    return True


def _results_apart(row: Row) -> bool:
    """Two tool messages behind one reply: verl gives the second a turn of its own."""
    between = "\n</tool_response>\n<tool_response>\n"
    for number, message in enumerate(row["messages"]):
        if message["role"] == "tool" and between in message["content"]:
            first, second = message["content"].split(between, 1)
            row["messages"][number : number + 1] = [
                {**message, "content": first},
                {**message, "content": second},
            ]
            return True
    return False


_ALIKE: Mapping[str, Break] = MappingProxyType(
    {
        "an image too few": _breaking_a_row(_an_image_too_few),
        "an image too many": _breaking_a_row(_an_image_too_many),
        "two images swapped": _breaking_a_row(_images_swapped),
        "a placeholder too few": _breaking_a_row(_a_placeholder_too_few),
        "a word changed": _breaking_a_row(_replace_in_a_reply("sign", "post")),
        "a Chinese word changed": _breaking_a_row(_replace_in_a_reply("日本", "日木")),
        "a thought lost": _breaking_a_row(_replace_in_a_reply("<think>.*?</think>\\s*", "")),
        "an escape lost": _breaking_a_row(_replace_in_a_reply(r"<image\\>", "<image>")),
        "a result lost": _breaking_a_row(_a_result_lost),
        "a result as a reply": _breaking_a_row(_results_as_replies),
        "a reply not under loss": _breaking_a_row(_a_reply_not_under_loss),
        "a turn lost": _breaking_a_row(_a_turn_lost),
        "a content that is null": _breaking_a_row(_no_content),
        "no system prompt": _breaking_a_row(_no_system),
        "a row lost": _without_a_row,
    }
)

VERL_SFT: Mapping[str, Break] = MappingProxyType(
    {
        **_ALIKE,
        "a call lost": _breaking_a_row(_a_call_lost),
        "one of two calls lost": _breaking_a_row(_of_two_calls_one),
        "a call with other arguments": _breaking_a_row(
            _change_a_call(r'("bbox_2d": ?\[)\d+', r"\g<1>101")
        ),
        "two results in two messages": _breaking_a_row(_results_apart),
    }
)
"""Breaks of the format ``verl-sft``."""

VERL_SFT_TEXT: Mapping[str, Break] = MappingProxyType(
    {
        **_ALIKE,
        "a call lost": _breaking_a_row(_replace_in_a_reply("<tool_call>.*?</tool_call>", "")),
        "a call with other arguments": _breaking_a_row(
            _replace_in_a_reply(r'("bbox_2d": \[)\d+', r"\g<1>101")
        ),
        "a result under loss": _breaking_a_row(_a_result_under_loss),
    }
)
"""Breaks of the format ``verl-sft-text``."""

# --- prompts of verl-rl -------------------------------------------------------------------------


def _settings_of(row: Row) -> list[dict[str, Any]]:
    """What is said of each tool of a row."""
    tools = (row["extra_info"]["tools_kwargs"] or {}).values()
    return [tool["create_kwargs"] for tool in tools if tool]


def _another_zoom_side(row: Row) -> bool:
    for made_of in _settings_of(row):
        made_of["settings"] = re.sub(r'"zoom_side":\d+', '"zoom_side":300', made_of["settings"])
    return bool(_settings_of(row))


def _another_photo(row: Row) -> bool:
    for made_of in _settings_of(row):
        made_of["photo"] = "reward.py"
    return bool(_settings_of(row))


def _no_tools_kwargs(row: Row) -> bool:
    row["extra_info"]["tools_kwargs"] = None
    return True


def _another_place(row: Row) -> bool:
    row["reward_model"]["ground_truth"]["lat"] += 5
    return True


def _no_system_in_a_prompt(row: Row) -> bool:
    del row["prompt"][0]
    return True


def _no_place_in_a_prompt(row: Row) -> bool:
    for message in row["prompt"]:
        message["content"] = message["content"].replace("<image>", "")
    row["images"] = []
    return True


def _two_images(row: Row) -> bool:
    row["images"].append(row["images"][0])
    return True


def _without_tools(row: Row) -> bool:
    agent, row["agent_name"] = row["agent_name"], "single_turn_agent"
    return bool(agent != row["agent_name"])


def _another_formula(folder: Path) -> None:
    file = folder / "reward.py"
    text = file.read_text(encoding="utf-8")
    assert "1492.7" in text
    file.write_text(text.replace("'scale': 1492.7", "'scale': 100.0"), encoding="utf-8")


def _no_reward(folder: Path) -> None:
    (folder / "reward.py").write_text("def compute_score(*_, **__):\n    return {'score': 0.5}\n")


def _no_photos(folder: Path) -> None:
    shutil.rmtree(folder / "photos")


def _a_tool_lost(folder: Path) -> None:
    file = folder / "tool_config.yaml"
    before, _, _ = file.read_text().partition("  - class_name: geostore_tools.ImageRotateTool")
    file.write_text(before)


VERL_RL: Mapping[str, Break] = MappingProxyType(
    {
        "another size of crops": _breaking_a_row(_another_zoom_side),
        "another photo": _breaking_a_row(_another_photo),
        "nothing said to the tools": _breaking_a_row(_no_tools_kwargs),
        "another place": _breaking_a_row(_another_place),
        "no system prompt": _breaking_a_row(_no_system_in_a_prompt),
        "no image": _breaking_a_row(_no_place_in_a_prompt),
        "an image too many": _breaking_a_row(_two_images),
        "an agent without tools": _breaking_a_row(_without_tools),
        "another formula": _another_formula,
        "another reward": _no_reward,
        "a tool lost": _a_tool_lost,
        "no photos": _no_photos,
        "a row lost": _without_a_row,
    }
)
"""Breaks of the format ``verl-rl``."""
