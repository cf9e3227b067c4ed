"""Folders of photos under a table: text stays text, files are found in any letter case."""

from __future__ import annotations

import io
import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from geostore.dataset import PhotoDataset
from geostore.errors import DatasetError, ImageError
from tests.conftest import photo_bytes
from tests.minds import zoom_then_answer
from tests.running import geostore
from tests.teacher_server import teacher_server


def tiny(number: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (number, 0, 99)).save(stream, format="PNG")
    return stream.getvalue()


def folder_of(path: Path, table: str, *, name: str = "metadata.csv", photos: int = 3) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number in range(photos):
        (path / f"{number}.png").write_bytes(tiny(number))
    (path / name).write_text(table, encoding="utf-8")
    return path


def columns_of(dataset: PhotoDataset) -> dict[str, list[Any]]:
    """The values of each column that is kept with samples, by row."""
    samples = [dataset.read_sample(row).columns for row in range(len(dataset))]
    return {name: [sample[name] for sample in samples] for name in samples[0]}


class TestText:
    @pytest.mark.parametrize(
        "cells",
        [
            ["NA", "FR", "None"],
            ["00501", "10001", "20001"],
            ["null", "nan", "NaN"],
            ["1e5", "2e5", "3e5"],
            ["1.9", "1.10", "1.11"],
            ["+49", "+33", "+1"],
            ["True", "false", "yes"],
            ["2024-05-01", "2024-05-02", "2024-05-03"],
            ["12345678901234567890", "1", "2"],
            ["0.1234567890123456789", "0.5", "0.25"],
            ["12", "7b", "3"],
            [" 5", "6", "7"],
            ["-0", "1", "2"],
            ["١٢", "1", "2"],
        ],
    )
    def test_text_stays_as_it_stands(self, tmp_path: Path, cells: list[str]) -> None:
        """Nothing is taken for a missing value, a number, a date or a truth value."""
        lines = [f"{number}.png,1,2,{cell}" for number, cell in enumerate(cells)]
        path = folder_of(tmp_path / "d", "\n".join(["file_name,lat,lon,code", *lines]))
        assert columns_of(PhotoDataset.open(path)) == {"code": cells}

    @pytest.mark.parametrize(
        ("cells", "values"),
        [
            (["12", "-7", "0"], [12, -7, 0]),
            (["12", "", "5"], [12, None, 5]),
            (["12.5", "0.1", "7"], [12.5, 0.1, 7.0]),
            (["12.50", "13.25", "14.00"], [12.5, 13.25, 14.0]),
            (["51.48123456789012", "5e-05", "1.0"], [51.48123456789012, 5e-05, 1.0]),
            (["", "", ""], [None, None, None]),
        ],
    )
    def test_columns_of_numbers_are_numbers(
        self, tmp_path: Path, cells: list[str], values: list[object]
    ) -> None:
        """Where reading and writing a number gives the same cell, it is one."""
        lines = [f"{number}.png,1,2,{cell}" for number, cell in enumerate(cells)]
        path = folder_of(tmp_path / "d", "\n".join(["file_name,lat,lon,code", *lines]))
        read = columns_of(PhotoDataset.open(path))["code"]
        assert read == values
        assert [type(value) for value in read] == [type(value) for value in values]

    def test_namibia_is_a_country_and_an_empty_cell_is_none(self, tmp_path: Path) -> None:
        table = "file_name,lat,lon,country\n0.png,-22.5,17,NA\n1.png,1,2,\n2.png,1,2,None\n"
        dataset = PhotoDataset.open(folder_of(tmp_path / "d", table))
        assert [dataset.read_sample(row).country for row in range(3)] == ["NA", None, "None"]

    def test_coordinates_are_numbers_whatever_else_their_column_holds(self, tmp_path: Path) -> None:
        """One NA among the latitudes makes a column of text, and costs only its own row."""
        table = "file_name,lat,lon\n0.png,051.50,1e1\n1.png,NA,2\n2.png, -7.25 ,null\n"
        lat, lon = PhotoDataset.open(folder_of(tmp_path / "d", table)).coordinates()
        np.testing.assert_array_equal(lat, [51.5, math.nan, -7.25])
        np.testing.assert_array_equal(lon, [10.0, 2.0, math.nan])

    def test_json_lines_keep_the_kinds_that_they_write(self, tmp_path: Path) -> None:
        """A text is a text and a number is a number; a column of both is text."""
        rows: list[dict[str, Any]] = [
            {"file_name": "0.png", "lat": 1, "lon": "2.5", "zip": "00501", "n": 1, "mixed": 7},
            {"file_name": "1.png", "lat": 1.5, "lon": "-7", "zip": "NA", "n": 2, "mixed": "7b"},
            {"file_name": "2.png", "lat": 2, "lon": "3", "day": "2024-05-01", "indoor": True},
        ]
        table = "\n\n".join(json.dumps(row) for row in rows)
        dataset = PhotoDataset.open(folder_of(tmp_path / "d", table, name="metadata.jsonl"))
        assert columns_of(dataset) == {
            "zip": ["00501", "NA", None],
            "n": [1, 2, None],
            "mixed": ["7", "7b", None],
            "day": [None, None, "2024-05-01"],
            "indoor": [None, None, True],
        }
        np.testing.assert_array_equal(dataset.coordinates()[1], [2.5, -7.0, 3.0])

    def test_blank_lines_and_quoted_names_of_columns(self, tmp_path: Path) -> None:
        table = '\n \n"lat";"lon";"a,b,c,d";file_name\n\n1;2;x;0.png\n\n'
        dataset = PhotoDataset.open(folder_of(tmp_path / "d", table))
        assert columns_of(dataset) == {"a,b,c,d": ["x"]}
        assert dataset.photo_bytes(0) == tiny(0)

    def test_whole_numbers_of_one_table_and_decimals_of_another_lose_no_digit(
        self, tmp_path: Path
    ) -> None:
        """A float would round the first: such columns are text in both tables."""
        for name, number in (("a", 2**60 + 1), ("b", 0.5)):
            folder_of(tmp_path / "d" / name, f"file_name,lat,lon,n\n0.png,1,2,{number}\n")
        assert columns_of(PhotoDataset.open(tmp_path / "d")) == {"n": [str(2**60 + 1), "0.5"]}

    def test_json_lines_that_change_their_kind_late_are_text(self, tmp_path: Path) -> None:
        """Rows are read thousands at a time, and the kinds of all of them count."""
        lines = [
            json.dumps({"file_name": "0.png", "lat": 1, "lon": 2, "house": row})
            for row in range(20_000)
        ]
        lines.append(json.dumps({"file_name": "1.png", "lat": 1, "lon": 2, "house": "12a"}))
        path = folder_of(tmp_path / "d", "\n".join(lines), name="metadata.jsonl")
        dataset = PhotoDataset.open(path)
        houses = [dataset.read_sample(row).columns["house"] for row in (0, 19_999, 20_000)]
        assert houses == ["0", "19999", "12a"]

    def test_a_spreadsheet_of_another_country(self, tmp_path: Path) -> None:
        """Semicolons, decimal commas, a byte order mark, quotes with line breaks, CRLF."""
        table = '\ufefffile_name; lat ;lon;note\r\n0.png;48,85;2,35;"a;b\r\n""c"""\r\n'
        dataset = PhotoDataset.open(folder_of(tmp_path / "d", table))
        assert [array.tolist() for array in dataset.coordinates()] == [[48.85], [2.35]]
        assert columns_of(dataset) == {"note": ['a;b\r\n"c"']}


class TestFiles:
    def test_names_of_tables_and_photos_match_in_any_letter_case(self, tmp_path: Path) -> None:
        """A folder that was made on Windows or a Mac."""
        path = tmp_path / "d"
        (path / "Sub").mkdir(parents=True)
        (path / "IMG_1.JPG").write_bytes(tiny(1))
        (path / "Sub" / "Cafe\u0301.PNG").write_bytes(tiny(2))
        (path / "both.png").write_bytes(tiny(3))
        (path / "BOTH.PNG").write_bytes(tiny(4))
        lines = ["File_Name,LAT,Lon", "img_1.jpg,1,2", "Sub\\caf\u00e9.png,3,4", "both.png,5,6"]
        (path / "Metadata.CSV").write_text("\n".join([*lines, "Both.png,7,8"]), encoding="utf-8")
        dataset = PhotoDataset.open(path)
        assert [dataset.photo_bytes(row) for row in range(3)] == [tiny(1), tiny(2), tiny(3)]
        with pytest.raises(ImageError, match="row 3"):  # two files may be meant
            dataset.photo_bytes(3)

    def test_upper_case_parquet_is_parquet(self, tmp_path: Path) -> None:
        table = pa.table({"image": [tiny(0)], "lat": [1.0], "lon": [2.0]})
        pq.write_table(table, tmp_path / "PHOTOS.PARQUET")
        for path in (tmp_path, tmp_path / "PHOTOS.PARQUET", tmp_path / "*.PARQUET"):
            assert PhotoDataset.open(path).photo_bytes(0) == tiny(0)

    def test_the_fingerprint_is_that_of_the_photos_in_row_order(self, tmp_path: Path) -> None:
        """Stores hold this value: it must never change for the same photos."""
        table = "file_name,lat,lon\n1.png,1,2\nsub/2.png,3,4\n0.png,5,6\ngone.png,7,8\n"
        path = tmp_path / "trip"
        (path / "sub").mkdir(parents=True)
        for name, size in (("0.png", 100), ("1.png", 101), ("sub/2.png", 102)):
            (path / name).write_bytes(bytes(size))
        (path / "metadata.csv").write_text(table)
        assert PhotoDataset.open(path).facts.fingerprint == "files-3c6bd0fe11d682f5"

    def test_names_that_no_disk_takes_are_missing_photos(self, tmp_path: Path) -> None:
        """One bad row keeps no dataset from being opened."""
        table = f'file_name,lat,lon\n0.png,1,2\n{"x" * 5000}.png,1,2\n"a\0.png",1,2\n.,1,2\n'
        dataset = PhotoDataset.open(folder_of(tmp_path / "d", table))
        assert [dataset.read_sample(n).exclusion for n in range(4)] == [None, *["missing"] * 3]

    def test_photos_of_which_none_is_there_are_no_dataset(self, tmp_path: Path) -> None:
        """Else the dataset would get another identity while its disk is away."""
        path = folder_of(tmp_path / "d", "file_name,lat,lon\n0.png,1,2\n1.png,1,2\n")
        known = PhotoDataset.open(path).facts
        for number in range(3):
            (path / f"{number}.png").rename(tmp_path / f"{number}.png")
        with pytest.raises(
            DatasetError, match=r"none of its photos is there, such as .*/0\.png; mount"
        ):
            PhotoDataset.open(path)
        for number in range(3):
            (tmp_path / f"{number}.png").rename(path / f"{number}.png")
        PhotoDataset.open(path).check_same(known)

    def test_a_table_can_be_named_by_itself(self, tmp_path: Path) -> None:
        """Whatever it is called; its paths start at its own folder, or are whole."""
        outside = tmp_path / "outside.png"
        outside.write_bytes(tiny(7))
        path = folder_of(
            tmp_path / "d", f"photo\tlat\tlon\n0.png\t1\t2\n{outside}\t3\t4\n", name="a.tsv"
        )
        with pytest.raises(DatasetError, match=r"no metadata\.csv; name the table .*a\.tsv"):
            PhotoDataset.open(path)
        dataset = PhotoDataset.open(path / "a.tsv")
        assert dataset.facts.name == "a"
        assert [dataset.photo_bytes(row) for row in range(2)] == [tiny(0), tiny(7)]

    def test_tables_of_several_folders_are_one_dataset(self, tmp_path: Path) -> None:
        """Each names the photos beside it."""
        folder_of(tmp_path / "d" / "berlin", "file_name,lat,lon,zip\n1.png,1,2,0100\n")
        folder_of(tmp_path / "d" / "paris", "file_name,lat,lon,n\n2.png,3,4,5\n")
        dataset = PhotoDataset.open(tmp_path / "d")
        assert [dataset.photo_bytes(row) for row in range(2)] == [tiny(1), tiny(2)]
        assert columns_of(dataset) == {"zip": ["0100", None], "n": [None, 5]}

    def test_folders_named_as_splits_are_listed(self, tmp_path: Path) -> None:
        for split in ("train", "test"):
            folder_of(tmp_path / "d" / split, "file_name,lat,lon\n1.png,1,2\n")
        with pytest.raises(DatasetError, match=r"several splits; choose one: \S+/test, \S+/train$"):
            PhotoDataset.open(tmp_path / "d")
        assert len(PhotoDataset.open(tmp_path / "d" / "test")) == 1

    def test_a_parquet_table_of_photos(self, tmp_path: Path) -> None:
        table = pa.table({"file_name": ["1.png"], "lat": [1.0], "lon": [2.0], "code": ["NA"]})
        path = folder_of(tmp_path / "d", "")
        (path / "metadata.csv").unlink()
        pq.write_table(table, path / "metadata.parquet")
        dataset = PhotoDataset.open(path)
        assert dataset.photo_bytes(0) == tiny(1)
        assert columns_of(dataset) == {"code": ["NA"]}

    def test_another_image_column_can_be_chosen(self, tmp_path: Path) -> None:
        """As `datasets` names it: masked_file_name is the column masked."""
        path = folder_of(
            tmp_path / "d", "file_name,masked_file_name,lat,lon\n0.png,2.png,1,2\n1.png,,1,2\n"
        )
        dataset = PhotoDataset.open(path, columns={"image": "masked"})
        assert dataset.facts.columns == ("image", "masked", "lat", "lon")
        assert dataset.photo_bytes(0) == tiny(2)
        with pytest.raises(ImageError, match="row 1 has no image"):
            dataset.photo_bytes(1)

    def test_file_name_is_the_image_whatever_else_is_called_so(self, tmp_path: Path) -> None:
        path = folder_of(tmp_path / "d", "image,file_name,lat,lon\nfirst,1.png,1,2\n")
        dataset = PhotoDataset.open(path)
        assert dataset.facts.columns == ("image", "lat", "lon")
        assert dataset.photo_bytes(0) == tiny(1)


class TestRefusals:
    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ("", r"metadata\.csv is empty; its first line names the columns"),
            ("file_name,lat,lon\n", "has no rows"),
            ("file_name,lat,lon\n0.png,1,2,3\n", "has 4 cells in a row .* names 3 columns: '0.png"),
            ("file_name,lat,lon\n0.png,1\n", "has 2 cells in a row"),
            ("file_name,lat,lon,lat\n0.png,1,2,3\n", "several columns of one name: lat"),
            ("name,lat,lon\n0.png,1,2\n", "no column for image; its columns are: name, lat, lon"),
        ],
    )
    def test_a_table_that_cannot_be_read(self, tmp_path: Path, table: str, message: str) -> None:
        path = folder_of(tmp_path / "d", table)
        with pytest.raises(DatasetError, match=message):
            PhotoDataset.open(path)

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
    def test_another_encoding_is_named(self, tmp_path: Path, encoding: str) -> None:
        path = folder_of(tmp_path / "d", "")
        table = "file_name,lat,lon,city\n0.png,1,2,Zürich\n"
        (path / "metadata.csv").write_bytes(table.encode(encoding))
        with pytest.raises(DatasetError, match=r"metadata\.csv is not in UTF-8; save it again"):
            PhotoDataset.open(path)

    @pytest.mark.parametrize(
        ("line", "message"), [('{"a": ', "line 2 is no JSON"), ("[1]", "line 2 is no JSON object")]
    )
    def test_a_broken_json_line_is_named(self, tmp_path: Path, line: str, message: str) -> None:
        path = folder_of(tmp_path / "d", f'{{"lat": 1}}\n{line}\n', name="metadata.jsonl")
        with pytest.raises(DatasetError, match=message):
            PhotoDataset.open(path)

    def test_tables_of_two_kinds_are_not_mixed(self, tmp_path: Path) -> None:
        path = folder_of(tmp_path / "d", "file_name,lat,lon\n0.png,1,2\n")
        (path / "metadata.jsonl").write_text("{}")
        with pytest.raises(DatasetError, match=r"several kinds \(\.csv, \.jsonl\)"):
            PhotoDataset.open(path)

    def test_photos_without_a_table_say_what_is_missing(self, tmp_path: Path) -> None:
        path = folder_of(tmp_path / "d", "")
        (path / "metadata.csv").unlink()
        with pytest.raises(DatasetError, match=r"holds photos, but no metadata\.csv"):
            PhotoDataset.open(path)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_generate_and_verify_with_text_that_looks_like_something_else(
    tmp_path: Path, form: str
) -> None:
    """What the table says reaches the store letter for letter, and no cache grows."""
    path, home = tmp_path / "photos", tmp_path / "home"
    path.mkdir()
    home.mkdir()
    rows = [
        {"file_name": f"{n}.jpg", "lat": f"-{20 + n}.5", "lon": "17", "country": "NA", "zip": zip}
        for n, zip in enumerate(["00501", "None", "1e5"])
    ]
    for number in range(3):
        (path / f"{number}.JPG").write_bytes(photo_bytes(number))
    lines = [json.dumps(row) for row in rows]
    if form == "csv":
        lines = [",".join(row.values()) for row in [{name: name for name in rows[0]}, *rows]]
    (path / f"metadata.{form}").write_text("\n".join(lines))
    places = {"HF_HOME": str(home), "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    with teacher_server(zoom_then_answer) as server:
        generated = geostore(
            *("generate", "--dataset-path", path, "--num-samples", "0", "--model", "m"),
            *("--store", tmp_path / "g.db", "--base-url", server.url),
            **places,
        )
    assert generated.returncode == 0, generated.stderr
    verified = geostore("verify", "--store", tmp_path / "g.db", **places)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert list(home.rglob("*")) == []
    with closing(sqlite3.connect(tmp_path / "g.db")) as store:
        stored = store.execute(
            "select lat, country, columns ->> 'zip' from samples order by sample_index"
        ).fetchall()
    assert stored == [(-20.5, "NA", "00501"), (-21.5, "NA", "None"), (-22.5, "NA", "1e5")]


@pytest.mark.parametrize("name", ["http://example.com/x/3.png", "x" * 300 + "/3.png", "a\0b/3.png"])
def test_a_name_that_can_be_no_file_is_a_missing_photo_and_stops_nothing(
    name: str, tmp_path: Path
) -> None:
    rows = [{"file_name": file, "lat": 1.5, "lon": 2.5} for file in ("0.png", "1.png", name)]
    table = "".join(json.dumps(row) + "\n" for row in rows)
    dataset = PhotoDataset.open(
        folder_of(tmp_path / "photos", table, name="metadata.jsonl"), needs_folders=True
    )
    assert [dataset.read_sample(row).exclusion for row in range(3)] == [None, None, "missing"]
