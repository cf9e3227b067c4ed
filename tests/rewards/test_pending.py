"""What a rescore finds missing, of all traces or of chosen ones."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geostore.answers import PARSER_VERSION, parse_answer
from geostore.errors import FilterError, RewardError
from geostore.records import Answer
from geostore.rewards import (
    Parser,
    Placed,
    RescoreResult,
    RewardSpec,
    Selection,
    count_missing,
    ensure_spec,
    make_spec,
    rescore,
    score_trace,
)
from geostore.store import Db, Filter, Store, moment
from tests.hand_made import Traces
from tests.minds import zoom_then_answer
from tests.running import geostore, run, start_geostore
from tests.teacher_server import teacher_server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Traces]:
    """A store for the property test, which takes back what it does."""
    made = Traces(Path(shutil.copy(template, tmp_path_factory.mktemp("shared") / "geostore.db")))
    yield made
    made.connection.close()


# --- all of them ---------------------------------------------------------------------------------


SPECS = (make_spec("linear"), make_spec("threshold", {"radius": "wgs84"}))
READ = Answer(0.0, 3.0, "boxed", None, ())
THIS = PARSER_VERSION
# By generation: this version is the first.
PARSERS = {number: Parser(THIS + number - 1, lambda *_, **__: READ) for number in (1, 2, 3)}
WRITES = st.sampled_from(
    ["close", "close with a reward", "reopen", "reopen half", "forget a reward", "forget a reading"]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(WRITES, st.integers(0, 2)),
        st.tuples(st.just("rescore one"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["rescore", "rescore another"]), st.sampled_from(list(PARSERS))),
    ),
    max_size=25,
)


# Counts are equal in these, and a trace lacks its reading or its reward nevertheless.
STRAY = [("close", 0), ("reopen half", 0), ("close", 1), ("forget a reading", 1), ("rescore", 1)]
STRAY_REWARD = [("close with a reward", 0), ("reopen half", 0), ("close", 1), ("rescore", 1)]
LATER = [("close with a reward", 0), ("rescore another", 2), ("rescore", 1)]


@example(steps=STRAY, span=9)
@example(steps=STRAY_REWARD, span=9)
@example(steps=LATER, span=9)
@given(steps=STEPS, span=st.sampled_from([1, 2, 9]))
def test_a_rescore_of_what_is_missing_gives_what_computing_all_anew_gives(
    shared: Traces, steps: list[tuple[str, int]], span: int
) -> None:
    """Whatever was written in between, by whatever statement, and however the ranges fall."""
    connection = shared.connection
    connection.execute("savepoint all_of_it")
    try:
        plain = _WithoutTransactions(shared.path, connection)
        ids = [shared.trace((0.0, 0.0), status="open") for _ in range(3)]
        for trace_id in ids:
            shared.play(trace_id)
        for what, which in steps:
            if what.startswith("rescore"):
                spec = SPECS[what == "rescore another"]
                if what == "rescore one":
                    with suppress(RewardError):  # it has no answer yet
                        score_trace(plain, ids[which], ensure_spec(plain, spec))
                    continue
                rescore(plain, spec, parser=PARSERS[which], batch=2, span=span)
                _assert_as_computed_anew(plain, spec, PARSERS[which])
            else:
                _write(plain, ids[which], what)
        for spec in SPECS:
            rescore(plain, spec, parser=PARSERS[1], batch=2, span=span)
            _assert_as_computed_anew(plain, spec, PARSERS[1])
    finally:
        connection.execute("rollback to all_of_it")
        connection.execute("release all_of_it")


def _write(db: Db, trace_id: int, what: str) -> None:
    """Change a trace as geostore does, or as somebody does who knows no better."""
    values = {"id": trace_id}
    if what.startswith("close"):
        closed = db.execute(
            "update traces set status = 'answered', closed_at = 'now'"
            " where id = :id and status = 'open'",
            values,
        ).rowcount
        if closed:
            db.execute(
                "insert or ignore into answers (trace_id, parser_version, lat, lon)"
                " values (:id, :version, :lat, :lon)",
                # As the parser of this version reads it: one version never reads two things.
                {**values, "version": THIS, "lat": READ.lat, "lon": READ.lon},
            )
        if what == "close with a reward" and closed:
            score_trace(db, trace_id, ensure_spec(db, SPECS[0]))
    elif what.startswith("reopen"):
        db.execute("update traces set status = 'open', closed_at = null where id = :id", values)
        if what == "reopen":
            db.execute("delete from rewards where trace_id = :id", values)
            db.execute("delete from answers where trace_id = :id", values)
    elif what == "forget a reward":
        db.execute("delete from rewards where trace_id = :id", values)
    else:
        db.execute(f"delete from answers where trace_id = :id and parser_version = {THIS}", values)


_REWARDS = """
select w.trace_id, w.parser_version, w.distance_km, w.score, w.geoguessr_points
from rewards as w
join traces as t on t.id = w.trace_id
join reward_specs as p on p.id = w.spec_id
where p.sha256 = :spec and t.status = 'answered'
order by 1
"""


def _assert_as_computed_anew(plain: Db, spec: RewardSpec, parser: Parser) -> None:
    """Delete all rewards of a spec, compute every one, and compare; then take that back."""
    found = [tuple(row) for row in plain.execute(_REWARDS, {"spec": spec.sha256})]
    plain.execute("savepoint anew")
    plain.execute(
        "delete from rewards where spec_id = (select id from reward_specs where sha256 = :spec)",
        {"spec": spec.sha256},
    )
    rescore(plain, spec, parser=parser, selection=Selection(again=True))
    anew = [tuple(row) for row in plain.execute(_REWARDS, {"spec": spec.sha256})]
    plain.execute("rollback to anew")
    plain.execute("release anew")
    ended = plain.execute("select count(*) from traces where status = 'answered'").fetchone()[0]
    assert found == anew
    assert len(found) == ended


class _WithoutTransactions(Db):
    """A connection inside a savepoint of its owner's, which begins no transaction of its own."""

    @contextmanager
    def transaction(self, *, still_locked: Callable[[], None] | None = None) -> Iterator[None]:
        yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        yield


def test_a_rescore_with_nothing_missing_writes_nothing(traces: Traces) -> None:
    traces.answered((0.0, 1.0))
    rescore(traces.db, make_spec())
    before = traces.connection.total_changes
    assert rescore(traces.db, make_spec()) == RescoreResult(0, 1)
    assert traces.connection.total_changes == before
    other = sqlite3.connect(traces.path)
    assert other.execute("select count(*) from rewards").fetchone() == (1,)
    other.close()


# --- a newer parser --------------------------------------------------------------------------


def shifted(response: str, **how: bool) -> Answer:
    """A parser that reads what the ordinary one does, one degree further east."""
    found = parse_answer(response, **how)
    lon = None if found.lon is None else found.lon + 1
    return Answer(found.lat, lon, found.form, found.failure, found.flags)


def test_a_newer_parser_reads_again_what_it_has_not_read_and_only_that(traces: Traces) -> None:
    """Both readings stay, the newest counts, and the rewards follow it."""
    ids = [traces.answered((0.0, float(lon))) for lon in range(5)]
    for lon, trace_id in enumerate(ids):
        traces.play(trace_id, response=f"\\boxed{{0.0, {lon}.0}}")
    rescore(traces.db, make_spec())
    read: list[str] = []

    def reading(response: str, **how: bool) -> Answer:
        read.append(response)
        return shifted(response, **how)

    told: list[tuple[int, int]] = []
    newer = Parser(version=THIS + 1, read=reading)
    found = rescore(traces.db, make_spec(), parser=newer, reading=lambda *n: told.append(n))
    assert (found.read, found.computed, found.found_done) == (5, 5, 0)
    assert told == [(5, 5)]
    assert traces.rows("parser_version, round(distance_km)") == [
        (THIS + 1, round(111.195 * (lon + 1))) for lon in range(5)
    ]
    count = traces.connection.execute("select count(*), count(distinct trace_id) from answers")
    assert tuple(count.fetchone()) == (10, 5)
    late = traces.answered((0.0, 7.0))
    traces.play(late, response="\\boxed{0.0, 7.0}")
    read.clear()
    assert rescore(traces.db, make_spec(), parser=newer).read == 1
    assert read == ["\\boxed{0.0, 7.0}"]
    assert rescore(traces.db, make_spec(), parser=newer) == RescoreResult(0, 6)
    assert rescore(traces.db, make_spec(), parser=Parser(THIS)) == RescoreResult(0, 6)


def test_a_rereading_that_is_stopped_goes_on_and_can_be_narrowed(traces: Traces) -> None:
    ids = [traces.answered((0.0, 1.0)) for _ in range(3)]
    for trace_id in ids:
        traces.play(trace_id, response="\\boxed{0.0, 1.0}")
    newer = Parser(version=THIS + 1, read=shifted)
    one = Filter(where=f"trace_id = {ids[1]}")
    assert count_missing(traces.db, make_spec(), parser=newer).read == 3
    found = rescore(traces.db, make_spec(), parser=newer, filters=one)
    assert found == RescoreResult(1, 0, read=1, placed=Placed(answers=1))
    others = rescore(traces.db, make_spec(), parser=newer)
    assert others == RescoreResult(2, 1, read=2, placed=Placed(answers=2))


def test_a_response_that_was_cut_is_read_again_as_a_cut_one(traces: Traces) -> None:
    """What stands in it may be a thought whose tags nobody sees."""
    texts = ["Maybe (1.5, 2.5)? No.", "<answer>1.5, 2.5</answer> And"]
    ids = [traces.answered(None) for _ in texts]
    for trace_id, text in zip(ids, texts, strict=True):
        traces.play(trace_id, response=text)
    traces.connection.execute("update traces set stop_reason = 'truncated'")
    rescore(traces.db, make_spec(), parser=Parser(THIS + 1))
    query = f"select lat, failure from answers where parser_version = {THIS + 1} order by trace_id"
    found = [tuple(row) for row in traces.connection.execute(query)]
    assert found == [(None, "truncated_answer"), (1.5, None)]


def test_a_response_that_was_superseded_meanwhile_is_not_read_in_its_place(
    traces: Traces,
) -> None:
    """Between reading and writing, another process may have opened the trace again."""
    trace_id = traces.answered((0.0, 1.0))
    traces.play(trace_id, response="\\boxed{0.0, 1.0}")

    def reading(response: str, **how: bool) -> Answer:
        with closing(sqlite3.connect(traces.path)) as other, other:
            other.execute(
                "insert into turns (trace_id, turn, response, created_at)"
                " select trace_id, 3, 'more', created_at from turns where turn = 2"
            )
        other.close()
        return parse_answer(response, **how)

    rescore(traces.db, make_spec(), parser=Parser(THIS + 1, reading))
    found = traces.connection.execute("select parser_version from answers").fetchall()
    assert [row[0] for row in found] == [THIS]


def test_changes_between_two_parsers_are_shown_with_the_text_around(traces: Traces) -> None:
    texts = ["It is \\boxed{0.0, 1.0} surely.", "\\boxed{unknown}", "no box: (3.5, 4.5)"]
    for text in texts:
        trace_id = traces.trace((0.0, 0.0))
        traces.play(trace_id, response=text)
        found = parse_answer(text)
        place = None if found.lat is None or found.lon is None else (found.lat, found.lon)
        traces.answer(trace_id, place)
    traces.connection.execute("update answers set flags = '[]'")
    rescore(traces.db, make_spec(), parser=Parser(THIS + 1, shifted))
    traces.connection.close()
    shown = geostore("query", "answer_changes", "--store", traces.path, "--format", "csv")
    assert shown.returncode == 0, shown.stderr
    header, *lines = shown.stdout.splitlines()
    assert header.startswith("trace,parser_before,parser_after,before,after")
    moved = [line for line in lines if "0.000000, 1.000000" in line]
    assert len(moved) == 1
    assert "0.000000, 2.000000" in moved[0]
    assert "It is \\boxed{0.0, 1.0} surely." in moved[0]
    assert any("3.500000, 5.500000" in line and "no box" in line for line in lines)


# --- chosen traces ---------------------------------------------------------------------------


@pytest.fixture
def three(traces: Traces) -> Traces:
    """Of three countries, closed on three days."""
    for day, country in enumerate(("japan", "kenya", "peru"), 1):
        trace_id = traces.answered((0.0, float(day)))
        traces.play(trace_id, calls=[1] * day)
        traces.connection.execute(
            "update samples set country = ? where id = (select sample_id from traces where id = ?)",
            (country, trace_id),
        )
        closed = f"2026-10-0{day}T12:00:00.000Z"
        traces.connection.execute(
            "update traces set closed_at = ? where id = ?", (closed, trace_id)
        )
    return traces


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("country = 'japan'", [1]),
        ('country = "japan"', [1]),
        ("country in ('japan', 'peru') and tool_calls > 1", [3]),
        ("tool_calls >= 2 or score > 0.5", [2, 3]),
        ("turns = 2 -- a comment", [1, 2, 3]),
        ("lat = 0 and tool_validity = 1.0", [1, 2, 3]),
        ("false", []),
        ("country like 'k%' /* and */", [2]),
    ],
)
def test_only_the_traces_for_which_a_condition_holds_are_computed(
    three: Traces, condition: str, ids: list[int]
) -> None:
    filters = Filter(where=condition)
    assert count_missing(three.db, make_spec(), filters=filters).computed == len(ids)
    assert three.rows() == []
    assert rescore(three.db, make_spec(), filters=filters).computed == len(ids)
    assert three.rows("trace_id") == [(i,) for i in ids]
    assert rescore(three.db, make_spec()) == RescoreResult(3 - len(ids), len(ids))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("county = 'japan'", r"no such column: county \(did you mean country\?\); geostore query"),
        ("country = ", "cannot be used"),
        ("", "the condition is empty"),
        ("true); delete from rewards; --", "cannot be used"),
        ("true) union select id from traces where (true", "cannot be used"),
        ("load_extension('x') is null", "cannot be used"),
        ("exists (select 1 from pragma_database_list('x'))", "cannot be used"),
        ("json_extract(country, '$.a') = 1", "cannot be used"),
    ],
)
def test_a_condition_that_is_wrong_or_does_more_than_read_is_refused(
    three: Traces, condition: str, words: str
) -> None:
    before = three.connection.total_changes
    with pytest.raises(FilterError, match=words):
        rescore(three.db, make_spec(), filters=Filter(where=condition))
    assert three.rows() == []
    assert three.connection.execute("select count(*) from reward_specs").fetchone()[0] == 0
    assert three.connection.total_changes - before <= 1


def test_only_the_traces_closed_since_are_computed(three: Traces) -> None:
    since = Filter(since=moment("2026-10-02"))
    assert rescore(three.db, make_spec(), filters=since) == RescoreResult(2, 0)
    assert rescore(three.db, make_spec(), filters=since) == RescoreResult(0, 2)
    both = Filter(since=moment("2026-10-02"), where="country = 'peru'")
    again = Selection(again=True)
    assert rescore(three.db, make_spec(), filters=both, selection=again) == RescoreResult(1, 0)


def test_all_computes_again_what_is_there(three: Traces) -> None:
    rescore(three.db, make_spec())
    three.connection.execute("update rewards set score = 9")
    found = rescore(three.db, make_spec(), selection=Selection(again=True), batch=2)
    assert found == RescoreResult(3, 0)
    assert all(score < 1 for (score,) in three.rows("score"))


# --- beside a generate -----------------------------------------------------------------------


def test_a_rescore_beside_a_running_generate_loses_nothing_of_either(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Every trace that generate closes has both rewards in the end, and it closes them all."""
    path = tmp_path / "geostore.db"
    beside = 0
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, path, num_samples=2)
        running = start_geostore(
            *("generate", "--dataset-path", photo_dataset, "--store", path, "--num-samples", "8"),
            *("--base-url", server.url, "--model", "m"),
        )
        try:
            with Store.open(path, durability="normal") as store:
                while running.poll() is None:
                    found = rescore(store.db, make_spec("linear"), batch=2)
                    beside += found.computed
                    with suppress(subprocess.TimeoutExpired):
                        running.wait(timeout=0.02)
            _, said = running.communicate(timeout=60)
            assert running.returncode == 0, said
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
    with Store.open(path) as store:
        found = rescore(store.db, make_spec("linear"))
        assert beside + found.computed == found.computed + found.found_done == 10
        counts = store.db.connection.execute(
            "select (select count(*) from traces where status = 'answered'),"
            " (select count(*) from rewards where spec_id = 1),"
            " (select count(*) from rewards where spec_id = 2)"
        ).fetchone()
        assert tuple(counts) == (10, 10, 10)
        assert store.db.connection.execute("pragma integrity_check").fetchone()[0] == "ok"


def test_a_run_of_the_command_says_what_it_would_do(three: Traces) -> None:
    three.connection.close()
    options = ("rescore", "--store", three.path, "--where", "country = 'peru'")
    dry = geostore(*options, "--dry-run")
    assert "would compute 1, found done 0" in dry.stdout
    wet: subprocess.CompletedProcess[str] = geostore(*options)
    assert "computed 1, found done 0" in wet.stdout
