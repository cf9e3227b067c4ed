"""What a check gets to see of a trace."""

from __future__ import annotations

from dataclasses import dataclass

from geostore.records import ToolCall, Turn
from geostore.store.audits import PendingTrace


@dataclass(frozen=True, slots=True)
class Subject:
    """A closed trace with its text: turns and calls in their order."""

    trace: PendingTrace
    turns: tuple[Turn, ...]
    calls: tuple[ToolCall, ...]

    def words_until(self, turn: int) -> str:
        """All that the teacher wrote up to and including a turn, its thoughts and calls too."""
        parts: list[str] = []
        for said in self.turns:
            if said.turn <= turn:
                parts += (said.reasoning or "", said.response, said.native_calls or "")
        parts += [f"{c.name} {c.raw_arguments}" for c in self.calls if c.turn <= turn]
        return "\n".join(parts)
