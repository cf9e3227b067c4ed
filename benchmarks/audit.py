"""Measure how fast a store is audited: by statements, by text, and with nothing new to look at.

A store is filled with rows as generate leaves them: traces of three turns with about 1 KB of text
in each response, two tool calls, and an answer, every text another. Then it is audited once with
the checks that SQL decides, once with those that read text, and a last time when all is done. Each
rate is of the whole audit: reading, checking, and writing what was found.

Time is CPU of the process, which a busy machine does not stretch as it does the wall clock's.
The yardstick beside the checks of text is the least that any audit of text has to do: read every
response once from the same store.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from figures import HEADER, Figure

from geostore.audit import CHECKS
from geostore.audit.run import run_checks
from geostore.conversation.recipe import make_recipe
from geostore.records import DatasetFacts, PhotoFacts, Sample
from geostore.store import Store, utc_now

TRACES = 20_000
_TURNS = 3
_TEXT = (
    "the road sign shows a white border and blue letters that point to a small town in hills "
    "vegetation is dry with olive trees along walls of pale stone houses have red tiles cars drive "
    "on right plates are long with band at left shadows fall north clouds gather over ridge"
)
_WORDS = _TEXT.split()


def figures(*, traces: int = TRACES) -> list[Figure]:
    """Fill a store and audit it, once: it is long enough for its figures not to jump."""
    by_sql = {name: check for name, check in CHECKS.items() if check.find is None}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "geostore.db"
        with Store.open(path, create=True, durability="normal") as store:
            fill(store, traces=traces)
            floor = _seconds(lambda: _read_all(store))
            sql = _seconds(lambda: run_checks(store, by_sql))
            # All of them: what SQL decided already is not decided again.
            text = _seconds(lambda: run_checks(store, CHECKS))
            again = _seconds(lambda: run_checks(store, CHECKS))
            assert (
                store.db.connection.execute("select count(*) from audits").fetchone()[0] == traces
            )
    return [
        Figure(
            "checks in SQL: CPU for 5,000 traces",
            5_000 * sql / traces,
            " s",
            goal=1.0,
            note=f"{traces / sql:,.0f} traces/s, {len(by_sql)} checks",
        ),
        Figure(
            "checks of text: CPU for 1,000 traces",
            1_000 * text / traces,
            " s",
            goal=1.0,
            note=f"{traces / text:,.0f} traces/s; {text / floor:.1f} x reading the responses",
        ),
        Figure("nothing new to audit, per 1,000 traces", 1e6 * again / traces, " ms"),
    ]


def fill(store: Store, *, traces: int, seed: int = 0) -> None:
    """Put closed traces into an empty store, one for each sample, all of one recipe."""
    rng = random.Random(seed)
    facts = DatasetFacts("/data/photos", "photos", "f", None, traces, (), {})
    with store.db.transaction():
        dataset_id = store.samples.put_dataset(facts)
        recipe_id = store.recipes.put_recipe(make_recipe(model="qwen3-vl"))
        now = utc_now()
        turns, calls, answers, kept = [], [], [], []
        for number in range(1, traces + 1):
            lat, lon = round(rng.uniform(-60, 70), 4), round(rng.uniform(-180, 180), 4)
            photo = PhotoFacts(f"{number:064x}", 2048, 1536, "JPEG")
            columns = {"city": f"Springfield {number}", "file": f"photo_{number}.jpg"}
            sample = Sample(number, lat, lon, 0.4, "Italy", columns, photo)
            sample_id = store.samples.put_sample(dataset_id, sample).sample_id
            kept.append((number, sample_id, recipe_id, now, now))
            answers.append((number, 1, lat, lon, "boxed"))
            for turn in range(1, _TURNS + 1):
                said = _answer(lat, lon) if turn == _TURNS else ""
                turns.append((number, turn, "stop", 10, "0" * 64, now, _prose(rng) + said))
                if turn < _TURNS:
                    calls.append((number, turn, *_zoom(rng, turn), now))
        _many(store, _TRACE, kept)
        _many(store, _TURN, turns)
        _many(store, _CALL, calls)
        _many(store, _ANSWER, answers)


_TRACE = """
insert into traces (id, sample_id, recipe_id, rollout, status, stop_reason, turn_limit, sent_sha256,
  sent_width, sent_height, created_at, closed_at)
values (?, ?, ?, 1, 'answered', 'answer', 10, '0', 1154, 866, ?, ?)
"""
_TURN = """
insert into turns (trace_id, turn, finish_reason, turn_limit, request_sha256, created_at, response)
values (?, ?, ?, ?, ?, ?, ?)
"""
_CALL = """
insert into tool_calls (trace_id, turn, call_index, name, raw_arguments, arguments, source_index,
  box_left, box_top, box_right, box_bottom, success, observation, image_index, image_sha256,
  image_width, image_height, full_width, full_height, created_at)
values (?, ?, 0, 'image_zoom_in_tool', ?, ?, 0, ?, ?, ?, ?, 1, ?, ?, '0', 448, 448, 448, 448, ?)
"""
_ANSWER = """
insert into answers (trace_id, parser_version, lat, lon, form)
values (?, ?, ?, ?, ?)
"""


def _prose(rng: random.Random) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(200)) + ". "


def _answer(lat: float, lon: float) -> str:
    return (
        f"\n\n**Country:** Italy\n**Latitude:** {lat}\n**Longitude:** {lon}\n\n"
        f"<answer>\\boxed{{{lat}, {lon}}}</answer>"
    )


def _zoom(rng: random.Random, image: int) -> tuple[object, ...]:
    left, top = rng.randrange(0, 500), rng.randrange(0, 500)
    box = (left, top, left + 300, top + 300)
    arguments = f'{{"bbox_2d":{list(box)}}}'
    told = f"Image {image} (448 x 448 pixels): zoom into image 0, box {list(box)}."
    return (arguments, arguments, *box, told, image)


def _many(store: Store, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    store.db.connection.executemany(statement, rows)


def _read_all(store: Store) -> int:
    responses = store.db.connection.execute("select response from turns order by trace_id, turn")
    return sum(len(row[0]) for row in responses)


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Traces a second that an audit looks at.")
    parser.add_argument("--traces", type=int, default=TRACES, help="traces in the store")
    print(HEADER)
    for figure in figures(traces=parser.parse_args().traces):
        print(figure.line())


if __name__ == "__main__":
    main()
