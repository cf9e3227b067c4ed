"""Splits by place: which sample is in which split, for ever, and that no place is in two."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import geostore
from geostore.errors import ExportError
from geostore.export import FORMATS, ExportOptions, Filter, Format, Splits, export, make_splits
from geostore.export.splits import place_of
from geostore.records import DatasetFacts, StoredTrace
from geostore.store import Store, open_snapshot
from tests import running
from tests.builders import ZOOM_IN, StoreBuilder
from tests.conftest import photo_bytes, save_dataset
from tests.minds import answer

HALVES = "train=0.5,val=0.5"
ROWS = 8
PINNED = ["train", "train", "train", "train", "train", "val", "val", "train"]
PINNED_BY_COUNTRY = ["val", "val", "val", "val", "val", "train", "val", "val"]
COLUMNS: dict[str, list[object]] = {
    # Rows 0 and 1 lie 50 m apart, as photos of one street do.
    "lat": [48.8500, 48.8504, 35.6, -33.9, 51.5, 40.7, 19.4, -1.3],
    "lon": [2.3500, 2.3501, 139.7, 151.2, -0.1, -74.0, -99.1, 36.8],
    "country": ["France", "france ", "japan", "australia", "uk", "usa", "mexico", None],
    "sequence": ["s1", "s1", "s2", "s2", None, "s3", "s3", "s4"],
}


def make_store(path: Path, dataset: Path, rows: list[int]) -> None:
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)
        for row in rows:
            place = answer(float(COLUMNS["lat"][row]), float(COLUMNS["lon"][row]))  # type: ignore[arg-type]  # numbers
            builder.play(row, [ZOOM_IN, place])
            builder.play(row, [answer(0.0, 0.0)], rollout=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = [photo_bytes(row, size=(200, 150)) for row in range(ROWS)]
    return save_dataset(tmp_path_factory.mktemp("data") / "photos", photos, **COLUMNS)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    make_store(path, dataset, list(range(ROWS)))
    return path


@pytest.fixture
def store(filled: Path) -> Iterator[Store]:
    with Store.open(filled) as opened:
        yield opened


@pytest.fixture(scope="module")
def traces(filled: Path) -> list[StoredTrace]:
    with open_snapshot(filled) as snapshot:
        return list(snapshot.traces(Filter()))


def splits_of(text: str, *, by: str | None = None, seed: int = 0) -> Splits:
    splits = make_splits(text, by=by, seed=seed)
    assert splits is not None
    return splits


def written(folder: Path) -> dict[str, str]:
    """From each trace of an export ``jsonl`` to the name of its file."""
    return {
        json.loads(line)["metadata"]["trace"]: path.stem
        for path in folder.glob("*.jsonl")
        for line in path.read_text().splitlines()
    }


def split_of(splits: Splits, trace: StoredTrace) -> str:
    return splits.of(trace.sample, trace.dataset)


def at(trace: StoredTrace, lat: float, lon: float) -> StoredTrace:
    return replace(trace, sample=replace(trace.sample, lat=lat, lon=lon))


# --- which split --------------------------------------------------------------------------------


def test_the_split_of_a_place_never_changes(traces: list[StoredTrace]) -> None:
    """These were computed once: another hash would mix training and validation of old exports."""
    halves = splits_of(HALVES)
    assert place_of(traces[0].sample, traces[0].dataset, "cell:5").value == "851fb467fffffff"
    assert [split_of(halves, trace) for trace in traces[::2]] == PINNED
    assert [
        split_of(splits_of(HALVES, by="country", seed=7), t) for t in traces[::2]
    ] == PINNED_BY_COUNTRY


def test_a_later_export_with_more_traces_keeps_each_sample_in_its_split(
    tmp_path: Path, dataset: Path, store: Store
) -> None:
    """Also in another store whose rows were written in another order, and under a choice."""
    make_store(tmp_path / "early.db", dataset, [6, 1, 0, 3])
    splits = splits_of(HALVES)
    jsonl = ExportOptions(format="jsonl")
    with Store.open(tmp_path / "early.db") as early:
        export(early, tmp_path / "early", options=jsonl, splits=splits)
    export(store, tmp_path / "later", options=jsonl, splits=splits)
    export(store, tmp_path / "some", options=jsonl, splits=splits, filters=Filter(min_score=0.5))
    later = written(tmp_path / "later")
    assert len(later) == 2 * ROWS
    assert set(later.values()) == {"train", "val"}
    for name in ("early", "some"):
        assert written(tmp_path / name).items() < later.items()


def test_traces_of_one_place_are_in_one_split_whatever_the_seed(traces: list[StoredTrace]) -> None:
    """Rollouts of a photo, photos of a street, and rows of one country or one sequence."""
    for by, same in (
        ("cell:5", [0, 1]),
        ("cell:0", [0, 1, 4]),
        ("country", [0, 1]),
        ("column:sequence", [2, 3]),
        ("column:country", [0]),
    ):
        together = [t for t in traces if t.sample.sample_index in same]
        others = set()
        for seed in range(40):
            splits = splits_of("a=0.5,b=0.3,c=0.2", by=by, seed=seed)
            assert len({split_of(splits, trace) for trace in together}) == 1
            others.add(split_of(splits, traces[-1]) == split_of(splits, together[0]))
        assert others == {True, False}
    # A cell of a few metres tells the two photos of the street apart.
    fine = [splits_of(HALVES, by="cell:13", seed=seed) for seed in range(40)]
    assert any(split_of(each, traces[0]) != split_of(each, traces[2]) for each in fine)


@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    share=st.floats(0, 0.5),
    seed=st.integers(-(2**31), 2**31),
)
def test_a_split_that_gets_a_larger_share_keeps_what_it_has(
    traces: list[StoredTrace], lat: float, lon: float, share: float, seed: int
) -> None:
    """And the order in which splits are written makes no difference."""
    place = at(traces[0], lat, lon)
    small = make_splits({"train": 1 - share, "val": share}, seed=seed)
    large = make_splits({"val": share + 0.5, "train": 0.5 - share}, seed=seed)
    assert small is not None
    assert large is not None
    assert small == make_splits({"val": share, "train": 1 - share}, seed=seed)
    if split_of(small, place) == "val":
        assert split_of(large, place) == "val"
    three = make_splits({"train": 0.8, "val": 0.1, "test": 0.1}, seed=seed)
    grown = make_splits({"train": 0.5, "val": 0.3, "test": 0.2}, seed=seed)
    assert three is not None
    assert grown is not None
    if (split := split_of(three, place)) != "train":
        assert split_of(grown, place) == split


def test_splits_have_the_shares_that_were_asked_for(traces: list[StoredTrace]) -> None:
    splits = splits_of("train=0.8,val=0.15,test=0.05")
    places = [at(traces[0], -80 + 0.03 * n, (7.3 * n) % 360 - 180) for n in range(5000)]
    counts = Counter(split_of(splits, place) for place in places)
    assert counts["train"] == pytest.approx(4000, abs=120)
    assert counts["val"] == pytest.approx(750, abs=100)
    assert counts["test"] == pytest.approx(250, abs=60)
    assert {split_of(splits_of("train=1,val=0"), place) for place in places} == {"train"}


def test_a_sample_without_the_value_goes_by_its_cell(
    traces: list[StoredTrace], store: Store, tmp_path: Path
) -> None:
    for seed in range(20):
        by_sequence = splits_of(HALVES, by="column:sequence", seed=seed)
        by_cell = splits_of(HALVES, seed=seed)
        assert split_of(by_sequence, traces[8]) == split_of(by_cell, traces[8])
        by_country = splits_of(HALVES, by="country", seed=seed)
        assert split_of(by_country, traces[-1]) == split_of(by_cell, traces[-1])
    result = export(store, tmp_path / "out", splits=splits_of(HALVES, by="column:sequence"))
    assert result.splits is not None
    assert result.splits.endswith("(by column:sequence, seed 0; 2 without a value by cell:5)")


def test_a_number_is_one_place_however_its_dataset_holds_it(traces: list[StoredTrace]) -> None:
    """A sequence that one dataset numbers with 7 and another with 7.0 leaks into no other split."""
    trace = traces[0]
    whole, fraction, other = (
        replace(trace, sample=replace(trace.sample, columns={"sequence": number}))
        for number in (7, 7.0, 7.5)
    )
    different = set()
    for seed in range(40):
        splits = splits_of(HALVES, by="column:sequence", seed=seed)
        assert split_of(splits, whole) == split_of(splits, fraction)
        different.add(split_of(splits, whole) != split_of(splits, other))
    assert different == {True, False}


# --- what is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_writes_each_split_into_files_of_its_own(
    store: Store, tmp_path: Path, format: Format
) -> None:
    """Their names begin with the split's, and no trace is lost or written twice."""
    splits = splits_of(HALVES)
    options = ExportOptions(
        format=format,
        pairs_for="swift" if format == "pairs" else None,
        dialect="openai" if format == "chat" else None,
    )
    result = export(store, tmp_path / "out", options=options, splits=splits)
    names = [
        line.partition("  ")[2]
        for line in (tmp_path / "out" / "SHA256SUMS").read_text().split("\n")
    ]
    rows = [
        name
        for name in names
        if name.endswith((".jsonl", ".parquet", ".arrow")) or "trace_" in name
    ]
    assert {name.replace("/", ".").split(".")[0] for name in rows} == {"train", "val"}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["splits"] == {"shares": {"train": 0.5, "val": 0.5}, "by": "cell:5", "seed": 0}
    assert sum(manifest["traces_by_split"].values()) == result.count == manifest["count"]
    again = export(store, tmp_path / "again", options=options, splits=splits)
    assert again.sha256 == result.sha256


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("split", [None, HALVES, "big=0.9,small=0.1"])
def test_a_guide_names_files_that_are_in_its_export(
    store: Store, tmp_path: Path, format: Format, split: str | None
) -> None:
    """Whoever copies a command out of it trains on one split and validates on another."""
    options = ExportOptions(format=format, pairs_for="swift" if format == "pairs" else None)
    splits = None if split is None else splits_of(split, by="cell:1", seed=3)
    export(store, tmp_path / "out", options=options, splits=splits)
    guide = tmp_path / "out" / "README.md"
    if not guide.exists():
        return
    commands = "\n".join(re.findall(r"^```\w+\n(.*?)^```", guide.read_text(), re.M | re.S))
    named = set(re.findall(r"[\w*./-]+\.(?:parquet|jsonl)", commands.replace("$EXPORT/", "")))
    for name in named:
        assert list((tmp_path / "out").glob(name)), name
    if split is not None and named:
        stems = {name.split(".")[0].rstrip("*") for name in named}
        assert stems == {part.split("=")[0] for part in split.split(",")}


@pytest.mark.parametrize("split", [None, HALVES, "big=0.9,small=0.1"])
def test_the_script_that_trains_with_rewards_reads_files_that_are_there(
    store: Store, tmp_path: Path, split: str | None
) -> None:
    splits = None if split is None else splits_of(split, by="cell:1", seed=3)
    export(store, tmp_path / "out", options=ExportOptions(format="trl-rl"), splits=splits)
    script = (tmp_path / "out" / "train.py").read_text()
    patterns = re.findall(r'FOLDER\.glob\("(.*?)"\)', script)
    assert len(patterns) == 1
    assert len(list((tmp_path / "out").glob(patterns[0]))) == 1


def test_a_summary_counts_the_traces_of_each_split(store: Store, tmp_path: Path) -> None:
    splits = splits_of("train=0.5,val=0.5,none=0")
    result = export(store, tmp_path / "out", options=ExportOptions(format="jsonl"), splits=splits)
    counts = Counter(written(tmp_path / "out").values())
    assert result.splits == (
        f"none 0, train {counts['train']}, val {counts['val']} (by cell:5, seed 0)"
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["traces_by_split"] == dict(counts)


def test_an_export_of_files_in_splits_is_imported_whole(store: Store, tmp_path: Path) -> None:
    options = ExportOptions(images="files")
    export(store, tmp_path / "out", options=options, splits=splits_of(HALVES))
    files = list((tmp_path / "out").glob("*/trace_*.json"))
    assert len(files) == 2 * ROWS
    for path in files:
        for part in _image_urls(json.loads(path.read_text())):
            assert (path.parent / part).is_file()
    with geostore.open(tmp_path / "new.db", create=True) as new:
        assert new.import_traces(tmp_path / "out").imported == 2 * ROWS


def _image_urls(record: Any) -> Iterator[str]:
    for turn in record["conversation_history"]:
        for message in turn["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else []:
                if part["type"] == "image_url":
                    yield part["image_url"]["url"]


def test_rollouts_and_neighbours_stand_in_one_file(store: Store, tmp_path: Path) -> None:
    for seed in range(4):
        out = tmp_path / str(seed)
        export(
            store, out, options=ExportOptions(format="jsonl"), splits=splits_of(HALVES, seed=seed)
        )
        files = defaultdict(set)
        for name, file in written(out).items():
            files[name.split("-")[0]].add(file)
        assert all(len(names) == 1 for names in files.values())
        assert files["0"] == files["1"]


# --- how it is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("split", "by", "words"),
    [
        ("train=0.9", None, "the shares sum to 0.9, and not to 1 as in train=0.98,val=0.02"),
        ("train=0.9,val", None, "'val' is not NAME=SHARE"),
        ("train=1.5,val=-0.5", None, "the share of train is 1.5, and not from 0 to 1"),
        ("train=nan", None, "the share of train is nan"),
        ("../train=1", None, "'../train' cannot be the name of a split"),
        ("to-train=1", None, "'to-train' cannot be the name of a split and its files; use letters"),
        ("all=1", None, "'all' cannot be the name"),
        ("images=1", None, "'images' cannot be the name"),
        ("a=0.5,A=0.5", None, "differ in case alone"),
        ("test=0.5,test2=0.5", None, "'test2' begins with 'test', and who loads test*.parquet"),
        ("a=0.5,a=0.5", None, "names 'a' twice"),
        ("", None, "is not NAME=SHARE"),
        (HALVES, "cell:16", "the resolution of a cell is from 0 to 15"),
        (HALVES, "city", "choose cell:5 (an H3 cell), country, or column:NAME"),
        (HALVES, "column:", "choose cell:5"),
        (HALVES, "column:sequenc", "a column 'sequenc' (did you mean sequence?); the columns are"),
        (None, "country", "--split-by and --split-seed need --split"),
    ],
)
def test_splits_that_mean_nothing_are_refused_and_nothing_is_written(
    filled: Path, tmp_path: Path, split: str | None, by: str | None, words: str
) -> None:
    with geostore.open(filled) as store, pytest.raises(ExportError) as refused:
        store.export(tmp_path / "out", split=split, split_by=by)
    assert words in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_of_a_dataset_with_many_columns_only_the_most_similar_are_named() -> None:
    names = tuple(f"feature {number}" for number in range(500))
    facts = DatasetFacts("photos", "photos", "f", None, 1, (*names, "sequence"), {})
    splits = make_splits(HALVES, by="column:sequenc")
    assert splits is not None
    with pytest.raises(ExportError) as refused:
        splits.check_column((facts,))
    message = str(refused.value)
    assert "(did you mean sequence?); the columns are: sequence, feature " in message
    assert message.endswith(" and 489 more")
    assert len(message) < 300


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"split": {"train": True}}, "the share of train is a number, such as 0.02, and not True"),
        ({"split": {"train": 0.5, 5: 0.5}}, "the name of a split is a text, such as 'train', and"),
        ({"split": HALVES, "split_seed": 1.5}, "split_seed is a whole number, such as 7, and not"),
    ],
)
def test_a_value_of_another_type_is_named(filled: Path, asked: Any, words: str) -> None:
    with geostore.open(filled) as store, pytest.raises(TypeError) as refused:
        store.plan_export(**asked)
    assert words in str(refused.value)


def test_without_a_trace_no_column_is_missing(filled: Path, tmp_path: Path) -> None:
    """What is wrong there is the condition that keeps none, and the error says so."""
    with geostore.open(filled) as store:
        for asked in ({"split": HALVES, "split_by": "column:sequence"}, {"balance": "sequence=2"}):
            nothing: Any = {"min_score": 2.0, **asked}
            assert store.plan_export(**nothing).count == 0
            with pytest.raises(ExportError, match=r"no trace is left to export.*16 below 2"):
                store.export(tmp_path / "out", **nothing)


def test_python_and_the_command_line_split_alike(filled: Path, tmp_path: Path) -> None:
    arguments = ("export", tmp_path / "one", "--store", filled, "--format", "jsonl")
    options = ("--split", HALVES, "--split-by", "country", "--split-seed", "3")
    result = running.geostore(*arguments, *options)
    assert result.returncode == 0, result.stderr
    assert "(by country, seed 3; 2 without a value by cell:5)" in result.stderr
    with geostore.open(filled) as store:
        store.export(
            tmp_path / "two",
            format="jsonl",
            split={"train": 0.5, "val": 0.5},
            split_by="country",
            split_seed=3,
        )
    assert written(tmp_path / "one") == written(tmp_path / "two")
    for name in ("train.jsonl", "val.jsonl", "manifest.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_export_without_splits_does_not_load_the_library_of_cells() -> None:
    script = "import sys, geostore.export, geostore.cli.export; print('h3' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert shown.stdout.strip() == "False", shown.stderr
