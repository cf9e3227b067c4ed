"""The places of samples and answers as rows, by version of the gazetteer; which are missing.

Rows of all versions stand side by side, and the newest counts. What a newer version
has placed is left alone, so that an older geostore beside a newer one undoes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geostore.identity import canonical_text
from geostore.store.db import Db


@dataclass(frozen=True, slots=True)
class UnplacedSample:
    """A sample whose place is to be computed."""

    sample_id: int
    """The id of its row."""
    lat: float
    """Degrees."""
    lon: float
    """Degrees."""
    stated_words: str | None
    """The country as the dataset writes it; None where it does not say."""


@dataclass(frozen=True, slots=True)
class UnplacedAnswer:
    """An answer whose place is to be computed."""

    trace_id: int
    """The id of its trace."""
    parser_version: int
    """The parser that read it."""
    lat: float | None
    """Degrees; None without coordinates."""
    lon: float | None
    """Degrees; None without coordinates."""
    said_country: str | None
    """The teacher's words; None where it names none."""
    said_region: str | None
    """Likewise."""
    said_city: str | None
    """Likewise."""
    true_lat: float
    """Of its sample, in degrees."""
    true_lon: float
    """Of its sample, in degrees."""
    is_placed: bool
    """Whether this version of the gazetteer placed its sample; else the last three are None."""
    true_country: str | None
    """Of its sample, as ISO code; None for none."""
    true_region: str | None
    """Of its sample, in GeoNames; None for none."""
    true_city_id: int | None
    """Of its sample, in GeoNames; None for none."""


@dataclass(frozen=True, slots=True)
class AnswerRange:
    """The traces with ids in (after, last], some of whose answers may have no place."""

    after: int
    """The id below the first of the range."""
    last: int
    """The last id of the range, whether there is such a trace or not."""


def are_all_placed(db: Db, version: int) -> tuple[bool, bool]:
    """Whether every sample, and every answer, has a place by a version of the gazetteer."""
    row = db.run("count_places", gazetteer_version=version).fetchone()
    return row["samples"] == row["sample_places"], row["answers"] == row["answer_places"]


def iter_unplaced_ranges(db: Db, version: int, span: int) -> Iterator[AnswerRange]:
    """The ranges of so many ids in which some answer has no place by this version, by id."""
    last = 0
    while True:
        # Ids may have gaps of any size.
        first = db.run("first_answer", after=last).fetchone()[0]
        if first is None:
            return
        after, last = first - 1, first - 1 + span
        answers, places = db.run(
            "count_places_of_range", after=after, last=last, gazetteer_version=version
        ).fetchone()
        if answers != places:
            yield AnswerRange(after, last)


def count_unplaced_samples(db: Db, version: int) -> int:
    """How many samples neither this version nor a newer one has placed."""
    return db.number("count_unplaced_samples", gazetteer_version=version)


def count_unplaced_answers(db: Db, version: int, part: AnswerRange) -> int:
    """How many answers of a range neither this version nor a newer one has placed."""
    return db.number(
        "count_unplaced_answers", after=part.after, last=part.last, gazetteer_version=version
    )


def unplaced_samples(db: Db, version: int, *, after: int, batch: int) -> list[UnplacedSample]:
    """The next samples above an id that neither this version nor a newer one has placed, by id."""
    unplaced = db.run("unplaced_samples", after=after, batch=batch, gazetteer_version=version)
    return [UnplacedSample(*row) for row in unplaced.tuples()]


def unplaced_sample_of(db: Db, version: int, trace_id: int) -> list[UnplacedSample]:
    """The sample of a trace, or nothing where it has a place."""
    unplaced = db.run("unplaced_sample_of_trace", trace_id=trace_id, gazetteer_version=version)
    return [UnplacedSample(*row) for row in unplaced.tuples()]


def unplaced_answers(db: Db, version: int, part: AnswerRange) -> list[UnplacedAnswer]:
    """The answers of a range that neither this version nor a newer one has placed."""
    unplaced = db.run(
        "unplaced_answers", after=part.after, last=part.last, gazetteer_version=version
    )
    return [UnplacedAnswer(*row) for row in unplaced.tuples()]


def put_sample_places(db: Db, places: Sequence[Mapping[str, Any]]) -> int:
    """Record where samples lie, in the caller's transaction; the number of new rows.

    The facts of all their traces are written anew.
    """
    new = db.run_many("put_sample_place", places)
    if new:
        ids = canonical_text([place["sample_id"] for place in places])
        db.run("put_places_of_samples", sample_ids=ids)
    return new


def put_answer_places(db: Db, places: Sequence[Mapping[str, Any]]) -> int:
    """Record where answers lie, in the caller's transaction; the number of new rows.

    An answer that is no longer there, or is another one by now, gets none. The facts of their
    traces are written anew.
    """
    new = db.run_many("put_answer_place", places)
    if new:
        ids = canonical_text([place["trace_id"] for place in places])
        db.run("put_places_of_traces", trace_ids=ids)
    return new
