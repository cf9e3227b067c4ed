"""The country, region and city of a point, and of words that name them; offline.

Borders are Natural Earth's, cities and regions are GeoNames'. What each is, and how
points at sea and disputed borders are treated, stands in `docs/places.md`.
"""

from geostore.places.counted import country_of_next_place
from geostore.places.loading import load_tables
from geostore.places.names import country_name, country_of_words
from geostore.places.outlines import country_km
from geostore.places.place import GAZETTEER_VERSION, Place, place_of, places_of
from geostore.places.territories import belongs_to
from geostore.places.words import same_city, same_region

__all__ = [
    "GAZETTEER_VERSION",
    "Place",
    "belongs_to",
    "country_km",
    "country_name",
    "country_of_next_place",
    "country_of_words",
    "load_tables",
    "place_of",
    "places_of",
    "same_city",
    "same_region",
]
