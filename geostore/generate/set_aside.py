"""Counts the photos that a run could not read for a passing reason, and goes on without."""

from __future__ import annotations

from dataclasses import dataclass, field

from geostore.errors import MachineError

MOST_IN_A_ROW = 8
"""With so many photos one after another, the machine is at fault, and each further photo would
only fail alike."""


@dataclass(slots=True)
class SetAside:
    """Photos that a run left for a later one: nothing is recorded of them."""

    counts: dict[str, int] = field(default_factory=dict)
    """Photos by `MachineError.condition`."""

    first: dict[str, str] = field(default_factory=dict)
    """The sentence about the first photo of each condition."""

    _in_a_row: int = 0

    def add(self, error: MachineError) -> bool:
        """Count a photo; whether it is the first of its condition.

        Raises the error where others can be read no more than this photo.
        """
        self._in_a_row += 1
        if not error.alone or self._in_a_row >= MOST_IN_A_ROW:
            raise _with_way_out(error)
        is_first = error.condition not in self.counts
        self.counts[error.condition] = self.counts.get(error.condition, 0) + 1
        if is_first:
            self.first[error.condition] = str(error)
        return is_first

    def add_readable(self) -> None:
        """A photo could be read: the machine is not at fault for all of them."""
        self._in_a_row = 0


def _with_way_out(error: MachineError) -> MachineError:
    """The same error with the option that helps where photos are gone for good."""
    if error.condition != "folder_gone":
        return error
    return MachineError(
        f"{error}. If these photos are gone for good, --skip-missing leaves them out",
        condition=error.condition,
    )
