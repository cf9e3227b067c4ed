"""Images of older traces go round: exported, imported into another store, exported again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from geostore.api import GeoStore
from geostore.export import ExportOptions, ImagesMode, export
from geostore.importing import ImportResult, ReadOptions, import_traces
from geostore.store import Store
from tests.builders import make_dataset
from tests.older_batch import OlderScript, without_images

MODES: tuple[ImagesMode, ...] = ("reference", "embed", "files")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of 480 x 360 pixels."""
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6)


def import_into(path: Path, folder: Path, dataset: Path) -> ImportResult:
    """Import a folder into a store of its own."""
    options = ReadOptions(dataset_path=str(dataset), model="older")
    with Store.open(path, create=True, durability="normal") as store:
        return import_traces(store, folder, options=options, processes=1)


def export_from(path: Path, out: Path, images: ImagesMode, **more: Any) -> dict[str, bytes]:
    """Export a store; the bytes of its files by name."""
    with Store.open(path) as store:
        export(store, out, options=ExportOptions(images=images, **more))
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize("images", MODES)
def test_a_trace_without_images_gets_its_photo_once_however_often_it_goes_round(
    images: ImagesMode, dataset: Path, tmp_path: Path
) -> None:
    """The first export puts the photo into the question; the second one finds it there."""
    for path in OlderScript().write(tmp_path / "old", dataset):
        document = without_images(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(document), encoding="utf-8")
    import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    first = export_from(tmp_path / "a.db", tmp_path / "first", images)
    import_into(tmp_path / "b.db", tmp_path / "first", dataset)
    assert export_from(tmp_path / "b.db", tmp_path / "second", images) == first


def named_elsewhere(form: str, name: str) -> dict[str, Any]:
    """A part of a message that names an image outside the file."""
    if form == "address":
        return {"type": "image_url", "image_url": {"url": f"https://example.org/{name}.jpg"}}
    if form == "path":
        return {"type": "image", "image": f"file:///data/img/{name}.jpg"}
    if form == "member url":
        return {"type": "image", "url": f"https://example.org/{name}.jpg"}
    return {"type": "image", "source": {"type": "url", "url": f"https://example.org/{name}.jpg"}}


def name_images(path: Path, form: str, names: list[str]) -> None:
    """Write a name in place of each image of a file, in the order of the images."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for turn in document["conversation_history"]:
        following = iter(names)
        for message in turn["messages"]:
            if isinstance(message["content"], list):
                message["content"] = [
                    named_elsewhere(form, next(following)) if part["type"] == "image_url" else part
                    for part in message["content"]
                ]
    path.write_text(json.dumps(document), encoding="utf-8")


def images_in_messages(data: bytes) -> list[str]:
    """What stands for each image in the last request of an exported trace."""
    messages = json.loads(data)["conversation_history"][-1]["messages"]
    parts = [p for m in messages if isinstance(m["content"], list) for p in m["content"]]
    return [part["image_url"]["url"] for part in parts if part["type"] != "text"]


@pytest.mark.parametrize("form", ["address", "path", "member url", "source"])
def test_images_that_a_file_names_by_path_or_address_are_replaced_in_an_export(
    form: str, dataset: Path, tmp_path: Path
) -> None:
    """Each name becomes the image that was made again; nothing is put beside it."""
    paths = OlderScript().write(tmp_path / "old", dataset, rows=[0])
    name_images(paths[0], form, ["photo", "zoom-1", "zoom-2"])
    result = import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    assert result.remade.images == {"unseen": 3}
    files = export_from(tmp_path / "a.db", tmp_path / "files", "files", messages="last")
    paths_in_messages = images_in_messages(files["trace_00000.json"])
    hashes = [hashlib.sha256(files[path]).hexdigest() for path in paths_in_messages]
    assert paths_in_messages == [f"images/{sha256[:2]}/{sha256}.jpg" for sha256 in hashes]
    assert len(set(hashes)) == 3
    embedded = export_from(tmp_path / "a.db", tmp_path / "embed", "embed", messages="last")
    urls = images_in_messages(embedded["trace_00000.json"])
    assert [url[:23] for url in urls] == ["data:image/jpeg;base64,"] * 3
    assert len(set(urls)) == 3


def test_one_name_for_several_images_proves_none_of_them(dataset: Path, tmp_path: Path) -> None:
    """Nobody could tell which of them a message means, so the trace is left out and named."""
    paths = OlderScript().write(tmp_path / "old", dataset, rows=[0, 1])
    name_images(paths[0], "path", ["photo", "zoom", "zoom"])
    result = import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    assert result.remade.images == {"exact": 3, "unseen": 1, "not": 2}
    assert result.remade.named[0].why == "its file names 2 images 'file:///data/img/zoom.jpg'"
    assert "trace_00000.json" not in export_from(tmp_path / "a.db", tmp_path / "out", "embed")


@pytest.mark.parametrize("messages", ["delta", "last", "full"])
def test_an_export_with_files_is_imported_with_its_images(
    messages: str, dataset: Path, tmp_path: Path
) -> None:
    """The next export writes the same files, or carries the images in another way."""
    OlderScript().write(tmp_path / "old", dataset)
    import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    first = {
        images: export_from(tmp_path / "a.db", tmp_path / f"a-{images}", images, messages=messages)
        for images in MODES
    }
    result = import_into(tmp_path / "b.db", tmp_path / "a-files", dataset)
    assert (result.imported, result.unproven) == (3, 0)
    for images in MODES:
        again = export_from(tmp_path / "b.db", tmp_path / f"b-{images}", images, messages=messages)
        assert again == first[images]
    assert all(
        url.startswith("data:image/jpeg;base64,")
        for url in images_in_messages(first["embed"]["trace_00000.json"])
    )


def test_a_zoom_that_shows_the_whole_photo_does_not_take_its_place(
    dataset: Path, tmp_path: Path
) -> None:
    """Both have the same bytes and so the same name; the question still holds the photo."""
    steps = ((0.0, 0.0, 1.0, 1.0), (0.1, 0.2, 0.45, 0.7))
    OlderScript(longest=480).write(tmp_path / "old", dataset, rows=[0], steps=steps)
    import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    files = export_from(tmp_path / "a.db", tmp_path / "out", "reference", messages="last")
    messages = json.loads(files["trace_00000.json"])["conversation_history"][-1]["messages"]
    references = [
        part["image_url"]["reference"]
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    assert references[0]["image_index"] == 0
    assert references[0]["operation"] is None
    assert references[2]["image_index"] == 2


def test_what_the_calls_of_the_last_turn_gave_is_no_image_of_the_trace(
    dataset: Path, tmp_path: Path
) -> None:
    """No request followed, so nobody saw it; the trace is as exact as what was seen."""
    path = OlderScript().write(tmp_path / "old", dataset, rows=[0])[0]
    document = json.loads(path.read_text(encoding="utf-8"))
    last = document["conversation_history"][-1]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("image_rotate_tool", {"angle": 90}),
        ("image_zoom_in_tool", {"bbox_2d": [100, 100, 500, 500]}),
    ]
    calls = [{"name": name, "arguments": arguments} for name, arguments in steps]
    words = [f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in calls]
    last["response"] = document["final_response"] = "\n".join(["Once more.", *words])
    document["tool_calls"] += [
        {"turn": last["turn"], "tool_call": call, "success": True} for call in calls
    ]
    document["reward_score"] = {"parse_success": False}
    path.write_text(json.dumps(document), encoding="utf-8")

    result = import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    assert result.remade.images == {"exact": 3}
    with Store.open(tmp_path / "a.db") as store:
        assert (
            export(store, tmp_path / "first", options=ExportOptions(images="files")).unproven == 0
        )
        trace = store.traces.get_trace(1)
    assert [call.image_index for call in trace.calls] == [1, 2, None, None]
    assert [call.source_index for call in trace.calls] == [0, 0, 0, None]
    assert trace.calls[3].box is None


@pytest.mark.parametrize("kind", ["compressed again", "words only", "named by address"])
def test_messages_name_images_by_the_hashes_that_sent_images_gives(
    kind: str, dataset: Path, tmp_path: Path
) -> None:
    """Whatever the file has in the place of an image."""
    script = OlderScript(recompressed=70 if kind == "compressed again" else None)
    path = script.write(tmp_path / "old", dataset, rows=[0])[0]
    if kind == "words only":
        document = without_images(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(document), encoding="utf-8")
    elif kind == "named by address":
        name_images(path, "address", ["photo", "zoom-1", "zoom-2"])
    import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    with GeoStore(tmp_path / "a.db") as store:
        trace = next(iter(store.traces()))
        named = [
            part["image_url"]["url"]
            for message in trace.messages()
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image_url"
        ]
        assert named == [f"sha256:{image.sha256}" for image in store.sent_images(trace)]


def test_messages_name_images_as_their_file_where_one_is_not_proven(
    dataset: Path, tmp_path: Path
) -> None:
    """There is no image of ours to name."""
    path = OlderScript().write(tmp_path / "old", dataset, rows=[0])[0]
    name_images(path, "address", ["photo", "zoom", "zoom"])
    import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    with GeoStore(tmp_path / "a.db") as store:
        messages = next(iter(store.traces())).messages()
    assert messages[1]["content"][0] == named_elsewhere("address", "photo")


def test_the_photo_takes_the_place_that_a_file_keeps_for_it(dataset: Path, tmp_path: Path) -> None:
    """A part ``{"type": "image"}`` shows where it stood, here after the words of the question."""
    path = OlderScript().write(tmp_path / "old", dataset, rows=[0], steps=())[0]
    document = json.loads(path.read_text(encoding="utf-8"))
    question = document["conversation_history"][0]["messages"][1]
    question["content"] = [question["content"][1], {"type": "image"}]
    path.write_text(json.dumps(document), encoding="utf-8")
    import_into(tmp_path / "a.db", tmp_path / "old", dataset)
    first = export_from(tmp_path / "a.db", tmp_path / "first", "files")
    content = json.loads(first["trace_00000.json"])["conversation_history"][0]["messages"][1]
    assert [part["type"] for part in content["content"]] == ["text", "image_url"]
    import_into(tmp_path / "b.db", tmp_path / "first", dataset)
    assert export_from(tmp_path / "b.db", tmp_path / "second", "files") == first
