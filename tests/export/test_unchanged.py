"""An export of an unchanged store writes nothing; and whatever decides what is in it counts."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from geostore.audit import audit
from geostore.cli import app
from geostore.errors import ExportError
from geostore.export import ExportOptions, ExportResult, Filter, export
from geostore.export.files import unchanged
from geostore.export.files.filter_sql import filter_sql
from geostore.export.files.licence import licence_of
from geostore.export.splits import make_splits
from geostore.query.reader import run_query
from geostore.records import DatasetFacts
from geostore.rewards import make_spec, rescore, set_default
from geostore.store import Store, make_choice, open_snapshot
from tests.builders import ZOOM_IN, StoreBuilder, fill, make_dataset
from tests.minds import answer

FILES = ExportOptions(format="sharegpt")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "photos")


@pytest.fixture
def store(tmp_path: Path, dataset: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "a.db", create=True, durability="normal") as opened:
        fill(StoreBuilder(opened, dataset))
        yield opened


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """From each file to its inode and time, which change when it is written."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in [folder, *folder.rglob("*")]
    }


def rows(store: Store) -> int:
    return int(store.db.connection.execute("select count(*) from exports").fetchone()[0])


def test_a_second_export_of_an_unchanged_store_writes_nothing_and_tells_the_same(
    store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for options in (ExportOptions(), FILES):
        first = export(store, out, options=options, filters=Filter(min_score=0.3))
        before, count = stamps(out), rows(store)
        second = export(store, out, options=options, filters=Filter(min_score=0.3))
        assert not first.unchanged
        assert second == replace(first, unchanged=True)
        assert (stamps(out), rows(store)) == (before, count)


def test_an_unchanged_export_tells_its_splits_again(store: Store, tmp_path: Path) -> None:
    splits = make_splits("train=0.5,val=0.5", by="country")
    first = export(store, tmp_path / "out", options=FILES, splits=splits)
    assert first.splits is not None
    second = export(store, tmp_path / "out", options=FILES, splits=splits)
    assert second == replace(first, unchanged=True)
    other = make_splits("train=0.5,val=0.5", by="country", seed=1)
    assert not export(store, tmp_path / "out", options=FILES, splits=other).unchanged


def test_exports_of_several_kinds_are_all_known_to_be_unchanged(
    store: Store, tmp_path: Path
) -> None:
    """One mark serves all of them, and another process that opened the store."""
    for name, options in (("a", ExportOptions()), ("b", FILES)):
        export(store, tmp_path / name, options=options)
    with Store.open(store.path) as other:
        for name, options in (("a", ExportOptions()), ("b", FILES)):
            assert export(other, tmp_path / name, options=options).unchanged


@pytest.mark.parametrize(
    "statement",
    [
        "update datasets set path = path || '/'",
        "update samples set country = 'x' where id = 1",
        "update recipes set model = 'x'",
        "insert into prices values ('m', '', 1, 1, null, null, 'now', 'now')",
        "update traces set stop_reason = 'x' where id = 1",
        "update turns set response = response || ' ' where trace_id = 1 and turn = 1",
        "delete from tool_calls where trace_id = 1",
        "delete from attempts",
        "update answers set lat = 1, lon = 2 where trace_id = 1",
        "update reward_specs set name = 'x'",
        "update rewards set score = 0.5 where trace_id = 1",
        "delete from trace_flags",
        "insert into image_proofs (trace_id, image_index, turn, proof, making) "
        "values (1, 0, 0, 'exact', '{}')",
    ],
)
def test_a_change_of_any_row_that_an_export_reads_counts(
    store: Store, tmp_path: Path, statement: str
) -> None:
    """Whoever makes it: here another program, with SQLite alone."""
    audit(store)
    with store.db.transaction():
        store.db.connection.execute(
            "insert into trace_flags values (1, 'x', 1, 'somewhere', 'now')"
        )
    export(store, tmp_path / "out")
    assert export(store, tmp_path / "out").unchanged
    with closing(sqlite3.connect(store.path)) as other, other:
        assert other.execute(statement).rowcount > 0
    assert not export(store, tmp_path / "out").unchanged
    assert export(store, tmp_path / "out").unchanged


def test_every_table_takes_the_mark_away_or_is_one_that_no_export_reads(store: Store) -> None:
    """A new table has to be put on one side or the other."""
    names = store.db.connection.execute(
        "select name from sqlite_master where type = 'table' and name not like '%sqlite%'"
    )
    watched = store.db.connection.execute(
        "select tbl_name from sqlite_master where type = 'trigger' "
        "and sql like '%delete from export_mark%' group by tbl_name having count(*) = 3"
    )
    unread = {"runs", "imports", "exports", "export_mark", "audit_suites", "box_frames"}
    unread.add("trace_facts")  # what it says follows from the others, which exports read themselves
    assert {row[0] for row in names} - {row[0] for row in watched} == unread


def test_a_row_that_comes_while_an_export_is_written_is_not_missed_later(
    store: Store, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = StoreBuilder(store, dataset)
    out = tmp_path / "out"

    def seal(*arguments: object) -> object:
        builder.play(3, [answer(1.0, 2.0)], rollout=7)
        return sealed(*arguments)  # type: ignore[arg-type]

    from geostore.export.files.folder import ExportFolder

    sealed = ExportFolder.seal
    monkeypatch.setattr(ExportFolder, "seal", seal)
    assert export(store, out).count == 5
    monkeypatch.undo()
    again = export(store, out)
    assert (again.count, again.unchanged) == (6, False)


def test_what_is_rolled_back_is_no_change(store: Store, tmp_path: Path) -> None:
    export(store, tmp_path / "out")
    store.db.connection.execute("begin")
    store.db.connection.execute("update traces set stop_reason = 'x'")
    store.db.connection.execute("rollback")
    assert export(store, tmp_path / "out").unchanged


def test_other_options_filters_and_targets_are_written(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(store, out)
    assert not export(store, out, options=ExportOptions(messages="full")).unchanged
    assert not export(store, out, filters=Filter(min_score=0.1)).unchanged
    assert not export(store, out).unchanged
    assert not export(store, tmp_path / "other").unchanged
    shutil.move(out, tmp_path / "moved")
    assert not export(store, out).unchanged


def test_a_condition_of_the_moment_is_always_asked_again(store: Store, tmp_path: Path) -> None:
    filters = Filter(where="closed_at < datetime('now', '+1 day')")
    assert not export(store, tmp_path / "out", filters=filters).unchanged
    assert not export(store, tmp_path / "out", filters=filters).unchanged


def test_another_program_writes_anew(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(store, tmp_path / "out")
    monkeypatch.setattr(unchanged, "program_hash", lambda: "another")
    assert not export(store, tmp_path / "out").unchanged


def test_a_condition_that_asks_other_tables_is_asked_again(store: Store, tmp_path: Path) -> None:
    """Changes of the runs take no mark away."""
    filters = Filter(where="(Select count(*) from runs) < 100")
    export(store, tmp_path / "out", filters=filters)
    assert not export(store, tmp_path / "out", filters=filters).unchanged


def test_another_tokenizer_in_the_folder_that_was_named_counts(
    store: Store, tmp_path: Path
) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    file = tmp_path / "student" / "tokenizer.json"
    file.parent.mkdir()
    options = replace(FILES, tokenizer=str(file.parent))
    for words in ({"?": 0}, {"?": 0, "a": 1}):
        tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?")).save(str(file))
        assert not export(store, tmp_path / "out", options=options).unchanged
        assert export(store, tmp_path / "out", options=options).unchanged


@pytest.mark.parametrize("library", ["h3", "tokenizers"])
def test_the_version_of_a_library_belongs_to_the_program(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """And one that is not installed is no error."""
    before, version = unchanged.program_hash(), importlib.metadata.version

    def without(name: str) -> str:
        if name == library:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    pytest.importorskip(library)
    monkeypatch.setattr(importlib.metadata, "version", without)
    assert unchanged.program_hash.__wrapped__() != before


def test_the_program_is_its_own_files() -> None:
    assert len(unchanged.program_hash()) == 64
    assert unchanged.program_hash.__wrapped__() == unchanged.program_hash()


def test_photos_that_are_gone_or_others_are_not_overlooked(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    """References need no photos; images of files do, and writing them says what is wrong."""
    export(store, tmp_path / "references")
    export(store, tmp_path / "files", options=FILES)
    dataset.rename(tmp_path / "away")
    assert export(store, tmp_path / "references").unchanged
    with pytest.raises(ExportError, match="--dataset-path"):
        export(store, tmp_path / "files", options=FILES)
    moved = replace(FILES, dataset_path=str(tmp_path / "away"))
    assert export(store, tmp_path / "files", options=moved).unchanged
    make_dataset(dataset, seed=9)
    with pytest.raises(ExportError, match="has changed since"):
        export(store, tmp_path / "files", options=FILES)


def damaged(store: Store, out: Path) -> ExportResult:
    result = export(store, out, options=FILES)
    assert not result.unchanged
    assert export(store, out, options=FILES).unchanged
    return result


def test_a_damaged_file_of_the_target_is_named_and_written_anew(
    store: Store, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = export(store, out, options=FILES)
    image = sorted((out / "images").rglob("*.jpg"))[0]
    name = image.relative_to(out).as_posix()
    data = image.read_bytes()
    image.write_bytes(data[:-1] + b"x")
    assert damaged(store, out).damaged == (name,)
    assert image.read_bytes() == data
    image.unlink()
    assert damaged(store, out).damaged == (name,)
    (out / "manifest.json").write_bytes((out / "manifest.json").read_bytes() + b" ")
    assert damaged(store, out).sha256 == first.sha256


def test_the_command_says_what_was_unchanged_and_what_was_damaged(
    store: Store, tmp_path: Path
) -> None:
    options = ["export", str(tmp_path / "out"), "--store", str(store.path)]
    assert CliRunner().invoke(app, options).output.startswith("wrote 5 traces to")
    again = CliRunner().invoke(app, options)
    assert again.output.startswith("unchanged: 5 traces in")
    assert again.exit_code == 0
    trace = next((tmp_path / "out").glob("trace_*.json"))
    trace.write_text("{}")
    mended = CliRunner().invoke(app, options)
    assert f"1 file of the earlier export was not as written ({trace.name})" in mended.output
    assert "wrote 5 traces to" in mended.output


# --- manifest and README --------------------------------------------------------------------------


SCORED: list[dict[str, Any]] = [
    {"min_score": 0.9},
    {"min_score": 0.8},
    {"min_score": 0.8, "max_distance_km": 5000.0},
    {"min_score": 0.0},
    {"max_distance_km": 5000.0},
    {"where": "score > 0.9 -- or so"},
    {"where": "country = 'france' and Trace_Results.score_or_0 < 0.5 or failure"},
    {"where": "distance_km_or_20000 > 100 or geoguessr_points > 4000 and closed_at > '2001'"},
    {"where": "answer_form = 'boxed' and trace_id in (select trace_id from turns)"},
    # Compared with other traces, whose scores are of the export's reward as well.
    {"where": "score >= (select avg(score) from trace_results)"},
    {"where": "closed_at = (select max(closed_at) from trace_results where score > 0.1)"},
    {
        "where": "sample_index > 0 and score >= (select max(o.score) from Trace_Results as o "
        "where o.country <> trace_results.country) -- or so"
    },
    {"where": "trace in (select trace from trace_results order by score_or_0 desc limit 2)"},
]


@pytest.mark.parametrize(
    "filters",
    [
        Filter(),
        Filter(min_score=0.5),
        Filter(max_distance_km=100.0),
        Filter(model="test-n*"),
        Filter(since="2999-01-01T00:00:00.000Z"),
        Filter(since="2001-01-01T00:00:00.000Z", min_turns=2, max_turns=2),
        Filter(max_tokens=1103),
        Filter(require_tools=True),
        Filter(where="country = 'france' -- or so"),
        Filter(where="country = 'france' or 1", min_score=0.5),
        Filter(flags=("placeholder",)),
        Filter(exclude_flags=("placeholder",)),
        Filter(statuses=("answered",)),
        *(
            Filter(reward=reward, **conditions)
            for reward in (None, "linear(max=200)", "words")
            for conditions in SCORED
        ),
    ],
)
def test_the_filter_of_a_manifest_is_sql_that_keeps_the_same_traces(
    store: Store, tmp_path: Path, filters: Filter
) -> None:
    """Whatever reward is the default, then and later; `geostore query` means the same by all but a
    condition of the user's."""
    audit(store)
    rescore(store.db, make_spec("linear", {"max": "200"}))
    # It gives a score to an answer without coordinates, too.
    words = {"constant": "0.85", "parsed": "0.1"}
    rescore(store.db, make_spec("weighted", words, name="words"))
    with open_snapshot(store.path) as snapshot:
        spec = snapshot.reward_spec(filters)
        kept = sorted(trace.name for trace in snapshot.traces(filters, with_turns=True))
    assert spec is not None
    condition = filter_sql(filters, spec.sha256)
    out = tmp_path / "out"
    if kept:
        assert export(store, out, filters=filters).count == len(kept)
        manifest = json.loads((out / "manifest.json").read_bytes())
        assert manifest["filter_sql"] == condition
        counts = manifest["traces"]
        assert counts["kept"] == len(kept)
        assert counts["kept"] + sum(counts["left_out"].values()) == counts["seen"] == 6
    else:
        with pytest.raises(ExportError, match="no trace is left"):
            export(store, out, filters=filters)
    statement = f"select trace from trace_results where {condition}"
    for default in ("geoguessr", "linear(max=200)", "words"):
        set_default(store.db, default)
        asked = store.db.connection.execute(statement).fetchall()
        assert sorted(trace for (trace,) in asked) == kept
    if filters.where is None:
        assert sorted(trace for (trace,) in run_query(store.path, statement).rows) == kept


def test_a_recipe_is_found_by_the_sql_of_its_hash(store: Store) -> None:
    (sha256,) = store.db.connection.execute(
        "select sha256 from recipes where protocol = 'native'"
    ).fetchone()
    for length in (4, 8, 64):
        condition = filter_sql(Filter(recipe=sha256[:length]), None)
        found = store.db.connection.execute(f"select trace from trace_results where {condition}")
        assert len(found.fetchall()) == 1


def test_the_readme_says_what_is_in_it_how_to_load_it_and_what_may_be_done_with_it(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    (dataset / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Photos\n")
    export(store, tmp_path / "out", options=FILES, filters=Filter(min_score=0.5))
    text = (tmp_path / "out" / "README.md").read_text()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert text.startswith(f"# Training data: {manifest['count']} traces as sharegpt\n")
    assert manifest["filter_sql"] in text
    assert "below 0.5" in text
    assert "dataset_dir" in text
    assert "## Length\n" in text
    assert "The photos of photos: cc-by-4.0, as its dataset says." in text
    assert str(tmp_path) not in text
    assert export(store, tmp_path / "out", options=FILES, filters=Filter(min_score=0.5)).unchanged
    (dataset / "README.md").unlink()
    export(store, tmp_path / "out", options=FILES, filters=Filter(min_score=0.5))
    assert "is not known" in (tmp_path / "out" / "README.md").read_text()


def test_the_readme_says_what_was_chosen_and_how_it_was_written_as_a_user_asks_for_it(
    store: Store, tmp_path: Path
) -> None:
    """Options that are left as they are, and those that the format does not take, stand not."""
    choice = make_choice(
        {"best_of": 1, "balance": "country=500", "dedupe": "text", "order": "random:3"}
    )
    options = ExportOptions(format="swift", mask_turns=("no_op", "failed_call"), shard_size=2)
    splits = make_splits("train=0.9,val=0.1", seed=4)
    export(store, tmp_path / "out", options=options, choice=choice, splits=splits)
    text = (tmp_path / "out" / "README.md").read_text()
    for line in (
        "- `--best-of 1`: of each photo the best 1",
        "- `--dedupe text`: the best of those with the same words",
        "- `--balance country=500`: at most 500 of each value, the best ones",
        "- `--order random:3`: shuffled",
    ):
        assert line in text.splitlines()
    _, _, settings = text.partition("## Options\n\n")
    assert settings.partition("\n\n")[0].splitlines() == [
        "- `--format swift`",
        "- `--shard-size 2`",
        "- `--mask-turns failed_call,no_op`",
        "- `--split train=0.9,val=0.1`",
        "- `--split-seed 4`",
    ]
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        assert in_code or len(line) <= 100 or line.startswith("|") or "`" in line, line


@pytest.mark.parametrize(
    ("name", "text", "licence"),
    [
        ("README.md", "---\nlicense: mit\n---\n", "mit"),
        ("README.md", "---\r\nlicense: 'mit'\r\n---\r\n", "mit"),
        ("README.md", "---\nlicense:\n- mit\n- cc-by-4.0\n---\n", "mit, cc-by-4.0"),
        ("README.md", "license: mit\n", None),
        ("README.md", "---\ntags: []\n---\n", None),
        ("dataset_info.json", '{"license": "odc-by"}', "odc-by"),
        ("dataset_info.json", '{"license": ""}', None),
        ("dataset_info.json", "{", None),
        ("README.md", "\ufeff---\nlicense: mit  # as on the page\n---\n", "mit"),
        ("README.md", "---\nlicense: [mit, cc0-1.0]\n---\n", "mit, cc0-1.0"),
        ("README.md", "---\nlicense: >\n  cc-by-4.0\n---\n", "cc-by-4.0"),
        ("README.md", "---\nlicense: null\n---\n", None),
        ("README.md", "---\nlicense: ~\n---\n", None),
        ("README.md", "---\nlicense: [\n---\n", None),
        (
            "README.md",
            "---\nlicense: other\nlicense_name: own\nlicense_link: LICENSE\n---\n",
            "other, own, LICENSE",
        ),
        ("../README.md", "---\nlicense: mit\n---\n", None),
    ],
)
def test_a_licence_is_read_where_a_dataset_says_it(
    tmp_path: Path, name: str, text: str, licence: str | None
) -> None:
    folder = tmp_path / "hub" / "train"
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8", newline="")
    assert licence_of(facts_at(folder), None) == licence


def facts_at(folder: Path) -> DatasetFacts:
    return DatasetFacts(
        path=str(folder),
        name="x",
        fingerprint=None,
        split=None,
        num_rows=None,
        columns=(),
        column_map={},
    )


@pytest.mark.parametrize(("splits", "licence"), [('["train"]', "mit"), ('["test"]', None)])
def test_the_card_above_a_dataset_counts_where_that_is_one_of_its_splits(
    tmp_path: Path, splits: str, licence: str | None
) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    (tmp_path / "dataset_dict.json").write_text(f'{{"splits": {splits}}}')
    assert licence_of(facts_at(tmp_path / "train"), None) == licence


def test_the_card_at_a_named_path_counts_for_the_dataset_that_is_there_alone(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    with open_snapshot(store.path) as snapshot:
        (facts,) = snapshot.datasets()
    (dataset / "README.md").write_text("---\nlicense: mit\n---\n")
    copy, other = tmp_path / "copy", make_dataset(tmp_path / "other", seed=9)
    shutil.copytree(dataset, copy)
    for folder, licence in ((copy, "cc0-1.0"), (other, "cc-by-4.0")):
        (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
    assert licence_of(facts, str(copy)) == "cc0-1.0"
    assert licence_of(facts, str(other)) == "mit"
    assert licence_of(facts, str(tmp_path / "nowhere")) == "mit"


def test_a_rescore_of_another_reward_counts_too(store: Store, tmp_path: Path) -> None:
    """It is cautious: the rows are others, though this export would not show them."""
    export(store, tmp_path / "out")
    rescore(store.db, make_spec("linear", {"max": "5000"}))
    assert not export(store, tmp_path / "out").unchanged


def test_a_store_that_only_answers_questions_stays_unchanged(
    store: Store, dataset: Path, tmp_path: Path
) -> None:
    export(store, tmp_path / "out")
    list(store.db.connection.execute("select * from trace_results"))
    assert export(store, tmp_path / "out").unchanged
    StoreBuilder(store, dataset).play(1, [ZOOM_IN, answer(1.0, 2.0)], rollout=5)
    assert not export(store, tmp_path / "out").unchanged
