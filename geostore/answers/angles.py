"""Read one angle or one pair of angles: decimal degrees or degrees, minutes and seconds.

Every form uses the same grammar, a pattern with numbered groups. It matches a whole angle or
nothing: it fails on a number that goes on (48.85.1, 48,85,2), a range (48-49), a percentage, a
length in metres, and a hemisphere word that belongs to no number.
"""

import re
from dataclasses import dataclass

NO_COORDINATES = "no_coordinates"
ONE_NUMBER = "one_number"
AMBIGUOUS = "ambiguous"
OUT_OF_RANGE = "out_of_range"
NOT_FINITE = "not_finite"
UNKNOWN = "unknown"
REFUSED = "refused"
PLACEHOLDER = "placeholder"
HEMISPHERE_CONFLICT = "hemisphere_conflict"
TRUNCATED_BOX = "truncated_box"
TRUNCATED_ANSWER = "truncated_answer"

MAX_LAT = 90.0
MAX_LON = 180.0

POINT_NUMBER = r"[0-9]{1,20}(?:\.[0-9]{1,30})?(?![0-9]|\.[0-9])"
"""A number whose decimal mark is a point; a comma after it may separate it from the next."""
COMMA_NUMBER = r"[0-9]{1,3}(?:,[0-9]{1,30})?(?![0-9]|[.,][0-9])"
"""A number whose decimal mark is a comma."""
ANY_NUMBER = (
    r"(?:[0-9]{1,20}\.[0-9]{1,30}(?!\.?[0-9])|[0-9]{1,3},[0-9]{1,30}(?![.,]?[0-9])"
    r"|[0-9]{1,20}(?![.,]?[0-9]))"
)
"""A number with either decimal mark, for places where the text around it shows which."""

_BEFORE = (
    r"(?:[NSEW](?![A-Za-z])|(?i:north|south|east|west)(?![A-Za-z])|[北南][纬緯]|[东東西][经經経])"
)
_AFTER = (
    r"(?:[NSEWnsew](?![A-Za-z0-9])|(?i:north|south|east|west)(?![A-Za-z])"
    # Chinese puts the word first, so a word before a number belongs to that number.
    r"|(?:[北南][纬緯]?+|[东東西][经經経]?+)(?! ?[-+:0-9]))"
)
_NO_HEMISPHERE = (
    # In "33.8, East longitude: 151.2" the word belongs to the label after it.
    r"(?! ?[(,]? ?(?i:(?:north|south|east|west)(?!(?:ern)? l(?:at|on|ng))|[nsew](?![a-z0-9])))"
)
_NO_MORE = r"(?![A-Za-z0-9_°度-]| ?[±%]| - | ?(?:km|mi|miles|ft|m)(?![a-z]))"

BROKEN_OFF = re.compile(r" ?…|\.(?:\.|\s?\Z)")
"""What follows a whole number whose decimals are missing: "-46." at the end, "-46...", "-46…"."""

START = r"(?<![A-Za-z0-9_.°'+-])(?<![+-] )"
"""Refuses an angle right after a longer word or number, or after a sign and a space."""

_LON_LETTERS = frozenset("EW东東西")
_NEGATIVE_LETTERS = frozenset("SW南西")
_CARDINALS = str.maketrans("nsew", "NSEW")


def angle_pattern(group: int, *, number: str, start: str = START) -> str:
    """The pattern of an angle. Its groups are pre, sign, deg, mark, min, sec and post, each with
    the suffix `group`; the hemisphere is in `pre` or in `post`, never in both.
    """
    g = group
    return (
        rf"{start}(?:(?P<pre{g}>{_BEFORE}) ?:? ?)?(?P<sign{g}>[+-])?(?P<deg{g}>{number})"
        rf"(?: ?(?P<mark{g}>°|度|(?i:degrees?|deg)(?![A-Za-z])\.?)"
        rf"(?: ?(?P<min{g}>[0-9]{{1,3}}(?:\.[0-9]{{1,20}})?) ?(?:'(?!')|分)"
        rf"(?: ?(?P<sec{g}>[0-9]{{1,3}}(?:\.[0-9]{{1,20}})?) ?(?:''|[\"秒]))?+(?! ?[0-9])"
        r"|(?! ?[0-9])))?"
        rf"(?(pre{g})|(?:(?: ?\()?(?: ?(?P<post{g}>{_AFTER}))(?:(?<=[A-Za-z纬緯经經経])\))?"
        rf"|{_NO_HEMISPHERE})){_NO_MORE}"
    )


@dataclass(frozen=True, slots=True)
class Angle:
    """One angle as it is written."""

    degrees: float
    """With its sign; any value where `failure` is set."""
    axis: str | None
    """``lat`` or ``lon``, by the hemisphere letter; None without a letter."""
    failure: str | None = None
    """Why it cannot be read; None where it can."""
    precise: bool = False
    """Whether its number has decimals."""
    broken: bool = False
    """Whether its number ends in a decimal mark with nothing after it, as one that was cut does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One occurrence of a form in a text, and the point that it gives."""

    start: int
    """Offset of its first character."""
    end: int
    """Offset after its last character."""
    lat: float | None = None
    """Degrees, -90 to 90; None where `failure` is set."""
    lon: float | None = None
    """Degrees, -180 to 180; None where `failure` is set."""
    failure: str | None = None
    """Why it gives no point; None where it gives one."""
    swapped: bool = False
    """Whether the point is out of range, but in range with its numbers exchanged."""


def read_angle(match: re.Match[str], group: int) -> Angle:
    """The angle that `angle_pattern(group, ...)` matched; its hemisphere decides the sign."""
    degrees_text, sign, mark, minutes, seconds, before, after = match.group(
        *(f"{name}{group}" for name in ("deg", "sign", "mark", "min", "sec", "pre", "post"))
    )
    degrees = float(degrees_text.replace(",", "."))
    if minutes is not None:
        whole = degrees_text.isdigit() and (seconds is None or minutes.isdigit())
        if not whole or float(minutes) >= 60 or float(seconds or 0) >= 60:
            return Angle(degrees, None, AMBIGUOUS)
        degrees += float(minutes) / 60 + float(seconds or 0) / 3600
    letter = (before or after or "")[:1]
    if letter.islower() and len(before or after) == 1 and mark is None:
        return Angle(degrees, None, AMBIGUOUS)  # "e" and "s" are words in some languages
    letter = letter.translate(_CARDINALS)
    axis = None if not letter else "lon" if letter in _LON_LETTERS else "lat"
    southern_or_western = letter in _NEGATIVE_LETTERS if letter else sign == "-"
    if letter and sign == "-" and not southern_or_western:
        return Angle(degrees, axis, HEMISPHERE_CONFLICT)
    precise = not degrees_text.isdigit() or minutes is not None
    broken = not precise and BROKEN_OFF.match(match.string, match.end()) is not None
    signed = -degrees if southern_or_western else degrees
    return Angle(signed, axis, precise=precise, broken=broken)


def pair_reading(
    first: Angle, second: Angle, *, start: int, end: int, axes: tuple[str, str] = ("lat", "lon")
) -> Reading:
    """Two angles as a point. Letters name the axes; without any, `axes` gives the order."""
    failure = first.failure or second.failure or _broken_off(first, second)
    if failure:
        return Reading(start, end, failure=failure)
    if first.axis and first.axis == second.axis:
        return Reading(start, end, failure=HEMISPHERE_CONFLICT)
    first_axis = first.axis or (second.axis and _other(second.axis)) or axes[0]
    lat, lon = (first, second) if first_axis == "lat" else (second, first)
    return judge(lat.degrees, lon.degrees, start=start, end=end)


def labelled_reading(lat: Angle, lon: Angle, *, start: int, end: int) -> Reading:
    """Two labelled angles as a point; a letter that contradicts its label is a conflict."""
    failure = lat.failure or lon.failure or _broken_off(lat, lon)
    if not failure and (lat.axis == "lon" or lon.axis == "lat"):
        failure = HEMISPHERE_CONFLICT
    if failure:
        return Reading(start, end, failure=failure)
    return judge(lat.degrees, lon.degrees, start=start, end=end)


def judge(lat: float, lon: float, *, start: int, end: int) -> Reading:
    """The point, or a failure where it is out of range. Never wraps or swaps the numbers."""
    if abs(lat) <= MAX_LAT and abs(lon) <= MAX_LON:
        return Reading(start, end, lat + 0.0, lon + 0.0)  # + 0.0 turns -0.0 into 0.0
    swapped = abs(lon) <= MAX_LAT and abs(lat) <= MAX_LON
    return Reading(start, end, failure=OUT_OF_RANGE, swapped=swapped)


def _broken_off(first: Angle, second: Angle) -> str | None:
    """Beside a number with decimals, one that ends in its decimal mark has lost its own."""
    lost = (first.broken and second.precise) or (second.broken and first.precise)
    return AMBIGUOUS if lost else None


def same_decimal_mark(first: str, second: str) -> bool:
    """Whether two numbers as written do not have a point in one and a comma in the other."""
    return not (("." in first and "," in second) or ("," in first and "." in second))


def _other(axis: str) -> str:
    return "lon" if axis == "lat" else "lat"
