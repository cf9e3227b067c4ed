"""A store is proven by deriving everything again; each kind of damage is found, named, and told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import geostore
from geostore.store import Store
from geostore.verify import Report, format_json, format_text, verify
from geostore.verify.findings import MOST_LISTED, Finding, ReportDraft
from tests import minds
from tests.builders import (
    BAD_BOX,
    NATIVE_RECIPE,
    TURN_LEFT,
    ZOOM_IN,
    Line,
    StoreBuilder,
    fill,
    make_dataset,
    native,
)
from tests.conftest import photo_bytes, save_dataset
from tests.hand_made import write_facts
from tests.minds import ZOOM, answer
from tests.running import geostore as run_geostore
from tests.running import run, start_geostore
from tests.teacher_server import teacher_server

SMALL = 60_000  # pixels; the photos are larger, so what is sent of them is encoded here
PHOTOS = [photo_bytes(700 + row, size=(480, 360)) for row in range(5)]
HOW = (
    {"protocol": "text", "bbox_frame": "norm1000"},
    {"protocol": "native", "bbox_frame": "norm1000_yx"},
    {"protocol": "text", "bbox_frame": "pixel", "model": "qwen2.5-vl-7b"},
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset and a store that generate filled through both protocols."""
    folder = tmp_path_factory.mktemp("verify")
    save_dataset(folder / "photos", PHOTOS)
    with teacher_server(minds.wanderer) as server:
        for how in HOW:
            recipe = {"max_pixels": SMALL, **how}
            run(server.url, folder / "photos", folder / "geostore.db", num_samples=5, recipe=recipe)
        recipe = {"max_pixels": SMALL, **HOW[0]}
        run(
            server.url,
            folder / "photos",
            folder / "geostore.db",
            num_samples=5,
            recipe=recipe,
            rollouts=2,
        )
    return folder


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """A copy of that store, to be damaged; its dataset stays where it is."""
    shutil.copy(made / "geostore.db", tmp_path / "geostore.db")
    return tmp_path / "geostore.db"


def alter(path: Path, statement: str, *values: object) -> None:
    """Change a store behind geostore's back; trace_facts, which is compared by itself, follows."""
    connection = sqlite3.connect(path)
    connection.execute("pragma ignore_check_constraints = on")
    assert connection.execute(statement, values).rowcount > 0
    write_facts(connection)
    connection.commit()
    connection.close()


def found(path: Path, **options: Any) -> Report:
    return verify(path, workers=1, **options)


def failures(report: Report) -> dict[str, set[str | None]]:
    """The traces that failed, by check."""
    by_check: dict[str, set[str | None]] = {}
    for finding in report.findings:
        if finding.severity == "failure":
            by_check.setdefault(finding.check, set()).add(finding.trace)
    return by_check


def pick(path: Path, condition: str) -> tuple[int, str]:
    """The id and the name of the first trace that fulfils a condition on `t`, its row in traces."""
    with Store.open(path) as store:
        row = store.db.connection.execute(
            f"select t.id from traces as t where {condition} order by t.id"
        ).fetchone()
        assert row is not None, f"no trace where {condition}"
        return row["id"], store.traces.get_trace(row["id"]).name


WITH_LATER_TURN = (
    "exists (select 1 from tool_calls c join turns u on u.trace_id = c.trace_id "
    "and u.turn = c.turn + 1 where c.trace_id = t.id and c.image_sha256 is not null)"
)


# --- what is sound ------------------------------------------------------------------------------


def test_everything_that_generate_stored_is_derived_again(made: Path) -> None:
    """Two protocols, three frames, several rollouts; counted against the rows themselves."""
    report = found(made / "geostore.db")
    assert report.findings == ()
    assert report.holds(strict=True)
    with Store.open(made / "geostore.db") as store:

        def count(what: str) -> int:
            return int(store.db.connection.execute(f"select count(*) from {what}").fetchone()[0])

        assert report.traces == count("traces") == 20
        assert report.turns == count("turns")
        assert report.images == 20 + count("tool_calls where image_sha256 is not null")
        hashed = count("tool_calls where image_pixels_xxh128 is not null")
        assert hashed == count("tool_calls where image_sha256 is not null") > 10
        assert count("traces where sent_pixels_xxh128 is not null") == 20
    assert report.photos == 5


def test_several_processes_find_what_one_finds(path: Path) -> None:
    alter(path, "update turns set request_sha256 = ? where turn = 2", "0" * 64)
    one, two = verify(path, workers=1), verify(path, workers=2)
    assert sorted(map(str, one.findings)) == sorted(map(str, two.findings)) != []
    assert (one.traces, one.turns, one.photos, one.images) == (
        two.traces,
        two.turns,
        two.photos,
        two.images,
    )


def test_an_open_trace_is_verified_as_far_as_its_rows_go(tmp_path: Path) -> None:
    """Also one whose last call was run and shown to nobody, and one without a response."""
    dataset = make_dataset(tmp_path / "photos")
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        builder = StoreBuilder(store, dataset)
        fill(builder)
        builder.play(1, [ZOOM_IN, TURN_LEFT + BAD_BOX], rollout=2)
        builder.play(2, [], rollout=2)
    report = found(tmp_path / "geostore.db")
    assert report.findings == ()
    assert report.traces == 6  # of eight: one failed and one was not begun
    alter(tmp_path / "geostore.db", "update tool_calls set image_sha256 = ?", "0" * 64)
    open_trace = pick(tmp_path / "geostore.db", "t.status = 'open' and t.sent_sha256 is not null")
    assert open_trace[1] in failures(found(tmp_path / "geostore.db"))["image"]


def test_an_empty_store_holds(tmp_path: Path) -> None:
    Store.open(tmp_path / "geostore.db", create=True).close()
    report = found(tmp_path / "geostore.db")
    assert report.holds(strict=True)
    assert "nothing was there" in format_text(report)


def test_a_sample_is_the_same_traces_every_time(path: Path) -> None:
    """So it is found out by damage that only some of them have."""
    alter(path, "update turns set request_sha256 = ? where turn = 1", "0" * 64)
    chosen = failures(found(path, sample=7))["request"]
    assert len(chosen) == 7
    assert failures(found(path, sample=7))["request"] == chosen
    assert failures(found(path, sample=9))["request"] > chosen
    assert len(failures(found(path, sample=1000))["request"]) == 20


# --- photos and datasets ------------------------------------------------------------------------


def replaced(made: Path, folder: Path, photos: list[bytes]) -> Path:
    """A dataset with other photos under the fingerprint of the one that was used."""
    path = save_dataset(folder / "photos", photos)
    state = json.loads((path / "state.json").read_text())
    known = json.loads((made / "photos" / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**state, "_fingerprint": known["_fingerprint"]}))
    return path


def test_a_photo_that_was_changed_in_the_dataset_is_found(
    made: Path, path: Path, tmp_path: Path
) -> None:
    photos = [*PHOTOS[:3], photo_bytes(999, size=(480, 360)), PHOTOS[4]]
    report = found(path, dataset_path=str(replaced(made, tmp_path, photos)))
    assert failures(report).keys() == {"photo"}
    assert {name.split("-")[0] for name in failures(report)["photo"] if name} == {"3"}
    assert report.failures["photo"] == report.unverified_traces == 4
    assert not report.holds()


def test_rows_that_were_swapped_are_found_and_it_is_told_whose_photo_is_there(
    made: Path, path: Path, tmp_path: Path
) -> None:
    photos = [PHOTOS[1], PHOTOS[0], *PHOTOS[2:]]
    report = found(path, dataset_path=str(replaced(made, tmp_path, photos)))
    told = {(f.what, f.found.partition(", ")[2]) for f in report.findings}
    assert told == {
        ("stored photo of row 0", "the photo of row 1"),
        ("stored photo of row 1", "the photo of row 0"),
    }


def test_a_row_number_that_was_changed_in_the_store_is_found(path: Path) -> None:
    """The photo of another row would be restored, and everything else would look right."""
    alter(path, "update samples set sample_index = 100 where sample_index = 0")
    alter(path, "update samples set sample_index = 0 where sample_index = 1")
    alter(path, "update samples set sample_index = 1 where sample_index = 100")
    report = found(path)
    assert failures(report).keys() == {"photo"}
    assert report.failures["photo"] == 8


def test_a_dataset_that_is_not_there_is_told_and_its_requests_are_still_proven(
    tmp_path: Path,
) -> None:
    dataset = make_dataset(tmp_path / "photos")
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        fill(StoreBuilder(store, dataset))
    dataset.rename(tmp_path / "moved")
    lost = run_geostore("verify", "--store", tmp_path / "geostore.db")
    assert lost.returncode == 1
    assert "Traceback" not in lost.stderr
    assert "not verified: the images of 5 traces" in lost.stdout
    assert "--dataset-path" in lost.stdout
    assert "11 requests rebuilt, 0 images" in lost.stdout
    moved = run_geostore(
        "verify", "--store", tmp_path / "geostore.db", "--dataset-path", tmp_path / "moved"
    )
    assert (moved.returncode, "nothing failed" in moved.stdout) == (0, True), moved.stdout


def test_another_dataset_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", rows=5)
    report = found(path, dataset_path=str(other))
    assert failures(report) == {"dataset": {None}}
    assert report.unverified_traces == 20
    assert "has changed since rows were drawn" in report.findings[0].todo


def test_of_several_datasets_the_one_that_moved_can_be_named(tmp_path: Path) -> None:
    first = make_dataset(tmp_path / "first")
    second = make_dataset(tmp_path / "second", seed=1)
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        for dataset in (first, second):
            StoreBuilder(store, dataset).play(0, [ZOOM_IN, answer(1, 2)])
    second.rename(tmp_path / "moved")
    path = tmp_path / "geostore.db"
    assert found(path).unverified_traces == 1
    report = found(path, dataset_path=str(tmp_path / "moved"))
    assert (report.findings, report.images) == ((), 4)
    useless = found(path, dataset_path=str(tmp_path / "nowhere"))
    assert useless.unverified_traces == 1
    assert {f.what for f in useless.findings} == {
        "dataset second",
        f"--dataset-path {tmp_path / 'nowhere'}",
    }


# --- rows ---------------------------------------------------------------------------------------


def test_the_hash_of_a_tools_image_that_was_altered_is_found(path: Path) -> None:
    """In the image itself, and in every later request that names it."""
    trace_id, name = pick(path, WITH_LATER_TURN)
    alter(path, "update tool_calls set image_sha256 = ? where trace_id = ?", "0" * 64, trace_id)
    assert failures(found(path)) == {"image": {name}, "request": {name}}


def test_a_box_that_was_altered_gives_other_pixels(path: Path) -> None:
    trace_id, name = pick(
        path, "exists (select 1 from tool_calls where trace_id = t.id and box_left > 9)"
    )
    alter(
        path,
        "update tool_calls set box_left = box_left - 9 where trace_id = ? and box_left > 9",
        trace_id,
    )
    report = found(path)
    assert failures(report) == {"image": {name}}
    assert "other pixels" in report.findings[0].found
    assert "box" in report.findings[0].todo


def test_a_size_that_was_altered_is_found(path: Path) -> None:
    trace_id, name = pick(path, WITH_LATER_TURN)
    alter(
        path,
        "update tool_calls set full_width = full_width + 1 where trace_id = ? and full_width > 0",
        trace_id,
    )
    report = found(path)
    assert failures(report) == {"image": {name}}
    assert report.findings[0].what.startswith("size of image")


def test_the_hash_of_a_request_that_was_altered_is_found(path: Path) -> None:
    trace_id, name = pick(path, WITH_LATER_TURN)
    alter(
        path,
        "update turns set request_sha256 = ? where trace_id = ? and turn = 2",
        "0" * 64,
        trace_id,
    )
    report = found(path)
    assert failures(report) == {"request": {name}}
    assert report.findings[0].what == "request of turn 2"
    assert report.findings[0].expected == "0" * 12


def test_a_response_that_was_altered_is_found_in_all_later_requests(path: Path) -> None:
    trace_id, name = pick(path, "(select count(*) from turns where trace_id = t.id) >= 3")
    alter(
        path,
        "update turns set response = response || '.' where trace_id = ? and turn = 1",
        trace_id,
    )
    report = found(path)
    assert failures(report) == {"request": {name}}
    assert report.findings[0].what.startswith("requests of turns 2, 3")


def test_a_recipe_that_was_altered_is_found_with_all_it_asked(path: Path) -> None:
    alter(path, "update recipes set temperature = 0.123 where protocol = 'native'")
    report = found(path)
    assert failures(report).keys() == {"recipe", "request"}
    assert report.failures["request"] == 5


def test_rows_that_lead_nowhere_are_found(path: Path) -> None:
    trace_id, _ = pick(path, WITH_LATER_TURN)
    alter(path, "delete from traces where id = ?", trace_id)
    report = found(path)
    assert failures(report) == {"reference": {None}}
    assert any(f.what.startswith("turns row") for f in report.findings)
    assert report.traces == 19


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("update tool_calls set flags = 'no json' where trace_id = ?", "trace"),
        ("update tool_calls set image_index = 5, source_index = 4 where trace_id = ?", "image"),
        ("update tool_calls set box_right = 100000 where trace_id = ? and box_left >= 0", "image"),
        ("update traces set sent_sha256 = null where id = ?", "trace"),
        ("update turns set native_calls = '[1]' where trace_id = ?", "trace"),
    ],
)
def test_rows_that_make_no_sense_spoil_only_their_own_trace(
    path: Path, statement: str, check: str
) -> None:
    trace_id, _ = pick(
        path,
        WITH_LATER_TURN
        + " and exists (select 1 from tool_calls where trace_id = t.id and box_left >= 0)",
    )
    if "native_calls" in statement:
        trace_id, _ = pick(
            path,
            WITH_LATER_TURN + " and exists (select 1 from turns where trace_id = t.id "
            "and native_calls is not null)",
        )
    alter(path, statement, trace_id)
    report = found(path)
    assert report.traces == 20
    assert check in failures(report)
    names = {f.trace for f in report.findings if f.trace is not None}
    assert len(names) <= 1


# --- what questions read ------------------------------------------------------------------------


def change_alone(path: Path, *statements: str) -> None:
    """Change rows as another program does, which leaves trace_facts as it was."""
    connection = sqlite3.connect(path)
    for statement in statements:
        assert connection.execute(statement).rowcount > 0
    connection.commit()
    connection.close()


def test_facts_that_another_program_left_behind_are_named_and_mended(path: Path) -> None:
    with Store.open(path) as store:
        names = [store.traces.get_trace(trace_id).name for trace_id in (1, 2, 3)]
    change_alone(
        path,
        "update answers set lat = 1, lon = 2, failure = null where trace_id = 1",
        "delete from trace_facts where trace_id = 2",
        "update trace_facts set turns = 99, score = 0.5 where trace_id = 3",
    )
    report = found(path)
    assert failures(report) == {"facts": set(names)}
    told = {finding.trace: (finding.expected, finding.found) for finding in report.findings}
    assert told[names[1]] == ("a row", "none")
    assert told[names[2]] == ("what its rows give", "another turns and score")
    assert "geostore verify --mend" in format_text(report)

    mended = run_geostore("verify", "--mend", "--store", path)
    assert (mended.returncode, "3" in mended.stdout) == (0, True)
    assert "its facts are written anew" in mended.stdout
    again = found(path)
    assert again.holds(strict=True)


def test_facts_of_a_trace_that_is_open_or_gone_are_taken_away(path: Path) -> None:
    change_alone(
        path,
        "update traces set status = 'open', closed_at = null where id = 1",
        "insert into trace_facts select * from trace_facts where trace_id = 2"
        " on conflict (trace_id) do update set turns = 7",
    )
    with Store.open(path) as store:
        store.db.execute("pragma foreign_keys = off")
        store.db.execute("update trace_facts set trace_id = 99999 where trace_id = 2")
    report = found(path)
    assert report.failures["facts"] == 3  # open; without a row; a row without a trace
    found(path, mend=True)
    assert "facts" not in failures(found(path))


# --- the file -----------------------------------------------------------------------------------


def overwrite_page(path: Path, table_or_index: str) -> None:
    """Put garbage where the content of a table's or index's first page stands."""
    connection = sqlite3.connect(path)
    connection.execute("pragma journal_mode = delete")
    page_size = connection.execute("pragma page_size").fetchone()[0]
    page = connection.execute(
        "select rootpage from sqlite_master where name = ?", (table_or_index,)
    ).fetchone()[0]
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * page_size + page_size // 2)
        file.write(os.urandom(page_size // 2))


@pytest.mark.parametrize("what", ["turns_by_run", "turns", "tool_calls", "traces", "samples"])
def test_a_damaged_page_is_found_and_ends_in_a_report(path: Path, what: str) -> None:
    overwrite_page(path, what)
    report = found(path)
    assert report.failures["file"] > 0
    assert not report.holds()
    assert "damaged" in format_text(report)


def test_a_file_that_is_no_store_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "geostore.db").write_bytes(b"no store" * 1000)
    ended = run_geostore("verify", "--store", tmp_path / "geostore.db")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "not a SQLite file" in ended.stderr


# --- another encoder ----------------------------------------------------------------------------


@pytest.fixture
def another_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pixels in other bytes, as another build of the JPEG library may write them."""
    real: Callable[..., None] = Image.Image.save

    def save(self: Image.Image, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **{**options, "optimize": True})

    monkeypatch.setattr(Image.Image, "save", save)


@pytest.mark.usefixtures("another_encoder")
class TestAnotherEncoder:
    def test_it_is_told_from_other_pixels_and_fails_nothing(self, path: Path) -> None:
        alter(path, """update runs set versions = json_set(versions, '$.pillow', '9.9.9')""")
        report = found(path)
        assert report.failures == {}
        assert report.warnings["image"] == report.images > 30
        assert report.holds()
        assert not report.holds(strict=True)
        text = format_text(report)
        assert "same pixels" in text
        assert "pillow 9.9.9" in text
        assert f"pillow {report.versions['pillow']}" in text

    def test_the_request_that_named_an_image_attests_its_hash(self, path: Path) -> None:
        """With the same versions too: a library may be built in more than one way."""
        report = found(path)
        assert report.failures == {}
        assert report.warnings["image"] == report.images

    def test_an_altered_hash_does_not_hide_behind_it(self, path: Path) -> None:
        trace_id, name = pick(path, WITH_LATER_TURN)
        alter(path, "update tool_calls set image_sha256 = ? where trace_id = ?", "0" * 64, trace_id)
        assert failures(found(path)) == {"image": {name}, "request": {name}}

    def test_other_pixels_fail_all_the_same(self, path: Path) -> None:
        trace_id, name = pick(
            path, "exists (select 1 from tool_calls where trace_id = t.id and box_left > 9)"
        )
        alter(path, "update tool_calls set box_left = box_left - 9 where trace_id = ?", trace_id)
        assert failures(found(path)) == {"image": {name}}

    def test_rows_without_a_hash_of_pixels_say_that_it_is_not_known(self, path: Path) -> None:
        alter(path, "update traces set sent_pixels_xxh128 = null")
        alter(path, "update tool_calls set image_pixels_xxh128 = null")
        report = found(path)
        assert report.failures["image"] == report.images
        assert "pixels not recorded" in report.findings[0].found


# --- processes ----------------------------------------------------------------------------------


def test_ctrl_c_ends_it_without_a_word_of_python(tmp_path: Path) -> None:
    """While photos are read: the last one is a pipe that nobody writes to."""
    folder = tmp_path / "photos"
    names: list[object] = [f"{row}.jpg" for row in range(30)]
    import datasets

    values = {"image": names, "lat": [1.0] * 30, "lon": [2.0] * 30}
    datasets.Dataset.from_dict(values).save_to_disk(str(folder))
    for row in range(30):
        (folder / f"{row}.jpg").write_bytes(photo_bytes(row, size=(64, 48)))
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        builder = StoreBuilder(store, folder)
        for row in range(30):
            builder.play(row, [ZOOM_IN, answer(1, 2)])
    (folder / "29.jpg").unlink()
    os.mkfifo(folder / "29.jpg")
    started = start_geostore("verify", "--store", tmp_path / "geostore.db")
    with open(folder / "29.jpg", "wb"):  # waits until it is opened for reading
        started.send_signal(signal.SIGINT)
        out, err = started.communicate(timeout=30)
    assert (started.returncode, out) == (3, "")
    assert "Traceback" not in err
    assert err.startswith("geostore: interrupted")


# --- telling it ---------------------------------------------------------------------------------


def test_the_command_prints_a_table_and_exits_with_1(path: Path) -> None:
    trace_id, name = pick(path, WITH_LATER_TURN)
    alter(path, "update turns set request_sha256 = ? where trace_id = ?", "0" * 64, trace_id)
    ended = run_geostore("verify", "--store", path)
    assert (ended.returncode, ended.stderr) == (1, "")
    row = next(line for line in ended.stdout.splitlines() if line.startswith("request "))
    assert name in row
    assert "000000000000" in row
    assert "restore the store from a copy" in ended.stdout
    as_json = run_geostore("verify", "--store", path, "--json")
    assert as_json.returncode == 1
    value = json.loads(as_json.stdout)
    assert value["failures"] == {"request": 1}
    assert value["findings"][0]["trace"] == name
    assert value["holds"] is False
    assert list(value) == [
        *("path", "versions", "traces", "turns", "photos", "images", "unverified_traces"),
        *(
            "imported_traces",
            "imported_images",
            "seconds",
            "failures",
            "warnings",
            "findings",
            "holds",
        ),
    ]


def test_thousands_of_failures_are_counted_and_some_are_listed(tmp_path: Path) -> None:
    draft = ReportDraft(str(tmp_path), {})
    for number in range(MOST_LISTED + 500):
        draft.add(Finding("image", "failure", f"{number}-a-1", "image 1", "a", "b", "do this"))
    draft.add(Finding("image", "warning", "1-a-1", "image 1", "a", "b", "do that"))
    report = draft.report(seconds=1.0)
    assert report.failures["image"] == MOST_LISTED + 500
    assert len(report.findings) == MOST_LISTED + 1
    text = format_text(report)
    assert "and 1,450 more" in text
    assert text.count("do this") == 1
    assert json.loads(format_json(report))["failures"] == {"image": MOST_LISTED + 500}


def test_python_gets_the_report(path: Path) -> None:
    alter(path, "update turns set request_sha256 = ? where turn = 1", "0" * 64)
    with geostore.open(path) as store:
        report = store.verify(sample=3)
        assert report.failures["request"] == 3
        assert store.trace(str(report.findings[0].trace)).name == report.findings[0].trace


def test_a_native_trace_attests_the_images_of_its_calls(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "photos")
    with Store.open(tmp_path / "geostore.db", create=True) as store:
        look = native("Look.", (ZOOM, {"bbox_2d": [0, 0, 500, 500]}))
        script: list[Line] = [look, answer(1, 2)]
        StoreBuilder(store, dataset).play(0, script, recipe=NATIVE_RECIPE)
    assert found(tmp_path / "geostore.db").findings == ()
