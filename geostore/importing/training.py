"""Makes trace records of the rows of a trainer's export, so that they can be imported.

The words and the images are those of the row. What a row has no place for, such as what a
call meant, stands in the export's index (`export.files.row_index`). A row that nobody edited gives
the record that the format ``trace`` writes, which `importing.exported` can prove.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from geostore.conversation.calls import TAGGED_CALL
from geostore.conversation.messages import thought_delimiters
from geostore.errors import GeostoreError
from geostore.export.files.row_index import INDEX
from geostore.export.student.placeholders import unescape_placeholders
from geostore.identity import sha256_hex
from geostore.importing.documents import BadFile, member
from geostore.importing.file_images import named_by_hash
from geostore.importing.json_text import load_document

RECORDS = frozenset({"trace", "jsonl"})
"""The formats whose files are trace records themselves."""

_OF_INDEX = frozenset({"file", "row", "turns", "final_sha256"})
"""Members of a line of the index that no trace record has."""
_PLACE = "<image>"
_THOUGHT_OF_FIELD = ("<think>\n", "\n</think>\n\n")
"""Around a thought that came in a field of its own, where a format has none."""
_CALLS_AT_END = re.compile(
    r"(?:\A|\n)(?:<tool_call>\n(?:(?!</tool_call>).)*\n</tool_call>\n?)+\Z", re.DOTALL
)
"""Calls that came beside the words and were written behind them."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line of an index stands."""

    start: int
    """Bytes before it."""
    length: int
    """Of the line, in bytes."""


@dataclass(slots=True)
class _Reply:
    """What a row has of one response."""

    text: str = ""
    """Its words, with any calls that stand in them; without escapes."""
    calls_apart: bool = False
    """Whether its calls stood apart from its words."""
    before: list[dict[str, Any]] = field(default_factory=list)
    """The messages that came before it, since the reply before."""


def training_format(manifest: str) -> str | None:
    """The format of the export of a manifest; None where its files are trace records."""
    try:
        name = load_document(Path(manifest).read_bytes()).get("format")
    except (OSError, GeostoreError):
        return None
    return name if isinstance(name, str) and name not in RECORDS else None


class TrainingExport:
    """An export for a trainer: its index, by row, by trace and by photo."""

    def __init__(self, manifest: str) -> None:
        self._folder = Path(manifest).parent
        self._by_row: dict[tuple[str, int], _Place] = {}
        self._by_trace: dict[str, _Place] = {}
        self._by_photo: dict[str, list[_Place]] = {}
        for place, entry in _index_entries(self._folder / INDEX):
            self._by_row[str(entry["file"]), int(entry["row"])] = place
            self._by_trace[str(entry["metadata"]["trace"])] = place
            self._by_photo.setdefault(str(entry["geostore"]["sent"]["sha256"]), []).append(place)

    def record(
        self, path: str, row: int, values: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str | None]:
        """The trace record of a row, and why it proves nothing; None: it may prove itself.

        path: of its file. row: its number there, from 1. Raises BadFile where the index does not
        know the row, or the row is no conversation.
        """
        entry = self._entry(path, row, values)
        turns = member(entry, "turns", list)
        replies = _replies(values)
        if len(replies) != len(turns):
            raise BadFile(
                "malformed",
                f"the row has {len(replies)} replies, and {INDEX} says {len(turns)}: it was edited",
            )
        own = member(entry, "geostore", dict)
        hashes = _image_hashes(own)
        stated = zip(replies, turns, member(own, "turns", list, "geostore."), strict=True)
        history: list[dict[str, Any]] = []
        for number, (reply, said, row) in enumerate(stated, start=1):
            messages = [named_by_hash(message, hashes) for message in reply.before]
            if history:
                # What a turn adds begins with the reply before it.
                before = history[-1]["response"]
                messages.insert(0, {"role": "assistant", "content": before})
            history.append({"turn": number, "messages": messages, **_response(reply, said, row)})
        final = history[-1]["response"]
        is_same = sha256_hex(final.encode()) == entry.get("final_sha256")
        record = {
            **{name: value for name, value in entry.items() if name not in _OF_INDEX},
            "conversation_history": history,
            "final_response": final,
        }
        return record, None if is_same else "its last reply is not the one that was exported"

    def _entry(self, path: str, row: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """The line of the index about a row, which may have been moved since.

        A row names its trace, or else it is known by its place and its photo.
        """
        place = self._by_trace.get(str(values.get("trace")))
        if place is None and values.get("trace") is None:
            name = Path(path).relative_to(self._folder).as_posix()
            with_photo = self._by_photo.get(_first_image_sha256(values) or "", [])
            place = self._by_row.get((name, row))
            if place not in with_photo:
                place = with_photo[0] if len(with_photo) == 1 else None
        if place is None:
            raise BadFile(
                "no_trace",
                f"it is a row of training data that no line of {INDEX} is about, so nobody knows "
                "which photo it shows",
            )
        with (self._folder / INDEX).open("rb") as stream:
            stream.seek(place.start)
            return load_document(stream.read(place.length))


def _index_entries(path: Path) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """The lines of an index that have what a line must have, and where each stands."""
    try:
        with path.open("rb") as stream:
            start = 0
            for line in stream:
                place = _Place(start, len(line))
                start += len(line)
                try:
                    entry = orjson.loads(line)
                    _ = int(entry["row"]), entry["file"], entry["metadata"]["trace"]
                    _ = entry["geostore"]["sent"]["sha256"]
                except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
                    continue  # an edited line proves nothing, and its row is reported
                yield place, entry
    except OSError:
        return


def _first_image_sha256(values: Mapping[str, Any]) -> str | None:
    """The hash of the first image that a row shows; None where it has no hash."""
    for _, content, _ in _messages(values):
        for part in content if isinstance(content, list) else ():
            holder = part.get("image_url") if isinstance(part, dict) else None
            url = holder.get("url") if isinstance(holder, dict) else None
            if not isinstance(url, str):
                continue
            _, comma, coded = url.partition(";base64,")
            try:
                return sha256_hex(base64.b64decode(coded, validate=True)) if comma else None
            except ValueError:
                return None
    return None


def _image_hashes(own: Mapping[str, Any]) -> set[str]:
    """Of the images that the teacher saw, as the index has them."""
    images = [own.get("sent"), *(call.get("image") for call in member(own, "calls", list))]
    return {str(image["sha256"]) for image in images if isinstance(image, dict)}


def _response(reply: _Reply, said: Any, row: Any) -> dict[str, Any]:
    """The members of a turn that hold what the teacher said.

    said: what the index says of the turn. row: what its row in the store held.
    """
    if not isinstance(said, dict) or not isinstance(row, dict):
        raise BadFile("malformed", f"a turn in {INDEX} is no object")
    words, reasoning = _without_thought(reply.text, said.get("reasoning"), row)
    written = said.get("response")
    if row.get("native_calls") is not None:
        words = _without_calls(words, said.get("words"))
    elif reply.calls_apart and isinstance(written, str):
        # Where the calls stood in the words, the row does not say.
        prose = TAGGED_CALL.sub("", written).strip()
        words = written if prose == words.strip() else words
    members = {"response": words, "usage": said.get("usage")}
    return members if reasoning is None else {**members, "reasoning": reasoning}


def _without_calls(text: str, stated: Any) -> str:
    """The text without the calls that came beside it, if they were written behind it.

    stated: what the index says of the words.
    """
    if isinstance(stated, dict) and isinstance(stated.get("length"), int):
        end = str(stated.get("end", ""))
        bare = text[: stated["length"] - len(end)]
        rest = text[len(bare) :].strip()
        if not rest or rest.startswith("<tool_call>\n"):
            return bare + end
    return _CALLS_AT_END.sub("", text)  # it was edited


def _without_thought(text: str, stated: Any, row: Mapping[str, Any]) -> tuple[str, str | None]:
    """The text without the thought before it, and that thought.

    stated: what the index says of the thought. row: says what stood around it.
    """
    if not isinstance(stated, dict):
        return text, None
    around, length = thought_delimiters(row.get("reasoning_source")), stated.get("length")
    if around is not None and isinstance(length, int):
        opener, closer = around[0] or "<think>", around[1]
        end = len(opener) + length
        if text.startswith(opener) and text.startswith(closer, end):
            return text[end + len(closer) :], text[len(opener) : end]
    opener, closer = _THOUGHT_OF_FIELD
    end = text.find(closer, len(opener))
    if end < 0 and text.endswith(closer.rstrip()):  # a reply of nothing but thought and calls
        end = len(text) - len(closer.rstrip())
    if text.startswith(opener) and end >= 0:
        thought = f"{stated.get('start', '')}{text[len(opener) : end]}{stated.get('end', '')}"
        return text[end + len(closer) :], thought
    return text, None  # it was left out of the export


# --- rows ---------------------------------------------------------------------------------------


def _replies(values: Mapping[str, Any]) -> list[_Reply]:
    """The replies of a row, each with the messages before it."""
    replies: list[_Reply] = []
    before: list[dict[str, Any]] = []
    images = iter(values.get("images") or ())
    is_reply = False
    for role, content, calls in _messages(values):
        if role not in ("assistant", "gpt", "tool_call", "function_call"):
            before.append(_message(role, content, images))
            is_reply = False
            continue
        if not is_reply:
            replies.append(_Reply(before=before))
            before = []
        is_reply = True
        if role in ("tool_call", "function_call"):
            # The reader joins words and a call with nothing between, so words end with a break.
            replies[-1].text = replies[-1].text.removesuffix("\n")
            replies[-1].calls_apart = True
            continue
        text = unescape_placeholders(_text(content))
        if calls:
            replies[-1].calls_apart = True
        replies[-1].text += text
    if not replies:
        raise BadFile("malformed", "the row holds no reply of a teacher")
    return replies


def _messages(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The messages of a row: role, content, and the calls that stand apart from it."""
    rows = values.get("messages", values.get("conversations"))
    if not isinstance(rows, list):
        raise BadFile("no_trace", "the row has neither messages nor conversations")
    for position, message in enumerate(rows):
        if not isinstance(message, dict):
            raise BadFile("malformed", f"messages[{position}] is no object")
        role = message.get("role", message.get("from"))
        if not isinstance(role, str):
            raise BadFile("malformed", f"messages[{position}] has no role")
        yield role, message.get("content", message.get("value")), message.get("tool_calls")


_ROLES = {"human": "user", "observation": "tool", "tool_response": "tool"}


def _message(role: str, content: Any, images: Iterator[Any]) -> dict[str, Any]:
    """A message that was sent, in OpenAI's form; images are those of the row, in their order."""
    parts: list[dict[str, Any]] = []
    if isinstance(content, str):
        for number, text in enumerate(content.split(_PLACE)):
            if number:
                parts.append(_image(next(images, None)))
            if text:
                parts.append({"type": "text", "text": unescape_placeholders(text)})
    elif isinstance(content, list):
        for part in content:
            if not isinstance(part, dict):
                raise BadFile("malformed", "a content holds something that is no part")
            if part.get("type") == "text":
                text = unescape_placeholders(str(part.get("text", "")))
                parts.append({"type": "text", "text": text})
            elif part.get("type") == "image":
                parts.append(_image(next(images, None)))
            else:
                parts.append(part)
    only_text = all(part.get("type") == "text" for part in parts)
    plain = "".join(part["text"] for part in parts) if only_text else parts
    return {"role": _ROLES.get(role, role), "content": plain}


def _image(value: Any) -> dict[str, Any]:
    if not isinstance(value, str):
        raise BadFile("malformed", "the row has fewer images than places for them")
    return {"type": "image_url", "image_url": {"url": value}}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    raise BadFile("malformed", "a content is neither text nor a list")
