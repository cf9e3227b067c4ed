"""Which traces a rescore looks at, and which of those lack their reward: two temporary tables.

``temp.candidates`` holds the traces that were chosen, ``temp.pending`` those to
be computed. Both are filled without the write lock, so that a generate beside a
rescore waits for nothing but the batches themselves.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from geostore.errors import RewardError, StoreError
from geostore.rewards.ranges import Range
from geostore.sqlfiles import store_statements
from geostore.store import Db
from geostore.store.opening import open_to_read

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MARK = "/*condition*/"
_MAY = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer"})


@dataclass(frozen=True, slots=True)
class Selection:
    """Which traces; with nothing set, every one whose reward is missing or stale."""

    trace_id: int | None = None
    """Only this one; None: any."""
    since: str | None = None
    """Only those closed at or after this ISO-8601 UTC time; None: whenever."""
    where: str | None = None
    """Only those for which this SQL condition holds, over the columns of the view
    temp_trace_facts in ``sql/store/rescore.sql``; None: all."""
    again: bool = False
    """Also those whose reward is there."""
    retry: bool = False
    """Also those whose custom function failed."""

    @property
    def narrows(self) -> bool:
        """Whether some traces are left out on purpose."""
        return self.trace_id is not None or self.since is not None or self.where is not None


def moment(text: str, *, now: datetime | None = None) -> str:
    """A time as ISO-8601 UTC text, which sorts: ``2026-10-01``, with a time, or ``90m`` ago.

    Units of a time ago: s, m, h, d, w. A time without an offset is UTC. Raises RewardError.
    """
    if ago := _AGO.fullmatch(text.strip()):
        seconds = float(ago[1]) * _SECONDS[ago[2]]
        found = (now or datetime.now(UTC)) - timedelta(seconds=seconds)
    else:
        try:
            found = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise RewardError(
                f"{text!r} is no time; write 2026-10-01, 2026-10-01T12:00, or 90m, 12h, 3d ago"
            ) from error
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_temporary(db: Db) -> None:
    """Make the temporary tables and views, unless they are there. Idempotent."""
    for name in ("temp_pending", "temp_candidates", "temp_trace_extras", "temp_pending_angles"):
        db.run(name)


def choose(db: Db, selection: Selection) -> None:
    """Fill temp.candidates with what a selection narrows the traces to.

    Raises RewardError where the condition is no SQL expression or would do more
    than read.
    """
    db.run("clear_candidates")
    if selection.since is None and selection.where is None:
        db.run("put_candidate", trace_id=selection.trace_id)
        return
    with _reader(db) as reader:
        ids = _chosen_ids(reader, selection)
    kept = ({"trace_id": i} for i in ids if selection.trace_id in (None, i))
    db.run_many("put_candidate", kept)


def find_pending(db: Db, spec_id: int, selection: Selection, ranges: Iterable[Range] | None) -> int:
    """Fill temp.pending with the traces whose reward is to be computed; how many.

    spec_id: 0 for a spec that the store does not have. ranges: of all traces;
    None where the selection narrows, and temp.candidates holds what `choose` chose.
    """
    db.run("clear_pending")
    again, retry = selection.again, selection.retry
    if ranges is not None and (again or retry):
        db.run("clear_candidates")
        db.run("candidates_answered")
    if ranges is None or again or retry:
        db.run("pending_of_candidates", spec_id=spec_id, again=again, retry=retry)
    else:
        for part in ranges:
            if not part.is_rewarded:
                db.run("pending_of_range", spec_id=spec_id, after=part.after, last=part.last)
    return db.number("count_pending")


def count_done(db: Db, spec_id: int, ranges: Iterable[Range] | None, *, pending: int) -> int:
    """How many of the traces that `find_pending` looked at need nothing."""
    if ranges is None:
        return db.number("count_candidates") - pending
    rewards = sum(part.rewards for part in ranges)
    # A new spec has none, and need not be asked for a million traces.
    replaced = db.number("count_replaced", spec_id=spec_id) if rewards else 0
    return rewards - replaced


# --- conditions ------------------------------------------------------------------------------


@contextmanager
def _reader(db: Db) -> Iterator[Db]:
    """A connection of its own to the same file, which can only read it and open no other."""
    reader = open_to_read(db.path)
    try:
        make_temporary(reader)
        reader.run("temp_trace_facts")
        yield reader
    finally:
        reader.close()


def _chosen_ids(reader: Db, selection: Selection) -> list[int]:
    condition = "true" if selection.where is None else selection.where
    statements = store_statements()
    reader.connection.set_authorizer(_allow_reading)
    try:
        # As a value and as a condition: what fits both places is one expression.
        reader.execute(statements["check_condition"].replace(_MARK, condition))
        chosen = reader.execute(
            statements["choose_traces"].replace(_MARK, condition), {"since": selection.since}
        )
        # A condition can also fail on a row, as json_extract does on what is no JSON.
        return [row[0] for row in chosen]
    except (StoreError, ValueError) as error:
        raise _condition_error(selection, reader, error) from error


def _allow_reading(
    action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
) -> int:
    if action not in _MAY:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _REFUSED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _condition_error(selection: Selection, reader: Db, error: Exception) -> RewardError:
    reader.connection.set_authorizer(None)
    columns = [row[0] for row in reader.run("facts_columns")]
    return RewardError(
        f"the condition {selection.where!r} cannot be used: {error.__cause__ or error}; "
        f"the columns are: {', '.join(columns)}"
    )
