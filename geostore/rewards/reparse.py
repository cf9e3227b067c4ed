"""Reads final responses again where the parser is newer than what is there; only those.

Readings of all versions stand side by side, keyed (trace, parser version), and
the newest counts. A response that a later parser has read already is left
alone, so that an older geostore beside a newer one undoes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from geostore.answers import PARSER_VERSION, parse_answer
from geostore.identity import canonical_text
from geostore.records import Answer
from geostore.store import Db, utc_now
from geostore.store.rows import answer_row


@dataclass(frozen=True, slots=True)
class Parser:
    """A reader of responses: what it gives is stored beside its version."""

    version: int = PARSER_VERSION
    read: Callable[[str], Answer] = parse_answer


def count_unread(db: Db, parser: Parser, *, chosen: bool) -> int:
    """How many responses `read_again` would read."""
    return len(_unread(db, parser, chosen=chosen))


def read_again(
    db: Db,
    parser: Parser,
    *,
    chosen: bool,
    batch: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Read every final response that this version of the parser has not read; how many.

    chosen: only the traces in temp.candidates. Each batch of at most so many
    responses is parsed, then written in a transaction of its own; a response
    that was superseded meanwhile is not written. progress: told how many of how
    many. Raises StoreError.
    """
    unread = _unread(db, parser, chosen=chosen)
    for start in range(0, len(unread), batch):
        ids = unread[start : start + batch]
        responses = db.run("final_responses", trace_ids=canonical_text(ids)).fetchall()
        now = utc_now()
        found = [
            {
                **answer_row(parser.read(response)),
                "trace_id": trace_id,
                "turn": turn,
                "parser_version": parser.version,
                "now": now,
            }
            for trace_id, turn, response in responses
        ]
        with db.transaction():
            db.run_many("put_reading", found)
        if progress is not None:
            progress(start + len(ids), len(unread))
    return len(unread)


def _unread(db: Db, parser: Parser, *, chosen: bool) -> list[int]:
    statement = "unread_of_candidates" if chosen else "unread_of_all"
    found = db.run(statement, version=parser.version)
    return [row[0] for row in found]
