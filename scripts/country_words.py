"""The names of countries for `build_places.py`: GeoNames', Unicode CLDR's, and common variants.

CLDR gives names in English, in Chinese (simplified and traditional) and in each
country's official languages. The variants here are what people and models write besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from babel import Locale
from babel.core import UnknownLocaleError
from babel.languages import get_official_languages

from geostore.places.spelling import plain_words

VARIANTS = {
    "AE": "UAE|U.A.E.|Emirates|阿联酋|阿拉伯联合酋长国",
    "AG": "Antigua",
    "BA": "Bosnia|Bosnia-Herzegovina|Bosnia & Herzegovina|波黑",
    "BN": "Brunei Darussalam",
    "BO": "Plurinational State of Bolivia|Bolivia, Plurinational State of",
    "BQ": "Bonaire|Caribbean Netherlands|Bonaire, Sint Eustatius and Saba",
    "BS": "The Bahamas",
    "BY": "Byelorussia|Belorussia",
    "CD": "DR Congo|DRC|D.R. Congo|Congo-Kinshasa|Congo (Kinshasa)|Congo DR|Congo, DR|Zaire"
    "|Congo, Democratic Republic of|Congo, Democratic Republic of the|Democratic Republic of Congo"
    "|Congo, The Democratic Republic of the|Congo (Democratic Republic)"
    "|Congo (Democratic Republic of the)|Dem. Rep. Congo|民主刚果|刚果民主共和国|剛果民主共和國",
    "CG": "Congo|Congo-Brazzaville|Congo (Brazzaville)|Congo, Republic of|Congo, Republic of the"
    "|Republic of Congo|Congo (Republic)|Congo Republic|刚果共和国|剛果共和國",
    "CI": "Ivory Coast|Cote d'Ivoire|Côte d'Ivoire|Republic of Côte d'Ivoire",
    "CN": "Mainland China|PRC|P.R. China|People's Republic of China|中华人民共和国|中華人民共和國"
    "|中国大陆|中國大陸",
    "CV": "Cape Verde|Cabo Verde|Cape Verde Islands",
    "CZ": "Czech Republic|Czechia",
    "DE": "Federal Republic of Germany|德意志联邦共和国",
    "EG": "Arab Republic of Egypt",
    "EH": "Western Sahara",
    "FK": "Falkland Islands|Falklands|Malvinas|Islas Malvinas|Falkland Islands (Malvinas)",
    "FM": "Micronesia|Federated States of Micronesia|Micronesia, Federated States of"
    "|Micronesia (Federated States of)",
    "FR": "French Republic|Metropolitan France|法兰西",
    "GB": "UK|U.K.|United Kingdom of Great Britain and Northern Ireland|Great Britain|Britain"
    "|England|Scotland|Wales|Northern Ireland|英格兰|苏格兰|威尔士|北爱尔兰|大不列颠|联合王国"
    "|英格蘭|蘇格蘭|威爾士|北愛爾蘭|大不列顛",
    "GE": "Republic of Georgia|Sakartvelo",
    "GM": "The Gambia|Gambia, The",
    "GR": "Hellenic Republic|Hellas",
    "HK": "Hong Kong|Hong Kong SAR|Hong Kong, China|Hong Kong, SAR China|China, Hong Kong SAR"
    "|Hongkong|中国香港|中國香港|香港特别行政区|香港特別行政區",
    "IR": "Islamic Republic of Iran|Iran, Islamic Republic of|Iran (Islamic Republic of)|Persia",
    "IE": "Republic of Ireland|Ireland, Republic of|Eire",
    "IT": "Italian Republic",
    "KP": "DPRK|D.P.R.K.|Democratic People's Republic of Korea|Korea, North|Korea (North)"
    "|Korea, Democratic People's Republic of|Korea (Democratic People's Republic of)|北朝鲜|北韓"
    "|朝鲜民主主义人民共和国",
    "KR": "Republic of Korea|Korea, Republic of|Korea, South|Korea (South)|Korea (Rep.)"
    "|Korea (Republic of)|Korea Republic|S. Korea|ROK|大韩民国|大韓民國|南韩|南韓",
    "LA": "Lao PDR|Lao People's Democratic Republic|Lao|老挝人民民主共和国",
    "LY": "Libyan Arab Jamahiriya|State of Libya",
    "MD": "Republic of Moldova|Moldova, Republic of|Moldavia",
    "MF": "Saint Martin|Saint Martin (French part)|Collectivity of Saint Martin",
    "MK": "Macedonia|North Macedonia|FYR Macedonia|FYROM|Republic of North Macedonia"
    "|Republic of Macedonia|Macedonia, the former Yugoslav Republic of|TFYR Macedonia"
    "|The former Yugoslav Republic of Macedonia",
    "MM": "Burma|Myanmar|Republic of the Union of Myanmar",
    "MO": "Macau|Macao|Macau SAR|Macao SAR|Macau, China|Macao, China|China, Macao SAR|中国澳门"
    "|中國澳門|澳门特别行政区|澳門特別行政區",
    "MY": "西马来西亚",
    "NL": "Holland|Netherlands|The Netherlands|Kingdom of the Netherlands|荷兰王国",
    "NZ": "Aotearoa|Aotearoa New Zealand|纽西兰",
    "PG": "PNG",
    "PN": "Pitcairn Islands",
    "PS": "Palestine|State of Palestine|Palestine, State of|Palestinian Authority|West Bank"
    "|Palestinian Territories|Occupied Palestinian Territory|Gaza|Gaza Strip"
    "|West Bank and Gaza Strip|巴勒斯坦国",
    "RE": "Reunion Island|La Réunion|Réunion",
    "RU": "Russian Federation|俄联邦|俄罗斯联邦|俄羅斯聯邦",
    "SK": "Slovak Republic|Slovakia",
    "ST": "Sao Tome|São Tomé and Principe|Sao Tome and Principe|São Tomé & Príncipe",
    "SX": "Sint Maarten (Dutch part)|Saint Maarten",
    "SY": "Syrian Arab Republic|Syria",
    "SZ": "Swaziland|Kingdom of Eswatini",
    "TL": "East Timor|Timor-Leste|Democratic Republic of Timor-Leste",
    "TR": "Turkey|Türkiye|Turkiye|Republic of Türkiye|Republic of Turkey|土耳其共和国",
    "TT": "Trinidad",
    "TW": "Taiwan|Taiwan, China|Taiwan, Province of China|Taiwan Province of China|Chinese Taipei"
    "|Republic of China|Taiwan, Republic of China|Taiwan, ROC|中国台湾|中國台灣|中國臺灣|臺灣|台灣"
    "|台湾|中华民国|中華民國|台湾省|臺灣省",
    "TZ": "United Republic of Tanzania|Tanzania, United Republic of",
    "UM": "US Minor Outlying Islands|United States Minor Outlying Islands",
    "US": "USA|U.S.A.|US|U.S.|U. S.|U. S. A.|United States|United States of America|America"
    "|The States|Estados Unidos|美利坚合众国|美利堅合眾國|美國|美国|合众国",
    "VA": "Vatican|Vatican City|Vatican City State|Holy See|Holy See (Vatican City State)",
    "VC": "Saint Vincent",
    "VE": "Bolivarian Republic of Venezuela|Venezuela, Bolivarian Republic of"
    "|Venezuela (Bolivarian Republic of)",
    "VG": "British Virgin Islands|Virgin Islands, British|Virgin Islands (British)|BVI",
    "VI": "US Virgin Islands|U.S. Virgin Islands|United States Virgin Islands"
    "|Virgin Islands, U.S.|Virgin Islands (U.S.)|USVI",
    "VN": "Viet Nam|Socialist Republic of Vietnam",
    "XK": "Republic of Kosovo",
}
"""Besides the names of GeoNames and CLDR, between bars."""

GONE = ("AN", "CS")
"""In GeoNames' list, but no longer in ISO 3166: the Netherlands Antilles, Serbia and Montenegro."""

CHINESE = ("zh_Hans", "zh_Hant", "zh_Hant_HK")


def country_names(countries: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Code, alpha-3, GeoNames' name and all other names of each country, sorted by code.

    What ISO 3166 no longer has is left out. A name that two countries would share is left to the
    one of the earlier source (GeoNames, variants, English, Chinese, the country's official
    languages); in one source, to neither.
    """
    owners: dict[str, str] = {}
    names: defaultdict[str, dict[str, str]] = defaultdict(dict)
    current = {code: country for code, country in countries.items() if code not in GONE}
    for source in (_of_geonames, _of_variants, _in_english, _in_chinese, _in_own_languages):
        claims: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for code, country in current.items():
            for name in source(code, country):
                claims[plain_words(name)].setdefault(code, " ".join(name.split()))
        for plain, claimed in claims.items():
            if len(claimed) == 1 and plain not in owners:
                ((code, name),) = claimed.items()
                owners[plain] = code
                names[code][plain] = name
    for code, country in sorted(current.items()):
        own = " ".join(country["name"].split())
        others = [name for name in names[code].values() if name != own]
        yield code, country["iso3"], own, "|".join(others)


def _of_geonames(code: str, country: dict[str, Any]) -> list[str]:
    return [country["name"]]


def _of_variants(code: str, country: dict[str, Any]) -> list[str]:
    return VARIANTS[code].split("|") if code in VARIANTS else []


def _in_english(code: str, country: dict[str, Any]) -> list[str]:
    return _in_languages(code, ["en"])


def _in_chinese(code: str, country: dict[str, Any]) -> list[str]:
    return _in_languages(code, CHINESE)


def _in_own_languages(code: str, country: dict[str, Any]) -> list[str]:
    return _in_languages(code, get_official_languages(code, de_facto=True))


def _in_languages(code: str, tags: Iterable[str]) -> list[str]:
    names = []
    for tag in tags:
        try:
            name = Locale.parse(tag).territories.get(code)
        except (UnknownLocaleError, ValueError):
            continue  # CLDR does not have the language
        if name:
            # Such as "Myanmar (Burma)", both of which are names.
            names += [name, *(part.strip(" )") for part in name.split("(") if "(" in name)]
    return [name for name in names if name]
