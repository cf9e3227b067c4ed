"""Build the table of countries of `geostore audit`, from the cities of geostore.places.

For each country its names and some of its towns, thinned out to one in about
250 km, which is near enough to tell that a place is not in it. GeoNames data is
licensed CC BY 4.0; the file's header and the README beside it name it. The same
cities give the same bytes.

    python scripts/build_countries.py
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from geostore.places import country_name
from geostore.places.cities import cities
from geostore.rewards.numeric import haversine_km

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "geostore" / "audit" / "data" / "countries.tsv"
SPACING_KM = 250.0

HEADER = """\
# Source: GeoNames (www.geonames.org), licensed CC BY 4.0 (creativecommons.org/licenses/by/4.0/).
# Extract of the demo's gazetteer: towns thinned out to one in about 250 km, rounded; made by
# scripts/build_countries.py, which adds the other names and, to a state, its territories' towns.
# Columns: names (the first is GeoNames'), towns as latitude,longitude in degrees.
"""
# What models write besides GeoNames' own names.
OTHER_NAMES = {
    "BA": ("Bosnia",),
    "CD": ("DR Congo", "DRC", "Congo-Kinshasa"),
    "CG": ("Congo-Brazzaville",),
    "CI": ("Côte d'Ivoire", "Cote d'Ivoire"),
    "CV": ("Cape Verde",),
    "CZ": ("Czech Republic",),
    "GB": ("UK", "U.K.", "Great Britain", "Britain", "England", "Scotland", "Wales"),
    "KP": ("DPRK",),
    "KR": ("Republic of Korea",),
    "MK": ("Macedonia",),
    "MM": ("Burma",),
    "NL": ("Holland", "Netherlands"),
    "RU": ("Russian Federation",),
    "SZ": ("Swaziland",),
    "TL": ("East Timor",),
    "TR": ("Türkiye", "Turkiye"),
    "US": ("USA", "US", "U.S.", "U.S.A.", "United States of America"),
    "VN": ("Viet Nam",),
}
# A photo of such a place may be said to be of either: its towns are the state's as well.
TERRITORIES = {
    "AU": "CC CX NF",
    "CN": "HK MO TW",
    "DK": "FO GL",
    "FI": "AX",
    "FR": "BL GF GP MF MQ NC PF PM RE TF WF YT",
    "GB": "AI BM FK GG GI GS IM JE KY MS PN SH TC VG",
    "MA": "EH",
    "NL": "AW BQ CW SX",
    "NO": "SJ",
    "NZ": "CK NU",
    "US": "AS GU MP PR VI",
}


def towns() -> dict[str, list[tuple[float, float]]]:
    """Positions by country, largest towns first, none within 250 km of an earlier one."""
    by_country: defaultdict[str, list[tuple[int, str, float, float]]] = defaultdict(list)
    columns = cities()
    for country, *city in zip(
        columns.countries,
        (-columns.populations).tolist(),
        columns.names,
        columns.lats.tolist(),
        columns.lons.tolist(),
        strict=True,
    ):
        by_country[country].append(tuple(city))
    places: dict[str, list[tuple[float, float]]] = {}
    for country, in_country in by_country.items():
        places[country] = []
        for _, _, lat, lon in sorted(in_country):
            if all(haversine_km(lat, lon, *other) > SPACING_KM for other in places[country]):
                places[country].append((lat, lon))
    return places


def main() -> None:
    """Write the table and say what it holds."""
    places = towns()
    lines = []
    for code in sorted(places):
        names = "|".join((country_name(code), *OTHER_NAMES.get(code, ())))
        codes = [code, *TERRITORIES.get(code, "").split()]
        found = [town for each in codes for town in places.get(each, ())]
        points = " ".join(f"{lat:.1f},{lon:.1f}" for lat, lon in found)
        lines.append(f"{names}\t{points}\n")
    OUTPUT.write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"{len(lines)} countries, {OUTPUT.stat().st_size:,} bytes: {OUTPUT}")


if __name__ == "__main__":
    main()
