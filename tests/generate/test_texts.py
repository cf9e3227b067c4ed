"""What teachers write, through whole runs: what is stored as thought, as call and as answer."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from geostore.store import Store
from geostore.verify import verify
from tests.minds import ZOOM, text_call, wanderer
from tests.running import run
from tests.teacher_server import Body, Reply, teacher_server

CAIRO = "Maybe Cairo: \\boxed{30.0444, 31.2357}? No, the poles are American."
ZOOM_IN = text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]})
KANSAS = "The place is in Kansas.\nLatitude: 39.25, Longitude: -98.75"
THERE = (39.25, -98.75)


class Text(NamedTuple):
    """A response, and what is stored of it."""

    content: str
    answer: tuple[float, float] | None
    reasoning: str | None = None
    finish_reason: str = "stop"


TEXTS = {
    "a name in a sentence before": Text(
        "My first thought was Cairo (30.0444, 31.2357), but the poles say a similar latitude.\n\n"
        "Latitude: 39.2500\nLongitude: -98.7500",
        THERE,
    ),
    "the name of a coordinate in a sentence right before": Text(
        "The fields lie in a state such as Nebraska, or at a similar latitude:\n\n"
        "Latitude: 39.2500\nLongitude: -98.7500",
        THERE,
    ),
    "a candidate that is rejected": Text(
        "First candidate: Latitude: 10.0, Longitude: 20.0. No, the grass is too dry for that"
        " latitude.\n\nLatitude: 39.2500\nLongitude: -98.7500",
        THERE,
    ),
    "Kimi": Text(f"◁think▷{CAIRO}◁/think▷{KANSAS}", THERE, CAIRO),
    "Magistral": Text(f"[THINK]{CAIRO}[/THINK]{KANSAS}", THERE, CAIRO),
    "prompted": Text(f"<thinking>{CAIRO}</thinking>{KANSAS}", THERE, CAIRO),
    "EXAONE, the first tag in the template": Text(f"{CAIRO}</thought>{KANSAS}", THERE, CAIRO),
    "Seed-OSS": Text(f"<seed:think>{CAIRO}</seed:think>{KANSAS}", THERE, CAIRO),
    "gpt-oss": Text(
        f"<|channel|>analysis<|message|>{CAIRO}<|end|><|start|>assistant"
        f"<|channel|>final<|message|>{KANSAS}",
        THERE,
        CAIRO,
    ),
    "Granite": Text(
        f"Here is my thought process:{CAIRO}Here is my response:{KANSAS}", THERE, CAIRO
    ),
    "a call in a thought": Text(f"[THINK]{CAIRO}{ZOOM_IN}[/THINK]{KANSAS}", THERE, CAIRO + ZOOM_IN),
    "a thought that was cut": Text(f"◁think▷{CAIRO} Let me", None, f"{CAIRO} Let me", "length"),
    "a thought that was cut and shows no tag": Text(f"{CAIRO} Let me", None, None, "length"),
    "a thought that was cut and tries the whole form": Text(
        "So <answer>\\boxed{30.0444, 31.2357}</answer>? No, the poles are American. Let me",
        None,
        None,
        "length",
    ),
    "an answer that the limit came right after": Text(
        "<answer>\\boxed{39.25, -98.75}</answer>\n", THERE, None, "length"
    ),
    "a box with decimal corners": Text("The sign: (12.5, 34.5), (56.5, 78.5)", None),
    "GLM's box": Text("<answer><|begin_of_box|>39.25, -98.75<|end_of_box|></answer>", THERE),
    "GLM's box alone": Text("<|begin_of_box|>39.25, -98.75<|end_of_box|>", THERE),
    "a bare pair": Text("39.250000, -98.750000", THERE),
    "named coordinates": Text("* Address: Kansas\n* Coordinates: 39.2500, -98.7500", THERE),
    "a number that is broken off": Text('{"lat": -23.5, "lon": -46. Sao', None),
    "a tag in another case": Text(f"<Think>{CAIRO}</Think>{KANSAS}", THERE, CAIRO),
    "MedGemma": Text(f"<unused94>thought\n{CAIRO}<unused95>{KANSAS}", THERE, f"\n{CAIRO}"),
    "an answer tag in capitals": Text(
        "Cairo (30.04, 31.23)?\n<ANSWER>39.25, -98.75</ANSWER>", THERE
    ),
    "a box without its backslash": Text("Cairo (30.04, 31.23)?\nboxed{39.25, -98.75}", THERE),
    "a box for each number": Text("Cairo (30.04, 31.23)?\n\\boxed{39.25}, \\boxed{-98.75}", THERE),
    "a swapped box": Text("Cairo (30.04, 31.23)? No: \\boxed{-98.75, 39.25}", None),
    "a tolerance": Text("Latitude: 39.25 ± 0.5\nLongitude: -98.75 ± 0.5", THERE),
    "Spanish": Text("Latitud: 39,25; Longitud: -98,75", THERE),
    "named coordinates after a place": Text(
        "Cairo (30.0444, 31.2357)? No.\n\nCoordenadas: 39.2500, -98.7500", THERE
    ),
    "a table": Text(
        "| State | Latitude | Longitude |\n|---|---|---|\n| Kansas | 39.25 | -98.75 |", THERE
    ),
    "a number in JSON with its letter": Text('{"lat": 39.25 N, "lon": 98.75 W}', THERE),
    "a longitude that never came": Text("Cairo (30.04, 31.23)? No.\nLatitude: 39.25\nLongi", None),
    "a bare line after a place": Text("Cairo (30.04, 31.23)? No.\n\n39.25, -98.75", None),
    "a later attempt": Text("Cairo (30.04, 31.23)? No: (39.25, -98.75, 450 m)", None),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_response_is_stored_as_what_it_is(name: str, photo_dataset: Path, tmp_path: Path) -> None:
    """And where it is sent back, it goes as it came: verify rebuilds every request."""
    text = TEXTS[name]
    store = tmp_path / "geostore.db"
    bodies: list[Body] = []

    def script(number: int, body: Body) -> Reply:
        bodies.append(body)
        return Reply(text.content, text.finish_reason) if number == 0 else Reply("Well.")

    with teacher_server(wanderer, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1)
    with Store.open(store) as opened:
        query = (
            "select k.response, k.reasoning, a.lat, a.lon, (select count(*) from tool_calls)"
            " from turns as k join answers as a using (trace_id) where k.turn = 1"
        )
        response, reasoning, lat, lon, calls = opened.db.connection.execute(query).fetchone()
    assert (None if lat is None else (lat, lon)) == text.answer
    assert (reasoning, calls) == (text.reasoning, 0)
    assert text.content.endswith(response)
    for body in bodies[1:]:
        assert body["messages"][2]["content"] == text.content
    assert not verify(store, workers=1).findings
