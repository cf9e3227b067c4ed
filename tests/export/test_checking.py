"""``export --check``: every format is read again without its store, and what is broken is named."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import geostore
from geostore.cli import app
from geostore.errors import ExportError
from geostore.export import FORMATS, ExportOptions, Format, export
from geostore.export.files import checking, leftovers
from geostore.export.files.checking import check_export
from geostore.export.files.folder import is_export
from geostore.store import Store
from tests.builders import TURN_LEFT, ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.minds import answer


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with Store.open(folder / "geostore.db", create=True, durability="normal") as store:
        builder = StoreBuilder(store, make_dataset(folder / "photos"))
        fill(builder)
        builder.play(0, [ZOOM_IN, TURN_LEFT, answer(-10.0, 20.001)], rollout=4)
    return folder / "geostore.db"


@pytest.fixture(scope="module")
def written(store_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An export of each format, and of those that can carry images in several ways each of them."""
    folder = tmp_path_factory.mktemp("exports")
    exports = {}
    with Store.open(store_path) as store:
        for format in FORMATS:
            for images in FORMATS[format].rules.images:
                name = f"{format}-{images}"
                options = ExportOptions(
                    format=format, images=images, pairs_for="swift" if format == "pairs" else None
                )
                export(store, folder / name, options=options)
                exports[name] = folder / name
        for compress in ("gzip", "zstd"):
            options = ExportOptions(format="jsonl", compress=compress, shard_size=2)
            exports[f"jsonl-{compress}"] = folder / compress
            export(store, folder / compress, options=options)
    return exports


ALL = [f"{format}-{images}" for format in FORMATS for images in FORMATS[format].rules.images]


@pytest.mark.parametrize("name", [*ALL, "jsonl-gzip", "jsonl-zstd"])
def test_an_export_that_was_just_written_holds(written: dict[str, Path], name: str) -> None:
    result = check_export(written[name])
    assert result.problems == ()
    assert result.holds()
    manifest = json.loads((written[name] / "manifest.json").read_bytes())
    assert result.format == manifest["format"]
    assert result.rows > 0
    if not name.endswith(("reference", "gzip", "zstd")):
        assert result.images >= result.rows
    if "-rl-" not in name:
        assert result.learnt
        assert not any("tool_response" in text for text in result.learnt)
    trainer = FORMATS[manifest["format"]].rules.trainer
    words = (
        "the reader of chat was not asked" if name.startswith("chat") else trainer or "no trainer"
    )
    assert words in result.loader


def test_what_is_learnt_in_the_first_row_is_the_teachers_words(written: dict[str, Path]) -> None:
    for name in ("sharegpt-files", "trl-embed", "jsonl-reference", "verl-sft-text-embed"):
        learnt = check_export(written[name]).learnt
        assert len(learnt) == 3
        assert "image_zoom_in_tool" in learnt[0]
        assert "boxed" in learnt[-1]


def test_an_export_needs_no_store_and_may_be_moved(
    written: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("sharegpt-files", "trace-files"):
        shutil.copytree(written[name], tmp_path / name)
        assert geostore.check_export(tmp_path / name).holds()


# --- controls: what is broken is found ------------------------------------------------------------


def resealed(folder: Path) -> None:
    """Let the hashes fit again, as whoever breaks an export on purpose would."""
    names = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["sha256"] = hashlib.sha256("".join(lines).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def with_rows(folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the rows of an export's first file of rows, and seal it again."""
    (path, *_) = [*sorted(folder.glob("*.jsonl")), *sorted(folder.glob("*.parquet"))]
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        change(rows)
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        table = parquet.read_table(path)
        rows = table.to_pylist()
        change(rows)
        parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), path)
    resealed(folder)


IMAGES_BESIDE = [
    "sharegpt-files",
    "sharegpt-embed",
    "trl-embed",
    "trl-turns-embed",
    "trl-rl-embed",
    "verl-sft-embed",
    "verl-sft-text-embed",
    "verl-rl-embed",
    "swift-files",
    "pairs-files",
]


@pytest.mark.parametrize("name", IMAGES_BESIDE)
def test_an_image_too_few_is_found_in_every_format_and_its_row_named(
    written: dict[str, Path], tmp_path: Path, name: str
) -> None:
    shutil.copytree(written[name], tmp_path / "out")
    with_rows(tmp_path / "out", lambda rows: rows[-1]["images"].pop())
    (problem,) = check_export(tmp_path / "out").problems
    assert f", row {check_export(written[name]).rows}" in problem
    assert " places for " in problem


@pytest.mark.parametrize("name", IMAGES_BESIDE)
def test_an_image_too_many_is_found_in_every_format(
    written: dict[str, Path], tmp_path: Path, name: str
) -> None:
    shutil.copytree(written[name], tmp_path / "out")
    with_rows(tmp_path / "out", lambda rows: rows[0]["images"].append(rows[0]["images"][0]))
    (problem,) = check_export(tmp_path / "out").problems
    assert ", row 1" in problem


def no_image(rows: list[dict[str, Any]]) -> None:
    rows[0]["images"][0]["bytes"] = b"<html>"


def header_alone(rows: list[dict[str, Any]]) -> None:
    rows[0]["images"][0]["bytes"] = rows[0]["images"][0]["bytes"][:20]


def outside(rows: list[dict[str, Any]]) -> None:
    rows[0]["images"][0] = "../../etc/hosts"


def nowhere(rows: list[dict[str, Any]]) -> None:
    rows[0]["images"][0] = "images/00/nothing.jpg"


def without_image(rows: list[dict[str, Any]]) -> None:
    rows[0]["images"].pop()
    question = next(m for m in rows[0]["conversations"] if "<image>" in m["value"])
    question["value"] = question["value"].replace("<image>", "a photo", 1)


def without_parts(rows: list[dict[str, Any]]) -> None:
    for message in rows[0]["messages"]:
        if isinstance(message["content"], list):
            message["content"] = [p for p in message["content"] if p["type"] != "image_url"]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("sharegpt-files", outside, "lies outside of the export"),
        ("sharegpt-files", nowhere, "there is no image images/00/nothing.jpg"),
        ("trl-embed", no_image, "an image is no JPEG, PNG or WebP"),
        ("trl-embed", header_alone, "an image is no JPEG, PNG or WebP"),
        ("trl-embed", lambda rows: rows.pop(), "rows of 5 traces, and the manifest says 6"),
        ("jsonl-reference", lambda rows: rows.pop(), "rows of 5 traces, and the manifest says 6"),
        ("swift-files", lambda rows: rows.clear(), "there is no row"),
        ("verl-rl-embed", lambda rows: rows.pop(), "rows, and the manifest says"),
        ("trl-rl-embed", lambda rows: rows.pop(), "rows, and the manifest says"),
        ("trl-turns-embed", lambda rows: rows.pop(), "rows, and the manifest says"),
        ("pairs-files", lambda rows: rows.pop(), "rows, and the manifest says"),
        ("sharegpt-files", lambda rows: rows.append(rows[0]), "there are 7 rows, and the manifest"),
        ("sharegpt-files", without_image, "images, and the manifest says"),
        ("chat-embed", without_parts, "images, and the manifest says"),
        ("sharegpt-files", lambda rows: rows[0].update(images=5), "row 1: it cannot be checked"),
        ("sharegpt-files", lambda rows: rows[0].update(images=["a\0b"]), "traces.jsonl, row 1"),
        ("sharegpt-files", lambda rows: rows[0].update(images=["a" * 5000]), "traces.jsonl, row 1"),
        ("sharegpt-files", lambda rows: rows[0].update(conversations=7), "traces.jsonl, row 1"),
    ],
)
def test_what_no_hash_would_tell_is_found(
    written: dict[str, Path],
    tmp_path: Path,
    name: str,
    change: Callable[[list[dict[str, Any]]], object],
    words: str,
) -> None:
    shutil.copytree(written[name], tmp_path / "out")
    with_rows(tmp_path / "out", change)
    assert any(words in problem for problem in check_export(tmp_path / "out").problems)


def test_a_damaged_a_missing_and_a_strange_file_are_named(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written["sharegpt-files"], out)
    first, second = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.jpg"))[:2]
    (out / first).write_bytes(b"x")
    (out / second).unlink()
    (out / "notes.txt").write_text("mine")
    problems = check_export(out).problems
    assert f"{first} is missing, or is not what was written" in problems
    assert f"{second} is missing, or is not what was written" in problems
    assert "notes.txt was not written by the export" in problems
    assert any(f"there is no image {second}" in problem for problem in problems)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("jsonl-gzip", "traces-00000.jsonl.gz"),
        ("jsonl-zstd", "traces-00000.jsonl.zst"),
        ("trl-embed", "traces.parquet"),
        ("jsonl-reference", "traces.jsonl"),
        ("hf-embed", "train/data.arrow"),
    ],
)
def test_a_file_that_was_cut_is_a_problem_and_no_traceback(
    written: dict[str, Path], tmp_path: Path, name: str, file: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written[name], out)
    data = (out / file).read_bytes()
    (out / file).write_bytes(data[: len(data) // 2])
    problems = check_export(out).problems
    assert problems[0] == f"{file} is missing, or is not what was written"
    assert any(problem.startswith(f"{file}, row ") for problem in problems[1:])


def test_a_row_without_its_line_or_its_replies_is_found(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written["sharegpt-files"], out)
    lines = (out / "rows.index").read_bytes().splitlines(keepends=True)
    (out / "rows.index").write_bytes(b"".join([*lines[:-1], lines[0]]))
    resealed(out)
    problems = check_export(out).problems
    assert problems[0] == "traces.jsonl, row 6: rows.index has no line about it"
    assert problems[1].startswith("rows.index, line 6, is about ")
    (out / "rows.index").unlink()
    sums = (out / "SHA256SUMS").read_text().splitlines(keepends=True)
    (out / "SHA256SUMS").write_text("".join(line for line in sums if "rows.index" not in line))
    resealed(out)
    assert check_export(out).problems == ("rows.index is missing, so the rows cannot be imported",)


@pytest.mark.parametrize("name", ["sharegpt-files", "swift-files", "trl-embed", "verl-sft-embed"])
def test_a_row_that_was_cut_is_found(written: dict[str, Path], tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(written[name], out)

    def cut(rows: list[dict[str, Any]]) -> None:
        messages = rows[0].get("messages") or rows[0].get("conversations")
        assert messages is not None
        messages.pop()

    with_rows(out, cut)
    assert any("row 1: " in p and "replies" in p for p in check_export(out).problems)


def test_an_image_that_took_anothers_place_is_found(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written["sharegpt-files"], out)
    first, second = sorted(out.rglob("*.jpg"))[:2]
    first.write_bytes(second.read_bytes())
    resealed(out)
    (problem,) = check_export(out).problems
    assert problem.endswith(f"{first.name} holds another image than its name says")


def test_a_manifest_that_says_no_counts_is_a_problem(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written["sharegpt-files"], out)
    manifest = json.loads((out / "manifest.json").read_bytes())
    for name in ("count", "counts"):
        (out / "manifest.json").write_text(json.dumps({**manifest, name: None}))
        assert "manifest.json has no count" in check_export(out).problems[0]
    del manifest["format"]
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match=r"manifest\.json names no format"):
        check_export(out)


def test_a_list_of_hashes_that_is_no_text_is_damaged_and_no_traceback(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written["sharegpt-files"], out)
    data = (out / "SHA256SUMS").read_bytes()
    (out / "SHA256SUMS").write_bytes(data.replace(b"README", b"READ\xffE"))
    problems = check_export(out).problems
    assert problems[0] == "SHA256SUMS is missing, or is not what was written"
    assert "README.md was not written by the export" in problems
    manifest = json.loads((out / "manifest.json").read_bytes())
    manifest["sha256"] = hashlib.sha256((out / "SHA256SUMS").read_bytes()).hexdigest()
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert check_export(out).problems[0].startswith("READ\\udcffE.md is missing")


def test_links_to_folders_and_empty_folders_are_strangers(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out, away = tmp_path / "out", tmp_path / "away"
    shutil.copytree(written["sharegpt-files"], out)
    away.mkdir()
    (away / "mine.txt").write_text("mine")
    (out / "link").symlink_to(away)
    (out / "images" / "empty" / "inside").mkdir(parents=True)
    assert check_export(out).problems == (
        "images/empty/inside/ was not written by the export",
        "link/ was not written by the export",
    )


def test_an_export_that_was_half_removed_is_none_any_more(
    written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put back as the target it would look like a whole one."""
    aside = tmp_path / ".out.replaced-00000000"
    shutil.copytree(written["sharegpt-files"], aside)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            leftovers.remove(aside)
    assert (aside / "SHA256SUMS").is_file()
    leftovers.clean(tmp_path / "out", is_export=is_export)
    assert not (tmp_path / "out").exists()
    assert not aside.exists()


def test_a_folder_that_is_no_export_is_refused(written: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is no export of geostore's"):
        check_export(tmp_path)
    shutil.copytree(written["jsonl-reference"], tmp_path / "out")
    (tmp_path / "out" / "SHA256SUMS").unlink()
    with pytest.raises(ExportError, match="has no SHA256SUMS"):
        check_export(tmp_path / "out")


def test_the_command_prints_what_is_learnt_or_exits_with_1_and_a_list(
    written: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(written["sharegpt-files"], out)
    held = CliRunner().invoke(app, ["export", "--check", str(out)])
    assert held.exit_code == 0, held.output
    assert "sharegpt, 6 rows" in held.output
    assert "learnt in the first row, 1 of 3: <think>A sign.</think>" in held.output
    assert "nothing is wrong" in held.output
    with_rows(out, lambda rows: [row["images"].pop() for row in rows])
    broken = CliRunner().invoke(app, ["export", "--check", str(out)])
    assert broken.exit_code == 1
    assert broken.output.count("wrong: traces.jsonl, row ") == 6
    assert "nothing is wrong" not in broken.output


def test_a_loader_that_is_installed_is_asked(
    written: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the trainer is not installed the check says so; else its loader's word counts."""
    format: Format = "sharegpt"
    writer = replace(FORMATS[format], loads=lambda folder: f"loaded {folder.name}")
    monkeypatch.setattr(checking, "writer_of", lambda options: writer)
    assert "not installed" in check_export(written["sharegpt-files"]).loader
    monkeypatch.setitem(checking._PACKAGES, "LLaMA-Factory", "json")
    assert check_export(written["sharegpt-files"]).loader == "loaded sharegpt-files"


@pytest.mark.parametrize("name", ["sharegpt-files", "trl-embed"])
def test_an_exchange_of_images_between_two_rows_is_found(
    written: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """Each image is whole and has a place, but it is another trace's."""
    out = tmp_path / "out"
    shutil.copytree(written[name], out)

    def exchange(rows: list[dict[str, Any]]) -> None:
        first, last = rows[0]["images"], rows[-1]["images"]
        assert first[0] != last[0]
        first[0], last[0] = last[0], first[0]

    with_rows(out, exchange)
    problems = check_export(out).problems
    assert len(problems) == 2
    assert all("are not those of its line in rows.index" in problem for problem in problems)
