"""A power cut: whatever of the log had reached the disk, what was acknowledged is there.

With durability full SQLite syncs the log before a commit returns, so a cut can
take only what was written to the log after that. Copies of the file and of its
log, cut at every such place, must hold all that was acknowledged; cut earlier,
they must lose whole transactions and never a part of one.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import geostore.generate.request
from geostore.conversation.recipe import make_recipe
from geostore.dataset import PhotoDataset
from geostore.generate.events import Event, TurnCommitted
from geostore.generate.journal import Journal
from geostore.generate.plan import Plan
from geostore.generate.request import (
    DatasetChoice,
    GenerateRequest,
    TeacherChoice,
    run_generate,
)
from geostore.generate.run import play_run
from geostore.pace import PaceLimits
from geostore.store import Durability, Store
from geostore.teacher import Teacher
from tests.minds import wanderer, zoom_then_answer
from tests.running import contents, run
from tests.teacher_server import teacher_server
from tests.trace_parts import DATASET

_HEADER = 32
_FRAME_HEADER = 24


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def frames(wal: bytes) -> Iterator[tuple[int, bool]]:
    """The frames of a log in force: where each ends, and whether it ends a transaction.

    Source: https://www.sqlite.org/fileformat2.html#walformat
    """
    if len(wal) < _HEADER:
        return
    page_size, salt = struct.unpack(">I", wal[8:12])[0], wal[16:24]
    start = _HEADER
    while start + _FRAME_HEADER + page_size <= len(wal):
        pages_after_commit = struct.unpack(">I", wal[start + 4 : start + 8])[0]
        if wal[start + 8 : start + 16] != salt:
            return  # left over from before the log was begun anew
        start += _FRAME_HEADER + page_size
        yield start, pages_after_commit > 0


def last_commit(wal: bytes) -> int:
    """How many bytes of a log hold all its transactions."""
    return max((end for end, commits in frames(wal) if commits), default=0)


def cut_copy(folder: Path, database: bytes, wal: bytes) -> Path:
    """A store as a power cut left it: the file, and what there is of its log."""
    path = folder / "cut.db"
    for leftover in folder.glob("cut.db*"):
        leftover.unlink()
    path.write_bytes(database)
    wal_of(path).write_bytes(wal)
    return path


def ask(path: Path, question: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert connection.execute("pragma foreign_key_check").fetchall() == []
        return connection.execute(question).fetchall()
    finally:
        connection.close()


def put(group: int, size: int) -> Any:
    """So many rows that belong together."""

    def work(store: Store) -> None:
        for number in range(size):
            name = f"{group} " + "x" * (group * 37 % 900)
            store.samples.put_dataset(replace(DATASET, fingerprint=f"{group}/{number}", name=name))

    return work


GROUPS = "select fingerprint from datasets"


def whole_groups(found: list[tuple[Any, ...]], sizes: list[int]) -> int:
    """How many groups, from the first, are there; each must be whole."""
    rows = sorted((int(g), int(n)) for g, n in (str(f).split("/") for (f,) in found))
    count = len({group for group, _ in rows})
    assert rows == [(group, n) for group in range(count) for n in range(sizes[group])]
    return count


@dataclass
class Acknowledged:
    """The files at the moment a commit was acknowledged."""

    database: bytes
    wal: bytes


@pytest.mark.parametrize("checkpoints", [False, True])
def test_what_was_acknowledged_outlives_a_cut_at_any_later_byte_of_the_log(
    tmp_path: Path, checkpoints: bool
) -> None:
    """Promise 1 through a power cut, the log begun anew by checkpoints or not."""
    path, chance = tmp_path / "geostore.db", random.Random(3)
    sizes = [chance.choice([1, 1, 2, 9]) for _ in range(20)]
    moments: list[Acknowledged] = []

    async def play() -> None:
        with Store.open(path, create=True, durability="full") as store, Journal(store) as journal:
            await journal.commit(
                lambda s: s.db.connection.execute("select 1")  # the log exists from here on
            )
            pages = 12 if checkpoints else 0
            store.db.connection.execute(f"pragma wal_autocheckpoint = {pages}")
            for group, size in enumerate(sizes):
                await journal.commit(put(group, size))
                moments.append(Acknowledged(path.read_bytes(), wal_of(path).read_bytes()))

    asyncio.run(play())
    restarts = sum(a.wal[16:24] != b.wal[16:24] for a, b in itertools.pairwise(moments))
    assert (restarts > 0) == checkpoints
    for number, moment in enumerate(moments, start=1):
        safe = last_commit(moment.wal)
        # What the next commits wrote may be there in part, in whole, or as garbage.
        later = moments[min(number + 1, len(moments) - 1)]
        same_log = later.wal[16:24] == moment.wal[16:24] and later.database == moment.database
        wal = later.wal if same_log else moment.wal
        cuts = {safe, len(wal), *(chance.randint(safe, len(wal)) for _ in range(3))}
        cuts |= {end for end, _ in frames(wal) if end >= safe}
        for cut in sorted(cuts):
            for tail in (b"", bytes(chance.randbytes(5000))):
                copy = cut_copy(tmp_path, moment.database, wal[:cut] + tail)
                with Store.open(copy) as opened:
                    opened.db.connection.execute("select 1")
                found = whole_groups(ask(copy, GROUPS), sizes)
                ended = sum(commits for end, commits in frames(wal) if safe < end <= cut)
                assert found == number + ended, "all that was acknowledged, and whole commits"


def test_a_cut_before_a_commit_loses_it_whole(tmp_path: Path) -> None:
    """At every frame of the log and between them: no transaction is ever there in part."""
    path, chance = tmp_path / "geostore.db", random.Random(5)
    sizes = [chance.choice([1, 5, 20]) for _ in range(12)]
    with Store.open(path, create=True, durability="full") as store:
        store.db.connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        store.db.connection.execute("pragma wal_autocheckpoint = 0")
        database = path.read_bytes()
        for group, size in enumerate(sizes):
            with store.db.transaction():
                put(group, size)(store)
        wal = wal_of(path).read_bytes()
    ends = list(frames(wal))
    assert sum(commits for _, commits in ends) == len(sizes)
    cuts = {end for end, _ in ends} | {chance.randint(0, len(wal)) for _ in range(60)}
    for cut in sorted(cuts):
        found = whole_groups(ask(cut_copy(tmp_path, database, wal[:cut]), GROUPS), sizes)
        assert found == sum(commits for end, commits in ends if end <= cut)


def test_a_checkpoint_that_is_cut_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """Any of its pages may have reached the file or not, or half; the log still has them."""
    path, chance = tmp_path / "geostore.db", random.Random(9)
    sizes = [6] * 20
    with Store.open(path, create=True, durability="full") as store:
        store.db.connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        store.db.connection.execute("pragma wal_autocheckpoint = 0")
        before = path.read_bytes()
        for group, size in enumerate(sizes):
            with store.db.transaction():
                put(group, size)(store)
        wal = wal_of(path).read_bytes()
        store.db.connection.execute("pragma wal_checkpoint(full)").fetchall()
        after = path.read_bytes()
    assert before != after
    padded = before.ljust(len(after), b"\0")
    for _ in range(20):
        torn = bytearray(padded)
        for start in range(0, len(after), 512):
            if chance.random() < 0.5:
                torn[start : start + 512] = after[start : start + 512]
        copy = cut_copy(tmp_path, bytes(torn), wal)
        assert whole_groups(ask(copy, GROUPS), sizes) == len(sizes)


def reboot(path: Path) -> None:
    """After a power cut the machine has booted anew, and by then the claims of before are over."""
    connection = sqlite3.connect(path)
    connection.execute("update runs set process_started = 'the boot before/pid:[4026531836]/1'")
    connection.execute("update traces set claim_expires_at = '2000-01-01T00:00:00.000Z'")
    connection.commit()
    connection.close()


@dataclass
class Photographer:
    """A watcher that keeps the files as they are whenever a response is committed."""

    path: Path
    moments: list[Acknowledged] = field(default_factory=list)

    def watch(self, event: Event) -> None:
        if isinstance(event, TurnCommitted):
            log = wal_of(self.path).read_bytes()
            self.moments.append(Acknowledged(self.path.read_bytes(), log))


def test_after_a_power_cut_a_run_pays_only_for_what_was_not_acknowledged(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """Whole runs, cut at each stored response: the next one asks for the rest and no more."""
    path, whole = tmp_path / "geostore.db", tmp_path / "whole.db"
    recipe = make_recipe(model="test")
    plan = Plan(num_samples=4, pace=PaceLimits(ceiling=1))
    watcher = Photographer(path=path)

    async def play(url: str) -> None:
        async with Teacher(base_url=url, api_key=None, request_timeout=10.0) as teacher:
            with Store.open(path, create=True, durability="full") as store:
                await play_run(
                    dataset=PhotoDataset.open(photo_dataset),
                    store=store,
                    recipe=recipe,
                    plan=plan,
                    teacher=teacher,
                    arguments={},
                    watchers=[watcher],
                )

    with teacher_server(wanderer) as server:
        asyncio.run(play(server.url))
        needed = len(server.requests)
        shutil.copy(path, whole)
        rows = contents(whole)
        assert len(watcher.moments) == needed > 8
        for paid, moment in enumerate(watcher.moments, start=1):
            copy = cut_copy(tmp_path, moment.database, moment.wal[: last_commit(moment.wal)])
            assert ask(copy, "select count(*) from turns") == [(paid,)]
            reboot(copy)
            before = len(server.requests)
            run(server.url, photo_dataset, copy, num_samples=4, concurrency=2)
            assert len(server.requests) - before == needed - paid
            assert contents(copy) == rows


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_the_store_syncs_as_it_was_asked_to(
    tmp_path: Path, durability: Durability, level: int
) -> None:
    with Store.open(tmp_path / "geostore.db", create=True, durability=durability) as store:
        connection = store.db.connection
        assert connection.execute("pragma synchronous").fetchone()[0] == level
        assert connection.execute("pragma journal_mode").fetchone()[0] == "wal"
        assert connection.execute("pragma foreign_keys").fetchone()[0] == 1


@pytest.mark.parametrize(
    ("options", "level"), [({}, 2), ({"durability": "full"}, 2), ({"durability": "normal"}, 1)]
)
def test_a_run_syncs_as_it_was_asked_to_and_fully_unless_told_otherwise(
    photo_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    level: int,
) -> None:
    """Also after the writer has worked: nothing on the way sets it back."""
    seen: list[int] = []
    real = play_run

    async def watched(**parts: Any) -> Any:
        def look() -> None:
            seen.append(parts["store"].db.connection.execute("pragma synchronous").fetchone()[0])

        look()
        result = await real(**parts)
        look()
        return result

    monkeypatch.setattr(geostore.generate.request, "play_run", watched)
    with teacher_server(zoom_then_answer) as server:
        request = GenerateRequest(
            dataset=DatasetChoice(photo_dataset),
            store=tmp_path / "geostore.db",
            teacher=TeacherChoice(model="test", base_url=server.url),
            plan=Plan(num_samples=1),
            **options,
        )
        run_generate(request)
    assert seen == [level, level]
