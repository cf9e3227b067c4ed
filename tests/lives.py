"""The lives of a store: one process of generate after the other, each with faults and an end.

A life meets a server that fails some requests and answers others late, and it ends
by a signal, by the account, by a budget, or by a kill. Beside some lives a second
process works on the same store to its end. The last life is left in peace. What must
hold, however the lives went:

- the rows are those of a run that nothing disturbed;
- every reply that was billed is in the store, but for those in flight at a kill;
- no trace is held by a process that ended in order;
- `verify` finds nothing.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from geostore.verify import verify
from tests.event_streams import EVENTS, chunk, pieces_of, stream
from tests.kill_worker import DONE, FAILED, POINTS, STOPPED, UNUSABLE, Forks, Outcome
from tests.minds import wanderer
from tests.running import assert_whole, contents, turns_of
from tests.teacher_server import Body, Fault, Reply, TeacherServer, teacher_server

TOKENS = 120
"""What a reply of the test server is billed, in and out together."""

HALF = "\\boxed{48.8566, 2.3522} comes to mind first, but the plates are Belg"


def _json(status: int, body: str, **headers: str) -> Fault:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(status, body.encode(), {"Content-Type": "application/json", **names})


PASSING: tuple[Fault, ...] = (
    _json(429, '{"error": {"message": "slow down"}}'),
    _json(429, '{"detail": "slow down"}', Retry_After="60"),
    _json(500, '{"detail": "Error code: 500"}'),
    _json(503, "<html>busy</html>", Content_Type="text/html"),
    _json(200, '{"error": {"code": 502, "message": "Provider returned error"}}'),
    _json(200, '{"error": {"code": 429, "message": "free-models-per-min"}}'),
    _json(200, '{"choices": [{"index": 0, "error": {"code": 503, "message": "overloaded"}}]}'),
    _json(200, '{"choices": []}'),
    _json(200, '{"id": "x", "choices": [{"message": {"content": "It is'),
    Fault(200, b"It is in Norway.", {"Content-Type": "text/plain"}),
    Fault(200, b'{"id": "x", "choices": [{"message": ', cut_after=20),
    Fault(hang_up=True),
    Fault(reset=True),
)
"""Faults that pass, the same request may fare better, and that cost nothing."""

HALVES: tuple[Fault | Reply, ...] = (
    Reply(HALF, "error"),
    Reply(HALF, "abort"),
    Reply(HALF, "network_error"),
    Fault(
        200, stream(*(chunk({"content": piece}) for piece in pieces_of(HALF)), done=False), EVENTS
    ),
)
"""Half answers: they pass too, but are billed."""

NO_CREDIT = _json(402, '{"error": {"message": "Insufficient credits", "code": 402}}')
EXPIRED = _json(401, '{"error": {"message": "token expired"}}')
OUTAGE = _json(503, '{"detail": "busy"}')

SIGNALS = {
    "interrupted": signal.SIGINT,
    "terminated": signal.SIGTERM,
    "hung up": signal.SIGHUP,
}
GENTLE = (*SIGNALS, "budget", "no credit", "key expired", "gave up")
"""Ends before which a run takes in what is in flight."""
HARD = ("killed", "killed at a point", "interrupted twice")
"""Ends that may lose what is in flight."""


@dataclass(frozen=True)
class Life:
    """What one process meets and how it ends."""

    end: str | None
    """A name out of `GENTLE` or `HARD`; None: it is left in peace until all is done."""

    at: float
    """When it ends, as a share of the undisturbed run: of its time, points or requests."""

    by_point: bool
    """Whether a signal is sent at a point of the run, and not at an instant."""

    fault_rate: float
    """Share of requests that fail."""

    slow_rate: float
    """Share of good replies that come late, so that some are in flight at any end."""

    stream: bool = False
    """Whether replies are asked for piece by piece."""

    beside: bool = False
    """Whether a second process works on the store meanwhile, which nobody ends."""

    @classmethod
    def drawn(cls, chance: random.Random, ends: tuple[str, ...], *, beside: float = 0.0) -> Life:
        """A life by chance. beside: the share of lives that have a second process."""
        return cls(
            end=chance.choice(ends),
            at=chance.uniform(0.0, 0.8),
            by_point=chance.random() < 0.5,
            fault_rate=chance.choice([0.0, 0.1, 0.3]),
            slow_rate=chance.choice([0.0, 0.2, 0.6]),
            stream=chance.random() < 0.3,
            beside=chance.random() < beside,
        )


class Weather:
    """What the server does to the requests of a life; counts the replies that it bills."""

    def __init__(self, seed: int, *, concurrency: int) -> None:
        self._concurrency = concurrency
        self._chance = random.Random(f"weather of {seed}")
        self._lock = threading.Lock()
        self._denied: set[bytes] = set()
        self._fault_rate = self._slow_rate = 0.0
        self._denies = False
        self._end: Fault | None = None
        self._ends_after = 0
        self._arrived = self._answered = 0  # of this life
        self.billed = 0
        """Replies of all lives that cost tokens, whole and half ones."""

    def begin(self, life: Life, *, requests: int) -> None:
        """A new life; requests: what an undisturbed run needs."""
        ends = {"no credit": NO_CREDIT, "key expired": EXPIRED, "gave up": OUTAGE}
        with self._lock:
            self._arrived = self._answered = 0
            self._fault_rate, self._slow_rate = life.fault_rate, life.slow_rate
            self._denies = not life.beside  # of two, one may still be without an answer
            self._end = ends.get(life.end or "")
            self._ends_after = 1 + int(life.at * requests)

    def script(self, number: int, body: Body) -> Reply | Fault | None:
        """The answer to a request: a fault, or None for the mind's own."""
        with self._lock:
            self._arrived += 1
            if self._end is not None and self._arrived > self._ends_after:
                return self._end
            if self._chance.random() < self._fault_rate:
                if self._chance.random() < 0.2:
                    self.billed += 1
                    return self._chance.choice(HALVES)
                return self._fault(body)
            self.billed += 1
            self._answered += 1
            late = self._chance.random() < self._slow_rate
            seconds = self._chance.uniform(0.02, 0.2) if late else 0.0
        time.sleep(seconds)
        return None

    def _fault(self, body: Body) -> Fault:
        digest = sha256(str(body).encode()).digest()
        # A single denial among answers is a request's own fault; before any answer, or several in
        # a row, it would speak for the key. Of so many answers one at least has arrived.
        denies = self._denies and self._answered > self._concurrency
        if denies and self._chance.random() < 0.1 and digest not in self._denied:
            self._denied.add(digest)
            return EXPIRED
        return self._chance.choice(PASSING)

    def streams(self, body: Body) -> bool:
        """Some replies come as events, whatever the request asks for."""
        with self._lock:
            return body.get("stream") is True or self._chance.random() < 0.3


def odd_wanderer(body: Body) -> Reply:
    """Wanders, and for some photos ends in an odd way that is a turn all the same."""
    reply = wanderer(body)
    if "boxed" not in str(reply.content):
        return reply
    kind = sha256(str(reply.content).encode()).digest()[0] % 8
    text = str(reply.content)
    odd = {
        0: Reply("", "length"),
        1: Reply(None, message={"refusal": "I can't help with locating people."}),
        2: Reply(text, "eos_token"),
        3: Reply(f"<think>Maybe \\boxed{{1.0, 2.0}}?</think>{text}"),
        4: Reply(text, message={"reasoning": "Maybe \\boxed{1.0, 2.0}?"}),
    }
    return odd.get(kind, reply)


class Lives:
    """One store's way through its lives, beside an undisturbed one.

    forks: warm already, because the first run's time is what `Life.at` is a share of.
    beside: for second processes. plan: arguments of `tests.running.run`, its concurrency
    among them.
    """

    def __init__(
        self,
        *,
        forks: Forks,
        beside: Forks | None = None,
        dataset: Path,
        folder: Path,
        seed: int,
        plan: dict[str, Any],
    ) -> None:
        self._forks, self._beside = forks, beside
        self._dataset, self._plan = dataset, plan
        self._store = folder / "geostore.db"
        self._whole = folder / "whole.db"
        self._weather = Weather(seed, concurrency=plan["concurrency"])
        self._lost = 0  # replies that were billed and are not in the store
        self._may_lose = 0  # as many as were in flight at kills, at most
        self.ends: Counter[str] = Counter()
        """How the lives ended, those that came to an end of their own as "done"."""

    def play(self, lives: list[Life]) -> None:
        """Play the lives and then one that is left in peace. Raises AssertionError."""
        with self._server() as server:
            started = time.monotonic()
            undisturbed = self._run(server, self._whole, points=POINTS)
            self._seconds = time.monotonic() - started
            assert undisturbed.code == DONE, self._errors()
            self._points = len(undisturbed.passed)
            self._needed = turns_of(self._whole)
            self._weather.billed = 0
        with self._server() as server:
            for life in [*lives, Life(None, 0.0, False, 0.2, 0.2)]:
                self._live(server, life)
        assert contents(self._store) == contents(self._whole), "rows differ"
        assert_whole(self._store)
        report = verify(self._store, workers=1)
        assert report.holds(strict=True), report.findings

    def _live(self, server: TeacherServer, life: Life) -> None:
        self._weather.begin(life, requests=self._needed)
        with ThreadPoolExecutor(1) as pool:
            # What the server does to one, it does to both.
            of_server = life.end in ("no credit", "key expired", "gave up")
            theirs = self._how(life) if of_server else {"stream": life.stream}
            other = (
                pool.submit(self._run, server, self._store, forks=self._beside, **theirs)
                if life.beside
                else None
            )
            outcome = self._run(server, self._store, **self._how(life))
            if other is not None:
                codes = (DONE, UNUSABLE) if of_server else (DONE,)
                ended = other.result()
                assert ended.signal == 0, f"beside {life}: {ended}\n{self._errors()}"
                assert ended.code in codes, f"beside {life}: {ended}\n{self._errors()}"
        self._check_end(life, outcome)
        if life.end in HARD and (outcome.killed or outcome.code != DONE):
            # What the dead process had sent is still answered, and billed.
            self._may_lose += self._plan["concurrency"]
            time.sleep(0.3)
        lost = self._weather.billed - kept(self._store)
        assert self._lost <= lost <= self._may_lose, (
            f"{life.end}: {lost} replies are lost, {self._lost} were before, "
            f"and {self._may_lose} may be"
        )
        self._lost = lost

    def _how(self, life: Life) -> dict[str, Any]:
        """How a life goes and ends, as arguments of `Forks.generate`."""
        return {"stream": life.stream, **self._how_it_ends(life)}

    def _how_it_ends(self, life: Life) -> dict[str, Any]:
        seconds = 0.01 + life.at * self._seconds
        point = 1 + int(life.at * self._points)
        match life.end:
            case "killed":
                return {"kill_after": seconds}
            case "killed at a point":
                return {"points": POINTS, "kill_at": point}
            case "interrupted twice":
                twice = [(seconds, signal.SIGINT), (seconds + 0.05, signal.SIGINT)]
                return {"signals_after": twice}
            case "budget":
                spent = TOKENS * kept(self._store)
                return {"max_total_tokens": spent + TOKENS * (1 + int(life.at * self._needed))}
            case "gave up":
                return {"pace": {**PACE, "give_up_after": 0.05}}
            case None | "no credit" | "key expired":
                return {}
        number = SIGNALS[life.end]
        if life.by_point:
            return {"points": POINTS, "once_claimed": True, "signals_at": {point: number}}
        return {"signals_after": [(seconds, number)]}

    def _check_end(self, life: Life, outcome: Outcome) -> None:
        """A process ends as it was asked to, or comes to its own end before."""
        done = (outcome.signal, outcome.code) == (0, DONE)
        self.ends["done" if done or life.end is None else life.end] += 1
        stopped = (outcome.signal, outcome.code) == (0, STOPPED)
        unusable = (outcome.signal, outcome.code) == (0, UNUSABLE)
        expected = {
            None: False,
            "killed": outcome.killed,
            "killed at a point": outcome.killed,
            "no credit": unusable,
            "key expired": unusable,
            "gave up": unusable,
        }.get(life.end, stopped)
        if life.end in (*SIGNALS, "interrupted twice") and not expected and not done:
            # Before the run has begun, and after it, a signal ends the process as any other.
            number = SIGNALS.get(life.end, signal.SIGINT)
            expected = outcome.signal == number or (number, outcome.code) == (signal.SIGINT, FAILED)
        assert expected or done, f"{life}: {outcome.signal}, {outcome.code}\n{self._errors()}"
        if life.end not in HARD and is_made(self._store):
            held = "select count(*) from traces where claimed_by is not null"
            assert ask(self._store, held) == 0, f"{life.end}: traces are still held"

    @contextmanager
    def _server(self) -> Iterator[TeacherServer]:
        weather = self._weather
        with teacher_server(
            odd_wanderer, script=weather.script, streams=weather.streams, stream_usage=True
        ) as server:
            yield server

    def _run(
        self, server: TeacherServer, store: Path, *, forks: Forks | None = None, **how: Any
    ) -> Outcome:
        # A trace is allowed many failures, so that none fails for good.
        waits = {"first_wait": 0.001, "longest_wait": 0.002, "longest_retry_after": 0.01}
        policy = {"max_attempts": 50, **waits}
        return (forks or self._forks).generate(
            server.url,
            self._dataset,
            store,
            **{"points": [], "pace": PACE, "retry_policy": policy, **self._plan, **how},
        )

    def _errors(self) -> str:
        of_all = (self._forks, self._beside)
        return "\n".join(forks.errors.read_text()[-3000:] for forks in of_all if forks)


PACE = {"break_after_failures": 6, "break_after_seconds": 0.05, "probe_seconds": 0.02}
"""Limits under which a short outage of the server is taken for one."""


def kept(store: Path) -> int:
    """Replies that were billed and are in the store; 0 without a store.

    Whole ones are turns, half ones failed attempts with their words, and those to a small
    request that only asks whether the teacher is there are attempts of a class of their own.
    """
    if not is_made(store):
        return 0
    attempts = "select count(*) from attempts where response is not null or error_class = 'probe'"
    return ask(store, f"select (select count(*) from turns) + ({attempts})")


def is_made(store: Path) -> bool:
    """Whether the store's tables are there; a run may end before it has made them."""
    tables = "select count(*) from sqlite_master where name in ('turns', 'attempts')"
    return store.exists() and ask(store, tables) == 2


def ask(store: Path, query: str) -> int:
    """A number out of a store."""
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute(query).fetchone()[0])
