"""Writes the names of coordinates and hemispheres in other languages as the English ones.

Only words that mean nothing else are known: "Breite" is a width as often as a latitude. A letter
"O" is west in French and east in German, so no letter is translated. Chinese and Japanese names
have rules of their own (see `forms`).
"""

import re

_NAMES = {
    "latitude": "latitud|latitudine|breitengrad|geogr(?:aphische|\\.) breite|szerokość geograficzna"
    "|breedtegraad|enlem|vĩ độ|широта|위도|ละติจูด|خط العرض",
    "longitude": "longitud|longitudine|längengrad|geogr(?:aphische|\\.) länge|długość geograficzna"
    "|lengtegraad|boylam|kinh độ|долгота|경도|ลองจิจูด|خط الطول",
    "coordinates": "coordenadas|coordonnées|koordinaten|coördinaten|współrzędne"
    "|koordinatlar|tọa độ|координаты|坐标|座標|坐標|좌표|พิกัด|الإحداثيات",
}
_AFTER_A_NUMBER = {
    "north": "nord|norte|nördlich|с\\. ?ш\\.|северной широты",
    "south": "sud|sur|sul|süd|südlich|ю\\. ?ш\\.|южной широты",
    "east": "est|este|leste|ost|östlich|в\\. ?д\\.|восточной долготы",
    "west": "ouest|oeste|ovest|westlich|з\\. ?д\\.|западной долготы",
}
_BEFORE_A_NUMBER = {"北纬": "북위", "南纬": "남위", "东经": "동경", "西经": "서경"}
# "39.25° North latitude, 98.75° West longitude": the letter says as much.
_SPELLED_OUT = re.compile(
    r"(?P<number>[0-9°'\"] ?|deg(?:ree)?s?\.? )"
    r"(?:(?P<lat>north(?:ern)?|south(?:ern)?|[ns]) latitude"
    r"|(?P<lon>east(?:ern)?|west(?:ern)?|[ew]) longitude)"
    r"(?!\w|\s{0,2}(?:of|is|at|[:=(]|[+-]?[0-9]))",
    re.IGNORECASE,
)
_HINTS = ("coordenad", "koordinat", "grad", "breite", "breedte", "lengte", "enlem", "boylam")
_FOREIGN_HINTS = (
    *("län", "szerok", "długo", "vĩ độ", "kinh độ", "tọa độ", "coordon", "coördin", "współrz"),
    *("широт", "долгот", "координат", "위도", "경도", "좌표", "坐标", "座標", "坐標"),
    *("ละติจูด", "ลองจิจูด", "พิกัด", "خط", "الإحداثيات"),
)
_KOREAN_DEGREES = re.compile(r"(?<=[0-9]) ?도(?!\w)")


def _pattern(words: dict[str, str]) -> str:
    return "|".join(f"(?P<{name}>{others})" for name, others in words.items())


_NAME = re.compile(rf"(?<!\w)(?:{_pattern(_NAMES)})(?!\w)", re.IGNORECASE)
_HEMISPHERE = re.compile(rf"(?P<mark>[°'\"]) ?(?:{_pattern(_AFTER_A_NUMBER)})(?!\w)", re.IGNORECASE)
_KOREAN = re.compile(rf"(?:{_pattern(_BEFORE_A_NUMBER)})(?= ?[0-9])")


def in_english(text: str) -> str:
    """`text` with the words of the tables in English, where other languages write them."""
    lower = text.lower()
    hints = _HINTS if text.isascii() else (*_HINTS, *_FOREIGN_HINTS)
    if any(hint in lower for hint in hints) or _ends_without_e(lower):
        text = _NAME.sub(lambda word: word.lastgroup or "", text)
    if "°" in text:
        text = _HEMISPHERE.sub(lambda word: f"{word['mark']} {word.lastgroup}", text)
    if " latitude" in lower and " longitude" in lower:
        text = _SPELLED_OUT.sub(_letter, text)
    if "경" in text or "위" in text:
        text = _KOREAN_DEGREES.sub("°", _KOREAN.sub(lambda word: word.lastgroup or "", text))
    return text


def _letter(words: re.Match[str]) -> str:
    hemisphere: str = words["lat"] or words["lon"]
    return words["number"] + hemisphere[0].upper()


def _ends_without_e(lower: str) -> bool:
    return lower.count("itud") > lower.count("itude")
