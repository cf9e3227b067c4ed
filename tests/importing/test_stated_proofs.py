"""Exports whose statements about images were edited: they prove nothing, and nothing breaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from geostore.export import ExportOptions, export
from geostore.importing import ReadOptions, import_traces
from geostore.store import Store
from tests.builders import make_dataset
from tests.older_batch import LOOKS, OlderScript

Edit = Callable[[dict[str, Any]], Any]
"""Changes the member ``geostore`` of an exported trace."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("data") / "photos", rows=3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as opened:
        yield opened


EDITS: dict[str, Edit] = {
    "filter": lambda own: own["image_proofs"][0]["making"].update(resample="bogus"),
    "quality": lambda own: own["image_proofs"][1]["making"].update(quality="x"),
    "no quality": lambda own: own["image_proofs"][1]["making"].update(quality=0),
    "subsampling": lambda own: own["image_proofs"][1]["making"].update(subsampling="9"),
    "cut from": lambda own: own["image_proofs"][0]["making"].update(cut_from="nowhere"),
    "as stored": lambda own: own["image_proofs"][0]["making"].update(as_stored="yes"),
    "no making": lambda own: own["image_proofs"][1].update(making=None),
    "kind": lambda own: own["image_proofs"][1].update(proof="surely"),
    "difference": lambda own: own["image_proofs"][1].update(difference={"a": 1}),
    "turn of text": lambda own: own["image_proofs"][1].update(turn="x"),
    "large turn": lambda own: own["image_proofs"][1].update(turn=2**62),
    "twice": lambda own: own["image_proofs"][1].update(image_index=0),
    "left out": lambda own: own["image_proofs"].pop(1),
    "last left out": lambda own: own["image_proofs"].pop(),
    "no texts": lambda own: own["image_proofs"][1].update(proof="not", why=["a"], making=None),
    "no list": lambda own: own.update(image_proofs=7),
    "source": lambda own: own["calls"][0].update(source_index=7),
    "itself": lambda own: own["calls"][0].update(source_index=1),
    "outside": lambda own: own["calls"][0].update(box=[0, 0, 10**9, 10**9]),
    "empty box": lambda own: own["calls"][0].update(box=[9, 9, 9, 9]),
    "number": lambda own: own["calls"][1].update(image_index=1),
    "no photo": lambda own: own.update(sent=None),
    "wide": lambda own: own["sent"].update(width=2**40),
    "no size": lambda own: own["calls"][0]["image"].update(height=0),
    "large": lambda own: own["calls"][0]["image"].update(width=60_000, height=60_000),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_an_edited_statement_proves_nothing(
    edit: Edit, store: Store, dataset: Path, tmp_path: Path
) -> None:
    """The trace comes in as anybody's; views and exports work on it and on the others."""
    OlderScript().write(tmp_path / "old", dataset, rows=[0, 1])
    options = ReadOptions(dataset_path=str(dataset), model="older")
    import_traces(store, tmp_path / "old", options=options, processes=1)
    export(store, tmp_path / "out")
    path = tmp_path / "out" / "trace_00000.json"
    document = json.loads(path.read_bytes())
    edit(document["geostore"])
    path.write_text(json.dumps(document))
    with Store.open(tmp_path / "other.db", create=True) as other:
        result = import_traces(other, tmp_path / "out", options=options, processes=1)
        assert (result.imported, result.unproven, result.skipped) == (2, 1, {})
        assert (result.unproven_why or "").startswith("it does not hold what an export writes")
        assert (
            export(other, tmp_path / "embedded", options=ExportOptions(images="embed")).count == 2
        )


@pytest.mark.parametrize(
    ("script", "steps", "options"),
    [
        (OlderScript(quality=None), LOOKS, {}),
        (OlderScript(recompressed=60), LOOKS, {}),
        (OlderScript(frame="pixel", cut_from="sent"), LOOKS, {}),
        (OlderScript(longest=480), LOOKS, {}),
        (OlderScript(), (90.0, (0.2, 0.3, 0.7, 0.6)), {}),
        (OlderScript(), (30.0, 45.0), {}),
        (OlderScript(), LOOKS, {"bbox_frame": "pixel"}),
    ],
    ids=["PNG", "near", "cut from what was sent", "as stored", "turned", "turned twice", "not"],
)
def test_what_an_import_proves_is_taken_from_its_export(
    script: OlderScript,
    steps: Any,
    options: dict[str, Any],
    store: Store,
    dataset: Path,
    tmp_path: Path,
) -> None:
    """The checks refuse nothing that an export writes of images that were really made again."""
    script.write(tmp_path / "old", dataset, steps=steps)
    chosen = ReadOptions(dataset_path=str(dataset), model="older", **options)
    import_traces(store, tmp_path / "old", options=chosen, processes=1)
    export(store, tmp_path / "out")
    with Store.open(tmp_path / "other.db", create=True) as other:
        result = import_traces(other, tmp_path / "out")
        assert (result.imported, result.unproven) == (3, 0), result.unproven_why
