"""Find the last occurrence of each written form of a point in normalised text.

Each finder returns None where its form does not occur, else the `Reading` of its last
occurrence, valid or not. A single coordinate counts only where there is no pair.
Source of the forms: what models write when they are asked for a latitude and a longitude.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from geostore.answers.alternatives import list_without_choice
from geostore.answers.angles import (
    AMBIGUOUS,
    ANY_NUMBER,
    HEMISPHERE_CONFLICT,
    NO_COORDINATES,
    NOT_FINITE,
    ONE_NUMBER,
    PLACEHOLDER,
    TRUNCATED_ANSWER,
    UNKNOWN,
    Angle,
    Reading,
    angle_pattern,
    judge,
    labelled_reading,
    pair_reading,
    read_angle,
    same_decimal_mark,
)
from geostore.answers.words import failure_of_words

_Member = tuple[str, re.Match[str]]
"""One labelled coordinate: its axis and its match."""

# --- JSON members -------------------------------------------------------------------------------

_JSON_KEY = (
    r"[\"'](?i:(?:estimated|predicted|final|approx(?:imate)?|gps|center)_)?"
    r"(?P<key>(?i:latitude|lat|longitude|long|lng|lon))(?i:_(?:deg(?:rees)?|decimal))?[\"']\s?:\s?"
)
_JSON_NUMBER = r"(?P<number>[+-]?[0-9]{1,30}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,9})?)"
_JSON_LETTER = r"(?: ?°)?+(?: ?(?P<letter>[NSEW])(?![A-Za-z]))?+"
_JSON_STRING = r"(?P<quote>[\"'])(?P<string>[^\n{}]{0,60}?)(?P=quote)(?=\s?(?:[,}\]\"'/#]|\Z))"
_JSON_WORD = r"(?P<word>-?[A-Za-z<.…][^\s,{}\]\"']{0,40})"


def _json_member(number_end: str) -> re.Pattern[str]:
    number = rf"{_JSON_NUMBER}{_JSON_LETTER}(?={number_end})(?!\s?,?\s?[0-9])"
    return re.compile(rf"{_JSON_KEY}(?:{number}|{_JSON_STRING}|{_JSON_WORD})")


# A number at the very end of a response may have been cut off; one at the end of a slot cannot.
_JSON_IN_PROSE = _json_member(r"[\s,}\]]")
_JSON_IN_SLOT = _json_member(r"[\s,}\]]|\Z")
_JSON_CUT = re.compile(rf"{_JSON_KEY}[^{{}},\n]{{0,60}}\Z")
_JSON_REACH = 400
# Where JSON lets a number end, with what models put there: a line, a comment, a quote or a name
# without its comma, a tag, a unit.
_JSON_NUMBER_ENDS = re.compile(
    r" ?(?:[\n,}\]\"'/#(<—]|--|\Z|(?i:degrees?|deg|approx(?:imately)?|and)(?![A-Za-z]))"
)
_DIGIT = re.compile(r"[0-9]")
_STRING_ANGLE = re.compile(angle_pattern(1, number=ANY_NUMBER))


def find_json(text: str, *, slot: bool = False) -> Reading | None:
    """The last pair of lat and lon members of one object; the rest of it may be broken.

    An array of objects with different pairs is ambiguous: nothing says which of them is the answer.
    """
    pattern = _JSON_IN_SLOT if slot else _JSON_IN_PROSE
    members = [
        ("lat" if match["key"].lower().startswith("lat") else "lon", match)
        for match in pattern.finditer(text)
    ]
    reading = _last_pair(members, text=text, read=_json_value, joined=_in_one_object)
    cut = None if slot else _JSON_CUT.search(text, max(0, len(text) - 120))
    if cut and (not members or cut.start() > members[-1][1].start()):
        return Reading(cut.start(), len(text), failure=TRUNCATED_ANSWER)
    if len(members) > 2 and reading is not None and reading.failure is None:
        return list_without_choice(text, _json_pairs(members, text)) or reading
    return reading


def _json_pairs(members: Sequence[_Member], text: str) -> list[Reading]:
    pairs = _pairs_of(members, text=text, joined=_in_one_object)
    readings = (
        labelled_reading(
            _json_value(lat), _json_value(lon), start=min(lat.start(), lon.start()), end=lon.end()
        )
        for lat, lon in pairs
    )
    return [reading for reading in readings if reading.failure is None]


def _in_one_object(gap: str) -> bool:
    return len(gap) <= _JSON_REACH and "{" not in gap and "}" not in gap


def _json_value(match: re.Match[str]) -> Angle:
    if match["number"] is not None:
        if not _JSON_NUMBER_ENDS.match(match.string, match.end()):
            return Angle(0.0, None, AMBIGUOUS)  # -67. organ", 48 49, 48.85 or so
        number = float(match["number"])
        finite = abs(number) != float("inf")
        letter = match["letter"]
        if letter and number < 0 and letter in "NE":
            return Angle(number, None, HEMISPHERE_CONFLICT)
        return Angle(
            -abs(number) if letter and letter in "SW" else number,
            letter and ("lat" if letter in "NS" else "lon"),
            None if finite else NOT_FINITE,
            precise="." in match["number"].rstrip("."),
            broken=match["number"].endswith("."),
        )
    words = match["string"] if match["word"] is None else match["word"]
    angle = _STRING_ANGLE.fullmatch(words.strip())
    if angle:
        return read_angle(angle, 1)
    failure = failure_of_words(words) if words.strip() else UNKNOWN
    if failure == NO_COORDINATES and _DIGIT.search(words):
        failure = AMBIGUOUS
    return Angle(0.0, None, failure)


# --- labels -------------------------------------------------------------------------------------

_LAT = r"(?i:latitude|lat(?![a-z]))(?![A-Za-z0-9_])\.?"
_LON = r"(?i:longitude|long|lng|lon)(?![A-Za-z0-9_])\.?"
_HAN = r"(?P<han>(?<![经經経纬緯])[纬緯经經経]度|[北南][纬緯](?!度)|[东東西][经經経](?!度))"
_LABEL_START = r"(?<![A-Za-z0-9_])"
_HEDGE = (
    r"(?i:is|are|of|at|approximately|approx|about|around|roughly|estimated|estimate"
    r"|近似|约|約|为|為|是)"
)
_SEPARATOR = (
    r"(?: ?\((?P<note>[^()0-9\n]{0,30})\))?"
    rf"(?P<separator>(?:[=-]>|[\s:=|≈(\[→]|{_HEDGE}(?![A-Za-z])\.?){{0,12}}+)[\"']?"
)
# In "a similar latitude:\nLatitude: 39.25" the second name is no value of the first.
_VALUE_WORD = (
    rf"(?!(?:{_LAT}|{_LON})\s?[:=])(?P<word>(?:(?i:not)\s)?[A-Za-z<\[.…?未无無不][^\s,;|]{{0,30}})"
)
_MEMBER = re.compile(
    rf"(?:{_LABEL_START}(?:(?P<front>(?i:north|south|east|west))(?:ern)? )?"
    rf"(?:(?P<lat>{_LAT})|(?P<lon>{_LON}))|{_HAN}){_SEPARATOR}"
    rf"(?:{angle_pattern(1, number=ANY_NUMBER, start='')}|{_VALUE_WORD})"
)
_PAIR_GAP = r"(?P<gap>[\s,;/|&()\[\]]{0,6}+(?:and\s)?)"
_HEAD = re.compile(
    rf"(?:{_LABEL_START}(?:{_LAT}|(?P<lonfirst>{_LON}))\)?\s?(?:[,/&|;-]|and)?\s?\(?"
    rf"(?:{_LON}|{_LAT})|(?:[纬緯]度|(?P<hanlonfirst>[经經経]度))[\s,/和与與及]{{0,3}}[纬緯经經経]度)"
    rf"(?:[\s:=|≈()\[\]]|-{{2,}}+|{_HEDGE}(?![A-Za-z])\.?){{1,30}}+"
    rf"{angle_pattern(1, number=ANY_NUMBER, start='')}{_PAIR_GAP}"
    rf"{angle_pattern(2, number=ANY_NUMBER, start='')}(?!,? ?[+-]?[0-9])"
)
_LABEL_AT_END = re.compile(
    rf"(?:(?P<lat>{_LAT}|[纬緯]度)|(?P<lon>{_LON}|[经經経]度))(?:[\s,/&|;()-]{{0,4}}and)?\Z"
)
_LAT_NEXT = re.compile(rf"[\s,;|/°]{{0,6}}+{_LAT}\s?[:=]")
_LON_NEXT = re.compile(rf"[\s,;|/°]{{0,6}}+{_LON}\s?[:=]")
_WHOLE_WORD = re.compile(r"(?i:itude)\.\Z")
_LABEL_ENDS = ("e", "t", "g", "n", ".", "and", "度", "E", "T", "G", "N")
_BETWEEN_LABELS = " \n,/&|;()-"
_SURE_SEPARATOR = re.compile(r"[:=|\n]")
_COMPASS = re.compile(r"(?<![A-Za-z])(?:[NSEW]|(?i:north|south|east|west)(?i:ern)?)(?![A-Za-z])")
_LABEL_REACH = 60


def find_labelled(text: str, *, slot: bool = False) -> Reading | None:
    """The last latitude and longitude beside their names, in either order."""
    members = [
        (_label_axis(match), match)
        for match in _MEMBER.finditer(text)
        if _is_label(text, match, slot=slot)
    ]
    pair = _last_pair(members, text=text, read=_label_value, joined=_joins_labels)
    headed = _last_of(
        pair_reading(
            read_angle(match, 1),
            read_angle(match, 2),
            start=match.start(),
            end=match.end(),
            axes=("lon", "lat") if match["lonfirst"] or match["hanlonfirst"] else ("lat", "lon"),
        )
        for match in _HEAD.finditer(text)
        if _parted(match) and same_decimal_mark(match["deg1"], match["deg2"])
    )
    if pair and headed:
        alone = pair.failure == ONE_NUMBER
        return headed if alone or headed.end >= pair.end else pair
    return headed or pair


def _is_label(text: str, match: re.Match[str], *, slot: bool) -> bool:
    """Whether the match is a coordinate's name and value, and not other words that look alike."""
    if not match["han"] and _names_a_pair(text, match):
        return False
    sure = slot or match["han"] or _SURE_SEPARATOR.search(match["separator"])
    if match["word"] is not None:
        return bool(sure) and failure_of_words(match["word"]) != NO_COORDINATES
    full_name = len(match["lat"] or match["lon"] or "") > len("long.")
    return bool(sure or full_name or match["mark1"] or re.search("[.,]", match["deg1"]))


def _names_a_pair(text: str, match: re.Match[str]) -> bool:
    """Whether the name before belongs to it: "latitude, longitude: 1, 2" gives no longitude 1."""
    before = text[max(0, match.start() - 24) : match.start()].rstrip(_BETWEEN_LABELS)
    if not before.endswith(_LABEL_ENDS):
        return False
    name = _LABEL_AT_END.search(before)
    if name is None or _WHOLE_WORD.search(before):  # "at a similar latitude." ends a sentence
        return False
    if match["lat"]:
        return name["lon"] is not None and not _LON_NEXT.match(text, match.end())
    return name["lat"] is not None and not _LAT_NEXT.match(text, match.end())


def _label_axis(match: re.Match[str]) -> str:
    han = match["han"]
    if han:
        return "lat" if han[0] in "北南纬緯" else "lon"
    return "lat" if match["lat"] else "lon"


def _label_value(match: re.Match[str]) -> Angle:
    if match["word"] is not None:
        return Angle(0.0, None, failure_of_words(match["word"]))
    if match.string.startswith(".", match.end()) and _is_in_object(match):
        return Angle(0.0, None, AMBIGUOUS)  # {lat: -17, long: -67. organ"}
    angle = read_angle(match, 1)
    note = _COMPASS.search(match["note"] or "")
    han = match["han"] if match["han"] and match["han"][0] in "北南东東西" else ""
    letter = (han or match["front"] or (note[0] if note else ""))[:1].upper()
    if not letter or angle.failure:
        return angle
    axis = "lat" if letter in "NS北南" else "lon"
    negative = letter in "SW南西"
    if angle.axis is not None:
        agrees = angle.axis == axis and (angle.degrees <= 0 if negative else angle.degrees >= 0)
        return angle if agrees else Angle(angle.degrees, axis, HEMISPHERE_CONFLICT)
    if match["sign1"] == "-" and not negative:
        return Angle(angle.degrees, axis, HEMISPHERE_CONFLICT)
    return Angle(-abs(angle.degrees) if negative else angle.degrees, axis)


def _is_in_object(match: re.Match[str]) -> bool:
    """Whether a brace is open before it, so that a full stop ends no sentence but a number."""
    before = match.string[max(0, match.start() - _LABEL_REACH) : match.start()]
    return before.rfind("{") > before.rfind("}")


def _joins_labels(gap: str) -> bool:
    return (
        len(gap) <= _LABEL_REACH
        and not any(character.isdigit() for character in gap)
        and not _COMPASS.search(gap)
        and not set(gap) & {"{", "}"}
    )


# --- parentheses --------------------------------------------------------------------------------

_POINT = r"[+-]?[0-9]{1,20}\.[0-9]{1,30}"
_COMMA = r"[+-]?[0-9]{1,3},[0-9]{1,30}"
_PARENTHESES = re.compile(
    rf"(?<![A-Za-z0-9_])\( ?(?:(?P<a>{_POINT}) ?°? ?[,;] ?(?P<b>{_POINT})"
    rf"|(?P<c>{_COMMA}) ?°? ?; ?(?P<d>{_COMMA})) ?°? ?\)"
)


# Shares of the image's size. Places with such coordinates are all in the Gulf of Guinea; 0, 0 is
# what a teacher writes who does not know.
_SHARE = r"(?:0\.[0-9]{1,4}|1\.0{1,4})"
_IMAGE_POINT = re.compile(rf"\( ?(?!0\.0+ ?[,;] ?0\.0+ ?\)){_SHARE} ?[,;] ?{_SHARE} ?\)")
# Between two corners of a box.
_TO_CORNER = re.compile(r"\s?(?:[,;→–—-]|\.{2,3}|to|x)?\s?")


def find_parentheses(text: str) -> Reading | None:
    """The last `(lat, lon)` whose numbers both have a decimal mark.

    Not a corner of a box, `(12.5, 34.5), (56.5, 78.5)`, nor a point of the image, `(0.12, 0.34)`.
    """
    matches = list(_PARENTHESES.finditer(text))
    corners = {
        corner
        for first, second in pairwise(matches)
        if _TO_CORNER.fullmatch(text, first.end(), second.start())
        for corner in (first, second)
    }
    readings = (
        judge(
            float((match["a"] or match["c"]).replace(",", ".")),
            float((match["b"] or match["d"]).replace(",", ".")),
            start=match.start(),
            end=match.end(),
        )
        for match in matches
        if match not in corners and not _IMAGE_POINT.fullmatch(match[0])
    )
    return _last_of(readings)


# --- named coordinates and a bare pair ----------------------------------------------------------

_DECIMALS = rf"(?:{_POINT} ?°?\s?[,;/ ]\s?{_POINT}|{_COMMA} ?°? ?; ?{_COMMA}) ?°?"
# Coordinates of a box or of pixels look the same, so only words that a place goes with may precede.
_COORDINATES = re.compile(
    r"(?:(?:\A|[\n.;:!?>|-])\s?[\"']?|[{,]\s?[\"']|(?<![a-z])(?:gps|geographic(?:al)?|estimated"
    r"|approximate|approx\.?|exact|final|predicted|decimal|likely|best|central|guess(?:ed)?|inferred|map|location|the|my|their"
    r"|its|answer) )"
    r"(?:(?:gps|geographic(?:al)?|estimated|approximate|final|predicted|decimal|location)\s){0,3}"
    r"(?:coordinates?|coords?|gps|(?<=final )answer|(?<![a-z] )answer)(?: ?\([^()0-9\n]{0,30}\))?"
    r"(?:[\"']?\s?[:=|]|\s(?:is|are)|(?=\n))(?:[\s~≈]|(?:approximately|approx\.?|about|around|roughly)\s){0,4}"
    rf"(?:(?<![\"']:)(?<![\"']:\s)\[|[\"'])?(?P<pair>{_DECIMALS})[\]\"']?"
    r"(?![0-9A-Za-z_.,:]?[0-9A-Za-z_]| ?[,;/] ?[+-]?[0-9]| ?%"
    r"| ?(?:km|mi|miles|ft|m|px|pixels)(?![a-z]))",
    re.IGNORECASE,
)
_NUMBERS = re.compile(rf"{_POINT}|{_COMMA}")
# An answer may be any numbers; two decimals in each make it a place.
_ROUGH_ANSWER = re.compile(
    r"answer[^0-9]{1,40}(?:[0-9]+[.,]|[0-9.,]+[^0-9]+[0-9]+[.,])[0-9](?![0-9])", re.IGNORECASE
)
_LON_FIRST = re.compile(rf"\( ?{_LON}", re.IGNORECASE)
_BARE = re.compile(rf"[\s\"']*(?P<pair>{_DECIMALS})[\s\"']*\.?\s*")


def find_coordinates(text: str) -> Reading | None:
    """The last `Coordinates: lat, lon`, both with a decimal mark; not where it says lon first.

    Nor where both lie between 0 and 1: that is a point of the image far more often than one in the
    Gulf of Guinea.
    """
    readings = (
        _decimals(match)
        for match in _COORDINATES.finditer(text)
        if not _LON_FIRST.search(match[0]) and not _ROUGH_ANSWER.search(match[0])
    )
    return _last_of(reading for reading in readings if not _in_unit_square(reading))


def find_bare(text: str) -> Reading | None:
    """A text that is one pair of numbers with decimal marks and nothing else."""
    match = _BARE.fullmatch(text)
    return _decimals(match) if match else None


def _in_unit_square(reading: Reading) -> bool:
    lat, lon = reading.lat, reading.lon
    return lat is not None and lon is not None and 0 <= lat <= 1 and 0 <= lon <= 1


def _decimals(match: re.Match[str]) -> Reading:
    lat, lon = (float(number.replace(",", ".")) for number in _NUMBERS.findall(match["pair"]))
    return judge(lat, lon, start=match.start(), end=match.end())


# --- what the forms share -----------------------------------------------------------------------


def _last_pair(
    members: Sequence[_Member],
    *,
    text: str,
    read: Callable[[re.Match[str]], Angle],
    joined: Callable[[str], bool],
) -> Reading | None:
    """The last latitude and longitude with nothing but a joining gap between them.

    Pairs are made from the left, so that a lone coordinate after a pair does not break the pair.
    A pair that only repeats the prompt does not hide an earlier one.
    """
    last: Reading | None = None
    for lat, lon in reversed(_pairs_of(members, text=text, joined=joined)):
        first, second = sorted((lat, lon), key=lambda match: match.start())
        reading = labelled_reading(read(lat), read(lon), start=first.start(), end=second.end())
        if reading.failure != PLACEHOLDER:
            return reading
        last = last or reading
    if last is None and members:
        alone = members[-1][1]
        return Reading(alone.start(), alone.end(), failure=read(alone).failure or ONE_NUMBER)
    return last


def _pairs_of(
    members: Sequence[_Member], *, text: str, joined: Callable[[str], bool]
) -> list[tuple[re.Match[str], re.Match[str]]]:
    """Each latitude with its longitude, from the left."""
    pairs: list[tuple[re.Match[str], re.Match[str]]] = []
    waiting: _Member | None = None
    for member in members:
        if (
            waiting is None
            or waiting[0] == member[0]
            or not joined(text[waiting[1].end() : member[1].start()])
        ):
            waiting = member
        else:
            is_lat = waiting[0] == "lat"
            pairs.append((waiting[1], member[1]) if is_lat else (member[1], waiting[1]))
            waiting = None
    return pairs


def _last_of(readings: Iterable[Reading]) -> Reading | None:
    last = deque(readings, maxlen=1)
    return last[0] if last else None


def _parted(match: re.Match[str]) -> bool:
    """Whether something stands between the two numbers of a pair (48-2 is a range)."""
    return bool(match["gap"])
