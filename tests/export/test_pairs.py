"""Pairs and labels out of several rollouts of a photo: which they are, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geostore.errors import ExportError
from geostore.export import ExportOptions, Filter, export
from geostore.store import ENDED, Conditions, Store, make_filter
from tests.builders import (
    NATIVE_RECIPE,
    NO_ANSWER,
    TEXT_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    Line,
    StoreBuilder,
    make_dataset,
    native,
)
from tests.minds import ZOOM, answer
from tests.running import geostore

DPO = ExportOptions(format="pairs", pairs_for="swift")
KTO = ExportOptions(format="pairs", pairs_for="swift", pairs_as="kto")


def at(row: int, away: float = 0.0) -> str:
    """An answer for a photo, so many degrees from its place."""
    return answer(10.0 + row + away, 20.0 + row)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of one photo a case, each with rollouts from 1 in this order."""
    folder = tmp_path_factory.mktemp("pairs")
    cases: list[list[tuple[list[Line], int]]] = [
        # 0: the second is the best, the third the worst.
        [([at(0, 3.0)], 10), ([ZOOM_IN, at(0)], 10), ([TURN_LEFT, at(0, 60.0)], 10)],
        # 1: one rollout is no pair.
        [([at(1)], 10)],
        # 2: two that are almost alike are none either.
        [([at(2)], 10), ([at(2, 0.001)], 10)],
        # 3: an answer that cannot be read scores 0; of two best the one with fewer tokens counts.
        [([ZOOM_IN, at(3)], 10), ([at(3)], 10), ([NO_ANSWER], 10), ([at(3)], 10)],
        # 4: where the first question is the last one, it says so.
        [([at(4)], 10), ([at(4, 60.0)], 1), ([at(4, 50.0)], 10), ([at(4)], 1)],
    ]
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos", rows=6))
        for row, case in enumerate(cases):
            for rollout, (script, limit) in enumerate(case, start=1):
                builder.play(row, script, rollout=rollout, turn_limit=limit)
        # 5: one rollout of each of two recipes is no pair, because they were asked otherwise.
        builder.play(5, [at(5)], recipe=TEXT_RECIPE)
        corner = native("Look.", (ZOOM, {"bbox_2d": [0, 0, 500, 500]}))
        builder.play(5, [corner, at(5, 60.0)], recipe=NATIVE_RECIPE)
        yield store


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "traces.jsonl").read_text().splitlines()]


def numbers(name: str) -> tuple[int, int]:
    """A trace's photo and rollout."""
    photo, _, rollout = name.split("-")
    return int(photo), int(rollout)


def chosen(out: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    return [(numbers(row["trace"]), numbers(row["worse_trace"])) for row in rows(out)]


def test_a_pair_is_the_best_and_the_worst_rollout_of_one_prompt(
    played: Store, tmp_path: Path
) -> None:
    result = export(played, tmp_path / "out", options=DPO)
    assert chosen(tmp_path / "out") == [
        ((0, 2), (0, 3)),
        ((3, 2), (3, 3)),
        ((4, 1), (4, 3)),
        ((4, 4), (4, 2)),
    ]
    assert result.count == 8
    assert result.left_out == "8 of 16: 8 in no pair"


def test_a_larger_gap_leaves_out_pairs_and_a_smaller_one_takes_more(
    played: Store, tmp_path: Path
) -> None:
    def photos(gap: float) -> list[int]:
        out = tmp_path / str(gap)
        export(played, out, options=ExportOptions(format="pairs", pairs_for="swift", min_gap=gap))
        return [photo for (photo, _), _ in chosen(out)]

    assert photos(1e-9) == [0, 2, 3, 4, 4]
    assert photos(0.1) == [0, 3, 4, 4]
    with pytest.raises(ExportError, match="in no pair"):
        photos(1.5)


def test_both_sides_share_the_prompt_and_have_their_own_images(
    played: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(played, out, options=DPO)
    for row in rows(out):
        assert row["messages"][:2] == row["rejected_messages"][:2]
        assert row["messages"][2:] != row["rejected_messages"][2:]
        for side in ("", "rejected_"):
            text = "".join(message["content"] for message in row[f"{side}messages"])
            assert text.count("<image>") == len(row[f"{side}images"])
            assert all((out / path).is_file() for path in row[f"{side}images"])
        assert row["images"][0] == row["rejected_images"][0]
    first = rows(out)[0]
    assert first["images"][1] != first["rejected_images"][1]


def test_only_images_of_written_traces_are_in_the_export(played: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(played, out, options=DPO)
    named = {path for row in rows(out) for path in (*row["images"], *row["rejected_images"])}
    files = {path.relative_to(out).as_posix() for path in out.rglob("*.jpg")}
    assert named == files


def test_every_row_has_the_same_members(played: Store, tmp_path: Path) -> None:
    """ms-swift reads JSON in blocks, and a block with other columns than the first stops it."""
    for name, options in (("dpo", DPO), ("kto", KTO)):
        export(played, tmp_path / name, options=options)
        assert len({tuple(row) for row in rows(tmp_path / name)}) == 1


def test_labels_say_of_every_rollout_whether_it_is_accepted(played: Store, tmp_path: Path) -> None:
    assert export(played, tmp_path / "out", options=KTO).count == 16
    labels = {numbers(row["trace"]): row["label"] for row in rows(tmp_path / "out")}
    assert [labels[0, n] for n in (1, 2, 3)] == [True, True, False]
    assert labels[3, 3] is False  # it could not be read


def test_pairs_are_those_of_the_traces_that_a_filter_keeps(played: Store, tmp_path: Path) -> None:
    filters = make_filter(Conditions(min_score=0.9), statuses=ENDED)
    with pytest.raises(ExportError, match="in no pair"):
        export(played, tmp_path / "out", options=DPO, filters=filters)
    assert export(played, tmp_path / "out", options=KTO, filters=filters).count < 16


def test_the_same_store_gives_the_same_bytes(played: Store, tmp_path: Path) -> None:
    first = export(played, tmp_path / "first", options=DPO)
    assert export(played, tmp_path / "second", options=DPO).sha256 == first.sha256


def test_a_trace_without_a_reward_is_an_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=1))
        for rollout, away in enumerate((0.0, 60.0), start=1):
            builder.play(0, [at(0, away)], rollout=rollout)
        store.db.execute("delete from rewards")
        for options in (DPO, KTO):
            with pytest.raises(ExportError, match="geostore rescore"):
                export(store, tmp_path / "out", options=options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ExportOptions(format="pairs"), "give --for"),
        (ExportOptions(format="swift", pairs_for="swift"), "takes no --for"),
        (ExportOptions(format="swift", min_gap=0.5), "takes no --min-gap"),
        (ExportOptions(format="pairs", pairs_for="swift", min_gap=0.0), "more than 0"),
        (ExportOptions(format="pairs", pairs_for="swift", min_gap=float("nan")), "more than 0"),
        (ExportOptions(format="pairs", pairs_for="swift", mask_turns="no_op"), "--mask-turns"),
        (replace(KTO, min_gap=0.5), "leave out --min-gap"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    played: Store, tmp_path: Path, options: ExportOptions, words: str
) -> None:
    with pytest.raises(ExportError, match=words):
        export(played, tmp_path / "out", options=options, filters=Filter())
    assert not (tmp_path / "out").exists()


def test_pairs_of_all_rollouts_leave_out_none(tmp_path: Path) -> None:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(tmp_path / "photos", rows=1))
        for rollout, away in enumerate((0.0, 60.0), start=1):
            builder.play(0, [at(0, away)], rollout=rollout)
        assert export(store, tmp_path / "out", options=DPO).left_out is None
    done = geostore(
        *("export", str(tmp_path / "dry"), "--store", str(tmp_path / "geostore.db"), "--dry-run"),
        *("--format", "pairs", "--for", "swift"),
    )
    assert "would write 2 traces: 1 row" in done.stdout + done.stderr
    assert "leaves out" not in done.stdout + done.stderr


def test_the_command_writes_pairs(played: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = geostore(
        *("export", str(out), "--store", str(played.path)),
        *("--format", "pairs", "--for", "swift", "--min-gap", "0.2"),
    )
    assert done.returncode == 0, done.stderr
    assert len(rows(out)) == 4
    assert "swift rlhf --rlhf_type dpo" in (out / "train.sh").read_text()
