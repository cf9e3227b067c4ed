"""A store that an older parser has read is read again, and the question shows what changed."""

from __future__ import annotations

import csv
import io

from geostore.answers import PARSER_VERSION
from tests.hand_made import Traces, insert
from tests.running import geostore

# What version 3 of the parser read in each response: coordinates, or why there are none.
OLDER: dict[str, tuple[float, float] | str] = {
    "It is \\boxed{48.8566, 2.3522}.": (48.8566, 2.3522),
    '{"lat": -17, "long": -67. organ"}': (-17.0, -67.0),
    '{"lat": "48.85abc", "lon": "2.35"}': "no_coordinates",
    "I'm sorry, but I can't help with that.": "no_coordinates",
    "无法确定照片的拍摄地点。\\boxed{unknown}": "unknown",
    "\\boxed{unknown}": "unknown",
    "The sign can't be read.": "no_coordinates",
}


def test_what_a_newer_parser_reads_otherwise_is_shown_and_nothing_else(traces: Traces) -> None:
    forms = {"\\boxed": "boxed", "{": "json"}
    for response, read in OLDER.items():
        trace_id = traces.trace((0.0, 0.0))
        traces.play(trace_id, response=response)
        lat, lon = (None, None) if isinstance(read, str) else read
        form = next((form for mark, form in forms.items() if mark in response), None)
        insert(
            traces.connection,
            "answers",
            trace_id=trace_id,
            parser_version=3,
            lat=lat,
            lon=lon,
            form=form,
            failure=read if isinstance(read, str) else None,
        )
    traces.connection.close()
    done = geostore("rescore", "--store", traces.path)
    assert done.returncode == 0, done.stderr
    shown = geostore("query", "answer_changes", "--store", traces.path, "--format", "csv")
    assert shown.returncode == 0, shown.stderr
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert {(row["before"], row["after"], row["text"]) for row in rows} == {
        ("-17.000000, -67.000000", "ambiguous", '{"lat": -17, "long": -67. organ"}'),
        ("no_coordinates", "ambiguous", '{"lat": "48.85abc", "lon": "2.35"}'),
        ("no_coordinates", "refused", "I'm sorry, but I can't help with that."),
        ("unknown", "refused", "无法确定照片的拍摄地点。\\boxed{unknown}"),
    }
    assert {(row["parser_before"], row["parser_after"]) for row in rows} == {
        ("3", str(PARSER_VERSION))
    }
    # Where one of both is no place, nothing has moved.
    assert {row["moved_km"] for row in rows} == {""}


def test_other_words_or_another_confidence_alone_are_a_change(traces: Traces) -> None:
    """A place in words counts in rewards, so a reading that changes only them is shown."""
    responses: dict[str, dict[str, str | float]] = {
        "Country: Réunion, France\n\\boxed{-21.1, 55.5}": {},
        "City: Lyon\nCountry: France\nConfidence: 85%\n\\boxed{45.76, 4.83}": {
            "said_country": "France",
            "said_region": "Lyon",
            "confidence": 0.75,
            "confidence_form": "words",
        },
        "Country: Chile\n\\boxed{-33.4, -70.6}": {"said_country": "Chile"},
    }
    for response, stated in responses.items():
        trace_id = traces.trace((0.0, 0.0))
        traces.play(trace_id, response=response)
        lat, lon = response.rpartition("{")[2].rstrip("}").split(", ")
        row = {"trace_id": trace_id, "lat": float(lat), "lon": float(lon), "form": "boxed"}
        insert(traces.connection, "answers", parser_version=3, **row, **stated)
    traces.connection.close()
    assert geostore("rescore", "--store", traces.path).returncode == 0
    asked = ("query", "answer_changes", "--store", traces.path)
    shown = geostore(*asked, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    names = ("changed", "words_before", "words_after", "confidence_before", "confidence_after")
    assert {tuple(row[name] for name in names) for row in rows} == {
        ("words", "", "country Réunion", "", ""),
        (
            "words, confidence",
            "region Lyon; country France",
            "city Lyon; country France",
            "0.75 (words)",
            "0.85 (percent)",
        ),
    }
    assert {(row["before"] == row["after"], row["moved_km"]) for row in rows} == {(True, "0.0")}
    on_terminal = geostore(*asked, COLUMNS="80", TTY_COMPATIBLE="1").stdout
    assert "city Lyon; country France" in on_terminal
    assert max(map(len, on_terminal.splitlines())) <= 80
