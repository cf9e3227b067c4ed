"""Which statements read the final responses, which are most of a store."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geostore.query.headers import questions
from geostore.query.parameters import values_for
from geostore.query.reader import open_reader
from geostore.query.responses import asks_for_responses
from tests.random_store import make_random_store

_NUMBER = re.compile(r"\d+\.\d+(e-?\d+)?")


@pytest.mark.parametrize(
    "statement",
    [
        "select final_response from trace_results",
        'select t."Final_Response" from trace_results as t',
        "select * from trace_results",
        "select t.* exclude (trace) from trace_results t",
        "select count(distinct *) from trace_results",
        "select columns('final.*') from trace_results",
        "from trace_results",
        "select trace from (from trace_results limit 1)",
        "describe trace_results",
        "summarize trace_results",
        "pivot trace_results on status using count(*)",
        "table trace_results",
        "select trace_results from trace_results",
        "select t from trace_results as t",
        "select to_json(t) from trace_results t where t.turns > 1",
        'select to_json("my t") from trace_results as "my t"',
        'select t from "trace_results" t',
        "select r from store.trace_results r",
        "select count(*) from trace_results a natural join trace_results b",
    ],
)
def test_a_statement_that_may_ask_for_responses_has_them(statement: str) -> None:
    assert asks_for_responses(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select count(*) from trace_results",
        "select trace, turns * 2, 2 * turns from trace_results -- not final_response, not *",
        "select t.trace, count( * ) from trace_results as t where t.turns > 1 group by t.trace",
        "select a.trace from trace_results a join trace_results b on a.trace = b.trace",
        "select trace from trace_results where model is distinct from 'm' order by trace",
        "select trace from trace_results where trace in (select trace from turn_results)",
        "with t as (select trace from trace_results) select max(trace) from t",
        "select 'select * from trace_results' from trace_results",
    ],
)
def test_a_statement_that_cannot_ask_for_responses_reads_none(statement: str) -> None:
    assert not asks_for_responses(statement)


def test_few_questions_read_responses() -> None:
    """A question that did would read most of a store for it."""
    reading = {q.name for q in questions() if "final_response" in q.statement}
    assert reading <= {"answer_changes", "parse_failures", "refusals", "words_against_point"}


def test_no_question_lacks_responses_that_it_does_not_name(tmp_path: Path) -> None:
    """Its answer is the same where the view has them for it."""
    path = make_random_store(tmp_path / "geostore.db", seed=1)
    with open_reader(path) as reader:
        for question in questions():
            if "final_response" in question.statement or question.name == "status":
                continue  # status tells the time
            values = values_for(question, None)
            answers = []
            for value in (True, False):
                reader.execute("set variable with_responses = $value", {"value": value})
                rows = reader.execute(question.statement, values).fetchall()
                # Another plan adds in another order.
                answers.append(_NUMBER.sub(lambda n: f"{float(n[0]):.9g}", repr(rows)))
            assert answers[0] == answers[1], question.name
