"""Images of older traces: made again from photo, box and frame, and proven by their pixels."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geostore.errors import ExportError, ImageError, NotFoundError
from geostore.export import ExportOptions, ExportResult, ImagesMode, export
from geostore.identity import sha256_hex
from geostore.importing import ImportResult, ReadOptions, import_traces
from geostore.importing.box_frames import EDGES, FRAME_NAMES, FrameName, box_in_source
from geostore.records import ImageFacts, StoredTrace
from geostore.show.pictures import write_seen
from geostore.show.trace_text import render_trace
from geostore.store import Filter, Store, open_snapshot
from geostore.verify import verify
from geostore.verify.findings import format_text
from tests.builders import make_dataset
from tests.examples import examples
from tests.older_batch import LOOKS, OlderScript, images_of_file, without_images
from tests.running import geostore


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos of 480 x 360 pixels."""
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


def import_all(store: Store, folder: Path, dataset: Path, **options: Any) -> ImportResult:
    chosen = ReadOptions(dataset_path=str(dataset), model="older", **options)
    return import_traces(store, folder, options=chosen, processes=1)


def traces_in(store: Store) -> list[StoredTrace]:
    with open_snapshot(store.path) as snapshot:
        return list(snapshot.traces(Filter()))


def kinds_in(store: Store) -> Counter[str]:
    return Counter(proof.proof for trace in traces_in(store) for proof in trace.image_proofs)


def frame_row(store: Store) -> dict[str, Any]:
    return dict(store.db.connection.execute("select * from box_frames").fetchone())


# --- what can be proven -------------------------------------------------------------------------


@pytest.mark.parametrize("frame", FRAME_NAMES)
def test_the_frame_is_the_one_that_gives_the_images_in_the_files(
    frame: FrameName, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Nobody names it; every image comes out pixel by pixel, and the rows have the boxes."""
    paths = OlderScript(frame=frame).write(tmp_path / "old", dataset)
    result = import_all(store, tmp_path / "old", dataset)
    assert result.remade.images == {"exact": 9}
    row = frame_row(store)
    assert (row["bbox_frame"], row["known_by"]) == (frame, "images")
    assert (row["boxes"], row["fitting"]) == (6, 6)
    for trace, path in zip(traces_in(store), paths, strict=True):
        assert trace.photo is not None
        sent = [trace.photo, *(call.image for call in trace.calls)]
        assert [image.sha256 if image else None for image in sent] == [
            sha256_hex(data) for data in images_of_file(path)
        ]
        for call, look in zip(trace.calls, LOOKS, strict=True):
            assert isinstance(look, tuple)
            assert call.box is not None
            assert (call.source_index, call.success) == (0, True)
            for edge, part, side in zip(call.box, look, (480, 360) * 2, strict=True):
                assert abs(edge - part * side) <= 2


@pytest.mark.parametrize(
    "script",
    [
        OlderScript(frame="pixel", cut_from="sent", quality=95),
        OlderScript(resample=Image.Resampling.BILINEAR, edge=math.floor),
        OlderScript(resample=Image.Resampling.LANCZOS, quality=None),
        OlderScript(longest=480),
    ],
    ids=["cut from what was sent", "edges rounded down", "PNG", "as large as stored"],
)
def test_scripts_made_images_in_many_ways(
    script: OlderScript, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The filter, the quality and the source of zooms are found, and the bytes are the file's."""
    script.write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    assert kinds_in(store) == {"exact": 9}


def test_a_turned_photo_stays_turned_for_the_calls_after_it(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """A zoom after a rotation is cut from the turned photo, as the script did."""
    OlderScript().write(tmp_path / "old", dataset, steps=(90.0, (0.2, 0.3, 0.7, 0.6)))
    import_all(store, tmp_path / "old", dataset)
    assert kinds_in(store) == {"exact": 9}
    call = traces_in(store)[0].calls[1]
    assert (call.source_index, call.image_index) == (1, 2)


def test_an_image_that_was_compressed_again_is_near(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Its pixels differ by a stated little; the row says by how much."""
    OlderScript(quality=90, recompressed=60).write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    assert kinds_in(store) == {"near": 9}
    proofs = [proof for trace in traces_in(store) for proof in trace.image_proofs]
    assert all(0 < (proof.difference or 0) < 8 for proof in proofs)


def test_a_wrong_frame_gives_other_images_and_they_are_named(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Nothing that the teacher did not see counts as seen; the photo itself is proven."""
    OlderScript(frame="norm1000").write(tmp_path / "old", dataset)
    result = import_all(store, tmp_path / "old", dataset, bbox_frame="pixel")
    assert result.remade.images == {"exact": 3, "not": 6}
    assert [(left.image_index, left.turn) for left in result.remade.named] == [(1, 1)] * 3
    trace = traces_in(store)[0]
    assert trace.calls[0].image is None
    assert frame_row(store)["known_by"] == "given"


def test_another_photo_than_the_files_is_no_photo_of_it(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The row has the coordinates, and another picture: the pixels say so."""
    other = make_dataset(tmp_path / "other", rows=3, seed=7)
    OlderScript().write(tmp_path / "old", other)
    result = import_all(store, tmp_path / "old", dataset)
    assert result.remade.images["exact"] == 0
    assert result.remade.left_out == 3
    assert result.remade.named[0].why.startswith("it is not the image in its file")


def test_a_photo_that_was_changed_since_proves_nothing(
    store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trace is named with the reason, and blocks no other."""
    from geostore import importing

    OlderScript().write(tmp_path / "old", dataset)
    with monkeypatch.context() as patch:
        patch.setattr(importing, "remake_images", lambda *_, **__: importing.RemakeResult())
        import_all(store, tmp_path / "old", dataset)
    store.db.execute("update samples set image_sha256 = 'other' where sample_index = 1")
    result = import_all(store, tmp_path / "old", dataset)
    assert result.remade.images == {"exact": 6, "not": 1}
    assert "holds another photo than the store knows" in result.remade.named[0].why


def test_files_without_images_are_read_by_their_numbers_and_that_is_said(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The frame is inferred, and no image counts as proven."""
    for path in OlderScript(frame="full_pixel").write(
        tmp_path / "old", dataset, steps=((0.1, 0.1, 0.9, 0.9), (0.3, 0.5, 1.0, 1.0))
    ):
        document = without_images(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(document), encoding="utf-8")
    import_all(store, tmp_path / "old", dataset)
    assert kinds_in(store) == {"unseen": 9}
    assert frame_row(store)["known_by"] == "numbers"


def test_fractions_are_known_by_their_numbers(store: Store, dataset: Path, tmp_path: Path) -> None:
    """No other frame has boxes within 0 and 1."""
    for path in OlderScript(frame="relative").write(tmp_path / "old", dataset):
        document = without_images(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(document), encoding="utf-8")
    import_all(store, tmp_path / "old", dataset)
    assert frame_row(store)["bbox_frame"] == "relative"
    assert traces_in(store)[0].calls[0].box == (48, 72, 216, 252)


def test_a_call_that_no_tool_can_run_again_is_named(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """A tool of another script, arguments that cannot be read: the trace says which."""
    path = OlderScript().write(tmp_path / "old", dataset, rows=[0])[0]
    document = json.loads(path.read_text(encoding="utf-8"))
    document["tool_calls"][1]["tool_call"]["name"] = "image_describe_tool"
    path.write_text(json.dumps(document), encoding="utf-8")
    result = import_all(store, tmp_path / "old", dataset)
    assert result.remade.images == {"exact": 2, "not": 1}
    assert result.remade.named[0].image_index == 2
    assert "there is no tool 'image_describe_tool'" in result.remade.named[0].why


@settings(max_examples=examples(100), deadline=None)
@given(
    numbers=st.tuples(*[st.floats(-1e6, 1e6, allow_nan=False)] * 4),
    frame=st.sampled_from(FRAME_NAMES),
    edges=st.sampled_from(EDGES),
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    sent=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    grid_is_sent=st.booleans(),
)
def test_a_box_lies_in_its_image_whatever_the_numbers_are(
    numbers: tuple[float, float, float, float],
    frame: FrameName,
    edges: Any,
    size: tuple[int, int],
    sent: tuple[int, int],
    grid_is_sent: bool,
) -> None:
    source = ImageFacts("", *sent, *size)
    found = box_in_source(numbers, frame, source, edges, sent if grid_is_sent else size)
    if found is not None:
        left, top, right, bottom = found[0]
        assert 0 <= left <= right <= size[0]
        assert 0 <= top <= bottom <= size[1]


# --- what is done with it -----------------------------------------------------------------------


def export_to(store: Store, out: Path, images: ImagesMode, **more: Any) -> ExportResult:
    return export(store, out, **more, options=ExportOptions(images=images))


def test_an_export_carries_the_images_of_the_files(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Embedded, the messages of an exact trace are those of its file, byte for byte."""
    paths = OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    assert (
        export(
            store, tmp_path / "out", options=ExportOptions(images="embed", messages="full")
        ).unproven
        == 0
    )
    for path in paths:
        before = json.loads(path.read_text(encoding="utf-8"))["conversation_history"]
        after = json.loads((tmp_path / "out" / path.name).read_text(encoding="utf-8"))
        assert [turn["messages"] for turn in after["conversation_history"]] == [
            turn["messages"] for turn in before
        ]
    export(store, tmp_path / "files", options=ExportOptions(images="files", messages="last"))
    written = {path.read_bytes() for path in (tmp_path / "files" / "images").rglob("*.jpg")}
    assert written == {image for path in paths for image in images_of_file(path)}
    assert len(written) == 9


def test_what_cannot_be_made_again_is_left_out_of_an_export_with_images_and_blocks_nothing(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """It is named with the image; an export of references holds it as before."""
    OlderScript().write(tmp_path / "old", dataset, rows=[0, 1])
    OlderScript().write(tmp_path / "old", make_dataset(tmp_path / "o", rows=4, seed=5), rows=[3])
    import_all(store, tmp_path / "old", dataset)
    for images in ("embed", "files"):
        result = export(store, tmp_path / images, options=ExportOptions(images=images))
        assert result.count == 2
        assert [left.trace.partition("-")[0] for left in result.unwritten] == ["3"]
        assert result.unwritten[0].why.startswith("the photo: it is not the image")
        assert result.left_out == "1 of 3: 1 with images that cannot be made again"
    assert export(store, tmp_path / "reference").count == 3
    with pytest.raises(ExportError, match=r"to export; left out .*the first is 3-"):
        export(
            store,
            tmp_path / "none",
            filters=Filter(where="sample_index = 3"),
            options=ExportOptions(images="embed"),
        )


def test_the_words_of_a_file_without_images_get_their_images_in_an_export(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The photo stands before the question, and each zoom after the turn that asked for it."""
    for path in OlderScript().write(tmp_path / "old", dataset, rows=[0]):
        document = without_images(json.loads(path.read_text(encoding="utf-8")))
        path.write_text(json.dumps(document), encoding="utf-8")
    import_all(store, tmp_path / "old", dataset)
    assert (
        export(
            store, tmp_path / "out", options=ExportOptions(images="files", messages="last")
        ).unproven
        == 1
    )
    trace = json.loads((tmp_path / "out" / "trace_00000.json").read_text(encoding="utf-8"))
    messages = trace["conversation_history"][-1]["messages"]
    assert [message["role"] for message in messages] == [
        *("system", "user", "assistant", "user", "assistant", "user")
    ]
    urls = [
        part["image_url"]["url"]
        for message in messages
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    hashes = [hashlib.sha256((tmp_path / "out" / url).read_bytes()).hexdigest() for url in urls]
    assert urls == [f"images/{sha256[:2]}/{sha256}.jpg" for sha256 in hashes]
    assert hashes == [
        trace["geostore"]["sent"]["sha256"],
        *(call["image"]["sha256"] for call in trace["geostore"]["calls"]),
    ]


def test_an_export_of_images_made_again_goes_round(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Imported into another store and exported again it has the same bytes, proofs and all."""
    OlderScript(recompressed=70).write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    for images in ("reference", "embed"):
        export(store, tmp_path / "first", options=ExportOptions(images=images))
        with Store.open(tmp_path / f"{images}.db", create=True) as other:
            result = import_traces(other, tmp_path / "first")
            assert (result.imported, result.unproven) == (3, 0), result.unproven_why
            assert kinds_in(other) == {"near": 9}
            export(other, tmp_path / "second", options=ExportOptions(images=images))
        assert files_of(tmp_path / "first") == files_of(tmp_path / "second")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_verify_says_what_is_proven_and_finds_a_changed_row(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Images are derived once more and compared; a box that was moved in the store is a failure."""
    OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset)
    report = verify(store.path, workers=1)
    assert report.holds()
    assert (report.images, dict(report.imported_images)) == (9, {"exact": 9})
    assert "9 images  exact: every pixel is the file's" in format_text(report)
    store.db.execute("update tool_calls set box_left = box_left + 20 where turn = 1")
    report = verify(store.path, workers=1)
    assert dict(report.failures) == {"image": 3}


def test_an_image_that_is_not_proven_cannot_be_had(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    from geostore.conversation.images import PhotoSource, trace_images

    OlderScript().write(tmp_path / "old", dataset, rows=[0])
    import_all(store, tmp_path / "old", dataset, bbox_frame="pixel")
    trace = traces_in(store)[0]
    assert len(write_seen(trace, tmp_path / "seen", PhotoSource())) == 1  # the photo is proven
    with pytest.raises(NotFoundError, match="no call of turn 1 gave an image"):
        write_seen(trace, tmp_path / "seen", PhotoSource(), turn=1)
    with pytest.raises(ImageError, match=r"image 1 \(turn 1\): it is not the image"):
        write_seen(trace, tmp_path / "seen", PhotoSource(), every=True)
    with pytest.raises(ImageError, match=r"image 1 \(turn 1\): it is not the image"):
        trace_images(PhotoSource().photo_bytes(trace), trace)


def test_a_trace_is_shown_with_what_was_found_out(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    OlderScript().write(tmp_path / "old", dataset, rows=[0])
    import_all(store, tmp_path / "old", dataset)
    text = render_trace(traces_in(store)[0])
    assert "image_zoom_in_tool on image 0 box [48, 72, 216, 252]" in text
    assert "images          3 exact" in text


def test_another_frame_may_be_named_later(store: Store, dataset: Path, tmp_path: Path) -> None:
    """The files are known, and their images are made again in that frame."""
    OlderScript().write(tmp_path / "old", dataset)
    import_all(store, tmp_path / "old", dataset, bbox_frame="relative")
    assert kinds_in(store)["not"] == 6
    result = import_all(store, tmp_path / "old", dataset, bbox_frame="norm1000")
    assert (result.known, result.remade.traces) == (3, 3)
    assert kinds_in(store) == {"exact": 9}
    assert import_all(store, tmp_path / "old", dataset).remade.traces == 0


def test_an_import_that_is_stopped_goes_on_with_the_images(
    store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed stays, the rest is made by the next import."""
    from geostore.importing import again

    monkeypatch.setattr(again, "_AT_ONCE", 2)
    OlderScript().write(tmp_path / "old", dataset, rows=range(6))
    options = ReadOptions(dataset_path=str(dataset))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_traces(store, tmp_path / "old", options=options, on_remade=stop)
    assert kinds_in(store) == {"exact": 6}
    assert import_all(store, tmp_path / "old", dataset).remade.traces == 4
    assert kinds_in(store) == {"exact": 18}


def test_a_file_that_is_gone_leaves_its_trace_waiting(
    store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next import goes on with it; the others are made meanwhile."""
    from geostore import importing

    paths = OlderScript().write(tmp_path / "old", dataset)
    with monkeypatch.context() as patch:
        patch.setattr(importing, "remake_images", lambda *_, **__: importing.RemakeResult())
        import_all(store, tmp_path / "old", dataset)
    paths[0].rename(tmp_path / "moved.json")
    result = import_all(store, tmp_path / "old", dataset)
    assert (result.remade.traces, result.remade.no_file) == (2, 1)
    (tmp_path / "moved.json").rename(paths[0])
    assert import_all(store, tmp_path / "old", dataset).remade.traces == 1


@pytest.mark.parametrize("form", ["lines", "list"])
def test_traces_in_one_file_have_their_images_too(
    form: str, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """Each line, and each entry of a list, is read once more by its number."""
    paths = OlderScript().write(tmp_path / "old", dataset)
    traces = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    one = tmp_path / ("all.jsonl" if form == "lines" else "all.json")
    lines = "".join(json.dumps(trace) + "\n" for trace in traces)
    one.write_text(lines if form == "lines" else json.dumps(traces), encoding="utf-8")
    assert import_all(store, one, dataset, bbox_frame="pixel").remade.images["not"] == 6
    assert import_all(store, one, dataset, bbox_frame="norm1000").remade.images == {"exact": 9}


def test_the_command_says_what_it_found(dataset: Path, tmp_path: Path) -> None:
    """Frame, proofs and what is left out; then the images are there as for any trace."""
    OlderScript(frame="pixel").write(tmp_path / "old", dataset, rows=[0, 1])
    OlderScript().write(tmp_path / "old", make_dataset(tmp_path / "o", rows=4, seed=5), rows=[3])
    where = ("--store", tmp_path / "geostore.db")
    ended = geostore("import", tmp_path / "old", "--dataset-path", dataset, *where)
    assert ended.returncode == 0
    assert "(pixel); 4 of 6 give the images in the files" in ended.stderr
    assert "images made again for 3 traces: 6 exact, 3 not proven" in ended.stderr
    assert ": the photo: it is not the image in its file" in ended.stderr
    with Store.open(tmp_path / "geostore.db") as store:
        name = traces_in(store)[0].name
    seen = geostore("image", name, "--all", "--out", tmp_path / "seen", *where)
    assert len(seen.stdout.splitlines()) == 3
    told = geostore("export", tmp_path / "out", "--images", "files", *where)
    assert told.returncode == 0
    assert "1 with images that cannot be made again" in told.stderr
    counts = geostore("query", "images_again", "--format", "json", *where)
    assert json.loads(counts.stdout)[0]["traces_left_out"] == 1
