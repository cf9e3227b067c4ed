"""Datasets on disk: what can be opened, what is read from a row, and what is refused."""

import dataclasses
import datetime
import io
import json
import math
import shutil
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from geostore.dataset import PhotoDataset
from geostore.dataset.columns import number, to_floats
from geostore.dataset.rows import TableRows
from geostore.errors import DatasetError, ImageError

SHARED_PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "photos"


def photo(number: int, *, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    """A small photo whose bytes differ for every number."""
    stream = io.BytesIO()
    Pillow.new("RGB", size, (number % 256, number // 256, 99)).save(stream, format=kind)
    return stream.getvalue()


def columns(count: int) -> dict[str, list[Any]]:
    return {
        "image": [{"bytes": photo(n), "path": f"{n}.png"} for n in range(count)],
        "lat": [50.0 + n / 100 for n in range(count)],
        "lon": [8.0 + n / 100 for n in range(count)],
    }


def saved(path: Path, values: dict[str, list[Any]], *, features: Features | None = None) -> Path:
    """A dataset saved by the real library; the image column is an Image feature."""
    Dataset.from_dict(values, features=features).cast_column("image", Image()).save_to_disk(path)
    return path


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any connection out fails the test: a dataset is local or it is an error."""

    # Kept in a list as well: a library that swallows the error has still tried.
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert tried == []


def assert_rows(dataset: PhotoDataset, numbers: Sequence[int]) -> None:
    """Row n holds the photo and the coordinates of numbers[n]."""
    assert len(dataset) == dataset.facts.num_rows == len(numbers)
    assert [dataset.photo_bytes(n) for n in range(len(numbers))] == [photo(n) for n in numbers]
    lat, lon = dataset.coordinates()
    assert lat.dtype == lon.dtype == np.float64
    assert lat.tolist() == [50.0 + n / 100 for n in numbers]
    assert lon.tolist() == [8.0 + n / 100 for n in numbers]


class TestOpening:
    def test_a_saved_dataset_gives_the_stored_bytes_of_every_row(self, tmp_path: Path) -> None:
        """Bytes come back as saved, not encoded again, under the saved fingerprint."""
        path = saved(tmp_path / "gaea_wlp", columns(5))
        dataset = PhotoDataset.open(path)
        assert_rows(dataset, range(5))
        facts = dataset.facts
        assert facts.path == str(path)
        assert facts.name == "gaea_wlp"
        assert facts.split is None
        assert facts.columns == ("image", "lat", "lon")
        assert facts.column_map == {"image": "image", "lat": "lat", "lon": "lon"}
        assert facts.fingerprint == json.loads((path / "state.json").read_text())["_fingerprint"]

    def test_many_batches_and_shards_keep_their_row_numbers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rows are found across the borders of batches and files."""
        monkeypatch.setattr(datasets.config, "ARROW_RECORD_BATCH_SIZE_FOR_IMAGE_DATASETS", 3)
        path = tmp_path / "shards"
        data = Dataset.from_dict(columns(23)).cast_column("image", Image())
        data.save_to_disk(path, num_shards=4)
        assert len(list(path.glob("*.arrow"))) == 4
        assert_rows(PhotoDataset.open(path), range(23))

    def test_one_split_of_a_datasetdict_is_named_after_both_folders(self, tmp_path: Path) -> None:
        """gaea_wlp/train is the dataset gaea_wlp.train."""
        data = Dataset.from_dict(columns(4)).cast_column("image", Image())
        DatasetDict(train=data, test=data.select([3, 1])).save_to_disk(tmp_path / "gaea_wlp")
        train = PhotoDataset.open(tmp_path / "gaea_wlp" / "train")
        test = PhotoDataset.open(tmp_path / "gaea_wlp" / "test")
        assert train.facts.name == "gaea_wlp.train"
        assert_rows(train, range(4))
        assert_rows(test, [3, 1])

    def test_a_datasetdict_with_one_split_opens_as_that_split(self, tmp_path: Path) -> None:
        """Both paths are one dataset: the facts agree to the letter."""
        data = Dataset.from_dict(columns(2)).cast_column("image", Image())
        DatasetDict(train=data).save_to_disk(tmp_path / "d")
        assert (
            PhotoDataset.open(tmp_path / "d").facts
            == PhotoDataset.open(tmp_path / "d" / "train").facts
        )

    def test_a_datasetdict_with_several_splits_lists_them(self, tmp_path: Path) -> None:
        """Nothing is chosen on the user's behalf."""
        data = Dataset.from_dict(columns(2)).cast_column("image", Image())
        DatasetDict(train=data, test=data).save_to_disk(tmp_path / "d")
        with pytest.raises(DatasetError) as error:
            PhotoDataset.open(tmp_path / "d")
        assert str(tmp_path / "d" / "train") in str(error.value)
        assert str(tmp_path / "d" / "test") in str(error.value)

    def test_row_numbers_of_a_saved_selection_are_those_on_disk(self, tmp_path: Path) -> None:
        """What was selected and sorted before saving counts from 0 in the saved order."""
        data = Dataset.from_dict(columns(9)).cast_column("image", Image())
        data.select([7, 2, 5]).save_to_disk(tmp_path / "selected")
        assert_rows(PhotoDataset.open(tmp_path / "selected"), [7, 2, 5])

    def test_a_dataset_without_rows_says_so(self, tmp_path: Path) -> None:
        """The library's own words for it are "list index out of range"."""
        features = Features(image=Image(), lat=Value("string"), lon=Value("float64"))
        empty: dict[str, list[Any]] = {"image": [], "lat": [], "lon": []}
        with pytest.raises(DatasetError, match="has no rows"):
            PhotoDataset.open(saved(tmp_path / "d", empty, features=features))

    def test_a_selection_in_memory_is_followed_too(self, tmp_path: Path) -> None:
        """`datasets` keeps the selected row numbers beside an untouched table."""
        path = saved(tmp_path / "all", columns(9))
        whole = PhotoDataset.open(path)
        selected = datasets.load_from_disk(path).select([8, 0, 8, 3])
        facts = dataclasses.replace(whole.facts, num_rows=4)
        rows = TableRows.of(selected, path=str(path))
        dataset = PhotoDataset(rows, facts, folder=path)
        assert_rows(dataset, [8, 0, 8, 3])

    def test_parquet_file_folder_and_pattern(self, tmp_path: Path) -> None:
        """Shards are read in the order of their names, with or without HF's own metadata."""
        data = Dataset.from_dict(columns(6)).cast_column("image", Image())
        folder = tmp_path / "photos" / "data"
        folder.mkdir(parents=True)
        data.select(range(3)).to_parquet(folder / "train-00000-of-00002.parquet")
        plain = pa.table(columns(6)).slice(3)
        pq.write_table(plain, folder / "train-00001-of-00002.parquet")
        by_folder = PhotoDataset.open(tmp_path / "photos")
        assert_rows(by_folder, range(6))
        assert by_folder.facts.name == "photos.train"
        assert by_folder.facts.split == "train"
        by_pattern = PhotoDataset.open(folder / "train-*.parquet")
        assert_rows(by_pattern, range(6))
        assert by_pattern.facts.name == "data.train"
        one = PhotoDataset.open(folder / "train-00001-of-00002.parquet")
        assert_rows(one, [3, 4, 5])

    def test_parquet_with_raw_bytes_in_a_folder_with_odd_name(self, tmp_path: Path) -> None:
        """A binary column is a photo too, and brackets in a path are no pattern."""
        folder = tmp_path / "photos [1] ü"
        folder.mkdir()
        table = pa.table(columns(3) | {"image": [photo(n) for n in range(3)]})
        pq.write_table(table, folder / "a.parquet")
        dataset = PhotoDataset.open(folder)
        assert_rows(dataset, range(3))
        assert dataset.facts.name == "photos_1"

    def test_image_folder_with_odd_name(self, tmp_path: Path) -> None:
        """Brackets in a path are no pattern here either."""
        folder = tmp_path / "trip [a-z]*"
        folder.mkdir()
        (folder / "0.png").write_bytes(photo(0))
        (folder / "metadata.csv").write_text("file_name,lat,lon\n0.png,50.0,8.0\n")
        assert_rows(PhotoDataset.open(folder), [0])

    def test_parquet_of_several_splits_lists_their_patterns(self, tmp_path: Path) -> None:
        """Train and test are never mixed, and the patterns named do open."""
        for split, rows in (("train", [0, 1]), ("test", [2])):
            table = pa.table(columns(3)).take(rows)
            pq.write_table(table, tmp_path / f"{split}-00000-of-00001.parquet")
        with pytest.raises(DatasetError, match="several splits") as error:
            PhotoDataset.open(tmp_path)
        choice = str(tmp_path / "test-*.parquet")
        assert choice in str(error.value)
        assert_rows(PhotoDataset.open(choice), [2])

    def test_image_folder_rows_follow_the_metadata(self, tmp_path: Path) -> None:
        """Photos stay in their files; the row order is the metadata's."""
        folder = tmp_path / "trip"
        folder.mkdir()
        lines = ["file_name,lat,lon"]
        for n in (2, 0, 1):
            (folder / f"{n}.png").write_bytes(photo(n))
            lines.append(f"{n}.png,{50.0 + n / 100},{8.0 + n / 100}")
        (folder / "metadata.csv").write_text("\n".join(lines))
        dataset = PhotoDataset.open(folder)
        assert_rows(dataset, [2, 0, 1])
        assert dataset.facts.name == "trip"

    @pytest.mark.skipif(not SHARED_PHOTOS.is_dir(), reason="the sample photos are not there")
    def test_real_photos_in_an_image_folder(self, tmp_path: Path) -> None:
        """Full-size photos come back as the files they are."""
        dataset = PhotoDataset.open(SHARED_PHOTOS)
        files = sorted(SHARED_PHOTOS.glob("*.jpg"))
        assert {dataset.photo_bytes(n) for n in range(len(dataset))} == {
            file.read_bytes() for file in files
        }
        lat, lon = dataset.coordinates()
        assert not np.isnan(lat).any()
        assert not np.isnan(lon).any()

    def test_opening_is_silent_and_leaves_no_setting_behind(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No bars, no log lines, and `datasets` is as it was before."""
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        pq.write_table(pa.table(columns(3)), tmp_path / "a.parquet")
        bars, level = datasets.are_progress_bars_disabled(), datasets.logging.get_verbosity()
        PhotoDataset.open(tmp_path / "a.parquet")
        assert capfd.readouterr() == ("", "")
        assert datasets.are_progress_bars_disabled() == bars
        assert datasets.logging.get_verbosity() == level
        assert datasets.config.HF_HUB_OFFLINE is False


class TestRefusals:
    def test_a_path_that_is_not_there_lists_what_its_parent_holds(self, tmp_path: Path) -> None:
        """A typing error shows the right name beside it."""
        saved(tmp_path / "gaea_wlp" / "train", columns(1))
        with pytest.raises(DatasetError, match=r"nothing at .*trian; .*gaea_wlp holds: train"):
            PhotoDataset.open(tmp_path / "gaea_wlp" / "trian")

    def test_a_hub_name_is_a_missing_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is downloaded behind the user's back."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DatasetError, match="nothing at"):
            PhotoDataset.open("osv5m/osv5m")

    def test_a_folder_that_is_no_dataset_lists_what_it_holds(self, tmp_path: Path) -> None:
        """The message shows what was found in place of a dataset."""
        (tmp_path / "notes.txt").write_text("hello")
        with pytest.raises(DatasetError, match=r"no dataset .*holds: notes\.txt"):
            PhotoDataset.open(tmp_path)

    def test_a_file_that_is_no_dataset(self, tmp_path: Path) -> None:
        """Giving state.json instead of its folder is answered with what to give."""
        path = saved(tmp_path / "d", columns(1))
        with pytest.raises(DatasetError, match="give a folder"):
            PhotoDataset.open(path / "state.json")

    def test_a_damaged_dataset_names_the_folder(self, tmp_path: Path) -> None:
        """A cut-off Arrow file, a lost one and a broken state are one sentence each."""
        path = saved(tmp_path / "d", columns(3))
        [arrow] = path.glob("*.arrow")
        whole = arrow.read_bytes()
        arrow.write_bytes(whole[:100])
        with pytest.raises(DatasetError, match=f"{path} cannot be read as a dataset"):
            PhotoDataset.open(path)
        arrow.unlink()
        with pytest.raises(DatasetError, match=f"{path} cannot be read as a dataset"):
            PhotoDataset.open(path)
        (path / "state.json").write_text("{")
        with pytest.raises(DatasetError, match=r"state\.json cannot be read"):
            PhotoDataset.open(path)

    def test_a_damaged_parquet_file_says_what_is_wrong_with_it(self, tmp_path: Path) -> None:
        """The loader's cause is told, not its wrapping."""
        (tmp_path / "a.parquet").write_bytes(b"PAR1 no parquet")
        with pytest.raises(DatasetError, match="Parquet"):
            PhotoDataset.open(tmp_path / "a.parquet")

    def test_missing_columns_are_listed_with_how_to_map_them(self, tmp_path: Path) -> None:
        """The message is the next command line."""
        values = {"IMG_ID": ["a.jpg"], "north": [1.0], "LON": [2.0]}
        Dataset.from_dict(values).save_to_disk(tmp_path / "d")
        with pytest.raises(DatasetError) as error:
            PhotoDataset.open(tmp_path / "d")
        assert "no column for image and lat" in str(error.value)
        assert "its columns are: IMG_ID, north, LON" in str(error.value)
        assert str(error.value).endswith("Name it, as in --column image=IMG_ID --column lat=COLUMN")

    @pytest.mark.parametrize(
        ("names", "options"),
        [
            (("filename", "lat", "longi"), "--column image=filename --column lon=longi"),
            (("photograph", "y", "x"), "--column image=photograph --column lat=COLUMN "),
            (("image", "latitude_deg", "longitude_deg"), "lat=latitude_deg --column lon=longitude"),
            # What has a role already is not named for another.
            (("Picture", "latitude", "wide"), "--column image=Picture --column lon=COLUMN"),
        ],
    )
    def test_columns_that_there_are_are_named_for_what_is_missing(
        self, tmp_path: Path, names: tuple[str, ...], options: str
    ) -> None:
        values = zip(names, (["a.jpg"], [1.0], [2.0]), strict=True)
        Dataset.from_dict(dict(values)).save_to_disk(tmp_path / "d")
        with pytest.raises(DatasetError) as error:
            PhotoDataset.open(tmp_path / "d")
        assert options in str(error.value)

    @pytest.mark.parametrize(
        ("mapping", "message"),
        [
            ({"lat": "latitude"}, "no column 'latitude' for lat; its columns are: image, lat"),
            ({"lat": "latt"}, r"no column 'latt' for lat \(did you mean lat\?\); its columns are"),
            ({"heading": "lat"}, "no role 'heading'; the roles are image, lat"),
            ({"lat": "image"}, "the column 'image' for lat is of type struct"),
            ({"image": "lat"}, "the column 'lat' for image is of type double"),
        ],
    )
    def test_a_mapping_that_cannot_work(
        self, tmp_path: Path, mapping: dict[str, str], message: str
    ) -> None:
        """A wrong name is not quietly replaced by a default that exists."""
        path = saved(tmp_path / "d", columns(1))
        with pytest.raises(DatasetError, match=message):
            PhotoDataset.open(path, columns=mapping)

    def test_a_selection_saved_by_an_old_version_is_refused(self, tmp_path: Path) -> None:
        """Later versions of `datasets` ignore it and would count other rows."""
        path = saved(tmp_path / "d", columns(2))
        state = json.loads((path / "state.json").read_text())
        state["_indices_data_files"] = [{"filename": "indices.arrow"}]
        (path / "state.json").write_text(json.dumps(state))
        with pytest.raises(DatasetError, match="selection of rows"):
            PhotoDataset.open(path)


class TestColumns:
    def test_names_are_found_case_aside_and_a_mapping_wins(self, tmp_path: Path) -> None:
        """OSV-5M's and MP16's spellings need no mapping; an explicit one is obeyed."""
        values = {
            "image": [photo(0)],
            "Latitude": [1.0],
            "LON": [2.0],
            "alt_lat": [3.0],
            "Country": ["FR"],
        }
        path = tmp_path / "osv"
        Dataset.from_dict(values).save_to_disk(path)
        dataset = PhotoDataset.open(path)
        assert dataset.facts.column_map == {
            "image": "image",
            "lat": "Latitude",
            "lon": "LON",
            "country": "Country",
        }
        mapped = PhotoDataset.open(path, columns={"lat": "alt_lat"})
        assert mapped.coordinates()[0].tolist() == [3.0]
        assert dataset.locatability() is None

    def test_the_exact_name_is_preferred_to_another_spelling(self, tmp_path: Path) -> None:
        """A dataset with both lat and LAT is read by lat."""
        values = {"image": [photo(0)], "LAT": [1.0], "lat": [2.0], "lon": [3.0]}
        Dataset.from_dict(values).save_to_disk(tmp_path / "d")
        assert PhotoDataset.open(tmp_path / "d").facts.column_map["lat"] == "lat"

    def test_coordinates_stored_as_text_are_read(self, tmp_path: Path) -> None:
        """What is no number becomes NaN; every other row keeps its place."""
        texts = ["48.85", " -3.5 ", "+1e1", "48,85", "", None, "n/a", "1,2,3", "nan", "0x10", "12°"]
        values = {
            "image": [photo(0)] * len(texts),
            "lat": texts,
            "lon": [str(n) for n in range(len(texts))],
            "locatability_score": [None, "0.5", *["x"] * (len(texts) - 2)],
        }
        Dataset.from_dict(values).save_to_disk(tmp_path / "d")
        dataset = PhotoDataset.open(tmp_path / "d")
        lat, lon = dataset.coordinates()
        np.testing.assert_array_equal(lat, [48.85, -3.5, 10.0, 48.85, *[math.nan] * 7])
        assert lon.tolist() == list(range(len(texts)))
        score = dataset.locatability()
        assert score is not None
        np.testing.assert_array_equal(score, [math.nan, 0.5, *[math.nan] * 9])

    @given(st.lists(st.one_of(st.none(), st.text(), st.floats().map(str)), min_size=1))
    def test_a_column_and_its_single_values_are_read_alike(self, texts: list[str | None]) -> None:
        """The truth kept with a sample is the truth it was drawn by."""
        encodable = [None if t is None else t.encode("utf-8", "replace").decode() for t in texts]
        column = to_floats(pa.chunked_array([pa.array(encodable, pa.string())]))
        single = [number(text) for text in encodable]
        np.testing.assert_array_equal(column, [math.nan if n is None else n for n in single])

    @given(
        st.from_regex(
            r"[ \t]?[+-]?([0-9]{1,20}([.,][0-9]{0,40})?|[.,][0-9]{1,40})([eE][+-]?[0-9]{1,2})?\n?",
            fullmatch=True,
        )
    )
    def test_every_number_as_text_is_read_to_the_last_bit(self, text: str) -> None:
        """Arrow and Python round the same digits to the same float."""
        [read] = to_floats(pa.chunked_array([[text]]))
        assert read == number(text) == float(text.replace(",", "."))

    @pytest.mark.parametrize(
        "kind",
        [pa.int64(), pa.float32(), pa.float16(), pa.decimal128(8, 2), pa.large_string(), pa.null()],
    )
    def test_every_numeric_type_is_read(self, kind: pa.DataType) -> None:
        """Integers, halves, decimals and columns of nothing but nulls."""
        values = [None, None] if kind == pa.null() else [12, None]
        column = pa.chunked_array([pa.array([str(v) if v else v for v in values]).cast(kind)])
        expected = [math.nan if kind == pa.null() else 12.0, math.nan]
        np.testing.assert_array_equal(to_floats(column), expected)

    def test_text_that_is_not_utf8_leaves_its_neighbours_readable(self) -> None:
        """One damaged row never stops a column."""
        damaged = pa.array([b"1.5", b"\xff\xfe1", b"2"]).cast(pa.string(), safe=False)
        np.testing.assert_array_equal(to_floats(pa.chunked_array([damaged])), [1.5, math.nan, 2.0])


class TestPhotos:
    def test_a_null_image_is_missing_and_its_neighbours_are_not(self, tmp_path: Path) -> None:
        """A null struct and a struct of nulls are the same absence."""
        values = columns(4)
        values["image"][1] = None
        values["image"][2] = {"bytes": None, "path": None}
        # A bare table: the library fails to save such a row of an Image feature.
        Dataset(pa.table(values)).save_to_disk(tmp_path / "d")
        dataset = PhotoDataset.open(tmp_path / "d")
        assert dataset.photo_bytes(3) == photo(3)
        for row in (1, 2):
            with pytest.raises(ImageError, match=f"row {row} has no image") as error:
                dataset.photo_bytes(row)
            assert error.value.kind == "missing"

    def test_a_column_of_paths_is_read_from_the_dataset_folder(self, tmp_path: Path) -> None:
        """Relative and absolute paths work; lost files, folders and addresses are missing."""
        path = tmp_path / "d"
        outside = tmp_path / "outside.png"
        outside.write_bytes(photo(1))
        names = [
            "photos/0.png",
            str(outside),
            "lost.png",
            "https://x.test/a.png",
            "photos",
            "",
            None,
        ]
        count = len(names)
        values = {"img": names, "lat": [1.0] * count, "lng": [2.0] * count}
        Dataset.from_dict(values).save_to_disk(path)
        (path / "photos").mkdir()
        (path / "photos" / "0.png").write_bytes(photo(0))
        dataset = PhotoDataset.open(path)
        assert dataset.photo_bytes(0) == photo(0)
        assert dataset.photo_bytes(1) == photo(1)
        for row in range(2, count):
            with pytest.raises(ImageError) as error:
                dataset.photo_bytes(row)
            assert error.value.kind == "missing"

    @pytest.mark.parametrize("row", [-1, 3, 10**12])
    def test_a_row_that_does_not_exist_is_refused(self, tmp_path: Path, row: int) -> None:
        """A negative number does not count from the end."""
        dataset = PhotoDataset.open(saved(tmp_path / "d", columns(3)))
        with pytest.raises(DatasetError, match=f"no row {row}: its 3 rows count from 0"):
            dataset.photo_bytes(row)

    def test_threads_read_rows_side_by_side(self, tmp_path: Path) -> None:
        """Eight threads get the bytes that one gets."""
        dataset = PhotoDataset.open(saved(tmp_path / "d", columns(40)))
        rows = [n * 7 % 40 for n in range(2000)]
        with ThreadPoolExecutor(8) as pool:
            read = list(pool.map(dataset.photo_bytes, rows))
        expected = [photo(n) for n in range(40)]
        assert read == [expected[n] for n in rows]


class TestSamples:
    def test_a_sample_holds_the_row_and_its_photo(self, tmp_path: Path) -> None:
        """Scalar columns are kept as JSON values; nested and binary ones are not."""
        values = columns(2) | {
            "locatability_score": [0.25, None],
            "country": ["France", " "],
            "city": ["Lyon", None],
            "subset": [1, 0],
            "elevation": [float("nan"), float("inf")],
            "indoor": [True, False],
            "taken": [datetime.date(2024, 5, 1), None],
            "tags": [["a"], []],
            "thumbnail": [b"1", b"2"],
        }
        features = Features(
            image=Image(),
            lat=Value("float64"),
            lon=Value("float64"),
            locatability_score=Value("float32"),
            country=Value("string"),
            city=Value("string"),
            subset=ClassLabel(names=["test", "train"]),
            elevation=Value("float64"),
            indoor=Value("bool"),
            taken=Value("date32"),
            tags=List(Value("string")),
            thumbnail=Value("binary"),
        )
        dataset = PhotoDataset.open(saved(tmp_path / "d", values, features=features))
        first, second = dataset.read_sample(0), dataset.read_sample(1)
        assert first.columns == {
            "city": "Lyon",
            "subset": "train",
            "elevation": None,
            "indoor": True,
            "taken": "2024-05-01",
        }
        json.dumps([first.columns, second.columns], allow_nan=False)
        assert (first.sample_index, first.lat, first.lon) == (0, 50.0, 8.0)
        assert (first.locatability_score, first.country) == (0.25, "France")
        assert (second.locatability_score, second.country) == (None, None)
        assert first.photo is not None
        assert (first.photo.width, first.photo.height, first.photo.format) == (40, 30, "PNG")
        assert first.exclusion is None

    @pytest.mark.parametrize(
        ("kind", "value", "expected"),
        [
            (pa.timestamp("ns"), 1_714_557_600_000_000_001, "2024-05-01T10:00:00.000000001"),
            (pa.timestamp("s", tz="Europe/Berlin"), 1_714_557_600, "2024-05-01T10:00:00Z"),
            (pa.timestamp("s"), 10**12, "1000000000000 s"),
            (pa.time32("s"), 3600, "01:00:00"),
            (pa.duration("ms"), 1500, "1500 ms"),
            (pa.decimal128(20, 3), Decimal("12345678901234567.125"), "12345678901234567.125"),
            (pa.uint64(), 2**64 - 1, str(2**64 - 1)),
            (pa.uint64(), 2**63 - 1, 2**63 - 1),
            (pa.float16(), np.float16(0.5), 0.5),
        ],
    )
    def test_times_and_decimals_become_text_that_loses_nothing(
        self, tmp_path: Path, kind: pa.DataType, value: object, expected: object
    ) -> None:
        """Nanoseconds, zones and digits survive."""
        table = pa.table(columns(1) | {"extra": pa.array([value], kind)})
        Dataset(table).save_to_disk(tmp_path / "d")
        sample = PhotoDataset.open(tmp_path / "d").read_sample(0)
        assert sample.columns == {"extra": expected}
        json.dumps(sample.columns, allow_nan=False)

    def test_text_that_no_store_takes_is_repaired(self, tmp_path: Path) -> None:
        """NULs, lone surrogates and broken UTF-8 become the replacement character."""
        raw = [b"a\0b", b"\xed\xa0\x80x", b"caf\xc3\xa9"]
        text = pa.array(raw).cast(pa.string(), safe=False)
        Dataset(pa.table(columns(3) | {"road": text})).save_to_disk(tmp_path / "d")
        dataset = PhotoDataset.open(tmp_path / "d")
        roads = [dataset.read_sample(n).columns["road"] for n in range(3)]
        assert roads == ["a\ufffdb", "\ufffd\ufffd\ufffdx", "café"]

    def test_a_bad_photo_gives_a_sample_that_says_why(self, tmp_path: Path) -> None:
        """Neither a missing nor a broken photo stops the reading of samples."""
        values = columns(3)
        values["image"][0] = None
        values["image"][1] = {"bytes": b"no image at all", "path": None}
        dataset = PhotoDataset.open(saved(tmp_path / "d", values))
        samples = [dataset.read_sample(n) for n in range(3)]
        assert [sample.exclusion for sample in samples] == ["missing", "undecodable", None]
        assert [sample.photo is None for sample in samples] == [True, True, False]
        assert samples[1].lat == 50.01

    def test_a_row_without_coordinates_is_no_sample(self, tmp_path: Path) -> None:
        """A sample without truth cannot be scored, so it cannot be made."""
        values = columns(1) | {"lat": [None]}
        features = Features(image=Image(), lat=Value("string"), lon=Value("float64"))
        dataset = PhotoDataset.open(saved(tmp_path / "d", values, features=features))
        with pytest.raises(DatasetError, match="row 0 has no readable coordinates"):
            dataset.read_sample(0)


class TestIdentity:
    def test_the_same_dataset_is_the_same(self, tmp_path: Path) -> None:
        """Opening again, and at another place, changes nothing that counts."""
        path = saved(tmp_path / "d", columns(3))
        facts = PhotoDataset.open(path).facts
        shutil.copytree(path, tmp_path / "copy")
        PhotoDataset.open(path).check_same(facts)
        PhotoDataset.open(tmp_path / "copy").check_same(facts)

    def test_a_sorted_dataset_is_another_one(self, tmp_path: Path) -> None:
        """As many rows in another order would restore the wrong photos."""
        path = saved(tmp_path / "d", columns(3))
        facts = PhotoDataset.open(path).facts
        data = datasets.load_from_disk(path).select([2, 1, 0])
        data.save_to_disk(tmp_path / "sorted")
        with pytest.raises(DatasetError, match=r"has changed since .* wrong photos"):
            PhotoDataset.open(tmp_path / "sorted").check_same(facts)

    def test_photos_from_another_column_are_not_the_same(self, tmp_path: Path) -> None:
        """The row is right and the photo would still be wrong."""
        values = columns(2) | {"masked": [photo(9)] * 2}
        path = saved(tmp_path / "d", values)
        facts = PhotoDataset.open(path, columns={"image": "masked"}).facts
        with pytest.raises(DatasetError, match="--column image=masked"):
            PhotoDataset.open(path).check_same(facts)

    def test_parquet_is_known_by_its_content_not_its_place_or_time(self, tmp_path: Path) -> None:
        """A copy is the same dataset; the same number of other rows is not."""
        facts = []
        for folder, rows in (("a", [0, 1, 2]), ("b", [0, 1, 2]), ("c", [2, 1, 0])):
            (tmp_path / folder).mkdir()
            table = pa.table(columns(3)).take(rows)
            pq.write_table(table, tmp_path / folder / "x.parquet")
            dataset = PhotoDataset.open(tmp_path / folder)
            assert_rows(dataset, rows)
            facts.append(dataset.facts)
        assert facts[0].fingerprint == facts[1].fingerprint
        assert (facts[0].fingerprint or "").startswith("files-")
        with pytest.raises(DatasetError, match="has changed"):
            dataset.check_same(facts[0])

    def test_an_image_folder_is_known_by_its_photos_in_row_order(self, tmp_path: Path) -> None:
        """A corrected coordinate keeps it, another row order does not."""
        facts = []
        for name, order, lat in (("a", "01", 1), ("b", "01", 2), ("c", "10", 1)):
            folder = tmp_path / name
            folder.mkdir()
            for n in range(2):
                (folder / f"{n}.png").write_bytes(photo(n))
            lines = [f"{n}.png,{lat},5.0" for n in order]
            (folder / "metadata.csv").write_text("\n".join(["file_name,lat,lon", *lines]))
            facts.append(PhotoDataset.open(folder).facts)
        assert facts[0].fingerprint == facts[1].fingerprint != facts[2].fingerprint

    def test_a_saved_dataset_without_fingerprint_gets_one_that_stays(self, tmp_path: Path) -> None:
        """`datasets` would make up one from file times, which a copy changes."""
        path = saved(tmp_path / "d", columns(3))
        state = json.loads((path / "state.json").read_text())
        state["_fingerprint"] = None
        (path / "state.json").write_text(json.dumps(state))
        shutil.copytree(path, tmp_path / "copy")
        first, second = PhotoDataset.open(path).facts, PhotoDataset.open(tmp_path / "copy").facts
        assert first.fingerprint == second.fingerprint
