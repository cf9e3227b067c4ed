"""Applies a `Choice` to the traces of a snapshot, in tables of the snapshot's connection.

What is compared stands in a temporary table with a row of numbers for each trace, so memory
stays flat however large the store is.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import xxhash

from geostore.errors import FilterError
from geostore.identity import sha256_hex
from geostore.sqlfiles import store_statements
from geostore.store.choice import Balance, Choice, own_column
from geostore.store.conditions import ALL_COLUMNS
from geostore.text.nearest import did_you_mean

if TYPE_CHECKING:
    from geostore.store.db import Db

COLUMN_MARK = "/*column*/"
"""What a statement of ``sql/store`` has where the name of a column goes, on a line of its own."""

_AT_ONCE = 1_000  # traces whose words are held in memory


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a choice kept of the traces of a filter. Made by `Snapshot.choose`, which reads them."""

    number: int
    """Under which the snapshot's tables hold its traces."""
    spec_id: int | None
    """The row of the reward that the traces carry; None where nothing was scored yet."""
    count: int
    """Traces that are kept."""
    left_out: Counter[str]
    """Traces that the filter keeps and the choice does not, by reason; see `apply_choice`."""
    without_images: int = 0
    """Traces beside these that were left out because their images cannot be made again."""


def apply_choice(
    db: Db, number: int, choice: Choice, *, take_scores: Callable[[], None]
) -> Counter[str]:
    """Leave out what a choice does not keep of the traces in temp.picks, and order the rest.

    number: of the choice there. take_scores: lets temp.trace_results have the scores of the chosen
    reward. Returns how many traces there are by reason: "" for those that are kept, ``near``,
    ``best_of``, ``photo``, ``text``, ``balance:<column>``, ``limit``, and ``images`` as it stood
    there before. Raises FilterError for a column that there is not.
    """
    db.run("rank_picks", choice=number)
    if choice.near is not None:
        near = choice.near
        db.connection.create_function("is_near", 2, lambda lat, lon: int(near.has_near(lat, lon)))
        db.run("leave_out_near", choice=number)
    if choice.best_of is not None:
        db.run("value_by_sample", choice=number)
        db.run("leave_out_beyond", choice=number, reason="best_of", most=choice.best_of)
    if "photo" in choice.dedupe:
        db.run("value_by_photo", choice=number)
        db.run("leave_out_beyond", choice=number, reason="photo", most=1)
    if "text" in choice.dedupe:
        _value_by_words(db, number)
        db.run("leave_out_beyond", choice=number, reason="text", most=1)
    db.connection.create_function("same_country", 1, same_country, deterministic=True)
    for balance in choice.balance:
        _value_by_column(db, number, balance, take_scores)
        reason = f"balance:{balance.column}"
        db.run("leave_out_beyond", choice=number, reason=reason, most=balance.most)
    db.connection.create_function("random_key", 2, _random_key, deterministic=True)
    db.run(
        "put_lines",
        choice=number,
        order=choice.order,
        seed=choice.seed,
        limit=-1 if choice.limit is None else choice.limit,
    )
    db.run("put_lines_without_images", choice=number)
    if choice.limit is not None:
        db.run("leave_out_without_line", choice=number)
    counts = db.run("count_picks", choice=number)
    return Counter({row["reason"] or "": row["traces"] for row in counts})


def _value_by_words(db: Db, number: int) -> None:
    for after in range(0, db.number("last_place", choice=number), _AT_ONCE):
        rows = db.run("words_of_picks", choice=number, after=after, last=after + _AT_ONCE)
        # All are fetched before one is written: a read would not say which values it sees.
        of_traces = groupby(rows.fetchall(), key=lambda row: int(row["place"]))
        db.run_many(
            "put_value",
            [
                {
                    "choice": number,
                    "place": place,
                    "value": _key(
                        part for row in turns for part in (row["reasoning"], row["response"])
                    ),
                }
                for place, turns in of_traces
            ],
        )


def _key(words: Iterator[str | None]) -> str:
    text = "\0".join(_same_words(part or "") for part in words)
    return sha256_hex(text.encode(errors="surrogatepass"))


def _same_words(text: str) -> str:
    """A text without regard to case, width of characters and white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _value_by_column(
    db: Db, number: int, balance: Balance, take_scores: Callable[[], None]
) -> None:
    own = own_column(balance.column)
    if own is None:
        take_scores()
        columns = [row["name"] for row in db.run("condition_columns")]
        if balance.column in columns:
            statement = store_statements()["value_by_column"]
            # One of our own names, so that no text of a user's comes into a statement.
            name = f'v."{columns[columns.index(balance.column)]}"'
            if balance.column == "country":
                name = f"same_country({name})"
            db.execute(statement.replace(COLUMN_MARK, name), {"choice": number})
            return
    else:
        columns = []
    if not db.number("last_place", choice=number):
        return  # without a trace no column can be missing
    column = balance.column if own is None else own
    if not db.number("has_sample_column", choice=number, column=column):
        names = [row["name"] for row in db.run("sample_columns", choice=number)]
        known = [*columns, *(name for name in names if name not in columns)]
        raise FilterError(
            f"no trace has a column {column!r} to balance{did_you_mean(column, known)}; "
            f"the datasets have {', '.join(names) or 'none'}"
            + (f", and {ALL_COLUMNS} lists the others" if own is None else "")
        )
    db.run("value_by_sample_column", choice=number, column=column)


def same_country(country: str | None) -> str | None:
    """A country without regard to case; None where there is none."""
    return (country or "").strip().casefold() or None


def _random_key(seed: int, text: str) -> int:
    """A whole number that looks random and follows from a seed and a text."""
    return xxhash.xxh3_64_intdigest(f"{seed} {text}".encode()) - 2**63
