"""The countries of the world for a map: TopoJSON whose ids are ISO 3166-1 alpha-2 codes.

Natural Earth's map of 1:110 million leaves out what would be smaller than a few pixels. Such a
country is drawn as a dot at its largest city.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from geostore.places import country_name
from geostore.places.cities import cities
from geostore.vendor import vendored

_CODES_AND_NUMBERS = """
AE784 AF004 AL008 AM051 AO024 AQ010 AR032 AT040 AU036 AZ031 BA070 BD050 BE056 BF854 BG100 BI108
BJ204 BN096 BO068 BR076 BS044 BT064 BW072 BY112 BZ084 CA124 CD180 CF140 CG178 CH756 CI384 CL152
CM120 CN156 CO170 CR188 CU192 CY196 CZ203 DE276 DJ262 DK208 DO214 DZ012 EC218 EE233 EG818 EH732
ER232 ES724 ET231 FI246 FJ242 FK238 FR250 GA266 GB826 GE268 GH288 GL304 GM270 GN324 GQ226 GR300
GT320 GW624 GY328 HN340 HR191 HT332 HU348 ID360 IE372 IL376 IN356 IQ368 IR364 IS352 IT380 JM388
JO400 JP392 KE404 KG417 KH116 KP408 KR410 KW414 KZ398 LA418 LB422 LK144 LR430 LS426 LT440 LU442
LV428 LY434 MA504 MD498 ME499 MG450 MK807 ML466 MM104 MN496 MR478 MW454 MX484 MY458 MZ508 NA516
NC540 NE562 NG566 NI558 NL528 NO578 NP524 NZ554 OM512 PA591 PE604 PG598 PH608 PK586 PL616 PR630
PS275 PT620 PY600 QA634 RO642 RS688 RU643 RW646 SA682 SB090 SD729 SE752 SI705 SK703 SL694 SN686
SO706 SR740 SS728 SV222 SY760 SZ748 TD148 TF260 TG768 TH764 TJ762 TL626 TM795 TN788 TR792 TT780
TW158 TZ834 UA804 UG800 US840 UY858 UZ860 VE862 VN704 VU548 YE887 ZA710 ZM894 ZW716
"""
"""ISO 3166-1 alpha-2 and numeric codes of the countries of the map, which has the numbers."""
_CODE_OF_NAME = {"Kosovo": "XK", "N. Cyprus": "CY", "Somaliland": "SO"}
"""For shapes without a number: the state that ISO counts a territory to which has no code."""


@cache
def world() -> dict[str, Any]:
    """TopoJSON of countries by alpha-2 code (`countries`), and of all land as one (`land`)."""
    topology: dict[str, Any] = json.loads(vendored("countries-110m.json"))
    code_of = {pair[2:]: pair[:2] for pair in _CODES_AND_NUMBERS.split()}
    for shape in topology["objects"]["countries"]["geometries"]:
        name = shape.pop("properties")["name"]
        shape["id"] = code_of[shape["id"]] if "id" in shape else _CODE_OF_NAME[name]
    return topology


def names_and_dots(codes: Iterable[str]) -> dict[str, list[Any]]:
    """By code: the country's name, then latitude and longitude of a dot if it has no shape."""
    shapes = {shape["id"] for shape in world()["objects"]["countries"]["geometries"]}
    wanted = set(codes)
    dots = _largest_cities(wanted - shapes) if wanted - shapes else {}
    return {code: [country_name(code), *dots.get(code, ())] for code in sorted(wanted)}


def _largest_cities(codes: set[str]) -> dict[str, tuple[float, float]]:
    """Latitude and longitude by code; a code without a city is left out."""
    all_cities = cities()
    largest: dict[str, int] = {}
    for row, code in enumerate(all_cities.countries):
        if code in codes and (
            code not in largest
            or all_cities.populations[row] > all_cities.populations[largest[code]]
        ):
            largest[code] = row
    return {
        code: (round(float(all_cities.lats[row]), 2), round(float(all_cities.lons[row]), 2))
        for code, row in largest.items()
    }
