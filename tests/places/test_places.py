"""The country, region and city of points: known places, far ones, and points at the map's ends."""

from __future__ import annotations

import numpy as np
import pytest

from geostore.errors import PlaceError
from geostore.places import Place, load_tables, place_of, places_of
from geostore.places.cities import cities
from tests.gazetteer_tables import forget_tables, tables_read

NOWHERE = Place(None, None, None, None, None, None)


@pytest.mark.parametrize(
    ("lat", "lon", "country"),
    [
        pytest.param(47.6156, 7.6614, "DE", id="Lörrach, north of the border at Basel"),
        pytest.param(47.5400, 7.5900, "CH", id="Basel"),
        pytest.param(32.6800, -117.1000, "US", id="north of the border at Tijuana"),
        pytest.param(32.4900, -116.9500, "MX", id="Tijuana"),
        pytest.param(-29.5, 28.3, "LS", id="Lesotho, inside South Africa"),
        pytest.param(43.94, 12.46, "SM", id="San Marino, inside Italy"),
        pytest.param(41.9022, 12.4539, "VA", id="the Vatican, inside Rome"),
        pytest.param(54.7104, 20.4522, "RU", id="Kaliningrad, apart from Russia"),
        pytest.param(64.84, -147.72, "US", id="Alaska"),
        pytest.param(21.31, -157.80, "US", id="Hawaii"),
        pytest.param(-21.1, 55.5, "RE", id="Réunion has a code of its own"),
        pytest.param(4.0, -53.0, "GF", id="French Guiana has a code of its own"),
        pytest.param(12.18, -68.26, "BQ", id="Bonaire has a code of its own"),
        pytest.param(78.3, 16.0, "SJ", id="Svalbard has a code of its own"),
        pytest.param(42.66, 21.16, "XK", id="Kosovo"),
        pytest.param(9.56, 44.06, "SO", id="Somaliland is of Somalia"),
        pytest.param(35.27, 33.37, "CY", id="Northern Cyprus is of Cyprus"),
        pytest.param(44.95, 34.10, "RU", id="the Crimea is Russia's in Natural Earth"),
        pytest.param(25.03, 121.56, "TW", id="Taiwan"),
        pytest.param(4.176, 73.509, "MV", id="Malé, an islet"),
        pytest.param(36.1360, -5.3500, "GI", id="Gibraltar"),
        pytest.param(-54.42, 3.36, "BV", id="Bouvet Island"),
        pytest.param(33.0, 35.78, "IL", id="the Golan Heights"),
        pytest.param(35.5, 77.0, "IN", id="the Siachen Glacier"),
        pytest.param(-17.80, 178.0, "FJ", id="Fiji, west of the antimeridian"),
        pytest.param(-16.80, -179.97, "FJ", id="Fiji, east of the antimeridian"),
        pytest.param(66.0, 178.0, "RU", id="Chukotka, west of the antimeridian"),
        pytest.param(66.0, -172.5, "RU", id="Chukotka, east of the antimeridian"),
        pytest.param(71.2, 180.0, "RU", id="Wrangel Island, on the antimeridian"),
        pytest.param(71.2, -180.0, "RU", id="Wrangel Island, on the antimeridian, from the east"),
        pytest.param(-90.0, 0.0, "AQ", id="the South Pole"),
        pytest.param(-90.0, 180.0, "AQ", id="the South Pole has every longitude"),
        pytest.param(-86.0, 123.0, "AQ", id="south of all coasts"),
    ],
)
def test_a_point_on_land_is_in_the_country_that_holds_it(
    lat: float, lon: float, country: str
) -> None:
    place = place_of(lat, lon)
    assert (place.country, place.coast_km) == (country, None)


@pytest.mark.parametrize(
    ("city", "lat", "lon", "country"),
    [
        ("Shenzhen", 22.5431, 114.0579, "CN"),
        ("El Paso", 31.7587, -106.4869, "US"),
        ("Laredo", 27.5064, -99.5075, "US"),
        ("Brownsville", 25.9018, -97.4975, "US"),
        ("Konstanz", 47.6603, 9.1758, "DE"),
        ("Kreuzlingen", 47.6480, 9.1800, "CH"),
        ("Ceuta", 35.8894, -5.3213, "ES"),
        ("Melilla", 35.2923, -2.9381, "ES"),
        ("Savannakhet", 16.5703, 104.7622, "LA"),
        ("Kousséri", 12.0769, 15.0306, "CM"),
        ("Ciudad del Este", -25.5097, -54.6111, "PY"),
        ("Victoria Falls", -17.9333, 25.8333, "ZW"),
        ("Goma", -1.6741, 29.2284, "CD"),
        ("Jerusalem", 31.7690, 35.2163, "IL"),
        ("Llívia", 42.4646, 1.9817, "ES"),
        ("Baarle-Nassau", 51.4434, 4.9312, "NL"),
        ("Campione d'Italia", 45.9690, 8.9712, "IT"),
        ("Büsingen", 47.6969, 8.6906, "DE"),
        ("Gibraltar", 36.1447, -5.3526, "GI"),
        ("Guantánamo Bay", 19.9060, -75.0970, "CU"),
        ("Baikonur", 45.6167, 63.3167, "KZ"),
        ("Akrotiri", 34.5900, 32.9500, "CY"),
        ("Hyesan", 41.4017, 128.1778, "KP"),
        ("Changbai", 41.4177, 128.1962, "CN"),
        ("Mengmao", 24.0014, 97.8650, "CN"),
        ("Muse", 23.9974, 97.9005, "MM"),
        ("Gamboru", 12.3730, 14.2069, "NG"),
        ("Jaigaon", 26.8477, 89.3756, "IN"),
        ("Phuntsholing", 26.8516, 89.3884, "BT"),
        ("Móng Cái", 21.5247, 107.9662, "VN"),
        ("Dongxing", 21.5500, 107.9670, "CN"),
        ("Irun", 43.3390, -1.7894, "ES"),
        ("Hendaye", 43.3580, -1.7740, "FR"),
        ("Kaédi", 16.1507, -13.5058, "MR"),
        ("Narva", 59.3772, 28.1903, "EE"),
        ("Ivangorod", 59.3720, 28.2160, "RU"),
        ("Görlitz", 51.1552, 14.9885, "DE"),
        ("Eagle Pass", 28.7091, -100.4995, "US"),
        ("Piedras Negras", 28.7000, -100.5240, "MX"),
        ("Leticia", -4.2108, -69.9394, "CO"),
        ("Tabatinga", -4.2310, -69.9390, "BR"),
        ("Corabia", 43.7751, 24.5015, "RO"),
        ("Macau", 22.2006, 113.5461, "MO"),
        ("Zhuhai", 22.2215, 113.5500, "CN"),
    ],
)
def test_a_city_at_a_border_is_in_its_own_country(
    city: str, lat: float, lon: float, country: str
) -> None:
    assert place_of(lat, lon).country == country, city


def test_few_cities_are_in_another_country_than_geonames_has_them_in() -> None:
    """They lie where states disagree, such as in the Crimea, or GeoNames has them elsewhere."""
    of = cities()
    differ = [
        row
        for row, (place, country) in enumerate(
            zip(places_of(of.lats, of.lons), of.countries, strict=True)
        )
        if place.country != country
    ]
    assert len(differ) / len(of.ids) < 0.0011
    assert of.populations[differ].sum() < 2_700_000


def test_region_and_city_are_those_of_the_nearest_place_in_the_country() -> None:
    """Görlitz and Zgorzelec are two kilometres apart, with the border between them."""
    paris = place_of(48.853, 2.349)
    assert paris == Place("FR", "FR.11", "Paris", 2988507, 0.047, None)
    german, polish = place_of(51.153, 14.98), place_of(51.150, 15.01)
    assert (german.country, german.region, german.city) == ("DE", "DE.13", "Görlitz")
    assert (polish.country, polish.region, polish.city) == ("PL", "PL.72", "Zgorzelec")


def test_the_region_is_that_of_the_next_village_and_the_city_may_lie_in_another() -> None:
    """Bachhagel lies in Bavaria (DE.02); the next city is in Baden-Württemberg."""
    place = place_of(48.63, 10.37)
    assert (place.region, place.city) == ("DE.02", "Giengen an der Brenz")


@pytest.mark.parametrize(
    ("lat", "lon", "city"),
    [
        pytest.param(48.8584, 2.2945, "Paris", id="the Eiffel Tower, in a district of Paris"),
        pytest.param(52.5200, 13.4050, "Berlin", id="Berlin, nearest to its district Mitte"),
        pytest.param(40.7580, -73.9855, "New York City", id="Times Square, in Manhattan"),
        pytest.param(35.6580, 139.7000, "Tokyo", id="Shibuya"),
        pytest.param(52.4000, 13.0600, "Potsdam", id="Potsdam is not in Berlin's region"),
        pytest.param(44.9500, -93.0900, "Saint Paul", id="a twin city is no part"),
        pytest.param(
            22.2783, 114.1747, "Hong Kong", id="Wan Chai; GeoNames gives the city no region"
        ),
        pytest.param(1.3271, 103.8841, "Singapore", id="MacPherson, which has a region"),
        pytest.param(49.4790, 8.4450, "Ludwigshafen am Rhein", id="across a river and a region"),
    ],
)
def test_a_place_that_is_part_of_a_larger_city_counts_as_that_city(
    lat: float, lon: float, city: str
) -> None:
    place = place_of(lat, lon)
    assert place.city == city
    assert place.city_km is not None
    assert place.city_km < 10


def test_a_country_without_a_place_in_geonames_has_neither_region_nor_city() -> None:
    assert place_of(-90, 0) == Place("AQ", None, None, None, None, None)


def test_a_city_deep_inside_another_countrys_border_counts_there_too() -> None:
    """GeoNames has Simferopol in Ukraine, Natural Earth draws the Crimea to Russia."""
    place = place_of(44.95, 34.10)
    assert (place.country, place.region, place.city) == ("RU", "UA.11", "Simferopol")


@pytest.mark.parametrize(
    ("lat", "lon", "country", "km"),
    [
        pytest.param(50.30, 0.0, "GB", 53.3, id="in the Channel, nearer to England"),
        pytest.param(36.1350, -5.3750, "GI", 2.1, id="in the Bay of Gibraltar"),
        pytest.param(-8.30, 179.20, "TV", 17.9, id="north of Funafuti"),
        pytest.param(71.9, -179.9, "RU", 36.5, id="north of Wrangel Island"),
        pytest.param(-16.3, 180.0, "FJ", 11.9, id="off Fiji, on the antimeridian"),
        pytest.param(-17.2, -179.9, "FJ", 28.3, id="east of the antimeridian, Fiji west of it"),
    ],
)
def test_a_point_at_sea_belongs_to_the_nearest_coast(
    lat: float, lon: float, country: str, km: float
) -> None:
    place = place_of(lat, lon)
    assert place.country == country
    assert place.coast_km == pytest.approx(km, rel=0.1)


@pytest.mark.parametrize(("lat", "lon"), [(0.0, 0.0), (90.0, 0.0), (90.0, -120.0), (-40.0, -120.0)])
def test_a_point_far_from_every_coast_is_nowhere(lat: float, lon: float) -> None:
    """The Gulf of Guinea at 0, 0; the North Pole; the middle of the South Pacific."""
    assert place_of(lat, lon) == NOWHERE


def test_many_points_get_what_each_gets_alone() -> None:
    rng = np.random.default_rng(12)
    lats = np.degrees(np.arcsin(rng.uniform(-1, 1, 1500)))
    lons = rng.uniform(-180, 180, 1500)
    places = places_of(lats, lons)
    assert list(places) == [place_of(lat, lon) for lat, lon in zip(lats, lons, strict=True)]
    assert {place.coast_km is None for place in places} == {True, False}


def test_no_points_have_no_places() -> None:
    assert list(places_of([], [])) == []


@pytest.mark.parametrize(
    ("lat", "lon"),
    [(float("nan"), 0.0), (0.0, float("nan")), (90.01, 0.0), (0.0, -180.01), (0.0, float("inf"))],
)
def test_a_point_that_is_none_on_earth_is_refused_by_its_number(lat: float, lon: float) -> None:
    with pytest.raises(
        PlaceError, match=r"point 1: no point on earth has .*; a latitude is -90 to 90"
    ):
        places_of([1.0, lat], [1.0, lon])
    with pytest.raises(PlaceError, match=r"^no point on earth has latitude"):
        place_of(lat, lon)


def test_latitudes_and_longitudes_must_pair() -> None:
    with pytest.raises(PlaceError, match="2 latitudes and 1 longitudes"):
        places_of([1.0, 2.0], [1.0])


def test_all_tables_can_be_read_before_the_first_place_is_asked_for() -> None:
    """But what is read for other purposes: English names of countries, and the audit's places."""
    forget_tables()
    assert not any(tables_read().values())
    load_tables()
    unread = {table for table, is_read in tables_read().items() if not is_read}
    assert unread == {
        "geostore.places.counted._places",
        "geostore.places.names._english_names",
    }
