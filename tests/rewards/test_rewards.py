"""Rewards: the formulas in SQL and in Python, and what a rescore touches and what it leaves."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from geostore.answers import PARSER_VERSION
from geostore.errors import RewardError, StoreError, StoreLockedError
from geostore.records import Reward
from geostore.rewards import (
    RescoreResult,
    RewardSpec,
    ensure_default_spec,
    ensure_spec,
    make_spec,
    rescore,
    score_trace,
)
from geostore.rewards.formulas import DISTANCE_KINDS
from geostore.rewards.numeric import haversine_km
from geostore.store import Filter, Store
from geostore.store.math_functions import add_missing_math
from geostore.store.opening import open_to_read
from geostore.store.requirements import native_functions
from tests.hand_made import Point, Traces

KM_PER_DEGREE = math.radians(1) * 6371.0

# Truth, guess, km, points.
PLACES = [
    ((40.7128, -74.0060), (51.5074, -0.1278), 5570.222, 120),
    ((48.8566, 2.3522), (51.5074, -0.1278), 343.556, 3972),
    ((40.7128, -74.0060), (34.0522, -118.2437), 3935.746, 358),
    ((-33.8688, 151.2093), (35.6762, 139.6503), 7825.819, 26),
    ((-17.0, 179.9), (-17.0, -179.9), 21.267, 4929),
    ((89.9, 0.0), (89.9, 180.0), 22.239, 4926),
    ((0.0, 0.0), (0.0, 180.0), 20015.087, 0),
    ((0.0, 0.0), (1.0, 0.0), 111.195, 4641),
]
POINTS = {
    0.149: 5000,
    0.15: 4999,
    1: 4997,
    10: 4967,
    25: 4917,
    100: 4676,
    200: 4373,
    500: 3577,
    750: 3025,
    1000: 2559,
    2500: 937,
    5000: 175,
    10000: 6,
    13748: 1,
    13749: 0,
}


def geoguessr_points(km: float) -> int:
    """The community's curve for the world map. Source: PIGEON (arXiv 2307.05845)."""
    return math.floor(5000 * math.exp(-km / 1492.7) + 0.5)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Traces]:
    """A store for property tests, which take back what they do."""
    made = Traces(Path(shutil.copy(template, tmp_path_factory.mktemp("shared") / "geostore.db")))
    yield made
    made.connection.close()


# --- formulas --------------------------------------------------------------------------------


@pytest.mark.parametrize(("truth", "guess", "km"), [place[:3] for place in PLACES])
def test_known_distances_come_out_of_numpy(truth: Point, guess: Point, km: float) -> None:
    assert haversine_km(*truth, *guess) == pytest.approx(km, abs=0.001)


def test_known_distances_and_points_come_out_of_sqlite(traces: Traces) -> None:
    """Also across the date line, over a pole and at the antipode."""
    for truth, guess, _, _ in PLACES:
        traces.answered(guess, truth=truth)
    rescore(traces.db, make_spec())
    found = traces.rows("distance_km, score, geoguessr_points")
    for (_, _, km, points), (distance, score, whole) in zip(PLACES, found, strict=True):
        assert distance == pytest.approx(km, abs=0.001)
        assert score == pytest.approx(math.exp(-distance / 1492.7))
        assert whole == points


def test_points_fall_with_distance_as_the_community_measured(traces: Traces) -> None:
    for km in POINTS:
        traces.answered((0.0, km / KM_PER_DEGREE))
    rescore(traces.db, make_spec())
    assert traces.rows("geoguessr_points") == [(points,) for points in POINTS.values()]


def test_a_distance_on_the_ellipsoid_is_that_of_geographiclib_to_a_millimetre(
    traces: Traces,
) -> None:
    """In a rescore and as a trace closes; a trace without coordinates stays without distance."""
    spec = make_spec("linear", {"radius": "wgs84"})
    nearly_opposite = [((0.0, 0.0), (0.3, 179.7)), ((41.32, 174.81), (-40.96, -5.5))]
    pairs = [place[:2] for place in PLACES] + nearly_opposite
    for truth, guess in pairs:
        traces.answered(guess, truth=truth)
    failed = traces.answered(None)
    assert rescore(traces.db, spec, batch=4).computed == len(pairs) + 1
    spec_id = ensure_spec(traces.db, spec)
    (truth, guess), closed = pairs[0], traces.answered(pairs[0][1], truth=pairs[0][0])
    alone = score_trace(traces.db, closed, spec_id)

    wanted = [Geodesic.WGS84.Inverse(*truth, *guess)["s12"] / 1000 for truth, guess in pairs]
    rows = traces.rows("distance_km, score, geoguessr_points")
    for km, (distance, score, points) in zip(wanted, rows, strict=False):
        assert distance == pytest.approx(km, abs=1e-6)
        assert score == pytest.approx(max(0, 1 - km / 20000), abs=1e-10)
        assert points == geoguessr_points(km)
    assert rows[failed - 1] == (None, None, None)
    assert alone == Reward(*rows[0])
    on_the_sphere = [place[2] for place in PLACES[:7]]
    assert all(abs(km - d) > 0.1 for km, d in zip(wanted, on_the_sphere, strict=False) if d > 1000)


def test_a_reading_without_coordinates_does_not_take_the_distance_of_the_one_before(
    traces: Traces,
) -> None:
    """Python keeps the geodesics of a batch for SQLite, which must not see those of the last."""
    spec = make_spec("linear", {"radius": "wgs84"})
    trace_id = traces.answered((1.0, 1.0))
    spec_id = ensure_spec(traces.db, spec)
    assert score_trace(traces.db, trace_id, spec_id).distance_km is not None
    traces.answer(trace_id, None, version=PARSER_VERSION + 1)
    assert score_trace(traces.db, trace_id, spec_id) == Reward(None, None, None)


latitudes = st.floats(-90, 90, allow_subnormal=False)
longitudes = st.floats(-180, 180, allow_subnormal=False)
places = st.tuples(latitudes, longitudes)
pairs = st.one_of(
    st.tuples(places, places),
    places.map(lambda p: (p, (-p[0], p[1] - 180 if p[1] > 0 else p[1] + 180))),
    places.map(lambda p: (p, p)),
)


@given(pair=pairs)
def test_sqlite_and_python_agree_on_every_pair_of_places(
    shared: Traces, pair: tuple[Point, Point]
) -> None:
    """At antipodes rounding must not make the distance null."""
    truth, guess = pair
    shared.connection.execute("begin")
    try:
        trace_id = shared.answered(guess, truth=truth)
        found = score_trace(shared.db, trace_id, ensure_default_spec(shared.db))
    finally:
        shared.connection.execute("rollback")
    km = float(haversine_km(*truth, *guess))
    assert 0 <= km <= 20015.087
    # Near the antipode the root of a rounding error is some centimetres.
    assert found.distance_km == pytest.approx(km, abs=0.001)
    assert found.score == pytest.approx(math.exp(-km / 1492.7), abs=1e-6)
    assert found.geoguessr_points is not None
    assert abs(found.geoguessr_points - geoguessr_points(km)) <= 1


TABLE = "[[100, 1], [200, 0.5], [400, 0.1]]"


@pytest.mark.parametrize(
    ("kind", "params", "degrees", "score"),
    [
        ("geoguessr", {}, 10, math.exp(-10 * KM_PER_DEGREE / 1492.7)),
        ("geoguessr", {"scale": "2000"}, 10, math.exp(-10 * KM_PER_DEGREE / 2000)),
        ("exponential", {}, 10, math.exp(-10 * KM_PER_DEGREE / 1000)),
        ("linear", {}, 10, 1 - 10 * KM_PER_DEGREE / 20000),
        ("linear", {"max": "1000"}, 10, 0.0),
        ("threshold", {}, 8, 1.0),
        ("threshold", {}, 9, 0.0),
        ("threshold", {"km": "0"}, 0, 1.0),
        ("steps", {}, 0, 1.0),
        ("steps", {}, 1, 0.6),
        ("steps", {}, 30, 0.0),
        ("steps", {"table": TABLE}, 1, 0.5),
        ("piecewise", {"table": TABLE}, 0, 1.0),
        ("piecewise", {"table": TABLE}, 1, 1 - 0.5 * (KM_PER_DEGREE - 100) / 100),
        ("piecewise", {"table": TABLE}, 3, 0.5 - 0.4 * (3 * KM_PER_DEGREE - 200) / 200),
        ("piecewise", {"table": TABLE}, 90, 0.1),
        ("geoguessr", {"rounding": "2"}, 10, 0.47),
        ("geoguessr", {"radius": "1000"}, 10, math.exp(-math.radians(10) * 1000 / 1492.7)),
    ],
)
def test_each_kind_scores_by_its_formula(
    traces: Traces, kind: str, params: dict[str, str], degrees: float, score: float
) -> None:
    traces.answered((0.0, degrees))
    rescore(traces.db, make_spec(kind, params))
    distance, found, points = traces.rows("distance_km, score, geoguessr_points")[0]
    assert found == pytest.approx(score, abs=1e-9)
    assert points == geoguessr_points(distance)


ascending = st.lists(
    st.tuples(st.integers(0, 20000), st.integers(0, 100)), min_size=1, max_size=6, unique_by=min
).map(lambda found: sorted({km: (km, value / 100) for km, value in found}.values()))


@given(table=ascending, degrees=st.floats(0, 180))
def test_tables_mean_what_numpy_means_by_interpolation_and_search(
    shared: Traces, table: list[tuple[int, float]], degrees: float
) -> None:
    kms, values = zip(*table, strict=True)
    written = str([list(pair) for pair in table])
    shared.connection.execute("begin")
    try:
        trace_id = shared.answered((0.0, degrees))
        found = {}
        for kind in ("piecewise", "steps"):
            spec_id = ensure_spec(shared.db, make_spec(kind, {"table": written}))
            found[kind] = score_trace(shared.db, trace_id, spec_id)
    finally:
        shared.connection.execute("rollback")
    km = found["steps"].distance_km
    assert km is not None
    assert found["piecewise"].score == pytest.approx(np.interp(km, kms, values), abs=1e-9)
    assert found["steps"].score == [*values, 0.0][int(np.searchsorted(kms, km))]


# --- what a rescore touches ------------------------------------------------------------------


@pytest.mark.parametrize("kind", DISTANCE_KINDS)
def test_without_coordinates_a_reward_is_null_and_not_zero(traces: Traces, kind: str) -> None:
    """And it is there, so that it is not computed again and again."""
    traces.answered(None)
    assert rescore(traces.db, make_spec(kind)) == RescoreResult(1, 0)
    assert traces.rows("distance_km, score, geoguessr_points") == [(None, None, None)]
    assert rescore(traces.db, make_spec(kind)) == RescoreResult(0, 1)


def test_a_rescore_computes_only_what_is_missing(traces: Traces) -> None:
    for degrees in range(5):
        traces.answered((0.0, float(degrees)))
    assert rescore(traces.db, make_spec()) == RescoreResult(computed=5, found_done=0)
    before = traces.rows()
    assert rescore(traces.db, make_spec()) == RescoreResult(computed=0, found_done=5)
    assert traces.rows() == before
    traces.answered((1.0, 1.0))
    traces.answered(None)
    assert rescore(traces.db, make_spec()) == RescoreResult(computed=2, found_done=5)
    assert traces.rows()[:5] == before


def test_a_new_spec_adds_rewards_and_leaves_the_others(traces: Traces) -> None:
    traces.answered((0.0, 1.0))
    rescore(traces.db, make_spec())
    before = traces.rows()
    assert rescore(traces.db, make_spec("geoguessr", {"scale": "2000"})).computed == 1
    assert traces.rows()[:1] == before
    assert len(traces.rows()) == 2


def test_a_rescore_reads_place_words_and_confidence_of_old_responses(traces: Traces) -> None:
    """What the response says is read again with its coordinates, also where it has none."""
    for words in ("Country: France\nCity: Lyon\nConfidence: 85%", "I think so."):
        trace_id = traces.trace((0.0, 0.0))
        traces.play(trace_id, response=words)
        traces.answer(trace_id, None, version=PARSER_VERSION - 1)
    rescore(traces.db, make_spec())
    rows = traces.connection.execute(
        "select said_country, said_region, said_city, confidence, confidence_form from answers"
        f" where parser_version = {PARSER_VERSION} order by trace_id"
    )
    first, second = map(tuple, rows)
    assert first == ("France", None, "Lyon", 0.85, "percent")
    assert second == (None,) * 5


def test_a_newer_reading_makes_a_reward_stale(traces: Traces) -> None:
    """From coordinates to a failure and back: always the newest reading counts."""
    trace_id = traces.answered((0.0, 1.0))
    other = traces.answered((0.0, 5.0))
    rescore(traces.db, make_spec())
    newer = PARSER_VERSION + 1
    traces.answer(trace_id, None, version=newer + 1)
    traces.answer(trace_id, (0.0, 9.0), version=newer)
    assert rescore(traces.db, make_spec()) == RescoreResult(computed=1, found_done=1)
    assert traces.rows("trace_id, parser_version, distance_km, score, geoguessr_points")[0] == (
        *(trace_id, newer + 1, None, None, None),
    )
    traces.answer(trace_id, (0.0, 2.0), version=newer + 2)
    assert rescore(traces.db, make_spec()) == RescoreResult(computed=1, found_done=1)
    (_, version, km), unchanged = traces.rows("trace_id, parser_version, distance_km")
    assert (version, km) == (newer + 2, pytest.approx(2 * KM_PER_DEGREE))
    assert unchanged == (other, PARSER_VERSION, pytest.approx(5 * KM_PER_DEGREE))


@pytest.mark.parametrize("status", ["open", "failed"])
def test_a_trace_without_a_final_response_has_no_reward(traces: Traces, status: str) -> None:
    trace_id = traces.trace((0.0, 0.0), status=status)
    assert rescore(traces.db, make_spec()) == RescoreResult(0, 0)
    with pytest.raises(RewardError, match="no answer yet"):
        score_trace(traces.db, trace_id, ensure_default_spec(traces.db))
    assert traces.rows() == []


def test_one_trace_can_be_rescored_alone(traces: Traces) -> None:
    ids = [traces.answered((0.0, float(degrees))) for degrees in range(3)]
    one, none = Filter(where=f"trace_id = {ids[1]}"), Filter(where="trace_id = 999")
    assert rescore(traces.db, make_spec(), filters=one) == RescoreResult(1, 0)
    assert traces.rows("trace_id") == [(ids[1],)]
    assert rescore(traces.db, make_spec(), filters=one) == RescoreResult(0, 1)
    assert rescore(traces.db, make_spec(), filters=none) == RescoreResult(0, 0)


def test_between_batches_another_process_can_write(traces: Traces) -> None:
    """A generate beside a rescore never waits for more than one batch."""
    for _ in range(5):
        traces.answered((0.0, 1.0))
    other = sqlite3.connect(traces.path, timeout=0, isolation_level=None)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        other.execute("begin immediate")
        assert other.execute("select count(*) from rewards").fetchone()[0] == done
        other.execute("commit")

    assert rescore(traces.db, make_spec(), batch=2, progress=progress).computed == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
    other.close()


def test_a_rescore_that_is_stopped_goes_on_where_it_was(traces: Traces) -> None:
    for _ in range(5):
        traces.answered((0.0, 1.0))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescore(traces.db, make_spec(), batch=2, progress=stop)
    assert len(traces.rows()) == 2
    assert rescore(traces.db, make_spec(), batch=2) == RescoreResult(3, 2)


def test_traces_that_are_closed_meanwhile_are_computed_too(traces: Traces) -> None:
    for _ in range(2):
        traces.answered((0.0, 1.0))

    def progress(done: int, total: int) -> None:
        if done == 1:
            traces.answered((0.0, 2.0))

    found = rescore(traces.db, make_spec(), batch=1, progress=progress)
    assert found == RescoreResult(computed=3, found_done=0)


def test_a_store_that_cannot_be_written_says_so(traces: Traces, tmp_path: Path) -> None:
    traces.answered((0.0, 1.0))
    rescore(traces.db, make_spec())  # the spec is there, so reading goes well
    traces.answered((0.0, 2.0))
    reader = open_to_read(traces.path)
    with pytest.raises(StoreError, match="read-only"):
        rescore(reader, make_spec())
    reader.close()
    late = Store.open(traces.path, busy_timeout=0)
    traces.connection.execute("begin immediate")
    with pytest.raises(StoreLockedError, match="locked"):
        rescore(late.db, make_spec("linear"))
    late.close()


# --- the reward of a trace that closes -------------------------------------------------------


def test_a_trace_is_scored_in_the_transaction_of_its_caller(traces: Traces) -> None:
    """Closed and scored, or neither."""
    spec_id = ensure_default_spec(traces.db)
    traces.connection.execute("begin immediate")
    trace_id = traces.answered((0.0, 1.0))
    reward = score_trace(traces.db, trace_id, spec_id)
    assert reward.distance_km == pytest.approx(111.195, abs=0.001)
    assert reward.score == pytest.approx(math.exp(-KM_PER_DEGREE / 1492.7))
    assert reward.geoguessr_points == 4641
    traces.connection.execute("rollback")
    assert traces.rows() == []


def test_scoring_a_trace_again_changes_nothing(traces: Traces) -> None:
    trace_id = traces.answered((0.0, 1.0))
    traces.answered((0.0, 3.0))
    spec_id = ensure_default_spec(traces.db)
    first = score_trace(traces.db, trace_id, spec_id)
    before = traces.rows()
    assert score_trace(traces.db, trace_id, spec_id) == first
    assert traces.rows() == before
    assert len(before) == 1  # its neighbour is none of its business
    assert rescore(traces.db, make_spec()) == RescoreResult(1, 1)


def test_a_trace_without_coordinates_has_an_empty_reward(traces: Traces) -> None:
    trace_id = traces.answered(None)
    spec_id = ensure_default_spec(traces.db)
    assert score_trace(traces.db, trace_id, spec_id) == Reward(None, None, None)


# --- specs -----------------------------------------------------------------------------------


def test_a_store_gets_geoguessr_as_its_default_once(traces: Traces) -> None:
    spec_id = ensure_spec(traces.db, make_spec())
    ensure_spec(traces.db, make_spec("linear"))
    assert ensure_default_spec(traces.db) == spec_id
    assert ensure_default_spec(traces.db) == spec_id
    found = traces.connection.execute("select name, is_default from reward_specs order by id")
    assert [tuple(row) for row in found] == [("geoguessr", 1), ("linear", 0)]


def test_another_default_is_kept(traces: Traces) -> None:
    spec_id = ensure_spec(traces.db, make_spec("linear"))
    traces.connection.execute("update reward_specs set is_default = 1")
    assert ensure_default_spec(traces.db) == spec_id


def test_a_default_of_an_unknown_kind_is_refused(traces: Traces) -> None:
    """A newer geostore's formula must not be taken for no score."""
    ensure_spec(traces.db, RewardSpec("new", "golf", {}))
    traces.connection.execute("update reward_specs set is_default = 1")
    with pytest.raises(RewardError, match=r"'golf'.*upgrade"):
        ensure_default_spec(traces.db)


def test_a_spec_is_recorded_once_and_by_what_decides_its_numbers(traces: Traces) -> None:
    spec = make_spec()
    spec_id = ensure_spec(traces.db, spec)
    assert ensure_spec(traces.db, replace(spec, name="mine")) == spec_id
    others = [
        replace(spec, kind="exponential"),
        replace(spec, code_version=2),
        make_spec("geoguessr", {"scale": "1500"}),
        make_spec("geoguessr", {"radius": "6371.0088"}),
        make_spec("geoguessr", {"radius": "wgs84"}),
        make_spec("geoguessr", {"rounding": "3"}),
    ]
    assert len({spec_id, *(ensure_spec(traces.db, other) for other in others)}) == 7


def test_the_same_number_written_otherwise_is_the_same_spec() -> None:
    written = ["2000", "2000.0", " 2e3 "]
    hashes = {make_spec("exponential", {"scale": text}).sha256 for text in written}
    assert len(hashes) == 1
    default = make_spec("exponential", {"scale": "1000", "rounding": "none"})
    assert default == make_spec("exponential")


def test_a_spec_carries_what_was_changed_in_its_name() -> None:
    assert make_spec("linear", {"max": "5000"}).name == "linear(max=5000)"
    assert make_spec("linear").name == "linear"


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("golf", {}, r"'golf'; there are: geoguessr, exponential, linear"),
        ("linear", {"scale": "1"}, r"no parameter 'scale'; it has: max, radius, rounding"),
        ("geoguessr", {"scale": "far"}, r"scale must be a number, not 'far'"),
        ("geoguessr", {"scale": "0"}, r"above 0"),
        ("geoguessr", {"scale": "-1"}, r"above 0"),
        ("geoguessr", {"scale": "nan"}, r"finite"),
        ("geoguessr", {"scale": "inf"}, r"finite"),
        ("geoguessr", {"radius": "0"}, r"above 0.*; or wgs84"),
        ("geoguessr", {"radius": "wgs72"}, r"radius must be a number, not 'wgs72'; or wgs84"),
        ("threshold", {"km": "-1"}, r"not be below 0"),
        ("linear", {"rounding": "-1"}, r"decimals"),
        ("linear", {"rounding": "1.5"}, r"decimals"),
        ("linear", {"rounding": "99"}, r"decimals"),
        ("steps", {"table": "far"}, r"JSON pairs of km and value"),
        ("steps", {"table": "[]"}, r"JSON pairs"),
        ("steps", {"table": "[[1]]"}, r"JSON pairs"),
        ("steps", {"table": "[[1, true]]"}, r"JSON pairs"),
        ("steps", {"table": '[["1", 1]]'}, r"JSON pairs"),
        ("steps", {"table": "[[-1, 1]]"}, r"below 0"),
        ("steps", {"table": "[[1, NaN]]"}, r"finite"),
        ("piecewise", {"table": "[[1, 1], [1, 0.5]]"}, r"ascending km, but 1 follows 1"),
        ("piecewise", {"table": "[" * 100_000}, r"JSON pairs"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_in_words(
    name: str, params: dict[str, str], words: str
) -> None:
    with pytest.raises(RewardError, match=words):
        make_spec(name, params)


# --- SQLite without math functions -----------------------------------------------------------


MATH = frozenset({"asin", "sin", "cos", "exp", "radians", "sqrt"})

WEIGHTED = {
    "geoguessr": "0.5",
    "linear:near": "0.2",
    "linear:near.max": "500",
    "steps": "0.1",
    "piecewise": "0.1",
    "threshold": "0.05",
    "parsed": "0.1",
    "format": "0.1",
    "tools": "0.2",
    "tool_use": "0.2",
    "turns": "-0.1",
    "tokens": "-0.1",
}


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        *((kind, {}) for kind in DISTANCE_KINDS),
        ("linear", {"rounding": "3", "radius": "6378"}),
        ("weighted", WEIGHTED),
        ("weighted", {**WEIGHTED, "unparsed": "0.25"}),
    ],
)
def test_functions_from_python_give_the_same_numbers_as_those_of_sqlite(
    traces: Traces, kind: str, params: dict[str, str]
) -> None:
    """To 1e-9, on every kind of reward, for whole stores and for single traces."""
    random = np.random.default_rng(5)
    for truth, guess, _, _ in PLACES[:-2]:  # the last two are at and beside an antipode
        traces.answered(guess, truth=truth)
    for lat, lon, north, east in random.uniform((-80, -170, -1, -1), (80, 170, 1, 1), (40, 4)):
        trace_id = traces.answered((lat + north, lon + east), truth=(lat, lon))
        traces.play(trace_id, calls=[1, 0, 1] if lat > 0 else [], tokens=int(lon) + 200)
    traces.play(traces.answered(None), calls=[0], tokens=None)
    spec = make_spec(kind, params)
    assert rescore(traces.db, spec).computed == 47
    expected = traces.rows("distance_km, score, geoguessr_points")
    traces.connection.execute("delete from rewards")
    with Store.open(traces.path) as bare:
        native = native_functions(bare.db.connection) - MATH
        assert set(add_missing_math(bare.db.connection, native)) == MATH
        spec_id = ensure_spec(bare.db, spec)
        assert score_trace(bare.db, 1, spec_id).distance_km == pytest.approx(5570.222, rel=0.01)
        assert rescore(bare.db, spec, batch=10) == RescoreResult(46, 1)
        assert rescore(bare.db, spec) == RescoreResult(0, 47)
    found = traces.rows("distance_km, score, geoguessr_points")
    for ours, theirs in zip(found, expected, strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert mine is other is None or mine == pytest.approx(other, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(MATH))
@pytest.mark.parametrize("value", [None, 0, 1, 0.5, -0.25, 2.0, -3, 710.0, 1e9, "text"])
def test_a_function_from_python_gives_null_where_that_of_sqlite_does(
    traces: Traces, name: str, value: float | str | None
) -> None:
    native = sqlite3.connect(":memory:")
    ours = sqlite3.connect(":memory:")
    add_missing_math(ours, ())
    expected, found = (
        connection.execute(f"select {name}(?)", (value,)).fetchone()[0]
        for connection in (native, ours)
    )
    native.close()
    ours.close()
    assert found is expected is None or found == pytest.approx(expected, rel=1e-12)


def test_nothing_is_added_to_a_sqlite_that_has_them(traces: Traces) -> None:
    assert add_missing_math(traces.connection, native_functions(traces.connection)) == []
