"""Rewards side by side: listed, shown, chosen, weighted, compared, and used by what reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import geostore
from geostore.cli import app
from geostore.errors import RewardError
from geostore.export import Filter, export
from geostore.rewards import RewardSpec, ensure_spec, make_spec, read_spec, rescore, resolve_spec
from geostore.rewards.formulas import KINDS
from geostore.rewards.listing import list_rewards
from geostore.store import Store
from geostore.store.rewards import default_spec, get_spec
from tests.builders import StoreBuilder, fill, make_dataset
from tests.hand_made import Traces


def said(*arguments: str | Path) -> str:
    """What a command prints; it must succeed."""
    found = CliRunner().invoke(app, [str(a) for a in arguments])
    assert found.exit_code == 0, (found.output, found.exception)
    return found.output


def refused(*arguments: str | Path) -> str:
    """The sentence of the error that a command ends with."""
    found = CliRunner().invoke(app, [str(a) for a in arguments])
    assert found.exit_code != 0
    return f"{found.output} {found.exception}"


# --- weighted --------------------------------------------------------------------------------


@pytest.fixture
def played(traces: Traces) -> Traces:
    """Near and well made; far, with a bad call and many tokens; no coordinates."""
    for guess, form, calls, tokens in (
        ((0.0, 1.0), "boxed", [1, 1], 100),
        ((0.0, 90.0), "hemisphere", [1, 0, 0, 1], 5000),
        (None, None, [], None),
    ):
        trace_id = traces.answered(guess)
        traces.play(trace_id, calls=calls, tokens=tokens)
        traces.connection.execute(
            "update answers set form = ? where trace_id = ?", (form, trace_id)
        )
    return traces


@pytest.mark.parametrize(
    ("params", "scores"),
    [
        ({"parsed": "1"}, [1, 1, 0]),
        ({"format": "1"}, [1, 0, 0]),
        ({"tools": "1"}, [1, 0.5, 1]),
        ({"tool_use": "1"}, [1, 1, 0]),
        ({"turns": "1"}, [0.2, 0.2, 0.2]),
        ({"turns": "-1", "turns.max": "2"}, [-1, -1, -1]),
        ({"tokens": "1"}, [100 / 4096, 1, None]),
        ({"tokens": "1", "tokens.max": "200"}, [0.5, 1, None]),
        ({"threshold": "0.8", "format": "0.2"}, [1.0, 0.0, None]),
        ({"threshold": "0.8", "format": "0.2", "unparsed": "0"}, [1.0, 0.0, 0.0]),
        ({"threshold": "1", "unparsed": "-0.5"}, [1, 0, -0.5]),
        (
            {"threshold:near": "0.5", "threshold:near.km": "50", "threshold:far": "0.25"},
            [0.25, 0.0, None],
        ),
        ({"linear": "0.333", "rounding": "1"}, [0.3, 0.2, None]),
    ],
)
def test_a_weighted_reward_is_the_sum_of_its_terms(
    played: Traces, params: dict[str, str], scores: list[float | None]
) -> None:
    """And what one term does not know, the sum does not know."""
    rescore(played.db, make_spec("weighted", params))
    found = [score for (score,) in played.rows("score")]
    assert found == [None if s is None else pytest.approx(s) for s in scores]
    assert [km is None for (km,) in played.rows("distance_km")] == [False, False, True]


terms = st.dictionaries(
    st.sampled_from(["geoguessr", "linear", "format", "tools", "turns", "threshold:a"]),
    st.integers(-9, 9).map(lambda n: str(n / 10)),
    min_size=1,
)


@given(given_terms=terms, data=st.data())
def test_the_order_and_the_names_of_terms_decide_nothing(
    given_terms: dict[str, str], data: st.DataObject
) -> None:
    params = {**given_terms, "rounding": "4"}
    if "geoguessr" in params:
        params["geoguessr.scale"] = "2000"
    shuffled = dict(data.draw(st.permutations(list(params.items()))))
    renamed = {key.replace("threshold:a", "threshold:z"): v for key, v in shuffled.items()}
    spec = make_spec("weighted", params)
    assert make_spec("weighted", shuffled).sha256 == spec.sha256
    assert make_spec("weighted", renamed).sha256 == spec.sha256
    assert make_spec("weighted", {**params, "rounding": "5"}).sha256 != spec.sha256


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "needs at least one term"),
        ({"golf": "1"}, "no term or parameter 'golf'; it has: geoguessr, .*tokens, .*unparsed"),
        ({"linear": "much"}, "the weight of linear must be a number"),
        ({"linear": "nan"}, "finite"),
        ({"linear.max": "5"}, "no weight for it: linear=0.5"),
        ({"linear": "1", "linear.scale": "5"}, "linear has no parameter 'scale'; it has: max"),
        (
            {"format": "1", "format.weight": "5"},
            "format has no parameter 'weight'; it has: if, unless",
        ),
        ({"turns": "1", "turns.max": "0"}, "above 0"),
        ({"parsed": "1", "unparsed": "far"}, "unparsed must be a number"),
    ],
)
def test_a_weighted_reward_that_makes_no_sense_is_refused(
    params: dict[str, str], words: str
) -> None:
    with pytest.raises(RewardError, match=words):
        make_spec("weighted", params)


def test_a_reward_in_a_file_is_the_one_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        json.dumps(
            {
                "reward": "weighted",
                "name": "mine",
                "parameters": {
                    "steps": 0.5,
                    "steps.table": [[1, 1], [100, 0.5]],
                    "format": 0.5,
                    "unparsed": None,
                },
            }
        )
    )
    written = {"format": "0.5", "steps.table": "[[1, 1.0], [100.0, 0.5]]", "steps": "0.5"}
    assert read_spec(path).sha256 == make_spec("weighted", written).sha256
    assert read_spec(path).name == "mine"


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"reward": "linear", "params": {}}', '{"reward": "golf"}'),
        # A name that nobody could find it by, as with --name.
        *('{"reward": "linear", "name": "geoguessr"}', '{"reward": "linear", "name": "  "}'),
        '{"reward": "linear", "name": "preset:globe"}',
    ],
)
def test_a_file_that_is_no_reward_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(RewardError, match=r"mine\.json|no reward 'golf'"):
        read_spec(path)


# --- names -----------------------------------------------------------------------------------


def test_a_reward_is_found_by_name_or_by_its_hash(traces: Traces) -> None:
    db = traces.db
    mine = make_spec("linear", {"max": "5000"}, name="mine")
    ensure_spec(db, mine)
    assert get_spec(db, "mine").sha256 == mine.sha256
    assert get_spec(db, mine.sha256[:4]).sha256 == mine.sha256
    assert resolve_spec(db, "mine").sha256 == mine.sha256
    assert resolve_spec(db, "linear") == make_spec("linear")
    with pytest.raises(RewardError, match=rf"no reward 'yours'; it has: mine \({mine.sha256[:8]}"):
        get_spec(db, "yours")
    with pytest.raises(RewardError, match="has its parameters already"):
        resolve_spec(db, "mine", {"max": "3"})
    ensure_spec(db, make_spec("linear", {"max": "6000"}, name="mine"))
    with pytest.raises(RewardError, match=r"may be mine .* or mine .*; give the hash"):
        get_spec(db, "mine")


def test_a_rescore_takes_the_conditions_that_an_export_takes(store_of_six: Path) -> None:
    store = ("--store", store_of_six, "--dry-run", "--reward", "steps")
    assert "would compute 5," in said("rescore", *store)
    assert "would compute 1," in said("rescore", *store, "--model", "*native")
    assert "would compute 3," in said("rescore", *store, "--where", "turns > 1 and tool_calls > 1")
    assert "would compute 0," in said("rescore", *store, "--recipe", "00000000")
    assert "would compute 0," in said("rescore", *store, "--since", "2999-01-01")
    assert "did you mean turns?" in refused("rescore", *store, "--where", "turn > 1")


def test_a_model_that_the_store_does_not_have_is_said(store_of_six: Path) -> None:
    """Else a typing error looks like work that is done already."""
    printed = said("rescore", "--store", store_of_six, "--model", "teacherr")
    assert "no trace is chosen: no model 'teacherr'" in printed
    assert "there are: " in printed
    assert "no trace is chosen" not in said("rescore", "--store", store_of_six, "--model", "*")


def test_a_new_reward_for_which_no_trace_is_chosen_is_not_kept(played: Traces) -> None:
    played.connection.close()
    store = ("--store", played.path)
    before = json.loads(said("rewards", "list", "--json", *store))["specs"]
    assert "computed 0" in said("rescore", *store, "--preset", "all", "--where", "turns > 99")
    assert "computed 0" in said("rescore", *store, "--reward", "linear", "--where", "turns > 99")
    assert json.loads(said("rewards", "list", "--json", *store))["specs"] == before
    wrong = ("rescore", *store, "--reward", "linear", "--where", "turns > 99")
    assert "no trace was chosen" in refused(*wrong, "--compare", "exponential")
    said("rescore", *store, "--reward", "linear")
    again = ("rescore", *store, "--reward", "linear", "--where", "turns > 99", "--name", "other")
    said(*again)
    names = [
        spec["name"] for spec in json.loads(said("rewards", "list", "--json", *store))["specs"]
    ]
    assert "other" in names


def test_the_commands_list_show_and_choose(played: Traces) -> None:
    """As a person goes about it: compute, look, choose, and be told what is missing."""
    path = played.path
    rescore(played.db, make_spec())
    played.connection.execute("update reward_specs set is_default = 1")
    played.connection.close()
    store = ("--store", path)
    one = said("rescore", *store, "--reward", "linear", "--name", "mine", "--where", "lon = 0")
    assert "mine (" in one
    assert "computed 3, found done 0" in one
    mixed = ("--reward", "weighted", "--param", "geoguessr=0.9", "--param", "format=0.1")
    assert "computed 1, found" in said("rescore", *store, *mixed, "--where", "answer_lon > 50")
    listed = said("rewards", "list", *store)
    for words in ("geoguessr", "mine", "default", "max(0, 1 - d / max)", "exp(-d / scale)"):
        assert words in listed
    assert "missing: 2" in said("rewards", "show", "weighted(format=0.1, geoguessr=0.9)", *store)
    kind = said("rewards", "show", "weighted", *store)
    assert "share of tool calls" in kind
    chosen = said("rewards", "default", "weighted(format=0.1, geoguessr=0.9)", *store)
    assert "the default reward is weighted(" in chosen
    assert "2 traces lack it; compute it with: geostore rescore --reward " in chosen
    hash_ = chosen.rpartition("--reward ")[2].strip()
    assert "computed 2, found done 1" in said("rescore", *store, "--reward", hash_)
    assert "computed 0, found done 3" in said("rescore", *store)
    assert "lack" not in said("rewards", "default", "mine", *store)
    with Store.open(path) as opened:
        default = default_spec(opened.db)
        assert default is not None
        assert default.name == "mine"
    assert "no reward 'golf'" in refused("rewards", "default", "golf", *store)
    assert "3 traces lack it" in said("rewards", "default", "steps", *store)


def test_a_reward_is_renamed_and_keeps_its_scores(played: Traces) -> None:
    rescore(played.db, make_spec())
    rescore(played.db, make_spec("linear", name="mine"))
    played.db.close()
    store = ("--store", played.path)
    before = json.loads(said("rewards", "show", "mine", *store, "--json"))
    assert f"mine ({before['sha256'][:8]}) is now called near" in said(
        "rewards", "rename", "mine", "near", *store
    )
    after = json.loads(said("rewards", "show", "near", *store, "--json"))
    assert after == {**before, "name": "near"}
    assert "computed 0, found done 3" in said("rescore", *store, "--reward", "near")
    assert "is now called near" in said("rewards", "rename", "near", "near", *store)
    for new_name, words in (
        ("geoguessr", "is the name of a built-in reward"),
        ("exponential", "is the name of a built-in reward"),
        ("beef", "would be read as the start of a hash"),
        (" ", "cannot be empty"),
        ("two\nlines", "cannot be printed"),
        (" far", "starts or ends with a blank"),
    ):
        assert words in refused("rewards", "rename", "near", new_name, *store)
        assert words in refused("rescore", *store, "--reward", "steps", "--name", new_name)
    said("rescore", *store, "--reward", "steps")
    assert "another reward of that name: near (" in refused(
        "rewards", "rename", "steps", "near", *store
    )
    assert "the store has no reward 'golf'" in refused("rewards", "rename", "golf", "x", *store)


def test_a_reward_is_deleted_with_its_scores_and_nothing_else_is(played: Traces) -> None:
    rescore(played.db, make_spec())
    rescore(played.db, make_spec("linear", name="mine"))
    rescore(played.db, make_spec("steps"))
    played.db.run("set_default_reward_spec", spec_id=get_spec(played.db, "geoguessr").id)
    store = ("--store", played.path)
    before = json.loads(said("rewards", "list", *store, "--json"))["specs"]
    assert "deleted mine (" in (words := said("rewards", "delete", "mine", *store))
    assert "and its scores of 3 traces" in words
    after = json.loads(said("rewards", "list", *store, "--json"))["specs"]
    assert after == [spec for spec in before if spec["name"] != "mine"]
    assert "the store has no reward 'mine'" in refused("rewards", "delete", "mine", *store)
    assert "choose another default first" in refused("rewards", "delete", "geoguessr", *store)
    # What is computed anew is whole, and under an id that no other process can still write to.
    deleted_last = get_spec(played.db, "steps").id
    said("rewards", "delete", "steps", *store)
    assert "computed 3, found done 0" in said("rescore", *store, "--reward", "linear")
    assert get_spec(played.db, "linear").id > deleted_last


def test_an_imported_reward_is_deleted_only_where_that_is_meant(played: Traces) -> None:
    spec_id = ensure_spec(played.db, RewardSpec("imported", "imported", {}))
    for trace in played.db.execute("select trace_id, parser_version from answers").fetchall():
        played.db.execute(
            "insert into rewards (spec_id, trace_id, parser_version, score)"
            " values (:spec_id, :trace_id, :parser_version, 1)",
            {"spec_id": spec_id, **trace},
        )
    store = ("--store", played.path)
    assert "cannot be computed again" in refused("rewards", "delete", "imported", *store)
    assert json.loads(said("rewards", "show", "imported", *store, "--json"))["rewards"] == 3
    assert "its scores of 3 traces" in said("rewards", "delete", "imported", "--yes", *store)


def test_rewards_as_json_have_the_numbers_of_the_text(played: Traces) -> None:
    rescore(played.db, make_spec("linear", name="mine"))
    listed = list_rewards(played.db)
    played.db.close()
    store = ("--store", played.path)
    document = json.loads(said("rewards", "list", *store, "--json"))
    (spec,) = document["specs"]
    assert list(spec) == [
        *("name", "sha256", "kind", "formula", "parameters", "code_version", "default"),
        *("created_at", "rewards", "scored", "failed"),
    ]
    assert (spec["name"], spec["rewards"], spec["scored"], spec["failed"]) == ("mine", 3, 2, 0)
    assert [kind["kind"] for kind in document["kinds"]] == list(KINDS)
    assert document == json.loads(json.dumps(listed.to_json()))
    shown = json.loads(said("rewards", "show", "mine", *store, "--json"))
    assert shown == {**spec, "missing": 0}
    weighted = json.loads(said("rewards", "show", "weighted", *store, "--json"))
    assert list(weighted) == ["kind", "formula", "parameters", "terms"]
    assert weighted["terms"]["turns"]["parameters"] == {"max": 10.0}
    assert weighted["terms"]["threshold"]["parameters"] == {"km": 1000.0, "border": "in"}
    assert "NAME.if and NAME.unless" in weighted["formula"]
    assert "unknown where the true point has no region" in weighted["terms"]["region"]["formula"]
    for kind in ("threshold", "steps"):
        shown = json.loads(said("rewards", "show", kind, *store, "--json"))
        assert shown["parameters"]["border"] == "in"


def test_a_negative_weight_is_listed_with_a_minus(played: Traces) -> None:
    params = {"constant": "1", "parsed": "-0.2", "tools": "0.5"}
    rescore(played.db, make_spec("weighted", params))
    played.db.close()
    listed = said("rewards", "list", "--store", played.path)
    assert "1 * constant - 0.2 * parsed + 0.5 * tools" in " ".join(listed.split())


def test_what_contradicts_itself_is_a_usage_error(played: Traces) -> None:
    store = ("--store", played.path)
    assert "two rewards" in refused("rescore", *store, "--reward", "linear", "--custom", "a:b")
    assert "no --param" in refused("rescore", *store, "--custom", "a:b", "--param", "x=1")


# --- what reads ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store_of_six(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six real traces with the rewards of two specs; only for reading."""
    folder = tmp_path_factory.mktemp("six")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(folder / "photos")))
        rescore(store.db, make_spec("threshold", {"km": "100"}, name="near"))
    return folder / "geostore.db"


def test_an_export_takes_the_scores_of_the_reward_it_is_told(
    store_of_six: Path, tmp_path: Path
) -> None:
    with Store.open(store_of_six) as store:
        near = export(store, tmp_path / "near", filters=Filter(reward="near", min_score=1.0))
        ordinary = export(store, tmp_path / "ordinary", filters=Filter(min_score=0.9))
        with pytest.raises(RewardError, match=r"no reward 'far'; it has: geoguessr \("):
            export(store, tmp_path / "far", filters=Filter(reward="far"))
    assert near.count == 2
    manifest = json.loads((tmp_path / "near" / "manifest.json").read_text())
    assert manifest["reward_spec"]["name"] == "near"
    scores = {
        json.loads(path.read_text())["reward_score"]["score"]
        for path in (tmp_path / "near").rglob("*.json")
        if path.name != "manifest.json"
    }
    assert scores == {1.0}
    assert ordinary.count == 3
    assert not (tmp_path / "far").exists()


def test_stats_and_queries_take_the_reward_they_are_told(store_of_six: Path) -> None:
    store = ("--store", store_of_six)
    ordinary: dict[str, Any] = json.loads(said("stats", *store, "--json"))["store"]
    near: dict[str, Any] = json.loads(said("stats", *store, "--json", "--reward", "near"))["store"]
    assert ordinary["mean_km"] == near["mean_km"]
    assert near["mean_score"] == pytest.approx(0.5)
    assert ordinary["mean_score"] != near["mean_score"]
    question = "select distinct score from trace_results where score is not null order by 1"
    rows = json.loads(said("query", question, *store, "--format", "json", "--reward", "near"))
    assert [row["score"] for row in rows] == [0.0, 1.0]
    assert "no reward 'far'" in refused("stats", *store, "--reward", "far")


def test_from_python_too_the_reward_can_be_named(store_of_six: Path, tmp_path: Path) -> None:
    import geostore

    with geostore.open(store_of_six) as store:
        assert store.stats(reward="near").store.mean_score == pytest.approx(0.5)
        found = list(store.traces(reward="near", min_score=1.0))
        assert {trace.reward_spec for trace in found} == {"near"}
        assert store.export(tmp_path / "out", reward="near", min_score=1.0).count == len(found) == 2
        question = "select max(score) as best, min(score) as worst from trace_results"
        assert store.query(question, reward="near") == [{"best": 1.0, "worst": 0.0}]


# --- compared --------------------------------------------------------------------------------


def test_the_command_compares_and_computes_what_it_needs(played: Traces) -> None:
    played.connection.close()
    options = ("rescore", "--store", played.path, "--reward", "linear", "--compare", "steps")
    assert "leave out --dry-run" in refused(*options, "--dry-run")
    text = said(*options)
    for words in ("computed 3", "Spearman's rho: ", "accepted (score >= 0.3)", "linear ("):
        assert words in text
    found = json.loads(said(*options, "--json", "--min-score", "0.9"))
    assert found["computed"] == 0
    assert found["comparison"]["compared"] == 2
    assert found["comparison"]["accepted_only"] == 1


def test_every_pair_of_rewards_is_compared(played: Traces) -> None:
    played.connection.close()
    store = ("--store", played.path)
    compare = ("rewards", "compare", *store)
    assert "needs two rewards, and there is none" in refused(*compare)
    for kind in ("geoguessr", "linear", "threshold"):
        said("rescore", *store, "--reward", kind)
    lines = said(*compare).splitlines()
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["1", "geoguessr"],
        ["2", "linear"],
        ["3", "threshold"],
    ]
    at = lines.index("Spearman's rank correlation:")
    assert [line.split() for line in lines[at + 3 : at + 5]] == [
        ["2", "1.000"],
        ["3", "1.000", "1.000"],
    ]
    at = lines.index("accepted (score >= 0.3), the least alike first:")
    assert [line.split() for line in lines[at + 3 :]] == [
        ["1", "2", "2", "1.0", "1", "0", "1", "0.50"],
        ["2", "3", "2", "1.0", "1", "1", "0", "0.50"],
        ["1", "3", "2", "1.0", "1", "0", "0", "1.0"],
    ]
    document = json.loads(said(*compare, "--top", "0.5", "--json"))
    assert (document["min_score"], document["top"]) == (None, 0.5)
    assert [(pair["first"], pair["second"]) for pair in document["pairs"]] == [
        (1, 2),
        (1, 3),
        (2, 3),
    ]
    assert {pair["jaccard"] for pair in document["pairs"]} == {1.0}
    assert [reward["scored"] for reward in document["rewards"]] == [2, 2, 2]
    two = said(*compare, "linear", "geoguessr", "--min-score", "0.9")
    assert "Spearman's rho: 1.0000" in two
    assert "accepted (score >= 0.9): 1 by both, 0 by the first alone" in two
    assert "two bounds" in refused(*compare, "--top", "0.5", "--min-score", "0.3")
    assert "above 0 and at most 1" in refused(*compare, "--top", "0")
    assert "the same reward" in refused(*compare, "linear", "linear")
    assert "no reward 'liner'" in refused(*compare, "liner", "geoguessr")


def test_a_reward_that_gives_every_trace_the_same_has_no_correlation(played: Traces) -> None:
    played.connection.close()
    store = ("--store", played.path)
    for options in (("geoguessr",), ("linear",), ("weighted", "--param", "constant=1")):
        said("rescore", *store, "--reward", *options)
    text = said("rewards", "compare", *store)
    assert "without a correlation: all scores of one of the two are equal" in text
    assert text.index("\n1 2") < text.index("\n1 3") < text.index("\n2 3")


def test_scores_outside_of_0_to_1_are_pointed_out(played: Traces) -> None:
    played.connection.close()
    store = ("--store", played.path)
    for options in (("geoguessr",), ("linear",), ("weighted", "--param", "threshold=4")):
        said("rescore", *store, "--reward", *options)
    text = said("rewards", "compare", *store)
    assert "compare the best of each with: --top 0.25" in text
    assert "without a correlation" not in text
    assert "outside of 0 to 1" not in said("rewards", "compare", *store, "--top", "0.25")


def test_one_trace_is_enough_for_a_selection_of_one(played: Traces) -> None:
    """A selection narrows what is looked at, so that nothing else counts as done."""
    rescore(played.db, make_spec())
    found = rescore(played.db, make_spec(), filters=Filter(where="trace_id = 2"))
    assert (found.computed, found.found_done) == (0, 1)


def test_a_reward_that_accepts_none_and_one_without_scores_are_named(played: Traces) -> None:
    played.connection.close()
    store = ("--store", played.path)
    compare = ("rewards", "compare", *store)
    said("rescore", *store, "--reward", "linear")
    said("rewards", "default", "exponential", *store)
    assert "is the only one with a score" in refused(*compare)
    said("rescore", *store, "--reward", "weighted", "--param", "constant=1", "--name", "same")
    two = said(*compare, "--top", "0.25")
    assert "not defined, because all scores of one of the two are equal" in " ".join(two.split())
    assert re.search(r"same \(\w+\) accepts none: 3 traces share its best score", two)
    assert re.search(r"left out, without any score: exponential \(\w+\)", two)
    assert "accepts none" not in said(*compare, "--top", "1")
    said("rescore", *store, "--reward", "threshold")
    three = said(*compare, "--top", "0.25")
    assert re.search(r"same \(\w+\) accepts none: 3 traces share its best score", three)
    assert "exponential" not in three.split("left out")[0]
    document = json.loads(said(*compare, "--json"))
    assert len(document["rewards"]) == 3
    assert [name.split()[0] for name in document["without_scores"]] == ["exponential"]
    with geostore.open(played.path) as opened:
        assert json.loads(json.dumps(opened.compare_rewards().to_json())) == document
        best = opened.compare_rewards("linear", "same", top=1.0)
        assert [reward.accepted for reward in best.rewards] == [2, 3]
        for wrong in ({"top": 0}, {"top": 0.5, "min_score": 0.5}):
            with pytest.raises(RewardError, match=r"\(top\)"):
                opened.compare_rewards(**wrong)
        with pytest.raises(RewardError, match="the same reward"):
            opened.compare_rewards("linear", "linear")
