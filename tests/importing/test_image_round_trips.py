"""Images of older traces go round: exported, imported into another store, exported again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from geostore.export import ImagesMode, export
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
        export(store, out, images=images, **more)
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
