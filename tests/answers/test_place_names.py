"""The parser's names of countries against those that have a code in `places`."""

from __future__ import annotations

import pytest

from geostore.answers.place_names import COUNTRIES, TERRITORIES
from geostore.places import belongs_to, country_of_words

SHARED = {"Korea", "Virgin Islands"}
"""Names that show a country without saying which of two."""


def names_in(lines: str) -> list[str]:
    return [name for line in lines.split("\n") for name in line.split("|") if name]


def test_every_country_that_the_parser_reads_has_a_code() -> None:
    """Else an answer would name a country, and no photo could lie in it."""
    names = names_in(COUNTRIES)
    assert len(names) > 600
    assert {name for name in names if country_of_words(name) is None} == SHARED


@pytest.mark.parametrize(("states", "territories"), TERRITORIES.items())
def test_every_territory_that_the_parser_reads_before_its_state_belongs_to_it(
    states: str, territories: str
) -> None:
    (state,) = {country_of_words(name) for name in names_in(states)}
    for name in names_in(territories):
        territory = country_of_words(name)
        assert territory != state
        assert territory is not None
        assert belongs_to(territory, state), name
