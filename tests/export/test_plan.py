"""A dry run says what an export would write, and writes nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import geostore
from geostore.errors import ExportError, FilterError
from geostore.export import FORMATS, ExportOptions, Filter, Format, export, make_splits
from geostore.export.files.checking import check_export
from geostore.export.plan import MEASURED, plan_export
from geostore.store import Store, make_choice
from tests import running
from tests.builders import NO_ANSWER, ZOOM_IN, StoreBuilder, fill
from tests.conftest import photo_bytes, save_dataset
from tests.minds import answer

NO_ROWS = {"README.md", "SHA256SUMS", "manifest.json"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = [photo_bytes(row, size=(200 + row, 150)) for row in range(45)]
    return save_dataset(tmp_path_factory.mktemp("data") / "photos", photos)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    path = tmp_path_factory.mktemp("store") / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        fill(StoreBuilder(store, dataset))
    return path


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    """45 photos with three rollouts each, more than are measured."""
    path = tmp_path_factory.mktemp("larger") / "geostore.db"
    with Store.open(path, create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)
        for row in range(45):
            builder.play(row, [ZOOM_IN, answer(10.0 + row, 20.0 + row)])
            builder.play(row, [answer(10.0 + row, 21.0 + row)], rollout=2)
            builder.play(row, [NO_ANSWER] * 3, rollout=3)
    return path


@pytest.fixture
def store(filled: Path) -> Iterator[Store]:
    with Store.open(filled) as opened:
        yield opened


def options_of(format: Format, **others: Any) -> ExportOptions:
    return ExportOptions(format=format, pairs_for="swift" if format == "pairs" else None, **others)


def size_of(folder: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in NO_ROWS]
    return sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "pairs"])
def test_a_small_export_is_measured_whole(store: Store, tmp_path: Path, format: Format) -> None:
    splits = make_splits("train=0.5,val=0.5")
    plan = plan_export(store, options=options_of(format), splits=splits)
    written = export(store, tmp_path / "out", options=options_of(format), splits=splits)
    assert plan.measured == 5
    assert (plan.count, plan.left_out) == (written.count, written.left_out)
    assert plan.splits == written.splits
    assert plan.size == size_of(tmp_path / "out")
    check = check_export(tmp_path / "out")
    assert plan.rows == check.rows > 0
    # Of images that are only named by their hash, the check reads none.
    assert plan.images == (check.images or 11)
    assert plan.without_photos is None
    assert "about" not in plan.text()
    assert plan.unwritten is None


@pytest.mark.parametrize("trainer", ["swift", "trl", "llamafactory"])
def test_where_the_format_takes_no_trace_nothing_would_be_written(
    store: Store, tmp_path: Path, trainer: Any
) -> None:
    """The export is then an error, and the dry run gives its reasons."""
    asked = ExportOptions(format="pairs", pairs_for=trainer, min_gap=0.9)
    plan = plan_export(store, options=asked)
    assert plan.text() == "would write nothing: no trace is left"
    assert (plan.count, plan.written, plan.rows, plan.images, plan.size) == (0, 0, 0, 0, 0)
    with pytest.raises(ExportError) as refused:
        export(store, tmp_path / "out", options=asked)
    assert plan.left_out is not None
    assert plan.left_out in str(refused.value)
    assert str(refused.value).endswith("apart: geostore generate --rollouts 4")


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_to_write_is_no_error_in_a_dry_run(store: Store, format: Format) -> None:
    """An export without a trace is one; a dry run is asked to find that out."""
    plan = plan_export(store, options=options_of(format), filters=Filter(min_score=2.0))
    assert (plan.count, plan.rows, plan.images, plan.size, plan.measured) == (0, 0, 0, 0, 0)
    assert plan.left_out is not None


def test_a_large_export_is_estimated_from_samples_with_all_their_traces(
    larger: Path, tmp_path: Path
) -> None:
    with Store.open(larger) as store:
        for format in ("jsonl", "sharegpt", "trl-turns", "pairs"):
            plan = plan_export(store, options=options_of(format))
            export(store, tmp_path / format, options=options_of(format))
            assert plan.count == 135
            assert MEASURED / 2 < plan.measured < 135
            assert plan.size == pytest.approx(size_of(tmp_path / format), rel=0.1)
            assert f"(estimated from {plan.measured} traces)" in plan.text()
            turns = store.db.execute("select count(*) from turns").fetchone()[0]
            rows = {"trl-turns": turns, "pairs": 45}.get(format, 135)
            assert plan.rows == pytest.approx(rows, abs=1)
            images = check_export(tmp_path / format).images or 180
            assert plan.images == pytest.approx(images, abs=2)
        pairs = plan_export(store, options=options_of("pairs"))
        assert pairs.text().startswith("would write up to 135 traces, about 90 of them: about 45 r")
        assert pairs.unwritten is not None
        assert plan_export(store, options=options_of("jsonl")).images == pytest.approx(180, abs=2)


def test_an_estimate_follows_no_pattern_in_the_rows(tmp_path: Path, dataset: Path) -> None:
    """Where every third photo has traces unlike the others, every third sample is not measured."""
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, dataset)
        for row in range(45):
            for rollout in (1, 2, 3, 4):
                zooms = [ZOOM_IN] if row % 3 == 0 else []
                script = [*zooms, answer(10.0 + row, 20.0 + row)]
                builder.play(row, script, rollout=rollout)
        plan = plan_export(store, options=options_of("jsonl"))
    assert plan.measured == MEASURED
    assert plan.images == pytest.approx(240, rel=0.2)


def test_a_dry_run_keeps_leaves_out_and_splits_what_the_export_does(
    larger: Path, tmp_path: Path
) -> None:
    splits = make_splits("train=0.7,val=0.3", by="cell:2", seed=1)
    choice = make_choice({"best_of": 2, "balance": "country=50", "order": "random:3"})
    filters = Filter(where="sample_index < 40")
    with Store.open(larger) as store:
        asked: Any = {"filters": filters, "choice": choice, "splits": splits}
        plan = plan_export(store, options=options_of("jsonl"), **asked)
        written = export(store, tmp_path / "out", options=options_of("jsonl"), **asked)
    assert (plan.count, plan.left_out, plan.splits) == (
        written.count,
        written.left_out,
        written.splits,
    )


def test_a_dry_run_writes_nothing(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder, no row about an export, and nothing stays where it was tried."""
    (tmp_path / "tries").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tries"))
    with Store.open(filled) as opened:
        exports = opened.db.execute("select count(*) from exports").fetchone()[0]
    before = filled.read_bytes()
    with geostore.open(filled) as store:
        assert store.plan_export(format="sharegpt", min_score=0.3).count == 3
    with Store.open(filled) as opened:
        assert opened.db.execute("select count(*) from exports").fetchone()[0] == exports
    assert [path.name for path in tmp_path.rglob("*")] == ["tries"]
    assert filled.read_bytes() == before


def test_without_the_photos_all_but_the_bytes_of_the_images_is_said(
    tmp_path: Path, dataset: Path
) -> None:
    moved = shutil.copytree(dataset, tmp_path / "photos")
    with Store.open(tmp_path / "geostore.db", create=True, durability="normal") as store:
        fill(StoreBuilder(store, moved))
        options = options_of("sharegpt")
        with_photos = plan_export(store, options=options)
        shutil.rmtree(moved)
        without = plan_export(store, options=options)
        assert (without.count, without.rows, without.images) == (5, 5, with_photos.images)
        assert 0 < without.size < with_photos.size
        assert without.without_photos is not None
        assert str(moved) in without.without_photos
        assert "without the bytes of the images" in without.text()
        assert "holds:" not in without.text()
        # A format without images needs no photos, and nothing is missing.
        assert plan_export(store, options=options_of("jsonl")).without_photos is None


def test_what_an_export_refuses_a_dry_run_refuses_too(store: Store) -> None:
    for options, filters, error in (
        (ExportOptions(format="jsn"), Filter(), ExportError),  # type: ignore[arg-type]  # refused below
        (ExportOptions(), Filter(statuses=("open",)), ExportError),
        (ExportOptions(), Filter(where="scor > 1"), FilterError),
        (ExportOptions(), Filter(exclude_flags=("truncated",)), ExportError),
    ):
        with pytest.raises(error):
            plan_export(store, options=options, filters=filters)


def test_the_command_says_what_it_would_do(filled: Path, tmp_path: Path) -> None:
    arguments = ("export", tmp_path / "out", "--store", filled, "--dry-run", "--format", "jsonl")
    shown = running.geostore(*arguments, "--best-of", "1", "--split", "train=0.5,val=0.5")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("would write 4 traces: 4 rows, 9 images, ")
    assert "left out 2 of 6: 1 failed, 1 not among the best 1 of their photo\n" in shown.stderr
    assert "(by cell:5, seed 0)" in shown.stderr
    none = running.geostore(*arguments, "--min-score", "2")
    assert none.returncode == 0
    assert none.stdout == "would write nothing: no trace is left\n"
    assert none.stderr.startswith("left out 6 of 6: ")
    assert not (tmp_path / "out").exists()
