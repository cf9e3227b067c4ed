"""Old files as people have them: each is read, or refused with its place and what to do."""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from geostore.export import ExportOptions, export
from geostore.importing import Problem, ReadOptions, import_traces
from geostore.records import StoredTrace
from geostore.store import Filter, Store, open_snapshot
from tests.builders import StoreBuilder, fill, make_dataset
from tests.export_files import round_trip_files
from tests.running import geostore
from tests.trace_files import final, history, log, write

PLAIN = "I see a street."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6, subset=list("abcdef"))


def traces_in(store: Store) -> list[StoredTrace]:
    with open_snapshot(store.path) as snapshot:
        return list(snapshot.traces(Filter()))


def lines(*documents: Any) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def changed(document: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    """A document with one member replaced, wherever it lies."""
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = to
    return document


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def quiet(index: int, **more: Any) -> dict[str, Any]:
    """A history whose teacher called nothing."""
    document = changed(history(index), "conversation_history", 0, "response", to=PLAIN)
    return {**document, "tool_calls": [], **more}


# --- one odd file at a time ---------------------------------------------------------------------


@dataclass(frozen=True)
class Odd:
    """A file, and what becomes of it."""

    content: Any
    """JSON of it, or its text, or its bytes."""
    name: str = "trace_00003.json"
    imported: int = 1
    skipped: tuple[str, ...] = ()
    """The place and the kind of each thing that is skipped."""
    why: str = ""
    """A pattern that each reason holds."""
    holds: Callable[[StoredTrace], object] | None = None
    """What is true of the first trace."""


def text_of(document: Any, **changes: str) -> str:
    text = json.dumps(document)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


BIG = 123456789012345678901234567890

ODD: dict[str, Odd] = {
    # Numbers and switches as other programs write them.
    "index as text": Odd(
        {**history(3), "sample_index": "3"}, holds=lambda t: t.key.sample_index == 3
    ),
    "index as 3.0": Odd(
        {**history(3), "sample_index": 3.0}, holds=lambda t: t.key.sample_index == 3
    ),
    "index below 0": Odd(
        {**history(3), "sample_index": -1},
        imported=0,
        skipped=(" malformed",),
        why="sample_index is -1",
    ),
    "index in the name alone": Odd(
        without(history(3), "sample_index"),
        name="trace_00017_r2.json",
        holds=lambda t: (t.key.sample_index, t.key.rollout) == (17, 2),
    ),
    "no index at all": Odd(
        without(history(3), "sample_index"),
        name="result.json",
        imported=0,
        skipped=(" malformed",),
        why="sample_index is missing",
    ),
    "name without an index": Odd(history(3), name="a result (copy).JSON"),
    "turns as 1.0 and text": Odd(
        changed(
            changed(history(3), "conversation_history", 0, "turn", to=1.0),
            *("conversation_history", 1, "turn"),
            to="2",
        ),
        holds=lambda t: len(t.turns) == 2,
    ),
    "turns from 0": Odd(
        {
            **history(3),
            "conversation_history": [
                {**entry, "turn": number}
                for number, entry in enumerate(history(3)["conversation_history"])
            ],
            "tool_calls": [{**history(3)["tool_calls"][0], "turn": 0}],
        },
        holds=lambda t: [call.turn for call in t.calls] == [1],
    ),
    "turns without numbers": Odd(
        {
            **history(3),
            "conversation_history": [
                without(entry, "turn") for entry in history(3)["conversation_history"]
            ],
        },
        holds=lambda t: [turn.turn for turn in t.turns] == [1, 2],
    ),
    "tokens as 12.0": Odd(
        changed(log(3), "conversation_log", 0, "usage", to={"prompt_tokens": 12.0}),
        holds=lambda t: t.turns[0].prompt_tokens == 12,
    ),
    "usage missing": Odd(
        {
            **log(3),
            "conversation_log": [without(entry, "usage") for entry in log(3)["conversation_log"]],
        },
        holds=lambda t: t.turns[0].prompt_tokens is None,
    ),
    "usage is None": Odd(changed(history(3), "conversation_history", 0, "usage", to=None)),
    "success as text": Odd(
        changed(history(3), "tool_calls", 0, "success", to="True"),
        holds=lambda t: t.calls[0].success,
    ),
    "success as 0": Odd(
        changed(history(3), "tool_calls", 0, "success", to=0),
        holds=lambda t: not t.calls[0].success,
    ),
    "success as maybe": Odd(
        changed(history(3), "tool_calls", 0, "success", to="maybe"),
        imported=0,
        skipped=(" malformed",),
        why=r'tool_calls\[0\]\.success is "maybe" and not true or false',
    ),
    "coordinates as text": Odd(
        changed(changed(log(3), "sample_data", "lat", to="13.5"), "sample_data", "lon", to=" -7 "),
        holds=lambda t: (t.sample.lat, t.sample.lon) == (13.5, -7.0),
    ),
    "coordinates in words": Odd(
        changed(log(3), "sample_data", "lat", to="48° N"),
        imported=0,
        skipped=(" malformed",),
        why=r'sample_data\.lat is "48° N" and not degrees up to 90',
    ),
    "NaN": Odd(
        text_of(history(3), **{"0.25": "NaN"}), holds=lambda t: t.sample.locatability_score is None
    ),
    "Infinity for a place": Odd(
        text_of(history(3), **{'"lat": 13.0': '"lat": Infinity'}),
        imported=0,
        skipped=(" malformed",),
        why=r"sample_data\.lat is null",
    ),
    "a number of 30 digits": Odd(
        changed(history(3), "sample_data", "photo_id", to=BIG),
        holds=lambda t: t.sample.columns["photo_id"] == str(BIG),
    ),
    "a number of 20,000 digits": Odd(
        text_of(history(3), **{'"Paris"': "9" * 20_000}),
        holds=lambda t: len(t.sample.columns["city"]) == 20_000,
    ),
    # Members that are missing, null, too many, or written twice.
    "no calls where none were made": Odd(
        without(quiet(3), "tool_calls"), holds=lambda t: t.calls == ()
    ),
    "calls are null": Odd(quiet(3, tool_calls=None), holds=lambda t: t.calls == ()),
    "log without calls": Odd(
        changed(
            without(log(3), "tool_calls_log"), "conversation_log", 0, "assistant_response", to=PLAIN
        )
    ),
    "calls lost": Odd(
        without(history(3), "tool_calls"),
        imported=0,
        skipped=(" malformed",),
        why="tool_calls is missing, and a response holds a call",
    ),
    "arguments as text": Odd(
        changed(
            history(3), "tool_calls", 0, "tool_call", "arguments", to='{"bbox_2d": [1, 2, 30, 40]}'
        ),
        holds=lambda t: json.loads(t.calls[0].raw_arguments) == {"bbox_2d": [1, 2, 30, 40]},
    ),
    "final response missing": Odd(
        without(history(3), "final_response"), holds=lambda t: t.final_response == final(13.0, 23.0)
    ),
    "last response missing": Odd(
        changed(history(3), "conversation_history", 1, "response", to=None),
        holds=lambda t: t.final_response == final(13.0, 23.0),
    ),
    "reward missing": Odd(without(history(3), "reward_score")),
    "reward as a number": Odd(history(3, reward_score=0.5)),
    "reward as a list": Odd(
        history(3, reward_score=[0.5]),
        imported=0,
        skipped=(" malformed",),
        why="reward_score is a list and not an object",
    ),
    "a distance beyond the earth": Odd(
        changed(history(3), "reward_score", "distance@km", to=1e30),
        holds=lambda t: t.reward is not None and (t.reward.distance_km or 0) < 1,  # geostore's own
    ),
    "both forms, one of them null": Odd(
        {**log(3), "conversation_history": None, "tool_calls": None}
    ),
    "more members than usual": Odd({**history(3), "notes": ["seen twice"], "version": {"a": None}}),
    "a member twice": Odd(
        text_of(history(3), **{'{"dataset_path"': '{"sample_index": 9, "dataset_path"'}),
        holds=lambda t: t.key.sample_index == 3,  # the last counts, as in any reader of JSON
    ),
    "no dataset": Odd(
        without(history(3), "dataset_path"),
        imported=0,
        skipped=(" malformed",),
        why="dataset_path is missing; name the dataset with --dataset-path",
    ),
    "no sample data": Odd(
        {**history(3), "sample_data": None},
        imported=0,
        skipped=(" malformed",),
        why="sample_data is null and not an object",
    ),
    "calls as an object": Odd(
        {**history(3), "tool_calls": {"turn": 1}},
        imported=0,
        skipped=(" malformed",),
        why="tool_calls is an object and not a list",
    ),
    "a call without its call": Odd(
        {**history(3), "tool_calls": [{"turn": 1, "success": True}]},
        imported=0,
        skipped=(" malformed",),
        why=r"tool_calls\[0\]\.tool_call is missing",
    ),
    "a response of parts": Odd(
        changed(history(3), "conversation_history", 0, "response", to=[{"type": "text"}]),
        imported=0,
        skipped=(" malformed",),
        why=r"conversation_history\[0\]\.response is a list and not a text",
    ),
    "messages are null": Odd(changed(history(3), "conversation_history", 1, "messages", to=None)),
    "metadata only": Odd(
        {"metadata": history(3)["metadata"], "final_response": "x"},
        imported=0,
        skipped=(" no_trace",),
        why="without a conversation_history or conversation_log",
    ),
    # Bytes.
    "mark of byte order": Odd(b"\xef\xbb\xbf" + json.dumps(history(3)).encode()),
    "UTF-16": Odd(json.dumps(history(3)).encode("utf-16")),
    "Latin-1": Odd(
        text_of(history(3), Paris="Orl\xe9ans").encode("latin-1"),
        imported=0,
        skipped=(" not_json",),
        why="no JSON",
    ),
    "CRLF": Odd(json.dumps(history(3), indent=2).replace("\n", "\r\n").encode()),
    "empty": Odd("", imported=0, skipped=(" not_json",), why="the file is empty"),
    "truncated": Odd(
        json.dumps(history(3))[:-200], imported=0, skipped=(" not_json",), why="it is no JSON"
    ),
    "half a surrogate pair": Odd(
        history(3, answer="\ud83d"), imported=0, skipped=(" not_json",), why="no Unicode"
    ),
    "separators of lines in a text": Odd(
        json.dumps(history(3, answer=f"a\u2028b\u0085c {final(1, 2)}"), ensure_ascii=False),
        holds=lambda t: "a\u2028b\u0085c" in (t.final_response or ""),
    ),
    "gzip": Odd(
        gzip.compress(json.dumps(history(3)).encode()),
        name="trace_00003.json.gz",
        imported=0,
        skipped=(" packed",),
        why="gunzip -k",
    ),
    "packed lines": Odd(
        bz2.compress(lines(history(3)).encode()),
        name="all.jsonl.bz2",
        imported=0,
        skipped=(" packed",),
        why="bunzip2 -k",
    ),
    # Several traces in one file.
    "a list": Odd(
        [history(3), log(4), 7, {"a": 1}], imported=2, skipped=("[2] no_trace", "[3] no_trace")
    ),
    "an empty list": Odd([], imported=0, skipped=(" no_trace",), why="a list"),
    "lines in a .json": Odd(lines(history(3), log(4)), imported=2),
    "lines": Odd(
        lines(history(3)) + "\n{broken\n" + lines({"step": 1}) + json.dumps(log(4)),
        name="all.jsonl",
        imported=2,
        skipped=(":3 not_json", ":4 no_trace"),
    ),
    "lines with separators": Odd(
        json.dumps(history(3, answer=f"a\u2028b {final(1, 2)}"), ensure_ascii=False) + "\r\n",
        name="all.ndjson",
    ),
    "one document over many lines": Odd(json.dumps(history(3), indent=2), name="all.jsonl"),
    "lines after a mark of byte order": Odd(
        b"\xef\xbb\xbf" + lines(history(3), log(4)).encode(), name="all.jsonl", imported=2
    ),
    "no lines": Odd("\n\n", name="all.jsonl", imported=0, skipped=(" not_json",), why="empty"),
}


@pytest.mark.parametrize("name", ODD)
def test_each_odd_file_is_read_or_refused_by_name(store: Store, tmp_path: Path, name: str) -> None:
    """And a good file beside it, whose name comes later, is imported in any case."""
    odd = ODD[name]
    place = tmp_path / "in"
    place.mkdir()
    content = odd.content if isinstance(odd.content, str | bytes) else json.dumps(odd.content)
    (place / odd.name).write_bytes(content if isinstance(content, bytes) else content.encode())
    write(place, log(9), "zz.json")
    skipped: list[Problem] = []
    result = import_traces(store, place, on_problem=skipped.append)
    base = str(place / odd.name)
    assert [f"{p.path.removeprefix(base)} {p.kind}" for p in skipped] == list(odd.skipped), skipped
    assert all(re.search(odd.why, problem.why) for problem in skipped), skipped
    assert result.imported == odd.imported + 1
    assert result.skipped.total() == len(odd.skipped)
    if odd.holds is not None:
        (trace,) = [t for t in traces_in(store) if t.key.sample_index != 9]
        assert odd.holds(trace), trace
    again = import_traces(store, place)
    assert (again.imported, again.known) == (0, odd.imported + 1)
    assert export(store, tmp_path / "out").count == odd.imported + 1


def test_all_odd_files_at_once_are_counted_in_a_table(tmp_path: Path) -> None:
    """One import of all of them: what can be read is read, and the end says what to do."""
    for number, odd in enumerate(ODD.values()):
        content = odd.content if isinstance(odd.content, str | bytes) else json.dumps(odd.content)
        place = tmp_path / "in" / f"{number:02}" / "below"
        place.mkdir(parents=True)
        data = content if isinstance(content, bytes) else content.encode()
        (place / odd.name).write_bytes(data)
    said = geostore("import", tmp_path / "in", "--store", tmp_path / "geostore.db")
    assert said.returncode == 0, said.stderr
    imported = sum(odd.imported for odd in ODD.values())
    # Some of them are the same bytes, and one has row 3 at another place than the others.
    counts = re.match(r"imported (\d+) traces of (\d+) files, (\d+) known before, ", said.stdout)
    assert counts is not None
    assert int(counts[1]) + int(counts[3]) + 1 == imported
    assert int(counts[2]) == len(ODD)
    kinds = [entry.split()[-1] for odd in ODD.values() for entry in odd.skipped] + ["conflict"]
    for kind in set(kinds):
        assert re.search(rf"^{kind} +{kinds.count(kind)}  ", said.stdout, re.MULTILINE), said.stdout
    assert "unpack" in said.stdout
    assert "Traceback" not in said.stderr


# --- one file, and lines ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["trace_00003.json", "all.jsonl", "traces.txt"])
def test_one_file_is_imported_by_its_name(tmp_path: Path, name: str) -> None:
    """Its neighbours are left alone."""
    write(tmp_path / "in", lines(history(3)), name)
    write(tmp_path / "in", history(4))
    said = geostore("import", tmp_path / "in" / name, "--store", tmp_path / "geostore.db")
    assert said.returncode == 0, said.stderr
    assert "imported 1 trace of 1 file" in said.stdout


@pytest.mark.parametrize("whole", [False, True], ids=["folder", "file"])
def test_our_own_lines_go_round(dataset: Path, tmp_path: Path, whole: bool) -> None:
    """An export as jsonl that is imported and exported again has the same bytes."""
    with Store.open(tmp_path / "first.db", create=True) as first:
        fill(StoreBuilder(first, dataset))
        count = export(first, tmp_path / "first", options=ExportOptions(format="jsonl")).count
    with Store.open(tmp_path / "second.db", create=True) as second:
        source = tmp_path / "first" / "traces.jsonl" if whole else tmp_path / "first"
        result = import_traces(second, source)
        assert (result.imported, result.unproven) == (count, 0), result.unproven_why
        export(second, tmp_path / "second", options=ExportOptions(format="jsonl"))
    assert round_trip_files(tmp_path / "second") == round_trip_files(tmp_path / "first")


def test_a_file_that_grew_gives_its_new_lines_alone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that were imported are not even read again."""
    path = write(tmp_path / "in", lines(history(0), history(1)), "all.jsonl")
    assert import_traces(store, path).imported == 2
    path.write_text(path.read_text() + lines(history(2)))
    starts: list[int | None] = []
    from geostore.importing import reader

    read = reader._bytes

    def noted(file: reader.TraceFile) -> bytes:
        starts.append(file.line)
        return read(file)

    monkeypatch.setattr(reader, "_bytes", noted)
    result = import_traces(store, path)
    assert (result.imported, result.known, starts) == (1, 2, [3])


def test_tries_in_one_file_that_have_no_number_are_numbered(store: Store, tmp_path: Path) -> None:
    """Two lines of one photo are two rollouts; a number that a line states is kept."""
    answers = [final(1.0, 2.0), final(3.0, 4.0), final(5.0, 6.0)]
    tries = [history(0, answer=answer) for answer in answers]
    tries[2]["metadata"]["rollout"] = 7
    path = write(tmp_path / "in", lines(*tries), "all.jsonl")
    assert import_traces(store, path).imported == 3
    assert [trace.key.rollout for trace in traces_in(store)] == [1, 2, 7]
    moved = write(tmp_path / "moved", lines(*reversed(tries)), "other.jsonl")
    assert import_traces(store, moved).known == 3


def test_a_report_in_the_folder_is_no_trace_file(tmp_path: Path) -> None:
    """Neither while it is written nor when the next import finds it there."""
    write(tmp_path / "in", history(0))
    write(tmp_path / "in", "{", "bad.json")
    report = tmp_path / "in" / "report.jsonl"
    for known in ("", ", 1 known before"):
        said = geostore(
            *("import", tmp_path / "in", "--store", tmp_path / "g.db", "--report", report)
        )
        assert f"of 2 files{known}, 1 skipped" in said.stdout
        assert len(report.read_text().splitlines()) == 1


# --- row numbers and columns --------------------------------------------------------------------


def test_a_wrong_number_that_comes_first_does_not_shut_out_the_right_one(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Both are about row 4: one by its number, one by its coordinates; either may come first."""
    options = ReadOptions(dataset_path=str(dataset), match="coordinates")
    for label, order in (("first", ("a", "b")), ("last", ("b", "a"))):
        place = tmp_path / label
        wrong = history(1, lat=14.0, lon=24.0, answer=final(0.0, 0.0))
        write(place, wrong, f"{order[0]}.json")
        write(place, history(4), f"{order[1]}.json")
        with Store.open(tmp_path / f"{label}.db", create=True) as other:
            result = import_traces(other, place, options=options)
            assert (result.imported, result.moved, result.skipped.total()) == (2, 1, 0)
            found = traces_in(other)
            assert [(t.key.sample_index, t.key.rollout) for t in found] == [(4, 1), (4, 2)]
            assert import_traces(other, place, options=options).known == 2


def test_without_the_dataset_the_right_file_is_told_how_to_come_in(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Two files name one row at two places, and only the dataset knows which is right."""
    write(tmp_path / "in", history(4, lat=11.0, lon=21.0, answer=final(0.0, 0.0)), "a.json")
    write(tmp_path / "in", history(4), "b.json")
    problems: list[Problem] = []
    result = import_traces(store, tmp_path / "in", on_problem=problems.append)
    assert result.imported == 1
    assert "--dataset-path tells which of them is right" in problems[0].why
    result = import_traces(store, tmp_path / "in", options=ReadOptions(dataset_path=str(dataset)))
    assert (result.imported, result.known, result.without_dataset) == (1, 1, 1)
    assert {t.sample.lat for t in traces_in(store) if t.sample.photo is not None} == {14.0}


def test_a_dataset_that_is_named_too_late_is_told(dataset: Path, tmp_path: Path) -> None:
    """The traces have names that were printed, so they stay where they are."""
    write(tmp_path / "in", history(0))
    write(tmp_path / "in", history(1))
    arguments = ("import", tmp_path / "in", "--store", tmp_path / "g.db")
    assert "without a dataset" not in geostore(*arguments).stderr
    assert "without a dataset" not in geostore(*arguments).stderr
    said = geostore(*arguments, "--dataset-path", dataset)
    assert "2 traces came in before without a dataset and stay without photos" in said.stderr
    assert "imported 0 traces of 2 files, 2 known before" in said.stdout


def test_a_files_own_columns_stay_beside_those_of_the_dataset(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The dataset's own values win, and a later file adds what an earlier one did not say."""
    first = changed(history(2), "sample_data", "subset", to="from the file")
    write(tmp_path / "one", first)
    write(tmp_path / "two", changed(log(2), "sample_data", "camera", to="X100"))
    options = ReadOptions(dataset_path=str(dataset))
    assert import_traces(store, tmp_path / "one", options=options).imported == 1
    (trace,) = traces_in(store)
    assert trace.sample.columns == {"city": "Paris", "subset": "c"}
    assert trace.sample.country == "france"
    assert import_traces(store, tmp_path / "two", options=options).imported == 1
    assert {tuple(sorted(t.sample.columns)) for t in traces_in(store)} == {
        ("camera", "city", "subset")
    }


def test_a_file_that_names_no_dataset_takes_the_one_that_the_user_names(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Its row is checked by its coordinates as any other's."""
    write(tmp_path / "in", without(history(2), "dataset_path"))
    options = ReadOptions(dataset_path=str(dataset))
    assert import_traces(store, tmp_path / "in", options=options).imported == 1
