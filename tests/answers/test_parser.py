"""Coordinates from text: every form, normalisation, failure and flag, and the bound on the work."""

import random
import string
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geostore.answers import FAILURES, FORMS, has_answer, parse_answer, parser, slots
from geostore.answers.text import (
    WINDOW,
    normalise,
    normalise_slot,
    says_placeholder,
    tail,
)
from geostore.stated import Answer, Stated

DMS_LAT = 48 + 51 / 60 + 24 / 3600
DMS_LON = 2 + 21 / 60 + 3 / 3600


def case(response: str, lat: float, lon: float, *flags: str) -> object:
    return pytest.param(response, lat, lon, flags, id=repr(response)[:70])


def fails(response: str, failure: str, form: str | None, *flags: str) -> object:
    return pytest.param(response, failure, form, flags, id=repr(response)[:70])


def assert_reads(response: str, form: str, lat: float, lon: float, flags: tuple[str, ...]) -> None:
    answer = parse_answer(response)
    assert (answer.form, answer.failure, answer.flags) == (form, None, flags)
    assert answer.lat == pytest.approx(lat, abs=1e-12)
    assert answer.lon == pytest.approx(lon, abs=1e-12)


def assert_fails(response: str, form: str | None, failure: str, flags: tuple[str, ...]) -> None:
    answer = parse_answer(response)
    assert replace(answer, stated=Stated()) == Answer(None, None, form, failure, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case(r"<answer>\boxed{48.8566, 2.3522}</answer>", 48.8566, 2.3522),
        case(r"It is Sydney: \boxed{-33.8688,151.2093}.", -33.8688, 151.2093),
        case(r"$$\boxed{48.8566, 2.3522}$$", 48.8566, 2.3522),
        case(r"\boxed{$48.8566$, $2.3522$}", 48.8566, 2.3522),
        case(r"\boxed {48.8566 2.3522}", 48.8566, 2.3522),
        case(r"\boxed{(48.8566, 2.3522)}", 48.8566, 2.3522),
        case(r"\boxed{\left(48.8566,\ 2.3522\right)}", 48.8566, 2.3522),
        case(r"\boxed{\text{48.8566, 2.3522}}", 48.8566, 2.3522),
        case(r"\boxed{\textbf{48.8566}, \mathrm{2.3522}}", 48.8566, 2.3522),
        case(r"\boxed{48.8566°, 2.3522°}", 48.8566, 2.3522),
        case(r"\boxed{33.8688^\circ \text{S}, 70.6^\circ \text{W}}", -33.8688, -70.6),
        case(r"\boxed{33.8688^{\circ}\mathrm{S},\,70.6^{\circ}\mathrm{W}}", -33.8688, -70.6),
        case(r"\boxed{S 33.8688, W 70.6}", -33.8688, -70.6),
        case(r"\boxed{2.3522 E, 48.8566 N}", 48.8566, 2.3522),
        case(r"\boxed{48.8566 N, 2.3522}", 48.8566, 2.3522),
        case(r"""\boxed{48°51'24"N, 2°21'03"E}""", DMS_LAT, DMS_LON),
        case(
            r"\boxed{48^\circ 51^\prime 24^{\prime\prime} N, 2^\circ 21' 03'' W}", DMS_LAT, -DMS_LON
        ),
        case(r"\boxed{\text{Latitude: }48.8566, \text{Longitude: }2.3522}", 48.8566, 2.3522),
        case(r"\boxed{lon 2, lat 48}", 48, 2),
        case(r'\boxed{{"lat": 48.8566, "lon": 2.3522}}', 48.8566, 2.3522),
        case(r'\boxed{\{"lon": 2.3522, "lat": 48.8566\}}', 48.8566, 2.3522),
        case(r"\boxed{48.8566, 2.3522 \text{ (Paris, France)}}", 48.8566, 2.3522),
        case(r"\boxed{Paris: 48.8566; 2.3522}", 48.8566, 2.3522),
        case(r"\boxed{'48.8566, 2.3522'}", 48.8566, 2.3522),
        case(r"\boxed{\approx 48.8566, 2.3522}", 48.8566, 2.3522),
        case(r"\boxed{48,8566; 2,3522}", 48.8566, 2.3522),
        case(r"\boxed{48{,}8566; -2{,}3522}", 48.8566, -2.3522),
        case(r"\boxed{48,8566 2,3522}", 48.8566, 2.3522),
        case(r"\boxed{48, 2}", 48, 2),
        case(r"\boxed{-33,151}", -33, 151),
        case(r"\boxed{90, -180}", 90, -180),
        case(r"\boxed{1.5, 2.5} no: \boxed{3.5, 4.5}", 3.5, 4.5),
        case(r"\boxed{1.5, 2.5} which is in \boxed{France}", 1.5, 2.5),
        case(r"\boxed{\boxed{1.5, 2.5}}", 1.5, 2.5),
        case(r"\boxed{1.5, 2.5} (9.5, 9.5)", 1.5, 2.5),
        case("\\boxed{−33.8688，151.2093}", -33.8688, 151.2093),
        case("\\boxed{–33.8688, 151.2093}", -33.8688, 151.2093),
        case("\\boxed{４８．８５６６，－２．３５２２}", 48.8566, -2.3522),
        case("\\boxed{٤٨٫٨٥٦٦، ٢٫٣٥٢٢}", 48.8566, 2.3522),
        case("\\boxed{۴۸٫۸۵۶۶؛ ۲٫۳۵۲۲}", 48.8566, 2.3522),
        case("\\boxed{48.8566\u00b0\u200e\u00a0N, 2.3522\u00ba\u202fE}", 48.8566, 2.3522),
        case(r"\boxed{0, 0}", 0, 0, "null_island"),
        case(r"\boxed{-0.0, 0.0}", 0, 0, "null_island"),
        case(r"33.87°S, 151.21°E, so \boxed{33.87, 151.21}", 33.87, 151.21, "inconsistent"),
        case(r"33.87°S, 151.21°E, so \boxed{-33.87, 151.21}", -33.87, 151.21),
        case(r"\boxed{1.5, 2.5}, in the form \boxed{lat, lon}", 1.5, 2.5, "placeholder"),
        case("boxed{48.8566, 2.3522}", 48.8566, 2.3522),
        case("(9.5, 9.5)? No: $boxed{48.8566, 2.3522}$", 48.8566, 2.3522),
        case("(9.5, 9.5)? No: \x08oxed{48.8566, 2.3522}", 48.8566, 2.3522),
        case(r"(9.5, 9.5)? No: \fbox{48.8566, 2.3522}", 48.8566, 2.3522),
        case(r"(9.5, 9.5)? No: \boxed{48.8566}, \boxed{2.3522}", 48.8566, 2.3522),
        case(r"\boxed{48.8566 \pm 0.5, 2.3522 \pm 0.5}", 48.8566, 2.3522),
    ],
)
def test_a_box_gives_its_pair(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    """Whatever LaTeX, signs and letters a teacher puts inside, the box's pair is read."""
    assert_reads(response, "boxed", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("<answer>48.8566, 2.3522</answer>", 48.8566, 2.3522),
        case("<answer>\nParis, France\n48.8566, 2.3522\n</answer>", 48.8566, 2.3522),
        case("<answer>75001 Paris: 48.8566, 2.3522.</answer>", 48.8566, 2.3522),
        case("<answer>Long Beach, 33.77, -118.19</answer>", 33.77, -118.19),
        case("<answer>48,8566; 2,3522</answer>", 48.8566, 2.3522),
        case('<answer>{"lat": 48.8566, "lon": 2.3522}</answer>', 48.8566, 2.3522),
        case("<answer>Latitude: 48.8566, Longitude: 2.3522</answer>", 48.8566, 2.3522),
        case("<answer>48.8566° N, 2.3522° W, in Paris</answer>", 48.8566, -2.3522),
        case("<answer>(48.8566, 2.3522) or so</answer>", 48.8566, 2.3522),
        case("<answer>1.5, 2.5</answer><answer>3.5, 4.5</answer>", 3.5, 4.5),
        case("<answer>1.5, 2.5</answer> <answer>Chad</answer>", 1.5, 2.5),
        case(r"<answer>\boxed{48.8566, 2.3522</answer>", 48.8566, 2.3522),
        case('<answer>{"lat": 48.8566, "lon": 2.3522}', 48.8566, 2.3522),
        case("<answer>1.5, 2.5</answer> (3.5, 4.5)", 1.5, 2.5),
        case(r"\boxed{lat, lon} <answer>1.5, 2.5</answer>", 1.5, 2.5, "placeholder"),
        case(r"\boxed{95, 20} <answer>1.5, 2.5</answer>", 1.5, 2.5),
        case("(9.5, 9.5)? <Answer>48.8566, 2.3522</Answer>", 48.8566, 2.3522),
        case("(9.5, 9.5)? <ANSWER>Paris (48.8566, 2.3522)</ANSWER>", 48.8566, 2.3522),
        case('(9.5, 9.5)? <answer type="pair">48.8566, 2.3522</answer>', 48.8566, 2.3522),
        case("(9.5, 9.5)? <final_answer>48.8566, 2.3522</final_answer>", 48.8566, 2.3522),
        case("(9.5, 9.5)? &lt;answer&gt;48.8566, 2.3522&lt;/answer&gt;", 48.8566, 2.3522),
        case("<answer><lat>48.8566</lat><lon>2.3522</lon></answer>", 48.8566, 2.3522),
    ],
)
def test_an_answer_tag_gives_a_form_or_the_pair_that_ends_it(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "answer", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case('{"latitude": 48.8566, "longitude": 2.3522}', 48.8566, 2.3522),
        case('{"lng": "2.3522", "lat": "48.8566"}', 48.8566, 2.3522),
        case("{'Lat': -33.8688, 'Long': 151.2093}", -33.8688, 151.2093),
        case("{“lat”: 48.8566, “lon”: 2.3522}", 48.8566, 2.3522),
        case('{"lat": 48.8566 "lon": 2.3522}', 48.8566, 2.3522),
        case('{""city": "Paris, "lat": 48.8566, "zip" 75001, "lon": 2.3522]', 48.8566, 2.3522),
        case('"{\\"lat\\": 48.8566, \\"lon\\": 2.3522}"', 48.8566, 2.3522),
        case('{"lat": 4.88566e1, "lon": 23522E-4}', 48.8566, 2.3522),
        case('{"lat": "48,8566", "lon": "2,3522"}', 48.8566, 2.3522),
        case('{"lat": "33.8688° S", "lon": "151.2093° E"}', -33.8688, 151.2093),
        case('{"lat": 33.8688 S, "lon": 70.6° W}', -33.8688, -70.6),
        case('{"lat": 33.8688 N, "lon": 70.6 E}', 33.8688, 70.6),
        case('{"estimated_latitude": 48.8566, "estimated_longitude": 2.3522}', 48.8566, 2.3522),
        case('{"lat_deg": 48.8566, "lon_deg": -2.3522}', 48.8566, -2.3522),
        case('{"lat": "48°51\'24"N", "lon": "2°21\'03"W"}', DMS_LAT, -DMS_LON),
        case('{"lat": 1, "lon": 2}, {"lat": 3, "lon": 4}', 3, 4),
        case('{"lat": 1, "lon": 2}, like {"lat": <lat>, "lon": <lon>}', 1, 2),
        case('Latitude: 1.5, longitude: 2.5. {"lat": 3, "lon": 4}', 3, 4),
        case(r'\boxed{unknown} {"lat": 3, "lon": 4}', 3, 4),
        case(r'\boxed{lat, lon} {"lat": 3, "lon": 4}', 3, 4, "placeholder"),
    ],
)
def test_json_needs_only_its_two_members_whole(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    """The object around the members may be broken in any way models break it."""
    assert_reads(response, "json", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("Latitude: 48.8566, Longitude: 2.3522", 48.8566, 2.3522),
        case("**Latitude:** 48.8566  \n**Longitude:** -2.3522", 48.8566, -2.3522),
        case("- *Latitude* = `48.8566`\n- *Longitude* = `2.3522`", 48.8566, 2.3522),
        case("lat=48,lng=2", 48, 2),
        case("lat 48.8566 long 2.3522", 48.8566, 2.3522),
        case("Lon: 2.3522 / Lat: 48.8566", 48.8566, 2.3522),
        case("a latitude of about 48.8566 and a longitude of 2.3522.", 48.8566, 2.3522),
        case("Latitude: ~48.8566\nLongitude: ≈2.3522", 48.8566, 2.3522),
        case('<trkpt lat="48.8566" lon="2.3522">', 48.8566, 2.3522),
        case('{"lat: 48.8566, "lon: 2.3522}', 48.8566, 2.3522),
        case("Latitude: 48,8566; Longitude: 2,3522", 48.8566, 2.3522),
        case("Latitude: 33.8688° S, Longitude: 70.6° W", -33.8688, -70.6),
        case("Latitude: -33.8688 S, Longitude: -70.6 W", -33.8688, -70.6),
        case("Latitude: 33.8688° (South), Longitude: 70.6° (West)", -33.8688, -70.6),
        case("Latitude (S): 33.8688, Longitude (W): 70.6", -33.8688, -70.6),
        case("South latitude: 33.8688, West longitude: 70.6", -33.8688, -70.6),
        case("Latitude: S 33.8688, Longitude: W 70.6", -33.8688, -70.6),
        case("Latitude: 48°51'24\"N\nLongitude: 2°21'03\"W", DMS_LAT, -DMS_LON),
        case("Latitude, Longitude: 48.8566, -2.3522", 48.8566, -2.3522),
        case("Coordinates (lat, lon): (48.8566, 2.3522)", 48.8566, 2.3522),
        case("Longitude/latitude: 2.3522, 48.8566", 48.8566, 2.3522),
        case("| Latitude | Longitude |\n|---|---|\n| -48.8566 | 2.3522 |", -48.8566, 2.3522),
        case("| Latitude | -48.8566 |\n| Longitude | 2.3522 |", -48.8566, 2.3522),
        case(r"latitude \boxed{48.8566}, longitude \boxed{2.3522}", 48.8566, 2.3522),
        case("纬度：48.8566，经度：-2.3522", 48.8566, -2.3522),
        case("緯度：４８．８５６６\n經度：２．３５２２", 48.8566, 2.3522),
        case("位于北纬48.8566度东经2.3522度。", 48.8566, 2.3522),
        case("南纬33.8688°，西经70.6°", -33.8688, -70.6),
        case("北纬48度51分24秒，东经2度21分3秒", DMS_LAT, DMS_LON),
        case("纬度: 33.8688°（南纬），经度：70.6°（西经）", -33.8688, -70.6),
        case("Latitude: 1.5, Longitude: 2.5. Or rather lat 3.5, lon 4.5", 3.5, 4.5),
        case("Latitude: 1.5, Longitude: 2.5. Alternative latitude: 3.5", 1.5, 2.5),
        case("Latitud: 48.8566, Longitud: -2.3522", 48.8566, -2.3522),
        case("Latitudine: 48,8566\nLongitudine: 2,3522", 48.8566, 2.3522),
        case("Breitengrad: 48,8566; Längengrad: 2,3522", 48.8566, 2.3522),
        case("Широта: 48.8566, долгота: 2.3522", 48.8566, 2.3522),
        case("위도: 48.8566, 경도: 2.3522", 48.8566, 2.3522),
        case("북위 48.8566도, 동경 2.3522도", 48.8566, 2.3522),
        case(
            "(9.5, 9.5)? <latitude>48.8566</latitude>\n<longitude>2.3522</longitude>",
            48.8566,
            2.3522,
        ),
        case("Latitude: <b>48.8566</b><br>Longitude: <b>2.3522</b>", 48.8566, 2.3522),
        case("Latitude: __48.8566__, Longitude: __-2.3522__", 48.8566, -2.3522),
        case("Latitude: 48.8566 ± 0.5\nLongitude: -2.3522 ± 0.5", 48.8566, -2.3522),
        case("Latitude: 48.8566 (±0.5°)\nLongitude: 2.3522 (±0.5°)", 48.8566, 2.3522),
        case("Latitude: 48.8566° +/- 5 km, Longitude: 2.3522° +/- 5 km", 48.8566, 2.3522),
        case("Latitude → 48.8566, Longitude => 2.3522", 48.8566, 2.3522),
        case(
            "| City | Latitude | Longitude |\n|---|---|---|\n| Paris | 48.8566 | 2.3522 |",
            48.8566,
            2.3522,
        ),
        case("|Lon (°)|City|Lat (°)|\n|:-:|---|--:|\n|2.3522 W|Paris|48.8566|", 48.8566, -2.3522),
    ],
)
def test_labels_name_the_coordinates_in_either_order(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "labelled", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("48°51'24\"N, 2°21'03\"E", DMS_LAT, DMS_LON),
        case("48° 51′ 24″ N 2° 21′ 03″ W", DMS_LAT, -DMS_LON),
        case("48°51.4'N, 2°21.05'E", 48 + 51.4 / 60, 2 + 21.05 / 60),
        case("It lies at 33.8688° S, 151.2093° E.", -33.8688, 151.2093),
        case("- 33.8688° S, 151.2093° E", -33.8688, 151.2093),
        case("**33.8688°S**, **70.6°W**", -33.8688, -70.6),
        case("$33.8688^\\circ\\text{S}, 70.6^\\circ\\text{W}$", -33.8688, -70.6),
        case("S33.8688 W70.6", -33.8688, -70.6),
        case("N 48.8566°, E 2.3522°", 48.8566, 2.3522),
        case("48.8566N 2.3522E", 48.8566, 2.3522),
        case("2.3522°E, 48.8566°N", 48.8566, 2.3522),
        case("33.8688 degrees South and 70.6 degrees West", -33.8688, -70.6),
        case("48,8566° N; 2,3522° E", 48.8566, 2.3522),
        case("-33.8688° S, -70.6° W", -33.8688, -70.6),
        case("1.5°N, 2.5°E is wrong; 3.5°N, 4.5°E", 3.5, 4.5),
        case("(48.8566° N, 2.3522° E)", 48.8566, 2.3522),
        case("48.8566° North latitude, 2.3522° West longitude", 48.8566, -2.3522),
        case("48.8566 degrees N latitude, 2.3522 degrees W longitude", 48.8566, -2.3522),
        case("48°51'24\" north latitude and 2°21'3\" east longitude", DMS_LAT, DMS_LON),
        case(
            "48 degrees 51 minutes 24 seconds N, 2 degrees 21 minutes 3 seconds E", DMS_LAT, DMS_LON
        ),
        case("48,8566° nord, 2,3522° ouest", 48.8566, -2.3522),
        case("33.8688° sur, 70.6° oeste", -33.8688, -70.6),
    ],
)
def test_hemisphere_letters_decide_sign_and_axis(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "hemisphere", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("Paris (48.8566, 2.3522)", 48.8566, 2.3522),
        case("巴黎（48.8566，-2.3522）", 48.8566, -2.3522),
        case("(48,8566; 2,3522)", 48.8566, 2.3522),
        case("(1.5, 2.5) and then (3.5°, 4.5°)", 3.5, 4.5),
        case("(0.0, 0.0)", 0, 0, "null_island"),
        case("<think>\\boxed{1.5, 2.5}</think>(3.5, 4.5)", 3.5, 4.5),
        case("\\boxed{1.5, 2.5}</think>(3.5, 4.5)", 3.5, 4.5),
        case("(3.5, 4.5)<think>\\boxed{1.5, 2.5}", 3.5, 4.5),
        case("\\boxed{NaN, NaN} no, (3.5, 4.5)", 3.5, 4.5),
    ],
)
def test_parentheses_count_where_both_numbers_have_a_decimal_mark(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "parentheses", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("Coordinates: 48.8566, 2.3522", 48.8566, 2.3522),
        case("**Location**\n* Address: Paris\n* Coordinates: 48.8566, -2.3522", 48.8566, -2.3522),
        case("**GPS coordinates:** `48.8566, 2.3522`", 48.8566, 2.3522),
        case("My final coordinates are approximately 48.8566°, 2.3522°.", 48.8566, 2.3522),
        case("- Estimated coordinates (decimal): 48.8566; 2.3522", 48.8566, 2.3522),
        case("Coordinates: [48.8566, 2.3522]", 48.8566, 2.3522),
        case("### Estimated Coordinates\n48.8566, 2.3522", 48.8566, 2.3522),
        case("| GPS | 48.8566, 2.3522 |", 48.8566, 2.3522),
        case("Best guess coordinates: 48.8566, 2.3522 (near Paris)", 48.8566, 2.3522),
        case("Coordinates: 48,8566; 2,3522", 48.8566, 2.3522),
        case("Coordinates: 1.5, 2.5\nCoordinates: 3.5, 4.5", 3.5, 4.5),
        case("Coordenadas: 48.8566, -2.3522", 48.8566, -2.3522),
        case("Coordonnées : 48,8566; 2,3522", 48.8566, 2.3522),
        case("Koordinaten: 48.8566, 2.3522", 48.8566, 2.3522),
        case("Координаты: 48.8566, 2.3522", 48.8566, 2.3522),
        case("坐标：48.8566, -2.3522", 48.8566, -2.3522),
        case("좌표: 48.8566, 2.3522", 48.8566, 2.3522),
        case("**Final Answer:** 48.8566, 2.3522", 48.8566, 2.3522),
        case('{"answer": "48.8566, 2.3522"}', 48.8566, 2.3522),
        case('{"place": "Paris", "coordinates": "48.8566, 2.3522"}', 48.8566, 2.3522),
        case(
            "First thought: Cairo (30.0444, 31.2357).\nCoordinates: 48.8566, 2.3522",
            48.8566,
            2.3522,
        ),
        case("Cairo (30.0444, 31.2357)? No.\n\nFinal answer: 48.8566, 2.3522", 48.8566, 2.3522),
    ],
)
def test_named_coordinates_count_where_both_numbers_have_a_decimal_mark(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "coordinates", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("48.8566, 2.3522", 48.8566, 2.3522),
        case("\n-48.856600,-2.352200\n", -48.8566, -2.3522),
        case("`48.8566, 2.3522`.", 48.8566, 2.3522),
        case("**48.8566° 2.3522°**", 48.8566, 2.3522),
        case("48,8566; 2,3522", 48.8566, 2.3522),
        case("<think>(9.5, 9.5)?</think>\n\n48.8566, 2.3522", 48.8566, 2.3522),
        case("[THINK](9.5, 9.5)?[/THINK]48.8566, 2.3522", 48.8566, 2.3522),
    ],
)
def test_a_response_that_is_one_pair_and_nothing_else_is_read(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "bare", lat, lon, flags)


@pytest.mark.parametrize(
    ("response", "lat", "lon", "flags"),
    [
        case("<|begin_of_box|>48.8566, 2.3522<|end_of_box|>", 48.8566, 2.3522),
        case("<answer><|begin_of_box|>48.8566, 2.3522<|end_of_box|></answer>", 48.8566, 2.3522),
        case("<|begin_of_box|>\\boxed{48.8566, 2.3522}<|end_of_box|>", 48.8566, 2.3522),
        case('<|begin_of_box|>{"lat": 48.8566, "lon": 2.3522}<|end_of_box|>', 48.8566, 2.3522),
        case("<|begin_of_box|>Latitude: 1.5\nLongitude: 2.5<|end_of_box|>", 1.5, 2.5),
        case("(9.5, 9.5)? <|begin_of_box|>1.5, 2.5<|end_of_box|>", 1.5, 2.5),
        case("<|begin_of_box|>9.5, 9.5<|end_of_box|> or \\boxed{1.5, 2.5}", 1.5, 2.5),
        case(
            "<|begin_of_box|>1.5, 2.5<|end_of_box|> in <|begin_of_box|>Chad<|end_of_box|>", 1.5, 2.5
        ),
    ],
)
def test_the_box_tokens_of_glm_are_a_box(
    response: str, lat: float, lon: float, flags: tuple[str, ...]
) -> None:
    assert_reads(response, "boxed", lat, lon, flags)


def test_what_is_in_box_tokens_and_no_pair_stays_prose() -> None:
    """Whole descriptions come in these tokens, so only a pair makes them a box."""
    in_prose = "<|begin_of_box|>Kansas, (39.25, -98.75), of 100 people<|end_of_box|>"
    assert_reads(in_prose, "parentheses", 39.25, -98.75, ())
    assert_reads("<|begin_of_box|>Latitude: 1.5, Longitude: 2.5 is", "labelled", 1.5, 2.5, ())
    assert not has_answer("The sign is at <|begin_of_box|>[816, 162, 838, 172]<|end_of_box|>.")


KANSAS = "Latitude: 39.2500\nLongitude: -98.7500"
CAIRO = "My first thought was Cairo (30.0444, 31.2357), but no."


@pytest.mark.parametrize(
    "before",
    [
        "possibly in Nebraska, or similar latitude:\n\n",
        f"{CAIRO} The poles say a similar latitude.\n\n",
        f"{CAIRO} The poles say a similar latitude\n\n",
        f"{CAIRO} The sun says a southern longitude\n\n",
        f"{CAIRO} The sun says a similar longitude.\n\n",
        f"{CAIRO} It is at a high latitude and longitude.\n\n",
        "Candidate A: Latitude: 10.0, Longitude: 20.0, too warm for that latitude.\n\n",
        "Candidate A: Latitude: 10.0, Longitude: 20.0, too far from that long.\n\n",
        "The first pair is **latitude**:\n",
    ],
)
def test_a_name_that_ends_the_sentence_before_hides_no_labelled_pair(before: str) -> None:
    assert_reads(before + KANSAS, "labelled", 39.25, -98.75, ())


@pytest.mark.parametrize(
    "after",
    [
        "Latitude: 39.25-39.30, Longitude: -98.75",
        "Latitude: 39.25.1\nLongitude: -98.75",
        "Latitude: ~39.2 to 39.3, Longitude: -98.7 km",
        "Latitude: approximately 39.25 or 39.3, Longitude: -98.75",
        "Latitude: 39.25, Longitude:",
        "latitude, longitude: 39.25, -98.75, 450",
        "纬度：39.25-39.3，经度：-98.75",
        "北纬39.25到39.3度，西经98.75度",
        '{"lat": 39.25, "lon": }',
        '{"lat": 39,2500, "lon": -98,7500}',
        '{"lat": 39.25, "lon": -98. Sa',
        '{"lat": 39.25, "lon": -98.75abc}',
        "39.25–39.30° N, 98.75° W",
        "39.25° N to 98.75° W",
        "(39.25, -98.75, 450 m)",
        "(39.25, -98.75 in Kansas)",
        "\\boxed{39.25-39.30, -98.75}",
        "\\boxed{39.25, -98.75, 450}",
        "<answer>39.25, -98.75 is Kansas</answer>",
        "<answer>39 15 00 N, 98 45 00 W</answer>",
        "\\boxed{39.25}",
        "\\boxed{-98.75, 39.25}",
        "Latitude: 139.25\nLongitude: -98.75",
        "39.25° N, 198.75° W",
        "39°75'00\"N, 98°45'00\"W",
        "39,25° N, 98,75° O",
        "Latitude: between 39.1 and 39.4, Longitude: between -98.9 and -98.5",
        "Latitude – 39.25, Longitude – 98.75 W",
        "Latitude: {39.25}, Longitude: {-98.75}",
        "Latitude: not available. Longitude: not available.",
        "39.25 latitude, -98.75 longitude",
        "39.25 degrees latitude and -98.75 degrees longitude",
        "Latitude: 39.25\nLongitude: -",
        "Latitude: 39.25\nLongi",
        '{"latitude": 39.25, "longi',
        "\n\n```\n39.25, -98.75\n```",
        "https://www.google.com/maps/@39.25,-98.75,15z",
        "geo:39.25,-98.75",
        "\\boxed{39.25, -98.75\n</answer>",
        "\n[39.25, -98.75]",
        "\n> 39.25, -98.75 (Kansas)",
        "(approx. 39.25, -98.75)",
        "(39.25 / -98.75)",
        "(39.25N, -98.75)",
        "My guess: 39.25, -98.75",
        "Latitude: 39:15:00; Longitude: -98:45:00",
        "Latitude: 39 15 00 N; Longitude: 98 45 00 W",
        "Latitude: 39.25, Longitude: - 98.75",
        "Latitude: 39.25, Longitude: minus 98.75",
    ],
)
@pytest.mark.parametrize(
    "before",
    [
        CAIRO,
        "Cairo? (30.0444, 31.2357)",
        "Coordinates: 30.0444, 31.2357 (Cairo).",
    ],
)
def test_a_later_attempt_that_cannot_be_read_lets_no_earlier_pair_speak(
    before: str, after: str
) -> None:
    """The earlier place was only considered; no answer is better than that one."""
    assert parse_answer(before).lat == 30.0444
    answer = parse_answer(f"{before}\n\nIt is in Kansas: {after}")
    assert answer.lat is None
    assert answer.failure in FAILURES


@pytest.mark.parametrize(
    "after",
    [
        "Latitude: 39.0-39.5, Longitude: -99 to -98",
        '{"lat": 39,25, "lon": -98,75}',
        '{"lat": -98.75, "lon": 39.25}',
        '{"lat": 39.25, "lon": }',
        "latitude, longitude: 39.25, -98.75, 450",
        "Latitude: 39.25, Longitude:",
        '\nFor example:\n{"lat": 0.0, "lon": 0.0x} // placeholder',
        "39.2°–39.3° N, 98.7° W",
        "(39.25, -98.75, 450 m)",
        "\\boxed{39.25, -98.75, 450}",
        "\\boxed{10-20}",
        "zoom(0.5, 0.75, 1.0)",
        "(512.5, 300.2, 600.1, 400.0)",
        "Alternative latitude: 3.5",
        "\\boxed{39.25}",
        "The share is \\boxed{0.85}, of \\boxed{3}.",
        "This is right within \\boxed{12.55} km.",
        "I looked closer from (12.55, 34.55) to (56.55, 78.55).",
        "I am sure: $\\boxed{85.25}$%",
        "The final answer: 3.5, 4.5 of 5",
        "My guess: 39.25, -98.75",
        "(approx. 39.25, -98.75)",
        "\\boxed{-98.75, 39.25}",
        "\\boxed{3925, -9875}",
        "https://www.google.com/maps?q=39.25,-98.75",
        "\n39.2500, -98.7500",
        "See boxed{latitude, longitude}.",
        "| A | Latitude | Longitude |\n|---|---|---|\n| B | 1.5 | 2.5 |\n| C | 3.5 | 4.5 |",
    ],
)
def test_a_later_passage_that_only_repeats_the_pair_or_means_no_place_changes_nothing(
    after: str,
) -> None:
    answer = parse_answer(f"Kansas (39.25, -98.75). {after}")
    assert (answer.lat, answer.lon) == (39.25, -98.75)


def test_a_bare_pair_after_other_words_is_no_answer() -> None:
    """Only the whole response is one; what stands after a dropped slot is not."""
    assert parse_answer("<answer>39.25, -98.75 is Kansas</answer>41.25, -97.75").lat is None
    assert parse_answer("\\boxed{unknown}\n41.25, -97.75").lat is None


def test_what_follows_an_attempt_that_cannot_be_read_may_answer() -> None:
    text = f"{CAIRO} Latitude: 39.2-39.3, Longitude: -98.75. So (39.25, -98.75)."
    assert_reads(text, "parentheses", 39.25, -98.75, ())
    text = f"{CAIRO} \\boxed{{39.2-39.3, -98.75}}, that is (41.25, -97.75)."
    assert_reads(text, "parentheses", 41.25, -97.75, ())


@pytest.mark.parametrize(
    "words",
    ["Paris. {}", "Paris, {}", "(Paris). {}"],
)
def test_a_hemisphere_pair_may_follow_a_word_and_its_full_stop_or_comma(words: str) -> None:
    text = words.format("48.8566° N, 2.3522° E")
    assert_reads(text, "hemisphere", 48.8566, 2.3522, ())


@pytest.mark.parametrize(
    ("response", "counts"),
    [
        ("<answer>\\boxed{1.5, 2.5}</answer> And now", True),
        ("<answer>1.5, 2.5</answer>", True),
        ("Maybe \\boxed{1.5, 2.5}? No. Let me compare with", False),
        ("Maybe \\boxed{1.5, 2.5}", False),
        ("Maybe Latitude: 1.5, Longitude: 2.5 or", False),
        ('Maybe {"lat": 1.5, "lon": 2.5} or', False),
        ("Maybe (1.5, 2.5) or", False),
        ("1.5, 2.5", False),
        ('<answer>{"lat": 1.5, "lon": 2.5} and', False),
        ("<answer>no</answer> \\boxed{1.5, 2.5} and", False),
    ],
)
def test_of_a_response_that_was_cut_only_a_whole_answer_tag_counts(
    response: str, counts: bool
) -> None:
    """It may be a thought whose first tag the chat template wrote."""
    assert (parse_answer(response, cut=True).failure is None) is counts
    if not counts:
        assert parse_answer(response, cut=True).failure == "truncated_answer"
        assert parse_answer(response).lat == 1.5


BOXES = [
    "[0.12, 0.34, 0.56, 0.78]",
    "```json\n[0.12, 0.34, 0.56, 0.78]\n```",
    '{"bbox_2d": [0.12, 0.34, 0.56, 0.78]}',
    '{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [0.12, 0.34, 0.56, 0.78]}}',
    '<tool_call>{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [12.5, 34.5]}}</tool_call>',
    "image_zoom_in_tool(bbox_2d=(0.12, 0.34, 0.56, 0.78))",
    "image_zoom_in_tool((0.12, 0.34), (0.56, 0.78))",
    "image_zoom_in_tool(bbox_2d=[(12.5, 34.5), (56.5, 78.5)])",
    "[[0.12, 0.34], [0.56, 0.78]]",
    "[(0.12, 0.34), (0.56, 0.78)]",
    "(0.12, 0.34), (0.56, 0.78)",
    "(12.5, 34.5), (56.5, 78.5)",
    "(12.5,34.5),(56.5,78.5)",
    "(12.5, 34.5) - (56.5, 78.5)",
    "(12.5, 34.5)\u2013(56.5, 78.5)",
    "<|box_start|>(0.12,0.34),(0.56,0.78)<|box_end|>",
    "<|box_start|>(12.5,34.5),(56.5,78.5)<|box_end|>",
    "<box>(12.5,34.5),(56.5,78.5)</box>",
    "<|begin_of_box|>[0.12, 0.34, 0.56, 0.78]<|end_of_box|>",
    "I look closer from (12.5, 34.5) to (56.5, 78.5).",
    "The sign is at (0.12, 0.34).",
    "top left (0.12, 0.34), bottom right (0.56, 0.78)",
    "0.12, 0.34, 0.56, 0.78",
    "Coordinates: 0.12, 0.34, 0.56, 0.78",
]


@pytest.mark.parametrize("box", BOXES)
def test_a_box_with_decimal_corners_is_no_answer(box: str) -> None:
    """On the last turn, where no call can run, only the words count."""
    assert parse_answer(box).lat is None
    assert not has_answer(box)


@pytest.mark.parametrize("box", BOXES)
def test_a_box_leaves_an_answer_as_it_is(box: str) -> None:
    for boxed in ("\\boxed{48.8566, 2.3522}", "<answer>48.8566, 2.3522</answer>"):
        assert (parse_answer(f"{box}\n\n{boxed}").lat, parse_answer(f"{box} {boxed}").lon) == (
            48.8566,
            2.3522,
        )


@pytest.mark.parametrize(
    ("text", "lat", "lon"),
    [
        ("It may be Paris (48.8566, 2.3522), but rather Lyon (45.7640, 4.8357).", 45.7640, 4.8357),
        ("It lies near (48.8566, 2.3522) and (48.8600, 2.3600).", 48.86, 2.36),
        ("São Tomé (0.3365, 6.7273)", 0.3365, 6.7273),
        ("Kampala (0.3476, 32.5825)", 0.3476, 32.5825),
        ("Off Ghana (4.9, 0.5)", 4.9, 0.5),
        ("(-0.12, 0.34)", -0.12, 0.34),
        ("Nowhere (0.0, 0.0)", 0.0, 0.0),
        ("At sea (0.123456, 0.654321)", 0.123456, 0.654321),
        ("At sea (1.5, 0.5)", 1.5, 0.5),
        ("Paris (48.8566, 2.3522). The sign at (0.12, 0.34) says so.", 48.8566, 2.3522),
    ],
)
def test_a_pair_that_is_no_corner_is_read(text: str, lat: float, lon: float) -> None:
    assert (parse_answer(text).lat, parse_answer(text).lon) == (lat, lon)


CLOSED = "<answer>\\boxed{1.5, 2.5}</answer>"


@pytest.mark.parametrize(
    ("response", "counts"),
    [
        (CLOSED, True),
        (f"I see a church. {CLOSED}\n", True),
        (f"{CLOSED} And now", True),
        (f"{CLOSED}.", True),
        (f"{CLOSED}<|im_end|>", True),
        (f"```\n{CLOSED}\n```", True),
        (f"**{CLOSED}**\n\nI hope this", True),
        (f"{CLOSED} {'x' * 24}", True),
        (f"{CLOSED} {'x' * 25}", False),
        (f"So {CLOSED}? No, the poles are American. Let me", False),
        (f"So {CLOSED}? No", False),
        (f"I would write {CLOSED}, but", False),
        (f"I would write {CLOSED} but", False),
        (f"{CLOSED}\n\nWait", False),
        (f"{CLOSED}. Hmm", False),
        (f"{CLOSED} - no", False),
        (f"The format is `{CLOSED}`", False),
        (f'It wants "{CLOSED}"', False),
        (f"{CLOSED} is what", False),
        (f"答案是{CLOSED}吗", False),
        (f"{CLOSED}\n\nThe church has an onion dome, and the plates are German, so", False),
        (f"Maybe {CLOSED}? Or <answer>\\boxed{{3.5, 4.5}}", False),
        (f"{CLOSED}? No. {CLOSED}", True),  # the last one is its last word
        (f"<think>Hm.</think>{CLOSED} {'x' * 25}", False),
    ],
)
def test_of_a_first_response_that_was_cut_only_an_answer_at_its_end_counts(
    response: str, counts: bool
) -> None:
    """A thought that the chat template opened tries an answer in the form that is asked for."""
    read = parse_answer(response, cut=True, bare=True)
    assert (read.failure is None) is counts
    if not counts:
        assert read.failure == "truncated_answer"
    # Where something shows that it is no thought, a whole answer counts wherever it stands.
    if "3.5" not in response:
        assert parse_answer(response, cut=True).lat == 1.5


@pytest.mark.parametrize(
    ("response", "failure", "form", "flags"),
    [
        fails("", "no_coordinates", None),
        fails("It is Paris.", "no_coordinates", None),
        fails("48.8566, 2.3522 or so", "no_coordinates", None),
        fails("48, 2", "no_coordinates", None),
        fails("48.8566, 2", "no_coordinates", None),
        fails("48.8566, 2.3522, 35.5", "no_coordinates", None),
        fails("148.8566, 2.3522", "out_of_range", "bare", "swapped"),
        fails("Coordinates: 48, 2", "no_coordinates", None),
        fails("Coordinates: 48.8566, 2.3522, 35.5", "no_coordinates", None),
        fails("Pixel coordinates: 20.5, 30.75", "no_coordinates", None),
        fails("Coordinates: 0.5, 0.75", "no_coordinates", None),
        fails("Coordinates: 20.5, 30.75 m", "no_coordinates", None),
        fails("bbox coordinates: 0.5, 0.75, 0.9, 0.95", "no_coordinates", None),
        fails("Coordinates (lon, lat) = 2.3522, 48.8566px", "no_coordinates", None),
        fails("Coordinates: 95.5, 200.5", "out_of_range", "coordinates"),
        fails("[48.8566, 2.3522]", "no_coordinates", None),
        fails("(48, 2)", "no_coordinates", None),
        fails("zoom(0.5, 0.75)", "no_coordinates", None),
        fails("<think>\\boxed{1.5, 2.5}</think>", "no_coordinates", None),
        fails("<think>\\boxed{1.5, 2.5} and then", "no_coordinates", None),
        fails("\\boxed{1.5, 2.5}</think>", "no_coordinates", None),
        fails("◁think▷\\boxed{1.5, 2.5} Let me compare with", "no_coordinates", None),
        fails("<|channel|>analysis<|message|>(1.5, 2.5)", "no_coordinates", None),
        fails("100 N 500 E", "no_coordinates", None),
        fails("48 51 24 N, 2 21 03 E", "no_coordinates", None),
        fails("Latitude - 33.8, Longitude - 70.6", "no_coordinates", None),
        fails('{"lat": 48,8566, "lon": 2,3522}', "no_coordinates", None),
        fails("经纬度: 48.8566, 2.3522", "no_coordinates", None),
        fails("\\boxed{France}", "no_coordinates", "boxed"),
        fails("\\boxed{}", "no_coordinates", "boxed"),
        fails("<answer>Paris</answer>", "no_coordinates", "answer"),
        fails("<answer>Highway 12 near exit 7, Arizona</answer>", "no_coordinates", "answer"),
        fails("\\boxed{48.8566}", "one_number", "boxed"),
        fails("\\boxed{48,8566}", "one_number", "boxed"),
        fails("<answer>Paris, 48.8566</answer>", "one_number", "answer"),
        fails('{"lat": 48.8566}', "one_number", "json"),
        fails('{"lat": 48.8566, "lon": 2.3522abc}', "one_number", "json"),
        fails('{"lat": -48.8566 N, "lon": 2.3522 E}', "hemisphere_conflict", "json"),
        fails('{"lat": 48.8566 E, "lon": 2.3522 N}', "hemisphere_conflict", "json"),
        fails('{"lat": -23.5, "lon": -46. Sao', "ambiguous", "json"),
        fails('{"lat": -23., "lon": -46.5}', "ambiguous", "json"),
        fails("Latitude: 39.25\nLongitude: -98.", "ambiguous", "labelled"),
        fails("Latitude: 39.25\nLongitude: -98...", "ambiguous", "labelled"),
        fails("Latitude: 39.25, longitude: -98…", "ambiguous", "labelled"),
        fails("\\boxed{39.25, -98.}", "ambiguous", "boxed"),
        fails("<answer>39.25, -98...</answer>", "ambiguous", "answer"),
        fails("<|begin_of_box|>39.25, -98.7", "truncated_box", "boxed"),
        fails("<|begin_of_box|>Kansas<|end_of_box|>", "no_coordinates", None),
        fails("<|begin_of_box|>[816, 162, 838, 172]<|end_of_box|>", "no_coordinates", None),
        fails("<|begin_of_box|>148.5, 262.25<|end_of_box|>", "out_of_range", "bare"),
        fails('{"a": {"lat": 48.8566}, "b": {"lon": 2.3522}}', "one_number", "json"),
        fails("Latitude: 48.8566", "one_number", "labelled"),
        fails("Latitude: 48.8-48.9, longitude: 2.3522", "one_number", "labelled"),
        fails("about 48.8566°N", "one_number", "hemisphere"),
        fails("\\boxed{France} 48.8566°N", "one_number", "hemisphere"),
        fails("\\boxed{48.8566, 2.3522, 35}", "ambiguous", "boxed"),
        fails("\\boxed{(1.5, 2.5), (3.5, 4.5)}", "ambiguous", "boxed"),
        fails("\\boxed{48-49, 2.3522}", "ambiguous", "boxed"),
        fails("\\boxed{10-20}", "ambiguous", "boxed"),
        fails("\\boxed{- 33.8, 151.2}", "ambiguous", "boxed"),
        fails("\\boxed{\\frac{1}{2}}", "ambiguous", "boxed"),
        fails("\\boxed{48.8.5, 2.3522}", "ambiguous", "boxed"),
        fails("\\boxed{48°75'N, 2°E}", "ambiguous", "boxed"),
        fails("\\boxed{48.8566 e 2.3522}", "ambiguous", "boxed"),
        fails("\\boxed{2.3522 (lon), 48.8566 (lat)}", "ambiguous", "boxed"),
        fails("<answer>1, 48.8566, 2.3522</answer>", "ambiguous", "answer"),
        fails("<answer>48.8566, 2.3522 is Paris</answer>", "ambiguous", "answer"),
        fails("<answer>1.5, 2.5</answer><answer>- 3.5, 4.5</answer>", "ambiguous", "answer"),
        fails("<answer>1.5, 2.5\n3.5, 4.5</answer>", "ambiguous", "answer"),
        fails("\\boxed{95, 190}", "out_of_range", "boxed"),
        fails("\\boxed{139.6503, 35.6762}", "out_of_range", "boxed", "swapped"),
        fails("\\boxed{95, 20}", "out_of_range", "boxed", "swapped"),
        fails("\\boxed{20, 180.01}", "out_of_range", "boxed"),
        fails("\\boxed{1.5, 2.5} no: \\boxed{95, 200}", "out_of_range", "boxed"),
        fails('{"lat": 139.6503, "lon": 35.6762}', "out_of_range", "json", "swapped"),
        fails("(512.5, 300.2)", "out_of_range", "parentheses"),
        fails("\\boxed{NaN, 2.5}", "not_finite", "boxed"),
        fails("\\boxed{\\infty, 0}", "not_finite", "boxed"),
        fails('{"lat": NaN, "lon": -Infinity}', "not_finite", "json"),
        fails('{"lat": 1e999, "lon": 2}', "not_finite", "json"),
        fails("\\boxed{unknown}", "unknown", "boxed"),
        fails("\\boxed{\\text{cannot be determined}}", "unknown", "boxed"),
        fails("\\boxed{48.8566, unknown}", "unknown", "boxed"),
        fails("<answer>null</answer>", "unknown", "answer"),
        fails('{"lat": null, "lon": null}', "unknown", "json"),
        fails('{"lat": "", "lon": "N/A"}', "unknown", "json"),
        fails("Latitude: unknown\nLongitude: unknown", "unknown", "labelled"),
        fails("(1.5, 2.5)? No: \\boxed{unknown}", "unknown", "boxed"),
        fails("\\boxed{latitude, longitude}", "placeholder", "boxed", "placeholder"),
        fails("<answer>\\boxed{lat, lon}</answer>", "placeholder", "boxed", "placeholder"),
        fails("\\boxed{\\text{lat}, \\text{lon}}", "placeholder", "boxed", "placeholder"),
        fails("\\boxed{XX.XXXX, YY.YYYY}", "placeholder", "boxed", "placeholder"),
        fails("\\boxed{<latitude>, <longitude>}", "placeholder", "boxed", "placeholder"),
        fails("\\boxed{纬度, 经度}", "placeholder", "boxed", "placeholder"),
        fails("\\boxed{...}", "placeholder", "boxed", "placeholder"),
        fails("\\boxed{0.0, 0.0} % placeholder", "placeholder", "boxed", "placeholder"),
        fails("# Placeholder:\n\\boxed{1.5, 2.5}", "placeholder", "boxed", "placeholder"),
        fails('{"lat": 0.0, // placeholder\n "lon": 0.0}', "placeholder", "json", "placeholder"),
        fails('{"lat": <lat>, "lon": <lon>}', "placeholder", "json", "placeholder"),
        fails("\\boxed{-48.8566 N, 2.3522 E}", "hemisphere_conflict", "boxed"),
        fails("\\boxed{48.8566 N, 2.3522 S}", "hemisphere_conflict", "boxed"),
        fails("-48.8566°N, 2.3522°E", "hemisphere_conflict", "hemisphere"),
        fails("48.8566°N, -2.3522°E", "hemisphere_conflict", "hemisphere"),
        fails("Latitude: -48.8566 N, Longitude: 2.35", "hemisphere_conflict", "labelled"),
        fails("Latitude: 48.8566 E, Longitude: 2.35", "hemisphere_conflict", "labelled"),
        fails("北纬-48.8566°，东经2.35°", "hemisphere_conflict", "labelled"),
        fails("(1.5, 2.5): \\boxed{-48.8566 N, 2.3522 E}", "hemisphere_conflict", "boxed"),
        fails("\\boxed{48.8566, 2.", "truncated_box", "boxed"),
        fails("\\boxed{", "truncated_box", "boxed"),
        fails("(1.5, 2.5) \\boxed{1.5, 2.5} <answer>\\boxed{48.8", "truncated_box", "boxed"),
        fails("\\boxed{48.8566, 2.3522</answer>", "truncated_box", "boxed"),
        fails("<answer>48.8566, 2.3", "truncated_answer", "answer"),
        fails("(1.5, 2.5) <answer>lat: 48.8566, lon: 2.3", "truncated_answer", "answer"),
        fails('{"lat": 48.8566, "lon": 2.3', "truncated_answer", "json"),
        fails('{"lat": 48.8566, "lon": "2.3', "truncated_answer", "json"),
    ],
)
def test_what_is_not_surely_a_pair_fails_with_its_reason(
    response: str, failure: str, form: str | None, flags: tuple[str, ...]
) -> None:
    """A wrong parse is worse than none; the reason is that of the strongest form that tried."""
    assert failure in FAILURES
    assert_fails(response, form, failure, flags)


@pytest.mark.parametrize(
    ("response", "meant"),
    [
        ("\\boxed{1.5, 2.5}", True),
        ("<answer>\\boxed{1.", True),
        ("\\boxed{France}", True),
        ("<answer>", True),
        ("It is at 1.5°N, 2.5°E.", True),
        ("I will zoom in first.", False),
        ("<think>\\boxed{1.5, 2.5}</think>I will zoom in first.", False),
        ("<think><answer>1.5, 2.5</answer>", False),
        ("\\boxed is a command", False),
    ],
)
def test_a_slot_outside_thoughts_is_meant_as_an_answer_even_when_malformed(
    response: str, meant: bool
) -> None:
    assert has_answer(response) is meant


# --- properties ---------------------------------------------------------------------------------

latitudes = st.integers(-90_000_000, 90_000_000).map(lambda micro: micro / 1e6)
longitudes = st.integers(-180_000_000, 180_000_000).map(lambda micro: micro / 1e6)


def _letters(lat: float, lon: float) -> tuple[str, str]:
    return "S" if lat < 0 else "N", "W" if lon < 0 else "E"


WRITERS = {
    "boxed": [
        lambda lat, lon: f"<answer>\\boxed{{{lat:.6f}, {lon:.6f}}}</answer>",
        lambda lat, lon: f"\\boxed{{({lat:.6f}^\\circ,\\ {lon:.6f}^\\circ)}}",
        lambda lat, lon: f"\\boxed{{{lat:.6f}; {lon:.6f}}}".replace(".", ","),
        lambda lat, lon: f"<|begin_of_box|>{lat:.6f}, {lon:.6f}<|end_of_box|>",
        lambda lat, lon: f"\\boxed{{{lat:.6f}, {lon:.6f}}}".replace("-", "−"),
        lambda lat, lon: f"\\boxed{{{lat:.6f}, {lon:.6f}}}".translate(
            {ord(digit): 0xFF10 + int(digit) for digit in string.digits}
        ),
    ],
    "answer": [
        lambda lat, lon: f"<answer>Somewhere, {lat:.6f}, {lon:.6f}</answer>",
        lambda lat, lon: f'<answer>{{"lng": {lon:.6f}, "lat": {lat:.6f}}}</answer>',
    ],
    "json": [
        lambda lat, lon: f'{{"latitude": {lat:.6f}, "longitude": {lon:.6f}}}',
        lambda lat, lon: f"{{“lon”: “{lon:.6f}” “lat”: “{lat:.6f}”",
    ],
    "labelled": [
        lambda lat, lon: f"**Latitude:** {lat:.6f}\n**Longitude:** {lon:.6f}",
        lambda lat, lon: f"(lat, lng) = ({lat:.6f},{lon:.6f})",
        lambda lat, lon: f"经度：{lon:.6f}，纬度：{lat:.6f}",
        lambda lat, lon: (
            f"{'南' if lat < 0 else '北'}纬{abs(lat):.6f}度"
            f"{'西' if lon < 0 else '东'}经{abs(lon):.6f}度"
        ),
    ],
    "hemisphere": [
        lambda lat, lon: "{2:.6f}° {0}, {3:.6f}° {1}".format(
            *_letters(lat, lon), abs(lat), abs(lon)
        ),
        lambda lat, lon: "{1}{3:.6f} {0}{2:.6f}".format(*_letters(lat, lon), abs(lat), abs(lon)),
    ],
    "parentheses": [lambda lat, lon: f"near ({lat:.6f}, {lon:.6f})."],
    "coordinates": [
        lambda lat, lon: f"Coordinates: {lat:.6f}, {lon:.6f}",
        lambda lat, lon: f"* **GPS Coordinates:** {lat:.6f}, {lon:.6f}.",
    ],
    "bare": [lambda lat, lon: f"{lat:.6f}, {lon:.6f}\n"],
}


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data(), lat=latitudes, lon=longitudes)
def test_a_written_pair_is_read_back(
    form: str, data: st.DataObject, lat: float, lon: float
) -> None:
    """Every form gives back exactly the numbers that were written in it."""
    assume(form != "coordinates" or not (0 <= lat <= 1 and 0 <= lon <= 1))
    response = data.draw(st.sampled_from(WRITERS[form]))(lat, lon)
    answer = parse_answer(response)
    assert (answer.form, answer.lat, answer.lon) == (form, lat, lon), response


@given(lat=st.integers(0, 90 * 3600), lon=st.integers(0, 180 * 3600), south=st.booleans())
def test_degrees_minutes_seconds_are_read_back(lat: int, lon: int, south: bool) -> None:
    def sexagesimal(seconds: int) -> str:
        return f"{seconds // 3600}°{seconds // 60 % 60}'{seconds % 60}\""

    answer = parse_answer(f"{sexagesimal(lat)}{'S' if south else 'N'} {sexagesimal(lon)}E")
    assert answer.lat == pytest.approx((-lat if south else lat) / 3600)
    assert answer.lon == pytest.approx(lon / 3600)


PIECES = [
    *("\\boxed{", "}", "{", "<answer>", "</answer>", "<think>", "</think>", "(", ")", "[", "]"),
    *('"lat":', '"lon":', "Latitude: ", "longitude ", "lat, lon", "北纬", "经度", "°", "'", '"'),
    *("N", "S", " E", "W ", "north", ",", ", ", ";", " ", "\n", "-", "- ", "+", ".", "1", "48.85"),
    *("2.35", "-33.8", "151,2", "999", "1e5", "NaN", "null", "unknown", "placeholder", "# ", "\\"),
    *("◁think▷", "◁/think▷", "<|begin_of_box|>", "<|end_of_box|>", "Coordinates: ", "…"),
    *("\\text{", "^\\circ", "$", "*", "|", "--", "é", "５", "٣", "−", "is ", "and "),
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_any_text_gives_a_pair_in_range_or_a_reason(response: str) -> None:
    """Never an exception, never half an answer, never a point off the Earth."""
    answer = parse_answer(response)
    assert list(answer.flags) == sorted(set(answer.flags))
    if answer.failure is None:
        assert answer.form in FORMS
        assert answer.lat is not None
        assert answer.lon is not None
        assert abs(answer.lat) <= 90
        assert abs(answer.lon) <= 180
        assert has_answer(response)
    else:
        assert answer.failure in FAILURES
        assert answer.lat is None
        assert answer.lon is None


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), latitudes, longitudes)
def test_a_last_whole_box_speaks_whatever_came_before(before: str, lat: float, lon: float) -> None:
    """No prose, open tag or broken box in front can change what the last box says."""
    answer = parse_answer(f"{before}</think>\nok\n\n\\boxed{{{lat:.6f}, {lon:.6f}}}")
    assert (answer.form, answer.lat, answer.lon) == ("boxed", lat, lon)


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "\\boxed{",
            "\\boxed{a}",
            "\\boxed{lat, lon}",
            "<answer>",
            "<answer>a</answer>",
            "<think>",
        ),
        *("</think>", "(", "{", "9", "1.5, ", " ", '"', "lat: 1.5 ", "1.5°N 1.5°E ", '"lat": 1, '),
    ],
)
def test_the_text_that_is_rewritten_does_not_grow_with_the_response(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only pieces of bounded size reach the patterns, however often a hostile unit repeats."""
    rewritten: list[int] = []

    def counting(rewrite: Callable[[str], str]) -> Callable[[str], str]:
        def counted(text: str) -> str:
            rewritten.append(len(text))
            return rewrite(text)

        return counted

    for module in (parser, slots):
        monkeypatch.setattr(module, "normalise", counting(normalise))
    monkeypatch.setattr(slots, "normalise_slot", counting(normalise_slot))
    for head in ("", "<answer>", "\\boxed{95, 20}"):
        rewritten.clear()
        parse_answer(head + unit * (400_000 // len(unit)))
        assert sum(rewritten) <= 65_536  # of 400,000


def test_a_box_is_found_however_much_prose_follows() -> None:
    """The window bounds the prose forms only; slots are looked for in the whole text."""
    answer = parse_answer("\\boxed{48.8566, 2.3522}" + " and so on" * 20_000)
    assert (answer.form, answer.lat, answer.lon) == ("boxed", 48.8566, 2.3522)


def test_the_window_never_begins_inside_a_number() -> None:
    """A cut in 148.5 would make a valid 48.5 of it."""
    for extra in range(40):
        text = "x " + "148.5°N,2.5°E" + " " + "y" * (WINDOW - 20 + extra)
        assert parse_answer(text).lat is None
    assert tail("ab cd", limit=4) == "cd"
    assert tail("abcd", limit=3) == ""


def test_a_random_mix_of_hostile_units_ends_in_a_verdict() -> None:
    shuffled = random.Random(7)
    for _ in range(20):
        answer = parse_answer("".join(shuffled.choices(PIECES, k=20_000)))
        assert (answer.failure is None) is (answer.lat is not None)


def test_only_a_comment_beside_the_pair_makes_it_a_placeholder() -> None:
    text = "// placeholder\n\nfar\n1, 2\nplaceholder"
    at = text.index("1, 2")
    assert not says_placeholder(text, at, at + 4)
    assert says_placeholder("1, 2 // a placeholder", 0, 4)
    assert says_placeholder("# placeholder\n1, 2", 14, 18)
