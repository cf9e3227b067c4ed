"""From a person's request to a run: which recipe it is, and what is told before it begins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from geostore.conversation.recipe import RecipeChoices
from geostore.costs.budget import BudgetLimits
from geostore.costs.prices import PriceChoice
from geostore.errors import RecipeError
from geostore.generate.plan import Plan
from geostore.generate.request import (
    DatasetChoice,
    GenerateRequest,
    TeacherChoice,
    run_generate,
)
from geostore.pace import PaceLimits
from geostore.store import Store
from tests.minds import zoom_then_answer
from tests.running import AT_ONCE, Notes, geostore
from tests.teacher_server import TeacherServer, teacher_server


def request_of(server: TeacherServer, dataset: Path, store: Path) -> GenerateRequest:
    return GenerateRequest(
        dataset=DatasetChoice(dataset),
        store=store,
        teacher=TeacherChoice(model="gpt-4o", base_url=server.url),
        plan=Plan(num_samples=2, pace=PaceLimits(ceiling=2), retry_policy=AT_ONCE),
    )


@pytest.mark.parametrize(
    ("model", "choices", "told"),
    [
        ("my-own-model", RecipeChoices(), True),
        ("my-own-model", RecipeChoices(bbox_frame="norm1000"), False),
        ("my-own-model", RecipeChoices(tools=False), False),
        ("gpt-4o", RecipeChoices(), False),
        ("zai-org/GLM-4.5V-FP8", RecipeChoices(), False),
        ("x-ai/grok-4:free", RecipeChoices(), True),
        ("qwen-vl-max-latest", RecipeChoices(), True),
        ("qwen-vl-max-latest", RecipeChoices(bbox_frame="pixel"), False),
    ],
)
def test_a_frame_that_the_models_name_does_not_tell_is_said_to_be_assumed(
    model: str, choices: RecipeChoices, told: bool, photo_dataset: Path, tmp_path: Path
) -> None:
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "geostore.db")
        teacher = replace(request.teacher, model=model)
        run_generate(replace(request, teacher=teacher, recipe=choices), [notes])
    assert sum("--bbox-frame" in notice for notice in notes.notices) == told


def test_the_row_of_a_run_says_what_was_asked_and_holds_no_password(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, store)
        url = server.url.replace("http://", "http://me:secret@")
        request = replace(
            request,
            teacher=replace(request.teacher, base_url=url),
            budget=BudgetLimits(max_total_tokens=100_000),
            prices=PriceChoice(file=tmp_path / "prices.json"),
        )
        (tmp_path / "prices.json").write_text('{"*": {"in": 1, "out": 2}}')
        run_generate(request)
        with Store.open(store) as opened:
            (text,) = opened.db.connection.execute("select arguments from runs").fetchone()
    arguments = json.loads(text)
    assert arguments["teacher"]["base_url"] == server.url
    assert "secret" not in text
    assert arguments["dataset"]["path"] == str(photo_dataset)
    assert arguments["plan"]["num_samples"] == 2
    assert arguments["budget"] == {"max_total_tokens": 100_000, "max_cost": None}
    assert "of 100,000 tokens" in geostore("status", "--store", store).stdout, "status reads it"


def test_more_tools_are_offered_where_they_are_named(photo_dataset: Path, tmp_path: Path) -> None:
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "geostore.db")
        run_generate(replace(request, recipe=RecipeChoices(extra_tools=("image_enhance_tool",))))
        offered = [tool["function"]["name"] for tool in server.bodies[0]["tools"]]
    assert offered == ["image_zoom_in_tool", "image_rotate_tool", "image_enhance_tool"]
    with pytest.raises(RecipeError, match="image_enhance_tool"):
        run_generate(replace(request, recipe=RecipeChoices(extra_tools=("image_paint_tool",))))


@pytest.mark.parametrize("name", ["option", "environment"])
def test_a_base_url_without_a_scheme_is_refused_before_anything_is_made(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store, url = tmp_path / "geostore.db", "localhost:8000/v1?key=hush"
    options = ["generate", "--dataset-path", str(photo_dataset), "--store", str(store)]
    options += ["--model", "m"]
    if name == "option":
        ended = geostore(*options, "--base-url", url)
    else:
        ended = geostore(*options, OPENAI_BASE_URL=url)
    assert ended.returncode == 1
    assert ended.stderr == (
        "geostore: the base URL localhost:8000/v1 does not begin with http:// or https://; "
        "write http://localhost:8000/v1 (see --base-url)\n"
    )
    assert not store.exists()


def test_the_address_of_the_endpoint_itself_is_understood(
    photo_dataset: Path, tmp_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "geostore.db")
        teacher = replace(request.teacher, base_url=f" {server.url}/chat/completions/ ")
        run_generate(replace(request, teacher=teacher))
    assert set(server.paths) == {"/v1/chat/completions"}
