"""What a report holds, before anything is drawn: figures with their columns, rows and statements.

A document knows no clock and no file. The same store and options give the same document, and the
same document the same page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "numbers",
    "map",
    "countries",
    "histogram",
    "bars",
    "lines",
    "dots",
    "scatter",
    "traces",
    "table",
]
"""How a figure is drawn, and what it reads. `spec` names columns, but for titles and switches.

- ``numbers``: tiles of the columns ``label``, ``value``, ``low``, ``high``, ``format`` and
  ``note``. Each row's ``format`` is one of `Format`, with a unit behind a space where it has
  another: ``money USD``.
- ``map``: lines from the true place to the answer, of the columns of `COLUMNS_OF_KIND`.
  ``chosen`` is ``worst`` or ``sample``; an answer that could not be read has None. At most 2,000
  lines in a page, both sides together, keep it quick and under a megabyte.
- ``countries``: ``code`` (ISO 3166-1 alpha-2, which is shown with the country's name), ``value``
  for the colour, and ``n``, of which fewer than 30 are hatched.
- ``histogram``: bins from ``x0`` to ``x1`` with ``count``, perhaps ``series``, which get panels of
  their own; ``scale`` is ``log`` or ``linear``, ``x_label`` a title.
- ``bars``: horizontal; ``label``, ``value``, perhaps ``low`` and ``high``, ``series``,
  ``x_label``.
- ``lines``: ``x``, ``y``, perhaps ``low`` and ``high``, ``series``, ``x_label``, ``y_label``.
  ``ordinal`` makes steps of ``x``, as text always is; ``diagonal`` draws where both are equal.
- ``dots``: ``label``, ``value``, ``low``, ``high``, perhaps ``series``, ``x_label``, and ``zero``
  for a line there.
- ``scatter``: ``x``, ``y``, ``label``, ``x_label``, ``y_label``, perhaps ``diagonal`` and
  ``scale``.
- ``traces``: cards. A row has ``trace``, ``which`` (``best`` or ``worst``), ``score``, ``km``,
  ``country``, ``words``, ``unproven`` (None, or why its images are not proven) and ``images``:
  each with ``src`` (a data URL), ``width`` and ``height`` in pixels, ``alt``, and ``boxes``:
  each with ``points`` (across and down in these pixels) and a ``label``.
- ``table``: no more than the table.

A column named ``trace`` leads to the card of its trace, where there is one.
"""
Format = Literal[
    "text", "int", "share", "number", "km", "tokens", "money", "points", "degrees", "ms"
]
"""How a value is written; a ``share`` is from 0 to 1 and shown in per cent."""

_DECIMALS = {"degrees": 5, "km": 3, "share": 7, "number": 6, "points": 3, "ms": 3, "tokens": 3}
"""What a page keeps of a value: more than it shows, and less than a map of 2,000 lines would weigh
with all of them."""

COLUMNS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "numbers": ("label", "value", "low", "high", "format", "note"),
    "map": ("trace", "lat", "lon", "answer_lat", "answer_lon", "km", "score", "country", "chosen"),
}
"""Columns that a kind reads by these names. Other kinds name theirs in their spec."""

COLUMNS_OF_SPEC = ("code", "value", "n", "x0", "x1", "count", "label", "low", "high", "series")
"""Members of a spec that name a column, where they are given."""
_AXES_OF_KIND = {"lines": ("x", "y"), "scatter": ("x", "y")}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a figure."""

    name: str
    """As the statement calls it."""
    label: str
    """The heading of the table and the title of an axis, without the unit."""
    unit: str = ""
    """Such as ``km`` or ``USD``; empty for a share, which has its sign in every cell."""
    format: Format = "text"
    """How its values are written."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One part of a report: a chart or map, the table under it, and the SQL that gave the rows."""

    id: str
    """Its anchor in the page: letters, digits and hyphens, and no other figure's."""
    title: str
    """A few words."""
    kind: Kind
    """What is drawn."""
    columns: Sequence[Column] = ()
    """In the order of the rows' values; empty for ``traces``."""
    rows: Sequence[Sequence[Any] | Mapping[str, Any]] = ()
    """Lists of values; mappings for ``traces`` alone."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """Which columns are drawn how, and the titles of axes."""
    note: str = ""
    """A sentence or two under the title."""
    sql: str = ""
    """The statement that gave the rows."""
    question: str | None = None
    """The named question that the statement is, for ``geostore query NAME``."""
    against_rows: Sequence[Sequence[Any] | Mapping[str, Any]] | None = None
    """The same of what the report compares with; None where it compares with nothing."""
    empty: str | None = None
    """Why nothing is drawn, and what would fill the figure; None where it is drawn."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if self.empty is not None or self.kind == "traces":
            return
        wanted = list(COLUMNS_OF_KIND.get(self.kind, ()))
        members = (*COLUMNS_OF_SPEC, *_AXES_OF_KIND.get(self.kind, ()))
        wanted += [self.spec[member] for member in members if member in self.spec]
        if missing := [name for name in wanted if name not in names]:
            raise ValueError(f"figure {self.id} has no column {', '.join(missing)}: {names}")
        for row in (*self.rows, *(self.against_rows or ())):
            if len(row) != len(names):
                raise ValueError(f"figure {self.id} has {len(names)} columns, and a row {row!r}")


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    """The heading of the page."""
    subtitle: str
    """What was asked of what: a line under the heading."""
    store: str
    """The name of the store's file."""
    newest: str
    """When the newest trace in it was written; empty where there is none."""
    version: str
    """Of geostore."""
    figures: Sequence[Figure]
    """In the order of the page."""
    filter: Sequence[str] = ()
    """What the report is of, in words; empty where it is of the whole store."""
    notes: Sequence[str] = ()
    """What a reader has to know of all figures."""
    own: str = ""
    """What the report's own rows are called beside those that it compares with."""
    against: str | None = None
    """What it compares with; None where it compares with nothing."""

    def to_json(self) -> dict[str, Any]:
        """The members that the page's script reads; values have no more decimals than it needs."""
        document = asdict(self)
        for figure in document["figures"]:
            decimals = [_DECIMALS.get(column["format"]) for column in figure["columns"]]
            for side in ("rows", "against_rows"):
                if figure["kind"] not in ("numbers", "traces") and figure[side] is not None:
                    figure[side] = [_rounded(row, decimals) for row in figure[side]]
        return document


def _rounded(row: Sequence[Any], decimals: Sequence[int | None]) -> list[Any]:
    return [
        round(value, places) if places is not None and isinstance(value, float) else value
        for value, places in zip(row, decimals, strict=True)
    ]
