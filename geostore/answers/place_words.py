"""Reads the place that an answer names in words: city, region and country, as the teacher wrote it.

Read are JSON members, labelled lines ("Country: France", also of a table, also Chinese), GeoAgent's
"Country; Region; Place", and "Paris, France" in an answer, in a box, as a location, or beside the
coordinates. A wrong place is worse than none: words that doubt, offer a choice, describe instead of
naming, or repeat the prompt are no place.

Source of the names: the prompts of GLOBE, GeoAgent, GeoVista, geospot, IMAGEO-Bench and GeoBench,
and what models write without one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from geostore.answers.passages import (
    Labels,
    Statement,
    blocks_of,
    final_block,
    find_lines,
    line_pattern,
)
from geostore.answers.place_lists import NO_WORDS, PlaceWords, words_of_list
from geostore.answers.place_names import is_country, is_of_state, name_key
from geostore.answers.place_values import (
    JOINED,
    clean_value,
    describes,
    is_name,
    is_part_of_country,
    is_part_of_world,
    is_phrase,
    parts_of,
    without_markup,
)
from geostore.answers.text import LETTERS

_LABELS: dict[str, tuple[str, ...]] = {
    "country": (
        *("country", "country/territory", "country or territory", "nation"),
        *("país", "pais", "pays", "paese", "land", "страна", "ülke"),
        *("国家", "國家", "国", "국가", "나라", "الدولة", "البلد"),
    ),
    "region": (
        *("region", "state", "province", "prefecture", "state/province", "province/state"),
        *("state/region", "region/state", "state or province", "state or region"),
        *("region/province", "province/region", "administrative region", "admin region", "admin1"),
        *("région", "región", "estado", "provincia", "bundesland", "регион"),
        *("省", "省份", "省级", "州", "省/州", "地区", "地區", "行政区", "都道府県", "지역"),
        "المنطقة",
    ),
    "city": (
        *("city", "town", "city/town", "town/city", "city or town", "municipality", "locality"),
        *("village", "town/village", "city/village", "city/town/village"),
        *("ciudad", "cidade", "ville", "stadt", "città", "город", "şehir"),
        *("城市", "市", "城镇", "都市", "도시", "المدينة"),
    ),
    "place": (
        *("location", "place", "address", "answer", "guess", "estimate"),
        *("ubicación", "lugar", "lieu", "место", "الموقع", "المكان"),
        *("位置", "地点", "地點", "地址", "拍摄地点", "拍摄地", "答案", "場所", "场所", "위치"),
    ),
}
_KINDS = {label: kind for kind, labels in _LABELS.items() for label in labels}

_MEMBERS: dict[str, tuple[str, ...]] = {
    "country": (
        *("country", "country name", "predicted country", "estimated country", "nation"),
        *("国家", "國家"),
    ),
    "region": (
        *("region", "state", "province", "admin1", "region name", "state name", "province name"),
        *("state province", "state/province", "state region", "province state", "adm1"),
        *("administrative region", "admin region", "prefecture", "predicted region", "省份", "省"),
    ),
    "city": (
        *("city", "town", "city name", "city town", "city/town", "city or town", "municipality"),
        *("locality", "nearest city", "predicted city", "estimated city", "城市", "市"),
    ),
    "place": (
        *("location", "address", "place", "answer", "finalanswer", "final answer", "place name"),
        *("location name", "full address", "predicted location", "estimated location"),
        *("地点", "位置"),
    ),
    "code": ("country code", "iso", "iso code"),
}
MEMBERS = frozenset(name for names in _MEMBERS.values() for name in names)
"""The names of JSON members that may say a place."""

LABELS = Labels(
    line_pattern("|".join(re.escape(label) for label in sorted(_KINDS, key=len, reverse=True))),
    hints=(
        *("countr", "city", "town", "region", "state", "provinc", "locat", "place", "nation"),
        *(
            "address",
            "answer",
            "guess",
            "estimate",
            "prefecture",
            "local",
            "municip",
            "admin",
            "village",
        ),
        *("pais", "pays", "paese", "estado", "bundesland", "ciudad", "cidade", "ville", "stadt"),
        *("lieu", "land", "lugar"),
    ),
    foreign_hints=(
        *(
            "国",
            "國",
            "省",
            "市",
            "州",
            "地",
            "位置",
            "答案",
            "行政",
            "拍摄",
            "城",
            "都",
            "場所",
            "场所",
        ),
        *("국", "나라", "도시", "위치", "지역"),
        *("país", "región", "région", "città", "ülke", "şehir", "ubicación"),
        *("стран", "город", "регион", "место"),
        *("الدولة", "البلد", "المنطقة", "المدينة", "الموقع", "المكان"),
    ),
)
"""What a place is labelled with in a line."""


def words_of_members(members: Mapping[str, str]) -> PlaceWords:
    """The place that JSON members name (see `passages.find_members`)."""
    values = {
        kind: next((members[name] for name in names if name in members), None)
        for kind, names in _MEMBERS.items()
    }
    words = _words_of(values["country"], values["region"], values["city"], lower=True)
    code = clean_value(values["code"]) if values["code"] else None
    if words.country is None and code and re.fullmatch("[A-Z]{2,3}", code):
        words = PlaceWords(code, words.region, words.city)
    return words_of_list(values["place"]) if not words and values["place"] else words


def words_of_lines(text: str, *, in_slot: bool) -> PlaceWords:
    """The place that the labelled lines of a passage name.

    in_slot: whether the coordinates stand in a box or an <answer> outside of it.
    """
    statements = find_lines(text, LABELS)
    if not statements:
        return NO_WORDS
    blocks = blocks_of(statements, _KINDS.__getitem__)
    places = [_words_of_block(block) for block in blocks]
    merged = _merged(places)
    if merged is not None:
        return merged
    chosen = final_block(text, blocks, in_slot=in_slot)
    return NO_WORDS if chosen is None else places[chosen]


def _words_of_block(block: list[Statement]) -> PlaceWords:
    values = {_KINDS[statement.name]: statement.value for statement in block}
    country = values.get("country", "A")
    lower = country == country.lower()  # then its city may be written the same way
    words = _words_of(values.get("country"), values.get("region"), values.get("city"), lower=lower)
    return words_of_list(values["place"]) if not words and "place" in values else words


def _merged(places: list[PlaceWords]) -> PlaceWords | None:
    """What several blocks say together; None where they disagree."""
    if len(places) == 1:
        return places[0]
    merged: list[str | None] = []
    for kind in ("country", "region", "city"):
        names = [name for place in places if (name := getattr(place, kind)) is not None]
        if len({name_key(name) for name in names}) > 1:
            return None
        merged.append(names[0] if names else None)
    return PlaceWords(*merged)


def _words_of(
    country: str | None, region: str | None, city: str | None, *, lower: bool
) -> PlaceWords:
    """The readable ones of labelled values. lower: whether names in lower case are names."""
    town, behind_town = _split(city, lower=lower)
    area, behind_area = _split(region, lower=lower)
    if area is not None and is_part_of_country(area):
        area = None
    name = (behind_town or behind_area) if country is None else _country(country)
    return PlaceWords(name, area, town)


_NAME_BEHIND = re.compile(
    r"\A[^,]{3,40}, (?:the|north|south|[^,]{0,20}\brepublic\b[^,]{0,20}|[^,]{1,30} of)\Z",
    re.IGNORECASE,
)
_SHORT_NAME_BEHIND = re.compile(
    r"[^\W\d_]{3,40}, (?:(?:Arab|Islamic|Dem\.|Fed\.) (?:People['’]s )?)?Rep\."
)
"""As the World Bank writes them: "Congo, Dem. Rep." is another country than "Congo"."""
_FLAG_ALONE = re.compile(
    r"\s*(?!🇪🇺|🇺🇳)(?P<flag>[\U0001f1e6-\U0001f1ff]{2})\s*(?:[(（](?P<remark>[^()（）]{1,60})[)）]\s*)?"
)
"""A country's flag, with a remark behind it or without."""
_NAMES_KEPT = 4096
_OF_BRITAIN = ("england", "scotland", "wales", "northern ireland")


# The same few names stand in most answers, and reading one takes longer than remembering it.
@lru_cache(maxsize=_NAMES_KEPT)
def _country(value: str) -> str | None:
    if _SHORT_NAME_BEHIND.fullmatch(value):
        return value
    flag = _FLAG_ALONE.fullmatch(without_markup(value))
    if flag:
        remark = flag["remark"]
        return flag["flag"] if remark is None else remark if is_country(remark) else None
    words = clean_value(value)
    if words is None or is_country(words):
        return words
    if _NAME_BEHIND.search(words):  # "Korea, South", "Congo, Democratic Republic of the"
        return words
    parts = [part for part in parts_of(words) if not is_part_of_world(part)]
    if len(parts) == 2 and name_key(parts[0]) in _OF_BRITAIN and is_country(parts[1]):
        return parts[1]
    countries = [part for part in parts if is_country(part)]
    if len(countries) == len(parts) == 2 and is_of_state(*parts):
        return parts[0]
    if len(parts) > 1 or countries:
        return countries[0] if len(countries) == 1 else None
    one_name = len(parts) == 1 and is_name(parts[0]) and not describes(parts[0])
    return parts[0] if one_name and not JOINED.search(parts[0]) else None


@lru_cache(maxsize=_NAMES_KEPT)
def _split(value: str | None, *, lower: bool) -> tuple[str | None, str | None]:
    """A labelled city or region, and the country that may stand behind it ("Lyon, France")."""
    words = clean_value(value) if value else None
    parts = parts_of(words) if words else []
    if not parts:
        return None, None
    country = parts[-1] if len(parts) > 1 and is_country(parts[-1]) else None
    name, *rest = parts
    if is_phrase(name) and not lower:
        return None, None
    readable = is_name(name, lower=lower) and not describes(name) and not JOINED.search(name)
    return (name if readable and all(map(is_name, rest)) else None), country


# --- without labels -----------------------------------------------------------------------------

_PAIR = re.compile(
    r"[+-]?[0-9]{1,3}(?:[.,][0-9]{1,20}|°)[^\n]{0,40}?[^0-9\n]"
    r"[+-]?[0-9]{1,3}(?:[.,][0-9]{1,20}|°)[0-9°'\"′″ .]{0,14}"
)
_PAIR_LABEL = re.compile(
    r"(?:(?:final|estimated|approximate|predicted)\s)?(?:coordinates?|coords|gps|latitude|longitude"
    r"|lat|lon|lng|long|location|answer|guess|approximately|approx|about|roughly|around|at|is|are"
    r"|坐标|位置|纬度|经度)\W*\Z",
    re.IGNORECASE,
)
_AFTER_PAIR = re.compile(
    r"\A(?:[\s°'\",;:)\]}|*–—-]|[NSEW](?![A-Za-z])){0,12}(?:(?:in|near|is)\s)?[(\[]?"
)
_IN_SENTENCE = re.compile(
    r"(?<!\S)(?:in|is|as|at|shows|be|depicts|of)\s{1,3}(?P<place>[^\W\d_a-z][^\n]{1,80})\Z"
)
_OPENING = " \t([{*:：|—–-$<>="
_LIST = re.compile("[,，;；]|[一-鿿]{3}")
_BESIDE = 600
"""Characters at the end of a response in which coordinates are looked for."""
_MAX_LINES = 12
_LONGEST_LIST = 200


def words_beside_coordinates(text: str) -> PlaceWords:
    """The place on the line of the last coordinates, or on the line before or after it."""
    lines = [line for line in text[-_BESIDE:].split("\n") if line.strip()][-_MAX_LINES:]
    for number in range(len(lines) - 1, -1, -1):
        pairs = list(_PAIR.finditer(lines[number]))
        if pairs:
            return _beside(lines, number, pairs[-1])
    return NO_WORDS


def _beside(lines: list[str], number: int, pair: re.Match[str]) -> PlaceWords:
    line = lines[number]
    before, after = line[: pair.start()], line[pair.end() :]
    around = [lines[at] for at in (number - 1, number + 1) if 0 <= at < len(lines)]
    candidates: list[str] = []
    if _may_be_list(before):
        before = without_markup(before).strip(_OPENING)
        for _ in range(3):
            before = _PAIR_LABEL.sub("", before).strip(_OPENING)
        in_sentence = _IN_SENTENCE.search(before)
        candidates += [in_sentence["place"], before] if in_sentence else [before]
    if _may_be_list(after):
        candidates.append(_AFTER_PAIR.sub("", after).rstrip(" .)]}*$"))
    for candidate in (*candidates, *around):
        if len(candidate) <= _LONGEST_LIST and _may_be_list(candidate):
            words = words_of_list(candidate, strict=True)
            if words:
                return words
    return NO_WORDS


def _may_be_list(text: str) -> bool:
    """Whether names may stand in a text: parted by commas, or in Chinese, which parts nothing."""
    return _LIST.search(text) is not None and LETTERS.search(text) is not None


def words_of_slot(content: str) -> PlaceWords:
    """The place that stands in a slot on a line of its own, alone or beside the coordinates."""
    places = []
    for line in without_markup(content).split("\n")[:_MAX_LINES]:
        pair = _PAIR.search(line)
        before = line[: pair.start()].rstrip(" ([") if pair else line
        after = _AFTER_PAIR.sub("", line[pair.end() :]) if pair else ""
        places += [words_of_list(piece) for piece in (before, after) if piece]
    return _merged(places) or NO_WORDS
