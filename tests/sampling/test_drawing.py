"""Drawing: a fixed order gives its rows once, and an order may decide by the results it is fed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geostore.records import ACCEPTED_SCORE, Closing, Reward
from geostore.sampling.drawing import FixedDrawing
from geostore.sampling.orders import Candidates, Rows
from tests.minds import zoom_then_answer
from tests.running import run
from tests.teacher_server import Body, Reply, teacher_server


@given(st.lists(st.integers(0, 10**6), unique=True), st.lists(st.integers(1, 50), min_size=1))
def test_a_fixed_order_gives_every_row_once_whatever_is_asked_for_at_a_time(
    order: list[int], counts: list[int]
) -> None:
    drawing = FixedDrawing(np.array(order, dtype=np.int64))
    assert drawing.size == len(order)
    drawn: list[int] = []
    turn = 0
    while rows := drawing.next(counts[turn % len(counts)]).tolist():
        assert len(rows) <= counts[turn % len(counts)]
        drawing.feed(rows[0], Closing("answered", "answer"), Reward(1.0, 1.0, 5000))
        drawn += rows
        turn += 1
    assert drawn == order
    assert drawing.next(1).size == 0, "and goes on giving none"


class UntilAccepted:
    """An order that ends when so many traces are accepted."""

    def __init__(self, drawable: Candidates, *, enough: int) -> None:
        self._rows = drawable.indices
        self._enough = enough
        self._drawn = 0
        self.fed: list[tuple[int, str, float | None]] = []

    @property
    def size(self) -> int:
        return len(self._rows)

    def next(self, count: int) -> Rows:
        accepted = sum((score or 0) >= ACCEPTED_SCORE for _, _, score in self.fed)
        if accepted >= self._enough:
            return self._rows[:0]
        self._drawn += 1
        return self._rows[self._drawn - 1 : self._drawn]

    def feed(self, sample_index: int, closing: Closing, reward: Reward | None) -> None:
        self.fed.append((sample_index, closing.status, reward.score if reward else None))


def test_an_order_that_decides_by_results_ends_a_run_when_it_has_enough(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """One trace at a time: row 0 is far off, rows 1 and 2 hit, and nobody asks about row 3."""
    drawings: list[UntilAccepted] = []

    def start(drawable: Candidates) -> UntilAccepted:
        drawings.append(UntilAccepted(drawable, enough=2))
        return drawings[-1]

    truth = truths(photo_dataset)
    asked: list[int] = []

    def mind(body: Body) -> Reply:
        row = len(asked)
        asked.append(row)
        lat, lon = (-truth[row][0], truth[row][1] - 179) if row == 0 else truth[row]
        return Reply(f"<answer>\\boxed{{{lat}, {lon}}}</answer>")

    with teacher_server(mind) as server:
        result = run(
            server.url,
            photo_dataset,
            tmp_path / "s.db",
            num_samples=None,
            concurrency=1,
            start_drawing=start,
        )
    (drawing,) = drawings
    assert drawing.size > 3
    assert [(row, status) for row, status, _ in drawing.fed] == [
        *((0, "answered"), (1, "answered"), (2, "answered"))
    ]
    assert result.closed == {"answered": 3}


def test_every_trace_of_a_row_is_fed(photo_dataset: Path, tmp_path: Path) -> None:
    drawings: list[UntilAccepted] = []

    def start(drawable: Candidates) -> UntilAccepted:
        drawings.append(UntilAccepted(drawable, enough=100))
        return drawings[-1]

    with teacher_server(zoom_then_answer) as server:
        url, store = server.url, tmp_path / "s.db"
        run(url, photo_dataset, store, num_samples=2, rollouts=2, start_drawing=start)
        run(url, photo_dataset, store, num_samples=2, rollouts=2, start_drawing=start)
    first, second = drawings
    assert sorted(row for row, _, _ in first.fed) == [0, 0, 1, 1]
    assert second.fed == [], "a trace that an earlier run closed is not fed again"


def truths(dataset: Path) -> list[tuple[float, float]]:
    from geostore.dataset import PhotoDataset

    lat, lon = PhotoDataset.open(dataset).coordinates()
    return list(zip(lat.tolist(), lon.tolist(), strict=True))
