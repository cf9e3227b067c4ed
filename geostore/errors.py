"""The errors of geostore, one class per boundary that can be crossed badly.

::

    GeostoreError           everything a user should read as one sentence
    ├── DatasetError        the dataset: not there, no dataset, columns, changed since
    ├── ImageError          one photo: does not decode, too large, no image at all
    ├── StoreError          the SQLite file: not a store, read-only, full, wrong place
    │   ├── StoreVersionError   of a newer or unknown schema
    │   ├── StoreLockedError    another process holds it for too long
    │   ├── RowRefused          a value that the tables do not take
    │   └── ClaimLost           a trace is another run's by now
    ├── RecipeError         what is to be asked does not make sense
    ├── TeacherError        one request failed (recorded, perhaps tried again)
    │   └── TeacherUnusable     the run cannot go on: key, model, address, server
    ├── PriceError          prices or a budget that are missing or make no sense
    ├── RewardError         a reward spec that is unknown or has bad parameters
    ├── FilterError         a condition on traces that is no expression, or a time that is none
    ├── QueryError          a statement that is unknown, wrong, or not read-only
    ├── NotFoundError       a trace that the store does not hold
    ├── ExportError         an export that cannot be written
    ├── TraceImportError    trace files that cannot be imported at all (geostore.importing)
    ├── ChildError          a child process failed: a bug, or it could not start
    │   └── ChildEnded          it died, or was killed because it took too long
    ├── GaveUp              the teacher failed every request for too long
    ├── Stopped             the run is stopping and sends nothing more
    └── DemoError           the offline teacher or the demo photos

Only the command line prints them: one line on stderr, exit code 1. A message
says what failed, where, and what to do. What goes wrong inside one rollout is
a row in the store and not an exception that ends a run.
"""

from __future__ import annotations

from typing import Any


class GeostoreError(Exception):
    """Base of all errors that geostore raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # What a class keeps beside its message is no argument of Exception's, so without this a
        # child's error could not be rebuilt in its parent.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(
    kind: type[GeostoreError], arguments: tuple[Any, ...], fields: dict[str, Any]
) -> GeostoreError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    return error


class DatasetError(GeostoreError):
    """The dataset cannot be read, mapped, or is not the one the store knows."""


class ImageError(GeostoreError):
    """One photo cannot be used; `kind` is a stable word for the store.

    kind: one of ``undecodable``, ``too_large``, ``too_small``, ``too_thin``, ``missing``,
    ``changed``, ``unknown``.
    """

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class StoreError(GeostoreError):
    """The SQLite file cannot be opened, read or written."""


class StoreVersionError(StoreError):
    """The store has a schema that this geostore does not know: a newer one, or no geostore's."""


class StoreLockedError(StoreError):
    """Another process held the store's write lock longer than the wait allowed."""


class RowRefused(StoreError):
    """A table does not take a row: a value is out of range, or a constraint fails."""


class ClaimLost(StoreError):
    """The trace is another run's by now; nothing was written."""


class RecipeError(GeostoreError):
    """The recipe's parts contradict each other or are out of range."""


class TeacherError(GeostoreError):
    """One request to the teacher failed.

    error_class: a stable word for the attempts table: ``rate_limit``,
    ``server``, ``timeout``, ``connection``, ``bad_response``, ``refused``.
    status: HTTP status, None where there was none.
    retry_after: seconds the server asked to wait, None where it did not say.
    usage_json: the usage object of a response that was billed but useless.
    """

    def __init__(
        self,
        message: str,
        *,
        error_class: str,
        status: int | None = None,
        retry_after: float | None = None,
        usage_json: str | None = None,
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.status = status
        self.retry_after = retry_after
        self.usage_json = usage_json


class TeacherUnusable(TeacherError):
    """No request can succeed: wrong key, model or address, or no server there."""


class PriceError(GeostoreError):
    """Prices or a budget are missing, contradict each other, or cannot be read."""


class GaveUp(GeostoreError):
    """No request has succeeded for as long as the run was willing to wait."""


class Stopped(GeostoreError):
    """`Pace.stop` was called: nothing more is sent."""


class RewardError(GeostoreError):
    """A reward spec is unknown or its parameters are out of range."""


class FilterError(GeostoreError):
    """A filter of traces cannot be used: its condition, its time, or a check that it names."""


class QueryError(GeostoreError):
    """A query is unknown, fails, or would do more than read."""


class NotFoundError(GeostoreError):
    """The store holds no such trace."""


class ExportError(GeostoreError):
    """An export cannot be written."""


class TraceImportError(GeostoreError):
    """A folder of trace files cannot be imported, as a whole."""


class ChildError(GeostoreError):
    """A child process could not do its work."""


class ChildEnded(ChildError):
    """A child process died, or was killed because it took too long, before it replied."""

    def __init__(self, exit_code: int, *, was_late: bool, was_ready: bool) -> None:
        how = "took too long and was killed" if was_late else "died"
        super().__init__(f"a process that geostore started {how} (exit code {exit_code})")
        self.exit_code = exit_code
        """As of `subprocess.Popen.returncode`: a signal's number is negative."""
        self.was_late = was_late
        """Whether it was killed because it took longer than its limit."""
        self.was_ready = was_ready
        """Whether it had made its work; if not, another child would fail in the same way."""


class DemoError(GeostoreError):
    """The offline teacher or the demo photos cannot be made."""
