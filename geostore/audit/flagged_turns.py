"""The turns of a trace in which a check finds something, so that a student need not learn them.

A stored flag says of a trace that something was found, and names at most the first
turn. Here every turn is looked at, from the rows of the trace alone, so that no audit
has to be run before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from geostore.audit.audited_text import AuditedText
from geostore.audit.checks import CHECKS
from geostore.records import StoredTrace
from geostore.store.audits import PendingTrace
from geostore.tools.frames import flagged_frames

_NAMED_TURN = re.compile(r"turn (\d+)")


def turns_of_calls(trace: StoredTrace, *, failed: bool = False, noop: bool = False) -> set[int]:
    """The turns with a call that failed, or with one that showed nothing new."""
    return {
        call.turn
        for call in trace.calls
        if (failed and not call.success) or (noop and "noop" in call.flags)
    }


def _by_text(name: str) -> Callable[[StoredTrace], set[int]]:
    """The turns of a check of the teacher's words, which names the first it finds."""

    def turns(trace: StoredTrace) -> set[int]:
        audited, numbers = _audited(trace), set[int]()
        find = CHECKS[name].find
        assert find is not None
        # Without the turn that it has named, the check names the next one.
        while (detail := find(audited)) is not None:
            named = _NAMED_TURN.match(detail)
            assert named is not None
            numbers.add(int(named[1]))
            left = tuple(turn for turn in audited.turns if turn.turn not in numbers)
            audited = replace(audited, turns=left)
        return numbers

    return turns


def _answer_flag(flag: str) -> Callable[[StoredTrace], set[int]]:
    """The last turn, where the parser flagged the answer in it."""

    def turns(trace: StoredTrace) -> set[int]:
        return _last(trace) if trace.answer is not None and flag in trace.answer.flags else set()

    return turns


def _by_answer(name: str) -> Callable[[StoredTrace], set[int]]:
    """The last turn, where a check of the answer beside the words finds something."""

    def turns(trace: StoredTrace) -> set[int]:
        find = CHECKS[name].find
        assert find is not None
        return _last(trace) if find(_audited(trace)) is not None else set()

    return turns


def _answer_after_failed_call(trace: StoredTrace) -> set[int]:
    """As sql/audit/answer_after_failed_call.sql has it; the answer is what should not be learnt."""
    last_calls = [call for call in trace.calls if call.turn == trace.calls[-1].turn]
    counted = [call for call in last_calls if call.error_kind != "image_limit"]
    answered = trace.answer is not None and trace.answer.lat is not None
    blind = bool(counted) and not any(call.success for call in counted)
    return _last(trace) if blind and answered else set()


FLAGGED_TURNS: Mapping[str, Callable[[StoredTrace], set[int]]] = MappingProxyType(
    {
        "answer_after_failed_call": _answer_after_failed_call,
        "broken_off": _by_text("broken_off"),
        "claimed_tool": _by_text("claimed_tool"),
        "contradicts_prose": _by_answer("contradicts_prose"),
        "no_op_call": lambda trace: turns_of_calls(trace, noop=True),
        "null_island": _answer_flag("null_island"),
        "odd_frame": lambda trace: {call.turn for call in trace.calls if flagged_frames(call)},
        "odd_thought": _by_text("odd_thought"),
        "placeholder": _answer_flag("placeholder"),
        "repeated_text": _by_text("repeated_text"),
        "truncated": lambda trace: {t.turn for t in trace.turns if t.finish_reason == "length"},
        "words_against_point": _by_answer("words_against_point"),
    }
)
"""By the check's name, for each check that finds something in turns of the teacher. The others are
about the whole trace: what was sent in it, or how it compares with other calls and traces."""


def _last(trace: StoredTrace) -> set[int]:
    return {trace.turns[-1].turn} if trace.turns else set()


def _audited(trace: StoredTrace) -> AuditedText:
    """The trace as checks are given one. Its ids are of no matter to a check."""
    pending = PendingTrace(
        trace_id=0,
        closed_at="",
        recipe=trace.recipe,
        prompts_read=False,
        sample=trace.sample,
        dataset_path=trace.dataset.path,
        answer=trace.answer,
        parser_version=None,
    )
    return AuditedText(pending, trace.turns, trace.calls)
