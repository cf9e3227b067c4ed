"""Terms of a weighted reward that count only where others do, and the terms made for them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from geostore.errors import RewardError
from geostore.rewards import make_spec, read_spec, rescore
from tests.hand_made import Traces

KM_PER_DEGREE = 111.19492664455873


@pytest.fixture
def played(traces: Traces) -> Traces:
    """Near with a cut, near without, far with a cut, no coordinates with a cut."""
    for guess, has_cut in (
        ((0.0, 0.1), True),
        ((0.0, 0.1), False),
        ((0.0, 9.0), True),
        (None, True),
    ):
        trace_id = traces.answered(guess)
        traces.play(trace_id, calls=[0, 1], tokens=100 if guess else None)
        if has_cut:
            traces.connection.execute(
                "update tool_calls set box_left = 0, box_top = 0, box_right = 5, box_bottom = 5"
                " where trace_id = ? and success = 1",
                (trace_id,),
            )
    return traces


NEAR = {"threshold:near": "0", "threshold:near.km": "25"}


@pytest.mark.parametrize(
    ("params", "scores"),
    [
        ({"constant": "0.25"}, [0.25, 0.25, 0.25, 0.25]),
        ({"cut": "1"}, [1, 0, 1, 1]),
        # Only where another term is above 0, which may be one of weight 0, or stand inline.
        ({"cut": "1", "cut.if": "threshold:near", **NEAR, "unparsed": "0"}, [1, 0, 0, 0]),
        ({"cut": "1", "cut.if": "threshold", "cut.if.km": "25", "unparsed": "0"}, [1, 0, 0, 0]),
        # Where none is.
        ({"cut": "1", "cut.unless": "threshold:near", **NEAR, "unparsed": "0"}, [0, 0, 1, 1]),
        ({"constant": "-0.2", "constant.unless": "parsed"}, [0, 0, 0, -0.2]),
        # The other term adds its own weight too.
        (
            {"threshold": "0.8", "threshold.km": "25", "cut": "1.2", "cut.if": "threshold"}
            | {"unparsed": "0"},
            [2.0, 0.8, 0, 0],
        ),
        # All of several, or none of them; both an if and an unless.
        ({"constant": "1", "constant.if": "cut,parsed"}, [1, 0, 1, 0]),
        ({"constant": "1", "constant.unless": "cut, parsed"}, [0, 0, 0, 0]),
        ({"constant": "1", "constant.if": "cut", "constant.unless": "parsed"}, [0, 0, 0, 1]),
        # A condition looks at the value of a term, whatever its weight and its own condition.
        (
            {"cut": "-1", "cut.if": "threshold", "constant": "1", "constant.if": "cut"}
            | {"threshold": "0", "threshold.km": "25", "unparsed": "0"},
            [0, 0, 1, 1],
        ),
        # Cut off: exp(-d/200) within 500 km.
        (
            {"exponential": "1", "exponential.scale": "200", "exponential.if": "threshold"}
            | {"exponential.if.km": "500", "unparsed": "0"},
            [pytest.approx(0.945920, abs=1e-6), pytest.approx(0.945920, abs=1e-6), 0, 0],
        ),
        # What is not known stays so: a distance without coordinates, tokens that nobody counted.
        ({"cut": "1", "cut.if": "threshold:near", **NEAR}, [1, 0, 0, None]),
        ({"cut": "1", "cut.unless": "threshold:near", **NEAR}, [0, 0, 1, None]),
        ({"constant": "1", "constant.if": "tokens"}, [1, 1, 1, None]),
        # But not where another condition decides it, and a term that does not count is 0.
        ({"constant": "1", "constant.if": "tokens,parsed"}, [1, 1, 1, 0]),
        ({"constant": "1", "constant.if": "tokens,cut"}, [1, 0, 1, None]),
        ({"constant": "1", "constant.unless": "tokens,cut"}, [0, 0, 0, 0]),
        ({"tokens": "1", "tokens.if": "parsed", "tokens.max": "100"}, [1, 1, 1, 0]),
        # A value for answers without coordinates is none that meets a condition.
        ({"cut": "1", "cut.if": "threshold:near", **NEAR, "unparsed": "0.5"}, [1, 0, 0, 0]),
    ],
)
def test_a_term_counts_where_its_condition_is_met(
    played: Traces, params: dict[str, str], scores: list[float | None]
) -> None:
    rescore(played.db, make_spec("weighted", params))
    assert [score for (score,) in played.rows("score")] == scores


def test_a_condition_is_kept_without_names_and_in_one_order(tmp_path: Path) -> None:
    """So that the same reward has one hash, however it is written."""
    named = {"cut": "1", "cut.if": "threshold:near,parsed", **NEAR}
    spec = make_spec("weighted", named)
    assert spec.parameters["terms"] == [
        {
            "term": "cut",
            "weight": 1.0,
            "if": [{"term": "threshold", "km": 25.0}, {"term": "parsed"}],
        }
    ]
    others = (
        {"threshold:x": "0", "threshold:x.km": "25", "cut.if": "parsed, threshold:x", "cut": "1"},
        {"cut": "1.0", "cut.if": "parsed,threshold", "cut.if.km": "25"},
    )
    for other in others:
        assert make_spec("weighted", other).sha256 == spec.sha256
    path = tmp_path / "mine.json"
    listed = {**named, "cut.if": ["threshold:near", "parsed"]}
    for parameters in (named, listed):
        path.write_text(json.dumps({"reward": "weighted", "parameters": parameters}))
        assert read_spec(path).sha256 == spec.sha256
    path.write_text(json.dumps({"reward": "weighted", "parameters": {**named, "cut.if": None}}))
    with pytest.raises(RewardError, match=r"a name is missing in cut\.if"):
        read_spec(path)
    assert make_spec("weighted", {**named, "cut.if": "parsed"}).sha256 != spec.sha256
    unless = {key.replace(".if", ".unless"): value for key, value in named.items()}
    assert make_spec("weighted", unless).sha256 != spec.sha256


def test_the_hashes_of_rewards_without_conditions_are_what_they_were() -> None:
    """Or a store would compute them all again."""
    hashes = {
        make_spec(kind, params).sha256[:16]
        for kind, params in (
            ("geoguessr", {}),
            ("threshold", {"border": "in"}),
            ("steps", {}),
            ("weighted", {"geoguessr": "0.7", "format": "0.1", "tools": "0.2", "linear": "0"}),
            ("weighted", {"threshold:a": "1", "threshold:a.km": "5", "unparsed": "0"}),
        )
    }
    assert hashes == HASHES


HASHES = {
    "9fb77814ff514ded",
    "7884152e5dd18574",
    "383df247eafe7298",
    "a632a9518340f4bb",
    "9985d4670fa8d3cd",
}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            {"cut": "1", "cut.if": "golf"},
            "'golf', which is no term of this reward.*threshold:near=0",
        ),
        ({"cut": "1", "cut.if": "parse"}, r"'parse'.*\(did you mean parsed\?\)"),
        ({"cut": "1", "cut.if": "threshold:near"}, r"'threshold:near'.*weight.*threshold:near=0"),
        ({"cut": "1", "cut.if": "cut"}, "cut.if cannot be cut itself"),
        ({"cut": "1", "cut.if": ""}, "a name is missing in cut.if, which is ''"),
        ({"cut": "1", "cut.if": "parsed,"}, "a name is missing in cut.if, which is 'parsed,'"),
        ({"cut": "1", "cut.unless": "none"}, "a name is missing in cut.unless"),
        ({"cut": "1", "cut.if": "[]"}, "a name is missing in cut.if"),
        ({"cut": "1", "cut.if": "[parsed"}, r"'\[parsed', which is no term"),
        ({"cut.if": "parsed"}, "no weight for it: cut=0.5"),
        ({"cut": "1", "cut.if.km": "5"}, "cut.if names no kind of term"),
        (
            {"cut": "1", "cut.if": "threshold:near", "cut.if.km": "5", **NEAR},
            "set it at the term that the condition names",
        ),
        (
            {"cut": "1", "cut.if": "geoguessr,exponential", "cut.if.scale": "5"},
            "set it at the term that the condition names",
        ),
        (
            {"cut": "1", "cut.if": "threshold", "cut.if.max": "5"},
            "no parameter 'max'; .*border, km",
        ),
        (
            {"cut": "1", "cut.if": "threshold", "cut.if.km": "-5"},
            "cut.if, threshold,'s km must not",
        ),
        ({"threshold:a": "0", "threshold:b": "0", "threshold:a.if": "threshold:b"}, None),
        ({"threshold": "1", "threshold.border": "edge"}, "must be in, .* or out, .*not 'edge'"),
        ({"linear": "1", "linear.border": "out"}, "no parameter 'border'; it has: max, if, unless"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_in_words(
    params: dict[str, str], words: str | None
) -> None:
    if words is None:
        assert len(make_spec("weighted", params).parameters["terms"]) == 1
        return
    with pytest.raises(RewardError, match=words):
        make_spec("weighted", params)


@pytest.mark.parametrize(
    ("kind", "table", "degrees", "inside", "outside"),
    [
        ("threshold", {"km": str(KM_PER_DEGREE)}, 1, 1.0, 0.0),
        ("steps", {"table": f"[[{KM_PER_DEGREE}, 0.5], [900, 0.25]]"}, 1, 0.5, 0.25),
    ],
)
def test_a_distance_at_the_border_counts_unless_the_border_is_out(
    traces: Traces, kind: str, table: dict[str, str], degrees: int, inside: float, outside: float
) -> None:
    traces.answered((0.0, float(degrees)))
    rescore(traces.db, make_spec(kind, table))
    rescore(traces.db, make_spec(kind, {**table, "border": "out"}))
    (km,) = {km for (km,) in traces.rows("distance_km")}
    assert km == KM_PER_DEGREE
    assert [score for (score,) in traces.rows("score")] == [inside, outside]


@pytest.mark.parametrize(
    ("reasoning", "response", "score"),
    [
        ("I see a sign.", "<answer>\\boxed{1, 2}</answer>", 1),
        ("I see a sign.", " <answer>Paris</answer>\n", 1),
        (None, "<think>I see.</think>\n\n<answer>country: France\ncity: Paris</answer>", 1),
        (None, "<answer>\\boxed{1, 2}</answer>", 0),
        ("", "<answer>\\boxed{1, 2}</answer>", 0),
        ("I see a sign.", "\\boxed{1, 2}", 0),
        ("I see a sign.", "So: <answer>\\boxed{1, 2}</answer>", 0),
        ("I see a sign.", "<answer>\\boxed{1, 2}</answer> Good.", 0),
        (None, "<think>I see.</think> So: <answer>Paris</answer>", 0),
    ],
)
def test_reasoning_and_then_an_answer_tag_is_the_published_format(
    traces: Traces, reasoning: str | None, response: str, score: float
) -> None:
    trace_id = traces.answered((0.0, 1.0))
    traces.play(trace_id, response=response)
    traces.connection.execute("update turns set reasoning = ? where turn = 2", (reasoning,))
    rescore(traces.db, make_spec("weighted", {"think_answer": "1"}))
    assert traces.rows("score") == [(score,)]


def test_the_locatability_of_the_dataset_is_a_term(traces: Traces) -> None:
    for _ in range(2):
        traces.answered((0.0, 1.0))
    traces.connection.execute("update samples set locatability_score = 0.25 where id = 1")
    rescore(traces.db, make_spec("weighted", {"locatability": "0.5"}))
    assert traces.rows("score") == [(0.125,), (None,)]


VALUES: dict[str, list[float | None]] = {
    "constant": [1, 1, 1, 1],
    "cut": [1, 0, 1, 1],
    "parsed": [1, 1, 1, 0],
    "tokens": [100 / 4096, 100 / 4096, 100 / 4096, None],
    "threshold:near": [1, 1, 0, None],
    "threshold:far": [1, 1, 1, None],
}
"""Of the terms that a random reward has, for each trace of `played`."""


def counted(
    value: float | None, needed: list[float | None], barred: list[float | None]
) -> float | None:
    """What a term adds for each unit of its weight, by the rules of the docs."""
    met = [None if v is None else v > 0 for v in needed]
    met += [None if v is None else not v > 0 for v in barred]
    if value == 0 or False in met:
        return 0.0
    return None if None in met else value


def test_random_rewards_are_what_their_rules_say(played: Traces) -> None:
    """Sixty of up to four terms, each with up to two conditions of either kind."""
    rng = random.Random(3)
    open_ones = 0
    for _ in range(60):
        names = rng.sample(list(VALUES), rng.randint(1, 4))
        weights = {name: rng.choice([-0.5, 0.25, 1.0, 2.0]) for name in names}
        params = {name: str(weight) for name, weight in weights.items()}
        expected: list[float | None] = [0.0] * 4
        conditions = {}
        for name in names:
            others = [other for other in names if other != name]
            chosen = [rng.sample(others, rng.randint(0, min(2, len(others)))) for _ in range(2)]
            conditions[name] = chosen
            for word, of_word in zip(("if", "unless"), chosen, strict=True):
                if of_word:
                    params[f"{name}.{word}"] = ",".join(of_word)
        for name, km in (("threshold:near", "25"), ("threshold:far", "2000")):
            if name in names:
                params[f"{name}.km"] = km
        for trace in range(4):
            parts = [
                counted(
                    VALUES[name][trace],
                    [VALUES[other][trace] for other in conditions[name][0]],
                    [VALUES[other][trace] for other in conditions[name][1]],
                )
                for name in names
            ]
            expected[trace] = (
                None
                if None in parts
                else sum(w * (p or 0.0) for w, p in zip(weights.values(), parts, strict=True))
            )
        open_ones += None in expected
        played.connection.execute("delete from rewards")
        rescore(played.db, make_spec("weighted", params))
        assert [score for (score,) in played.rows("score")] == [
            None if value is None else pytest.approx(value) for value in expected
        ], params
    assert 5 < open_ones < 55
