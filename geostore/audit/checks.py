"""The checks of an audit, each with its name, its version, and what its flag means.

A check is a statement of ``sql/audit/`` with its name, or a function of a trace's
text, or (``same_response`` alone) a comparison of all traces. With every change of
what a check finds its version is raised, so that the next audit runs that check
again and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from geostore.audit.audited_text import AuditedText
from geostore.audit.contradiction import contradicts_prose, words_against_point
from geostore.audit.leaks import leaked_coordinates, leaked_file_name, leaked_place
from geostore.audit.wording import claimed_tool, odd_thought, repeated_text
from geostore.sqlfiles import describe_sql, sql_names
from geostore.teacher import is_broken
from geostore.tools.frames import flagged_frames

SAME_RESPONSE = "same_response"


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    """The name of its flag."""

    version: int
    """Counts from 1."""

    meaning: str
    """What is wrong with a flagged trace, in a sentence."""

    find: Callable[[AuditedText], str | None] | None = None
    """From a trace's text to the flag's detail, None where the trace passes; None in place of the
    function for a check that SQL decides."""


def odd_frame(audited: AuditedText) -> str | None:
    """A box that does not fit the recipe's frame and fits another, as its call was flagged."""
    for call in audited.calls:
        if frames := flagged_frames(call):
            return f"turn {call.turn}: could be {', '.join(frames)}"
    return None


def broken_off(audited: AuditedText) -> str | None:
    """An answer in a final response that its server says it broke off.

    A run takes such a reply as a failed request. It can stand in an imported trace, or
    in one of a release that did not know the server's word.
    """
    answer, last = audited.trace.answer, audited.turns[-1] if audited.turns else None
    if last is None or answer is None or answer.failure is not None:
        return None
    return f"turn {last.turn}: {last.finish_reason}" if is_broken(last.finish_reason) else None


_TEXT_CHECKS = (
    Check(
        "broken_off",
        1,
        "The answer stands in a response that the server broke off, so it may be half of one.",
        broken_off,
    ),
    Check(
        "leaked_coordinates",
        1,
        "The true coordinates, to one decimal or more, were in what the teacher was sent.",
        leaked_coordinates,
    ),
    Check(
        "leaked_place",
        1,
        "The photo's country, city or another name of its place was in what the teacher was sent.",
        leaked_place,
    ),
    Check(
        "leaked_file_name",
        1,
        "The photo's file name or the dataset's path was in what the teacher was sent.",
        leaked_file_name,
    ),
    Check(
        "claimed_tool",
        2,
        "The teacher tells of a tool's result before it called any, or wrote the result itself.",
        claimed_tool,
    ),
    Check(
        "repeated_text",
        1,
        "A response or its reasoning runs in a loop, or a turn says an earlier one again.",
        repeated_text,
    ),
    Check(
        "contradicts_prose",
        3,
        "The answer lies far from what the same response says in words.",
        contradicts_prose,
    ),
    Check(
        "odd_frame",
        1,
        "A box does not fit the recipe's frame and fits another; one such box proves little.",
        odd_frame,
    ),
    Check(
        "odd_thought",
        1,
        "A response holds what looks like thoughts in delimiters that are not known.",
        odd_thought,
    ),
    Check(
        "words_against_point",
        1,
        "The country that the answer names in words is another one than that of its coordinates.",
        words_against_point,
    ),
)
_SQL_VERSIONS = {
    "answer_after_failed_call": 2,
    "no_op_call": 1,
    "null_island": 1,
    "placeholder": 1,
    "repeated_call": 1,
    "truncated": 1,
}
_SAME = Check(
    SAME_RESPONSE,
    1,
    "The teacher's words are, to the letter, those of another recipe's trace.",
)


def _all_checks() -> dict[str, Check]:
    # The first line of a statement's file says what it finds, here as in `query --list`.
    by_sql = [
        Check(name, _SQL_VERSIONS[name], describe_sql("audit", name)) for name in sql_names("audit")
    ]
    checks = [*_TEXT_CHECKS, *by_sql, _SAME]
    return {check.name: check for check in sorted(checks, key=lambda check: check.name)}


CHECKS: Mapping[str, Check] = MappingProxyType(_all_checks())
"""All checks by name, in the order of their names."""

VERSIONS: Mapping[str, int] = MappingProxyType({c.name: c.version for c in CHECKS.values()})
"""From a check's name to its version."""
