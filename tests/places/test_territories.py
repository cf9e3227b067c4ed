"""Territories and disputed land: by whose name people speak of them."""

from __future__ import annotations

import pytest

from geostore.places import belongs_to, country_of_next_place


@pytest.mark.parametrize(
    ("country", "state", "belongs"),
    [
        ("FR", "FR", True),
        ("RE", "FR", True),
        ("FR", "RE", False),
        ("PR", "US", True),
        ("GU", "PR", False),
        ("FR", "ES", False),
        ("FR", None, False),
    ],
)
def test_a_territory_belongs_to_its_state(country: str, state: str | None, belongs: bool) -> None:
    assert belongs_to(country, state) is belongs


@pytest.mark.parametrize(
    ("lat", "lon", "country"),
    [
        (44.95, 34.10, "UA"),  # Simferopol, which the borders draw as Russia's
        (27.15, -13.20, "EH"),  # Laayoune
        (36.15, 29.59, "GR"),  # Kastellorizo, 7 km off Turkey
        (26.16, 119.95, "TW"),  # Matsu, 20 km off China
        (55.75, 37.62, "RU"),
        (0.0, -30.0, None),  # in the Atlantic
    ],
)
def test_the_next_place_is_of_the_country_that_geonames_counts_it_to(
    lat: float, lon: float, country: str | None
) -> None:
    assert country_of_next_place(lat, lon) == country
