"""Reads responses again where the parser is newer than what is there; only those.

Readings of all versions stand side by side, keyed (trace, parser version), and
the newest counts. A response that a later parser has read already is left
alone, so that an older geostore beside a newer one undoes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from geostore.answers import PARSER_VERSION, parse_answer
from geostore.conversation.interim import read_interim
from geostore.identity import canonical_text
from geostore.records import Answer
from geostore.rewards.ranges import Range
from geostore.store import Db
from geostore.store.rows import answer_row, interim_row


@dataclass(frozen=True, slots=True)
class Parser:
    """A reader of responses: what it gives is stored beside its version."""

    version: int = PARSER_VERSION
    """Of what `read` gives; the highest version of a trace counts."""
    read: Callable[..., Answer] = parse_answer
    """From a response to its coordinates, or to why there are none. Its keywords, which say how
    the response came, are those of `parse_answer`."""


def find_unread(db: Db, parser: Parser, ranges: Iterable[Range] | None) -> list[int]:
    """The ended traces whose final response this version of the parser has not read, by id.

    ranges: of all traces; None: only those in temp.candidates. Raises StoreError.
    """
    if ranges is None:
        candidates = db.run("unread_of_candidates", version=parser.version)
        return [row[0] for row in candidates]
    return [
        row[0]
        for part in ranges
        if not part.is_read
        for row in db.run(
            "unread_of_range", version=parser.version, after=part.after, last=part.last
        )
    ]


def read_again(
    db: Db,
    parser: Parser,
    unread: Sequence[int],
    *,
    batch: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Read the responses of traces that `find_unread` gave: the final ones, and coordinates before.

    Each batch of at most so many traces is parsed, then written in a
    transaction of its own; a response that was superseded meanwhile is not
    written. progress: called with how many of how many. Raises StoreError.
    """
    for start in range(0, len(unread), batch):
        ids = unread[start : start + batch]
        answers: list[dict[str, Any]] = []
        interim: list[dict[str, Any]] = []
        for row in db.run("responses_to_read", trace_ids=canonical_text(ids)).fetchall():
            key = {
                "trace_id": row["trace_id"],
                "turn": row["turn"],
                "parser_version": parser.version,
            }
            how = {name: bool(row[name]) for name in ("cut", "bare")}
            if row["is_final"]:
                how |= {name: bool(row[name]) for name in ("calls", "refused")}
                answers.append({**answer_row(parser.read(row["response"], **how)), **key})
            elif (earlier := read_interim(row["response"], **how, read=parser.read)) is not None:
                interim.append({**interim_row(earlier), **key})
        with db.transaction():
            db.run_many("put_reading", answers)
            db.run_many("put_interim_answer", interim)
            db.facts_changed(ids)
        if progress is not None:
            progress(start + len(ids), len(unread))
