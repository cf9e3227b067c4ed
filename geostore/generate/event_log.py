"""Writes what happens in a generate run to a file, one JSON object a line.

It writes names, counts and reasons: no key, no image, no prompt, no response. A
failed request's message is the server's, cut, and without the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from geostore.errors import GeostoreError
from geostore.generate.events import (
    Event,
    Noticed,
    Planned,
    RequestFailed,
    RunEnded,
    RunStarted,
    TraceEnded,
    TurnCommitted,
    Understood,
)
from geostore.store import utc_now
from geostore.text.json_lines import json_bytes

_MESSAGE_LENGTH = 500


class EventLog:
    """A watcher that appends to a file. Use as a context manager.

    Each event is handed to the operating system before `watch` returns. Raises
    GeostoreError where the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # Unbuffered: after a kill, the last lines are the ones that people look for.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise GeostoreError(f"the log {path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> EventLog:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()

    def watch(self, event: Event) -> None:
        """Write the event as a line; ticks, tool calls and done traces are left out."""
        name_and_values = _line(event)
        if name_and_values is not None:
            name, values = name_and_values
            line = {"at": utc_now(), "event": name, **values}
            self._write(json_bytes(line, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))

    def _write(self, line: bytes) -> None:
        try:
            # A disk that is almost full takes a part of a line and says so without an error.
            while line:
                line = line[self._file.write(line) :]
        except OSError as error:
            raise GeostoreError(
                f"the log {self._path} cannot be written: {error.strerror}"
            ) from error


def _line(event: Event) -> tuple[str, dict[str, Any]] | None:
    """The event's name and members in the log; None where the log leaves it out."""
    match event:
        case RunStarted():
            return "run_started", {"pid": event.pid}
        case Noticed():
            return "notice", {"message": event.message}
        case Planned():
            return "planned", {"traces": event.traces}
        case Understood():
            return "understood", {label.replace(" ", "_"): text for label, text in event.lines}
        case TurnCommitted():
            turn = event.turn
            return "turn", {
                "trace": str(event.key),
                "turn": turn.turn,
                "finish_reason": turn.finish_reason,
                "prompt_tokens": turn.prompt_tokens,
                "completion_tokens": turn.completion_tokens,
                "latency_ms": turn.latency_ms,
            }
        case RequestFailed():
            attempt = event.attempt
            return "failure", {
                "trace": str(event.key),
                "turn": attempt.turn,
                "error_class": attempt.error_class,
                "http_status": attempt.http_status,
                "message": attempt.message,
            }
        case TraceEnded():
            return "trace_ended", {
                "trace": str(event.key),
                "status": event.closing.status,
                "reason": event.closing.reason,
                "distance_km": event.reward.distance_km if event.reward else None,
                "score": event.reward.score if event.reward else None,
            }
        case RunEnded(error=None):
            return "run_ended", {}
        case RunEnded(message=message):
            error = {"error": event.error, "message": (message or "")[:_MESSAGE_LENGTH]}
            return "run_ended", error
        case _:
            return None
