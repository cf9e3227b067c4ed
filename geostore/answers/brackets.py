"""Finds where the brackets of a JSON value or a call are closed; linear in what they hold."""

import re

# Strings whole, so that brackets inside them do not count. An escape outside a string is matched
# as a pair, so that its quote begins no string.
STRINGS = r'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\\n]|\\.)*+\'|\\.'
"""The texts in a JSON value or a Python call."""
_BRACKETS = re.compile(rf"{STRINGS}|[{{}}\[\]()]", re.DOTALL)


def end_of_value(text: str, start: int, limit: int | None = None) -> int | None:
    """Where the bracket that opens at `start` is closed; None where it is not, before `limit`."""
    depth = 0
    for token in _BRACKETS.finditer(text, start, len(text) if limit is None else limit):
        if token.group() in ("{", "[", "("):
            depth += 1
        elif token.group() in ("}", "]", ")"):
            depth -= 1
            if depth == 0:
                return token.end()
    return None
