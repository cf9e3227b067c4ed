"""Chooses which rows are drawn, and in which order, from coordinates and scores alone.

Everything here works on whole columns as arrays, never on single rows and never
on photos, so 1.4 million rows take a fraction of a second. A row is always named
by its number in the dataset as saved; the dataset itself is never sorted or
filtered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from geostore.errors import DatasetError
from geostore.records import DatasetFacts

Order = Literal["dataset", "hardest", "easiest", "random"]
SkipReason = Literal["missing", "out_of_range", "null_island", "unscored"]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class ScoredDataset(Protocol):
    """A dataset that may have a score for each row."""

    @property
    def facts(self) -> DatasetFacts:
        """Its path and columns."""

    def locatability(self) -> Floats | None:
        """Scores, one per row, NaN where unknown; None without the column."""


_SENTENCES: dict[SkipReason, tuple[str, str]] = {
    "missing": ("has no readable coordinates", "have no readable coordinates"),
    "out_of_range": ("has coordinates out of range", "have coordinates out of range"),
    "null_island": ("lies at exactly 0,0", "lie at exactly 0,0"),
    "unscored": ("has no locatability score", "have no locatability score"),
}

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Draw:
    """Which rows are wanted, and in which order.

    The range of locatability is half-open, ``[min, max)``, so that stages such as
    0-0.2 and 0.2-0.4 share no row. With either bound, rows without a score are
    left out. Raises DatasetError when no row could ever be in the range.
    """

    order: Order = "dataset"
    """``dataset``: as saved; ``hardest``: lowest locatability first; ``easiest``: highest first
    (rows without a score come last in both); ``random``: shuffled by `seed`."""

    seed: int = 0
    """Of the random order; the other orders ignore it."""

    min_locatability: float | None = None
    """The lowest score that is drawn; None: no bound."""

    max_locatability: float | None = None
    """Scores below this are drawn, and not this score itself; None: no bound."""

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise DatasetError(
                f"there is no order {self.order!r}; choose one of {', '.join(get_args(Order))}"
            )
        low, high = self.min_locatability, self.max_locatability
        for bound in (low, high):
            if bound is not None and math.isnan(bound):
                raise DatasetError("a bound of the locatability range is not a number")
        if low is not None and high is not None and low >= high:
            raise DatasetError(
                f"the locatability range [{low:g}, {high:g}) is empty: "
                "its minimum must be below its maximum, which itself is left out"
            )

    @property
    def bounded(self) -> bool:
        """Whether a row needs a score to be drawn."""
        return self.min_locatability is not None or self.max_locatability is not None


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The rows that can be drawn, and those that cannot."""

    indices: Rows
    """Row numbers as saved on disk, int64, in drawing order."""

    skipped: dict[SkipReason, Rows]
    """Reason to ascending row numbers, every reason present.

    A row stands under its first reason only: ``missing``, ``out_of_range``,
    ``null_island``, ``unscored``.
    """

    below_range: int = 0
    """Usable rows whose score is below the range."""

    above_range: int = 0
    """Usable rows whose score is at or above the range's maximum."""


def candidates(lat: Floats, lon: Floats, locatability: Floats | None, draw: Draw) -> Candidates:
    """Choose and order the rows of a dataset.

    lat, lon: degrees, one per row, NaN where there is none. locatability: one
    per row, NaN where unknown; None for a dataset without such a column. Ties
    keep the order of row numbers. The same input gives the same order on every
    machine and with every numpy; a narrower range gives the same order with
    rows left out.

    Raises DatasetError when the draw asks for scores that the dataset lacks.
    """
    if lat.shape != lon.shape or (locatability is not None and locatability.shape != lat.shape):
        raise ValueError("lat, lon and locatability must have one value per row each")
    if locatability is None and (draw.bounded or draw.order in ("hardest", "easiest")):
        asked = "a locatability range" if draw.bounded else f"the order {draw.order!r}"
        raise DatasetError(
            f"{asked} needs a locatability column, and the dataset has none; "
            "name it, as in --column locatability_score=COLUMN"
        )
    missing = np.isnan(lat) | np.isnan(lon)
    out_of_range = ~missing & ~((np.abs(lat) <= 90.0) & (np.abs(lon) <= 180.0))
    null_island = (lat == 0.0) & (lon == 0.0)
    usable = ~(missing | out_of_range | null_island)
    skipped = {"missing": missing, "out_of_range": out_of_range, "null_island": null_island}
    skipped["unscored"] = np.zeros_like(usable)
    below = above = np.zeros_like(usable)
    if locatability is not None and draw.bounded:
        skipped["unscored"] = usable & np.isnan(locatability)
        if draw.min_locatability is not None:
            below = usable & (locatability < draw.min_locatability)
        if draw.max_locatability is not None:
            above = usable & (locatability >= draw.max_locatability)
        usable &= ~(skipped["unscored"] | below | above)

    rows = np.flatnonzero(usable).astype(np.int64)
    if draw.order == "random":
        rows = rows[np.argsort(_shuffle_keys(rows, seed=draw.seed), kind="stable")]
    elif locatability is not None and draw.order != "dataset":
        # NaN sorts last either way, and negating it leaves it NaN.
        scores = locatability[rows]
        rows = rows[np.argsort(scores if draw.order == "hardest" else -scores, kind="stable")]
    return Candidates(
        indices=rows,
        skipped={reason: np.flatnonzero(skipped[reason]).astype(np.int64) for reason in _SENTENCES},
        below_range=int(np.count_nonzero(below)),
        above_range=int(np.count_nonzero(above)),
    )


def check_scores(dataset: ScoredDataset, draw: Draw) -> None:
    """Raise DatasetError where a draw goes by scores that a dataset does not have.

    The sentence names the dataset, its columns and the options.
    """
    if not draw.bounded and draw.order not in ("hardest", "easiest"):
        return
    asked = "--min-locatability and --max-locatability need"
    if draw.order in ("hardest", "easiest"):
        asked = f"--order {draw.order} needs"
    facts, scores = dataset.facts, dataset.locatability()
    name_it = "name the column of scores with --column locatability_score=COLUMN"
    if scores is None:
        raise DatasetError(
            f"{asked} a locatability score for each photo, and {facts.path} has no column of that "
            f"name (its columns: {', '.join(facts.columns)}); {name_it}, or leave the option out"
        )
    if np.isnan(scores).all():
        column = facts.column_map["locatability_score"]
        raise DatasetError(
            f"{asked} a locatability score for each photo, and the column {column!r} of "
            f"{facts.path} holds no number; {name_it}, or leave the option out"
        )


def count_skipped(drawable: Candidates) -> dict[str, int]:
    """Rows that are not drawn, by what they are without, in words; only reasons that occur."""
    skipped = {reason: int(rows.size) for reason, rows in drawable.skipped.items()}
    unscored = skipped.pop("unscored")
    counts = {
        "without usable coordinates": sum(skipped.values()),
        "without a locatability score": unscored,
        "outside the locatability range": drawable.below_range + drawable.above_range,
    }
    return {words: count for words, count in counts.items() if count}


def describe_skipped(drawable: Candidates, limit: int = 5) -> list[str]:
    """One sentence per reason that left rows out, naming at most `limit` rows of each."""
    sentences = []
    for reason, (one, many) in _SENTENCES.items():
        rows = drawable.skipped[reason]
        if not rows.size:
            continue
        first = ", ".join(str(row) for row in rows[:limit])
        rest = f" and {rows.size - limit:,} more" if rows.size > limit else ""
        if rows.size == 1:
            sentences.append(f"1 row {one} and is skipped: {first}.")
        else:
            sentences.append(f"{rows.size:,} rows {many} and are skipped: {first}{rest}.")
    below, above = drawable.below_range, drawable.above_range
    outside = below + above
    if outside:
        sentences.append(
            f"{outside:,} {'row lies' if outside == 1 else 'rows lie'} outside the locatability "
            f"range: {below:,} below it, {above:,} at or above its maximum."
        )
    return sentences


def _shuffle_keys(rows: Rows, *, seed: int) -> npt.NDArray[np.uint64]:
    """A key per row that depends on nothing but the row's number and the seed.

    The key is the output of SplitMix64 at position `rows`, started from the mixed
    seed. Different rows never share a key, because each of its steps can be
    undone. A generator's permutation was rejected: it changes altogether when
    one row more or less takes part, and numpy does not promise to keep it.

    Source: Steele, Lea, Flood (2014), "Fast splittable pseudorandom number
    generators", with the constants of Vigna's splitmix64.c.
    """
    # Without mixing the seed, the streams of neighbouring seeds would be shifts of each other.
    start = _mix(np.array([seed & _MASK], dtype=np.uint64))
    return _mix(start + (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN))


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    # Products of uint64 arrays wrap around silently; SplitMix64 counts on it.
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
