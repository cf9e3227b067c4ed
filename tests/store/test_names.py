"""Names of traces: what a person writes finds one trace, and a printed name never changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from geostore.conversation.recipe import make_recipe
from geostore.errors import NotFoundError
from geostore.records import Answer, Closing, DatasetFacts, PhotoFacts, Recipe
from geostore.store import Store, make_filter, open_snapshot
from tests.trace_parts import DATASET, SAMPLE, SENT, TURN, start_run

ONE = make_recipe(model="one")
TWO = make_recipe(model="two")
STREETS = replace(DATASET, fingerprint="beef", name="streets")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True) as opened:
        yield opened


def add(
    store: Store,
    row: int,
    *,
    recipe: Recipe = ONE,
    rollout: int = 1,
    dataset: DatasetFacts = DATASET,
) -> str:
    """An answered trace; its name."""
    photo = PhotoFacts(f"{row:064x}", 2048, 1536, "JPEG")
    sample = replace(SAMPLE, sample_index=row, photo=photo)
    run_id = start_run(store)
    dataset_id = store.samples.put_dataset(dataset)
    claimed = store.claims.claim(
        sample_id=store.samples.put_sample(dataset_id, sample).sample_id,
        recipe_id=store.recipes.put_recipe(recipe),
        rollout=rollout,
        run_id=run_id,
        turn_limit=10,
        retry=(),
        seconds=60.0,
    )
    assert not isinstance(claimed, str)
    store.traces.put_turn(claimed.trace_id, TURN, run_id=run_id, photo=SENT)
    store.traces.close_trace(claimed.trace_id, Closing("answered", "answer"), turn_limit=10)
    store.traces.put_answer(claimed.trace_id, 1, Answer(1.5, 2.5, "boxed", None, ()))
    return store.traces.get_trace(claimed.trace_id).name


def found(store: Store, written: str) -> str:
    return store.traces.get_trace(store.traces.find_trace(written)).name


def refusal(store: Store, written: str) -> str:
    with pytest.raises(NotFoundError) as error:
        store.traces.find_trace(written)
    return str(error.value)


def test_a_name_means_the_same_trace_when_other_datasets_arrive(store: Store) -> None:
    """Also where the other dataset has the same row, asked with the same recipe."""
    printed = add(store, 17)
    trace_id = store.traces.find_trace(printed)
    names = [printed]
    for fingerprint in ("beef", "cafe", "fade"):
        # Two of them have the first one's name.
        name = "streets" if fingerprint == "cafe" else DATASET.name
        other = replace(DATASET, fingerprint=fingerprint, name=name)
        names.append(add(store, 17, dataset=other))
        assert store.traces.find_trace(printed) == trace_id
    assert names[1:] == [f"photos+2:{printed}", f"streets:{printed}", f"photos+3:{printed}"]
    assert [found(store, name) for name in names] == names


def test_a_label_that_is_asked_for_is_given_where_it_is_free(store: Store) -> None:
    """As an import asks, so that names mean what they meant in the store of an export."""
    put = store.samples.put_dataset
    asked = [("f1", "streets"), ("f2", None), ("f3", "streets"), ("f4", None), ("f5", "photos")]
    for fingerprint, label in asked:
        put(replace(DATASET, fingerprint=fingerprint), label=label)
    labels = store.db.connection.execute("select label from datasets order by id").fetchall()
    assert [row[0] for row in labels] == ["streets", None, "streets+2", "photos+2", "photos+3"]


def test_a_label_is_meant_before_the_name_of_the_dataset_without_one(store: Store) -> None:
    store.samples.put_dataset(replace(DATASET, fingerprint="beef"), label="photos")
    other = add(store, 1, dataset=replace(DATASET, fingerprint="beef"))
    name = add(store, 1)
    assert (other, found(store, other)) == (f"photos:{name}", other)
    assert found(store, name) == name


def test_a_dataset_that_comes_again_keeps_its_label(store: Store) -> None:
    """Moved to another folder, or only named by trace files that know its fingerprint."""
    add(store, 1)
    name = add(store, 1, dataset=STREETS)
    store.samples.put_dataset(replace(STREETS, path="/moved", name="moved"))
    store.samples.put_unseen_dataset(STREETS)
    assert found(store, name) == name == f"streets:{name.partition(':')[2]}"


def test_the_same_name_is_read_in_every_way(store: Store, tmp_path: Path) -> None:
    """By id, in a stream of traces, and in the view that everybody may query."""
    names = {add(store, row, dataset=data) for row in (1, 2) for data in (DATASET, STREETS)}
    in_view = store.db.connection.execute("select trace from trace_results").fetchall()
    assert {row["trace"] for row in in_view} == names
    with open_snapshot(store.path) as snapshot:
        streamed = list(snapshot.traces(make_filter({}, statuses=None)))
    assert {trace.name for trace in streamed} == names
    assert {str(trace.key) for trace in streamed} == names


def test_the_start_of_a_name_and_a_row_number_find_a_trace(store: Store) -> None:
    name = add(store, 19)
    add(store, 190)
    row, recipe, _ = name.split("-")
    for written in ("19", " 19 ", "19-", f"19-{recipe[:2]}", f"{row}-{recipe}", name.upper(), name):
        assert found(store, written) == name
    assert found(store, f"photos:{name}") == name
    sha256 = store.traces.get_trace(store.traces.find_trace(name)).key.recipe_sha256
    assert found(store, f"19-{sha256}-1") == name


def test_a_whole_name_is_not_the_start_of_a_longer_one(store: Store) -> None:
    names = [add(store, 3, rollout=rollout) for rollout in (1, 10)]
    others = [add(store, 3, rollout=rollout, dataset=STREETS) for rollout in (1, 10)]
    for name in names + others:
        assert found(store, name) == name
    assert found(store, f"photos:{names[0]}") == names[0]


def test_a_name_of_another_dataset_needs_its_label_only_where_the_first_has_it_too(
    store: Store,
) -> None:
    add(store, 1)
    name = add(store, 8, dataset=STREETS)
    assert found(store, name.partition(":")[2]) == name
    assert found(store, "8") == name
    first = add(store, 8)
    assert found(store, first) == first


def test_a_row_that_stands_for_a_photo_of_another_dataset_finds_its_traces(store: Store) -> None:
    """The photo was answered there (generate --reuse), and its name stays what it was."""
    name = add(store, 17)
    own = add(store, 5)
    dataset_id = store.samples.put_dataset(STREETS)
    photo = PhotoFacts(f"{17:064x}", 2048, 1536, "JPEG")
    store.samples.put_sample(dataset_id, replace(SAMPLE, sample_index=5, photo=photo))
    store.db.connection.execute(
        "update samples set same_as = (select id from samples where sample_index = 17) "
        "where dataset_id = ?",
        (dataset_id,),
    )
    assert found(store, "streets:5") == name
    assert found(store, "5") == own


def test_several_traces_that_fit_are_listed(store: Store) -> None:
    """With what tells them apart, so that the next command can name one."""
    one, two = add(store, 19), add(store, 19, recipe=TWO)
    message = refusal(store, "19")
    assert message.startswith("'19' fits 2 traces; name one of them:\n")
    lines = message.splitlines()[1:]
    assert {line.split()[0] for line in lines} == {one, two}
    assert all("answered" in line and "with tools" in line for line in lines)
    assert {line.split(", ")[-2] for line in lines} == {"one", "two"}
    for rollout in range(2, 20):
        add(store, 19, rollout=rollout)
    assert refusal(store, "19").splitlines()[-1] == "  and 8 more"


def test_an_unknown_name_brings_the_nearest(store: Store) -> None:
    names = [add(store, row) for row in (1, 5, 9, 40)]
    name = names[1].replace("5-", "6-", 1)
    message = refusal(store, name)
    assert f"the nearest: {names[1]}, {names[2]}, {names[0]};" in message
    assert "geostore traces" in message
    other = add(store, 9, recipe=TWO)
    # The same row first; of that row, the recipe that was meant.
    assert f"the nearest: {other}, {names[2]}, " in refusal(store, f"{other}7")
    add(store, 1, dataset=STREETS)
    message = refusal(store, "street:1")
    assert "did you mean streets?" in message
    assert "there are: photos, streets" in message


@pytest.mark.parametrize(
    "written", ["", "-", "worst", "19-xyz", "19_aa_1", "1e3", "19-aa-1-1", "1" * 400, "१९", "19\0"]
)
def test_what_is_no_name_says_how_names_look(store: Store, written: str) -> None:
    add(store, 19)
    message = refusal(store, written)
    assert "look like 17-3fa1c2d4-1" in message
    assert len(message) < 300
