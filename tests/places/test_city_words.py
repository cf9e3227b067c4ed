"""Whether words name a city or a region."""

from __future__ import annotations

import pytest

from geostore.places import same_city, same_region

MUNICH, PARIS, ATLANTA, NEW_YORK = 2867714, 2988507, 4180439, 5128581
KANSAS_CITY, SALT_LAKE_CITY, ZURICH, TBILISI, SAN_JUAN = 4273837, 5780993, 2657896, 611717, 4568127
THE_HAGUE, SHANGHAI = 2747373, 1796236


@pytest.mark.parametrize(
    ("words", "city_id"),
    [
        ("Munich", MUNICH),
        ("MÜNCHEN", MUNICH),
        ("Munchen", MUNICH),
        ("慕尼黑", MUNICH),
        ("慕尼黑市", MUNICH),
        ("Munich, Bavaria, Germany", MUNICH),
        ("City of Paris", PARIS),
        ("paris, Île-de-France", PARIS),
        ("Atlanta, Georgia", ATLANTA),
        ("New York", NEW_YORK),
        ("NYC", NEW_YORK),
        ("Brooklyn, New York", NEW_YORK),  # a part of it
        ("Atlanta, GA, USA", ATLANTA),
        ("Paris (France)", PARIS),
        ("Paris (Île-de-France, France)", PARIS),
        ("Paris (near the Louvre)", PARIS),
        ("Zuerich", ZURICH),
        ("Muenchen, Deutschland", MUNICH),
        ("Kansas City", KANSAS_CITY),
        ("Tbilisi, Georgia", TBILISI),  # the country, not the state
        ("San Juan, United States", SAN_JUAN),
        ("Hague", THE_HAGUE),
        ("上海", SHANGHAI),
        ("上海市", SHANGHAI),
    ],
)
def test_words_name_a_city(words: str, city_id: int) -> None:
    assert same_city(words, city_id)


@pytest.mark.parametrize(
    ("words", "city_id"),
    [
        ("Nuremberg", MUNICH),
        ("", MUNICH),
        ("Bavaria", MUNICH),
        ("Paris, Texas", PARIS),
        ("Paris, TX", PARIS),
        ("Paris, Canada", PARIS),
        ("Paris or London", PARIS),
        ("Paris", -1),
        ("Kansas", KANSAS_CITY),
        ("Lake", SALT_LAKE_CITY),
        ("Paris (Texas)", PARIS),
        ("Paris (Canada)", PARIS),
        ("San Juan, Argentina", SAN_JUAN),
    ],
)
def test_words_do_not_name_a_city(words: str, city_id: int) -> None:
    assert not same_city(words, city_id)


@pytest.mark.parametrize(
    ("words", "region", "same"),
    [
        ("California", "US.CA", True),
        ("CA", "US.CA", True),
        ("State of California, USA", "US.CA", True),
        ("Bavaria", "DE.02", True),
        ("ile de france", "FR.11", True),
        ("Nairobi County", "KE.05", True),
        ("Freistaat Bayern", "DE.02", True),
        ("Tuscany", "IT.16", True),
        ("Toscana, Italia", "IT.16", True),
        ("東京都", "JP.40", True),
        ("Fukuoka-ken", "JP.07", True),
        ("浙江", "CN.02", True),
        ("Moscow", "RU.48", True),
        ("Moscow Oblast", "RU.48", False),
        ("Moscow Oblast", "RU.47", True),
        ("Krasnodar Krai", "RU.38", True),
        ("Washington, D.C.", "US.DC", True),
        ("Tuscany, Spain", "IT.16", False),
        ("Baja California", "US.CA", False),
        ("Georgia, Asia", "US.CA", False),
        ("Washington, D.C.", "US.WA", False),
        ("Washington (D.C.)", "US.WA", False),
        ("Washington, USA", "US.WA", True),
        ("Victoria, British Columbia", "AU.07", False),
        ("Victoria, Australia", "AU.07", True),
        ("NSW", "AU.02", True),
        ("VIC", "AU.07", True),
        ("ON", "CA.08", True),
        ("QC", "CA.10", True),
        ("BC, Canada", "CA.02", True),
        ("BC", "CA.08", False),
        ("Buenos Aires", "AR.07", True),
        ("Buenos Aires", "AR.01", True),  # the province around it
        ("CDMX", "MX.09", True),
        ("NRW", "DE.07", True),
        ("Baden-Wuerttemberg", "DE.01", True),
        ("Brussels", "BE.BRU", True),
        ("Metro Manila", "PH.NCR", True),
        ("Leningrad Oblast", "RU.42", True),
        ("Saint Petersburg", "RU.42", False),
        ("Primorsky Krai", "RU.59", True),
        ("Singapore", "SG.03", True),
        ("Macau", "MO.02", True),
        ("Malaysia", "SG.03", False),
        ("France", "FR.11", False),
        ("", "US.CA", False),
        ("California", "US.??", False),
    ],
)
def test_words_name_a_region(words: str, region: str, same: bool) -> None:
    assert same_region(words, region) is same
