"""Tells which ids of replies identify a reply, and which a server gives to several.

Some servers give every reply the same id, or one of few. Two replies with such an id
and the same words are two answers, both of them paid for.
"""

from __future__ import annotations

import re
import weakref
from collections import OrderedDict
from dataclasses import dataclass

_SHORTEST = 8
"""Characters of an id that is drawn at random for each reply, without its prefix. Shorter ones are
constants ("chatcmpl-1", "0") or drawn from few (Ollama's "chatcmpl-" and a number below 1,000)."""

_LEAST_KINDS = 4
"""Different characters in it; a UUID of zeros has fewer."""

_PREFIX = re.compile(r"^(?:[A-Za-z]+[-_])+")
"""As in ``chatcmpl-``, ``gen-`` and ``msg_``."""

_REMEMBERED = 4096
"""Ids that are remembered, of those that were seen last."""


@dataclass(slots=True)
class _Use:
    """How an id was used first, and whether it was used again for something else."""

    asked: bytes
    """Hash of the request."""

    answered: bytes
    """Hash of the reply."""

    connection: weakref.ref[object]
    """Where it came."""

    is_shared: bool = False
    """Whether another reply had the same id."""


class ReplyIds:
    """The ids of a server's replies so far."""

    def __init__(self) -> None:
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    def note(self, reply_id: str, *, asked: bytes, answered: bytes, connection: object) -> bool:
        """Note the id of a reply. True where, for all that is known, no other reply has it.

        asked, answered: hashes of request and reply. The same reply on the same
        connection again, for another request, does not count as another: there a
        server may have sent it twice.
        """
        first = self._uses.get(reply_id)
        if first is None:
            self._uses[reply_id] = _Use(asked, answered, weakref.ref(connection))
            if len(self._uses) > _REMEMBERED:
                self._uses.popitem(last=False)
            return _looks_unique(reply_id)
        self._uses.move_to_end(reply_id)
        is_copy = first.answered == answered and first.connection() is connection
        if first.asked != asked and not is_copy:
            first.is_shared = True
        return not first.is_shared and _looks_unique(reply_id)


def _looks_unique(reply_id: str) -> bool:
    own = _PREFIX.sub("", reply_id)
    return len(own) >= _SHORTEST and len(set(own)) >= _LEAST_KINDS
