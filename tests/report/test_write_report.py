"""A report says what the store holds, of the traces that were asked for, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import FilterError, NotFoundError, StoreError
from geostore.query.reader import run_query
from geostore.report.build import ReportOptions, write_report
from geostore.report.figures import figures_at
from geostore.report.heads import head_to_head, wilson
from geostore.store import Conditions, Store
from geostore.text.tables import QueryResult
from tests.builders import NATIVE_RECIPE, TEXT_RECIPE, StoreBuilder, fill, make_dataset
from tests.minds import answer
from tests.running import geostore

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "photos", country=["Chad", "</script><b>", None, "Chad"])


@pytest.fixture
def store_path(tmp_path: Path, photos: Path) -> Path:
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as store:
        fill(StoreBuilder(store, photos))
    return path


def write(store_path: Path, out: Path, **options: Any) -> dict[str, Any]:
    conditions: Conditions = options.pop("conditions", {})
    with Store.open(store_path) as store:
        written = write_report(store, out, ReportOptions(conditions, **options))
    text = out.read_text(encoding="utf-8")
    assert written.size == out.stat().st_size
    match = _DATA.search(text)
    assert match is not None
    document: dict[str, Any] = json.loads(match[1])
    return document


def figure(document: dict[str, Any], id: str) -> dict[str, Any]:
    [found] = [figure for figure in document["figures"] if figure["id"] == id]
    return found  # type: ignore[no-any-return]


def rows(figure: dict[str, Any]) -> list[dict[str, Any]]:
    names = [column["name"] for column in figure["columns"]]
    return [dict(zip(names, row, strict=True)) for row in figure["rows"]]


def test_every_figure_holds_the_rows_of_its_question(store_path: Path, tmp_path: Path) -> None:
    document = write(store_path, tmp_path / "report.html")
    for drawn in figures_at(200.0):
        drawn_figure = figure(document, drawn.id)
        answered = run_query(
            store_path,
            drawn.question,
            km=[200.0] if drawn.question in ("turn_budget", "calibration") else None,
            parameters=drawn.parameters,
        )
        if drawn.kept is not None:
            place = answered.columns.index(drawn.kept[0])
            answered.rows[:] = [row for row in answered.rows if row[place] == drawn.kept[1]]
        if drawn.kind not in ("numbers", "map"):  # whose columns a page knows by other names
            names = [column["name"] for column in drawn_figure["columns"]]
            assert names == list(answered.columns)
        assert len(drawn_figure["rows"]) == len(answered.rows)
        assert drawn_figure["question"] == drawn.question
        assert (drawn_figure["empty"] is None) == bool(
            answered.rows
            if drawn.drawn_column is None
            else [r for r in answered.to_dicts() if r[drawn.drawn_column] is not None]
        )
    headline = {row["label"]: row for row in rows(figure(document, "headline"))}
    assert headline["closed traces"]["value"] == 6
    assert headline["photos"]["value"] == 4
    parsed = headline["with coordinates"]
    assert (parsed["value"], parsed["note"]) == (pytest.approx(4 / 6), "of 6")
    assert (parsed["low"], parsed["high"]) == pytest.approx(wilson(4, 6))
    assert document["store"] == "geostore.db"
    assert document["filter"] == []


def test_the_same_store_and_options_give_the_same_bytes(store_path: Path, tmp_path: Path) -> None:
    write(store_path, tmp_path / "one.html")
    write(store_path, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_country_that_looks_like_markup_stays_a_word(store_path: Path, tmp_path: Path) -> None:
    document = write(store_path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "</script><b>" not in text
    assert "</script><b>" in {row["country"] for row in rows(figure(document, "map"))} | {
        card["country"] for card in figure(document, "traces")["rows"]
    }


def test_conditions_keep_the_traces_they_name_in_every_figure(
    store_path: Path, tmp_path: Path
) -> None:
    document = write(store_path, tmp_path / "r.html", conditions={"where": "sample_index = 0"})
    headline = {row["label"]: row["value"] for row in rows(figure(document, "headline"))}
    assert (headline["closed traces"], headline["photos"]) == (2, 1)
    assert {row["trace"].split("-")[0] for row in rows(figure(document, "map"))} == {"0"}
    assert all(row["trace"].startswith("0-") for row in figure(document, "traces")["rows"])
    assert document["filter"] == ["where sample_index = 0"]


def test_a_condition_that_no_trace_meets_leaves_every_figure_empty(
    store_path: Path, tmp_path: Path
) -> None:
    document = write(store_path, tmp_path / "r.html", conditions={"where": "turns > 90"})
    empties = {figure["id"]: figure["empty"] for figure in document["figures"]}
    assert empties.pop("headline") is None  # its rows say that there are none
    assert all(empties.values()), empties


def test_best_and_worst_come_with_proven_pictures_and_boxes(
    store_path: Path, tmp_path: Path
) -> None:
    cards = figure(write(store_path, tmp_path / "r.html"), "traces")["rows"]
    assert cards[0]["which"] == "best"
    best = cards[0]
    [picture] = best["images"]
    assert picture["src"].startswith("data:image/jpeg;base64,/9j/")
    assert max(picture["width"], picture["height"]) == 360
    [box] = picture["boxes"]
    assert box["label"] == "1"
    assert all(0 <= x <= picture["width"] and 0 <= y <= picture["height"] for x, y in box["points"])
    assert best["unproven"] is None
    assert best["words"].endswith("\\boxed{10.0, 20.001}</answer>")


def test_without_images_no_photo_is_read(store_path: Path, tmp_path: Path, photos: Path) -> None:
    shutil.rmtree(photos)
    cards = figure(write(store_path, tmp_path / "r.html", images=False), "traces")["rows"]
    assert all(card["images"] == [] and card["unproven"] is None for card in cards)


def test_a_photo_that_is_gone_or_another_is_left_out_and_said(
    store_path: Path, tmp_path: Path, photos: Path
) -> None:
    shutil.rmtree(photos)
    make_dataset(photos, seed=7)
    cards = figure(write(store_path, tmp_path / "r.html"), "traces")["rows"]
    assert all(card["images"] == [] for card in cards)
    assert all(card["unproven"] for card in cards)


def test_a_recipe_is_compared_with_the_others_on_shared_photos(
    store_path: Path, tmp_path: Path, photos: Path
) -> None:
    from geostore.conversation.recipe import recipe_hash

    with Store.open(store_path) as store:
        builder = StoreBuilder(store, photos)
        builder.play(0, [answer(-10.0, 20.0)], recipe=NATIVE_RECIPE)
        builder.play(1, [answer(11.0, 21.0)], recipe=NATIVE_RECIPE)
        builder.play(2, [answer(-80.0, -150.0)], recipe=NATIVE_RECIPE)
    against = recipe_hash(NATIVE_RECIPE)[:8]
    document = write(store_path, tmp_path / "r.html", against=against[:5])
    assert document["against"] == against
    outcomes = [(r["outcome"], r["photos"]) for r in rows(figure(document, "head-to-head"))]
    assert outcomes == [
        ("better: the others", 1),
        ("a tie", 1),
        (f"better: {against}", 2),
    ]
    points = rows(figure(document, "head-to-head-photos"))
    assert sorted(point["sample"] for point in points) == [
        "photos:0",
        "photos:1",
        "photos:2",
        "photos:3",
    ]
    headline = figure(document, "headline")
    place = [column["name"] for column in headline["columns"]].index("value")
    assert headline["against_rows"][0][place] == 4
    assert headline["rows"][0][place] == 5
    assert recipe_hash(TEXT_RECIPE)[:8] != against


def test_another_store_is_compared_by_its_photos(
    store_path: Path, tmp_path: Path, photos: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    other = tmp_path / "other.db"
    with Store.open(other, create=True) as store:
        StoreBuilder(store, moved).play(1, [answer(11.0, 21.0)])
    document = write(store_path, tmp_path / "r.html", against=str(other))
    assert document["against"] == "other.db"
    assert [(r["outcome"], r["photos"]) for r in rows(figure(document, "head-to-head"))] == [
        ("better: geostore.db", 0),
        ("a tie", 0),
        ("better: other.db", 1),
    ]


def test_sides_without_a_photo_in_common_say_so() -> None:
    none = QueryResult(("photo", "lat", "lon", "sample", "mean_points", "mean_km"), [])
    outcome, scatter = head_to_head(none, none, names=("a", "b"), sql="")
    assert outcome.empty == scatter.empty == "The two sides have no photo in common."


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"against": "ffffffff"}, NotFoundError, "no recipe 'ffffffff'"),
        ({"against": "gone/other.db"}, StoreError, "other.db"),
        ({"conditions": {"where": "tunrs > 2"}}, FilterError, "turns"),
    ],
)
def test_a_wrong_option_says_what_there_is_and_leaves_the_old_page(
    store_path: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    out = tmp_path / "r.html"
    out.write_text("old")
    with pytest.raises(error, match=words):
        write(store_path, out, **options)
    assert out.read_text() == "old"
    assert sorted(tmp_path.glob(".r.html*")) == []


def test_the_command_says_what_it_wrote_and_an_empty_store_has_a_page(
    store_path: Path, tmp_path: Path
) -> None:
    done = geostore("report", tmp_path / "r.html", "--store", store_path, "--no-images")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r".*r\.html: 6 closed traces, [0-9,.]+ KB\n", done.stdout)
    empty = tmp_path / "empty.db"
    Store.open(empty, create=True).close()
    done = geostore("report", tmp_path / "e.html", "--store", empty)
    assert done.returncode == 0, done.stderr
    assert "0 closed traces" in done.stdout
    missing = geostore("report", tmp_path / "no" / "e.html", "--store", store_path)
    assert missing.returncode != 0
    assert "cannot be written" in missing.stderr
    assert "Traceback" not in missing.stderr
