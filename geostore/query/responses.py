"""Tells whether a statement may ask for ``trace_results.final_response``.

Responses are most of a store, and DuckDB reads them for a view that has them,
whatever is asked of it. So the view has them only for statements that may ask for
them. Where that is not certain they may: an answer must not lack them.
"""

from __future__ import annotations

from collections.abc import Sequence

from geostore.query.pivots import tokens_of

_COLUMN = b"final_response"
_VIEW = b"trace_results"
_TAKE_ALL_COLUMNS = frozenset(
    b"columns describe natural pivot pivot_longer pivot_wider show summarize table unpivot".split()
)
"""Words by which a statement takes columns that it does not name."""
_BEFORE_A_STAR = frozenset([b"select", b"distinct", b"all", b",", b".", b"("])
"""What stands before a star that means all columns; any other star multiplies."""
_AFTER_A_TABLE = frozenset(
    b"""
    anti asof cross except full group having inner intersect join left limit offset on order
    positional qualify right select semi tablesample union using where window
    """.split()
)
"""Words that may follow a table and are no name that the statement gives it."""


def asks_for_responses(statement: str) -> bool:
    """Whether a statement that DuckDB can parse may ask for final responses."""
    words = _words(statement)
    if _COLUMN in words or not _TAKE_ALL_COLUMNS.isdisjoint(words):
        return True
    return _has_star(words) or _lacks_a_select(words) or _takes_a_whole_row(words)


def _words(statement: str) -> list[bytes]:
    """Words and signs in lower case, without comments; a quoted name of ours as if it were bare."""
    data = statement.encode().lower()
    words = []
    for token in tokens_of(statement):
        quoted = (
            name
            for name in (_COLUMN, _VIEW)
            if token.word == b'"' and data.startswith(b'"%s"' % name, token.offset)
        )
        words.append(next(quoted, token.word))
    return words


def _has_star(words: Sequence[bytes]) -> bool:
    return any(
        word == b"*"
        and words[place - 1] in _BEFORE_A_STAR
        and words[max(0, place - 2) : place] != [b"count", b"("]
        for place, word in enumerate(words)
    )


def _lacks_a_select(words: Sequence[bytes]) -> bool:
    """Whether a "from" may stand alone, which means all columns."""
    froms = sum(
        word == b"from" and words[place - 1] != b"distinct" for place, word in enumerate(words)
    )
    return froms > words.count(b"select")


def _takes_a_whole_row(words: Sequence[bytes]) -> bool:
    """Whether the view's name, or one that the statement gives it, stands in place of a value."""
    names, definitions = {_VIEW}, set()
    for place, word in enumerate(words):
        if word == _VIEW and words[place - 1] in (b"from", b"join", b"."):
            definitions.add(place)
            alias = place + 1 + (words[place + 1 : place + 2] == [b"as"])
            if words[alias : alias + 1] == [b'"']:
                return True
            is_name = words[alias : alias + 1] and words[alias][:1].isalpha()
            if is_name and words[alias] not in _AFTER_A_TABLE:
                names.add(words[alias])
                definitions.add(alias)
    return any(
        word in names and place not in definitions and words[place + 1 : place + 2] != [b"."]
        for place, word in enumerate(words)
    )
