"""What a check is given of a trace."""

from __future__ import annotations

from dataclasses import dataclass

from geostore.records import ToolCall, Turn
from geostore.store.audits import PendingTrace


@dataclass(frozen=True, slots=True)
class AuditedText:
    """A closed trace with its text."""

    trace: PendingTrace
    """Its sample, recipe and answer."""

    turns: tuple[Turn, ...]
    """In their order."""

    calls: tuple[ToolCall, ...]
    """In the order in which they were run."""

    def words_until(self, turn: int) -> str:
        """All that the teacher wrote up to and including a turn: words, thoughts and calls."""
        parts: list[str] = []
        for earlier in self.turns:
            if earlier.turn <= turn:
                parts += (earlier.reasoning or "", earlier.response, earlier.native_calls or "")
        parts += [f"{c.name} {c.raw_arguments}" for c in self.calls if c.turn <= turn]
        return "\n".join(parts)
