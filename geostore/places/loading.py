"""Reads all that places are found in, so that no later look-up waits for it."""

from __future__ import annotations

from geostore.places.place import place_of
from geostore.places.words import same_city, same_region


def load_tables() -> None:
    """Read borders, coasts, cities, regions and names, which takes half a second the first time.

    A table is else read when the first point or word needs it.
    """
    place_of(0.0, 0.0)  # at sea
    place_of(48.853, 2.349)  # Paris, as GeoNames has it
    # Whatever follows a comma is looked up as a country, and as a region of any country.
    same_city("Paris, Texas", 2988507)
    same_region("Paris, Texas", "FR.11")
