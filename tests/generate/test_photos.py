"""A run reads, strips and hashes each photo once, and sends the photo that its row names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from geostore.dataset import PhotoDataset
from geostore.errors import ImageError
from geostore.generate.photos import RunPhotos
from geostore.identity import sha256_hex
from geostore.imaging import DecodedPhotos
from geostore.imaging.metadata import strip
from tests.minds import zoom_then_answer
from tests.running import run
from tests.teacher_server import teacher_server


def test_each_photo_is_opened_once_in_a_run(
    photo_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()

    def counting(data: bytes) -> object:
        opened[sha256_hex(data)] += 1
        return strip(data)

    monkeypatch.setattr("geostore.imaging.photos.strip", counting)
    with teacher_server(zoom_then_answer) as server:
        run(server.url, photo_dataset, tmp_path / "geostore.db", num_samples=12)
    assert len(opened) == 12
    assert set(opened.values()) == {1}


def test_photos_that_wait_are_bounded_and_the_others_are_read_again(photo_dataset: Path) -> None:
    dataset, decoded = PhotoDataset.open(photo_dataset), DecodedPhotos()
    sizes = [len(dataset.photo_bytes(row)) for row in range(3)]
    reader = RunPhotos(dataset, decoded, most_bytes=sum(sizes[1:]))
    samples = [reader.read_sample(row) for row in (0, 1, 1, 2)]
    waiting = reader._waiting
    assert list(waiting) == [1, 2]
    for row, sample in zip((0, 1, 2), (samples[0], samples[2], samples[3]), strict=True):
        assert sample.photo is not None
        assert reader.load(row, sample.photo) == dataset.photo_bytes(row)
    assert not waiting


def test_what_waits_is_used_only_for_the_photo_that_the_row_names(photo_dataset: Path) -> None:
    dataset = PhotoDataset.open(photo_dataset)
    reader = RunPhotos(dataset, DecodedPhotos())
    reader.read_sample(0)
    other = reader.read_sample(1).photo
    assert other is not None
    with pytest.raises(ImageError, match="another photo"):
        reader.load(0, other)
