"""Parquet is read where it lies: in any order, in bounded pieces, with no copy anywhere."""

from __future__ import annotations

import random
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Value

from geostore.dataset import PhotoDataset
from geostore.errors import DatasetError, ImageError, MachineError
from tests.conftest import photo_bytes
from tests.minds import zoom_then_answer
from tests.running import command, environment
from tests.teacher_server import teacher_server

ODD = b"no photo, but other bytes for each row: %d"


def table(count: int, *, first: int = 0, size: int = 50) -> pa.Table:
    rows = range(first, first + count)
    return pa.table(
        {
            "image": [{"bytes": (ODD % row).ljust(size), "path": None} for row in rows],
            "lat": [row / 1000 for row in rows],
            "lon": [row / 100 for row in rows],
            "road": [f"road {row}" for row in rows],
        }
    )


def test_rows_are_found_in_any_order_across_groups_and_files(tmp_path: Path) -> None:
    """Row n of the dataset is row n of the files one after another, however one jumps."""
    first = 0
    for number, (count, group) in enumerate([(40, 7), (1, 1), (60, 60), (30, 11)]):
        piece = table(count, first=first)
        pq.write_table(piece, tmp_path / f"{number}.parquet", row_group_size=group)
        first += count
    dataset = PhotoDataset.open(tmp_path)
    order = [*range(first), *reversed(range(first)), *random.Random(3).choices(range(first), k=300)]
    for row in order:
        assert dataset.photo_bytes(row).strip() == ODD % row
    lat, lon = dataset.coordinates()
    assert lat.tolist() == [row / 1000 for row in range(first)]
    assert lon.tolist() == [row / 100 for row in range(first)]
    assert [dataset.read_sample(row).columns["road"] for row in (0, 39, 40, 41, 130)] == [
        f"road {row}" for row in (0, 39, 40, 41, 130)
    ]


def test_a_group_of_several_batches_is_read_in_any_order(tmp_path: Path) -> None:
    """Photos of 1 MB are decoded two at a time, and rows before the last one are still found."""
    pq.write_table(table(12, size=2**20), tmp_path / "a.parquet")
    dataset = PhotoDataset.open(tmp_path)
    for row in (5, 6, 11, 0, 3, 3, 2, 10):
        assert dataset.photo_bytes(row).strip() == ODD % row


def test_threads_read_rows_side_by_side(tmp_path: Path) -> None:
    pq.write_table(table(90), tmp_path / "a.parquet", row_group_size=8)
    dataset = PhotoDataset.open(tmp_path)
    rows = [n * 37 % 90 for n in range(900)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(dataset.photo_bytes, rows))
    assert [data.strip() for data in read] == [ODD % row for row in rows]


def test_files_that_differ_in_types_and_columns_are_one_dataset(tmp_path: Path) -> None:
    """Files are written one by one: by pandas as categories, with whole numbers, without a road."""
    others = table(3).drop_columns(["road"])
    others = others.set_column(1, "lat", pa.array([1, 2, None]))
    others = others.append_column("country", pa.array(["FR", "FR", None]).dictionary_encode())
    pq.write_table(others, tmp_path / "a.parquet")
    pq.write_table(table(2, first=3), tmp_path / "b.parquet")
    dataset = PhotoDataset.open(tmp_path)
    assert dataset.facts.columns == ("image", "lat", "lon", "country", "road")
    assert [str(n) for n in dataset.coordinates()[0]] == ["1.0", "2.0", "nan", "0.003", "0.004"]
    samples = [dataset.read_sample(row) for row in (0, 1, 3, 4)]
    assert [sample.country for sample in samples] == ["FR", "FR", None, None]
    assert [sample.columns["road"] for sample in samples] == [None, None, "road 3", "road 4"]


def test_a_file_that_lacks_a_needed_column_is_named(tmp_path: Path) -> None:
    pq.write_table(table(3), tmp_path / "a.parquet")
    pq.write_table(table(3).drop_columns(["lat"]), tmp_path / "b.parquet")
    with pytest.raises(DatasetError, match=r"b\.parquet has no column 'lat'"):
        PhotoDataset.open(tmp_path)


def test_the_names_of_classes_come_with_the_file(tmp_path: Path) -> None:
    values: dict[str, list[Any]] = {
        "image": [{"bytes": photo_bytes(1), "path": None}],
        "lat": [1.0],
        "lon": [2.0],
        "subset": [1],
    }
    features = Features(
        image=Image(),
        lat=Value("float64"),
        lon=Value("float64"),
        subset=ClassLabel(names=["a", "b"]),
    )
    Dataset.from_dict(values, features=features).to_parquet(tmp_path / "a.parquet")
    assert PhotoDataset.open(tmp_path).read_sample(0).columns == {"subset": "b"}


def test_a_row_without_photo_is_missing_and_its_neighbours_are_not(tmp_path: Path) -> None:
    whole = table(3)
    images = [*whole["image"].to_pylist()[:2], None]
    pq.write_table(whole.set_column(0, "image", pa.array(images)), tmp_path / "a.parquet")
    dataset = PhotoDataset.open(tmp_path)
    assert dataset.photo_bytes(1).strip() == ODD % 1
    with pytest.raises(ImageError, match="row 2 has no image"):
        dataset.photo_bytes(2)


def test_a_damaged_page_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    """The footer is whole, so only reading the row tells; the other groups can still be read."""
    path = tmp_path / "a.parquet"
    pq.write_table(table(20, size=4000), path, row_group_size=5, compression="zstd")
    image = pq.read_metadata(path).row_group(1).column(0)
    start = image.dictionary_page_offset or image.data_page_offset
    damaged = bytearray(path.read_bytes())
    damaged[start : start + image.total_compressed_size] = bytes(image.total_compressed_size)
    path.write_bytes(damaged)
    dataset = PhotoDataset.open(path)
    for _ in range(2):
        with pytest.raises(MachineError, match=r"a\.parquet cannot be read: \S.*put back the file"):
            dataset.photo_bytes(7)
        assert dataset.photo_bytes(3).strip() == ODD % 3
        assert dataset.photo_bytes(12).strip() == ODD % 12


def test_a_file_that_lost_rows_since_it_was_opened_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(20), path)
    dataset = PhotoDataset.open(path)
    pq.write_table(table(5), path)
    with pytest.raises(MachineError, match="has changed while it was read; put back the file"):
        dataset.photo_bytes(11)


def test_files_without_rows_say_so(tmp_path: Path) -> None:
    pq.write_table(table(0), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match="has no rows"):
        PhotoDataset.open(tmp_path)


def test_memory_does_not_hold_a_group_of_photos(tmp_path: Path) -> None:
    """Rows of a group of 64 MB are read with a few of its pages at a time."""
    path = tmp_path / "a.parquet"
    pq.write_table(table(64, size=2**20), path, write_batch_size=1, use_dictionary=False)
    dataset = PhotoDataset.open(path)
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    for row in (60, 3, 41, 63):
        assert dataset.photo_bytes(row).strip() == ODD % row
        assert pool.bytes_allocated() - before < 16 * 2**20


def test_generate_and_verify_read_parquet_and_fill_no_cache(tmp_path: Path) -> None:
    """A whole run over two shards, in a process with a home of its own, leaves that home empty."""
    home = tmp_path / "home"
    home.mkdir()
    data = tmp_path / "photos" / "data"
    data.mkdir(parents=True)
    for shard in range(2):
        photos = [photo_bytes(shard * 5 + n) for n in range(5)]
        values = {
            "image": [{"bytes": photo, "path": f"{n}.jpg"} for n, photo in enumerate(photos)],
            "lat": [40.0 + shard * 5 + n for n in range(5)],
            "lon": [10.0] * 5,
        }
        Dataset.from_dict(values).cast_column("image", Image()).to_parquet(
            data / f"train-0000{shard}-of-00002.parquet"
        )
    apart = environment(HF_HOME=str(home), HOME=str(home), XDG_CACHE_HOME=str(home))
    with teacher_server(zoom_then_answer) as server:
        generated = subprocess.run(
            command(
                *("generate", "--dataset-path", tmp_path / "photos", "--num-samples", "0"),
                *("--store", tmp_path / "g.db", "--base-url", server.url, "--model", "m"),
            ),
            env=apart,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert generated.returncode == 0, generated.stderr
    verified = subprocess.run(
        command("verify", "--store", tmp_path / "g.db"),
        env=apart,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert list(home.rglob("*")) == []
    with closing(sqlite3.connect(tmp_path / "g.db")) as store:
        rows = store.execute("select sample_index, lat from samples order by 1").fetchall()
    assert rows == [(row, 40.0 + row) for row in range(10)]


@pytest.mark.parametrize(
    ("names", "choices"),
    [
        (["train.parquet", "test.parquet"], ["test.parquet", "train.parquet"]),
        (["train/0.parquet", "val/0.parquet", "val/1.parquet"], ["train/0.parquet", "val"]),
        (
            ["train_0.parquet", "train_1.parquet", "val_0.parquet"],
            ["train*.parquet", "val_0.parquet"],
        ),
        (
            ["data/Train-00000-of-00001.PARQUET", "data/test-00000-of-00001.parquet"],
            ["data/Train-*.PARQUET", "data/test-*.parquet"],
        ),
        (["photos.parquet", "test.parquet"], ["photos.parquet", "test.parquet"]),
        (["test/0.parquet", "a-0.parquet", "a-1.parquet"], ["*.parquet", "test/0.parquet"]),
        (
            ["x/train-00000-of-00001.parquet", "y/train-00000-of-00001.parquet", "y/test.parquet"],
            ["**/train-*.parquet", "y/test.parquet"],
        ),
        (
            ["train/x/0.parquet", "train/y/0.parquet", "val/0.parquet"],
            ["train", "val/0.parquet"],
        ),
    ],
)
def test_several_splits_are_listed_as_paths_that_open(
    tmp_path: Path, names: list[str], choices: list[str]
) -> None:
    """Train and test are never mixed, whatever way their files are named."""
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(1, first=number), tmp_path / name)
    with pytest.raises(DatasetError, match="several splits; choose one: ") as error:
        PhotoDataset.open(tmp_path)
    listed = str(error.value).partition("choose one: ")[2].split(", ")
    assert listed == [str(tmp_path / choice) for choice in choices]
    assert sum(len(PhotoDataset.open(path)) for path in listed) == len(names)


def test_a_file_that_git_has_not_downloaded_says_so(tmp_path: Path) -> None:
    """A clone without Git LFS holds a pointer of three lines under the name of each file."""
    (tmp_path / "a.parquet").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
    )
    with pytest.raises(DatasetError, match=r"a\.parquet .*Git LFS.*; run git lfs pull"):
        PhotoDataset.open(tmp_path)


def test_names_that_say_no_split_are_one_dataset(tmp_path: Path) -> None:
    """A word that only begins like a split is none."""
    for number, name in enumerate(["0.parquet", "trainstations.parquet", "testcases/1.parquet"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(table(1, first=number), tmp_path / name)
    dataset = PhotoDataset.open(tmp_path)
    assert [dataset.photo_bytes(row).strip() for row in range(3)] == [ODD % n for n in (0, 2, 1)]
