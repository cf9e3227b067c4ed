"""HEIC and AVIF: read where this machine has a reader; else no photo is shut out for it."""

from __future__ import annotations

import io
import sqlite3
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from geostore.errors import ImageError, MachineError
from geostore.imaging import open_photo
from geostore.imaging.formats import reads_heic
from tests.conftest import photo_bytes, save_dataset
from tests.heic import HEIC, SECRETS, heic
from tests.image_samples import SEEN, corners, quarters, saved
from tests.minds import zoom_then_answer
from tests.running import Notes, geostore, run
from tests.teacher_server import teacher_server

needs_heif = pytest.mark.skipif(
    find_spec("pi_heif") is None, reason="needs the extra geostore-distill[heif]"
)


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Python as it is where the package is not installed; undone by `undo`, too."""
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    reads_heic.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    reads_heic.cache_clear()


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query).fetchall()


@needs_heif
def test_a_heic_photo_is_sent_upright_without_metadata_and_proven_by_verify(
    tmp_path: Path,
) -> None:
    store = tmp_path / "s.db"
    dataset = save_dataset(tmp_path / "d", [HEIC, heic(1)])
    with teacher_server(zoom_then_answer) as server:
        assert run(server.url, dataset, store).closed == {"answered": 2}
        body = server.bodies[0]
        sent = b"".join(
            b64decode(part["image_url"]["url"].partition(",")[2])
            for request in server.bodies
            for message in request["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
            if part["type"] == "image_url"
        )
    photo = body["messages"][1]["content"][0]["image_url"]["url"]
    image = Image.open(io.BytesIO(b64decode(photo.partition(",")[2])))
    assert (image.format, image.size) == ("JPEG", (120, 160))
    assert corners(image) == SEEN[6]
    for secret in SECRETS:
        assert secret in HEIC
        assert secret not in sent
    assert rows(store, "select distinct image_format, width, height from samples") == [
        ("HEIF", 120, 160)
    ]
    assert rows(store, "select versions ->> 'pi-heif' is not null from runs") == [(1,)]
    verified = geostore("verify", "--store", store)
    assert verified.returncode == 0, verified.stdout
    assert "2 photos" in verified.stdout


@needs_heif
@pytest.mark.parametrize("end", [60, 300, 600, 880])
def test_a_heic_photo_that_was_cut_is_undecodable(end: int) -> None:
    with pytest.raises(ImageError) as error:
        open_photo(HEIC[:end]).facts()
    assert error.value.kind == "undecodable"


def test_without_a_reader_a_heic_photo_is_no_broken_photo(
    without_heif: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(MachineError) as error:
        open_photo(HEIC)
    assert (error.value.condition, error.value.alone) == ("package", True)
    assert str(error.value) == (
        "a photo is HEIC, which this installation cannot read; install its reader: pip install "
        "'geostore-distill[heif]', or save it as JPEG, then run the same command again; nothing "
        "was recorded of the photo"
    )


def test_a_folder_of_heic_photos_stops_with_what_to_install(
    tmp_path: Path, without_heif: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s.db"
    dataset = save_dataset(tmp_path / "d", [heic(row) for row in range(12)])
    with teacher_server(zoom_then_answer) as server:
        with pytest.raises(MachineError, match=r"pip install 'geostore-distill\[heif\]'"):
            run(server.url, dataset, store, num_samples=None)
        assert server.requests == []
    assert rows(store, "select count(*) from samples") == [(0,)]


@needs_heif
def test_a_heic_photo_among_others_waits_for_its_reader(
    tmp_path: Path, without_heif: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s.db"
    dataset = save_dataset(tmp_path / "d", [photo_bytes(0), HEIC, photo_bytes(1), heic(1)])
    notes = Notes()
    with teacher_server(zoom_then_answer) as server:
        result = run(server.url, dataset, store, notes=notes)
        assert (result.closed, result.remaining) == ({"answered": 2}, 2)
        assert result.set_aside.counts == {"package": 2}
        assert sum("geostore-distill[heif]" in notice for notice in notes.notices) == 1
        assert rows(store, "select count(*) from samples where exclusion is not null") == [(0,)]
        without_heif.undo()
        reads_heic.cache_clear()
        result = run(server.url, dataset, store)
    assert (result.closed, result.done, result.remaining) == ({"answered": 2}, 2, 0)


def test_without_a_reader_an_avif_photo_is_no_broken_photo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some builds of Pillow come without it."""
    photo = saved(quarters(), "AVIF")
    assert open_photo(photo).facts().format == "AVIF"
    monkeypatch.setitem(sys.modules, "PIL._avif", None)
    with pytest.raises(MachineError, match=r"a photo is AVIF.*install a Pillow that reads AVIF"):
        open_photo(photo)


def test_a_folder_of_avif_photos_is_a_dataset(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    lines = ["file_name,lat,lon"]
    for row in range(3):
        (folder / f"{row}.AVIF").write_bytes(photo_bytes(row, format="AVIF"))
        lines.append(f"{row}.AVIF,{10 + row},20")
    (folder / "metadata.csv").write_text("\n".join(lines))
    with teacher_server(zoom_then_answer) as server:
        assert run(server.url, folder, tmp_path / "s.db").closed == {"answered": 3}
    assert geostore("verify", "--store", tmp_path / "s.db").returncode == 0
