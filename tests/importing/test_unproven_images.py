"""Images of older traces that are not proven: they are refused, and hold no other image back."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import geostore as api
from geostore.conversation.images import PhotoSource
from geostore.errors import DatasetError, ImageError
from geostore.export import ExportOptions, export
from geostore.importing import ImportResult, ReadOptions, import_traces
from geostore.records import StoredTrace
from geostore.show.pictures import write_overlay, write_seen
from geostore.store import Filter, Store, open_snapshot
from geostore.verify import verify
from tests.builders import make_dataset
from tests.older_batch import OlderScript
from tests.running import geostore


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of 480 x 360 pixels."""
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


def import_all(store: Store, folder: Path, dataset: Path | None, **options: Any) -> ImportResult:
    path = None if dataset is None else str(dataset)
    chosen = ReadOptions(dataset_path=path, model="older", **options)
    return import_traces(store, folder, options=chosen, processes=1)


def traces_in(store: Store) -> list[StoredTrace]:
    with open_snapshot(store.path) as snapshot:
        return list(snapshot.traces(Filter()))


def with_damaged_zoom_source(path: Path) -> None:
    """Make the image of the first call unreadable, and let the second call cut from it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    junk = "data:image/jpeg;base64," + base64.b64encode(b"no image at all").decode()
    for turn in document["conversation_history"]:
        shown = [
            part
            for message in turn["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image_url"
        ]
        for part in shown[1:2]:
            part["image_url"] = {"url": junk}
    document["tool_calls"][1]["tool_call"]["arguments"]["img_idx"] = 1
    path.write_text(json.dumps(document), encoding="utf-8")


def test_an_image_that_is_made_of_an_unproven_one_is_not_proven_either(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """An untouched store verifies, and the proven photo of such a trace can be had."""
    script = OlderScript()
    [path] = script.write(tmp_path / "old", dataset, rows=[0], steps=(90.0, (0.2, 0.3, 0.7, 0.6)))
    with_damaged_zoom_source(path)
    import_all(store, tmp_path / "old", dataset)
    [trace] = traces_in(store)
    assert [proof.proof for proof in trace.image_proofs] == ["exact", "not", "not"]
    assert trace.image_proofs[2].why == "it is made of image 1, which is not proven"
    assert verify(store.path, workers=1).holds()
    assert len(write_seen(trace, tmp_path / "seen", PhotoSource())) == 1


def test_a_box_whose_image_is_not_proven_is_no_fact(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """It was read in a frame that gives other images, also where an earlier one fitted."""
    OlderScript(frame="norm1000").write(tmp_path / "old", dataset, rows=[0])
    import_all(store, tmp_path / "old", dataset)
    assert all(call.box is not None for call in traces_in(store)[0].calls)
    import_all(store, tmp_path / "old", dataset, bbox_frame="pixel")
    [trace] = traces_in(store)
    assert [(call.box, call.source_index, call.image) for call in trace.calls] == [
        (None, None, None)
    ] * 2


def test_a_photo_that_is_not_the_teachers_is_not_given_out(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    other = make_dataset(tmp_path / "other", rows=3, seed=7)
    OlderScript().write(tmp_path / "old", other, rows=[0])
    import_all(store, tmp_path / "old", dataset)
    [trace] = traces_in(store)
    why = "the photo: it is not the image in its file"
    with pytest.raises(ImageError, match=why):
        write_overlay(trace, tmp_path / "boxes.png", PhotoSource())
    with api.GeoStore(store.path) as opened:
        with pytest.raises(ImageError, match=why):
            opened.restore_image(trace, 0)
        with pytest.raises(ImageError, match=why):
            opened.sent_images(trace)
    shown = geostore(
        "image", trace.name, "--overlay", "--store", store.path, "--out", tmp_path / "boxes.png"
    )
    assert shown.returncode == 1
    assert why in " ".join(shown.stderr.split())
    assert not (tmp_path / "boxes.png").exists()


def test_unknown_images_are_an_error_and_not_an_empty_list(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    OlderScript().write(tmp_path / "old", dataset, rows=[0])
    import_all(store, tmp_path / "old", None)
    with api.GeoStore(store.path) as opened:
        [trace] = opened.traces()
        with pytest.raises(DatasetError, match="imported without its dataset"):
            opened.sent_images(trace)


def test_images_that_no_frame_explains_prove_no_frame(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The files are of other photos, so none of their images tells the frame."""
    other = make_dataset(tmp_path / "other", rows=3, seed=7)
    OlderScript().write(tmp_path / "old", other)
    result = import_all(store, tmp_path / "old", dataset)
    [frame] = result.remade.frames
    assert (frame.choice.known_by, frame.choice.fitting) == ("numbers", 0)
    imported = geostore(
        *("import", tmp_path / "old", "--dataset-path", dataset),
        *("--store", tmp_path / "second.db"),
    )
    assert "0 of 6 fit it, and none fits another frame" in " ".join(imported.stderr.split())


def test_a_trace_that_is_left_out_names_no_files_of_the_others(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Its recipe is not in the manifest either, so the export goes round."""
    other = make_dataset(tmp_path / "other", rows=3, seed=7)
    OlderScript().write(tmp_path / "old" / "good", dataset, rows=[0, 1])
    OlderScript().write(tmp_path / "old" / "bad", other, rows=[2])
    import_all(store, tmp_path / "old", dataset)
    first = export(store, tmp_path / "first", options=ExportOptions(images="embed"))
    assert first.left_out == "1 of 3: 1 with images that cannot be made again"
    names = {path.name for path in (tmp_path / "first").glob("*.json")}
    assert names == {"manifest.json", "trace_00000.json", "trace_00001.json"}
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["recipes"]) == 1
    with Store.open(tmp_path / "other.db", create=True) as second:
        import_all(second, tmp_path / "first", dataset)
        assert (
            export(second, tmp_path / "second", options=ExportOptions(images="embed")).sha256
            == first.sha256
        )
    # With images as references nothing is left out.
    assert (
        export(store, tmp_path / "references", options=ExportOptions(images="reference")).count == 3
    )


def test_a_dataset_that_comes_too_late_is_told_for_copies_of_files_too(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """They are known traces under other names, and stay without photos as the first ones do."""
    paths = OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", None)
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    lines = "".join(f"{path.read_text(encoding='utf-8')}\n" for path in paths)
    (tmp_path / "all.jsonl").write_text(lines, encoding="utf-8")
    for source in ("old", "copy", "all.jsonl"):
        result = import_all(store, tmp_path / source, dataset)
        assert (result.imported, result.known, result.without_dataset) == (0, 3, 3), source
    imported = geostore(
        *("import", tmp_path / "copy", "--dataset-path", dataset, "--model", "older"),
        *("--store", store.path),
    )
    assert "came in before without a dataset" in " ".join(imported.stderr.split())
    import_all(store, tmp_path / "copy", None)
    assert import_all(store, tmp_path / "copy", None).without_dataset == 0
