"""Which turns a student is not to learn (``--mask-turns``): they stay in the dialogue, and the
formats that can say so leave them out of the loss.

- ``failed_call``: turns with a call that failed.
- ``no_op``: turns with a call that showed the teacher nothing new.
- ``flag:NAME``: turns in which a check of the audit finds something; the answer's own turn where
  the check is about the answer. A check of the whole trace names no turn, and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from geostore.audit.checks import VERSIONS
from geostore.audit.flagged_turns import FLAGGED_TURNS, turns_of_calls
from geostore.errors import ExportError
from geostore.records import StoredTrace
from geostore.text.nearest import did_you_mean

_FLAG = "flag:"
_KNOWN = ("failed_call", "no_op", *(f"{_FLAG}{name}" for name in FLAGGED_TURNS))


def checked_masks(masks: Sequence[str]) -> tuple[str, ...]:
    """The masks in one order, each once; a text is split at its commas.

    Raises ExportError for one that there is not, or that names no turn; TypeError for what is
    no text.
    """
    names = masks.split(",") if isinstance(masks, str) else masks
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"mask_turns are texts, such as 'no_op', and not {name!r}")
    chosen = {name.strip() for name in names if name.strip()}
    for name in sorted(chosen.difference(_KNOWN)):
        check = name.removeprefix(_FLAG)
        if name.startswith(_FLAG) and check in VERSIONS:
            raise ExportError(
                f"the check {check} is about a whole trace and names no turn to mask; leave such "
                f"traces out with --exclude-flag {check}"
            )
        raise ExportError(
            f"there are no turns {name!r} to mask{did_you_mean(name, _KNOWN)}; choose from "
            f"{', '.join(_KNOWN)}"
        )
    return tuple(name for name in _KNOWN if name in chosen)


def masked_turns(trace: StoredTrace, masks: Sequence[str]) -> frozenset[int]:
    """The numbers of the trace's turns that are not to be learnt."""
    turns: set[int] = set()
    for name in masks:
        if name.startswith(_FLAG):
            turns |= FLAGGED_TURNS[name.removeprefix(_FLAG)](trace)
        else:
            turns |= turns_of_calls(trace, failed=name == "failed_call", noop=name == "no_op")
    return frozenset(turns)
