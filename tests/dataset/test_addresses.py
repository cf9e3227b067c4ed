"""Images in lists, coordinates in structs, lists and one text: each is read where it stands."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from geostore.dataset import PhotoDataset
from geostore.dataset.addresses import Address
from geostore.dataset.columns import number, plain, to_floats
from geostore.errors import DatasetError, ImageError
from tests.conftest import photo_bytes
from tests.minds import zoom_then_answer
from tests.running import geostore
from tests.teacher_server import teacher_server

PHOTOS = [b"photo %d" % row for row in range(4)]
BYTES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(params=["saved", "parquet"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Writes a table as a dataset of one form and gives its path; None: without a usual column."""

    def write_it(columns: Mapping[str, Any]) -> Path:
        usual = {"image": PHOTOS, "lat": [1.0, 2.0, 3.0, 4.0], "lon": [5.0, 6.0, 7.0, 8.0]}
        columns = {
            name: values for name, values in {**usual, **columns}.items() if values is not None
        }
        table = pa.table(columns)
        path = tmp_path / "d"
        if request.param == "saved":
            Dataset(table).save_to_disk(path)
            return path
        path.mkdir()
        pq.write_table(table.slice(0, 2), path / "0.parquet")
        pq.write_table(table.slice(2), path / "1.parquet", row_group_size=1)
        return path

    return write_it


def places(dataset: PhotoDataset) -> list[tuple[float, float]]:
    """The coordinates of all rows, which must be those of the single samples."""
    lat, lon = dataset.coordinates()
    found = list(zip(lat.tolist(), lon.tolist(), strict=True))
    for row, (north, east) in enumerate(found):
        if math.isfinite(north) and math.isfinite(east):
            sample = dataset.read_sample(row)
            assert (sample.lat, sample.lon) == (north, east)
        else:
            with pytest.raises(DatasetError, match=f"row {row} has no readable coordinates"):
                dataset.read_sample(row)
    return found


NONE = (math.nan, math.nan)


class TestCoordinates:
    def test_in_a_struct(self, write: Any) -> None:
        """One struct with both needs no mapping; its other fields are not read for it."""
        values = [
            {"Lat": 51.45, "lng": 0.005, "photo": b"x" * 1000},
            {"Lat": None, "lng": 1.0, "photo": None},
            None,
            {"Lat": -7.0, "lng": -8.0, "photo": None},
        ]
        path = write({"lat": None, "lon": None, "location": values})
        dataset = PhotoDataset.open(path)
        assert dataset.facts.column_map["lat"] == "location.Lat"
        expected = [(51.45, 0.005), (math.nan, 1.0), NONE, (-7.0, -8.0)]
        np.testing.assert_array_equal(places(dataset), expected)
        again = PhotoDataset.open(path, columns=dataset.facts.column_map)
        assert again.facts == dataset.facts

    def test_in_two_structs_nothing_is_chosen(self, write: Any) -> None:
        place = [{"lat": 1.0, "lon": 2.0}] * 4
        path = write({"lat": None, "lon": None, "camera": place, "target": place})
        with pytest.raises(DatasetError, match=r"camera \(camera\.lat, camera\.lon\), target"):
            PhotoDataset.open(path)
        columns = {"lat": "target.lat", "lon": "target.lon"}
        assert places(PhotoDataset.open(path, columns=columns)) == [(1.0, 2.0)] * 4

    def test_in_a_struct_in_a_struct_as_text(self, write: Any) -> None:
        values = [{"gps": {"north": "48,85", "east": " 2.35 "}}] * 3 + [{"gps": None}]
        path = write({"lat": None, "lon": None, "meta": values})
        columns = {"lat": "meta.gps.north", "lon": "meta.gps.east"}
        dataset = PhotoDataset.open(path, columns=columns)
        np.testing.assert_array_equal(places(dataset), [(48.85, 2.35)] * 3 + [NONE])

    @pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.large_list(pa.string())])
    def test_in_a_list(self, write: Any, kind: pa.DataType) -> None:
        """A list that is too short has no coordinate, and stops nothing."""
        values: list[Any] = [[51.5, 0.25], [], None, [3.0]]
        if kind.value_type == pa.string():
            values = [v and [str(number) for number in v] for v in values]
        path = write({"lat": None, "lon": None, "coords": pa.array(values, kind)})
        with pytest.raises(DatasetError) as error:
            PhotoDataset.open(path)
        assert "coords (a list: coords.0, ...)" in str(error.value)
        assert "--column lat=coords.0 --column lon=coords.1" in str(error.value)
        columns = {"lat": "coords.0", "lon": "coords.1"}
        dataset = PhotoDataset.open(path, columns=columns)
        np.testing.assert_array_equal(places(dataset), [(51.5, 0.25), NONE, NONE, (3.0, math.nan)])
        # GeoJSON has the longitude first.
        columns = {"lat": "coords.1", "lon": "coords.0"}
        assert places(PhotoDataset.open(path, columns=columns))[0] == (0.25, 51.5)

    def test_in_a_list_in_a_struct(self, write: Any) -> None:
        """As GeoJSON has it, with the longitude first; the properties are not read for it."""
        values: list[Any] = [
            {"geometry": {"type": "Point", "coordinates": [0.005, 51.45]}, "properties": ["x"]}
        ] * 3
        path = write({"lat": None, "lon": None, "feature": [*values, {"geometry": None}]})
        columns = {
            "lat": "feature.geometry.coordinates.1",
            "lon": "feature.geometry.coordinates.0",
        }
        dataset = PhotoDataset.open(path, columns=columns)
        np.testing.assert_array_equal(places(dataset), [(51.45, 0.005)] * 3 + [NONE])

    def test_in_a_list_of_fixed_length(self, write: Any) -> None:
        values = pa.array([[1.0, 2.0], None, [3.0, None], [5.0, 6.0]], pa.list_(pa.float64(), 2))
        path = write({"lat": None, "lon": None, "point": values})
        dataset = PhotoDataset.open(path, columns={"lat": "point.0", "lon": "point.1"})
        np.testing.assert_array_equal(
            places(dataset), [(1.0, 2.0), NONE, (3.0, math.nan), (5.0, 6.0)]
        )

    def test_in_one_text(self, write: Any) -> None:
        path = write({"lat": None, "lon": None, "coords": ["51.45, 0.005", None, "", "-1;2"]})
        with pytest.raises(DatasetError, match=r"--column lat=coords\.0 --column lon=coords\.1"):
            PhotoDataset.open(path)
        with pytest.raises(DatasetError, match=r"both 'coords'; .* lat=coords\.0"):
            PhotoDataset.open(path, columns={"lat": "coords", "lon": "coords"})
        dataset = PhotoDataset.open(path, columns={"lat": "coords.0", "lon": "coords.1"})
        np.testing.assert_array_equal(places(dataset), [(51.45, 0.005), NONE, NONE, (-1.0, 2.0)])
        assert "coords" not in dataset.read_sample(0).columns

    @pytest.mark.parametrize(
        ("text", "pair"),
        [
            ("51.45, 0.005", (51.45, 0.005)),
            ("51.45,0.005", (51.45, 0.005)),
            (" 51 -0.5 ", (51.0, -0.5)),
            ("(51.45; -0.005)", (51.45, -0.005)),
            ("[+51.45/0]", (51.45, 0.0)),
            ("51,45; 0,005", (51.45, 0.005)),
            ("51,45 0,005", (51.45, 0.005)),
            ("51.45°, 0.005°", (51.45, 0.005)),
            ("51.45° N, 0.005° W", (51.45, -0.005)),
            ("51.45N 0.005E", (51.45, 0.005)),
            ("S 33.5, E 151.25", (-33.5, 151.25)),
            ("33°30'0\"S, 151°15'E", (-33.5, 151.25)),
            ("33°30′0″S 151°15′E", (-33.5, 151.25)),
            ("51.45", None),
            ("51.45, 0.005, 12", None),
            ("POINT(0.005 51.45)", None),
            ("-33.5 N, 1", None),
            ("London", None),
            ("51.45, 0.005 (approx.)", None),
        ],
    )
    def test_pairs_as_people_write_them(self, text: str, pair: tuple[float, float] | None) -> None:
        column = pa.chunked_array([[text]])
        parts = [to_floats(Address("c", (step,)).array(column))[0] for step in "01"]
        np.testing.assert_array_equal(parts, NONE if pair is None else pair)

    @given(st.lists(st.one_of(st.none(), st.text(), st.from_regex(r"-?\d+\.\d+[,; ]-?\d+\.\d"))))
    def test_a_column_and_its_single_values_are_taken_apart_alike(
        self, texts: list[str | None]
    ) -> None:
        """The truth kept with a sample is the truth it was drawn by."""
        encodable = [None if t is None else t.encode("utf-8", "replace").decode() for t in texts]
        column = pa.chunked_array([pa.array(encodable, pa.string())])
        for step in "01":
            address = Address("c", (step,))
            single = [number(plain(address.value(value), None)) for value in column]
            whole = to_floats(address.array(column))
            np.testing.assert_array_equal(whole, [math.nan if n is None else n for n in single])


class TestImages:
    @pytest.mark.parametrize("kind", [pa.binary(), BYTES])
    def test_a_list_with_one_image_is_that_image(self, write: Any, kind: pa.DataType) -> None:
        """Empty lists, nulls, and lists of a null are rows without an image."""
        values: list[Any] = [[PHOTOS[0]], [], None, [PHOTOS[3]]]
        if kind == BYTES:
            values = [v and [{"bytes": photo, "path": "p.jpg"} for photo in v] for v in values]
        dataset = PhotoDataset.open(
            write({"image": None, "images": pa.array(values, pa.list_(kind))})
        )
        assert dataset.facts.column_map["image"] == "images"
        assert [dataset.photo_bytes(row) for row in (0, 3)] == [PHOTOS[0], PHOTOS[3]]
        for row in (1, 2):
            with pytest.raises(ImageError, match=f"row {row} has no image"):
                dataset.photo_bytes(row)

    def test_a_list_of_paths(self, write: Any, tmp_path: Path) -> None:
        (tmp_path / "0.jpg").write_bytes(PHOTOS[0])
        path = write({"image": None, "images": [["../0.jpg"], ["gone.jpg"], [None], []]})
        dataset = PhotoDataset.open(path)
        assert dataset.photo_bytes(0) == PHOTOS[0]
        for row in (1, 2, 3):
            with pytest.raises(ImageError, match=f"row {row}"):
                dataset.photo_bytes(row)

    @pytest.mark.parametrize("kind", [pa.binary(), BYTES])
    def test_a_list_with_several_images_says_how_to_choose(
        self, write: Any, kind: pa.DataType
    ) -> None:
        """Found when the dataset is opened, before anything is paid for."""
        values: list[Any] = [[PHOTOS[0]], [PHOTOS[1]], [], [PHOTOS[3], PHOTOS[2]]]
        if kind == BYTES:
            values = [[{"bytes": photo, "path": None} for photo in v] for v in values]
        path = write({"image": None, "images": pa.array(values, pa.list_(kind))})
        message = (
            r"'images' is a list of images, and (row 3|a row from 3 to 3) has .*image=images\.0"
        )
        with pytest.raises(DatasetError, match=message):
            PhotoDataset.open(path)
        first = PhotoDataset.open(path, columns={"image": "images.0"})
        assert [first.photo_bytes(row) for row in (0, 1, 3)] == [PHOTOS[0], PHOTOS[1], PHOTOS[3]]
        second = PhotoDataset.open(path, columns={"image": "images.1"})
        assert second.photo_bytes(3) == PHOTOS[2]
        with pytest.raises(ImageError, match="row 1 has no image"):
            second.photo_bytes(1)
        with pytest.raises(DatasetError, match=r"--column image=images\.1"):
            first.check_same(second.facts)

    def test_an_image_in_a_struct(self, write: Any) -> None:
        values = [{"jpg": photo, "camera": "x"} for photo in PHOTOS]
        dataset = PhotoDataset.open(
            write({"image": None, "picture": values}), columns={"image": "picture.jpg"}
        )
        assert [dataset.photo_bytes(row) for row in range(4)] == PHOTOS

    def test_names_of_photos_in_a_table_are_lists_too(self, tmp_path: Path) -> None:
        """`datasets` calls the column images."""
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "0.JPG").write_bytes(PHOTOS[0])
        row = {"file_names": ["sub/0.jpg"], "where": {"latitude": 1, "longitude": "2.5"}}
        (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
        dataset = PhotoDataset.open(tmp_path)
        assert dataset.photo_bytes(0) == PHOTOS[0]
        assert places(dataset) == [(1.0, 2.5)]


class TestNames:
    def test_a_column_of_the_whole_name_comes_first(self, write: Any) -> None:
        """Flattened tables have dots in their names."""
        columns = {
            "lat": None,
            "lon": None,
            "place.lat": [9.0] * 4,
            "place.lon": [8.0] * 4,
            "place": [{"lat": 1.0, "lon": 2.0}] * 4,
        }
        mapped = {"lat": "place.lat", "lon": "place.lon"}
        assert places(PhotoDataset.open(write(columns), columns=mapped)) == [(9.0, 8.0)] * 4

    @pytest.mark.parametrize(
        ("mapping", "message"),
        [
            ({"lat": "spot.north"}, r"no 'spot\.north' for lat: it has no field 'north'"),
            ({"lat": "spot"}, r"'spot' for lat is of type struct.*--column lat=spot\.lat"),
            ({"lat": "pair.x"}, r"no 'pair\.x' for lat: list<.*> has no part 'x'"),
            ({"lat": "pair"}, r"'pair' for lat is of type list.*--column lat=pair\.0"),
            ({"lat": "lon.0"}, r"no 'lon\.0' for lat: double has no part '0'"),
            ({"lat": "word.2"}, r"no 'word\.2' for lat: string has no part '2'"),
            ({"lat": "nowhere.lat"}, r"no column 'nowhere\.lat' for lat; its columns are: "),
            ({"lat": ".lat"}, r"no column '\.lat' for lat"),
            ({"image": "pair"}, r"'pair' for image is of type list"),
        ],
    )
    def test_a_part_that_is_not_there_says_what_is(
        self, write: Any, mapping: dict[str, str], message: str
    ) -> None:
        path = write(
            {
                "spot": [{"lat": 1.0, "lon": 2.0}] * 4,
                "pair": [[1.0, 2.0]] * 4,
                "word": ["1, 2"] * 4,
            }
        )
        with pytest.raises(DatasetError, match=message):
            PhotoDataset.open(path, columns=mapping)


@pytest.mark.parametrize("form", ["saved", "parquet", "jsonl"])
@pytest.mark.parametrize(
    ("place", "options"),
    [
        (lambda lat, lon: {"location": {"lat": lat, "lon": lon}}, []),
        (lambda lat, lon: {"coords": [lat, lon]}, ["lat=coords.0", "lon=coords.1"]),
        (lambda lat, lon: {"coords": f"{lat}, {lon}"}, ["lat=coords.0", "lon=coords.1"]),
    ],
)
def test_generate_and_verify_datasets_of_each_form(
    tmp_path: Path, form: str, place: Any, options: list[str]
) -> None:
    """Images in lists and coordinates in one column, from the command line to the proven store."""
    photos = [photo_bytes(number) for number in range(3)]
    path = tmp_path / "photos"
    path.mkdir()
    rows = [place(50.5 + number, -number - 0.25) for number in range(3)]
    if form == "jsonl":
        for number, photo in enumerate(photos):
            (path / f"{number}.jpg").write_bytes(photo)
        lines = [json.dumps({"file_names": [f"{n}.jpg"], **row}) for n, row in enumerate(rows)]
        (path / "metadata.jsonl").write_text("\n".join(lines))
    else:
        images = [[{"bytes": photo, "path": None}] for photo in photos]
        table = pa.table({"images": pa.array(images, pa.list_(BYTES))})
        for name in rows[0]:
            table = table.append_column(name, pa.array([row[name] for row in rows]))
        if form == "saved":
            Dataset(table).save_to_disk(path)
        else:
            pq.write_table(table, path / "photos.parquet")
    columns = [word for option in options for word in ("--column", option)]
    data: list[str | Path] = ["--dataset-path", path, "--num-samples", "0", *columns]
    with teacher_server(zoom_then_answer) as server:
        generated = geostore(
            *("generate", *data, "--store", tmp_path / "g.db"),
            *("--base-url", server.url, "--model", "m"),
        )
    assert generated.returncode == 0, generated.stderr
    verified = geostore("verify", "--store", tmp_path / "g.db")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    with closing(sqlite3.connect(tmp_path / "g.db")) as store:
        stored = store.execute("select lat, lon from samples order by sample_index").fetchall()
    assert stored == [(50.5, -0.25), (51.5, -1.25), (52.5, -2.25)]
