"""The words that the question refusals shows: those after the thought, whatever its delimiters."""

from pathlib import Path

import duckdb
import pytest

from geostore.answers.thoughts import TAGS

STATEMENT = Path(__file__).parents[2] / "sql" / "analytics" / "refusals.sql"


@pytest.mark.parametrize(("opening", "closing"), TAGS)
def test_the_words_of_a_refusal_begin_after_its_thought(opening: str, closing: str) -> None:
    text = STATEMENT.read_text(encoding="utf-8")
    ended = text[text.index("with\n") : text.index("select\n  recipe,\n  model,\n  count(*)")]
    connection = duckdb.connect()
    connection.execute(
        "create view trace_results as select 'r' as recipe, 'm' as model, 0 as sample_index,"
        " 1 as trace, 'exhausted' as status, null as answer_lat, null as stop_reason,"
        " 'refused' as answer_failure, $words as final_response".replace(
            "$words", f"'{opening}It is\nLima.{closing}\nSorry, no.'"
        )
    )
    assert connection.execute(f"{ended} select words from ended").fetchall() == [("Sorry, no.",)]
