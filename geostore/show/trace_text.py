"""Writes one trace as text for a person to read.

Plain text without colour, no wider than asked for except where a word is longer; the
same trace and width give the same text. Control characters that a teacher or a server
wrote are shown as escapes, so that they cannot steer a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
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
from geostore.show.tool_words import tool_words
from geostore.text.phrases import format_number_of, format_score
from geostore.text.terminal import PROSE_WIDTH, longest_word, shorten, wrap_with_indent
from geostore.tools import further_effect

SHORT_LINES = 6
"""How many lines of a response are shown unless all of it is asked for."""

_LABEL = 15  # columns for the names of facts


def render_trace(trace: StoredTrace, *, verbose: bool = False, width: int = PROSE_WIDTH) -> str:
    """Everything the store holds of a trace, without a line break at the end.

    verbose: responses whole, with reasoning, the other columns of the sample,
    and the messages that were sent for each turn. width: columns of a line.
    """
    page = _Page(width)
    recipe = [*_recipe(page, trace), *_image_proofs(page, trace)]
    blocks = [_heading(page, trace), _sample(page, trace, verbose=verbose), recipe]
    is_imported = isinstance(trace.recipe, ImportedRecipe)
    sent = sent_messages(trace) if is_imported or (verbose and trace.photo is not None) else []
    images = _image_names(trace)  # messages name the images in the order of their numbers
    for turn in trace.turns:
        messages = sent[turn.turn - 1] if sent and verbose else []
        if messages and not continues([messages[0].value]):
            images = _image_names(trace)  # a whole request shows the first images again
        calls = [call for call in trace.calls if call.turn == turn.turn]
        if is_imported and calls and turn.turn < len(trace.turns):
            calls = _with_tool_words(calls, sent[turn.turn])
        blocks.append(_turn(page, turn, calls, messages, images, verbose=verbose))
    if trace.failures:
        blocks.append(_failures(page, trace.failures))
    blocks.append(_outcome(page, trace))
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
        turns = format_number_of(len(trace.turns), "turn")
        return "\n".join([*lines, f"  [OPEN] Interrupted after {turns}"])
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
        f"    Score: {'none' if value is None else format_score(value, 4)}",
        f"    Saved to: {saved_to} ({trace.name})",
    ]
    return "\n".join(lines)


# --- the parts of a trace -----------------------------------------------------------------------


def _heading(page: _Page, trace: StoredTrace) -> list[str]:
    reason = f" ({trace.stop_reason})" if trace.stop_reason else ""
    return page.heading(f"Trace {trace.name}: {trace.status}{reason}")


def _sample(page: _Page, trace: StoredTrace, *, verbose: bool) -> list[str]:
    sample = trace.sample
    photo = sample.photo
    size = "unknown" if photo is None else f"{photo.width} x {photo.height} {photo.format}"
    if trace.photo is not None:
        size += f", sent as {trace.photo.width} x {trace.photo.height}"
    score = sample.locatability_score
    lines = [
        "Sample",
        *page.fact("dataset", f"{trace.dataset.name}, row {sample.sample_index}"),
        *page.fact("path", trace.dataset.path),
        *page.fact("truth", f"{sample.lat}, {sample.lon}"),
        *page.fact("country", sample.country or "unknown"),
        *page.fact("locatability", "unknown" if score is None else f"{score:.4f}"),
        *page.fact("photo", size),
    ]
    if verbose:
        for name, value in sample.columns.items():
            lines += page.fact(name, _written(value))
    return lines


def _recipe(page: _Page, trace: StoredTrace) -> list[str]:
    recipe = trace.recipe
    if isinstance(recipe, ImportedRecipe):
        return _imported_recipe(page, trace.key.recipe_sha256, recipe)
    tools = ", ".join(tool_names(recipe)) or "none"
    if recipe.tools:
        tools += f" ({recipe.protocol} protocol, boxes {recipe.bbox_frame})"
    heat = "no temperature" if recipe.temperature is None else f"temperature {recipe.temperature:g}"
    sampling = f"{heat}, at most {recipe.max_tokens:,} tokens"
    if recipe.seed is not None:
        sampling += f", seed {recipe.seed}"
    if recipe.reasoning_field != "auto":
        name = recipe.reasoning_field
        sampling += f", {'no reasoning sent back' if name == 'none' else f'{name} sent back'}"
    return [
        f"Recipe {trace.key.recipe_sha256[:8]}",
        *page.fact("model", recipe.model),
        *page.fact("tools", tools),
        *page.fact("sampling", sampling),
    ]


def _imported_recipe(page: _Page, sha256: str, recipe: ImportedRecipe) -> list[str]:
    lines = [
        *page.heading(f"Recipe {sha256[:8]} (imported: as its files say, not proven)"),
        *page.fact("model", recipe.model or "unknown"),
    ]
    if recipe.label is not None:
        lines += page.fact("label", recipe.label)
    for name, value in recipe.settings.items():
        lines += page.fact(name, _written(value))
    return lines


def _image_proofs(page: _Page, trace: StoredTrace) -> list[str]:
    """What could be proven of the images of an imported trace; nothing of any other."""
    kinds = Counter(proof.proof for proof in trace.image_proofs)
    if not kinds:
        return []
    counts = ", ".join(
        f"{count} {'not made again' if kind == 'not' else kind}" for kind, count in kinds.items()
    )
    lines = page.fact("images", counts)
    for proof in trace.image_proofs:
        if proof.why is not None:
            what = f"image {proof.image_index}" if proof.image_index else "photo"
            lines += page.fact("", f"{what}: {proof.why}")
    return lines


def _turn(
    page: _Page,
    turn: Turn,
    calls: list[ToolCall],
    messages: list[Message],
    images: Iterator[str],
    *,
    verbose: bool,
) -> list[str]:
    lines = page.heading(f"Turn {turn.turn}: {', '.join(_turn_facts(turn))}")
    for message in messages:
        lines += _message(page, message, images)
    if verbose and turn.reasoning is not None:
        lines += ["  reasoning", *page.text(turn.reasoning, most=None)]
    if verbose:
        lines.append("  response")
    lines += page.text(turn.response, most=None if verbose else SHORT_LINES)
    for call in calls:
        lines += _call(page, call, verbose=verbose)
    return lines


def _with_tool_words(calls: list[ToolCall], after: list[Message]) -> list[ToolCall]:
    """Calls of an imported trace with what the next turn's messages say to them."""
    words = tool_words(after, len(calls))
    return [
        replace(call, observation=said) if call.observation is None else call
        for call, said in zip_longest(calls, words[: len(calls)])
    ]


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


def _call(page: _Page, call: ToolCall, *, verbose: bool) -> list[str]:
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
    lines = page.wrapped(" ".join(words), indent=2)
    most = None if verbose else 3
    if call.raw_arguments:
        arguments = _visible(call.raw_arguments)
        lines += page.wrapped(f"arguments: {arguments}", indent=4, most=most)
    observation = call.observation
    if observation is None:
        return [*lines, *page.wrapped("(its file does not say what the tool said)", indent=4)]
    return lines + page.wrapped(f"the tool said: {_visible(observation)}", indent=4)


def _failures(page: _Page, failures: tuple[FailedAttempt, ...]) -> list[str]:
    lines = ["Failed requests"]
    for failure in failures:
        where = f"turn {failure.turn}" if failure.turn else "before any turn"
        status = "" if failure.http_status is None else f" (HTTP {failure.http_status})"
        message = _visible(failure.message)
        lines += page.wrapped(f"{where}: {failure.error_class}{status}: {message}", indent=2)
    return lines


def _outcome(page: _Page, trace: StoredTrace) -> list[str]:
    ended: str = trace.status
    if trace.stop_reason:
        ended += f" ({trace.stop_reason})"
    if trace.turn_limit is not None:
        ended += f", {len(trace.turns)} of {format_number_of(trace.turn_limit, 'turn')}"
    lines = ["Outcome", *page.fact("status", ended)]
    if trace.final_response is not None:
        lines += page.fact("final response", f"that of turn {trace.turns[-1].turn}")
    if trace.answer is not None:
        lines += page.fact("answer", _answer(trace.answer))
        stated = trace.answer.stated
        place = ", ".join(name for name in (stated.city, stated.region, stated.country) if name)
        if place:
            lines += page.fact("place in words", place)
        if stated.confidence is not None:
            how = f"{stated.confidence:g} (stated as {stated.confidence_form})"
            lines += page.fact("confidence", how)
    if trace.reward is not None:
        lines += _reward(page, trace.reward, trace.reward_spec)
    return lines


def _answer(answer: Answer) -> str:
    flags = f"; flags: {', '.join(answer.flags)}" if answer.flags else ""
    form = f" ({answer.form}{flags})" if answer.form else ""
    if answer.failure is not None:
        return f"none: {answer.failure}{form}"
    return f"{answer.lat}, {answer.lon}{form}"


def _reward(page: _Page, reward: Reward, spec: str | None) -> list[str]:
    distance, score, points = reward.distance_km, reward.score, reward.geoguessr_points
    return [
        *page.fact("distance", "none" if distance is None else f"{distance:,.3f} km"),
        *page.fact("score", "none" if score is None else f"{format_score(score, 4)} ({spec})"),
        *page.fact("points", "none" if points is None else f"{points:,} of 5,000"),
    ]


def _failure_reason(trace: StoredTrace) -> str:
    failures = [failure for failure in trace.failures if failure.error_class != PROBE]
    if not failures:
        return trace.stop_reason or "unknown"
    return f"{failures[-1].error_class}: {_visible(failures[-1].message)}"


# --- messages -----------------------------------------------------------------------------------


def _image_names(trace: StoredTrace) -> Iterator[str]:
    """What stands for each image that the teacher was shown, in order.

    Nothing where one of them is not known: the messages of an imported trace then name
    each by its hash.
    """
    if any(proof.proof == "not" for proof in trace.image_proofs):
        return
    images = [(0, trace.photo), *((call.image_index, call.image) for call in shown_calls(trace))]
    for number, image in images:
        if image is not None:
            yield f"[image {number}, {image.width} x {image.height}, sha256 {image.sha256[:12]}]"


def _message(page: _Page, message: Message, images: Iterator[str]) -> list[str]:
    value = message.value
    lines = [f"  sent, {_visible(value['role'])}"]
    content = value.get("content")
    for part in content if isinstance(content, list) else [content or ""]:
        # An imported message names images by hash alone, and may hold anything as a part.
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" or isinstance(part, str):
            lines += page.text(part if isinstance(part, str) else str(part.get("text")), most=None)
            continue
        image = next(images, None) if kind == "image_url" else None
        lines += page.wrapped(image or _visible(f"[{orjson.dumps(part).decode()}]"), indent=4)
    calls = value.get("tool_calls") or []
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            lines += page.wrapped(_visible(f"tool call {orjson.dumps(call).decode()}"), indent=4)
            continue
        written = f"{function.get('name')} {function.get('arguments')}"
        lines += page.wrapped(f"tool call {call.get('id')}: {_visible(written)}", indent=4)
    return lines


# --- lines --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Page:
    """Makes lines of at most `width` columns."""

    width: int

    def heading(self, text: str) -> list[str]:
        """The first line of a part."""
        return wrap_with_indent(text, self.width, first="", later="  ")

    def fact(self, name: str, value: str) -> list[str]:
        """A name and its value, which goes on below itself, or begins there for a long word."""
        first, later = f"  {_visible(name):<{_LABEL}} ", " " * (2 + _LABEL + 1)
        if longest_word(_visible(value)) > self.width - len(later):
            return [first.rstrip(), *self.wrapped(_visible(value), indent=4)]
        return wrap_with_indent(_visible(value), self.width, first=first, later=later)

    def text(self, text: str, *, most: int | None) -> list[str]:
        """A text with its line breaks, each line wrapped; cut after `most` lines."""
        lines = []
        for line in _visible(text, keep="\n").strip("\n").split("\n"):
            lines += self.wrapped(line, indent=4)
        if most is None or len(lines) <= most:
            return lines
        more = format_number_of(len(lines) - most, "more line")
        return [*lines[:most], f"    ... {more} (--verbose shows all)"]

    def wrapped(self, text: str, *, indent: int, most: int | None = None) -> list[str]:
        """A text below an indent; shortened to `most` lines."""
        margin = " " * indent
        return shorten(wrap_with_indent(text, self.width, first=margin, later=margin), most)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


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
