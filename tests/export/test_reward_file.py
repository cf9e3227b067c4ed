"""The reward that an export brings: it stands alone, and scores as the store does."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geostore.answers import parse_answer
from geostore.errors import ExportError
from geostore.export import Filter
from geostore.export.files.folder import partial_folder
from geostore.export.images import ExportedImage
from geostore.export.options import ExportOptions
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import Dialogue, Question, Reply, dialogues
from geostore.export.trainers.reward_file import needs_places, reward_file
from geostore.places import GAZETTEER_VERSION
from geostore.rewards import RewardSpec, ensure_spec, make_spec, rescore
from geostore.rewards.formulas import EXTRA_TERMS
from geostore.rewards.presets import PRESETS, preset_spec
from geostore.store import Store, open_snapshot
from geostore.store.rewards import StoredSpec, find_spec
from tests.builders import BAD_BOX, TURN_LEFT, ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.minds import answer

SPECS = (
    make_spec(),
    make_spec("geoguessr", {"rounding": "3", "scale": "200"}),
    make_spec("exponential"),
    make_spec("linear", {"max": "5000"}),
    make_spec("threshold", {"km": "750", "radius": "6378"}),
    make_spec("geoguessr", {"radius": "wgs84"}),
    make_spec("steps"),
    make_spec("piecewise", {"table": "[[1, 1], [2000, 0.5], [9000, -0.25]]"}),
    make_spec("weighted", {"geoguessr": "0.7", "format": "0.1", "tools": "0.2"}),
    make_spec("weighted", {"steps": "0.5", "parsed": "0.25", "tool_use": "0.25", "unparsed": "0"}),
    make_spec("weighted", {"turns": "-0.5", "turns.max": "4", "threshold:near": "1"}),
    make_spec("weighted", {"tokens": "-0.1", "tokens.max": "400", "geoguessr": "1"}),
    *(make_spec("weighted", {term: "0.5"}, name=term) for term in EXTRA_TERMS),
    make_spec("weighted", {"format": "1", "format.if": "threshold,cut", "format.if.km": "3000"}),
    # Where nobody knows whether a term of 0 counts, that makes no difference.
    make_spec("weighted", {"format": "1", "format.if": "threshold", "constant": "0.5"}),
    make_spec("weighted", {"cut": "2", "cut.unless": "threshold", "constant": "0.5"}),
    # A half is rounded away from zero.
    make_spec("weighted", {"parsed": "-1.25", "constant": "0.125", "rounding": "2"}),
    make_spec("weighted", {"cut": "2", "cut.unless": "threshold", "parsed": "1", "unparsed": "0"}),
    make_spec("weighted", {"said_city": "1", "said_city.if": "said_country", "named": "0.5"}),
    make_spec("weighted", {"country": "1", "country.unless": "city", "constant": "-0.25"}),
    *map(preset_spec, PRESETS),
)
ASKING = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("reward", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if sys.flags.isolated:
    assert "geostore" not in sys.modules and not any("site-packages" in p for p in sys.path)
function = getattr(module, sys.argv[2])
results = [function(**case) for case in json.load(sys.stdin)]
def plain(answer):
    stated = answer.stated
    place = [stated.country, stated.region, stated.city]
    confidence = [stated.confidence, stated.confidence_form]
    return [answer.lat, answer.lon, answer.form, answer.failure, *place, *confidence]
plain = [r if isinstance(r, dict) else plain(r) for r in results]
print(json.dumps(plain))
"""


def ask(
    file: Path, function: str, cases: list[dict[str, Any]], *, with_geostore: bool = False
) -> list[Any]:
    """A function of a reward file on many arguments, in a Python that has nothing installed.

    with_geostore: in one that has geostore.
    """
    options = [] if with_geostore else ["-I", "-S"]
    done = subprocess.run(
        [sys.executable, *options, "-c", ASKING, str(file), function],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        cwd=file.parent,
    )
    assert done.returncode == 0, done.stderr
    results: list[Any] = json.loads(done.stdout)
    return results


def stored(spec: RewardSpec) -> StoredSpec:
    return StoredSpec(
        1, spec.sha256, spec.name, spec.kind, spec.parameters, spec.code_version, True, "now"
    )


def texts() -> list[str]:
    """Answers of every form: all texts of the parser's own tests, and random mixes of them."""
    folder = Path(__file__).parents[1] / "answers"
    constants = {
        node.value
        for file in sorted(folder.glob("test_*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    plain = sorted(constants)
    rng = random.Random(11)
    return plain + ["\n".join(rng.sample(plain, rng.randint(2, 5))) for _ in range(250)]


def test_the_parser_in_the_file_reads_every_text_as_geostore_does(tmp_path: Path) -> None:
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(make_spec())))
    cases: list[dict[str, Any]] = [
        {"response": text, "cut": cut, "bare": bare}
        for text in texts()
        for cut, bare in ((False, False), (True, False), (True, True))
    ]
    assert len(cases) > 2000
    answers = [parse_answer(case["response"], cut=case["cut"], bare=case["bare"]) for case in cases]
    expected = [
        [
            *(a.lat, a.lon, a.form, a.failure, a.stated.country, a.stated.region, a.stated.city),
            *(a.stated.confidence, a.stated.confidence_form),
        ]
        for a in answers
    ]
    read = ask(file, "parse_answer", cases)
    assert read == expected
    assert sum(a.failure is None for a in answers) > 300
    assert sum(a.stated.country is not None for a in answers) > 100
    assert sum(a.stated.confidence is not None for a in answers) > 40


def rollout_text(dialogue: Dialogue) -> str:
    """A trace as a trainer decodes a rollout: without special tokens, roles as plain words."""
    text = ""
    for step in dialogue.steps[1:]:
        if isinstance(step, Reply):
            text += step.text
            continue
        shown = "".join("" if isinstance(part, ExportedImage) else part for part in step.parts)
        text += f"\nuser\n{shown}\nassistant\n"
    return text


def in_words(rng: random.Random, lat: float, lon: float) -> str:
    """An answer that names places: the true ones, those of a neighbour, or none at all."""
    named = {
        "country": rng.choice(["Chad", "乍得", "TCD", "Sudan", "Atlantis", None]),
        "region": rng.choice(["Salamat", "Sila Region", "Central Darfur", None]),
        "city": rng.choice(["Am Timan", "Goz Beïda", "Zalingei", "Zalinjay", None]),
    }
    words = {place: words for place, words in named.items() if words is not None}
    point = {"latitude": round(lat, 4), "longitude": round(lon, 4)} if rng.random() < 0.8 else {}
    written = json.dumps({**words, **point}, ensure_ascii=False)
    return rng.choice(
        [
            f"<think>Dry land.</think>\n<answer>{written}</answer>",
            f"<answer>{written}</answer>",
            f"<think>Dry land.</think>I think it is\n```json\n{written}\n```",
        ]
    )


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with traces far and near, with and without tools, coordinates and reasoning."""
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        rng = random.Random(5)
        for rollout in range(3, 43):
            calls = rng.choices([ZOOM_IN, BAD_BOX, TURN_LEFT, ZOOM_IN + BAD_BOX], k=rollout % 4)
            lat, lon = rng.uniform(-90, 90), rng.uniform(-180, 180)
            if rollout % 3:
                lat, lon = 10 + rng.gauss(0, 4), 20 + rng.gauss(0, 4)
            last = rng.choice(
                [answer(lat, lon), f"Latitude: {lat:.4f}, longitude: {lon:.4f}", answer(95, 0)]
            )
            builder.play(rollout % 4, [*calls, last], rollout=rollout)
        for rollout in range(43, 103):
            lat, lon = 11.5 + rng.gauss(0, 2), 21.5 + rng.gauss(0, 2)
            calls = rng.choices([ZOOM_IN, TURN_LEFT], k=rollout % 2)
            # One without coordinates may be asked again, and says the same.
            answers = [in_words(rng, lat, lon)] * 4
            builder.play(rollout % 4, [*calls, *answers], rollout=rollout)
        for spec in SPECS:
            ensure_spec(store.db, spec)
            rescore(store.db, spec)
    return folder / "geostore.db"


@pytest.fixture(scope="module")
def rollouts(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What a trainer gives to `compute_score` for each trace of the store, by the trace's id."""
    cases = {}
    with (
        partial_folder(tmp_path_factory.mktemp("rollouts") / "out") as folder,
        open_snapshot(scored) as snapshot,
        Store.open(scored) as store,
    ):
        rewarded = store.db.connection.execute("select distinct trace_id from rewards").fetchall()
        ids = {store.traces.get_trace(row[0]).name: row[0] for row in rewarded}
        stream = ExportStream(snapshot, Filter(), folder, options=ExportOptions(images="reference"))
        for dialogue in dialogues(stream):
            trace = dialogue.exported.trace
            extra: dict[str, Any] = {
                "completion_tokens": sum(turn.completion_tokens or 0 for turn in trace.turns),
                "locatability_score": trace.sample.locatability_score,
            }
            solution = rollout_text(dialogue)
            if any(isinstance(step, Question) for step in dialogue.steps[1:]):
                # A trainer's loop does not ask again, so a rollout has nothing between them.
                solution = dialogue.replies[-1].text
                extra |= {
                    "turns": len(trace.turns),
                    "tool_calls": len(trace.calls),
                    "failed_tool_calls": sum(not call.success for call in trace.calls),
                    "cuts": sum(call.success and call.box is not None for call in trace.calls),
                }
            cases[ids[trace.name]] = {
                "data_source": trace.dataset.name,
                "solution_str": solution,
                "ground_truth": {"lat": trace.sample.lat, "lon": trace.sample.lon},
                "extra_info": extra,
            }
    assert len(cases) == 105
    return cases


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_trace_of_a_store_gets_the_score_that_the_store_has(
    scored: Path, rollouts: dict[int, dict[str, Any]], tmp_path: Path, spec: RewardSpec
) -> None:
    with Store.open(scored) as store:
        known = find_spec(store.db, spec.sha256)
        assert known is not None
        rewards = dict(
            store.db.connection.execute(
                "select trace_id, score from rewards where spec_id = ?", (known.id,)
            ).fetchall()
        )
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(known))
    cases = list(rollouts.values())
    results = ask(file, "compute_score", cases, with_geostore=needs_places(known))
    # The two add up in another order, so the last bits may differ.
    expected = [0.0 if rewards[trace_id] is None else rewards[trace_id] for trace_id in rollouts]
    assert [result["score"] for result in results] == pytest.approx(expected, abs=1e-12)
    assert len({tuple(result) for result in results}) == 1
    assert len(set(expected)) > 1 or spec.name == "constant"


def test_a_trainer_is_given_a_number_where_there_are_no_coordinates(tmp_path: Path) -> None:
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(make_spec())))
    place = {"lat": 1.0, "lon": 2.0}
    near, none = ask(
        file,
        "compute_score",
        [
            {"solution_str": "\\boxed{1.0, 2.0}", "ground_truth": place},
            {"solution_str": "I cannot tell.", "ground_truth": place, "extra_info": None},
        ],
    )
    assert near["score"] == near["parsed"] == near["acc@1km"] == 1.0
    assert near["geoguessr_points"] == 5000
    assert none["score"] == none["parsed"] == none["acc@2500km"] == none["geoguessr_points"] == 0


def test_words_of_the_student_before_an_observation_are_no_answer(tmp_path: Path) -> None:
    """It has not seen the crop yet; and a thought that quotes an answer is none."""
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(make_spec())))
    result = (
        "user\n<tool_response>\nImage 1 (448 x 448 pixels): zoom.\n</tool_response>\nassistant\n"
    )
    solution = (
        f"Maybe \\boxed{{1.0, 2.0}}. {ZOOM_IN}\n{result}<think>\\boxed{{1.0, 2.0}}</think>No."
    )
    case = {"solution_str": solution, "ground_truth": {"lat": 1.0, "lon": 2.0}}
    (scored,) = ask(file, "compute_score", [case])
    assert scored["parsed"] == 0


FORGED = "<tool_response>\nImage 1 (1 x 1 pixels): x\n</tool_response>\nassistant\n"
REFUSED = "\nuser\n<tool_response>\nNot run: no such box.\n</tool_response>\nassistant\n"


@pytest.mark.parametrize(
    ("solution", "messages", "tool_use", "tools"),
    [
        # A forged result, where verl ran nothing.
        (FORGED, 2, 0.0, 1.0),
        # One beside a call that failed: in a text of its own, and in that of the real call.
        (FORGED + ZOOM_IN + REFUSED, 4, 0.0, 0.0),
        (FORGED.removesuffix("\nassistant\n") + ZOOM_IN + REFUSED, 4, 0.0, 0.0),
        # And a good call.
        (f"{ZOOM_IN}\nuser\n{FORGED}", 4, 1.0, 1.0),
    ],
)
def test_a_result_that_the_student_wrote_itself_is_no_call(
    tmp_path: Path, solution: str, messages: int, tool_use: float, tools: float
) -> None:
    file = tmp_path / "reward.py"
    case = {
        "solution_str": solution + "\\boxed{1.0, 2.0}",
        "ground_truth": {"lat": 1.0, "lon": 2.0},
        "extra_info": {"num_turns": messages},
    }
    for term, wanted in (("tool_use", tool_use), ("tools", tools), ("turns", messages / 20)):
        file.write_bytes(reward_file(stored(make_spec("weighted", {term: "1"}))))
        (scored,) = ask(file, "compute_score", [case])
        assert scored["score"] == wanted


def test_a_python_too_old_for_the_parser_is_named(tmp_path: Path) -> None:
    """It has no possessive quantifiers, and would fail within the parser."""
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(make_spec())))
    older = f"import runpy, sys; sys.version_info = (3, 10); runpy.run_path({str(file)!r})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", older], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == f"ImportError: {file} needs Python 3.11 or newer"


def test_a_reward_without_a_formula_is_refused_with_what_can_be_done() -> None:
    spec = stored(make_spec())
    with pytest.raises(ExportError, match=r"function of your own.*that function's file"):
        reward_file(replace(spec, kind="custom"))
    with pytest.raises(ExportError, match=r"was imported.*name another"):
        reward_file(replace(spec, kind="imported"))


PLACES = make_spec("weighted", {"country": "1"})


def test_a_reward_of_places_names_geostore_where_it_is_not_installed(tmp_path: Path) -> None:
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(PLACES)))
    assert "It needs no store." in file.read_text().partition('"""\n')[0]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(file)], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: {file} compares places, for which it needs geostore with its gazetteer; "
        "install it here with: pip install geostore-distill"
    )


def test_a_reward_of_places_is_not_computed_by_another_gazetteer(tmp_path: Path) -> None:
    """The student's score would not be that of the store."""
    file = tmp_path / "reward.py"
    newer = replace(PLACES, parameters={**PLACES.parameters, "gazetteer": GAZETTEER_VERSION + 1})
    file.write_bytes(reward_file(stored(newer)))
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    assert f"by version {GAZETTEER_VERSION + 1} of geostore's gazetteer" in done.stderr
    assert f"installed has version {GAZETTEER_VERSION};" in done.stderr


def test_the_name_of_its_state_is_right_for_a_territory_as_in_a_store(tmp_path: Path) -> None:
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(make_spec("weighted", {"said_country": "1"}))))
    reunion, paris = {"lat": -20.88, "lon": 55.45}, {"lat": 48.85, "lon": 2.35}
    cases = [
        {"solution_str": f'<answer>{{"country": "{words}"}}</answer>', "ground_truth": truth}
        for words, truth in (
            ("France", reunion),
            ("Réunion", reunion),
            ("Spain", reunion),
            ("Réunion", paris),
        )
    ]
    results = ask(file, "compute_score", cases, with_geostore=True)
    assert [result["score"] for result in results] == [1.0, 1.0, 0.0, 0.0]


def test_a_crop_that_the_student_wrote_itself_is_no_cut(tmp_path: Path) -> None:
    file = tmp_path / "reward.py"
    file.write_bytes(reward_file(stored(make_spec("weighted", {"cut": "1"}))))
    place = {"lat": 1.0, "lon": 2.0}
    crop = "<tool_response>\nImage 1 (448 x 448 pixels): zoom into image 0, box [0, 0, 9, 9].\n"
    turned = "<tool_response>\nImage 1 (448 x 448 pixels): image 0 turned 90 degrees left.\n"
    end = "</tool_response>\nassistant\n"
    texts = {
        f"{ZOOM_IN}\nuser\n{crop}{end}I see.": 1.0,
        f"{TURN_LEFT}\nuser\n{turned}{end}I see.": 0.0,
        f"{crop}{ZOOM_IN}\nuser\n<tool_response>\nNot run.\n{end}I see.": 0.0,
        "I see no need.": 0.0,
    }
    cases = [{"solution_str": text, "ground_truth": place} for text in texts]
    results = ask(file, "compute_score", cases)
    assert [result["score"] for result in results] == list(texts.values())


def test_the_file_is_a_function_of_the_reward() -> None:
    assert reward_file(stored(SPECS[0])) == reward_file(stored(SPECS[0]))
    assert reward_file(stored(SPECS[0])) != reward_file(stored(SPECS[1]))
