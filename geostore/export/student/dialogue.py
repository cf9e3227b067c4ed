"""A trace as a student learns it: one dialogue, with the calls apart from the words.

The trainers' formats differ in where they put a thought, a call or an image. All of
them are written from a `Dialogue`, so that none of them reads rows by itself.

A dialogue begins with the question, and then replies of the teacher alternate with
what followed each: results of its calls, or a sentence that asks again. It holds each
turn once, in the form of the usual request, whatever form a server wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from geostore.conversation.again import why_not
from geostore.conversation.calls import TAGGED_CALL, words_before_calls, written_calls
from geostore.conversation.limits import without_images
from geostore.conversation.messages import LAST_TURN, Message, around_thought, lead_in
from geostore.conversation.recipe import tool_names, tools_section
from geostore.conversation.request_form import RequestForm
from geostore.errors import ExportError
from geostore.export.images import ExportedImage, image_names
from geostore.export.options import ReasoningMode
from geostore.export.stream import ExportedTrace, ExportStream
from geostore.export.student.placeholders import escape_placeholders, holds_placeholder
from geostore.records import ImportedRecipe, Recipe, StoredTrace, ToolCall, Turn
from geostore.tools import TOOLS, tool_schemas

Part = str | ExportedImage
"""A text or an image, in the order in which the student reads them."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the student is asked: a question with the photo, or a sentence that asks again."""

    parts: tuple[Part, ...]
    """Texts and images, to be read one behind the other without anything between them."""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a reply."""

    id: str
    """Names the call in its dialogue, such as ``call_1_0``: turn and place in the turn."""
    name: str
    """The tool's name; empty where none could be read."""
    arguments: str
    """The JSON text of the arguments, as the teacher wrote it where that is an object; what was
    understood of it where it had to be repaired; all text of the call where nothing was."""
    row: ToolCall | None
    """Its row; None for a call of the last reply that was not run."""

    @property
    def values(self) -> dict[str, Any] | None:
        """The arguments; None where the text is no JSON object."""
        return _json_object(self.arguments)

    @property
    def text(self) -> str:
        """The call as a JSON object of name and arguments, these as the teacher wrote them."""
        name = orjson.dumps(self.name).decode()
        arguments = self.arguments
        if self.values is None:
            arguments = orjson.dumps(self.arguments).decode()
        return f'{{"name": {name}, "arguments": {arguments}}}'


@dataclass(frozen=True, slots=True)
class Reply:
    """One response of the teacher."""

    turn: int
    """Its number, from 1."""
    thought: str
    """What stands before the words of the reasoning, with its delimiters; empty where there is
    none, and where it goes into a field of its own."""
    reasoning: str | None
    """The reasoning for a field of its own; None where there is none, or none such field."""
    words: str
    """The response with its calls as text and without its reasoning; without the line breaks at its
    start where `thought` has tags that are not the teacher's."""
    prose: str | None
    """The words before its calls; None where these cannot be told from the words, or words stand
    behind one: calls of a format's own come last, so such words would move before them."""
    calls: tuple[Call, ...]
    """Its calls, in order."""
    native: bool
    """Whether the calls came beside the words, as `tool_calls`."""
    learn: bool
    """Whether the student is to learn it; False leaves it out of the loss."""

    @property
    def is_exact(self) -> bool:
        """Whether prose and calls together say what the teacher wrote, each call as an object.

        Where not, as for broken JSON or a call without tags, only `text` says it.
        """
        exact = all(call.name and call.values is not None for call in self.calls)
        return self.prose is not None and exact

    @property
    def fits_calls(self) -> bool:
        """Whether its calls can stand apart from its words, as a trainer's own objects.

        It is exact, and no call holds what a loader would replace: JSON cannot escape that.
        """
        return self.is_exact and not any(holds_placeholder(c.text, c.values) for c in self.calls)

    @property
    def text(self) -> str:
        """Thought, words and calls as one text; calls that came beside the words stand in tags
        behind them."""
        if not self.native or not self.calls:
            return self.thought + self.words
        calls = "\n".join(f"<tool_call>\n{call.text}\n</tool_call>" for call in self.calls)
        before = f"{self.words.rstrip()}\n" if self.words.strip() else ""
        return f"{self.thought}{before}{calls}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a call gave back."""

    call: Call
    """The call."""
    content: tuple[Part, ...]
    """The image that the student is shown, where there is one, and then the sentence about it;
    on the last turn, the sentence that asks for the answer stands in the same text."""

    @property
    def on_lines(self) -> tuple[Part, ...]:
        """The content with a line break between the image and the sentence."""
        return tuple(
            f"\n{part}" if isinstance(part, str) and number else part
            for number, part in enumerate(self.content)
        )

    @property
    def parts(self) -> tuple[Part, ...]:
        """As it is read where calls are text: in tags, as the text protocol writes them."""
        return ("<tool_response>\n", *self.on_lines, "\n</tool_response>")


@dataclass(frozen=True, slots=True)
class Results:
    """What the calls of one reply gave back, in their order."""

    results: tuple[Result, ...]
    """One for each call of the reply before."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them as one message of text and images, where calls are text."""
        return tuple(part for result in self.results for part in result.parts)


Step = Question | Reply | Results


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A trace as a student learns it."""

    exported: ExportedTrace
    """The trace, with its name, its split and its images."""
    system: str | None
    """The system prompt without the tools; None where a trace file says none."""
    tools: tuple[dict[str, Any], ...]
    """The JSON schemas of the tools; empty: none were offered."""
    steps: tuple[Step, ...]
    """A question first; then replies, each followed by results or a question but the last."""

    @property
    def system_with_tools(self) -> str | None:
        """The system prompt with the tools written into it, as the text protocol has it."""
        if not self.tools:
            return self.system
        return (self.system or "") + tools_section(self.tools)

    @property
    def replies(self) -> tuple[Reply, ...]:
        """The teacher's responses, in order."""
        return tuple(step for step in self.steps if isinstance(step, Reply))

    @property
    def images(self) -> tuple[ExportedImage, ...]:
        """Every image, in the order in which the student reads them."""
        return tuple(
            part
            for step in self.steps
            if not isinstance(step, Reply)
            for part in step.parts
            if isinstance(part, ExportedImage)
        )

    def until(self, count: int) -> Dialogue:
        """The dialogue with its first steps alone, so many."""
        return replace(self, steps=self.steps[:count])


def dialogues(traces: ExportStream, *, reasoning_field: bool = False) -> Iterator[Dialogue]:
    """The dialogues of a stream's traces, as its options want them; see `dialogue_of`.

    Imported traces whose files do not say what was sent are left out, and counted; so are traces
    that call in the words beside `tool_calls`.
    """
    for exported in traces:
        why = unknown_request(exported)
        if why is not None:
            traces.unwritten.add(exported.trace.name, "request", why)
            continue
        if not exported.images and any(m.images for added in exported.messages for m in added):
            # Where images are references, the stream gives such traces as well.
            why = why_not(exported.trace) or "its images are not known"
            traces.unwritten.add(exported.trace.name, "images", why)
            continue
        reasoning = traces.options.reasoning
        dialogue = dialogue_of(exported, reasoning=reasoning, reasoning_field=reasoning_field)
        if any(r.native and r.calls and TAGGED_CALL.search(r.words) for r in dialogue.replies):
            # Most formats say calls as text, and would teach two calls with one result.
            why = "a reply with tool_calls writes a call in its words as well"
            traces.unwritten.add(exported.trace.name, "calls_twice", why)
            continue
        yield dialogue


def unknown_request(exported: ExportedTrace) -> str | None:
    """Why nobody knows what the teacher was sent in a trace; None where it is known.

    Only the files of imported traces can leave it open.
    """
    for turn, messages in enumerate(exported.messages, start=1):
        if not messages:
            return f"its file does not say what was sent for turn {turn}"
    return None


def dialogue_of(
    exported: ExportedTrace,
    *,
    reasoning: ReasoningMode = "keep",
    reasoning_field: bool = False,
) -> Dialogue:
    """The dialogue of a trace.

    reasoning_field: whether the format has a field for reasoning, which ``keep`` then fills.
    Raises ExportError, naming the trace, where what was sent is not known.
    """
    trace = exported.trace
    steps = _own_steps if isinstance(trace.recipe, Recipe) else _imported_steps
    replies = [_reply(exported, turn, reasoning, reasoning_field) for turn in trace.turns]
    system, tools = _system_and_tools(trace.recipe)
    return Dialogue(exported, system, tools, tuple(steps(exported, replies)))


def with_placeholders(parts: Sequence[Part], placeholder: str = "<image>") -> str:
    """Parts as one text: a placeholder for each image, and the texts with their own escaped."""
    return "".join(
        escape_placeholders(part) if isinstance(part, str) else placeholder for part in parts
    )


# --- from rows ----------------------------------------------------------------------------------


def _system_and_tools(
    recipe: Recipe | ImportedRecipe,
) -> tuple[str | None, tuple[dict[str, Any], ...]]:
    tools = tuple(recipe.tools or ())
    if isinstance(recipe, Recipe):
        # Rows have the members of a schema sorted; the teacher read them in the order of the tools.
        names = tool_names(recipe)
        written = tool_schemas(recipe.bbox_frame, names) if set(names) <= set(TOOLS) else tools
        tools = written if written == tools else tools
    system = recipe.system_prompt
    if tools and system is not None:
        system = system.removesuffix(tools_section(tools))
    return system, tools


def _own_steps(exported: ExportedTrace, replies: Sequence[Reply]) -> Iterator[Step]:
    """The steps of a trace of ours, in the usual form, whatever form a server wanted."""
    trace = exported.trace
    assert isinstance(trace.recipe, Recipe)
    assert trace.photo is not None  # a trace with a response has one
    by_number = {image.number: image for image in exported.images}
    for number, turn in enumerate(trace.turns):
        assert turn.turn_limit is not None  # only imported turns have none
        left_out = RequestForm.of(turn).images_left_out is not None
        last_turn = left_out or turn.turn >= turn.turn_limit
        before = trace.turns[number - 1] if number else None
        calls = [call for call in trace.calls if before and call.turn == before.turn]
        if calls:
            rows = without_images(calls) if left_out else calls
            yield Results(tuple(_results(replies[number - 1], rows, by_number, last_turn)))
        else:
            added = lead_in(trace.recipe, trace.photo, before, (), last_turn=last_turn)
            # The only image that it can hold is the photo, in the first question.
            parts = (_parts(m, lambda _: by_number[0]) for m in added if _role(m) == "user")
            yield Question(tuple(part for message in parts for part in message))
        yield replies[number]


def _results(
    reply: Reply,
    rows: Sequence[ToolCall],
    by_number: Mapping[int, ExportedImage],
    last_turn: bool,
) -> Iterator[Result]:
    for call, row in zip(reply.calls, rows, strict=True):
        sentence = row.observation or ""
        if last_turn and row is rows[-1]:
            sentence += f"\n{LAST_TURN}"
        image = None if row.image is None else by_number.get(row.image_index or 0)
        yield Result(call, (sentence,) if image is None else (image, sentence))


def _imported_steps(exported: ExportedTrace, replies: Sequence[Reply]) -> Iterator[Step]:
    """The steps of an imported trace, from the messages that its file gave."""
    trace = exported.trace
    numbers = image_names(trace)
    by_number = {image.number: image for image in exported.images}

    def image_of(name: str) -> ExportedImage:
        number = numbers.get(name.removeprefix("sha256:"))
        if number is None or number not in by_number:
            raise ExportError(f"{trace.name}: an image that its messages name is not known")
        return by_number[number]

    added_per_turn = [_added(messages) for messages in exported.messages]
    # Where the results of calls are no messages of tools, the calls stay in the text as well.
    answered = [
        reply if not reply.calls or _are_results(after, reply.calls) else replace(reply, prose=None)
        for reply, after in zip(replies, [*added_per_turn[1:], []], strict=True)
    ]
    for number, added in enumerate(added_per_turn):
        if not added:
            raise ExportError(f"{trace.name}: {unknown_request(exported) or 'a turn is missing'}")
        contents = [_parts(message, image_of) for message in added]
        calls = answered[number - 1].calls if number else ()
        if calls and _are_results(added, calls):
            # Images come in a message of their own behind the sentences.
            last_content = tuple(part for content in contents[len(calls) - 1 :] for part in content)
            contents[len(calls) - 1 :] = [last_content]
            pairs = zip(calls, contents, strict=True)
            yield Results(tuple(Result(call, content) for call, content in pairs))
        else:
            yield Question(tuple(part for content in contents for part in content))
        yield answered[number]


def _added(messages: Sequence[Message]) -> list[Message]:
    """What a request adds behind the last reply. One that is whole repeats what came before."""
    last = max((i for i, m in enumerate(messages) if _role(m) == "assistant"), default=-1)
    return [m for m in messages[last + 1 :] if _role(m) not in ("system", "developer")]


def _are_results(added: Sequence[Message], calls: Sequence[Call]) -> bool:
    """Whether messages begin with one of a tool for each call, and hold no other of a tool."""
    tools = [_role(message) == "tool" for message in added]
    return tools == [True] * len(calls) + [False] * (len(added) - len(calls))


def _reply(exported: ExportedTrace, turn: Turn, mode: ReasoningMode, has_field: bool) -> Reply:
    thought, reasoning, words = "", None, turn.response
    if turn.reasoning is not None and mode != "drop":
        around = around_thought(turn)
        if mode == "think" or (around is None and not has_field):
            thought = f"<think>\n{turn.reasoning.strip()}\n</think>\n\n"
            words = words.lstrip("\n")
        elif around is None:
            reasoning = turn.reasoning
        else:
            # A chat template wrote the opening tag that is missing; the student has to write it.
            thought = f"{around[0] or '<think>'}{turn.reasoning}{around[1]}"
    calls = _calls(exported.trace, turn)
    native = turn.native_calls is not None
    prose: str | None = words
    if calls and not native:
        prose = words_before_calls(words, len(calls))
    return Reply(
        turn=turn.turn,
        thought=thought,
        reasoning=reasoning,
        words=words,
        prose=prose,
        calls=calls,
        native=native,
        learn=turn.turn not in exported.masked,
    )


def _calls(trace: StoredTrace, turn: Turn) -> tuple[Call, ...]:
    """The calls of a turn: those that were run, or else those that the last one wrote."""
    rows = [call for call in trace.calls if call.turn == turn.turn]
    if rows:
        return tuple(
            Call(
                id=f"call_{turn.turn}_{row.call_index}",
                name=row.name,
                arguments=(
                    row.raw_arguments
                    if row.arguments is None or _json_object(row.raw_arguments) is not None
                    else row.arguments
                ),
                row=row,
            )
            for row in rows
        )
    cut = turn.finish_reason == "length"
    if turn is not trace.turns[-1] or cut or not isinstance(trace.recipe, Recipe):
        return ()
    return tuple(
        Call(f"call_{turn.turn}_{number}", call.name, call.raw_arguments, None)
        for number, call in enumerate(written_calls(trace.recipe, turn))
    )


def _parts(message: Message, image_of: Callable[[str], ExportedImage]) -> tuple[Part, ...]:
    """The parts of a message that is not the teacher's. image_of: by the name in the message."""
    content = message.value.get("content")
    if not isinstance(content, list):
        return (content,) if content else ()
    parts: list[Part] = []
    for part in content:
        if part.get("type") == "text":
            parts.append(part["text"])
            continue
        holder = part.get("image_url", part.get("image"))
        name = holder.get("url") if isinstance(holder, dict) else holder
        parts.append(image_of(str(name)))
    return tuple(parts)


def _role(message: Message) -> str:
    return str(message.value["role"])


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
