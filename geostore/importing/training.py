"""Makes trace records of the rows of a trainer's export, so that they can be imported.

The words and the images are those of the row. What a row has no place for, such as what a
call meant, stands in the export's index (`export.files.row_index`). A row that nobody edited gives
the record that the format ``trace`` writes, which `importing.exported` can prove. An edited one
gives a record of its own words and calls, which proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from geostore.conversation.calls import TAGGED_CALL
from geostore.errors import GeostoreError
from geostore.export.files.row_hash import first_image_sha256, row_sha256
from geostore.export.files.row_index import INDEX
from geostore.importing.documents import BadFile, member
from geostore.importing.file_images import named_by_hash
from geostore.importing.json_text import load_document
from geostore.importing.training_rows import RowCall, RowReply, row_replies, value_of
from geostore.importing.training_words import is_without_calls, own_words, stored_words

RECORDS = frozenset({"trace", "jsonl"})
"""The formats whose files are trace records themselves."""

_OF_INDEX = frozenset({"file", "row", "row_sha256", "turns"})
"""Members of a line of the index that no trace record has."""


HOLD_NO_TRACE = frozenset({"trl-turns", "pairs", "trl-rl", "verl-rl"})
"""The formats whose rows hold parts of traces, or only what a teacher was asked."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """A trace that a row may hold."""

    trace: str
    """Its name in the export's index."""
    record: dict[str, Any]
    """The trace record."""
    unproven: str | None
    """Why it proves nothing; None: it may prove itself."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a line of an index stands."""

    start: int
    """Bytes before it."""
    length: int
    """Of the line, in bytes."""


def training_format(manifest: str) -> str | None:
    """The format of the export of a manifest; None where its files are trace records."""
    try:
        name = load_document(Path(manifest).read_bytes()).get("format")
    except (OSError, GeostoreError):
        return None
    return name if isinstance(name, str) and name not in RECORDS else None


def why_no_trace(manifest: str | None) -> str | None:
    """Why no file of a manifest's export can be imported; None: its format holds traces."""
    name = None if manifest is None else training_format(manifest)
    if name not in HOLD_NO_TRACE:
        return None
    return (
        f"an export as {name} holds no trace as a whole; import the store's own export (jsonl) "
        "instead"
    )


class TrainingExport:
    """An export for a trainer: its index, by row, by trace, by photo and by what rows say."""

    def __init__(self, manifest: str) -> None:
        self._folder = Path(manifest).parent
        self._by_row: dict[tuple[str, int], _Place] = {}
        self._by_trace: dict[str, _Place] = {}
        self._by_photo: dict[str, list[_Place]] = {}
        self._by_sha256: dict[str, list[_Place]] = {}
        for place, entry in _index_entries(self._folder / INDEX):
            self._by_row[str(entry["file"]), int(entry["row"])] = place
            self._by_trace[str(entry["metadata"]["trace"])] = place
            self._by_photo.setdefault(str(entry["geostore"]["sent"]["sha256"]), []).append(place)
            self._by_sha256.setdefault(str(entry["row_sha256"]), []).append(place)

    def readings(self, path: str, row: int, values: Mapping[str, Any]) -> list[RowReading]:
        """The traces that a row may hold: several where nobody edited it and others say the same.

        path: of its file. row: its number there, from 1. Raises BadFile where the index does not
        know the row, or the row is no conversation.
        """
        named = None
        if values.get("trace") is not None:
            named = self._by_trace.get(str(values["trace"]))
            if named is None:
                raise _unknown()
        replies = row_replies(values)
        own = self._by_row.get((Path(path).relative_to(self._folder).as_posix(), row))
        same = self._by_sha256.get(row_sha256(values), [])
        if named is not None:
            same = [named] if named in same else []
        if same:
            # The one at its place first: then an export that nobody sorted comes back in order.
            return [
                _unedited(self._entry(p), replies) for p in sorted(same, key=lambda p: p != own)
            ]
        if named is not None:
            return [_edited(self._entry(named), replies, is_named=True)]
        return [_edited(self._with_photo(values, own, len(replies)), replies, is_named=False)]

    def _with_photo(
        self, values: Mapping[str, Any], own: _Place | None, turns: int
    ) -> dict[str, Any]:
        """The line about an edited row that names no trace: what it says of the photo counts."""
        places = self._by_photo.get(first_image_sha256(values) or "", [])
        entries = {place: self._entry(place) for place in places}
        long = {p: entry for p, entry in entries.items() if len(entry["turns"]) == turns}
        entries = long or entries
        if own in entries:
            return entries[own]
        if len({entry["metadata"].get("recipe") for entry in entries.values()}) != 1:
            raise _unknown()
        return next(iter(entries.values()))

    def _entry(self, place: _Place) -> dict[str, Any]:
        with (self._folder / INDEX).open("rb") as stream:
            stream.seek(place.start)
            return load_document(stream.read(place.length))


def _unknown() -> BadFile:
    return BadFile(
        "no_trace",
        f"it is a row of training data that no line of {INDEX} is about, so nobody knows "
        "which photo it shows",
    )


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
                    _ = entry["geostore"]["sent"]["sha256"], entry["row_sha256"], entry["turns"]
                except (orjson.JSONDecodeError, LookupError, TypeError, ValueError):
                    continue  # an edited line proves nothing, and its row is reported
                yield place, entry
    except OSError:
        return


# --- records ------------------------------------------------------------------------------------


def _unedited(entry: dict[str, Any], replies: list[RowReply]) -> RowReading:
    """The trace of a row that is as it was written."""
    why = None
    turns = list(zip(replies, *_turns(entry), strict=False))
    if len(turns) < len(entry["turns"]):
        why = "its export ends the row before the trace's last turn"
    said = []
    for number, (reply, stated, stored) in enumerate(turns, start=1):
        words = stored_words(reply.text, stated, stored)
        if words is None:
            why = why or f"its export left the thought of turn {number} out of the row"
            words = own_words(reply.text, stated, stored)
            if reply.calls and isinstance(stated.get("response"), str):
                words = (stated["response"], words[1])
        said.append(words)
    calls = member(entry, "tool_calls", list)
    if len(turns) < len(entry["turns"]):
        calls = [call for call in calls if call["turn"] < len(turns)]
    return RowReading(*_record(entry, replies, said, calls), why)


def _edited(entry: dict[str, Any], replies: list[RowReply], *, is_named: bool) -> RowReading:
    """A record of the words and calls of a row that somebody edited.

    is_named: whether the row says which trace it is; else nobody knows which try.
    """
    stated_turns, stored_turns = _turns(entry)
    if len(replies) != len(stated_turns):
        raise BadFile(
            "malformed",
            f"the row has {len(replies)} replies, and {INDEX} says {len(stated_turns)}: it was "
            "edited",
        )
    said, calls = [], []
    for number, (reply, stated, stored) in enumerate(
        zip(replies, stated_turns, stored_turns, strict=True), start=1
    ):
        before = _calls_of(entry, number)
        is_last = number == len(replies)
        in_row = [] if is_last and not before else _calls_in(reply, before)
        words, thought = own_words(reply.text, stated, stored)
        written = stated.get("response")
        if reply.calls and isinstance(written, str) and (is_last or in_row == before):
            # Where the calls stood in the words, the row does not say.
            words = written if is_without_calls(words, written) else words
        said.append((words, thought))
        calls += [{**call, "turn": number} for call in in_row]
    if not is_named:
        entry = {**entry, "geostore": {**member(entry, "geostore", dict), "rollout": None}}
    return RowReading(*_record(entry, replies, said, calls), "its row was edited")


def _record(
    entry: dict[str, Any],
    replies: list[RowReply],
    said: list[tuple[str, str | None]],
    calls: list[dict[str, Any]],
) -> tuple[str, dict[str, Any]]:
    """The name of a trace and its record. said: words and thought, by turn."""
    hashes = _image_hashes(member(entry, "geostore", dict))
    history: list[dict[str, Any]] = []
    turns = zip(replies, entry["turns"], said, strict=False)
    for number, (reply, stated, (words, thought)) in enumerate(turns, start=1):
        messages = [named_by_hash(message, hashes) for message in reply.before]
        if history:
            # What a turn adds begins with the reply before it.
            messages.insert(0, {"role": "assistant", "content": history[-1]["response"]})
        turn = {"turn": number, "messages": messages, "response": words}
        reasoning = {} if thought is None else {"reasoning": thought}
        history.append({**turn, "usage": stated.get("usage"), **reasoning})
    record = {
        **{name: value for name, value in entry.items() if name not in _OF_INDEX},
        "tool_calls": calls,
        "conversation_history": history,
        "final_response": history[-1]["response"],
    }
    return str(entry["metadata"]["trace"]), record


def _turns(entry: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the index says of each turn, and what the turn's row in the store held."""
    stated = member(entry, "turns", list)
    stored = member(member(entry, "geostore", dict), "turns", list, "geostore.")
    if len(stated) != len(stored) or not all(isinstance(turn, dict) for turn in stated + stored):
        raise BadFile("malformed", f"the turns in {INDEX} are not what an export writes")
    return stated, stored


def _image_hashes(own: Mapping[str, Any]) -> set[str]:
    """Of the images that the teacher saw, as the index has them."""
    images = [own.get("sent"), *(call.get("image") for call in member(own, "calls", list))]
    return {str(image["sha256"]) for image in images if isinstance(image, dict)}


# --- calls of edited rows -----------------------------------------------------------------------


def _calls_of(entry: dict[str, Any], turn: int) -> list[dict[str, Any]]:
    """The calls of a turn as the index has them."""
    return [call for call in member(entry, "tool_calls", list) if call.get("turn") == turn]


def _calls_in(reply: RowReply, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of an edited row's reply. before: those that the teacher made.

    Where one was edited, it is the row's, and its success that of the call that stood there: the
    row holds the result that this gave.
    """
    if not reply.calls and _are_in(reply.text, before):
        return before
    calls = reply.calls or list(_tagged(reply.text))
    in_row = []
    for number, call in enumerate(calls):
        old = before[number] if number < len(before) else {}
        written = old.get("tool_call", {})
        if call.says(written.get("name"), written.get("arguments")):
            in_row.append(old)
            continue
        arguments = call.arguments
        value = {"name": call.name, "arguments": arguments}
        in_row.append({"tool_call": value, "success": old.get("success", False)})
    return in_row


def _are_in(text: str, calls: list[dict[str, Any]]) -> bool:
    """Whether a text holds the arguments of these calls and no further call in tags."""
    written = [call.get("tool_call", {}).get("arguments") for call in calls]
    tagged = len(list(_tagged(text)))
    return tagged <= len(calls) and all(isinstance(a, str) and a in text for a in written)


def _tagged(text: str) -> Iterator[RowCall]:
    """The calls in tags that are JSON objects."""
    for match in TAGGED_CALL.finditer(text):
        value = value_of(match[1].strip())
        if isinstance(value, dict):
            yield RowCall(str(value.get("name") or ""), value.get("arguments"))
