"""Writes what happens in a generate run to a file, one JSON object a line.

Only names, counts and reasons: no key, no image, no prompt, no response. A
failed request's message is the server's, cut, and without the key.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

from geostore.errors import GeostoreError
from geostore.generate.events import TraceEnd, Watcher
from geostore.identity import canonical_json
from geostore.records import FailedAttempt, StoredTrace, TraceKey, Turn
from geostore.store import utc_now


class EventLog(Watcher):
    """A watcher that appends to a file. Use as a context manager.

    Each event is on its way to the file when the call returns. Raises
    GeostoreError where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            # Unbuffered: what a killed run had to say last is what one wants to read.
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise GeostoreError(f"the log {path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> EventLog:
        self._write("run_started", pid=os.getpid())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        how = {} if error is None else {"error": type(error).__name__, "message": str(error)[:500]}
        self._write("run_ended", **how)
        self._file.close()

    def notice(self, message: str) -> None:
        """Something a person was told."""
        self._write("notice", message=message)

    def planned(self, traces: int) -> None:
        """How many traces the run is about."""
        self._write("planned", traces=traces)

    def turn(self, key: TraceKey, turn: Turn) -> None:
        """A response was stored."""
        self._write(
            "turn",
            trace=str(key),
            turn=turn.turn,
            finish_reason=turn.finish_reason,
            prompt_tokens=turn.prompt_tokens,
            completion_tokens=turn.completion_tokens,
            latency_ms=turn.latency_ms,
        )

    def failure(self, key: TraceKey, attempt: FailedAttempt) -> None:
        """A request failed."""
        self._write(
            "failure",
            trace=str(key),
            turn=attempt.turn,
            error_class=attempt.error_class,
            http_status=attempt.http_status,
            message=attempt.message,
        )

    def trace_ended(self, end: TraceEnd, stored: StoredTrace | None) -> None:
        """A trace closed."""
        self._write(
            "trace_ended",
            trace=str(end.key),
            status=end.closing.status,
            reason=end.closing.reason,
            distance_km=end.reward.distance_km if end.reward else None,
            score=end.reward.score if end.reward else None,
        )

    def _write(self, event: str, **values: Any) -> None:
        self._file.write(canonical_json({"at": utc_now(), "event": event, **values}) + b"\n")
