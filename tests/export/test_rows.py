"""Files of rows: a file a split, shards, compression, and row groups that bound memory."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from geostore.errors import ExportError
from geostore.export import ExportOptions, export
from geostore.export.files.folder import ExportFolder, partial_folder
from geostore.export.files.leftovers import SUMS
from geostore.export.files.rows import ROW_GROUP_BYTES, json_lines, parquet_rows
from geostore.importing import ReadOptions, import_traces
from geostore.store import Store
from tests.builders import StoreBuilder, fill, make_dataset

SCHEMA = pyarrow.schema(
    [
        ("text", pyarrow.string()),
        ("images", pyarrow.list_(pyarrow.struct([("bytes", pyarrow.binary())]))),
        ("number", pyarrow.int64()),
    ]
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[ExportFolder]:
    with partial_folder(tmp_path / "out") as opened:
        yield opened


def row(number: int, size: int = 10) -> dict[str, Any]:
    """A row with an image of `size` bytes that do not compress."""
    image = Random(number).randbytes(size)
    return {"text": f"第 {number}", "images": [{"bytes": image}], "number": number}


def sums(folder: ExportFolder) -> dict[str, str]:
    """From a file's name to its hash, in the order of SHA256SUMS."""
    folder.seal({})
    lines = (folder.path / SUMS).read_text().splitlines()
    return {name: sha256 for sha256, name in (line.split("  ") for line in lines)}


def test_each_split_has_a_file_and_rows_keep_their_order(folder: ExportFolder) -> None:
    with parquet_rows(folder, "rows", SCHEMA, ExportOptions()) as files:
        for number in range(10):
            files.write(row(number), "val" if number % 3 == 0 else "train")
    assert files.by_split == {"val": ["val.parquet"], "train": ["train.parquet"]}
    assert parquet.read_table(folder.path / "val.parquet").to_pylist() == [
        row(number) for number in (0, 3, 6, 9)
    ]
    assert list(sums(folder)) == ["val.parquet", "train.parquet"] == files.names


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_shard_holds_as_many_rows_as_were_asked_for(folder: ExportFolder, suffix: str) -> None:
    options = ExportOptions(shard_size=4)
    if suffix == ".jsonl":
        context = json_lines(folder, "rows", options)
    else:
        context = parquet_rows(folder, "rows", pyarrow.schema([("n", pyarrow.int64())]), options)
    with context as files:
        for number in range(10):
            files.write({"n": number}, "train")
            files.write({"n": -number}, "val")
    shards = [f"train-{shard:05d}{suffix}" for shard in range(3)]
    assert files.by_split["train"] == shards
    read: list[list[int]] = []
    for name in shards:
        if suffix == ".jsonl":
            lines = (folder.path / name).read_bytes().splitlines()
            read.append([json.loads(line)["n"] for line in lines])
        else:
            read.append(parquet.read_table(folder.path / name)["n"].to_pylist())
    assert read == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    for name, sha256 in sums(folder).items():
        assert hashlib.sha256((folder.path / name).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_lines_are_the_lines_and_hold_no_time(
    folder: ExportFolder, tmp_path: Path, compress: Any
) -> None:
    options = ExportOptions(compress=compress)
    hashes = []
    for stem in ("a", "b"):
        with json_lines(folder, stem, options) as files:
            for number in range(1000):
                files.write({"n": number, "text": "第"})
        time.sleep(1.1)  # a gzip header counts seconds
        data = (folder.path / files.names[0]).read_bytes()
        hashes.append(hashlib.sha256(data).hexdigest())
    assert hashes[0] == hashes[1]
    if compress == "gzip":
        assert files.names == ["b.jsonl.gz"]
        text = gzip.decompress(data)
    else:
        assert files.names == ["b.jsonl.zst"]
        text = pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd").read()
    assert len(data) < len(text) / 4
    assert [json.loads(line)["n"] for line in text.splitlines()] == list(range(1000))


def test_row_groups_bound_what_is_held_in_memory(folder: ExportFolder) -> None:
    """Rows of 1 MiB for eight groups: never more than a few groups are held at one time."""
    tracemalloc.start()
    before = pyarrow.total_allocated_bytes()
    most = 0
    with parquet_rows(folder, "rows", SCHEMA, ExportOptions()) as files:
        for number in range(8 * ROW_GROUP_BYTES // 2**20):
            files.write(row(number, 2**20))
            most = max(most, pyarrow.total_allocated_bytes() - before)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    metadata = parquet.ParquetFile(folder.path / "rows.parquet").metadata
    assert metadata.num_row_groups == 8
    assert peak < 3 * ROW_GROUP_BYTES
    assert most < 3 * ROW_GROUP_BYTES
    assert (folder.path / "rows.parquet").stat().st_size < 8.1 * ROW_GROUP_BYTES


def test_the_same_rows_make_the_same_parquet_file(folder: ExportFolder) -> None:
    hashes = []
    for stem in ("a", "b"):
        with parquet_rows(folder, stem, SCHEMA, ExportOptions()) as files:
            for number in range(300):
                files.write(row(number, 1000))
        hashes.append(hashlib.sha256((folder.path / files.names[0]).read_bytes()).hexdigest())
    assert hashes[0] == hashes[1]


def test_a_row_that_does_not_fit_its_columns_is_refused(folder: ExportFolder) -> None:
    """pyarrow would drop a value without a column, and fill in null for a missing one."""
    with (
        pytest.raises(ValueError, match="and not the columns"),
        parquet_rows(folder, "rows", SCHEMA, ExportOptions()) as files,
    ):
        files.write({**row(0), "reward": 1.0})
    assert sums(folder) == {}


def test_shards_of_an_export_are_imported_again(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(tmp_path / "photos")))
        options = ExportOptions(format="jsonl", shard_size=2)
        first = export(store, tmp_path / "out", options=options)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.jsonl")) == [
        f"traces-0000{shard}.jsonl" for shard in range(3)
    ]
    with Store.open(tmp_path / "b.db", create=True, durability="normal") as other:
        result = import_traces(other, tmp_path / "out", options=ReadOptions())
        assert result.imported == 5
        back = export(other, tmp_path / "back", options=options)
    assert back.sha256 == first.sha256


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ExportOptions(format="jsonl", shard_size=0), "--shard-size is 1 or more"),
        (ExportOptions(format="jsonl", compress="zip"), "choose one of gzip, zstd"),  # type: ignore[arg-type]
        (ExportOptions(shard_size=3), "trace takes no --shard-size"),
    ],
)
def test_a_wrong_option_says_what_can_be_asked(
    tmp_path: Path, options: ExportOptions, words: str
) -> None:
    with Store.open(tmp_path / "a.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(tmp_path / "photos")))
        with pytest.raises(ExportError, match=words):
            export(store, tmp_path / "out", options=options)
