"""A frame of boxes that is named later: which images are made anew, and which stay."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geostore.conversation.images import PhotoSource
from geostore.errors import ImageError
from geostore.export import export
from geostore.importing import ImportResult, ReadOptions, import_traces
from geostore.records import StoredTrace
from geostore.show.pictures import write_seen
from geostore.store import Filter, Store, open_snapshot
from tests.builders import make_dataset
from tests.older_batch import OlderScript


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of 480 x 360 pixels."""
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


def import_all(
    store: Store, source: Path, dataset: Path | None = None, **options: Any
) -> ImportResult:
    path = None if dataset is None else str(dataset)
    chosen = ReadOptions(dataset_path=path, model="older", **options)
    return import_traces(store, source, options=chosen, processes=1)


def traces_in(store: Store) -> list[StoredTrace]:
    with open_snapshot(store.path) as snapshot:
        return list(snapshot.traces(Filter()))


def kinds_in(store: Store) -> Counter[str]:
    return Counter(proof.proof for trace in traces_in(store) for proof in trace.image_proofs)


def frame_row(store: Store) -> tuple[str, str]:
    row = store.db.connection.execute("select bbox_frame, known_by from box_frames").fetchone()
    return row["bbox_frame"], row["known_by"]


def test_the_frame_that_is_known_already_is_only_confirmed(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Nothing is made again, however often the user names it."""
    OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    assert frame_row(store) == ("norm1000", "images")
    for _ in range(2):
        result = import_all(store, tmp_path / "old", dataset, bbox_frame="norm1000")
        assert result.remade.traces == 0
        assert frame_row(store) == ("norm1000", "given")
    assert kinds_in(store) == {"exact": 9}


@pytest.mark.parametrize("frame", ["norm1000", "pixel"])
def test_what_cannot_be_made_again_now_keeps_what_was_proven(
    frame: str, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """A file that is gone takes no proof with it; once it is back, its trace is read anew."""
    paths = OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    paths[0].rename(tmp_path / "moved.json")
    result = import_all(store, tmp_path / "old", dataset, bbox_frame=frame)
    is_other = frame == "pixel"
    assert (result.remade.traces, result.remade.no_file) == ((2, 1) if is_other else (0, 0))
    assert kinds_in(store) == ({"exact": 5, "not": 4} if is_other else {"exact": 9})
    (tmp_path / "moved.json").rename(paths[0])
    result = import_all(store, tmp_path / "old", dataset, bbox_frame=frame)
    assert result.remade.traces == is_other
    assert kinds_in(store) == ({"exact": 3, "not": 6} if is_other else {"exact": 9})


def test_a_stopped_import_goes_on_in_the_named_frame(
    store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command reads the rest anew, and no trace twice."""
    from geostore.importing import again

    OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset, bbox_frame="pixel")
    monkeypatch.setattr(again, "_AT_ONCE", 1)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    options = ReadOptions(dataset_path=str(dataset), bbox_frame="norm1000")
    with pytest.raises(KeyboardInterrupt):
        import_traces(store, tmp_path / "old", options=options, on_remade=stop)
    assert kinds_in(store) == {"exact": 5, "not": 4}
    result = import_all(store, tmp_path / "old", dataset, bbox_frame="norm1000")
    assert result.remade.traces == 2
    assert kinds_in(store) == {"exact": 9}


def test_only_the_named_file_is_read_anew(store: Store, dataset: Path, tmp_path: Path) -> None:
    """A file whose name only begins with the same letters is another file."""
    paths = OlderScript().write(tmp_path / "older", dataset, rows=[0, 1, 2])
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "run.json").write_bytes(paths[0].read_bytes())
    lines = [json.dumps(json.loads(path.read_bytes())) for path in paths[1:]]
    (folder / "run.jsonl").write_text("".join(f"{line}\n" for line in lines))
    import_all(store, folder, dataset)
    assert import_all(store, folder / "run.json", dataset, bbox_frame="pixel").remade.traces == 1
    assert kinds_in(store) == {"exact": 7, "not": 2}
    assert import_all(store, folder / "run.jsonl", dataset, bbox_frame="pixel").remade.traces == 2
    assert kinds_in(store) == {"exact": 3, "not": 6}


def test_a_box_that_another_frame_gave_does_not_stay(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Where a box is no part of the photo in the new frame, its call has no box and no image."""
    OlderScript(frame="full_pixel").write(tmp_path / "old", dataset, steps=((0.5, 0.5, 0.9, 0.9),))
    import_all(store, tmp_path / "old", dataset)
    assert all(call.box and call.image for trace in traces_in(store) for call in trace.calls)
    import_all(store, tmp_path / "old", dataset, bbox_frame="relative")
    calls = [call for trace in traces_in(store) for call in trace.calls]
    assert [(call.box, call.image, call.image_index) for call in calls] == [(None, None, None)] * 3


def test_traces_of_an_export_of_ours_are_read_in_a_frame_that_is_named_later(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """They came with their boxes, so nothing was found out about a frame; the user may know it."""
    OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset, bbox_frame="pixel")
    export(store, tmp_path / "out")
    with Store.open(tmp_path / "other.db", create=True) as other:
        import_all(other, tmp_path / "out")
        assert kinds_in(other) == {"exact": 3, "not": 6}
        assert import_all(other, tmp_path / "out", bbox_frame="norm1000").remade.traces == 3
        assert kinds_in(other)["not"] == 0
        assert import_all(other, tmp_path / "out", bbox_frame="norm1000").remade.traces == 0


def test_an_image_without_a_proof_is_refused_with_a_reason(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    OlderScript().write(tmp_path / "old", dataset, rows=[0])
    import_all(store, tmp_path / "old", dataset)
    store.db.execute("delete from image_proofs")
    with pytest.raises(ImageError, match="they were not made again yet"):
        write_seen(traces_in(store)[0], tmp_path / "seen", PhotoSource())
