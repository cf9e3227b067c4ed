"""What a run says before it asks: what it understood, and its own sentence for what is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from geostore.conversation.recipe import recipe_hash
from tests.builders import recipe_of
from tests.conftest import photo_bytes, save_dataset
from tests.minds import zoom_then_answer
from tests.running import geostore
from tests.teacher_server import Body, Fault, free_address, teacher_server

LABELS = ["dataset", "columns", "photos", "recipe", "teacher", "store", "to do"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos whose columns have names of their own, one photo of them twice."""
    path = tmp_path_factory.mktemp("data") / "towns"
    photos = [photo_bytes(seed) for seed in [*range(11), 0]]
    notes: dict[str, list[object]] = {f"note_{number}": ["x"] * 12 for number in range(12)}
    latitude: list[object] = [10.0 + row for row in range(12)]
    return save_dataset(path, photos, lat=["none"] * 12, latitude=latitude, **notes)


def said(stderr: str) -> dict[str, str]:
    """The first lines of a log, by their labels; each has its time before it."""
    lines = [line.partition("Z  ")[2] for line in stderr.splitlines()[: len(LABELS)]]
    found = {line[:9].strip(): line[9:] for line in lines}
    assert list(found) == LABELS, stderr
    return found


def ask(url: str, dataset: Path, store: Path, *more: str, **environment: str) -> str:
    common = ["--dataset-path", str(dataset), "--store", str(store), "--model", "m"]
    options = ["--column", "lat=latitude", "--base-url", url, *more]
    done = geostore("generate", *common, *options, **{"COLUMNS": "", **environment})
    assert done.returncode in (0, 3), done.stderr
    return done.stderr


def test_a_run_says_first_what_it_understood(dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "geostore.db"
    with teacher_server(zoom_then_answer) as server:
        first = said(ask(server.url, dataset, store, "--num-samples", "4"))
        later = said(ask(server.url, dataset, store, "--num-samples", "0", "--order", "hardest"))
        done = said(ask(server.url, dataset, store, "--num-samples", "0"))
    assert first == {
        "dataset": f"towns: 12 rows in 1 Arrow file, {dataset}",
        "columns": "image, lat=latitude, lon, locatability_score, country; also lat, note_0, "
        "note_1, note_2, note_3, note_4, note_5, note_6 and 5 more",
        "photos": "4 of 12, in the dataset's order",
        "recipe": f"{recipe_hash(recipe_of('m'))[:8]}, image_zoom_in_tool and image_rotate_tool "
        "written in the text, boxes as norm1000, temperature 0.7, up to 2,048 tokens a response",
        "teacher": f"m, at {server.url}",
        "store": f"{store}, new",
        "to do": "4 traces to ask; 10 turns at most",
    }
    assert later["photos"] == "all 12, the hardest first"
    assert later["store"] == str(store)
    assert later["to do"] == "12 traces: 4 closed already, 8 to ask; 10 turns at most"
    assert done["photos"] == "all 11, in the dataset's order; not usable: duplicate 1"
    assert done["to do"] == "nothing: 11 traces, closed already"


def test_traces_that_were_begun_or_are_taken_up_again_are_counted_apart(
    dataset: Path, tmp_path: Path
) -> None:
    """Two rollouts of three photos: one refused, one cut by the budget, the others new."""
    store = tmp_path / "geostore.db"

    def refuse_third(number: int, body: Body) -> Fault | None:
        refusal = Fault(400, b'{"error": {"message": "content policy"}}')
        return refusal if number == 2 else None

    with teacher_server(zoom_then_answer, script=refuse_third) as server:
        one_by_one = ("--concurrency", "1", "--num-samples", "3")
        more = ("--max-failed-share", "1", "--max-total-tokens")
        ask(server.url, dataset, store, *one_by_one, *more, "1")
        begun = said(ask(server.url, dataset, store, *one_by_one, *more, "100000"))
        again = said(
            ask(server.url, dataset, store, *one_by_one, "--rollouts", "2", "--retry", "refused")
        )
    assert begun["to do"] == "3 traces: 1 begun, 2 to ask; 10 turns at most"
    assert again["to do"] == (
        "6 traces (2 a photo): 2 closed already, 1 begun, 3 to ask; 10 turns at most"
    )


def nothing_to_ask(dataset: Path, store: Path, *more: str) -> str:
    common = ["--dataset-path", str(dataset), "--store", str(store), "--teacher", "offline"]
    done = geostore("generate", *common, *more, COLUMNS="")
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_a_dataset_without_usable_coordinates_is_an_error_and_not_done(tmp_path: Path) -> None:
    photos = [photo_bytes(seed) for seed in range(2)]
    dataset = save_dataset(tmp_path / "towns", photos, lat=["nan", "999"])
    error = nothing_to_ask(dataset, tmp_path / "geostore.db")
    lines = said(error)
    assert lines["photos"] == "none that can be asked about"
    assert lines["to do"] == "nothing: no photo can be asked about"
    assert error.splitlines()[-1] == (
        "geostore: no photo can be asked about: 2 rows without usable coordinates"
    )


def test_photos_of_which_none_can_be_read_are_an_error_each_time(tmp_path: Path) -> None:
    dataset = save_dataset(tmp_path / "towns", [b"no photo", photo_bytes(1)], lat=["1", "nan"])
    store = tmp_path / "geostore.db"
    first, again = nothing_to_ask(dataset, store), nothing_to_ask(dataset, store)
    for error in (first, again):
        assert error.splitlines()[-1] == (
            "geostore: no photo can be asked about: 1 row without usable coordinates, "
            "1 row undecodable"
        )
        assert "once that is mended, run the same command with --retry skipped" in error
    assert said(first)["to do"] == "1 trace to ask; 10 turns at most"
    assert said(again)["photos"] == "none that can be asked about; not usable: undecodable 1"


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_its_lines_fit_the_terminal_and_stay_below_their_label(
    columns: str, dataset: Path, tmp_path: Path
) -> None:
    with teacher_server(zoom_then_answer) as server:
        shown = ask(server.url, dataset, tmp_path / "g.db", COLUMNS=columns, TTY_COMPATIBLE="1")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n")
    block = plain[plain.index("dataset  ") :].partition("\n\n")[0]
    lines = [line.rstrip() for line in block.splitlines() if "━" not in line]
    assert all(len(line) <= int(columns) or " " not in line[9:] for line in lines)
    assert [line[:9].strip() for line in lines if line[:9].strip()] == LABELS


def test_quiet_leaves_it_out_and_a_log_has_it(dataset: Path, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    with teacher_server(zoom_then_answer) as server:
        stderr = ask(server.url, dataset, tmp_path / "g.db", "--quiet", "--log-file", str(log))
    assert stderr.startswith("10 traces closed")
    (line,) = (
        one for one in map(json.loads, log.read_text().splitlines()) if one["event"] == "understood"
    )
    assert line["to_do"] == "10 traces to ask; 10 turns at most"
    assert line["dataset"].startswith("towns: 12 rows")


def test_no_secret_of_an_address_is_in_it(dataset: Path, tmp_path: Path) -> None:
    with teacher_server(zoom_then_answer) as server:
        url = server.url.replace("http://", "http://me:hush@") + "?key=hush"
        stderr = ask(url, dataset, tmp_path / "g.db", "--num-samples", "1")
    assert "hush" not in stderr


# --- what is missing ------------------------------------------------------------------------


def refused(*arguments: str | Path, **environment: str) -> str:
    """The one line that an error is."""
    ended = geostore("generate", *arguments, **environment)
    assert ended.returncode == 1, ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


def test_an_order_by_scores_without_scores_says_where_they_are_missing(tmp_path: Path) -> None:
    import datasets

    photos = [photo_bytes(seed) for seed in range(2)]
    whole = save_dataset(tmp_path / "whole", photos, locatability_score=[None, None])
    datasets.load_from_disk(str(whole)).remove_columns("locatability_score").save_to_disk(
        str(tmp_path / "bare")
    )
    store = tmp_path / "geostore.db"
    options = ("--store", store, "--model", "m", "--base-url", free_address())
    name_it = (
        "name the column of scores with --column locatability_score=COLUMN, or leave the option out"
    )
    said = refused("--dataset-path", tmp_path / "bare", "--order", "hardest", *options)
    assert said == (
        "geostore: --order hardest needs a locatability score for each photo, and "
        f"{tmp_path / 'bare'} has no column of that name (its columns: image, lat, lon, country); "
        f"{name_it}"
    )
    said = refused("--dataset-path", whole, "--max-locatability", "0.5", *options)
    assert said == (
        "geostore: --min-locatability and --max-locatability need a locatability score for each "
        f"photo, and the column 'locatability_score' of {whole} holds no number; {name_it}"
    )
    assert not store.exists()


def test_the_offline_teacher_and_a_base_url_exclude_each_other(
    dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    said = refused(
        *("--dataset-path", dataset, "--store", store),
        *("--teacher", "offline", "--base-url", free_address()),
    )
    assert said == (
        "geostore: --teacher offline starts the demo's teacher on this machine, so it has no use "
        "for --base-url: leave out one of the two"
    )
    assert not store.exists()


def test_a_missing_key_is_named_with_the_server_that_wants_it(
    dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "geostore.db"
    said = refused("--dataset-path", dataset, "--store", store, "--model", "gpt-5")
    assert said == (
        "geostore: no key for https://api.openai.com/v1, where 'gpt-5' is asked without "
        "--base-url: set OPENAI_API_KEY or name a file with --api-key-file; for a server of your "
        "own, pass --base-url"
    )
    assert not store.exists()
