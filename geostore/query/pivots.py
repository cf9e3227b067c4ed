"""Writes a pivot that takes its columns from the data as one with a value given, to be checked.

DuckDB parses ``pivot t on x`` to two statements: one lists the values of x, the other
selects. It gives no tree for the two. ``pivot t on x in ('')`` is one statement, with
a tree that holds the same tables and functions, so that one is checked in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import duckdb

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][\w$\x80-\xff]*")
_PIVOT = frozenset([b"pivot", b"pivot_wider"])
_AFTER_COLUMNS = frozenset(
    [b"using", b"group", b"order", b"limit", b"offset", b"union", b"intersect", b"except", b";"]
)
_OPENING, _CLOSING = frozenset([b"(", b"[", b"{"]), frozenset([b")", b"]", b"}"])


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a statement; comments are none."""

    offset: int
    """Where it begins, in bytes of UTF-8."""
    word: bytes
    """A word in lower case; of any other token its first character."""
    depth: int
    """How many brackets it stands in; a bracket stands outside of itself."""


def tokens_of(statement: str) -> list[Token]:
    """The tokens of a statement, as DuckDB reads them."""
    data = statement.encode()
    tokens = []
    depth = 0
    for offset, _ in duckdb.tokenize(statement):
        match = _WORD.match(data, offset)
        word = match.group().lower() if match else data[offset : offset + 1]
        depth -= word in _CLOSING
        tokens.append(Token(offset, word, depth))
        depth += word in _OPENING
    return tokens


def with_values(statement: str) -> str:
    """The statement with a value after each column of a pivot that names none.

    Only ``in ('')`` is added, between two tokens, so whatever the statement reads or
    calls stands in the result too.
    """
    tokens = tokens_of(statement)
    data = statement.encode()
    tokens.append(Token(len(data), b";", -1))
    added: dict[int, bytes] = {}
    for place, token in enumerate(tokens):
        if token.word in _PIVOT:
            for column, after in _columns(tokens[place + 1 :], token.depth):
                if all(part.word != b"in" or part.depth > token.depth for part in column):
                    added[after.offset] = _values_for(column)
    places = sorted({0, *added, len(data)})
    return b"".join(
        # A comment may end the part, and would take in what follows on its line.
        data[first:last] + (b"\n" + added[last] if last in added else b"")
        for first, last in pairwise(places)
    ).decode()


def _columns(tokens: Sequence[Token], depth: int) -> Iterator[tuple[list[Token], Token]]:
    """The columns of the pivot before these tokens, each with the token behind it."""
    end = next(place for place, token in enumerate(tokens) if token.depth < depth)
    ons = [p for p, t in enumerate(tokens[:end]) if t.word == b"on" and t.depth == depth]
    column: list[Token] = []
    # Any "on" before the last belongs to a join in the pivot's source.
    for token in tokens[ons[-1] + 1 : end + 1] if ons else ():
        is_last = token.depth < depth or (token.depth == depth and token.word in _AFTER_COLUMNS)
        if is_last or (token.depth == depth and token.word == b","):
            yield column, token
            column = []
        else:
            column.append(token)
        if is_last:
            return


def _values_for(column: Sequence[Token]) -> bytes:
    """One value for a column; as many as there are where it is a list in brackets."""
    is_list = bool(column) and column[0].word == b"(" and column[-1].word == b")"
    commas = sum(t.word == b"," and t.depth == column[0].depth + 1 for t in column)
    if not is_list or not commas:
        return b" in ('') "
    return b" in ((" + b", ".join([b"''"] * (commas + 1)) + b")) "
