"""Which turns --mask-turns leaves out of the loss, and what an export refuses about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geostore.audit import CHECKS, audit
from geostore.audit.flagged_turns import FLAGGED_TURNS
from geostore.errors import ExportError
from geostore.export import FORMATS, ExportOptions, ExportStream, Filter, export
from geostore.export.files.folder import partial_folder
from geostore.export.student.dialogue import dialogues
from geostore.export.student.masks import checked_masks, masked_turns
from geostore.store import Store, open_snapshot
from tests.builders import (
    BAD_BOX,
    NO_ANSWER,
    TURN_LEFT,
    ZOOM_IN,
    StoreBuilder,
    make_dataset,
)
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.running import geostore

NEAR = answer(10.0, 20.0)
WHOLE = text_call(ZOOM, {"bbox_2d": [0, 0, 1000, 1000]})
LOOP = "The sign is blue. " * 30
PROSE = "The road is red, the sky is wide, and the signs are those of a country in the south. " * 2

SCRIPTS: list[tuple[list[Any], dict[str, set[int]]]] = [
    ([ZOOM_IN, NEAR], {}),
    (
        [BAD_BOX, ZOOM_IN, WHOLE, text_call(ROTATE, {"angle": 0}), NEAR],
        {"failed_call": {1}, "no_op": {3, 4}, "flag:no_op_call": {3, 4}},
    ),
    ([BAD_BOX + ZOOM_IN, NEAR], {"failed_call": {1}}),
    ([ZOOM_IN, BAD_BOX, NEAR], {"failed_call": {2}, "flag:answer_after_failed_call": {3}}),
    (
        [f"{LOOP}{ZOOM_IN}", TURN_LEFT, LOOP + NEAR],
        {"flag:repeated_text": {1, 3}},
    ),
    ([PROSE, PROSE, PROSE + NEAR], {"flag:repeated_text": {2}}),
    (
        ["I zoomed in.", "After zooming in on it, I can see.", ZOOM_IN, f"I zoomed in. {NEAR}"],
        {"flag:claimed_tool": {1, 2}},
    ),
    (
        [f"<scratchpad>a</scratchpad>{ZOOM_IN}", f"<scratchpad>b</scratchpad>{NEAR}"],
        {"flag:odd_thought": {1, 2}},
    ),
    ([{"response": PROSE, "finish_reason": "length"}], {"flag:truncated": {1}}),
    (
        [ZOOM_IN, {"response": f"{NEAR} comes first, but", "finish_reason": "error"}],
        {"flag:broken_off": {2}},
    ),
    ([ZOOM_IN, answer(0.0, 0.0)], {"flag:null_island": {2}}),
    ([ZOOM_IN, NO_ANSWER, NO_ANSWER, NO_ANSWER], {"flag:placeholder": {2}}),
    (
        [ZOOM_IN, "It is at 33.86°S, 151.21°E. " + answer(48.85, 2.35)],
        {"flag:contradicts_prose": {2}},
    ),
    (
        [ZOOM_IN, "Country: Germany\n" + answer(48.85, 2.35)],
        {"flag:words_against_point": {2}},
    ),
    (
        [text_call(ZOOM, {"bbox_2d": [0.1, 0.1, 0.4, 0.4]}), ZOOM_IN, NEAR],
        {"failed_call": {1}, "flag:odd_frame": {1}},
    ),
]
"""What a teacher writes, and the turns that each mask names; masks that name none are left out."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the scripts' traces: rollouts of one photo, audited."""
    folder = tmp_path_factory.mktemp("masks")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        for number, (script, _) in enumerate(SCRIPTS, start=1):
            builder.play(0, script, rollout=number)
        audit(store)
        yield store


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_each_mask_names_all_of_its_turns_and_no_other(played: Store, number: int) -> None:
    trace = played.traces.get_trace(number + 1)
    masks = ("failed_call", "no_op", *(f"flag:{name}" for name in FLAGGED_TURNS))
    turns = {mask: set(masked_turns(trace, [mask])) for mask in masks}
    assert {mask: named for mask, named in turns.items() if named} == SCRIPTS[number][1]


def test_a_trace_has_turns_of_a_check_exactly_where_the_audit_flags_it(played: Store) -> None:
    """The rows are read twice, here and by the audit's SQL; both have to mean the same."""
    flagged = {
        (row["trace_id"], row["flag"])
        for row in played.db.connection.execute("select trace_id, flag from trace_flags")
    }
    for number in range(1, len(SCRIPTS) + 1):
        trace = played.traces.get_trace(number)
        for name, turns in FLAGGED_TURNS.items():
            assert bool(turns(trace)) == ((number, name) in flagged), (number, name)
    assert {name for _, name in flagged} >= FLAGGED_TURNS.keys()


def test_a_reply_of_a_masked_turn_is_not_learnt_and_stays_in_the_dialogue(
    played: Store, tmp_path: Path
) -> None:
    options = ExportOptions(images="reference", mask_turns=("failed_call", "no_op"))
    with partial_folder(tmp_path / "out") as folder, open_snapshot(played.path) as snapshot:
        stream = ExportStream(snapshot, Filter(), folder, options=options)
        by_name = {dialogue.exported.trace.name: dialogue for dialogue in dialogues(stream)}
    assert len(by_name) == len(SCRIPTS)
    second = by_name[played.traces.get_trace(2).name]
    assert [reply.learn for reply in second.replies] == [False, True, False, False, True]
    assert second.replies[0].words == BAD_BOX


def test_a_trace_of_which_no_turn_is_learnt_is_left_out_and_counted(
    played: Store, tmp_path: Path
) -> None:
    """A trainer that meets a row without anything to learn stops, or takes another row."""
    options = ExportOptions(images="reference", mask_turns=("flag:truncated",))
    with partial_folder(tmp_path / "out") as folder, open_snapshot(played.path) as snapshot:
        stream = ExportStream(snapshot, Filter(), folder, options=options)
        assert len(list(stream)) == len(SCRIPTS) - 1
        assert stream.unwritten.counts == {"masked": 1}


def test_masks_come_in_one_order_and_as_a_list_or_a_text() -> None:
    masks = ("failed_call", "no_op", "flag:truncated")
    assert checked_masks("flag:truncated, no_op,failed_call,no_op") == masks
    assert checked_masks(["flag:truncated", "failed_call", "no_op"]) == masks
    assert checked_masks("") == checked_masks(()) == ()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("failed_cal", "(did you mean failed_call?)"),
        ("flag:truncatd", "(did you mean flag:truncated?)"),
        ("truncated", "there are no turns 'truncated' to mask"),
        ("flag:same_response", "leave such traces out with --exclude-flag same_response"),
    ],
)
def test_a_mask_that_there_is_not_is_an_error_that_says_what_to_do(mask: str, words: str) -> None:
    with pytest.raises(ExportError) as refused:
        checked_masks(mask)
    assert words in str(refused.value)


def test_every_check_either_names_turns_or_is_refused_with_its_own_way_out() -> None:
    for name in CHECKS.keys() - FLAGGED_TURNS.keys():
        with pytest.raises(ExportError, match=f"--exclude-flag {name}"):
            checked_masks(f"flag:{name}")


def test_a_format_that_cannot_mask_refuses_and_says_what_can_be_done(
    played: Store, tmp_path: Path
) -> None:
    options = ExportOptions(format="sharegpt", mask_turns="failed_call")
    with pytest.raises(ExportError) as refused:
        export(played, tmp_path / "out", options=options)
    assert "the format sharegpt takes no --mask-turns" in str(refused.value)
    assert "--where 'failed_tool_calls = 0'" in str(refused.value)
    named = re.findall(r"[a-z-]+", str(refused.value).rpartition("mask turns:")[2])
    can = [name for name, writer in FORMATS.items() if "mask_turns" in writer.rules.takes]
    assert [name for name in named if name != "or"] == can
    assert not (tmp_path / "out").exists()


def test_the_command_refuses_in_the_same_words(played: Store, tmp_path: Path) -> None:
    store = ["--store", str(played.path)]
    done = geostore("export", str(tmp_path / "out"), *store, "--mask-turns", "no_op")
    assert done.returncode == 1
    assert "the format trace takes no --mask-turns" in done.stderr
