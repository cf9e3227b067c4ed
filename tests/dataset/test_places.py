"""Tables of places: what is near one, and what is no such table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.dataset.places import Places, read_places, read_radius
from geostore.errors import DatasetError, FilterError
from geostore.rewards.numeric import haversine_km

LAT = st.floats(-90, 90) | st.sampled_from([-90.0, 0.0, 90.0, 89.9999])
LON = st.floats(-180, 180) | st.sampled_from([-180.0, 0.0, 180.0, 179.9999, -179.9999])


def table(folder: Path, text: str, name: str = "places.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def places_at(folder: Path, points: list[tuple[float, float]], radius_km: float) -> Places:
    rows = "".join(f"{lat!r},{lon!r}\n" for lat, lon in points)
    return read_places([table(folder, f"lat,lon\n{rows}")], radius_km)


@given(
    points=st.lists(st.tuples(LAT, LON), min_size=1, max_size=6),
    radius_km=st.floats(0.01, 20_000),
    north=st.floats(-3, 3),
    east=st.floats(-3, 3),
    far=LAT,
)
def test_a_place_is_near_within_the_radius_of_the_great_circle(
    tmp_path_factory: pytest.TempPathFactory,
    points: list[tuple[float, float]],
    radius_km: float,
    north: float,
    east: float,
    far: float,
) -> None:
    """At the poles and across the 180th meridian too, and at a distance as well as beside it."""
    places = places_at(tmp_path_factory.getbasetemp(), points, radius_km)
    lat, lon = points[0]
    degrees = radius_km / 111.2
    beside = (
        max(-90.0, min(90.0, lat + north * degrees)),
        (lon + east * degrees + 180) % 360 - 180,
    )
    for point in (beside, (far, -lon), points[-1]):
        nearest = min(float(haversine_km(*point, *place)) for place in points)
        if abs(nearest - radius_km) > 1e-6 * radius_km:
            assert places.has_near(*point) == (nearest < radius_km), (point, nearest)


def test_many_places_are_looked_up_in_no_time(tmp_path: Path) -> None:
    """The work for one point does not grow with the number of places."""
    points = [(-80 + 0.001 * n, (n * 0.37) % 360 - 180) for n in range(100_000)]
    places = places_at(tmp_path, points, 1.0)
    assert sum(places.has_near(lat, lon) for lat, lon in points[::100]) == 1000
    assert not any(places.has_near(lat - 0.05, lon - 0.05) for lat, lon in points[::1000])
    assert max(Counter(places._keys).values()) < 5
    assert places._keys.itemsize * len(places._keys) <= 8 * 100_000
    assert places._points.itemsize * len(places._points) <= 24 * 100_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "LATITUDE;LNG\n48,85;2,35\n"),
        ("a.tsv", "id\tlat\tlon\tname\n1\t48.85\t2.35\tParis\n"),
        ("a.csv", "\ufeff\nimage,latitude,longitude\nx.jpg,48.85,2.35\n"),
        ("a.jsonl", json.dumps({"location": {"lat": 48.85, "lon": 2.35}})),
    ],
)
def test_columns_are_found_as_in_a_dataset(tmp_path: Path, name: str, text: str) -> None:
    places = read_places([table(tmp_path, text, name)])
    assert places.has_near(48.8501, 2.3501)
    assert not places.has_near(48.87, 2.35)
    assert [file.count for file in places.files] == [1]


def test_places_of_several_files_count_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"lat": [10.0], "lon": [20.0]}), tmp_path / "one.parquet")
    other = table(tmp_path, "lat,lon\n-10,-20\n", "two.csv")
    places = read_places([tmp_path / "one.parquet", other], 2.5)
    assert places.has_near(10, 20)
    assert places.has_near(-10, -20)
    assert str(places) == "within 2.5 km of a place in one.parquet, two.csv"
    shown = places.to_json()
    assert shown["radius_km"] == 2.5
    assert [file["name"] for file in shown["files"]] == ["one.parquet", "two.csv"]
    assert str(tmp_path) not in json.dumps(shown)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "lat,lon\n", "holds no places"),
        ("a.csv", "x,lon\n1,2\n", "no column for lat; its columns are: x, lon. Call them lat"),
        ("a.csv", "lat,lon\n1,2\n,3\n", "row 2 has no coordinates"),
        ("a.csv", "lat,lon\n91,2\n", "row 1 has 91, 2, where degrees"),
        ("a.csv", "lat,lon\nnorth,2\n", "row 1 has no coordinates"),
        ("a.csv", "lat,lon\n1,2,3\n", "3 cells in a row where its first line names 2"),
        ("a.jsonl", '{"lat": [1], "lon": [2]}', "the column 'lat' holds list"),
        ("a.jsonl", "no json", "line 1 is no JSON"),
        ("a.txt", "lat,lon\n1,2\n", "is no table of places; its name ends in .csv or .jsonl or"),
    ],
)
def test_a_file_that_holds_no_places_says_what_is_wrong(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    """A place that is overlooked would be a benchmark that is trained on."""
    with pytest.raises(DatasetError) as refused:
        read_places([table(tmp_path, text, name)])
    assert words in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no file .*none\.csv with places"):
        read_places([tmp_path / "none.csv"])


@pytest.mark.parametrize(
    ("text", "km"),
    [
        ("1km", 1.0),
        ("500m", 0.5),
        (" 1.5 km ", 1.5),
        ("1 KM", 1.0),
        ("2M", 0.002),
        ("2", 2.0),
        (3, 3.0),
        (0.1, 0.1),
    ],
)
def test_a_radius_has_a_unit(text: str | float, km: float) -> None:
    assert read_radius(text) == pytest.approx(km)


@pytest.mark.parametrize(
    "text",
    ["", "km", "1 mile", "-1km", "0", "nan", "30000km", float("nan"), True, 1e-320, "0.0001m"],
)
def test_what_is_no_radius_is_refused(text: str | float) -> None:
    with pytest.raises(FilterError, match="radius"):
        read_radius(text)
