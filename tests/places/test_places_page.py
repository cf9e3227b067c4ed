"""docs/places.md shows what the code answers."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "places.md"


def test_the_examples_of_the_page_are_what_the_code_answers() -> None:
    # A fence would count as a line of the output above it.
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    results = doctest.DocTestRunner().run(examples)
    assert results.attempted >= 6
    assert results.failed == 0
