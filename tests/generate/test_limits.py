"""A conversation meets a limit of its server: what was paid is kept, and its answer asked for."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from geostore.audit import audit
from geostore.conversation.limits import NOT_SHOWN, most_images
from geostore.conversation.messages import LAST_TURN
from geostore.errors import TeacherUnusable
from geostore.export import ExportOptions, export
from geostore.generate.plan import Plan
from geostore.importing import import_traces
from geostore.records import LimitKind
from geostore.show.trace_text import render_trace
from geostore.store import Store
from geostore.verify.run import verify
from tests.builders import recipe_of
from tests.completions import fault, rows
from tests.kill_worker import CLOSE, COMMITTED, REQUEST, Forks
from tests.minds import ROTATE, ZOOM, answer, text_call, turns_so_far
from tests.running import Notes, assert_whole, contents, geostore, run
from tests.teacher_server import Body, Fault, Reply, Script, teacher_server

PROTOCOLS = pytest.mark.parametrize("protocol", ["text", "native"])
ANSWER = answer(48.8566, 2.3522)


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


NGINX = b"<html><head><title>413 Request Entity Too Large</title></head><body>nginx</body></html>"
LIMITS: dict[str, tuple[Fault, LimitKind]] = {
    "too many images": (
        fault(
            said(
                "At most 12 image(s) may be provided in one prompt.",
                type="BadRequestError",
                code=400,
            ),
            400,
        ),
        "image_limit",
    ),
    "context is full": (
        fault(
            said(
                "This model's maximum context length is 32768 tokens. However, your request has "
                "40000 input tokens.",
                code=400,
            ),
            400,
        ),
        "context_limit",
    ),
    "no room for max_tokens": (
        fault(
            said(
                "'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum "
                "context length is 32768 tokens and your request has 31000 input tokens."
            ),
            400,
        ),
        "context_limit",
    ),
    "many images of another server": (
        fault(said("Too many images provided. This model supports up to 5 images"), 400),
        "image_limit",
    ),
    "many images are smaller": (
        fault(
            said(
                "messages.9.content.1: At least one of the image dimensions exceed max allowed "
                "size for many-image requests: 2000 pixels"
            ),
            400,
        ),
        "image_limit",
    ),
    "in a 200": (
        fault(said("prompt is too long: 213462 tokens > 200000 maximum")),
        "context_limit",
    ),
    "in a 500": (
        fault(said("litellm.ContextWindowExceededError: Error code: 400"), 500),
        "context_limit",
    ),
    "more than a minute allows": (
        fault(said("Request too large for gpt-5 on tokens per min (TPM): Limit 9, Asked 10"), 429),
        "context_limit",
    ),
    "a proxy's page": (Fault(413, NGINX, {"Content-Type": "text/html"}), "size_limit"),
    "an image": (
        fault(said("image exceeds 5 MB maximum: 6000000 bytes > 5242880 bytes"), 400),
        "size_limit",
    ),
    "the payload": (
        fault(said("Request payload size exceeds the limit: 20971520 bytes."), 400),
        "size_limit",
    ),
}
KINDS: dict[LimitKind, Fault] = {kind: limit for limit, kind in reversed(LIMITS.values())}
HELP = {
    "image_limit": "--limit-mm-per-prompt '{\"image\": 28}'",
    "context_limit": "--max-model-len",
    "size_limit": "client_max_body_size",
}


def images_of(body: Body) -> int:
    return json.dumps(body).count('"image_url": {')


def last_words(body: Body) -> str:
    """All that stands after the teacher's last turn."""
    messages = body["messages"]
    last = max(number for number, one in enumerate(messages) if one["role"] == "assistant")
    return json.dumps(messages[last + 1 :])


def call(body: Body, name: str, **arguments: Any) -> Reply:
    if "tools" not in body:
        return Reply(f"Closer. {text_call(name, arguments)}")
    function = {"name": name, "arguments": json.dumps(arguments)}
    native = {"id": f"call_{turns_so_far(body)}", "type": "function", "function": function}
    return Reply("Closer.", finish_reason="tool_calls", tool_calls=[native])


@dataclass(frozen=True)
class Zoomer:
    """Zooms in every turn, and answers when it is told that this is its last, or after some turns.

    stubborn: calls a tool even in its last turn. turns: that it makes by itself.
    """

    stubborn: bool = False
    turns: int = 9

    def __call__(self, body: Body) -> Reply:
        done = turns_so_far(body)
        told = done and LAST_TURN in last_words(body)
        if done >= self.turns or (told and not self.stubborn):
            return Reply(ANSWER)
        return call(body, ZOOM, bbox_2d=[10 * done, 20, 400 + 30 * done, 600])


def allowing(images: int, limit: Fault = KINDS["image_limit"]) -> Script:
    """A server that refuses requests with more images."""
    return lambda number, body: limit if images_of(body) > images else None


def ends(store: Path) -> list[tuple[Any, ...]]:
    return rows(store, "select status, stop_reason from traces order by id")


def assert_proven(store: Path, photos: int = 1) -> None:
    report = verify(store, workers=1)
    assert report.failures == {}
    assert report.traces == photos


# --- asked once more ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIMITS)
@PROTOCOLS
def test_a_trace_at_a_limit_is_asked_once_more_for_its_answer_without_its_newest_images(
    name: str, protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    limit, kind = LIMITS[name]
    store, notes = tmp_path / "g.db", Notes()
    with teacher_server(Zoomer(), script=allowing(4, limit)) as server:
        result = run(
            server.url,
            photo_dataset,
            store,
            num_samples=2,
            concurrency=1,
            recipe={"protocol": protocol},
            notes=notes,
        )
        first = server.bodies[:6]
    assert [images_of(body) for body in first] == [1, 2, 3, 4, 5, 4]
    assert NOT_SHOWN not in str(first[4]["messages"])
    assert last_words(first[5]).count(NOT_SHOWN) == last_words(first[5]).count(LAST_TURN) == 1
    assert first[5]["messages"][: len(first[3]["messages"])] == first[3]["messages"]
    assert ends(store) == [("answered", "answer")] * 2
    assert result.refused.total() == 0
    forms = rows(store, "select turn, request_form from turns where trace_id = 1")
    assert forms == [*((n, None) for n in range(1, 5)), (5, f'{{"images_left_out":"{kind}"}}')]
    assert rows(store, "select turn, error_class from attempts") == [(5, kind)] * 2
    first_notice, last_notice = [notice for notice in notes.notices if "limit" in notice]
    assert HELP[kind] in first_notice
    assert HELP[kind] in last_notice
    assert "2 traces met the server's limit" in last_notice
    assert "2 answered" in last_notice
    assert_proven(store, 2)


@PROTOCOLS
@pytest.mark.parametrize("kind", KINDS)
def test_a_teacher_that_does_not_answer_then_has_its_turns_kept(
    kind: LimitKind, protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    with teacher_server(Zoomer(stubborn=True), script=allowing(4, KINDS[kind])) as server:
        result = run(server.url, photo_dataset, store, num_samples=1, recipe={"protocol": protocol})
        assert len(server.requests) == 6
    assert ends(store) == [("exhausted", kind)]
    assert result.refused == {"exhausted": 1}
    assert rows(store, "select count(*), max(turn) from turns") == [(5, 5)]
    assert rows(store, "select max(turn) from tool_calls") == [(4,)], "its last call is not run"
    assert_proven(store)


@PROTOCOLS
def test_a_limit_and_a_form_that_the_server_wants_stand_beside_each_other(
    protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    other_name = said(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead.",
        code="unsupported_parameter",
    )

    def script(number: int, body: Body) -> Fault | Reply | None:
        return fault(other_name, 400) if "max_tokens" in body else allowing(3)(number, body)

    plan: dict[str, Any] = {"num_samples": 1, "recipe": {"protocol": protocol}}
    with teacher_server(Zoomer(stubborn=True), script=script) as server:
        run(server.url, photo_dataset, store, **plan)
        assert [images_of(body) for body in server.bodies] == [1, 1, 2, 3, 4, 3]
    assert ends(store) == [("exhausted", "image_limit")]
    newer = '"token_limit":"max_completion_tokens"'
    forms = [f"{{{newer}}}"] * 3 + [f'{{"images_left_out":"image_limit",{newer}}}']
    assert [form for (form,) in rows(store, "select request_form from turns")] == forms
    assert_proven(store)
    with teacher_server(Zoomer(turns=6)) as server:
        run(server.url, photo_dataset, store, **plan, retry=("refused",))
    assert ends(store) == [("answered", "answer")]
    assert_proven(store)


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_last_request_is_refused_too_the_turns_are_kept(
    kind: LimitKind, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    script: Script = lambda number, body: KINDS[kind] if turns_so_far(body) == 3 else None  # noqa: E731
    with teacher_server(Zoomer(), script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == 5
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == 5, "a trace that is closed is not asked about again"
    assert ends(store) == [("exhausted", kind)]
    assert rows(store, "select count(*) from turns") == [(3,)]
    assert rows(store, "select turn, error_class from attempts") == [(4, kind)] * 2
    assert rows(store, "select failure from answers") == [("no_coordinates",)]
    assert_proven(store)


def test_an_answer_that_came_with_a_call_counts_where_its_result_cannot_be_shown(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    zoom = text_call(ZOOM, {"bbox_2d": [0, 0, 500, 500]})
    script: Script = lambda number, body: KINDS["context_limit"] if turns_so_far(body) else None  # noqa: E731
    with teacher_server(lambda body: Reply(f"{ANSWER} Let me check. {zoom}"), script=script) as s:
        run(s.url, photo_dataset, store, num_samples=1)
        assert len(s.requests) == 3
    assert ends(store) == [("answered", "answer")]
    assert rows(store, "select lat from answers") == [(48.8566,)]
    with Store.open(store) as opened:
        result = export(
            opened, tmp_path / "out", options=ExportOptions(format="trace", images="files")
        )
        assert result.count == 1
    assert len(list((tmp_path / "out").rglob("*.jpg"))) == 1, "the zoom was never shown"


@pytest.mark.parametrize(
    "reply",
    [Reply("I am thinking."), Reply(text_call(ZOOM, {"bbox_2d": [5, 5, 2, 2]}))],
    ids=["no call", "a bad call"],
)
def test_a_request_that_brings_no_image_has_none_to_leave_out(
    reply: Reply, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    script: Script = lambda number, body: KINDS["context_limit"] if turns_so_far(body) else None  # noqa: E731
    with teacher_server(lambda body: reply, script=script) as server:
        run(server.url, photo_dataset, store, num_samples=1)
        assert len(server.requests) == 2
    assert ends(store) == [("exhausted", "context_limit")]
    with teacher_server(lambda body: Reply(ANSWER)) as server:
        run(server.url, photo_dataset, store, num_samples=1, retry=("refused",))
        assert len(server.requests) == 1
        assert NOT_SHOWN not in str(server.bodies[0])
    assert ends(store) == [("answered", "answer")]
    assert_proven(store)


def test_limits_that_conversations_grow_to_do_not_look_like_an_outage(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """All of them meet it at the same turn, and in a run that goes on before any is answered."""
    store, notes = tmp_path / "g.db", Notes()
    pace = {"break_after_failures": 2, "break_after_seconds": 0.0}
    with teacher_server(Zoomer(stubborn=True)) as server:
        run(server.url, photo_dataset, store, turn_limit=2)
    assert ends(store) == [("exhausted", "turn_limit")] * 6
    with teacher_server(Zoomer(), script=allowing(2)) as server:
        run(server.url, photo_dataset, store, pace=pace, notes=notes)
        assert len(server.requests) == 12
    assert ends(store) == [("answered", "answer")] * 6
    assert not [notice for notice in notes.notices if "pausing" in notice]


# --- cut anywhere ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("forks") / "errors") as warm:
        yield warm


def _refused_twice(number: int, body: Body) -> Fault | None:
    return KINDS["context_limit"] if turns_so_far(body) == 2 else None


CUT: dict[str, tuple[Callable[[Body], Reply], Script, int]] = {
    "answers": (Zoomer(), allowing(2), 4),
    "calls again": (Zoomer(stubborn=True), allowing(2), 4),
    "refused again": (Zoomer(), _refused_twice, 4),
}


@pytest.mark.parametrize("name", CUT)
def test_a_run_that_is_killed_at_a_limit_goes_on_as_if_it_had_not_been(
    name: str, forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    """Before each request and after each commit: the same rows, and no response paid for twice."""
    mind, script, needed = CUT[name]
    with teacher_server(mind, script=script) as server:

        def generate(store: Path, **how: Any) -> Any:
            points = (REQUEST, COMMITTED, CLOSE)
            options: dict[str, Any] = {"num_samples": 1, "concurrency": 1, "points": points, **how}
            return forks.generate(server.url, photo_dataset, store, **options)

        whole = generate(tmp_path / "whole.db")
        assert whole.code == 0, forks.errors.read_text()[-3000:]
        assert len(server.requests) == needed
        rows_of_whole = contents(tmp_path / "whole.db")
        for number, point in enumerate(whole.passed, start=1):
            store = tmp_path / f"{number}.db"
            assert generate(store, kill_at=number).killed
            before = rows(store, "select count(*) from turns")[0][0] if store.exists() else 0
            asked = len(server.requests)
            assert generate(store).code == 0
            assert contents(store) == rows_of_whole, point
            assert_whole(store)
            paid = rows(store, "select count(*) from turns")[0][0] - before
            refused = len(server.requests) - asked - paid
            assert refused <= 2, "refusals, which nobody bills"
    assert_proven(tmp_path / f"{len(whole.passed)}.db")


@pytest.mark.parametrize("name", ["calls again", "refused again"])
def test_a_run_that_takes_refused_traces_up_again_may_be_killed_too(
    name: str, forks: Forks, photo_dataset: Path, tmp_path: Path
) -> None:
    mind, script, _ = CUT[name]
    before = tmp_path / "before.db"
    with teacher_server(mind, script=script) as server:
        run(server.url, photo_dataset, before, num_samples=1)
    with teacher_server(Zoomer(turns=4)) as server:

        def generate(store: Path, **how: Any) -> Any:
            points = (REQUEST, COMMITTED, CLOSE)
            options = {"num_samples": 1, "retry": ["refused"], "points": points, **how}
            return forks.generate(server.url, photo_dataset, store, **options)

        def copied(name: str) -> Path:
            return Path(shutil.copy(before, tmp_path / name))

        whole = copied("whole.db")
        passed = generate(whole).passed
        needed = len(server.requests)
        assert ends(whole) == [("answered", "answer")]
        for number in range(1, len(passed) + 1):
            store, asked = copied(f"{number}.db"), len(server.requests)
            assert generate(store, kill_at=number).killed
            assert generate(store).code == 0
            assert contents(store) == contents(whole), passed[number - 1]
            assert len(server.requests) - asked == needed, "every reply was kept"
    assert_proven(store)


# --- mended since ---------------------------------------------------------------------------------


@PROTOCOLS
@pytest.mark.parametrize("stubborn", [True, False], ids=["calls again", "refused again"])
def test_a_trace_that_ended_at_a_limit_goes_on_from_its_turns_once_that_is_mended(
    stubborn: bool, protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    plan: dict[str, Any] = {"num_samples": 1, "recipe": {"protocol": protocol}}
    limit = KINDS["image_limit"]
    script: Script = (
        allowing(3) if stubborn else lambda number, body: limit if turns_so_far(body) == 3 else None
    )
    with teacher_server(Zoomer(stubborn=True), script=script) as server:
        run(server.url, photo_dataset, store, **plan)
        paid = rows(store, "select count(*) from turns")[0][0]
        run(server.url, photo_dataset, store, **plan, retry=("truncated",))
        assert ends(store) == [("exhausted", "image_limit")]
    with teacher_server(Zoomer(turns=6)) as server:
        run(server.url, photo_dataset, store, **plan, retry=("refused",))
        assert len(server.requests) == 7 - paid
        assert NOT_SHOWN not in last_words(server.bodies[-1])
    assert ends(store) == [("answered", "answer")]
    assert_proven(store)
    with Store.open(store) as opened:
        trace = opened.traces.get_trace(1)
        assert (
            export(
                opened, tmp_path / "out", options=ExportOptions(format="trace", images="files")
            ).count
            == 1
        )
    left_out = {4} if stubborn else set()
    shown = [n for n in range(7) if n not in ({3} if stubborn else set())]
    sent = {0: trace.photo} | {call.image_index: call.image for call in trace.calls}
    hashes = [image.sha256 for number in shown if (image := sent[number]) is not None]
    assert {file.stem for file in (tmp_path / "out").rglob("*.jpg")} == set(hashes)
    history = json.loads(next((tmp_path / "out").rglob("trace_*.json")).read_text())
    urls = [
        part["image_url"]["url"]
        for turn in history["conversation_history"]
        for message in turn["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    assert urls == [f"images/{sha256[:2]}/{sha256}.jpg" for sha256 in hashes]
    assert {turn.turn for turn in trace.turns if turn.request_form} == left_out
    with Store.open(tmp_path / "imported.db", create=True) as imported:
        assert import_traces(imported, tmp_path / "out").imported == 1
        assert (
            export(
                imported, tmp_path / "again", options=ExportOptions(format="trace", images="files")
            ).count
            == 1
        )
    assert_proven(tmp_path / "imported.db")
    assert [file.read_bytes() for file in sorted((tmp_path / "again").rglob("trace_*.json"))] == [
        file.read_bytes() for file in sorted((tmp_path / "out").rglob("trace_*.json"))
    ]
    words = render_trace(trace, verbose=True)
    assert words.count("without the newest images (image_limit)") == len(left_out)
    assert [f"[image {number}," in words for number in range(7)] == [n in shown for n in range(7)]


def test_a_trace_that_is_opened_again_and_not_mended_ends_as_before(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    with teacher_server(Zoomer(), script=_refused_twice) as server:
        for times in (1, 2, 3):
            run(server.url, photo_dataset, store, num_samples=1, retry=("refused",))
            assert len(server.requests) == 2 + 2 * times
            assert ends(store) == [("exhausted", "context_limit")]
            assert NOT_SHOWN in last_words(server.bodies[-1])
            assert NOT_SHOWN not in last_words(server.bodies[-2])
    assert rows(store, "select count(*) from turns") == [(2,)]


REFUSALS: dict[str, tuple[Fault, str]] = {
    **{name: (limit, kind) for name, (limit, kind) in LIMITS.items()},
    "another refusal": (fault({"detail": "cannot read this image"}, 422), "refused"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_photos_that_were_refused_come_back_with_one_option(
    name: str, photo_dataset: Path, tmp_path: Path
) -> None:
    refusal, reason = REFUSALS[name]
    store, notes = tmp_path / "g.db", Notes()
    photos: list[str] = []

    def script(number: int, body: Body) -> Fault | None:
        photos.append(str(body["messages"][1]))
        return refusal if photos.index(photos[-1]) in (1, 2) else None

    plan: dict[str, Any] = {"num_samples": 4, "concurrency": 1}
    with teacher_server(lambda body: Reply(ANSWER), script=script) as server:
        result = run(server.url, photo_dataset, store, **plan, notes=notes)
    assert result.refused == {"failed": 2}
    assert sorted(ends(store)) == [("answered", "answer")] * 2 + [("failed", reason)] * 2
    assert len(notes.notices) == (0 if reason == "refused" else 2)
    with teacher_server(lambda body: Reply(ANSWER)) as server:
        run(server.url, photo_dataset, store, **plan, retry=("truncated", "exhausted"))
        assert not server.requests
        run(server.url, photo_dataset, store, **plan, retry=("refused",))
        assert len(server.requests) == 2
    assert ends(store) == [("answered", "answer")] * 4


def test_a_limit_that_every_photo_meets_ends_the_run_with_what_to_set(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store, notes = tmp_path / "g.db", Notes()
    refusal = KINDS["size_limit"]
    with teacher_server(Zoomer(turns=0), script=lambda number, body: refusal) as server:
        with pytest.raises(TeacherUnusable, match="client_max_body_size") as raised:
            run(server.url, photo_dataset, store, num_samples=None, concurrency=1, notes=notes)
        assert len(server.requests) == 8
    assert not [notice for notice in notes.notices if "pausing" in notice]
    assert "--retry refused" in str(raised.value)
    assert "\n" not in str(raised.value)
    with teacher_server(Zoomer(turns=0)) as server:
        run(server.url, photo_dataset, store, num_samples=None, retry=("refused",))
        assert len(server.requests) == 12
    assert ends(store) == [("answered", "answer")] * 12


def test_a_limit_that_a_photo_meets_among_others_ends_no_run(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    refusal = KINDS["size_limit"]
    script: Script = lambda number, body: refusal if number else None  # noqa: E731
    pace = {"break_after_failures": 99}
    with teacher_server(Zoomer(turns=0), script=script) as server:
        run(server.url, photo_dataset, store, num_samples=None, concurrency=1, pace=pace)
    assert ends(store) == [("answered", "answer"), *[("failed", "size_limit")] * 11]


def test_the_rotated_photo_stays_the_current_image_where_it_was_not_shown(
    photo_dataset: Path, tmp_path: Path
) -> None:
    """The rows of calls decide what later calls mean, whether or not their images were shown."""
    store = tmp_path / "g.db"

    def mind(body: Body) -> Reply:
        replies = [
            call(body, ROTATE, angle=90),
            call(body, ROTATE, angle=90),
            call(body, ZOOM, bbox_2d=[0, 0, 500, 500]),
            Reply(ANSWER),
        ]
        return replies[turns_so_far(body)]

    plan: dict[str, Any] = {"num_samples": 1}
    with teacher_server(mind, script=allowing(2)) as server:
        run(server.url, photo_dataset, store, **plan)
    assert ends(store) == [("exhausted", "image_limit")]
    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store, **plan, retry=("refused",))
    assert ends(store) == [("answered", "answer")]
    assert rows(store, "select source_index from tool_calls") == [(0,), (1,), (2,)]
    assert_proven(store)


# --- kept below a limit ---------------------------------------------------------------------------


@PROTOCOLS
@pytest.mark.parametrize("most", [1, 2, 4])
def test_calls_past_the_images_that_may_be_shown_are_refused_in_words(
    most: int, protocol: str, photo_dataset: Path, tmp_path: Path
) -> None:
    store, notes = tmp_path / "g.db", Notes()

    def mind(body: Body) -> Reply:
        is_told = turns_so_far(body) and "Answer from what you have seen." in last_words(body)
        return Reply(ANSWER) if is_told else Zoomer()(body)

    with teacher_server(mind, script=allowing(most)) as server:
        run(
            server.url,
            photo_dataset,
            store,
            num_samples=2,
            recipe={"protocol": protocol},
            max_images=most,
            notes=notes,
        )
        assert max(map(images_of, server.bodies)) == most
        assert len(server.requests) == 2 * (most + 1)
    assert ends(store) == [("answered", "answer")] * 2
    assert rows(store, "select * from attempts") == []
    calls = "select success, error_kind, image_index from tool_calls where trace_id = 1"
    worked = [(1, None, number) for number in range(1, most)]
    assert rows(store, calls) == [*worked, (0, "image_limit", None)]
    assert not [notice for notice in notes.notices if "limit" in notice]
    assert_proven(store, 2)
    with Store.open(store) as opened:
        audit(opened)
    flagged = rows(store, "select flag from trace_flags where flag = 'answer_after_failed_call'")
    assert flagged == []


def test_calls_of_one_turn_fill_what_is_left_and_a_wrong_call_reads_what_is_wrong(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    boxes = ([0, 0, 400, 400], [5, 5, 2, 2], [100, 100, 800, 800])
    three = "".join(text_call(ZOOM, {"bbox_2d": box}) for box in boxes)
    empty = text_call(ZOOM, {"bbox_2d": [5, 5, 2, 2]})
    replies = [Reply(three), Reply(empty), Reply(ANSWER)]
    with teacher_server(lambda body: replies[turns_so_far(body)]) as server:
        run(server.url, photo_dataset, store, num_samples=1, max_images=2)
    kinds = [kind for (kind,) in rows(store, "select error_kind from tool_calls")]
    assert kinds == [None, "bbox_empty", "image_limit", "bbox_empty"]


def test_what_max_images_is_makes_no_other_recipe_and_asks_about_no_photo_again(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    with teacher_server(Zoomer(turns=3)) as server:
        for most in (None, 2, 5, None):
            run(server.url, photo_dataset, store, num_samples=2, max_images=most)
        assert len(server.requests) == 8
    assert rows(store, "select count(*) from recipes") == [(1,)]


def test_without_max_images_no_call_is_refused_for_it(photo_dataset: Path, tmp_path: Path) -> None:
    """The number that the docs and notices name is what a conversation really comes to."""
    store = tmp_path / "g.db"

    def mind(body: Body) -> Reply:
        done = turns_so_far(body)
        boxes = [[10 * done, 10 * n, 500, 500] for n in range(4)]
        return Reply("".join(text_call(ZOOM, {"bbox_2d": box}) for box in boxes))

    with teacher_server(mind) as server:
        run(server.url, photo_dataset, store, num_samples=1, turn_limit=4)
        most = max(map(images_of, server.bodies))
    assert most == most_images(recipe_of(), 4) == 10
    kinds = rows(store, "select distinct error_kind from tool_calls order by 1")
    assert kinds == [(None,), ("too_many_calls",)]


def test_the_readme_starts_a_server_that_takes_every_image_of_a_conversation() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (limit,) = re.findall(r"--limit-mm-per-prompt '{\"image\": (\d+)}'", readme)
    model = re.search(r"vllm serve (\S+)", readme)
    assert model is not None
    assert int(limit) == most_images(recipe_of(model[1]), Plan().turn_limit)
    assert most_images(recipe_of(model[1], tools=False), 10) == 1


def test_the_command_takes_the_limit(photo_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "g.db"
    with teacher_server(Zoomer(turns=2), script=allowing(2)) as server:
        options = ("generate", "--dataset-path", photo_dataset, "--store", store)
        more = ("--base-url", server.url, "--model", "test", "--num-samples", "1")
        ended = geostore(*options, *more, "--max-images", "2")
    assert ended.returncode == 0, ended.stderr
    assert rows(store, "select count(*) from attempts") == [(0,)]
    assert rows(store, "select error_kind from tool_calls") == [(None,), ("image_limit",)]


def test_the_last_lines_of_a_run_name_the_option_that_brings_refused_traces_back(
    photo_dataset: Path, tmp_path: Path
) -> None:
    store = tmp_path / "g.db"
    options = ("generate", "--dataset-path", photo_dataset, "--store", store, "--model", "test")
    plan = ("--num-samples", "4", "--concurrency", "1")
    script: Script = lambda number, body: KINDS["size_limit"] if number in (1, 2) else None  # noqa: E731
    with teacher_server(Zoomer(turns=0), script=script) as server:
        ended = geostore(*options, *plan, "--base-url", server.url)
        assert ended.returncode == 4
        last = ended.stderr.splitlines()[-1]
        assert last.startswith("2 of 4 traces were refused by the server")
        assert "--retry refused" in last
        again = geostore(*options, *plan, "--base-url", server.url, "--retry", "refused")
        assert again.returncode == 0
        assert len(server.requests) == 6
    assert ends(store) == [("answered", "answer")] * 4
