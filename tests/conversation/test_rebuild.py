"""What was sent follows from rows, byte for byte, for every turn of any conversation.

Conversations here are random: calls good and bad, several in a turn, in the text and by the API,
reasoning wherever servers put it, turns that were cut, turn limits that grew between runs, and
limits of the server.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geostore.conversation.images import PhotoSource, conversation_images
from geostore.conversation.machine import Ask, Conversation, Run
from geostore.conversation.messages import Message, RequestWriter, split_reasoning
from geostore.conversation.recipe import make_recipe, recipe_hash
from geostore.conversation.request_form import USUAL_FORM, RequestForm
from geostore.conversation.sent import continues, sent_messages, sent_requests
from geostore.conversation.toolbench import ToolBench
from geostore.conversation.wire import WireMessages
from geostore.dataset import PhotoDataset
from geostore.identity import canonical_json, sha256_hex
from geostore.imaging import prepare_photo
from geostore.records import (
    LIMIT_KINDS,
    Closing,
    LimitKind,
    Recipe,
    StoredTrace,
    ToolCall,
    TraceKey,
    Turn,
)
from geostore.store import Store
from tests.builders import played_recipe, recipe_of
from tests.conftest import photo_bytes
from tests.examples import examples
from tests.minds import ROTATE, ZOOM, answer, text_call
from tests.running import run
from tests.teacher_server import Body, Reply, teacher_server

ENHANCE = "image_enhance_tool"
PHOTO = photo_bytes(1)
BENCH = ToolBench()

# --- what a teacher may write --------------------------------------------------------------------

NUMBERS = st.sampled_from([-50, 0, 3, 100, 400, 999, 1000, 1500, 12.5])
ARGUMENTS = st.one_of(
    st.builds(lambda a, b, c, d: {"bbox_2d": [a, b, c, d]}, *[NUMBERS] * 4),
    st.sampled_from(
        [
            {"bbox_2d": [100, 100, 500, 500], "label": 'sign "A" \\ </tool_call> é 東京'},
            {"bbox_2d": [100, 100, 500, 500], "label": "seen"},
            {"bbox_2d": [0, 0, 1000, 1000]},
            {"angle": 90},
            {"angle": -12.5},
            {"angle": 720},
            {"angle": "much"},
            {"contrast": 2},
            {"contrast": 0.5, "brightness": 3},
            {"brightness": 9},
            {},
        ]
    ),
)
INDEX = st.sampled_from(
    [{}, {}, {}, {"img_idx": 0}, {"img_idx": 1}, {"img_idx": 2}, {"img_idx": 9}]
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from([ZOOM, ZOOM, ROTATE, ENHANCE, "no_such_tool", ""]),
        st.builds(lambda a, b: {**a, **b}, ARGUMENTS, INDEX),
        st.sampled_from(["json", "json", "json", "python", "comma", "broken", "brace too many"]),
    ),
    min_size=1,
    max_size=4,
)
TAGS = ("<tool_call>", "</tool_call>")
PROSE = st.sampled_from(
    [
        "",
        "Let me look.",
        'She said "url":"sha256:' + "0" * 64 + '" twice.',
        "\u2028 </tool_response> {photo_size} \\boxed",
        answer(48.1, 11.5),
    ]
)
REASONING = st.sampled_from(
    [
        *(None, None, "reasoning", "reasoning_content"),
        *("think", "unopened", "unclosed", "call inside", "other tags"),
    ]
)


@st.composite
def said(draw: st.DrawFn) -> dict[str, Any]:
    """One response: the parts of it, from which either protocol makes a message."""
    return {
        "prose": draw(PROSE),
        "calls": draw(st.one_of(st.just([]), CALLS, CALLS)),
        "reasoning": draw(REASONING),
        "finish": draw(st.sampled_from(["stop"] * 8 + ["length", "content_filter"])),
        # Some servers leave calls in the text that were asked for natively.
        "in_text": draw(st.sampled_from([False] * 4 + [True])),
        # And some models write them as another family does, with tags of its own or without.
        "tags": draw(st.sampled_from([TAGS] * 3 + [("", ""), ("<tool_calls>", "</tool_calls>")])),
    }


RECIPES = st.fixed_dictionaries(
    {
        "protocol": st.sampled_from(["text", "native"]),
        "bbox_frame": st.sampled_from(["pixel", "norm1000", "norm1000_yx"]),
        "extra_tools": st.sampled_from([(), (ENHANCE,)]),
        "image_multiple": st.sampled_from([None, 28]),
    }
)


def written(arguments: dict[str, Any], how: str) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    if how == "python":
        return repr(arguments)
    forms = {"comma": text[:-1] + ",}", "broken": text[:-2], "brace too many": text + "}"}
    return forms.get(how, text)


def message_of(parts: dict[str, Any], protocol: str) -> dict[str, Any]:
    """The message in a server's response."""
    content = parts["prose"]
    message: dict[str, Any] = {}
    if protocol == "native" and parts["calls"] and not parts["in_text"]:
        message["tool_calls"] = [
            {
                "id": f"c{number}",
                "type": "function",
                "function": {"name": name, "arguments": written(arguments, how)},
            }
            for number, (name, arguments, how) in enumerate(parts["calls"])
        ]
    else:
        for name, arguments, how in parts["calls"]:
            body = f'{{"name": "{name}", "arguments": {written(arguments, how)}}}'
            opening, closing = parts["tags"]
            content += f"\n{opening}\n{body}\n{closing}"
    where = parts["reasoning"]
    if where in ("reasoning", "reasoning_content"):
        message[where] = "I think it is far north."
    elif where == "think":
        content = f"<think>\nhm\n</think>\n\n{content}"
    elif where == "call inside":
        content = f"<think>{text_call(ZOOM, {'bbox_2d': [0, 0, 9, 9]})}</think>{content}"
    elif where == "other tags":
        content = f"[THINK]hm{text_call(ZOOM, {'bbox_2d': [0, 0, 9, 9]})}[/THINK]{content}"
    elif where == "unopened":
        content = f"hm</think>{content}"
    elif where == "unclosed":
        content = f"<think>hm {content}"
    if parts["finish"] == "length" and not message.get("tool_calls"):
        content = content[: len(content) * 4 // 5]
    message["content"] = content or ("." if len(message) == 0 else "")
    return message


# --- through the state machine, many -------------------------------------------------------------


def turn_of(ask: Ask, parts: dict[str, Any], protocol: str) -> Turn:
    """The row of a response, as the teacher's client makes it."""
    message = message_of(parts, protocol)
    calls = message.get("tool_calls")
    field = next((name for name in ("reasoning", "reasoning_content") if name in message), None)
    response, reasoning, source = (
        (message["content"], message[field], field)
        if field
        else split_reasoning(message["content"])
    )
    return Turn(
        turn=ask.turn,
        response=response,
        reasoning=reasoning,
        reasoning_source=source,
        native_calls=canonical_json(calls).decode() if calls else None,
        finish_reason=parts["finish"],
        turn_limit=ask.turn_limit,
        request_sha256=ask.request_sha256,
        request_form=ask.form.to_json(),
    )


def stored(
    recipe: Recipe, photo: Any, turns: list[Turn], calls: list[ToolCall], builder: StoredTrace
) -> StoredTrace:
    return replace(builder, recipe=recipe, photo=photo, turns=tuple(turns), calls=tuple(calls))


FORMS = st.builds(
    RequestForm,
    token_limit=st.sampled_from([None, "max_completion_tokens"]),
    no_temperature=st.booleans(),
    system_role=st.sampled_from([None, "developer", "user"]),
    images=st.sampled_from([None, "in_tool", "after_assistant"]),
    empty_content=st.sampled_from([None, "null", "empty", "left_out", "words"]),
    reasoning=st.sampled_from([None, "reasoning", "none"]),
    without=st.sampled_from([(), ("reasoning",), ("members", "thinking")]),
)


@pytest.fixture(scope="module")
def any_trace(photo_dataset: Path) -> StoredTrace:
    """A stored trace whose rows the tests replace with their own."""
    dataset = PhotoDataset.open(photo_dataset)
    recipe = make_recipe(model="test")
    return StoredTrace(
        name="any",
        key=TraceKey(0, recipe_hash(recipe), 1),
        dataset=dataset.facts,
        sample=dataset.read_sample(0),
        recipe=recipe,
        status="open",
        stop_reason=None,
        turn_limit=None,
        photo=None,
        turns=(),
        calls=(),
        failures=(),
        answer=None,
        reward=None,
        reward_spec=None,
    )


@settings(max_examples=examples(50), deadline=None)
@given(
    options=RECIPES,
    script=st.lists(said(), min_size=1, max_size=6),
    limits=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    go_on=st.booleans(),
    met=st.sets(st.tuples(st.integers(2, 6), st.sampled_from(LIMIT_KINDS))),
    forms=st.lists(st.one_of(st.just(USUAL_FORM), FORMS), min_size=1, max_size=3),
)
def test_rows_give_every_request_again_and_every_image_in_it(
    options: dict[str, Any],
    script: list[dict[str, Any]],
    limits: list[int],
    go_on: bool,
    met: set[tuple[int, LimitKind]],
    forms: list[RequestForm],
    any_trace: StoredTrace,
) -> None:
    """Played under one turn limit after another, each time from rows, as runs after runs do.

    met: turns that the server refuses at a limit, once for each. forms: each request has the
    next of them.
    """
    recipe = recipe_of(**options)
    writer = RequestWriter(recipe)
    photo = prepare_photo(PHOTO, recipe.limits)
    turns: list[Turn] = []
    calls: list[ToolCall] = []
    sent: list[tuple[bytes, str]] = []
    for limit in sorted(limits):
        wire = WireMessages()
        wire.show(conversation_images(PHOTO, recipe, calls, sent=photo.facts))
        conversation = Conversation.resume(recipe, writer, photo.facts, turns=turns, calls=calls)
        once_more = go_on
        while len(turns) < len(script):
            step = conversation.next(limit, go_on=once_more)
            once_more = once_more and not isinstance(step, Ask)
            if isinstance(step, Closing):
                break
            if isinstance(step, Run):
                call, image = BENCH.run(step, recipe, PHOTO)
                if image is not None:
                    wire.show([image])
                conversation.add_call(call)
                calls.append(call)
                continue
            step = conversation.in_form(step, forms[len(turns) % len(forms)])
            body = writer.body(wire.write(step.messages), step.form)
            refused = next((one for one in sorted(met) if one[0] == step.turn), None)
            if refused is not None:
                met.remove(refused)
                conversation.add_limit(refused[1])
                continue
            sent.append((canonical_json(with_hashes(json.loads(body))), step.request_sha256))
            turn = turn_of(step, script[len(turns)], options["protocol"])
            conversation.add_turn(turn)
            turns.append(turn)
    trace = stored(recipe, photo.facts, turns, calls, any_trace)
    assert_rebuilt(trace, sent)
    images = conversation_images(PHOTO, recipe, calls, sent=photo.facts)
    assert [image.sha256 for image in images[1:]] == [c.image.sha256 for c in calls if c.image]


def assert_rebuilt(trace: StoredTrace, sent: list[tuple[bytes, str]]) -> None:
    """Each request that was sent, and its hash, follow from the trace's rows."""
    writer = RequestWriter(played_recipe(trace))
    rebuilt = list(sent_requests(trace))
    assert len(rebuilt) == len(sent) == len(trace.turns)
    joined: list[Message] = []
    for request, added in zip(rebuilt, sent_messages(trace), strict=True):
        goes_on = continues([added[0].value])
        for message in added:
            # An export writes the value, its role first, and may not depend on how it was made.
            role = {"role": message.value["role"]}
            read = json.loads(message.canonical)
            assert json.dumps({**role, **message.value}) == json.dumps({**role, **read})
        joined = [*joined, *added] if goes_on else added
        assert joined == request
    for messages, (canonical, sha256), turn in zip(rebuilt, sent, trace.turns, strict=True):
        assert json.loads(canonical)["messages"] == [json.loads(m.canonical) for m in messages]
        assert canonical.count(b",".join(message.canonical for message in messages)) == 1
        form = RequestForm.of_json(turn.request_form)
        assert writer.hash(messages, form) == sha256 == turn.request_sha256 == sha256_hex(canonical)


def with_hashes(body: Body) -> Body:
    """A request body with the data of each image replaced by its sha256."""
    for message in body["messages"]:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "image_url":
                data = b64decode(part["image_url"]["url"].partition(",")[2])
                part["image_url"]["url"] = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return body


# --- through the real run, the real store and a real server, some --------------------------------


@settings(
    max_examples=examples(3),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    options=RECIPES,
    script=st.lists(said(), min_size=4, max_size=10),
    limits=st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True),
)
def test_what_the_server_received_follows_from_the_store(
    options: dict[str, Any],
    script: list[dict[str, Any]],
    limits: list[int],
    photo_dataset: Path,
) -> None:
    def mind(body: Body) -> Reply:
        """Each photo's conversation draws other lines of the script."""
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        photo = json.dumps(with_hashes(body)["messages"][1])
        parts = random.Random(f"{photo}{turn}").choice(script)
        message = message_of(parts, options["protocol"])
        return Reply(
            message.pop("content"),
            finish_reason=parts["finish"],
            tool_calls=message.pop("tool_calls", None),
            message=message,
        )

    with tempfile.TemporaryDirectory() as folder, teacher_server(mind) as server:
        store_path = Path(folder) / "geostore.db"
        for limit in sorted(limits):
            retry = ("truncated", "exhausted") if limit == max(limits) else ()
            run(
                server.url,
                photo_dataset,
                store_path,
                recipe=options,
                num_samples=3,
                turn_limit=limit,
                retry=retry,
            )
        with Store.open(store_path) as store:
            ids = [row["id"] for row in store.db.connection.execute("select id from traces")]
            traces = [store.traces.get_trace(trace_id) for trace_id in ids]
        received = [canonical_json(with_hashes(body)) for body in server.asked]
    by_hash = {sha256_hex(body): body for body in received}
    assert len(traces) == 3
    assert sum(len(trace.turns) for trace in traces) == len(received), "none was sent twice"
    source = PhotoSource()
    for trace in traces:
        hashes = [turn.request_sha256 or "" for turn in trace.turns]
        assert_rebuilt(trace, [(by_hash[sha256], sha256) for sha256 in hashes])
        photo = source.photo_bytes(trace)
        images = conversation_images(photo, played_recipe(trace), trace.calls, sent=trace.photo)
        assert [i.facts for i in images[1:]] == [c.image for c in trace.calls if c.image]
