"""Rewards of published systems: each against values computed by hand from the published code."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from geostore import open as open_store
from geostore.cli import app
from geostore.errors import RewardError
from geostore.query.reader import run_query
from geostore.rewards import PRESETS, ensure_spec, make_spec, preset_spec, rescore
from geostore.rewards.formulas import KINDS
from geostore.store import Store
from tests.builders import StoreBuilder, fill, make_dataset
from tests.hand_made import Traces, put_places

KM_PER_DEGREE = {
    # Along the equator, which is a circle of the ellipsoid's greater radius.
    "wgs84": math.radians(1) * 6378.137,
    6371.0: math.radians(1) * 6371.0,
}


@dataclass(frozen=True)
class Case:
    """A trace, and what a published scorer gives it."""

    preset: str
    score: float
    km: float | None = None
    """From the true place; None: no coordinates."""
    cut: bool = False
    """Whether an image was cut."""
    true: str = ""
    """What is right: c, r and t for the point's country, region and town, C, R and T for words."""
    words: int = 0
    """How many of country, region and city the answer's words state."""
    format: bool = False
    """Whether the response is reasoning, then an answer in its tag."""
    params: tuple[tuple[str, str], ...] = ()


LADDER = (("city", "4"), ("region", "2"), ("country", "1"))

CASES = [
    # Strictly below each threshold, as the code has it; nothing past the last, nor for no answer.
    Case("thinking-with-map", 1.0, km=0.0),
    Case("thinking-with-map", 1.0, km=0.499),
    Case("thinking-with-map", 0.8, km=0.501),
    Case("thinking-with-map", 0.8, km=1.999),
    Case("thinking-with-map", 0.6, km=2.001),
    Case("thinking-with-map", 0.6, km=9.999),
    Case("thinking-with-map", 0.4, km=10.001),
    Case("thinking-with-map", 0.4, km=24.99),
    Case("thinking-with-map", 0.2, km=25.01),
    Case("thinking-with-map", 0.2, km=199.9),
    Case("thinking-with-map", 0.1, km=200.1),
    Case("thinking-with-map", 0.1, km=749.9),
    Case("thinking-with-map", 0.0, km=750.1),
    Case("thinking-with-map", 0.0, km=19_000.0),
    Case("thinking-with-map", 0.0),
    # exp(-d / tau), and the format's penalty of 0.1.
    Case("geospot", 1.0, km=0.0),
    Case("geospot", 0.36787944117, km=25.0),
    Case("geospot", 0.01831563889, km=100.0),
    Case("geospot", -0.1),
    Case("geospot", 0.36787944117, km=2000.0, params=(("tau", "2000"),)),
    Case("geospot", 0.98757780049, km=25.0, params=(("tau", "2000"),)),
    Case("geospot", -0.1, params=(("tau", "2000"),)),
    # Format 1 + 1, 0.1 + 0.6 + 0.3 for names, each only behind the one before; 1.5 exp(-d / 200)
    # below 2000 km.
    Case("geoagent", 2.0 + 1.0 + 1.5, km=0.0, true="CRT", words=3, format=True),
    Case("geoagent", 2.0 + 0.7 + 1.5 * 0.36787944117, km=200.0, true="CR", words=3, format=True),
    Case("geoagent", 1.0 + 0.1 + 1.5 * 0.00673794700, km=1000.0, true="CT", words=2),
    Case("geoagent", 1.0 + 0.0 + 1.5 * 0.60653065971, km=100.0, true="RT", words=2),
    Case("geoagent", 1.0 + 0.1 + 1.5 * 0.00004562756, km=1999.0, true="C", words=1, format=True),
    Case("geoagent", 0.0, km=2001.0),
    Case("geoagent", 0.0, km=2001.0, true="crt", words=1),
    Case("geoagent", 2.0 + 1.0, true="CRT", words=3, format=True),
    Case("geoagent", 0.0),
    # City and country 1, country alone 0.2, a city without its country nothing; format 1.
    Case("globe", 2.0, km=1.0, true="CT", words=2, format=True),
    Case("globe", 1.2, km=1.0, true="C", words=2, format=True),
    Case("globe", 0.2, km=1.0, true="Crt", words=2),
    Case("globe", 0.0, km=1.0, true="crtT", words=2),
    Case("globe", 2.0, true="CT", words=2, format=True),
    Case("globe", 1.0, format=True),
    Case("globe", 0.0),
    # The city alone; or 4, 2, 1 for the finest that is right, by point or by words.
    Case("geovista", 1.0, km=1.0, true="crt"),
    Case("geovista", 1.0, km=1.0, true="T", words=1),
    Case("geovista", 1.0, km=1.0, true="crtCRT", words=3),
    Case("geovista", 0.0, km=1.0, true="crCR", words=3),
    Case("geovista", 1.0, true="T", words=1),
    Case("geovista", 0.0),
    Case("geovista", 4.0, km=1.0, true="crt", params=LADDER),
    Case("geovista", 4.0, km=1.0, true="crtCRT", words=3, params=LADDER),
    Case("geovista", 4.0, km=1.0, true="T", words=1, params=LADDER),
    Case("geovista", 2.0, km=1.0, true="cr", params=LADDER),
    Case("geovista", 2.0, km=1.0, true="cCR", words=3, params=LADDER),
    Case("geovista", 1.0, km=1.0, true="c", params=LADDER),
    Case("geovista", 1.0, true="C", words=1, params=LADDER),
    Case("geovista", 0.0, params=LADDER),
    # 0.8 right, 1.2 for the tool only then, -0.2 for the format.
    Case("deepeyes", 0.8, km=24.9),
    Case("deepeyes", 2.0, km=24.9, cut=True),
    Case("deepeyes", 0.0, km=25.1),
    Case("deepeyes", 0.0, km=25.1, cut=True),
    Case("deepeyes", 2.0, km=199.9, cut=True, params=(("km", "200"),)),
    Case("deepeyes", -0.2, cut=True),
    Case("deepeyes", -0.2),
]


def put(traces: Traces, case: Case, radius: float | str = 6371.0) -> None:
    guess = None if case.km is None else (0.0, case.km / KM_PER_DEGREE[radius])
    trace_id = traces.answered(guess)
    response = "<answer>It is here.</answer>" if case.format else "It is here."
    traces.play(trace_id, calls=[1] if case.cut else [], response=response)
    if case.format:
        traces.connection.execute("update turns set reasoning = 'I see.' where turn = 2")
    put_places(traces, trace_id, point=case.km is not None, true=case.true, words=case.words)
    if case.cut:
        traces.connection.execute(
            "update tool_calls set box_left = 0, box_top = 0, box_right = 5, box_bottom = 5"
            " where trace_id = ?",
            (trace_id,),
        )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_preset_gives_what_the_published_scorer_gives(traces: Traces, case: Case) -> None:
    spec = preset_spec(case.preset, dict(case.params))
    put(traces, case, spec.parameters["radius"])
    rescore(traces.db, spec)
    assert traces.rows("score") == [(pytest.approx(case.score, abs=1e-9),)]


def test_every_preset_is_held_against_values_by_hand() -> None:
    assert {f"preset:{case.preset}" for case in CASES} == set(PRESETS)


PLACE_PRESETS = ("geoagent", "globe", "geovista")


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("true", ["", "C", "crtCRT"])
def test_an_answer_that_nobody_can_judge_has_no_score_and_counts_in_no_mean(
    traces: Traces, name: str, true: str
) -> None:
    """The truth lies far out at sea. What asks for no place scores it, and its distance is kept."""
    spec = preset_spec(name)
    put(traces, Case(name, 0.0, km=1.0, true="crtCRT", words=3), spec.parameters["radius"])
    put(traces, Case(name, 0.0, km=1.0, true=true, words=3), spec.parameters["radius"])
    traces.connection.execute(
        "update sample_places set country = null, region = null, city = null, city_id = null"
        " where sample_id = 2"
    )
    rescore(traces.db, spec)
    (judged, known_km), (score, km) = traces.rows("score, distance_km")
    assert km == known_km == pytest.approx(1.0)
    assert (score is None) == (name.removeprefix("preset:") in PLACE_PRESETS)
    (summary,) = run_query(traces.path, "summary", reward=spec.sha256).to_dicts()
    scores = [value for value in (judged, score) if value is not None]
    assert summary["mean_score"] == pytest.approx(sum(scores) / len(scores))
    assert summary["mean_score_failures_0"] == summary["mean_score"]


@pytest.mark.parametrize(
    ("name", "lacks", "true", "score"),
    [
        # Monaco has no region: it is asked for behind the right country alone.
        ("geoagent", "region", "CRT", None),
        ("geoagent", "region", "RT", 1.0 + 1.5 * 0.60653065971),
        ("globe", "region", "CT", 1.0),
        ("geovista", "region", "t", 1.0),
        ("geoagent", "city_id", "CR", None),
        ("globe", "city_id", "C", None),
        ("globe", "city_id", "T", 0.0),
        ("geovista", "city_id", "crCR", None),
    ],
)
def test_a_place_that_the_truth_lacks_is_unknown_only_where_it_is_asked_for(
    traces: Traces, name: str, lacks: str, true: str, score: float | None
) -> None:
    put(traces, Case(name, 0.0, km=100.0, true=true, words=3))
    traces.connection.execute(f"update sample_places set {lacks} = null")
    rescore(traces.db, preset_spec(name))
    assert traces.rows("score") == [(score if score is None else pytest.approx(score, abs=1e-9),)]


def test_words_that_nobody_can_judge_do_not_name_the_true_place(traces: Traces) -> None:
    """A city in letters that the gazetteer lacks: stated, and not known to be right."""
    put(traces, Case("globe", 0.0, km=1.0, true="C", words=3))
    traces.connection.execute("update answer_places set said_true_city = null")
    rescore(traces.db, preset_spec("globe"))
    assert traces.rows("score") == [(0.2,)]


def test_a_distance_of_exactly_a_threshold_is_outside_where_the_code_says_less(
    traces: Traces,
) -> None:
    """A table whose border is a distance that can be hit to the last bit."""
    spec = preset_spec("preset:thinking-with-map")
    (steps,) = spec.parameters["terms"]
    assert steps["border"] == "out"
    traces.answered((0.0, 1.0))
    rescore(traces.db, make_spec())
    ((km,),) = traces.rows("distance_km")
    for border, score in ((km, 0.5), (math.nextafter(km, 1e9), 1.0)):
        table = json.dumps([[border, 1], [900, 0.5]])
        at_border = make_spec(
            "weighted", {"steps": "1", "steps.table": table, "steps.border": "out"}
        )
        rescore(traces.db, at_border)
        assert traces.rows("score")[-1] == (score,)


# --- names -----------------------------------------------------------------------------------


def ask(*arguments: str | Path) -> str:
    """What a command prints; it must succeed."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refuse(*arguments: str | Path) -> str:
    """The error of a command that must fail."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code != 0
    return f"{result.output} {result.exception}"


@pytest.fixture
def store(traces: Traces) -> Path:
    for case in (Case("", 0, km=1.0), Case("", 0, km=100.0, cut=True), Case("", 0)):
        put(traces, case)
    return traces.path


def test_all_presets_are_computed_one_after_the_other(store: Path) -> None:
    lines = ask("rescore", "--preset", "all", "--dry-run", "--store", store).splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert all("would compute 3, found done 0" in line for line in lines)
    lines = ask("rescore", "--preset", "all", "--store", store).splitlines()
    assert [line.partition(" (")[0] for line in lines] == list(PRESETS)
    assert all(line.endswith("computed 3, found done 0") for line in lines)
    documents = json.loads(ask("rescore", "--preset", "all", "--json", "--store", store))
    assert [d["spec"]["name"] for d in documents] == list(PRESETS)
    assert {(d["computed"], d["found_done"]) for d in documents} == {(0, 3)}


def test_what_all_presets_need_first_is_said_once(store: Path) -> None:
    """A rescore reads and places for the first of them; the others find that done."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("delete from answer_places")
    dry = ("rescore", "--preset", "all", "--dry-run", "--store", store)
    assert ask(*dry).count("would compute the places of") == 1
    documents = json.loads(ask(*dry, "--json"))
    assert all(document["placed"]["answers"] == 3 for document in documents)


def test_a_preset_is_named_wherever_a_reward_is(store: Path) -> None:
    one = ask("rescore", "--preset", "geospot", "--param", "tau=100", "--store", store)
    assert one.startswith("preset:geospot(tau=100) (")
    assert "computed 3" in ask("rescore", "--reward", "preset:geospot", "--store", store)
    assert "found done 3" in ask("rescore", "--preset", "preset:geospot", "--store", store)
    assert "preset:geospot" in ask("rewards", "default", "preset:geospot", "--store", store)
    stats = ask("stats", "--store", store, "--reward", "preset:geospot", "--json")
    assert json.loads(stats)
    with open_store(store) as opened:
        assert opened.rescore("preset:geospot", tau=500).computed == 3
        assert opened.rescore("preset:geospot").found_done == 3


def test_an_export_carries_the_scores_of_a_preset(tmp_path: Path) -> None:
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        fill(StoreBuilder(store, make_dataset(tmp_path / "photos")))
    ask("rescore", "--preset", "geospot", "--store", tmp_path / "geostore.db")
    out = tmp_path / "out"
    ask("export", out, "--store", tmp_path / "geostore.db", "--reward", "preset:geospot")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["reward_spec"]["name"] == "preset:geospot"


def test_a_preset_can_be_the_default_before_anything_is_computed(store: Path) -> None:
    said = ask("rewards", "default", "preset:deepeyes", "--store", store)
    assert "the default reward is preset:deepeyes (" in said
    assert ask("rescore", "--store", store).startswith("preset:deepeyes (")


def test_a_preset_is_found_though_the_store_has_it_under_another_name(store: Path) -> None:
    ask("rescore", "--preset", "deepeyes", "--name", "mine", "--store", store)
    assert "is mine (" in ask("rewards", "default", "preset:deepeyes", "--store", store)
    assert "found done 3" in ask("rescore", "--preset", "deepeyes", "--store", store)


@pytest.mark.parametrize("how", ["renamed", "named", "another gazetteer"])
def test_the_name_of_a_preset_is_understood_by_everything_that_takes_a_reward(
    tmp_path: Path, how: str
) -> None:
    """Under whatever name the store has it, and beside that of another version of the gazetteer."""
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True) as opened:
        fill(StoreBuilder(opened, make_dataset(tmp_path / "photos")))
        if how == "another gazetteer":
            older = preset_spec("geovista")
            older.parameters["gazetteer"] = 0
            ensure_spec(opened.db, older)
    at = ("--store", path)
    ask("rescore", "--preset", "geovista", *(("--name", "g2") if how == "named" else ()), *at)
    if how == "renamed":
        ask("rewards", "rename", "preset:geovista", "mine", *at)
    named = ("--reward", "preset:geovista", *at)
    assert json.loads(ask("stats", *named, "--json"))
    assert "(1 row)" in ask("query", "select count(*) from trace_results", *named)
    assert json.loads(ask("traces", "--best", "--json", *named))
    assert "would write 5 traces" in ask("export", tmp_path / "out", "--dry-run", *named)
    ask("export", tmp_path / "out", *named)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["reward_spec"]["sha256"] == preset_spec("geovista").sha256
    assert "Spearman" in ask("rewards", "compare", "preset:geovista", "geoguessr", *at)
    compared = ask("rescore", "--reward", "geoguessr", "--compare", "preset:geovista", *at)
    assert "Spearman" in compared
    with open_store(path) as opened_again:
        assert opened_again.stats(reward="preset:geovista")
        assert len(list(opened_again.traces(reward="preset:geovista"))) == 6
        assert opened_again.to_hf_dataset(reward="preset:geovista", images="reference")
    assert "deleted " in ask("rewards", "delete", "preset:geovista", *at)


def test_a_preset_can_stand_in_a_file(store: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text('{"reward": "preset:geospot", "name": "mine", "parameters": {"tau": 200}}')
    at = ("--store", store)
    assert ask("rescore", "--spec", spec, *at).startswith("mine (")
    again = ask("rescore", "--preset", "geospot", "--param", "tau=200.0", *at)
    assert "computed 0, found done 3" in again


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({"region": "0.0"}, {}),
        ({"region": "0", "country": "-0"}, {}),
        ({"city": "4.0", "region": "2e0"}, {"region": "2", "city": "4"}),
    ],
)
def test_a_number_is_one_number_however_it_is_written(
    given: dict[str, str], other: dict[str, str]
) -> None:
    assert preset_spec("geovista", given) == preset_spec("geovista", other)


def test_a_number_of_a_preset_is_taken_to_its_last_digit() -> None:
    terms = preset_spec("geospot", {"tau": "1234567.8901"}).parameters["terms"]
    assert terms[0]["scale"] == 1234567.8901


def test_a_level_that_counts_nothing_is_passed_over(traces: Traces) -> None:
    """An answer in the right region gets no less than one in the right country alone."""
    for true in ("cr", "c", "cCR", ""):
        put(traces, Case("geovista", 0, km=1.0, true=true, words=3))
    rescore(traces.db, preset_spec("geovista", {"city": "4", "country": "1"}))
    assert [score for (score,) in traces.rows("score")] == [1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("rescore", "--preset", "geospot", "--param", "tau=abc"),
            "preset:geospot's tau must be a number, not 'abc'",
        ),
        (
            ("rescore", "--preset", "geovista", "--param", "city=x"),
            "preset:geovista's city must be a number",
        ),
        (
            ("rescore", "--preset", "geovista", "--param", "city=0"),
            "preset:geovista needs a number other than 0 for one of: city, region, country",
        ),
        (
            ("rescore", "--preset", "globe", "--param", "rounding=x"),
            "preset:globe's rounding must be a number of decimals",
        ),
        (("rescore", "--preset", "geospott"), "did you mean preset:geospot?); there are: preset:"),
        (("rescore", "--reward", "preset:geospott"), "did you mean preset:geospot?"),
        (("rewards", "show", "preset:geospott"), "did you mean preset:geospot?"),
        (("rewards", "default", "preset:geospott"), "did you mean preset:geospot?"),
        (("rewards", "show", "geospot"), "did you mean preset:geospot?"),
        (("rewards", "default", "geospot"), "did you mean preset:geospot?"),
        (("rescore", "--reward", "geospot"), "did you mean preset:geospot?"),
        (("rescore", "--preset", ""), "no preset 'preset:'"),
        (("rescore", "--reward", ""), "no reward ''"),
        (("rescore", "--preset", "", "--reward", "linear"), "name two rewards; give one"),
        (("rescore", "--preset", "all", "--preset", "globe"), "give it once: one preset, or all"),
        (("stats", "--reward", "preset:geospot"), "geostore rescore --reward preset:geospot"),
        (
            ("rescore", "--preset", "geospot", "--param", "km=1"),
            "no parameter 'km'; it has: radius",
        ),
        (("rescore", "--preset", "geospot", "--param", "tau=0"), "above 0"),
        (("rescore", "--preset", "all", "--param", "tau=5"), "--preset all has no --param"),
        (("rescore", "--preset", "all", "--name", "mine"), "--preset all has no --name"),
        (("rescore", "--preset", "all", "--compare", "linear"), "--preset all has no --compare"),
        (("rescore", "--preset", "geospot", "--reward", "linear"), "name two rewards; give one"),
        (("rescore", "--reward", "linear", "--name", "preset:mine"), "the name of a preset"),
    ],
)
def test_a_preset_that_cannot_be_computed_is_refused_in_words(
    store: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in " ".join(refuse(*arguments, "--store", store).split())


def test_the_help_of_rescore_names_every_preset_and_every_built_in_reward() -> None:
    help_text = " ".join(ask("rescore", "--help").split())
    assert f"a built-in one ({', '.join(KINDS)}), a preset ({', '.join(PRESETS)})" in help_text


def test_a_name_of_a_preset_is_kept_for_presets(store: Path) -> None:
    ask("rescore", "--reward", "linear", "--store", store)
    assert "the name of a preset" in refuse(
        "rewards", "rename", "linear", "preset:mine", "--store", store
    )


def test_presets_are_listed_apart_with_their_source(store: Path) -> None:
    listed = ask("rewards", "list", "--store", store)
    table = listed.split("\n\n")[-1]
    for name, preset in PRESETS.items():
        assert name in table
        assert preset.source in table
    document = json.loads(ask("rewards", "list", "--json", "--store", store))
    assert [p["preset"] for p in document["presets"]] == list(PRESETS)
    assert all(p["sha256"] == preset_spec(p["preset"]).sha256 for p in document["presets"])
    assert {p["stored"] for p in document["presets"]} == {None}
    ask("rescore", "--preset", "deepeyes", "--store", store)
    document = json.loads(ask("rewards", "list", "--json", "--store", store))
    (spec,) = document["specs"]
    stored = {p["preset"]: p["stored"] for p in document["presets"]}
    assert stored == {name: spec if name == "preset:deepeyes" else None for name in PRESETS}


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_shown_within_eighty_columns(
    store: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = ask("rewards", "show", name, "--store", store)
    assert max(len(line) for line in shown.splitlines()) <= 80
    plain = " ".join(shown.split())
    preset = PRESETS[name]
    for text in (preset.formula, preset.source, preset.follows, preset.leaves_out):
        assert text in plain
    assert f"not computed here; geostore rescore --reward {name}" in plain
    ask("rescore", "--reward", name, "--store", store)
    assert "rewards: 3 scored: 3 missing: 0" in " ".join(
        ask("rewards", "show", name, "--store", store).split()
    )


def test_the_hash_of_a_preset_follows_from_its_parameters_alone() -> None:
    usual = preset_spec("geospot")
    assert preset_spec("preset:geospot", {"tau": "25.0"}) == usual
    assert preset_spec("geospot", {"tau": "100"}).sha256 != usual.sha256
    assert (
        preset_spec("geospot", {"radius": "6371.0088"}).name == "preset:geospot(radius=6371.0088)"
    )
    assert (
        usual.sha256
        == make_spec(
            "weighted", {"exponential": "1", "unparsed": "-0.1"} | {"exponential.scale": "25"}
        ).sha256
    )
    with pytest.raises(RewardError, match=r"no preset 'preset:golf'.*there are: preset:"):
        preset_spec("golf")
