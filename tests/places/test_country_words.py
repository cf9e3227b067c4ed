"""Which country a text names: codes, English names, variants, Chinese and native names."""

from __future__ import annotations

import pytest

from geostore.places import country_name, country_of_words


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("US", "US"),
        ("USA", "US"),
        ("usa", "US"),
        ("U.S.A.", "US"),
        ("the USA", "US"),
        ("**United States**", "US"),
        ("United States of America.", "US"),
        ("UK", "GB"),
        ("Great Britain", "GB"),
        ("England", "GB"),
        ("South Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Korea (South)", "KR"),
        ("Korea (Democratic People's Republic of)", "KP"),
        ("Czechia", "CZ"),
        ("Czech Republic", "CZ"),
        ("🇫🇷 France (mainland)", "FR"),
        ("France (FR)", "FR"),
        ("france", "FR"),
        ("  'France'\n", "FR"),
        ("Côte d’Ivoire", "CI"),
        ("Cote d'Ivoire", "CI"),
        ("St. Lucia", "LC"),
        ("Bosnia & Herzegovina", "BA"),
        ("Guinea Bissau", "GW"),
        ("Congo (Kinshasa)", "CD"),
        ("Congo (Brazzaville)", "CG"),
        ("Democratic Republic of the Congo", "CD"),
        ("Hong Kong", "HK"),
        ("Taiwan", "TW"),
        ("Myanmar (Burma)", "MM"),
        ("Georgia", "GE"),
        ("Georgia (country)", "GE"),
        ("Ireland (Northern)", "GB"),
        ("México", "MX"),
        ("Deutschland", "DE"),
        ("España", "ES"),
        ("Brasil", "BR"),
        ("Россия", "RU"),
        ("日本", "JP"),
        ("中国", "CN"),
        ("美國", "US"),
        ("韩国", "KR"),
        ("XK", "XK"),
        ("de", "DE"),
        ("FRA", "FR"),
        ("香港", "HK"),
        ("澳门", "MO"),
        ("巴勒斯坦", "PS"),
        ("韓國", "KR"),
        ("沙特", "SA"),
        ("蒙古国", "MN"),
        ("北韩", "KP"),
        ("马其顿", "MK"),
        ("刚果", "CG"),  # as "Congo" is
        ("刚果（金）", "CD"),
        ("俄国", "RU"),
        ("汶莱", "BN"),
        ("多明尼加", "DO"),
        ("捷克共和国", "CZ"),
        ("Bahamas, The", "BS"),
        ("Netherlands, The", "NL"),
        ("Congo, Rep.", "CG"),
        ("Congo, Dem. Rep.", "CD"),
        ("Egypt, Arab Rep.", "EG"),
        ("Iran, Islamic Rep.", "IR"),
        ("Yemen, Rep.", "YE"),
        ("KSA", "SA"),
        ("Kyrgyz Republic", "KG"),
        ("Svalbard", "SJ"),
        ("Nippon", "JP"),
        ("アメリカ", "US"),
        ("韓国", "KR"),
        ("미국", "US"),
        ("한국", "KR"),
        ("フランス", "FR"),
        ("Allemagne", "DE"),
        ("Германия", "DE"),
        ("Francia", "FR"),
        ("Hàn Quốc", "KR"),
        ("ألمانيا", "DE"),
        ("AO", "AO"),  # Áo is Vietnamese for Austria
        ("🇫🇷", "FR"),
        ("Scotland, UK", "GB"),
        ("Northern Ireland, UK", "GB"),
        ("Réunion, France", "RE"),
        ("法国，法国", "FR"),
        ("Greenland (Denmark)", "GL"),
        ("Puerto Rico (US)", "PR"),
    ],
)
def test_a_text_that_names_one_country_gives_its_code(text: str, country: str) -> None:
    assert country_of_words(text) == country


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Georgia, USA",
        "Georgia (US state)",
        "Georgia (USA)",
        "Georgia (state)",
        "Georgia (the U.S. state)",
        "Panama (city)",
        "United States, Puerto Rico",
        "Macedonia, Greece",
        "Denmark (Greenland)",
        "Spain, France",
        "Granada",
        "🇫🇷🇪🇸",
        "🇪🇺",
        "Congo (DRC)",
        "Paris, France",
        "France or Spain",
        "New Jersey",
        "New Mexico",
        "No idea",
        "Korea",
        "somewhere in France",
        "Serbia and Montenegro",
        "Netherlands Antilles",
        "Atlantis",
        "()",
    ],
)
def test_a_text_that_names_anything_else_or_more_gives_none(text: str) -> None:
    assert country_of_words(text) is None


def test_a_country_has_an_english_name_that_names_it() -> None:
    assert country_name("DE") == "Germany"
    assert country_name("XK") == "Kosovo"
    assert country_name("??") == "??"
    for code in ("US", "GB", "CD", "CG", "CI", "HK", "TL", "NL", "PS", "BQ"):
        assert country_of_words(country_name(code)) == code
