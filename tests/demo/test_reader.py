from __future__ import annotations

import importlib.util
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geostore.demo.gazetteer import City, load_cities, name_key, sign_name
from geostore.demo.glance import find_panel, look_around, turn_upright, up_direction
from geostore.demo.photos import find_place
from geostore.demo.reader import Row, TemplateReader, make_reader
from geostore.demo.scenes import PANEL_COLOURS, Sign, panel_image
from geostore.demo.towns import locate, matching_cities
from geostore.errors import DemoError
from tests.demo.client import jpeg, off_by_km, reduced
from tests.examples import examples

READER = TemplateReader()
GAZETTEER = load_cities()
ON_SIGNS = [
    city
    for city in GAZETTEER.cities[::7]
    if len(name_key(city.name)) >= 4 and len(sign_name(city.name)) <= 14
    if all(letter in " -'" or "A" <= letter <= "Z" for letter in sign_name(city.name))
]
Kinds = dict[str, dict[str, Any]]


def full(photo: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(photo["image"]["bytes"])).convert("RGB")


def through_jpeg(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(image))).convert("RGB")


def sign_of(photo: dict[str, Any]) -> list[tuple[str, int]]:
    rows = [row.rsplit(" ", 1) for row in photo["sign"].split("; ")]
    return [(name_key(name), int(km)) for name, km in rows]


def read(image: Image.Image) -> list[tuple[str, int]]:
    panel = find_panel(image)
    assert panel is not None
    rows = READER.read(image, panel)
    return [(name_key(matching_cities(row, GAZETTEER)[0].name), row.km) for row in rows]


def zoomed(photo: dict[str, Any]) -> Image.Image:
    image = full(photo)
    panel = find_panel(reduced(image))
    assert panel is not None
    grow = image.width / reduced(image).width
    left, top, right, bottom = (edge * grow for edge in panel.box)
    return through_jpeg(image.crop((left - 20, top - 20, right + 20, bottom + 20)))


def test_large_text_is_read_in_the_reduced_photo(by_kind: Kinds) -> None:
    """An easy photo needs no tool."""
    assert read(through_jpeg(reduced(full(by_kind["easy"])))) == sign_of(by_kind["easy"])


def test_small_text_is_read_only_after_a_zoom_from_full_resolution(by_kind: Kinds) -> None:
    """The reduced photo has lost the letters; the full one still has them."""
    assert read(through_jpeg(reduced(full(by_kind["small"])))) == []
    assert read(zoomed(by_kind["small"])) == sign_of(by_kind["small"])


@pytest.mark.parametrize("kind", ["tilted", "upside_down"])
def test_tilted_text_is_read_only_after_the_turn_that_the_first_look_names(
    by_kind: Kinds, kind: str
) -> None:
    """The tilt is measured from panel and sky, and turning by it makes the sign legible."""
    image = through_jpeg(reduced(full(by_kind[kind])))
    panel = find_panel(image)
    assert panel is not None
    assert read(image) == []
    angle = turn_upright(panel, image)
    turned = full(by_kind[kind]).rotate(angle, Image.Resampling.BICUBIC, expand=True)
    assert read(through_jpeg(reduced(turned))) == sign_of(by_kind[kind])


def test_a_scene_without_a_sign_shows_none(by_kind: Kinds) -> None:
    """Sky, trees and cars are not taken for a panel."""
    assert find_panel(reduced(full(by_kind["no_sign"]))) is None


@pytest.mark.parametrize("colour", ["black", "white", (120, 120, 120), PANEL_COLOURS[0]])
def test_plain_images_give_no_rows(colour: Any) -> None:
    """Nothing is read from nothing, even from a panel's own colour."""
    image = Image.new("RGB", (640, 480), colour)
    panel = find_panel(image)
    assert panel is None or READER.read(image, panel) == ()
    assert look_around(image).side is None
    assert up_direction(image) is None


@settings(max_examples=examples(20), deadline=None)
@given(
    cities=st.lists(st.sampled_from(ON_SIGNS), min_size=3, max_size=3, unique_by=id),
    kms=st.lists(st.integers(1, 199), min_size=3, max_size=3),
    colour=st.sampled_from(PANEL_COLOURS),
    em=st.integers(26, 44),
    tilt=st.floats(-2, 2),
)
def test_whatever_a_panel_says_is_read_back(
    cities: list[City], kms: list[int], colour: tuple[int, int, int], em: int, tilt: float
) -> None:
    """Names of the gazetteer and numbers survive drawing, tilt, JPEG and reading."""
    rows = tuple((sign_name(city.name), km) for city, km in zip(cities, kms, strict=True))
    panel = panel_image(Sign(rows, em, colour))
    image = Image.new("RGB", (panel.width + 80, panel.height + 80), (140, 150, 120))
    image.paste(panel, (40, 40), panel)
    image = image.rotate(tilt, Image.Resampling.BICUBIC, fillcolor=(140, 150, 120))
    found = read(through_jpeg(image))
    assert found == [(name_key(name), km) for name, km in rows]


def row_for(name: str, km: int) -> Row:
    key = name_key(name)
    scores = np.full((len(key), 26), 0.3)
    scores[np.arange(len(key)), [ord(letter) - 65 for letter in key]] = 0.95
    return Row(key, km, scores, 0.95, 20.0)


@pytest.mark.parametrize("seed", range(10))
def test_three_distances_find_the_camera(seed: int) -> None:
    """Homonyms are told apart by the distances; rounding leaves about a kilometre."""
    place = find_place(GAZETTEER, np.random.default_rng(seed))
    fix = locate([row_for(name, km) for name, km in place.rows], GAZETTEER)
    assert fix is not None
    assert fix.sure
    assert {city for city, _ in fix.towns} == {city for city, _ in place.towns}
    assert off_by_km((fix.lat, fix.lon), place.lat, place.lon) < 2.5


def test_fewer_rows_give_a_place_that_is_not_called_sure() -> None:
    """Two circles and one town are stated for what they are."""
    place = find_place(GAZETTEER, np.random.default_rng(1))
    rows = [row_for(name, km) for name, km in place.rows]
    two, one = locate(rows[:2], GAZETTEER), locate(rows[:1], GAZETTEER)
    assert two is not None
    assert one is not None
    assert (two.sure, one.sure) == (False, False)
    assert off_by_km((two.lat, two.lon), place.lat, place.lon) < 60
    assert locate([], GAZETTEER) is None


def test_names_that_contradict_each_other_are_not_put_together() -> None:
    """Three towns on three continents cannot all be near: no place is sure."""
    fix = locate([row_for("Berlin", 12), row_for("Tokyo", 20), row_for("Lima", 9)], GAZETTEER)
    assert fix is not None
    assert not fix.sure
    assert len(fix.towns) == 1


def test_an_unknown_reader_and_one_not_installed_are_named() -> None:
    """The message says what to install or to choose."""
    with pytest.raises(DemoError, match="choose template or rapidocr"):
        make_reader("psychic")
    if importlib.util.find_spec("rapidocr") is None:
        with pytest.raises(DemoError, match=r"pip install rapidocr onnxruntime"):
            make_reader("rapidocr")


@pytest.mark.skipif(
    importlib.util.find_spec("rapidocr") is None, reason="needs the extra geostore-distill[demo]"
)
def test_rapidocr_reads_the_same_rows(by_kind: Kinds) -> None:
    """The other reader agrees on an easy photo."""
    image = reduced(full(by_kind["easy"]))
    panel = find_panel(image)
    assert panel is not None
    rows = make_reader("rapidocr").read(image, panel)
    assert [(row.text, row.km) for row in rows] == sign_of(by_kind["easy"])
