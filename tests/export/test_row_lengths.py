"""What an export says of the length of its rows, against the rows in its files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from geostore.export import ExportOptions, export
from geostore.export.files.row_reader import read_rows
from geostore.export.student.students import student_of
from geostore.export.student.text_tokens import TextTokens
from geostore.store import Store
from tests.builders import StoreBuilder, make_dataset
from tests.minds import answer
from tests.training_store import fill_pairs_store, fill_training_store

TEXT = TextTokens("factor:1")

EVERY_FORMAT = [
    ExportOptions(format="sharegpt"),
    ExportOptions(format="trl"),
    ExportOptions(format="trl-turns"),
    ExportOptions(format="trl-turns", mask_turns=("no_op", "failed_call")),
    ExportOptions(format="verl-sft"),
    ExportOptions(format="verl-sft-text"),
    ExportOptions(format="verl-rl"),
    ExportOptions(format="swift"),
    ExportOptions(format="swift", mask_turns=("no_op", "failed_call")),
    ExportOptions(format="chat"),
    ExportOptions(format="chat", dialect="fireworks"),
    ExportOptions(format="hf"),
    *(
        ExportOptions(format="pairs", pairs_for=trainer, pairs_as=kind)
        for trainer in ("llamafactory", "swift", "trl")
        for kind in ("dpo", "kto")
    ),
]
AS_TEXT = [
    options
    for options in EVERY_FORMAT
    if options.format in ("sharegpt", "trl", "trl-turns", "verl-sft-text", "verl-rl")
    or (options.format == "pairs" and options.pairs_for != "swift")
]
"""The formats whose rows hold every word that a student reads."""


def named(options: ExportOptions) -> str:
    words = (options.format, options.pairs_for, options.pairs_for and options.pairs_as)
    return " ".join(filter(None, (*words, "masked" if options.mask_turns else None)))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Stores with a trace of every kind, and with two rollouts of each photo."""
    folder = tmp_path_factory.mktemp("stores")
    fill_training_store(folder / "kinds.db", folder / "photos")
    fill_pairs_store(folder / "rollouts.db", folder / "more photos")
    with Store.open(folder / "kinds.db") as kinds, Store.open(folder / "rollouts.db") as rollouts:
        yield {"kinds": kinds, "rollouts": rollouts}


def readme_of(store: Store, out: Path, options: ExportOptions) -> str:
    export(store, out, options=replace(options, student="qwen3-vl", tokenizer="factor:1"))
    return " ".join((out / "README.md").read_text().split())


def longest(readme: str) -> tuple[int, int]:
    """How many rows the README counts, and the tokens of the longest one."""
    match = re.search(r"The longest of ([\d,]+) rows has ([\d,]+) tokens", readme)
    assert match is not None, readme
    return int(match[1].replace(",", "")), int(match[2].replace(",", ""))


@pytest.mark.parametrize("options", EVERY_FORMAT, ids=named)
@pytest.mark.parametrize("name", ["kinds", "rollouts"])
def test_the_readme_measures_the_rows_in_the_files_and_no_others(
    stores: dict[str, Store], tmp_path: Path, name: str, options: ExportOptions
) -> None:
    if options.format == "pairs" and options.pairs_as == "dpo" and name == "kinds":
        pytest.skip("each of its photos has one rollout, so it has no pair")
    readme = readme_of(stores[name], tmp_path / "out", options)
    rows = sum(1 for _ in read_rows(tmp_path / "out"))
    assert longest(readme)[0] == rows > 0
    smaller = re.findall(r"\| [\d,]+ \| ([\d,]+) \(\d+ %\) \|", readme)
    assert all(int(count.replace(",", "")) <= rows for count in smaller)


@pytest.mark.parametrize("options", AS_TEXT, ids=named)
def test_the_longest_row_is_that_of_the_files(
    stores: dict[str, Store], tmp_path: Path, options: ExportOptions
) -> None:
    """Every text with its backslashes, and every image at its size, read from the files."""
    for name, store in stores.items():
        if options.pairs_as == "dpo" and options.pairs_for and name == "kinds":
            continue
        out = tmp_path / name
        readme = readme_of(store, out, options)
        lengths = [tokens_of(row.values, out, options.format) for row in read_rows(out)]
        assert longest(readme)[1] == pytest.approx(max(lengths), abs=1)


def test_a_placeholder_in_the_teachers_words_is_counted_with_its_backslash(
    tmp_path: Path,
) -> None:
    lengths = []
    for number, words in enumerate(("An <image> and a <video>.", "An [image] and a [video].")):
        with Store.open(tmp_path / f"{number}.db", create=True, durability="normal") as store:
            builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=1))
            builder.play(0, [f"{words}{answer(1.0, 2.0)}"])
            options = ExportOptions(format="sharegpt")
            lengths.append(longest(readme_of(store, tmp_path / str(number), options))[1])
    assert lengths[0] - lengths[1] == 2


def test_a_prompt_is_measured_as_a_student_is_asked_and_not_as_the_teacher_was(
    tmp_path: Path,
) -> None:
    """A trace of one turn says in its question that the turn is the last; the prompt does not."""
    with Store.open(tmp_path / "one.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=1))
        builder.play(0, [answer(1.0, 2.0)], turn_limit=1)
        out = tmp_path / "out"
        readme = readme_of(store, out, ExportOptions(format="verl-rl"))
    (row,) = read_rows(out)
    assert longest(readme)[1] == pytest.approx(tokens_of(row.values, out, "verl-rl"), abs=1)


def tokens_of(row: dict[str, Any], out: Path, format: str) -> float:
    """The tokens of a row as a student reads it: of a pair, those of the longer conversation."""
    student = student_of("qwen3-vl", trainer="verl" if format.startswith("verl") else None)
    before = [*(row.get("conversations") or row.get("messages") or row["prompt"])]
    ends = [row[name] for name in ("completion", "chosen", "rejected") if row.get(name)]
    images = 0
    for image in row["images"]:
        data = (out / image).read_bytes() if isinstance(image, str) else image["bytes"]
        with Image.open(io.BytesIO(data)) as opened:
            images += student.image_tokens([opened.size])[0] + 2
    return images + max(
        sum(TEXT.count(text_of(message)) + student.message_tokens for message in [*before, *end])
        for end in ([end] if isinstance(end, dict) else end for end in ends or [[]])
    )


def text_of(message: dict[str, Any]) -> str:
    content = message["value"] if "value" in message else message["content"]
    if isinstance(content, list):
        return "".join(part["text"] or "" for part in content)
    return str(content).replace("<image>", "")
