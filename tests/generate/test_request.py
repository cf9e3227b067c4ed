"""From a person's request to a run: which recipe it is, and what is told before it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from geostore.errors import RecipeError
from geostore.generate.plan import Plan
from geostore.generate.request import GenerateRequest, run_generate
from tests.minds import zoom_then_answer
from tests.running import AT_ONCE, Notes
from tests.teacher_server import TeacherServer, teacher_server


def request_of(server: TeacherServer, dataset: Path, store: Path) -> GenerateRequest:
    plan = Plan(num_samples=2, concurrency=2, patience=AT_ONCE)
    return GenerateRequest(
        dataset_path=dataset, store=store, plan=plan, model="gpt-4o", base_url=server.url
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "my-own-model"}, True),
        ({"model": "my-own-model", "bbox_frame": "norm1000"}, False),
        ({"model": "my-own-model", "tools": False}, False),
        ({"model": "gpt-4o"}, False),
    ],
)
def test_a_frame_that_the_models_name_does_not_tell_is_said_to_be_assumed(
    options: dict[str, object], told: bool, photo_dataset: Path, tmp_path: Path
) -> None:
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "geostore.db")
        run_generate(replace(request, **options), notes)  # type: ignore[arg-type]
    assert any("--bbox-frame" in notice for notice in notes.notices) == told


def test_more_tools_are_offered_where_they_are_named(photo_dataset: Path, tmp_path: Path) -> None:
    with teacher_server(zoom_then_answer) as server:
        request = request_of(server, photo_dataset, tmp_path / "geostore.db")
        run_generate(replace(request, extra_tools=("image_enhance_tool",)), Notes())
        offered = [tool["function"]["name"] for tool in server.bodies[0]["tools"]]
    assert offered == ["image_zoom_in_tool", "image_rotate_tool", "image_enhance_tool"]
    with pytest.raises(RecipeError, match="image_enhance_tool"):
        run_generate(replace(request, extra_tools=("image_paint_tool",)), Notes())
