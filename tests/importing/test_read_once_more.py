"""Files read once more for their images: changed, moved, in several copies, nested deeply."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geostore import importing
from geostore.importing import ImportResult, ReadOptions, import_traces
from geostore.store import Filter, Store, open_snapshot
from tests.builders import make_dataset
from tests.older_batch import OlderScript


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


def import_all(store: Store, source: Path, dataset: Path) -> ImportResult:
    options = ReadOptions(dataset_path=str(dataset), model="older")
    return import_traces(store, source, options=options, processes=1)


def import_without_images(
    store: Store, source: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an import that was stopped before it made any image."""
    with monkeypatch.context() as patch:
        patch.setattr(importing, "remake_images", lambda *_, **__: importing.RemakeResult())
        import_all(store, source, dataset)


def kinds_in(store: Store) -> Counter[str]:
    with open_snapshot(store.path) as snapshot:
        traces = list(snapshot.traces(Filter()))
    return Counter(proof.proof for trace in traces for proof in trace.image_proofs)


def document_of(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


@pytest.mark.parametrize("form", ["file", "line", "line of .json", "entry", "entry of a line"])
def test_a_file_that_was_changed_since_is_compared_with_nothing(
    form: str, store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trace waits, and goes on once the file is as it was."""
    documents = [document_of(path) for path in OlderScript().write(tmp_path / "made", dataset)]
    path = tmp_path / "old" / ("all.jsonl" if form in ("line", "entry of a line") else "all.json")
    path.parent.mkdir()

    def write(documents: list[dict[str, Any]]) -> None:
        if form == "file":
            path.write_text(json.dumps(documents[0]))
        elif form == "entry":
            path.write_text(json.dumps(documents))
        elif form == "entry of a line":
            path.write_text(f"{json.dumps(documents[:1])}\n{json.dumps(documents[1:])}\n")
        else:
            path.write_text("".join(f"{json.dumps(document)}\n" for document in documents))

    write(documents)
    import_without_images(store, path.parent, dataset, monkeypatch)
    other = [{**document, "final_response": "changed"} for document in documents]
    write(other)
    result = import_all(store, path.parent, dataset)
    traces = 1 if form == "file" else 3
    assert (result.remade.traces, result.remade.no_file) == (0, traces)
    assert result.remade.no_file_why is not None
    assert result.remade.no_file_why.endswith("was changed since it was imported")
    assert kinds_in(store) == {}
    write(documents)
    import_all(store, path.parent, dataset)
    assert kinds_in(store) == {"exact": 3 * traces}


def test_any_copy_of_a_file_will_do(
    store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    OlderScript().write(tmp_path / "first", dataset)
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    for name in ("first", "second"):
        import_without_images(store, tmp_path / name, dataset, monkeypatch)
    shutil.rmtree(tmp_path / "first")
    assert import_all(store, tmp_path / "second", dataset).remade.no_file == 0
    assert kinds_in(store) == {"exact": 9}


@pytest.mark.parametrize("form", ["files", "lines"])
def test_a_folder_whose_name_is_no_utf8_is_read_once_more(
    form: str, store: Store, dataset: Path, tmp_path: Path
) -> None:
    paths = OlderScript().write(tmp_path / "old", dataset)
    if form == "lines":
        lines = [json.dumps(document_of(path)) for path in paths]
        for path in paths:
            path.unlink()
        (tmp_path / "old" / "all.jsonl").write_text("\n".join(lines))
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff\\x41"))
    (tmp_path / "old").rename(odd)
    assert import_all(store, odd, dataset).remade.no_file == 0
    assert kinds_in(store) == {"exact": 9}


@pytest.mark.parametrize("depth", [300, 1000])
def test_a_member_that_is_nested_deeply_stops_no_import(
    depth: int, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Where nobody needs it, its trace has its images."""
    path = OlderScript().write(tmp_path / "old", dataset, rows=[0])[0]
    text = json.dumps({**document_of(path), "junk": "@"})
    path.write_text(text.replace('"@"', "[" * depth + "]" * depth))
    assert import_all(store, tmp_path / "old", dataset).remade.images == {"exact": 3}


@pytest.mark.parametrize("depth", [300, 1000])
@pytest.mark.parametrize("where", ["message", "entry"])
def test_a_trace_that_is_nested_too_deeply_is_skipped_with_a_reason(
    where: str, depth: int, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The others are imported."""
    paths = OlderScript().write(tmp_path / "old", dataset, rows=[0, 1])
    document = document_of(paths[0])
    holder = document
    if where == "message":
        holder = document["conversation_history"][0]["messages"][1]["content"][1]
    holder["junk"] = "@"
    text = json.dumps(document).replace('"@"', "[" * depth + "]" * depth)
    paths[0].write_text(text if where == "message" else f"[{text}]")
    result = import_all(store, tmp_path / "old", dataset)
    assert (result.imported, result.skipped) == (1, {"malformed": 1})
    assert result.problems[0].why == "it cannot be read: its members are nested too deeply"
