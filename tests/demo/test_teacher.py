from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.demo.client import LAST, Client, Outcome, boxed, first_messages, jpeg, off_by_km, reduced

Photos = list[dict[str, Any]]
Kinds = dict[str, dict[str, Any]]
Outcomes = list[Outcome]
NEED_TOOLS = ("small", "tilted", "small_tilted", "upside_down")


def error_km(client: Client, photo: dict[str, Any], **options: Any) -> float:
    outcome = client.place(photo["image"]["bytes"], **options)
    return off_by_km(outcome.answer, photo["lat"], photo["lon"])


def test_with_tools_every_sign_is_found_and_read(photos: Photos, outcomes: Outcomes) -> None:
    """Wherever there is a sign, the answer lies within 3 km of the camera."""
    for photo, outcome in zip(photos, outcomes, strict=True):
        if photo["kind"] != "no_sign":
            assert off_by_km(outcome.answer, photo["lat"], photo["lon"]) < 3, photo["kind"]


@pytest.mark.parametrize(
    ("protocol", "frame"),
    [("text", "norm1000"), ("native", "norm1000_yx"), ("native", "pixel")],
)
def test_both_protocols_and_all_frames_lead_to_the_place(
    client: Client, by_kind: Kinds, protocol: str, frame: str
) -> None:
    """Boxes are written in the frame that the prompt asks for, calls in the way it offers."""
    for kind in ("small", "small_tilted"):
        assert error_km(client, by_kind[kind], protocol=protocol, frame=frame) < 3


def test_tools_are_used_where_they_are_needed_and_only_there(
    photos: Photos, outcomes: Outcomes
) -> None:
    """Easy: none; small: zoom; tilted: rotate; both: rotate, then zoom."""
    zoom, rotate = "image_zoom_in_tool", "image_rotate_tool"
    expected = {
        "easy": [],
        "small": [zoom],
        "tilted": [rotate],
        "upside_down": [rotate],
        "small_tilted": [rotate, zoom],
        "no_sign": [zoom],
    }
    for photo, outcome in zip(photos, outcomes, strict=True):
        assert [name for name, _ in outcome.calls] == expected[photo["kind"]]


def test_without_tools_the_same_photos_stay_unread(client: Client, by_kind: Kinds) -> None:
    """What tools are worth: hundreds of km on the kinds that need them, nothing on the easy."""
    errors = [error_km(client, by_kind[kind], protocol="none") for kind in NEED_TOOLS]
    assert min(errors) > 100
    assert error_km(client, by_kind["easy"], protocol="none") < 3


def test_accuracy_collapses_when_photos_are_shuffled_among_truths(
    photos: Photos, outcomes: Outcomes
) -> None:
    """The answer follows the pixels: with another photo's truth it is wrong."""
    pairs = zip(photos, outcomes, strict=True)
    answers = {id(p): o.answer for p, o in pairs if p["kind"] != "no_sign"}
    signed = [photo for photo in photos if id(photo) in answers]
    shuffled = [
        off_by_km(answers[id(photo)], truth["lat"], truth["lon"])
        for photo, truth in zip(signed, signed[1:] + signed[:1], strict=True)
    ]
    straight = [off_by_km(answers[id(photo)], photo["lat"], photo["lon"]) for photo in signed]
    assert max(straight) < 3
    assert np.median(shuffled) > 1000


def test_blank_photos_bring_a_guess_that_says_so(client: Client) -> None:
    """No pixels, no place: the answer is called a guess and is the same for every blank."""
    answers = set()
    for colour in ("black", "white", "gray"):
        outcome = client.place(jpeg(Image.new("RGB", (2048, 1536), colour)))
        assert "guess" in outcome.texts[-1]
        assert "The sign reads" not in outcome.texts[-1]
        answers.add(outcome.answer)
    assert len(answers) == 1


def test_a_sign_painted_over_cannot_be_answered(client: Client, by_kind: Kinds) -> None:
    """Only the sign's pixels carry the place: without them the rest of the photo does not."""
    photo = by_kind["easy"]
    image = Image.open(io.BytesIO(photo["image"]["bytes"])).convert("RGB")
    image.paste((120, 150, 190), (0, 0, image.width, round(image.height * 0.56)))
    outcome = client.place(jpeg(image))
    assert off_by_km(outcome.answer, photo["lat"], photo["lon"]) > 100


def test_exif_with_the_true_place_makes_no_difference(client: Client, by_kind: Kinds) -> None:
    """The same pixels with and without GPS in their metadata get the same words."""
    photo = by_kind["small"]
    original = Image.open(io.BytesIO(photo["image"]["bytes"]))
    image = reduced(original.convert("RGB"))
    texts = []
    for options in ({}, {"exif": original.getexif()}):
        data = jpeg(image, **options)
        assert (b"Exif" in data) is bool(options)
        messages = first_messages(data, image.size, protocol="none", frame="pixel")
        texts.append(client.complete({"messages": messages})["message"]["content"])
    answers = [boxed(text) for text in texts]
    assert answers[0] == answers[1]
    assert off_by_km(answers[1], photo["lat"], photo["lon"]) > 100


def test_the_same_request_gets_the_same_response(client: Client, by_kind: Kinds) -> None:
    """No clock and no chance: the whole response repeats."""
    image = reduced(Image.open(io.BytesIO(by_kind["easy"]["image"]["bytes"])))
    messages = first_messages(jpeg(image), image.size, protocol="text", frame="pixel")
    body = {"model": "t", "messages": messages}
    assert client.complete(body) == client.complete(body)


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_tools_that_fail_do_not_send_the_teacher_round_in_circles(
    client: Client, by_kind: Kinds, protocol: str
) -> None:
    """Refused each time, it tries few other ways and then answers, well before the turns end."""
    for kind in ("small", "small_tilted", "no_sign"):
        outcome = client.place(
            by_kind[kind]["image"]["bytes"], protocol=protocol, turns=12, refuse="That failed."
        )
        assert outcome.answer is not None
        assert len(outcome.calls) <= 4
        assert len({str(call) for call in outcome.calls}) == len(outcome.calls)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_on_the_last_turn_it_answers(client: Client, by_kind: Kinds, turns: int) -> None:
    """Told so, it gives the best it has instead of another call."""
    photo = by_kind["small_tilted"]["image"]["bytes"]
    image = reduced(Image.open(io.BytesIO(photo)))
    if turns == 1:
        messages = first_messages(jpeg(image), image.size, protocol="text", frame="pixel")
        messages[-1]["content"].append({"type": "text", "text": LAST})
        assert boxed(client.complete({"messages": messages})["message"]["content"]) is not None
    else:
        outcome = client.place(photo, turns=turns)
        assert outcome.answer is not None
        assert len(outcome.texts) == turns


def test_reasoning_is_prose_of_a_few_sentences(outcomes: Outcomes) -> None:
    """A trace is worth learning from only if it says what was seen and why."""
    for outcome in outcomes:
        for text in outcome.texts:
            prose = text.split("<tool_call>")[0].split("<answer>")[0]
            assert 45 <= len(prose.split()) <= 200
            assert 2 <= prose.count(". ") + 1 <= 9


def test_a_noisy_photo_of_something_else_goes_through(client: Client) -> None:
    """A photo that is no road scene at all ends in a guess, not in an error."""
    noise = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    for image in (Image.fromarray(noise), Image.new("RGB", (40, 3000), (14, 62, 150))):
        outcome = client.place(jpeg(image), turns=8)
        assert outcome.answer is not None
