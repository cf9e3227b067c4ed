"""Writes one trace as text for a person to read.

Plain text without colour, at most 100 columns wide except where a word is longer;
the same trace gives the same text. Control characters that a teacher or a server
wrote are shown as escapes, so that they cannot steer a terminal.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import orjson

from geostore.conversation.messages import Message
from geostore.conversation.recipe import tool_names
from geostore.conversation.request_form import RequestForm
from geostore.conversation.sent import continues, sent_messages, shown_calls
from geostore.records import (
    PROBE,
    Answer,
    FailedAttempt,
    ImportedRecipe,
    Reward,
    StoredTrace,
    ToolCall,
    Turn,
)
from geostore.tools import further_effect

WIDTH = 100
SHORT_LINES = 6
"""How many lines of a response are shown unless all of it is asked for."""

_LABEL = 15  # columns for the names of facts


def render_trace(trace: StoredTrace, *, verbose: bool = False) -> str:
    """Everything the store holds of a trace, without a line break at the end.

    verbose: responses whole, with reasoning, the other columns of the sample,
    and the messages that were sent for each turn.
    """
    blocks = [_heading(trace), _sample(trace, verbose=verbose), _recipe(trace)]
    known = trace.photo is not None or isinstance(trace.recipe, ImportedRecipe)
    sent = sent_messages(trace) if verbose and known else []
    images = _image_names(trace)  # messages name the images in the order of their numbers
    for turn in trace.turns:
        messages = sent[turn.turn - 1] if sent else []
        if messages and not continues([orjson.loads(messages[0].canonical)]):
            images = _image_names(trace)  # a whole request shows the first images again
        calls = [call for call in trace.calls if call.turn == turn.turn]
        blocks.append(_turn(turn, calls, messages, images, verbose=verbose))
    if trace.failures:
        blocks.append(_failures(trace.failures))
    blocks.append(_outcome(trace))
    return "\n\n".join("\n".join(lines) for lines in blocks)


def sample_block(n: int, total: int, trace: StoredTrace, saved_to: str) -> str:
    """The lines about one sample in the log of a run, without a line break at the end.

    n: counts samples from 1. saved_to: where the trace is.
    """
    sample = trace.sample
    score = sample.locatability_score
    lines = [
        f"[Sample {n}/{total}]",
        f"  Locatability score: {'unknown' if score is None else f'{score:.4f}'}",
        f"  Ground truth: lat={sample.lat:.4f}, lon={sample.lon:.4f}",
        f"  Country: {_visible(sample.country or 'unknown')}",
    ]
    if trace.status == "failed":
        return "\n".join([*lines, f"  [FAILED] {_failure_reason(trace)}"])
    if trace.status == "open":
        return "\n".join([*lines, f"  [OPEN] Interrupted after {_count(trace.turns, 'turn')}"])
    reward = trace.reward
    parsed = trace.answer is not None and trace.answer.failure is None
    distance = None if reward is None else reward.distance_km
    value = None if reward is None else reward.score
    lines += [
        "  [SUCCESS] Generated trace",
        f"    Turns: {len(trace.turns)}",
        f"    Tool calls: {len(trace.calls)}",
        f"    Parse success: {parsed}",
        f"    Distance: {'none' if distance is None else f'{distance:.2f} km'}",
        f"    Score: {'none' if value is None else f'{value:.4f}'}",
        f"    Saved to: {saved_to} ({trace.name})",
    ]
    return "\n".join(lines)


# --- the parts of a trace -----------------------------------------------------------------------


def _heading(trace: StoredTrace) -> list[str]:
    reason = f" ({trace.stop_reason})" if trace.stop_reason else ""
    return [f"Trace {trace.name}: {trace.status}{reason}"]


def _sample(trace: StoredTrace, *, verbose: bool) -> list[str]:
    sample = trace.sample
    photo = sample.photo
    size = "unknown" if photo is None else f"{photo.width} x {photo.height} {photo.format}"
    if trace.photo is not None:
        size += f", sent as {trace.photo.width} x {trace.photo.height}"
    score = sample.locatability_score
    lines = [
        "Sample",
        *_fact("dataset", f"{trace.dataset.name}, row {sample.sample_index}"),
        *_fact("path", trace.dataset.path),
        *_fact("truth", f"{sample.lat}, {sample.lon}"),
        *_fact("country", sample.country or "unknown"),
        *_fact("locatability", "unknown" if score is None else f"{score:.4f}"),
        *_fact("photo", size),
    ]
    if verbose:
        for name, value in sample.columns.items():
            lines += _fact(name, value if isinstance(value, str) else orjson.dumps(value).decode())
    return lines


def _recipe(trace: StoredTrace) -> list[str]:
    recipe = trace.recipe
    if isinstance(recipe, ImportedRecipe):
        return _imported_recipe(trace.key.recipe_sha256, recipe)
    tools = ", ".join(tool_names(recipe)) or "none"
    if recipe.tools:
        tools += f" ({recipe.protocol} protocol, boxes {recipe.bbox_frame})"
    heat = "no temperature" if recipe.temperature is None else f"temperature {recipe.temperature:g}"
    sampling = f"{heat}, at most {recipe.max_tokens} tokens"
    if recipe.seed is not None:
        sampling += f", seed {recipe.seed}"
    if recipe.reasoning_field != "auto":
        name = recipe.reasoning_field
        sampling += f", {'no reasoning sent back' if name == 'none' else f'{name} sent back'}"
    return [
        f"Recipe {trace.key.recipe_sha256[:8]}",
        *_fact("model", recipe.model),
        *_fact("tools", tools),
        *_fact("sampling", sampling),
    ]


def _imported_recipe(sha256: str, recipe: ImportedRecipe) -> list[str]:
    lines = [
        f"Recipe {sha256[:8]} (imported: as its files say, not proven)",
        *_fact("model", recipe.model or "unknown"),
    ]
    if recipe.label is not None:
        lines += _fact("label", recipe.label)
    for name, value in recipe.settings.items():
        lines += _fact(name, value if isinstance(value, str) else orjson.dumps(value).decode())
    return lines


def _turn(
    turn: Turn,
    calls: list[ToolCall],
    messages: list[Message],
    images: Iterator[str],
    *,
    verbose: bool,
) -> list[str]:
    lines = [f"Turn {turn.turn}: {', '.join(_turn_facts(turn))}"]
    for message in messages:
        lines += _message(message, images)
    if verbose and turn.reasoning is not None:
        lines += ["  reasoning", *_text(turn.reasoning, most=None)]
    if verbose:
        lines.append("  response")
    lines += _text(turn.response, most=None if verbose else SHORT_LINES)
    for call in calls:
        lines += _call(call)
    return lines


def _turn_facts(turn: Turn) -> Iterator[str]:
    yield _visible(turn.finish_reason or "no finish reason")
    if (limit := RequestForm.of(turn).images_left_out) is not None:
        yield f"asked for the answer without the newest images ({limit})"
    if turn.prompt_tokens is not None or turn.completion_tokens is not None:
        yield f"{_number(turn.prompt_tokens)} tokens in, {_number(turn.completion_tokens)} out"
    else:
        yield _uncounted(turn)
    if turn.latency_ms is not None:
        yield f"{turn.latency_ms / 1000:.1f} s"


def _uncounted(turn: Turn) -> str:
    prompt, completion = turn.estimated_prompt_tokens, turn.estimated_completion_tokens
    if prompt is None or completion is None:
        return "tokens not counted"
    return f"tokens not counted, about {prompt + completion:,}"


def _call(call: ToolCall) -> list[str]:
    words = [f"call {call.call_index + 1}: {_visible(call.name) or 'unreadable'}"]
    if call.source_index is not None:
        words.append(f"on image {call.source_index}")
    if call.box is not None:
        words.append(f"box {list(call.box)}")
    if call.angle is not None:
        words.append(f"angle {call.angle:g}")
    words += [f"{name} {value:g}" for name, value in further_effect(call).items()]
    if call.flags:
        words.append(f"({', '.join(call.flags)})")
    if not call.success:
        words.append(f"failed: {call.error_kind}")
    elif call.image_index is not None:
        words.append(f"gave image {call.image_index}")
    lines = _wrapped(" ".join(words), indent=2)
    if not call.success and call.raw_arguments:
        lines += _wrapped(f"as written: {_visible(call.raw_arguments)}", indent=4, most=3)
    observation = "(observation unknown)" if call.observation is None else call.observation
    return lines + _wrapped(_visible(observation), indent=4)


def _failures(failures: tuple[FailedAttempt, ...]) -> list[str]:
    lines = ["Failed requests"]
    for failure in failures:
        where = f"turn {failure.turn}" if failure.turn else "before any turn"
        status = "" if failure.http_status is None else f" (HTTP {failure.http_status})"
        message = _visible(failure.message)
        lines += _wrapped(f"{where}: {failure.error_class}{status}: {message}", indent=2)
    return lines


def _outcome(trace: StoredTrace) -> list[str]:
    ended: str = trace.status
    if trace.stop_reason:
        ended += f" ({trace.stop_reason})"
    if trace.turn_limit is not None:
        ended += f", {len(trace.turns)} of {_count(range(trace.turn_limit), 'turn')}"
    lines = ["Outcome", *_fact("status", ended)]
    if trace.final_response is not None:
        lines += _fact("final response", f"that of turn {trace.turns[-1].turn}")
    if trace.answer is not None:
        lines += _fact("answer", _answer(trace.answer))
    if trace.reward is not None:
        lines += _reward(trace.reward, trace.reward_spec)
    return lines


def _answer(answer: Answer) -> str:
    flags = f"; flags: {', '.join(answer.flags)}" if answer.flags else ""
    form = f" ({answer.form}{flags})" if answer.form else ""
    if answer.failure is not None:
        return f"none: {answer.failure}{form}"
    return f"{answer.lat}, {answer.lon}{form}"


def _reward(reward: Reward, spec: str | None) -> list[str]:
    distance, score, points = reward.distance_km, reward.score, reward.geoguessr_points
    return [
        *_fact("distance", "none" if distance is None else f"{distance:,.3f} km"),
        *_fact("score", "none" if score is None else f"{score:.4f} ({spec})"),
        *_fact("points", "none" if points is None else f"{points:,} of 5,000"),
    ]


def _failure_reason(trace: StoredTrace) -> str:
    failures = [failure for failure in trace.failures if failure.error_class != PROBE]
    if not failures:
        return trace.stop_reason or "unknown"
    return f"{failures[-1].error_class}: {_visible(failures[-1].message)}"


# --- messages -----------------------------------------------------------------------------------


def _image_names(trace: StoredTrace) -> Iterator[str]:
    """What stands for each image that the teacher was shown, in order."""
    images = [(0, trace.photo), *((call.image_index, call.image) for call in shown_calls(trace))]
    for number, image in images:
        if image is not None:
            yield f"[image {number}, {image.width} x {image.height}, sha256 {image.sha256[:12]}]"


def _message(message: Message, images: Iterator[str]) -> list[str]:
    value: dict[str, Any] = orjson.loads(message.canonical)
    lines = [f"  sent, {value['role']}"]
    content = value.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    for part in parts:
        if part.get("type") == "text":
            lines += _text(str(part.get("text")), most=None)
            continue
        # An imported message names images by hash alone, and may hold parts of other kinds.
        image = next(images, None) if part.get("type") == "image_url" else None
        lines += _wrapped(image or _visible(f"[{orjson.dumps(part).decode()}]"), indent=4)
    for call in value.get("tool_calls") or ():
        function = call.get("function") or {}
        written = f"{function.get('name')} {function.get('arguments')}"
        lines += _wrapped(f"tool call {call.get('id')}: {_visible(written)}", indent=4)
    return lines


# --- lines --------------------------------------------------------------------------------------


def _fact(name: str, value: str) -> list[str]:
    label = _visible(name)
    lines = _wrapped(_visible(value), indent=2 + _LABEL + 1)
    lines[0] = f"  {label:<{_LABEL}} {lines[0].lstrip()}".rstrip()
    return lines


def _text(text: str, *, most: int | None) -> list[str]:
    """A text with its line breaks, each line wrapped; cut after `most` lines."""
    lines = []
    for line in _visible(text, keep="\n").strip("\n").split("\n"):
        lines += _wrapped(line, indent=4)
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"    ... {_count(lines[most:], 'more line')} (--verbose shows all)"]


def _wrapped(text: str, *, indent: int, most: int | None = None) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=margin,
        subsequent_indent=margin,
        max_lines=most,
        placeholder=" ...",
        break_on_hyphens=False,
    ) or [""]


def _visible(text: str, *, keep: str = "") -> str:
    """The text with spaces of all kinds as one, and what is not printable as an escape.

    keep: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        c
        if c.isprintable() or c in keep
        else " "
        if c.isspace()
        else c.encode("unicode_escape").decode()
        for c in text
    )


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _count(things: Any, noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
