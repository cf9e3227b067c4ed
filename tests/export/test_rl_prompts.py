"""What the formats of prompts have in common."""

from __future__ import annotations

import json
from pathlib import Path

from geostore.conversation.messages import LAST_TURN
from geostore.export import ExportOptions, ExportStream, Filter, open_snapshot
from geostore.export.files.folder import partial_folder
from geostore.export.trainers.rl_prompts import RlPrompts
from geostore.importing import import_traces
from geostore.store import Store
from tests.builders import StoreBuilder, make_dataset
from tests.minds import answer


def test_an_imported_trace_is_left_out_by_name_because_nobody_knows_its_tools(
    tmp_path: Path,
) -> None:
    """A student would call tools that work otherwise than its prompt says."""
    trace = {
        "dataset_path": "/photos",
        "sample_index": 3,
        "sample_data": {"lat": 1.0, "lon": 2.0},
        "conversation_history": [
            {
                "turn": 1,
                "messages": [{"role": "user", "content": "Where?"}],
                "response": answer(1.0, 2.0),
            }
        ],
        "tool_calls": [],
        "final_response": answer(1.0, 2.0),
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "trace_00003.json").write_text(json.dumps(trace))
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        import_traces(store, tmp_path / "in")
        with open_snapshot(store.path) as snapshot, partial_folder(tmp_path / "out") as folder:
            options = ExportOptions(images="reference")
            stream = ExportStream(snapshot, Filter(), folder, options=options)
            prompts = RlPrompts(stream)
            assert list(prompts) == []
            assert prompts.traces == 0
            assert stream.unwritten.counts == {"tools": 1}
            assert stream.unwritten.named[0].trace == store.traces.get_trace(1).name


def test_a_question_does_not_say_that_the_turn_is_the_last_though_a_trace_had_one_alone(
    tmp_path: Path,
) -> None:
    """Its students have as many turns as the longest trace could have."""
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos"))
        builder.play(0, [answer(1.0, 2.0)], turn_limit=1)
        builder.play(0, [answer(1.0, 2.0)], rollout=2, turn_limit=7)
        builder.play(1, [answer(1.0, 2.0)], turn_limit=5)
    with (
        open_snapshot(tmp_path / "geostore.db") as snapshot,
        partial_folder(tmp_path / "out") as folder,
    ):
        stream = ExportStream(snapshot, Filter(), folder, options=ExportOptions(images="embed"))
        prompts = RlPrompts(stream)
        first, second = prompts
    assert first.question.parts[1:] == second.question.parts[1:]
    assert not any(LAST_TURN in str(part) for part in first.question.parts)
    assert prompts.turn_limit == 7
