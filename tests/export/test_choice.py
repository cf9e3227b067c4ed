"""Which of a filter's traces are kept where they are compared, and in which order they are read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets as datasets_library
import pytest
from hypothesis import given
from hypothesis import strategies as st

import geostore
from geostore.errors import FilterError, GeostoreError
from geostore.export import ExportOptions, Filter, export
from geostore.importing import ReadOptions, import_traces
from geostore.records import StoredTrace
from geostore.store import EVERY, Choice, Store, make_choice, open_snapshot
from tests import running
from tests.builders import NATIVE_RECIPE, NO_ANSWER, TEXT_RECIPE, StoreBuilder, make_dataset
from tests.conftest import photo_bytes, save_dataset
from tests.minds import answer
from tests.older_batch import OlderScript

ROWS = 5
COLUMNS: dict[str, list[object]] = {
    "country": ["france", "france", "japan", None, "peru"],
    "sequence": ["s1", "s1", "s2", "s2", None],
    "locatability_score": [0.5, 0.1, 0.9, 0.5, 0.3],
}


def reply(text: str, tokens: int) -> dict[str, Any]:
    return {"response": text, "prompt_tokens": tokens, "completion_tokens": 10}


def plays(shift: int) -> list[tuple[int, int, list[Any]]]:
    """Row, rollout and script: scores with ties, texts that are the same, one without an answer."""
    near, far = answer(10.0, 20.0), answer(-30.0, 100.0)
    return [
        (0, 1, [reply(far, 500)]),
        (0, 2, [reply(near, 900)]),
        (0, 3, [reply(near, 400)]),
        (0, 10, [reply(near.replace("I am sure", "i AM\n sure"), 400)]),
        (1, 1, [reply(NO_ANSWER, 100)] * 3),
        (1, 2, [reply(far, 700 + shift)]),
        (2, 1, [reply(far, 700 + shift)]),
        (2, 2, [reply(f"<think>Hm.</think>{far}", 700)]),
        (3, 1, [reply(answer(13.0, 23.0), 200)]),
        (4, 1, [reply(answer(14.0, 24.5), 300)]),
        (4, 2, [reply(answer(14.0, 24.5), 300)]),
    ]


def make_store(path: Path, datasets: list[Path], *, backwards: bool = False) -> None:
    with Store.open(path, create=True, durability="normal") as store:
        builders = [StoreBuilder(store, dataset) for dataset in datasets]
        for number, builder in enumerate(builders):
            of_dataset = plays(shift=number)
            for row, rollout, script in reversed(of_dataset) if backwards else of_dataset:
                recipe = NATIVE_RECIPE if row == 3 else TEXT_RECIPE
                builder.play(row, script, recipe=recipe, rollout=rollout)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two datasets that have the photos of rows 0 and 1 in common."""
    folder = tmp_path_factory.mktemp("data")
    photos = [photo_bytes(row, size=(200, 150)) for row in range(ROWS)]
    others = photos[:2] + [photo_bytes(50 + row, size=(200, 150)) for row in range(ROWS - 2)]
    return [
        save_dataset(folder / "one", photos, **COLUMNS),
        save_dataset(folder / "two", others, **COLUMNS),
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, datasets: list[Path]) -> Path:
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    make_store(path, datasets)
    return path


@pytest.fixture(scope="module")
def filled_backwards(tmp_path_factory: pytest.TempPathFactory, datasets: list[Path]) -> Path:
    """A store of the same traces, whose rows were written in the other order."""
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    make_store(path, datasets, backwards=True)
    return path


@pytest.fixture
def store(filled: Path) -> Iterator[Store]:
    with Store.open(filled) as opened:
        yield opened


def chosen_names(
    path: Path, choice: Choice, filters: Filter | None = None, *, batch: int = 3
) -> list[str]:
    with open_snapshot(path, batch=batch) as snapshot:
        chosen = snapshot.choose(filters or Filter(), choice, with_turns=True)
        names = [trace.name for trace in snapshot.chosen_traces(chosen)]
        every = sum(1 for _ in snapshot.traces(filters or Filter(), with_turns=True))
    assert chosen.count == len(names) == every - chosen.left_out.total()
    return names


# --- the same choice, made in Python ------------------------------------------------------------


def every_trace(path: Path) -> list[StoredTrace]:
    with open_snapshot(path) as snapshot:
        return list(snapshot.traces(Filter(), with_turns=True))


def score(trace: StoredTrace) -> float | None:
    return None if trace.reward is None else trace.reward.score


def tokens(trace: StoredTrace) -> int:
    last = trace.turns[-1]
    return (last.prompt_tokens or 0) + (last.completion_tokens or 0)


def words(trace: StoredTrace) -> object:
    return [
        [" ".join((text or "").casefold().split()) for text in (turn.reasoning, turn.response)]
        for turn in trace.turns
    ]


def columns(trace: StoredTrace) -> dict[str, Any]:
    return {"country": trace.sample.country, "turns": len(trace.turns), **trace.sample.columns}


def chosen_slowly(every: list[StoredTrace], choice: Choice) -> list[str]:
    place = {trace.name: number for number, trace in enumerate(every)}

    def worse(trace: StoredTrace) -> tuple[Any, ...]:
        points = score(trace)
        return points is None, -(points or 0), tokens(trace), place[trace.name]

    def best(traces: list[StoredTrace], key: Callable[[StoredTrace], Any], most: int) -> Any:
        groups = defaultdict(list)
        for trace in sorted(traces, key=worse):
            groups[repr(key(trace))].append(trace)
        return [trace for group in groups.values() for trace in group[:most]]

    left = every
    if choice.best_of is not None:
        left = best(left, lambda t: (t.dataset.name, t.sample.sample_index), choice.best_of)
    if "photo" in choice.dedupe:
        left = best(left, lambda t: t.sample.photo and t.sample.photo.sha256, 1)
    if "text" in choice.dedupe:
        left = best(left, words, 1)
    for balance in choice.balance:
        name = balance.column.removeprefix("column:")
        left = best(left, lambda t, name=name: columns(t)[name], balance.most)  # type: ignore[misc]  # bound now
    left = sorted(left, key=lambda trace: place[trace.name])
    locatability = {trace.name: trace.sample.locatability_score or 0.0 for trace in every}
    if choice.order == "score":
        left.sort(key=worse)
    elif choice.order == "hardest":
        left.sort(key=lambda trace: locatability[trace.name])
    elif choice.order == "easiest":
        left.sort(key=lambda trace: -locatability[trace.name])
    elif choice.order == "length":
        left.sort(key=tokens)
    return [trace.name for trace in left][: choice.limit]


@given(
    best_of=st.none() | st.integers(1, 3),
    dedupe=st.lists(st.sampled_from(["photo", "text"])),
    balance=st.dictionaries(
        st.sampled_from(["country", "turns", "sequence", "column:sequence"]), st.integers(1, 6)
    ),
    order=st.sampled_from([None, "dataset", "score", "hardest", "easiest", "length"]),
    limit=st.none() | st.integers(1, 12),
)
def test_a_choice_keeps_what_it_says(filled: Path, filled_backwards: Path, **choosing: Any) -> None:
    """And what is kept does not depend on the order in which the rows were written."""
    choice = make_choice(choosing)  # type: ignore[arg-type]  # drawn
    expected = chosen_slowly(every_trace(filled), choice)
    assert chosen_names(filled, choice) == expected
    assert chosen_names(filled_backwards, choice) == expected


def test_of_equal_traces_the_one_with_fewer_tokens_is_kept_and_then_the_first(
    filled: Path,
) -> None:
    """Rollout 10 of row 0 is as good and as short as rollout 3, and comes after it by number."""
    best = chosen_names(filled, make_choice({"best_of": 1}), Filter(where="dataset = 'one'"))
    rollouts = {(name.split("-")[0], name.split("-")[-1]) for name in best}
    assert rollouts == {("0", "3"), ("1", "2"), ("2", "1"), ("3", "1"), ("4", "1")}
    two = chosen_names(filled, make_choice({"best_of": 2}), Filter(where="dataset = 'one'"))
    assert [name.split("-")[-1] for name in two][:2] == ["3", "10"]


def test_a_photo_is_one_photo_in_whatever_datasets_it_stands(filled: Path) -> None:
    names = chosen_names(filled, make_choice({"dedupe": "photo"}))
    assert [name.rpartition(":")[0] for name in names] == [""] * 5 + ["two"] * 3


def test_traces_that_say_the_same_are_one_however_they_are_set(filled: Path) -> None:
    """Capitals and white space make no difference, and a thought does."""
    one = Filter(where="dataset = 'one'")
    rows = [
        name.split("-")[0] for name in chosen_names(filled, make_choice({"dedupe": "text"}), one)
    ]
    assert rows == ["0", "1", "2", "2", "3", "4"]


def test_a_random_order_follows_from_its_seed_alone(filled: Path, filled_backwards: Path) -> None:
    """And a trace more or less leaves the others in their order."""
    shuffled = chosen_names(filled, make_choice({"order": "random:1"}))
    assert shuffled == chosen_names(filled_backwards, make_choice({"order": "random:1"}))
    assert shuffled != chosen_names(filled, make_choice({"order": "random:2"}))
    assert sorted(shuffled) == sorted(chosen_names(filled, EVERY))
    assert shuffled != chosen_names(filled, EVERY)
    some = chosen_names(filled, make_choice({"order": "random:1"}), Filter(max_turns=1))
    assert some == [name for name in shuffled if name in some]
    assert chosen_names(filled, make_choice({"order": "random"})) == chosen_names(
        filled, make_choice({"order": "random:0"})
    )


def test_samples_near_places_are_left_out_before_traces_are_compared(
    filled: Path, store: Store, tmp_path: Path
) -> None:
    """So that the best traces of the others take their places, and the summary names the file."""
    benchmark = tmp_path / "im2gps.csv"
    benchmark.write_text("latitude,longitude\n10.004,20.004\n13.5,23.5\n")
    near = make_choice({"exclude_near": benchmark, "radius": "1km"})
    rows = {name.rpartition(":")[2].split("-")[0] for name in chosen_names(filled, near)}
    assert rows == {"1", "2", "3", "4"}
    farther = make_choice({"exclude_near": [str(benchmark)], "radius": 100, "limit": 8})
    result = export(store, tmp_path / "out", choice=farther)
    assert result.left_out == "14 of 22: 14 within 100 km of a place in im2gps.csv"
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["choice"]["exclude_near"]["radius_km"] == 100
    assert str(tmp_path) not in json.dumps(manifest["choice"])
    run = running.geostore(
        *("export", tmp_path / "out", "--store", filled, "--exclude-near", benchmark),
        *("--radius", "20000km"),
    )
    assert run.returncode == 1
    assert "no trace is left to export; left out 22 of 22: 22 within 20000 km" in run.stderr


def test_a_country_is_one_however_its_case_and_a_column_counts_under_any_name(
    tmp_path: Path,
) -> None:
    """A dataset may call its columns otherwise; those that play a role are found by either name."""
    countries: list[object] = ["Japan", "japan", " JAPAN", "peru", None, None]
    photos = [photo_bytes(row, size=(64, 48)) for row in range(6)]
    named = datasets_library.load_from_disk(
        str(save_dataset(tmp_path / "one", photos, country=countries))
    ).rename_columns({"country": "Country", "lat": "latitude"})
    named.save_to_disk(str(tmp_path / "two"))
    path = tmp_path / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, tmp_path / "two")
        for row in range(6):
            builder.play(row, [answer(10.0 + row, 20.0 + row)])
    for balance, count in (
        ("country=1", 3),
        ("country=2", 5),
        ("column:Country=1", 5),
        ("Country=1", 5),
        ("latitude=1", 6),
    ):
        assert len(chosen_names(path, make_choice({"balance": balance}))) == count, balance


def test_two_choices_can_be_read_at_the_same_time(filled: Path) -> None:
    with open_snapshot(filled, batch=1) as snapshot:
        one = snapshot.choose(Filter(), make_choice({"best_of": 1}))
        other = snapshot.choose(Filter(max_turns=1), make_choice({"order": "length"}))
        pairs = list(zip(snapshot.chosen_traces(one), snapshot.chosen_traces(other), strict=False))
    assert [trace.name for trace, _ in pairs] == chosen_names(filled, make_choice({"best_of": 1}))
    assert [trace.name for _, trace in pairs] == chosen_names(
        filled, make_choice({"order": "length"}), Filter(max_turns=1)
    )[: len(pairs)]


# --- what an export says of it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choosing", "text"),
    [
        ({"best_of": 1}, "12 of 22: 12 not among the best 1 of their photo"),
        (
            {"best_of": 1, "dedupe": ["text", "photo"]},
            "17 of 22: 12 not among the best 1 of their photo, 2 of a photo with a better trace, "
            "3 with the words of a better trace",
        ),
        (
            {"balance": ["country=2", "column:sequence=3"]},
            "15 of 22: 14 beyond 2 of the same country, 1 beyond 3 of the same sequence",
        ),
        ({"limit": 20}, "2 of 22: 2 beyond the first 20"),
    ],
)
def test_an_export_says_why_the_other_traces_were_not_chosen(
    store: Store, tmp_path: Path, choosing: Any, text: str
) -> None:
    choice = make_choice(choosing)
    result = export(store, tmp_path / "out", choice=choice)
    assert result.left_out == text
    assert result.count == len(chosen_names(store.path, choice))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert manifest["choice"] == choice.to_json()
    assert export(store, tmp_path / "again", choice=choice).sha256 == result.sha256


def test_an_export_without_a_choice_says_nothing_of_one(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "out", choice=make_choice({"order": "dataset", "balance": []}))
    assert "choice" not in json.loads((tmp_path / "out" / "manifest.json").read_bytes())


def test_an_export_holds_its_traces_in_the_order_that_was_asked_for(
    store: Store, tmp_path: Path
) -> None:
    choice = make_choice({"order": "random:4", "limit": 9})
    export(store, tmp_path / "out", options=ExportOptions(format="jsonl"), choice=choice)
    lines = (tmp_path / "out" / "traces.jsonl").read_text().splitlines()
    assert [json.loads(line)["metadata"]["trace"] for line in lines] == chosen_names(
        store.path, choice
    )


def test_a_trace_without_its_images_is_not_the_best_where_images_are_written(
    tmp_path: Path,
) -> None:
    """Another trace of the photo takes its place, and it is named as it was without a choice."""
    dataset = make_dataset(tmp_path / "photos", rows=2)
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        OlderScript().write(tmp_path / "old", dataset, rows=[0])
        import_traces(store, tmp_path / "old", options=ReadOptions(model="older"), processes=1)
        StoreBuilder(store, dataset).play(1, [answer(1.0, 2.0)])
        best = make_choice({"limit": 1})
        assert export(store, tmp_path / "references", choice=best).count == 1
        files = ExportOptions(images="files")
        written = export(store, tmp_path / "files", options=files, choice=best)
        assert written.count == 1
        assert written.left_out == "1 of 2: 1 with images that cannot be made again"
        assert [each.trace for each in written.unwritten] == [
            each.trace for each in export(store, tmp_path / "all", options=files).unwritten
        ]


# --- how it is asked for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choosing", "words"),
    [
        ({"best_of": 0}, "best_of is a whole number from 1 on, and not 0"),
        ({"dedupe": "photos"}, "no dedupe 'photos' (did you mean photo?); choose photo or text"),
        ({"balance": "country"}, "COLUMN=COUNT, such as country=500, and not 'country'"),
        ({"balance": "=5"}, "names no column"),
        ({"balance": "country=0"}, "from 1 on"),
        ({"order": "hardst"}, "no order 'hardst' (did you mean hardest?); choose one of dataset"),
        ({"order": "score:3"}, "the order score takes no seed"),
        ({"order": "random:x"}, "seed of --order random is a whole number, and not 'x'"),
        ({"limit": 2**64}, "from 1 on"),
        ({"radius": "1km"}, "a radius needs places: --exclude-near FILE.csv"),
        (
            {"balance": "contry=5"},
            "no trace has a column 'contry' to balance (did you mean country?); the datasets have "
            "country, lat, locatability_score, lon, sequence, and geostore query",
        ),
        ({"balance": "column:turns=5"}, "no trace has a column 'turns' to balance"),
        (
            {"balance": ["country=1", "turns=3", "country=2"]},
            "balance names country twice, with 1 and 2; give it once",
        ),
    ],
)
def test_a_choice_that_means_nothing_is_refused_with_what_can_be_asked(
    filled: Path, choosing: Any, words: str
) -> None:
    with geostore.open(filled) as store, pytest.raises(FilterError) as refused:
        list(store.traces(**choosing))
    assert words in str(refused.value)


def test_a_value_of_another_type_is_named(filled: Path, tmp_path: Path) -> None:
    for wrong in (
        {"best_of": "2"},
        {"limit": True},
        {"balance": 5},
        {"order": 3},
        {"exclude_near": 5},
        {"exclude_near": ["a.csv", 5]},
        {"format": "swift", "mask_turns": ["no_op", 5]},
    ):
        with geostore.open(filled) as store, pytest.raises(TypeError):
            store.export(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_python_and_the_command_line_choose_alike(filled: Path, tmp_path: Path) -> None:
    options = ("--best-of", "2", "--dedupe", "text", "--balance", "country=3")
    order = ("--order", "score", "--limit", "5")
    arguments = ("export", tmp_path / "one", "--store", filled, "--format", "jsonl")
    written = running.geostore(*arguments, *options, *order)
    assert written.returncode == 0, written.stderr
    assert "not among the best 2 of their photo" in " ".join(written.stderr.split())
    with geostore.open(filled) as store:
        choosing: Any = {"best_of": 2, "dedupe": ["text"], "balance": {"country": 3}}
        ordered: Any = {"order": "score", "limit": 5}
        store.export(tmp_path / "two", format="jsonl", **choosing, **ordered)
        names = [trace.name for trace in store.traces(status="answered", **choosing, **ordered)]
    one, two = (tmp_path / name / "traces.jsonl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert [json.loads(line)["metadata"]["trace"] for line in one.read_text().splitlines()] == names
    listed = running.geostore(
        "traces", "--store", filled, "--status", "answered", *options, "--json"
    )
    in_list = {line["trace"] for line in json.loads(listed.stdout)}
    assert (
        set(names)
        <= in_list
        == set(chosen_names(filled, make_choice(choosing), Filter(statuses=("answered",))))
    )


def test_a_dataset_for_python_holds_what_was_chosen(filled: Path) -> None:
    choosing: Any = {"dedupe": "photo", "order": "score"}
    with geostore.open(filled) as store:
        rows = store.to_hf_dataset(images="reference", status="answered", **choosing)
    names = chosen_names(filled, make_choice(choosing), Filter(statuses=("answered",)))
    assert rows["trace"][:] == names


def test_errors_of_a_choice_are_one_sentence(filled: Path, tmp_path: Path) -> None:
    refused = running.geostore("export", tmp_path / "out", "--store", filled, "--order", "worst")
    assert refused.returncode == 1
    assert refused.stderr.startswith("geostore: there is no order 'worst'")
    assert issubclass(FilterError, GeostoreError)
