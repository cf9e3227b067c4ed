"""Which traces a filter keeps, whoever asks: an export, the Python face, a rescore."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import geostore
from geostore.audit import audit
from geostore.errors import ExportError, FilterError, RewardError
from geostore.export import export
from geostore.records import StoredTrace
from geostore.rewards import make_spec, rescore
from geostore.store import ENDED, Filter, Store, moment, open_snapshot
from tests.builders import NATIVE_RECIPE, ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.running import geostore as command

NEAR = make_spec("threshold", {"km": "50"}, name="near")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with traces of every status, two models and two rewards, audited."""
    folder = tmp_path_factory.mktemp("store")
    path = folder / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        builder.play(2, [ZOOM_IN], recipe=NATIVE_RECIPE)
        rescore(store.db, NEAR)
        audit(store)
    return path


def kept(path: Path, filters: Filter) -> list[StoredTrace]:
    with open_snapshot(path) as snapshot:
        return list(snapshot.traces(filters))


def distance(trace: StoredTrace) -> float | None:
    return None if trace.reward is None else trace.reward.distance_km


CONDITIONS: list[tuple[str, Callable[[StoredTrace], bool]]] = [
    ("turns > 1", lambda trace: len(trace.turns) > 1),
    ("turns > 1 or true", lambda trace: True),
    ("not turns > 1", lambda trace: len(trace.turns) <= 1),
    ("status = 'open'", lambda trace: trace.status == "open"),
    ("model = 'test-native'", lambda trace: trace.recipe.model == "test-native"),
    ("failed_tool_calls", lambda trace: any(not call.success for call in trace.calls)),
    ("distance_km < 200", lambda trace: (distance(trace) or 1e9) < 200),
    ("score is null", lambda trace: trace.reward is None or trace.reward.score is None),
    ("country = 'france' -- a comment", lambda trace: trace.sample.country == "france"),
    ("sample_index in (0, 3)", lambda trace: trace.key.sample_index in (0, 3)),
    ("rollout = 2 and lat = 10", lambda trace: trace.key.rollout == 2),
    ("parse_success", lambda trace: trace.answer is not None and trace.answer.failure is None),
    (
        "exists (select 1 from turns where turns.trace_id = trace_results.trace_id and turn = 3)",
        lambda trace: len(trace.turns) >= 3,
    ),
]


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_a_condition_keeps_the_traces_for_which_it_holds(
    filled: Path, condition: str, holds: Callable[[StoredTrace], bool]
) -> None:
    every = kept(filled, Filter(statuses=None))
    assert len(every) == 7
    chosen = kept(filled, Filter(statuses=None, where=condition))
    assert chosen == [trace for trace in every if holds(trace)]
    assert chosen


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS)
def test_a_condition_cannot_bring_back_what_another_one_leaves_out(
    filled: Path, condition: str, holds: Callable[[StoredTrace], bool]
) -> None:
    """Also where it holds an `or`: the conditions of a filter all hold."""
    near = Filter(max_distance_km=200.0, model="test-text")
    expected = [trace for trace in kept(filled, near) if holds(trace)]
    assert kept(filled, replace(near, where=condition)) == expected


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("score > 2) or (true", "parenthesis"),
        (
            "scores > 2",
            r"no such column: scores \(did you mean score\?\); geostore query 'describe trace_",
        ),
        ("s.exclusion is null", "no such column: s.exclusion"),
        ("status in (select value from json_each(:statuses))", "parameter"),
        ("json_extract(country, '$.a') = 1", "JSON"),
        ("", "the condition is empty"),
    ],
)
def test_a_condition_that_is_none_is_refused_with_the_columns_it_may_name(
    filled: Path, tmp_path: Path, condition: str, words: str
) -> None:
    with pytest.raises(FilterError, match=words):
        kept(filled, Filter(where=condition))
    with Store.open(filled) as store, pytest.raises(FilterError, match=words):
        export(store, tmp_path / "out", filters=Filter(where=condition))
    assert not (tmp_path / "out").exists()


def test_the_scores_of_a_condition_are_those_of_the_reward_that_is_chosen(filled: Path) -> None:
    """As in a query with --reward: one name, one number."""
    for condition, filters in (
        ("score > 0.5", Filter(min_score=0.5)),
        ("distance_km < 100", Filter(max_distance_km=100.0)),
    ):
        for reward in (None, "near"):
            by_number = kept(filled, replace(filters, reward=reward))
            assert kept(filled, Filter(where=condition, reward=reward)) == by_number
    assert len(kept(filled, Filter(where="score > 0.5"))) == 3
    assert len(kept(filled, Filter(where="score > 0.5", reward="near"))) == 1


def test_a_condition_may_name_every_column_of_the_view_that_queries_read(filled: Path) -> None:
    """And its numbers are the view's, where no other reward is chosen."""
    with Store.open(filled) as store:
        view = store.db.execute("select * from trace_results order by trace_id").fetchall()
    for row in view:
        for name in row.keys():  # noqa: SIM118
            condition = f"{name} is {_literal(row[name])} and trace_id = {row['trace_id']}"
            assert len(kept(filled, Filter(where=condition, statuses=None))) == 1, condition


def _literal(value: object) -> str:
    if value is None:
        return "null"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def test_two_filters_can_be_read_at_the_same_time(filled: Path) -> None:
    one, other = Filter(where="turns = 1"), Filter(where="turns > 1", reward="near")
    with open_snapshot(filled) as snapshot:
        pairs = list(zip(snapshot.traces(one), snapshot.traces(other), strict=False))
        again = list(snapshot.traces(one))
    assert [len(trace.turns) for trace, _ in pairs] == [1]
    assert [trace for trace, _ in pairs] == again == kept(filled, one)
    assert [trace for _, trace in pairs] == kept(filled, other)[:1]


@pytest.mark.parametrize(
    ("pattern", "models"),
    [
        ("test-text", {"test-text"}),
        ("test-*", {"test-text", "test-native"}),
        ("*native", {"test-native"}),
        ("test-tex?", {"test-text"}),
        ("test", set()),
        ("TEST-TEXT", set()),
        ("%", set()),
    ],
)
def test_a_model_is_named_whole_or_by_a_pattern(
    filled: Path, pattern: str, models: set[str]
) -> None:
    chosen = kept(filled, Filter(model=pattern, statuses=None))
    assert {trace.recipe.model for trace in chosen} == models


def test_traces_are_kept_by_their_status(filled: Path) -> None:
    for status in ("open", "answered", "failed"):
        chosen = kept(filled, Filter(statuses=(status,)))
        assert {trace.status for trace in chosen} == {status}
    assert {trace.status for trace in kept(filled, Filter(statuses=None))} == {
        "open",
        "answered",
        "failed",
    }


def test_traces_are_kept_from_the_time_on_at_which_they_were_closed(filled: Path) -> None:
    """An open trace was closed at no time."""
    assert kept(filled, Filter(since=moment("1h"))) == kept(filled, Filter())
    assert kept(filled, Filter(since="2999-01-01T00:00:00.000Z", statuses=None)) == []


def test_a_flag_keeps_what_excluding_it_leaves_out(filled: Path) -> None:
    every = kept(filled, Filter())
    flagged = kept(filled, Filter(flags=("placeholder",)))
    others = kept(filled, Filter(exclude_flags=("placeholder",)))
    assert flagged
    assert others
    assert sorted(t.name for t in flagged + others) == sorted(t.name for t in every)
    both = Filter(flags=("placeholder", "repeated_call"), exclude_flags=("placeholder",))
    assert not {t.name for t in kept(filled, both)} & {t.name for t in flagged}


def test_an_export_takes_only_traces_that_ended(filled: Path, tmp_path: Path) -> None:
    with Store.open(filled) as store:
        for statuses in (None, ("open",), ("answered", "failed")):
            with pytest.raises(ExportError, match="answered or exhausted"):
                export(store, tmp_path / "out", filters=Filter(statuses=statuses))
        answered = Filter(statuses=("answered",))
        count = export(store, tmp_path / "out", filters=answered).count
    assert count == len(kept(filled, answered))


def test_an_unknown_flag_is_refused_with_the_checks_that_there_are(
    filled: Path, tmp_path: Path
) -> None:
    for filters in (Filter(flags=("nonsense",)), Filter(exclude_flags=("nonsense",))):
        with Store.open(filled) as store, pytest.raises(FilterError, match="placeholder"):
            export(store, tmp_path / "out", filters=filters)
    with geostore.open(filled) as opened, pytest.raises(FilterError, match="nonsense"):
        list(opened.traces(flags=["nonsense"]))


def test_a_filter_names_in_json_what_it_asks_for(filled: Path) -> None:
    plain = Filter().to_json()
    assert list(plain) == [
        "min_score",
        "max_distance_km",
        "recipe",
        "reward",
        "statuses",
        "exclude_flags",
    ]
    asked = Filter(model="m*", flags=("placeholder",), since="2026", where="turns > 1").to_json()
    assert asked == {
        **plain,
        "model": "m*",
        "flags": ("placeholder",),
        "since": "2026",
        "where": "turns > 1",
    }


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-10-01", "2026-10-01T00:00:00.000Z"),
        ("2026-10-01T12:30", "2026-10-01T12:30:00.000Z"),
        ("2026-10-01T12:30:00+02:00", "2026-10-01T10:30:00.000Z"),
        ("2026-10-01T12:30:00Z", "2026-10-01T12:30:00.000Z"),
        ("90m", "2026-01-01T22:30:00.000Z"),
        ("1.5h", "2026-01-01T22:30:00.000Z"),
        ("2 d", "2025-12-31T00:00:00.000Z"),
    ],
)
def test_a_time_is_a_date_or_how_long_ago(text: str, time: str) -> None:
    assert moment(text, now=datetime(2026, 1, 2, tzinfo=UTC)) == time


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("yesterday", "is no time; write 2026"),
        ("", "is no time"),
        ("3 fortnights", "is no time"),
        ("2026-13-01", "is no time"),
        ("-3h", "is no time"),
        ("99999999999w", "before the year 1"),
        ("999999w", "before the year 1"),
    ],
)
def test_what_is_no_time_is_refused(text: str, words: str) -> None:
    with pytest.raises(FilterError, match=words):
        moment(text)


def test_the_python_face_takes_the_same_conditions(filled: Path, tmp_path: Path) -> None:
    with geostore.open(filled) as opened:
        names = [trace.name for trace in opened.traces(where="turns > 1", model="test-text")]
        assert names == [
            trace.name for trace in kept(filled, Filter(None, where="turns > 1", model="test-text"))
        ]
        several = opened.traces(status=("open", "failed"))
        assert {trace.status for trace in several} == {"open", "failed"}
        assert list(opened.traces(since="2999-01-01")) == []
        result = opened.export(
            tmp_path / "out", where="turns > 1", model="test-text", status="answered", since="1h"
        )
    filters = Filter(where="turns > 1", model="test-text", statuses=("answered",))
    assert result.count == len(kept(filled, filters)) > 0


def test_a_reward_that_the_store_does_not_have_is_refused(filled: Path) -> None:
    with pytest.raises(RewardError, match="nonsense"):
        kept(filled, Filter(reward="nonsense", where="true"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.db"
    Store.open(path, create=True).close()
    return path


def test_traces_of_a_store_without_any_are_none(empty: Path) -> None:
    assert kept(empty, Filter(where="turns > 1", statuses=ENDED)) == []


def test_the_page_names_every_column_of_a_condition(tmp_path: Path) -> None:
    page = Path("docs/rewards.md").read_text(encoding="utf-8")
    section = page.partition("- the trace: ")[2].partition("A rescore may run beside")[0]
    named = set(re.findall(r"`([a-z]\w+)`", section))
    named |= {f"{place}_correct_or_0" for place in ("country", "region", "city")}
    path = tmp_path / "geostore.db"
    Store.open(path, create=True).close()
    with closing(sqlite3.connect(path)) as connection:
        view = connection.execute("select * from trace_results limit 0").description
    ids = {"trace_id", "sample_id"}
    assert named == {column[0] for column in view} - ids | {"closed_at", "answer_form"}
    condition = " or ".join(f"{column} = 1" for column in sorted(named))
    asked = command("rescore", "--where", condition, "--dry-run", "--store", path)
    assert asked.returncode == 0, asked.stderr
