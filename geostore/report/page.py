"""The page of a document: one HTML file that draws itself and asks no network.

Its policy (Content-Security-Policy) lets only scripts and styles run whose hashes it names, and
images only where their bytes stand in the page. Data stands in elements that are not run, with
every character escaped that could end them.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from geostore.report.document import Document
from geostore.report.world import names_and_dots, world
from geostore.vendor import licences, vendored

LIBRARIES = ("d3.min.js", "plot.umd.min.js", "topojson-client.min.js")
SCRIPTS = (
    "format.js",
    "elements.js",
    "tables.js",
    "pointing.js",
    "charts.js",
    "maps.js",
    "traces.js",
    "page.js",
)
"""In the order in which they run; each may use what stands in those before it."""
_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_MAPS = ("map", "countries")

_SHELL = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="geostore {version}">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript><p>This page draws its figures with a script that stands in it. \
The browser that shows it runs no scripts.</p></noscript>
<script type="application/json" id="data">{data}</script>
<script type="application/json" id="countries">{countries}</script>
<script type="application/json" id="world">{world}</script>
<script type="application/json" id="licences">{licences}</script>
{scripts}
</body>
</html>
"""


def page(document: Document) -> str:
    """The whole page; the same document gives the same text."""
    scripts = [*map(vendored, LIBRARIES), *map(_asset, SCRIPTS)]
    style = _asset("report.css")
    with_map = any(f.kind in _MAPS and f.empty is None for f in document.figures)
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"script-src {' '.join(map(_source, scripts))}; style-src {_source(style)}"
    )
    return _SHELL.format(
        policy=policy,
        version=html.escape(document.version),
        title=html.escape(document.title),
        style=style,
        data=_data(document.to_json()),
        countries=_data(names_and_dots(_codes(document))),
        world=_data(world() if with_map else None),
        licences=_data(licences()),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _codes(document: Document) -> Iterator[str]:
    """The codes of all countries that a map of countries colours."""
    for figure in document.figures:
        if figure.kind == "countries" and figure.empty is None:
            at = [column.name for column in figure.columns].index(figure.spec["code"])
            for row in (*figure.rows, *(figure.against_rows or ())):
                if row[at] is not None:  # type: ignore[index] # rows are lists but for traces
                    yield row[at]  # type: ignore[index]


def _asset(name: str) -> str:
    return (files("geostore.report") / "assets" / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """How a policy names an inline script or style: by the hash of its bytes."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(value: Any) -> str:
    """JSON that no character of can end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text
