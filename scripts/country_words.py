"""The names of countries for `build_places.py`: GeoNames', Unicode CLDR's, and common variants.

CLDR gives names in English, in Chinese (simplified and traditional), in each country's
official languages, and in other languages of many speakers. The variants here are what
people and models write besides.
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
    "AE": "UAE|U.A.E.|Emirates|阿联酋|阿拉伯联合酋长国|EAU|ОАЭ|Émirats|Emiratos Árabes",
    "AG": "Antigua",
    "BA": "Bosnia|Bosnia-Herzegovina|Bosnia & Herzegovina|波黑|Bosnie|Bosnien|波斯尼亚",
    "BN": "Brunei Darussalam|汶莱|汶萊|文莱",
    "BO": "Plurinational State of Bolivia|Bolivia, Plurinational State of",
    "BQ": "Bonaire|Caribbean Netherlands|Bonaire, Sint Eustatius and Saba",
    "BS": "The Bahamas|Bahamas, The",
    "BY": "Byelorussia|Belorussia|Weißrussland|Biélorussie|Белоруссия",
    "CC": "Cocos Islands",
    "CD": "DR Congo|DRC|D.R. Congo|Congo-Kinshasa|Congo (Kinshasa)|Congo DR|Congo, DR|Zaire"
    "|Congo, Democratic Republic of|Congo, Democratic Republic of the"
    "|Democratic Republic of Congo|Congo, The Democratic Republic of the"
    "|Congo (Democratic Republic)|Congo (Democratic Republic of the)|Dem. Rep. Congo|民主刚果"
    "|刚果民主共和国|剛果民主共和國|Congo, Dem. Rep.|RD Congo|RDC|刚果金|刚果（金）"
    "|剛果（金）",
    "CF": "Central African Rep.|中非",
    "CG": "Congo|Congo-Brazzaville|Congo (Brazzaville)|Congo, Republic of"
    "|Congo, Republic of the|Republic of Congo|Congo (Republic)|Congo Republic|刚果共和国"
    "|剛果共和國|Congo, Rep.|刚果|剛果|刚果布|刚果（布）|剛果（布）",
    "CI": "Ivory Coast|Cote d'Ivoire|Côte d'Ivoire|Republic of Côte d'Ivoire",
    "CN": "Mainland China|PRC|P.R. China|People's Republic of China|中华人民共和国"
    "|中華人民共和國|中国大陆|中國大陸|China, People's Republic of|China, PR|КНР",
    "CV": "Cape Verde|Cabo Verde|Cape Verde Islands",
    "CY": "Northern Cyprus|North Cyprus|Turkish Republic of Northern Cyprus|TRNC",
    "CZ": "Czech Republic|Czechia|捷克共和国|捷克共和國|捷克|Tschechische Republik"
    "|République tchèque|República Checa|Česká republika",
    "DE": "Federal Republic of Germany|德意志联邦共和国",
    "DO": "Dominican Rep.|多明尼加|多明尼加共和国|多明尼加共和國|多米尼加",
    "EG": "Arab Republic of Egypt|Egypt, Arab Rep.",
    "EH": "Western Sahara",
    "FK": "Falkland Islands|Falklands|Malvinas|Islas Malvinas|Falkland Islands (Malvinas)",
    "FM": "Micronesia|Federated States of Micronesia|Micronesia, Federated States of"
    "|Micronesia (Federated States of)|Micronesia, Fed. Sts.",
    "FR": "French Republic|Metropolitan France|法兰西",
    "GB": "UK|U.K.|United Kingdom of Great Britain and Northern Ireland|Great Britain|Britain"
    "|England|Scotland|Wales|Northern Ireland|英格兰|苏格兰|威尔士|北爱尔兰|大不列颠|联合王国"
    "|英格蘭|蘇格蘭|威爾士|北愛爾蘭|大不列顛|Großbritannien|Grande-Bretagne|Gran Bretaña"
    "|Gran Bretagna|Grã-Bretanha|Angleterre|Inglaterra|Inghilterra|Schottland|Écosse"
    "|Великобритания|Англия|İngiltere|Inggris|잉글랜드|イングランド",
    "GE": "Republic of Georgia|Sakartvelo",
    "GM": "The Gambia|Gambia, The",
    "GR": "Hellenic Republic|Hellas",
    "GS": "South Georgia",
    "HK": "Hong Kong|Hong Kong SAR|Hong Kong, China|Hong Kong, SAR China|China, Hong Kong SAR"
    "|Hongkong|中国香港|中國香港|香港特别行政区|香港特別行政區|香港|Hong Kong SAR, China|홍콩",
    "IE": "Republic of Ireland|Ireland, Republic of|Eire",
    "IL": "State of Israel",
    "IR": "Islamic Republic of Iran|Iran, Islamic Republic of|Iran (Islamic Republic of)"
    "|Persia|Iran, Islamic Rep.",
    "IT": "Italian Republic",
    "JP": "Nippon|Nihon|日本国",
    "KG": "Kyrgyz Republic|Kirghizia|Kirgizia",
    "KP": "DPRK|D.P.R.K.|Democratic People's Republic of Korea|Korea, North|Korea (North)"
    "|Korea, Democratic People's Republic of|Korea (Democratic People's Republic of)|北朝鲜"
    "|北韓|朝鲜民主主义人民共和国|Korea, Dem. People's Rep.|DPR Korea|北韩|朝鲜|朝鮮|北朝鮮",
    "KR": "Republic of Korea|Korea, Republic of|Korea, South|Korea (South)|Korea (Rep.)"
    "|Korea (Republic of)|Korea Republic|S. Korea|ROK|大韩民国|大韓民國|南韩|南韓|Korea, Rep."
    "|韓國|韩国|韓国|한국|남한",
    "LA": "Lao PDR|Lao People's Democratic Republic|Lao|老挝人民民主共和国",
    "LY": "Libyan Arab Jamahiriya|State of Libya",
    "MD": "Republic of Moldova|Moldova, Republic of|Moldavia|Moldavie|Moldau|Молдавия",
    "MF": "Saint Martin|Saint Martin (French part)|Collectivity of Saint Martin",
    "MK": "Macedonia|North Macedonia|FYR Macedonia|FYROM|Republic of North Macedonia"
    "|Republic of Macedonia|Macedonia, the former Yugoslav Republic of|TFYR Macedonia"
    "|The former Yugoslav Republic of Macedonia|马其顿|馬其頓|Macédoine|Mazedonien|Македония",
    "MM": "Burma|Myanmar|Republic of the Union of Myanmar|Birmanie|Birmania|Birma|Бирма|缅甸联邦",
    "MN": "蒙古国|蒙古國|外蒙古",
    "MO": "Macau|Macao|Macau SAR|Macao SAR|Macau, China|Macao, China|China, Macao SAR"
    "|中国澳门|中國澳門|澳门特别行政区|澳門特別行政區|澳门|澳門|Macao SAR, China|마카오",
    "MY": "西马来西亚",
    "NL": "Holland|Netherlands|The Netherlands|Kingdom of the Netherlands|荷兰王国"
    "|Netherlands, The|Holanda|Hollande|Olanda|Hollanda|Голландия",
    "NZ": "Aotearoa|Aotearoa New Zealand|纽西兰",
    "PG": "PNG",
    "PH": "Philippines, The",
    "PN": "Pitcairn Islands",
    "PS": "Palestine|State of Palestine|Palestine, State of|Palestinian Authority|West Bank"
    "|Palestinian Territories|Occupied Palestinian Territory|Gaza|Gaza Strip"
    "|West Bank and Gaza Strip|巴勒斯坦国|巴勒斯坦|West Bank and Gaza|Palestina|Палестина"
    "|فلسطين|팔레스타인|パレスチナ",
    "RE": "Reunion Island|La Réunion|Réunion",
    "RU": "Russian Federation|俄联邦|俄罗斯联邦|俄羅斯聯邦|俄国|俄國",
    "SA": "KSA|Kingdom of Saudi Arabia|沙特|沙特阿拉伯王国|沙烏地",
    "SG": "Republic of Singapore|星加坡",
    "SJ": "Svalbard|Jan Mayen",
    "SK": "Slovak Republic|Slovakia",
    "SO": "Somaliland|Somalia, Fed. Rep.",
    "ST": "Sao Tome|São Tomé and Principe|Sao Tome and Principe|São Tomé & Príncipe",
    "SX": "Sint Maarten (Dutch part)|Saint Maarten",
    "SY": "Syrian Arab Republic|Syria",
    "SZ": "Swaziland|Kingdom of Eswatini",
    "TC": "Turks and Caicos",
    "TL": "East Timor|Timor-Leste|Democratic Republic of Timor-Leste",
    "TR": "Turkey|Türkiye|Turkiye|Republic of Türkiye|Republic of Turkey|土耳其共和国",
    "TT": "Trinidad",
    "TW": "Taiwan|Taiwan, China|Taiwan, Province of China|Taiwan Province of China"
    "|Chinese Taipei|Republic of China|Taiwan, Republic of China|Taiwan, ROC|中国台湾"
    "|中國台灣|中國臺灣|臺灣|台灣|台湾|中华民国|中華民國|台湾省|臺灣省",
    "TZ": "United Republic of Tanzania|Tanzania, United Republic of",
    "UM": "US Minor Outlying Islands|United States Minor Outlying Islands",
    "US": "USA|U.S.A.|US|U.S.|U. S.|U. S. A.|United States|United States of America|America"
    "|The States|Estados Unidos|美利坚合众国|美利堅合眾國|美國|美国|合众国|アメリカ|米国"
    "|États-Unis d'Amérique|Estados Unidos de América|EE. UU.|EEUU|EUA|США|Америка"
    "|Соединенные Штаты Америки|ABD",
    "VA": "Vatican|Vatican City|Vatican City State|Holy See|Holy See (Vatican City State)"
    "|Vaticano|Vatikan",
    "VC": "Saint Vincent",
    "VE": "Bolivarian Republic of Venezuela|Venezuela, Bolivarian Republic of"
    "|Venezuela (Bolivarian Republic of)|Venezuela, RB",
    "VG": "British Virgin Islands|Virgin Islands, British|Virgin Islands (British)|BVI",
    "VI": "US Virgin Islands|U.S. Virgin Islands|United States Virgin Islands"
    "|Virgin Islands, U.S.|Virgin Islands (U.S.)|USVI",
    "VN": "Viet Nam|Socialist Republic of Vietnam",
    "XK": "Republic of Kosovo",
    "YE": "Yemen, Rep.|Republic of Yemen",
    "ZA": "RSA|Republic of South Africa",
}
"""Besides the names of GeoNames and CLDR, between bars."""

GONE = ("AN", "CS")
"""In GeoNames' list, but no longer in ISO 3166: the Netherlands Antilles, Serbia and Montenegro."""

CHINESE = ("zh_Hans", "zh_Hant", "zh_Hant_HK")

LANGUAGES = ("ja", "ko", "de", "fr", "es", "pt", "ru", "ar", "it", "tr", "vi", "id")
"""Those besides English and Chinese in which teachers write, whatever country they write of."""

SHORTEST = 4
"""Letters of a Latin name in `LANGUAGES`, at least: shorter ones are taken for codes, such as the
Vietnamese name of Austria, which without its accent is Angola's code."""

TOWNS = frozenset(("granada", "guadalupe", "salvador", "san martin", "santa elena", "santa lucia"))
"""Names in `LANGUAGES`, in plain words, that are better known as those of towns elsewhere: a text
that says Granada is rarely about Grenada."""


def country_names(countries: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Code, alpha-3, GeoNames' name and all other names of each country, sorted by code.

    What ISO 3166 no longer has is left out. A name that two countries would share is left to the
    one of the earlier source (GeoNames, variants, English, Chinese, the country's official
    languages, other languages); in one source, to neither.
    """
    owners: dict[str, str] = {}
    names: defaultdict[str, dict[str, str]] = defaultdict(dict)
    current = {code: country for code, country in countries.items() if code not in GONE}
    in_languages = (_in_english, _in_chinese, _in_own_languages, _in_others)
    for source in (_of_geonames, _of_variants, *in_languages):
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


def _in_others(code: str, country: dict[str, Any]) -> list[str]:
    return [
        name
        for name in _in_languages(code, LANGUAGES)
        if (plain := plain_words(name)) not in TOWNS
        and (len(plain) >= SHORTEST or not plain.isascii())
    ]


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
