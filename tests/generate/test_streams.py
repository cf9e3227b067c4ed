"""Whole runs against servers that send their replies piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from geostore.store import Store
from tests.event_streams import EVENTS, chunk, pieces_of, stream
from tests.minds import answer, wanderer
from tests.running import AT_ONCE, contents, run
from tests.teacher_server import Body, Fault, Reply, teacher_server

ANSWER = answer(48.8566, 2.3522)


def rows(store_path: Path, query: str) -> list[tuple[object, ...]]:
    with Store.open(store_path) as store:
        return [tuple(row) for row in store.db.connection.execute(query)]


def always(body: Body) -> bool:
    return True


def never(body: Body) -> bool:
    return False


@pytest.mark.parametrize("protocol", ["text", "native"])
def test_a_server_that_streams_whatever_it_is_asked_for_gives_the_same_rows(
    protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    """It leaves out the usage, which nobody could ask it for."""
    found = []
    for name, streams in (("plain", never), ("events", always)):
        store = tmp_path / f"{name}.db"
        mind = lambda body: Reply(**{**vars(wanderer(body)), "usage": None})  # noqa: E731
        with teacher_server(mind, streams=streams) as server:
            run(server.url, photo_dataset, store, recipe={"protocol": protocol})
            assert all(body["stream"] is False for body in server.bodies)
        found.append(contents(store))
    assert found[0] == found[1]
    assert len(found[0]["turns"]) > 6


def test_a_server_that_streams_unless_it_is_told_not_to_is_told(
    photo_dataset: Path, tmp_path: Path
) -> None:
    streams = lambda body: body.get("stream") is not False  # noqa: E731
    with teacher_server(lambda body: Reply(ANSWER), streams=streams) as server:
        run(server.url, photo_dataset, tmp_path / "g.db", num_samples=2)
        assert len(server.requests) == 2
    # A plain reply has its usage.
    assert rows(tmp_path / "g.db", "select total_tokens from turns") == [(120,)] * 2


def test_half_a_stream_is_no_answer_and_its_words_are_kept(
    photo_dataset: Path, tmp_path: Path
) -> None:
    half = "\\boxed{48.8566, 2.3522} comes to mind first, but the plates are Belg"
    store = tmp_path / "g.db"
    body = stream(*[chunk({"content": piece}) for piece in pieces_of(half)], done=False)

    def script(number: int, _: Body) -> Fault | None:
        return None if number else Fault(200, body, EVENTS)

    with teacher_server(lambda body: Reply(ANSWER), script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1, retry_policy=AT_ONCE)
        assert len(server.requests) == 2
    assert rows(store, "select response from turns") == [(ANSWER,)]
    query = "select error_class, http_status, response from attempts"
    assert rows(store, query) == [("server", 200, half)]
