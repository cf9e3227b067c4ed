"""The length of rows for a student: image tokens by its rule, text by a tokenizer or a factor."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geostore.errors import ExportError
from geostore.export import ExportOptions, Filter, export
from geostore.export.files.folder import partial_folder
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import dialogues
from geostore.export.student.lengths import RowLengths, _Length
from geostore.export.student.students import STUDENTS, StudentName, student_for, student_of
from geostore.export.student.text_tokens import TextTokens
from geostore.store import Store, open_snapshot
from tests.builders import StoreBuilder, fill, make_dataset, recipe_of
from tests.running import geostore

needs_tokenizers = pytest.mark.skipif(
    find_spec("tokenizers") is None, reason="needs the extra geostore-distill[tokenizer]"
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(folder / "photos")))
    return folder / "geostore.db"


@pytest.fixture
def store(filled: Path) -> Iterator[Store]:
    with Store.open(filled) as opened:
        yield opened


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of whole words and single signs."""
    tokenizers: Any = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    words.save(str(path))
    return path


def measured(store: Store, tmp_path: Path, lengths: RowLengths) -> RowLengths:
    """The lengths of all rows of a store."""
    options = ExportOptions(format="sharegpt", images="files")
    with open_snapshot(store.path) as snapshot, partial_folder(tmp_path / "out") as folder:
        stream = ExportStream(snapshot, Filter(), folder, options=options)
        for dialogue in dialogues(stream):
            lengths.add_row(dialogue)
        assert lengths.rows == 5
    return lengths


def counted(rows: list[int]) -> RowLengths:
    """Lengths of rows of so many tokens."""
    lengths = RowLengths(STUDENTS["qwen2.5-vl"], TextTokens("factor:1"))
    for tokens in rows:
        lengths._count(_Length(tokens, 0, "12-5d2b2227-1"))
    return lengths


# --- images -------------------------------------------------------------------------------------

# What the processors of transformers 5.19.0 give; tests/formats asks the real ones again.
SEEN: list[tuple[StudentName, int | None, tuple[int, int], tuple[int, int], int]] = [
    ("qwen2.5-vl", None, (1024, 768), (1036, 756), 999),
    ("qwen2.5-vl", None, (448, 448), (448, 448), 256),
    ("qwen2.5-vl", 589_824, (1024, 768), (868, 644), 713),
    ("qwen2.5-vl", None, (30, 20), (84, 56), 6),
    ("qwen3-vl", None, (1024, 768), (1024, 768), 768),
    ("qwen3-vl", None, (60, 200), (160, 480), 75),
    ("qwen3-vl", 262_144, (1024, 768), (576, 416), 234),
]


@pytest.mark.parametrize(("name", "pixels", "size", "seen", "tokens"), SEEN)
def test_an_image_costs_what_the_students_own_processor_makes_of_it(
    name: StudentName,
    pixels: int | None,
    size: tuple[int, int],
    seen: tuple[int, int],
    tokens: int,
) -> None:
    student = student_of(name, student_pixels=pixels)
    assert student.seen_size(size) == seen
    assert student.image_tokens([size]) == [tokens]


def test_a_trainer_that_rounds_first_may_make_another_size_of_a_small_image() -> None:
    """verl rounds 47 x 201 to 32 x 192, and the processor enlarges that, which is narrower."""
    direct, rounded = student_of("qwen3-vl"), student_of("qwen3-vl", trainer="verl")
    assert direct.seen_size((32, 192)) == rounded.seen_size((47, 201)) == (128, 640)
    assert direct.seen_size((47, 201)) == (128, 544)
    assert direct.seen_size((1000, 760)) == rounded.seen_size((1000, 760))


def test_a_student_of_tiles_pays_for_tiles_where_the_image_stands_alone() -> None:
    student = STUDENTS["llava-style"]
    assert student.image_tokens([(384, 384)]) == [729 + 729 + 27]
    assert student.image_tokens([(1024, 768), (448, 448)]) == [730, 730]


@given(
    st.integers(1, 6000),
    st.integers(1, 6000),
    st.sampled_from(["qwen2.5-vl", "qwen3-vl"]),
    st.sampled_from([None, 262_144, 589_824]),
)
def test_the_size_a_student_sees_is_no_longer_changed_by_its_processor(
    width: int, height: int, name: StudentName, pixels: int | None
) -> None:
    """So a trainer that resizes first, as qwen-vl-utils does, gives the same tokens."""
    student = student_of(name, student_pixels=pixels)
    assert student.factor is not None
    if max(width, height) > 100 * min(width, height):
        return
    seen = student.seen_size((width, height))
    assert student.seen_size(seen) == seen
    assert seen[0] % student.factor == seen[1] % student.factor == 0


def test_the_student_is_that_of_the_teachers_family() -> None:
    qwen3, qwen25 = recipe_of("qwen3-vl-8b"), recipe_of("Qwen/Qwen2.5-VL-7B")
    assert student_for([qwen3]) == "qwen3-vl"
    assert student_for([qwen25]) == "qwen2.5-vl"
    assert student_for([qwen3, recipe_of("gpt-4o")]) == "qwen2.5-vl"
    assert student_for([]) == "qwen2.5-vl"


# --- texts --------------------------------------------------------------------------------------

# Counted with Qwen's own tokenizer (151,643 entries, as Qwen2.5-VL and Qwen3-VL have it).
REAL: list[tuple[str, int]] = [
    (
        "The vegetation looks Mediterranean: olive trees, dry stone walls and terracotta roofs. "
        "The road markings are white, cars drive on the right, and the licence plates have a blue "
        "band on the left, so this is the European Union, most likely southern Spain or Sicily.",
        56,
    ),
    (
        '<tool_call>\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [120, 40, 380, 90], '
        '"label": "road sign"}}\n</tool_call>',
        51,
    ),
    (
        "这张照片里的路牌写着中文，道路标线是白色的，车辆靠右行驶。远处的山坡上有梯田和竹林，"
        "建筑多为白墙灰瓦的徽派民居，因此很可能位于安徽省黄山市附近的乡村。",
        50,
    ),
    (
        "На вывеске написано по-русски, дорожная разметка белая, автомобили едут по правой "
        "стороне. Судя по берёзам и панельным домам, это средняя полоса России.",
        55,
    ),
]


@pytest.mark.parametrize(("text", "tokens"), REAL)
def test_an_estimate_is_near_the_students_tokenizer_in_each_script(text: str, tokens: int) -> None:
    assert TextTokens().count(text) == pytest.approx(tokens, rel=0.3)


def test_the_estimate_of_the_prompts_is_near_the_students_tokenizer() -> None:
    """Qwen's tokenizer makes 511 and 193 tokens of them."""
    recipe = recipe_of("qwen2.5-vl", protocol="text")
    prompts = recipe.system_prompt + recipe.user_prompt
    assert TextTokens().count(prompts) == pytest.approx(511 + 193, rel=0.1)


def test_a_factor_is_characters_of_a_token() -> None:
    assert TextTokens("factor:2").count("abcd") == 2
    assert not TextTokens("factor:2").is_exact


@needs_tokenizers
def test_a_tokenizer_counts_exactly(tokenizer: Path) -> None:
    text = TextTokens(str(tokenizer))
    assert text.count("one two, three") == 4
    assert text.is_exact
    assert TextTokens(str(tokenizer.parent)).count("one two") == 2


@needs_tokenizers
def test_a_tokenizer_counts_what_its_file_would_cut_or_pad(tokenizer: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    cutting = Tokenizer.from_file(str(tokenizer))
    cutting.enable_truncation(3)
    cutting.enable_padding(length=3, pad_token="?")
    cutting.save(str(tmp_path / "tokenizer.json"))
    text = TextTokens(str(tmp_path))
    assert text.count("one two, three") == 4
    assert text.count("one") == 1


@pytest.mark.parametrize("wrong", ["factor:", "factor:0", "factor:nan", "factor:1e9"])
def test_a_factor_that_is_no_number_of_characters_is_refused(wrong: str) -> None:
    with pytest.raises(ExportError, match=r"such as factor:3\.7"):
        TextTokens(wrong)


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no such file; name a tokenizer\.json, or factor:X"):
        TextTokens(str(tmp_path / "tokenizer.json"))


@needs_tokenizers
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ExportError, match="cannot be read as a tokenizer"):
        TextTokens(str(tmp_path))


# --- rows ---------------------------------------------------------------------------------------


@needs_tokenizers
def test_a_row_is_as_long_as_its_texts_and_images(
    store: Store, tmp_path: Path, tokenizer: Path
) -> None:
    """Against the rows and image files that were written, and the tokenizer alone."""
    from tokenizers import Tokenizer

    words, out = Tokenizer.from_file(str(tokenizer)), tmp_path / "rows"
    student = STUDENTS["qwen2.5-vl"]
    options = ExportOptions(format="sharegpt", tokenizer=str(tokenizer), student="qwen2.5-vl")
    result = export(store, out, options=options)
    lengths = []
    for line in (out / "traces.jsonl").read_text().splitlines():
        row = json.loads(line)
        tokens = 0
        for entry in row["conversations"]:
            # A message is the two tokens of its ends, a role, and line feeds, which are none here.
            tokens += len(words.encode(entry["value"].replace("<image>", "")).ids) + 2 + 1
        for path in row["images"]:
            with Image.open(out / path) as image:
                tokens += student.image_tokens([image.size])[0] + 2
        lengths.append(tokens)
    measure = RowLengths(student, TextTokens(str(tokenizer)))
    assert measured(store, tmp_path, measure)._counts == Counter(lengths)
    assert result.length == (
        f"longest row {max(lengths):,} tokens; set cutoff_len to at least {measure.setting:,}"
    )


def test_of_a_pair_the_longer_conversation_counts(store: Store, tmp_path: Path) -> None:
    options = ExportOptions(format="sharegpt", images="files")
    with open_snapshot(store.path) as snapshot, partial_folder(tmp_path / "out") as folder:
        stream = ExportStream(snapshot, Filter(), folder, options=options)
        whole = max(dialogues(stream), key=lambda dialogue: len(dialogue.steps))
    alone, pair, question = (RowLengths(STUDENTS["qwen3-vl"], TextTokens()) for _ in range(3))
    alone.add_row(whole)
    pair.add_row(whole.until(1), whole)
    question.add_row(whole.until(1))
    assert alone.longest == pair.longest > question.longest > 0
    assert pair.rows == 1
    assert pair.total == alone.total


def test_the_setting_takes_every_row_and_has_room_where_text_is_estimated() -> None:
    lengths = counted([900, 7912])
    assert lengths.setting == 9216
    assert lengths.cut_by(lengths.setting) == 0
    assert lengths.cut_by(7911) == 1
    assert lengths.cut_by(7912) == 0


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=60))
def test_the_histogram_counts_every_row_once_and_percentiles_are_those_of_the_rows(
    rows: list[int],
) -> None:
    lengths = counted(rows)
    bars = lengths.histogram()
    assert sum(bar.rows for bar in bars) == len(rows)
    assert len(bars) <= 13
    for bar in bars:
        assert bar.rows == sum(bar.first <= tokens <= bar.last for tokens in rows)
    for percent in (50, 90, 99, 100):
        rank = -(-len(rows) * percent // 100)
        assert lengths.percentile(percent) == sorted(rows)[rank - 1]


# --- what the user reads ------------------------------------------------------------------------


def test_the_readme_of_an_export_says_what_to_set_and_what_a_smaller_setting_cuts(
    filled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = geostore(
        "export", out, "--store", filled, "--format", "sharegpt", "--student", "qwen3-vl"
    )
    assert "set cutoff_len to at least 2,048" in run.stderr
    readme = (out / "README.md").read_text()
    assert "Set `cutoff_len` to at least **2,048**." in readme
    assert "Counted for Qwen3-VL: an image is resized to multiples of 32 pixels" in readme
    assert "token, for which the setting leaves 10 % of room." in " ".join(readme.split())
    assert re.search(r"^ *[\d,]+ to +[\d,]+  #+ +\d+$", readme, re.MULTILINE)
    assert re.search(r"^\| 1,024 \| \d \(\d+ %\) \|$", readme, re.MULTILINE)
    manifest = json.loads((out / "manifest.json").read_bytes())
    assert manifest["student"] == "qwen3-vl"
    assert "tokenizer" not in manifest


def test_an_export_without_a_named_student_says_which_one_it_measured_for(
    store: Store, tmp_path: Path
) -> None:
    export(store, tmp_path / "out", options=ExportOptions(format="sharegpt"))
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "Qwen2.5-VL (no student was named; this one fits the teachers best)" in readme


def test_a_format_for_no_student_takes_no_option_of_one(store: Store, tmp_path: Path) -> None:
    for options in (
        ExportOptions(format="jsonl", student="qwen3-vl"),
        ExportOptions(student_pixels=100_000),
        ExportOptions(tokenizer="factor:4"),
    ):
        with pytest.raises(ExportError, match=r"takes no --(student|student-pixels|tokenizer)$"):
            export(store, tmp_path / "out", options=options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ExportOptions(student="qwen3-vl", student_pixels=1000), "at least 65536"),
        (ExportOptions(student="llava-style", student_pixels=90_000), "tiles of a fixed size"),
        (ExportOptions(student="qwen3"), "there is no student 'qwen3'"),  # type: ignore[arg-type]
    ],
)
def test_a_student_that_cannot_be_is_refused(
    store: Store, tmp_path: Path, options: ExportOptions, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        export(store, tmp_path / "out", options=replace(options, format="sharegpt"))
    assert not (tmp_path / "out").exists()
