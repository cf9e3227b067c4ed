"""What the formats of an export are given, and that each is listed everywhere it can be chosen."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from pyarrow import ipc, parquet
from typer.testing import CliRunner

from geostore.cli import app
from geostore.conversation.sent import sent_messages
from geostore.errors import ExportError, ImageError
from geostore.export import (
    FORMATS,
    ExportedTrace,
    ExportOptions,
    ExportStream,
    Filter,
    Format,
    export,
)
from geostore.export.files.folder import ExportFolder, partial_folder
from geostore.export.images import ImagesMode
from geostore.export.keywords import ExportKeywords
from geostore.store import Store, open_snapshot
from tests.builders import StoreBuilder, fill, make_dataset

MODES: tuple[ImagesMode, ...] = get_args(ImagesMode)
PROMPTS = ("trl-rl", "verl-rl")
"""Formats whose rows are of no trace: several traces have the same."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, make_dataset(folder / "photos")))
    return folder / "geostore.db"


def stream(store: Path, folder: ExportFolder, images: ImagesMode) -> Iterator[ExportedTrace]:
    with open_snapshot(store) as snapshot:
        yield from ExportStream(snapshot, Filter(), folder, options=ExportOptions(images=images))


def image_hashes(exported: ExportedTrace) -> list[str]:
    """The hashes that stand for images in the messages, in order."""
    return [
        sha256
        for added in exported.messages
        for message in added
        for sha256 in re.findall(r"sha256:([0-9a-f]{64})", message.canonical.decode())
    ]


def test_every_format_can_be_chosen_by_its_name_from_python_and_in_a_shell() -> None:
    """A format that is written and not listed would be one that nobody can use."""
    help_page = CliRunner().invoke(app, ["export", "--help"], env={"COLUMNS": "200"}).output
    about = re.search(r"--format NAME\s(.*?)\[default", help_page, re.DOTALL)
    assert about is not None
    assert tuple(FORMATS) == get_args(Format) == tuple(re.findall(r"([a-z-]+):", about[1]))
    for format in FORMATS:
        command = ["export", "x", "--store", "no.db", "--format", format]
        assert "'--format'" not in CliRunner().invoke(app, command).output


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_says_how_many_traces_it_wrote(
    filled: Path, tmp_path: Path, format: Format
) -> None:
    with Store.open(filled) as store:
        options = ExportOptions(format=format)
        if format == "pairs":  # of all other formats, every trace is written
            options = ExportOptions(format=format, pairs_for="swift", pairs_as="kto")
        assert export(store, tmp_path / "out", options=options).count == 5
    if format in PROMPTS:
        return
    written = list((tmp_path / "out").rglob("trace_*.json"))
    lines = [path.read_bytes().splitlines() for path in (tmp_path / "out").glob("*.jsonl")]
    # A trace may have several rows.
    for path in (tmp_path / "out").glob("*.parquet"):
        lines.append(parquet.read_table(path, columns=["trace"]).column("trace").unique())
    for path in (tmp_path / "out").glob("*/*.arrow"):
        with path.open("rb") as file:
            lines.append(ipc.open_stream(file).read_all().column("trace").to_pylist())
    assert len(written) + sum(map(len, lines)) == 5


@pytest.mark.parametrize("images", MODES)
def test_a_format_gets_every_image_in_the_order_in_which_the_messages_name_them(
    filled: Path, tmp_path: Path, images: ImagesMode
) -> None:
    """A trainer fills the n-th placeholder with the n-th image."""
    counts = []
    with partial_folder(tmp_path / "out") as folder:
        for exported in stream(filled, folder, images):
            assert [image.number for image in exported.images] == list(range(len(exported.images)))
            assert [image.facts.sha256 for image in exported.images] == image_hashes(exported)
            assert [image.call is None for image in exported.images].index(True) == 0
            for image in exported.images:
                assert (image.sent is None) == (images == "reference")
                assert (image.path is None) == (images != "files")
                if image.sent is not None:
                    assert hashlib.sha256(image.sent.data).hexdigest() == image.facts.sha256
                if image.path is not None:
                    data = (folder.path / image.path).read_bytes()
                    assert hashlib.sha256(data).hexdigest() == image.facts.sha256
            counts.append(len(exported.images))
    assert sorted(counts) == [1, 2, 2, 3, 3]


def test_a_format_gets_the_requests_as_they_were_sent(filled: Path, tmp_path: Path) -> None:
    with partial_folder(tmp_path / "out") as folder:
        for exported in stream(filled, folder, "reference"):
            assert [list(added) for added in exported.messages] == sent_messages(exported.trace)
            assert len(exported.messages) == len(exported.trace.turns)


def test_no_two_traces_of_a_stream_are_given_the_same_file(filled: Path, tmp_path: Path) -> None:
    with partial_folder(tmp_path / "out") as folder:
        stems = [(e.folder, e.stem) for e in stream(filled, folder, "reference")]
    assert len(set(stems)) == len(stems) == 5


def test_a_trace_whose_photo_is_not_known_has_no_messages_and_is_named_by_the_export(
    filled: Path, tmp_path: Path
) -> None:
    """Without the photo's hash no request can be proven, so none is written."""
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(filled.read_bytes())
    with closing(sqlite3.connect(damaged)) as connection, connection:
        connection.execute(
            "update traces set sent_sha256 = null, sent_pixels_xxh128 = null, sent_width = null, "
            "sent_height = null where id = 1"
        )
    connection.close()
    with Store.open(damaged) as store:
        trace = store.traces.get_trace(1)
        with pytest.raises(ImageError, match="which photo was sent") as refused:
            sent_messages(trace)
        assert refused.value.kind == "unknown"
        assert sent_messages(replace(trace, turns=())) == []
        with pytest.raises(ExportError, match=re.escape(trace.name)):
            export(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_python_takes_every_option_of_an_export_as_a_keyword() -> None:
    """With the same types, so that a type checker knows what a caller may write."""
    options = get_type_hints(ExportOptions)
    keywords = get_type_hints(ExportKeywords)
    assert {name: keywords.get(name) for name in options} == options
