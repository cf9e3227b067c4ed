"""Coordinates in earlier turns are rows: written when a trace closes, imported or read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from geostore.answers import PARSER_VERSION
from geostore.rewards import make_spec, rescore
from geostore.rewards.reparse import Parser
from geostore.store import Store
from tests.completions import rows
from tests.minds import ZOOM, answer, text_call, turns_so_far
from tests.running import geostore, run
from tests.teacher_server import Body, Reply, teacher_server

_COLUMNS = "turn, parser_version, lat, lon, form, flags"
WRITTEN = f"select {_COLUMNS} from interim_answers order by trace_id, turn"
READ = "select parser_version, lat, lon, failure from answers order by trace_id, parser_version"


def wanderer(body: Body) -> Reply:
    """Places that come closer: three zooms, a guess beside the second and the third."""
    turn = turns_so_far(body)
    guess = ["A sign.", "Maybe (10.5, 20.5).", "\\boxed{0, 0}", answer(13.5, 23.5)][min(turn, 3)]
    if turn >= 3:
        return Reply(guess)
    if "tools" in body:
        call = {
            "id": f"c{turn}",
            "type": "function",
            "function": {"name": ZOOM, "arguments": '{"bbox_2d": [0, 0, 500, 500]}'},
        }
        return Reply(guess, finish_reason="tool_calls", tool_calls=[call])
    return Reply(f"{guess}\n{text_call(ZOOM, {'bbox_2d': [0, 0, 500, 500]})}")


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_the_coordinates_of_earlier_turns_are_written_beside_the_answer(
    photo_dataset: Path, tmp_path: Path, protocol: str
) -> None:
    """Also where the trace was opened again, which took its first reading away."""
    store = tmp_path / "geostore.db"
    recipe = {"protocol": protocol}
    with teacher_server(wanderer) as server:
        run(server.url, photo_dataset, store, num_samples=1, turn_limit=1, recipe=recipe)
        assert rows(store, WRITTEN) == []
        assert rows(store, READ) == [(PARSER_VERSION, None, None, "no_coordinates")]
        run(server.url, photo_dataset, store, num_samples=1, turn_limit=9, recipe=recipe)
    first = (2, PARSER_VERSION, 10.5, 20.5, "parentheses", "[]")
    second = (3, PARSER_VERSION, 0.0, 0.0, "boxed", '["null_island"]')
    assert rows(store, WRITTEN) == [first, second]
    assert rows(store, READ) == [(PARSER_VERSION, 13.5, 23.5, None)]

    # A newer parser reads them again, and the older readings stay.
    with Store.open(store) as opened:
        newer = Parser(version=PARSER_VERSION + 1)
        assert rescore(opened.db, make_spec(), parser=newer).read == 1
        assert rescore(opened.db, make_spec(), parser=newer).read == 0
    again = [(turn, PARSER_VERSION + 1, *rest) for turn, _, *rest in (first, second)]
    assert sorted(rows(store, WRITTEN)) == sorted([first, second, *again])

    # An export holds the turns, so an import finds them again.
    other = tmp_path / "other.db"
    done = geostore("export", "--store", store, "--format", "trace", tmp_path / "traces")
    assert done.returncode == 0, done.stderr
    done = geostore("import", tmp_path / "traces", "--store", other)
    assert done.returncode == 0, done.stderr
    assert rows(other, WRITTEN) == [first, second]
