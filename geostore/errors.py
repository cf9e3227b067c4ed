"""The errors of geostore, one class per boundary.

::

    GeostoreError           every error that a user reads as one sentence
    ├── DatasetError        the dataset is missing, changed, or not one that can be read
    ├── ImageError          one photo is missing, too large, or does not decode
    ├── MachineError        this machine cannot read a photo now; it says nothing of the photo
    ├── StoreError          the SQLite file is not a store, read-only, full, ...
    │   ├── StoreVersionError   its schema is newer or unknown
    │   ├── StoreLockedError    another process holds it for too long
    │   ├── RowRefused          a table does not take a value
    │   └── ClaimLost           another run holds the trace now
    ├── RecipeError         parts of a recipe contradict each other or are out of range
    ├── TeacherError        one request failed (it is recorded and may be tried again)
    │   └── TeacherUnusable     no request can succeed: key, model, address, server, credit
    ├── PriceError          prices or a budget are missing or make no sense
    ├── PlaceError          no point on earth has these degrees
    ├── RewardError         a reward spec is unknown or has bad parameters
    ├── FilterError         a condition on traces is no expression, or a time is none
    ├── QueryError          a statement is unknown, wrong, or not read-only
    ├── NotFoundError       the store does not hold the trace
    ├── ExportError         an export cannot be written
    ├── TraceImportError    a folder of trace files cannot be imported at all
    ├── ChildError          a child process failed: a bug, or it could not start
    │   └── ChildEnded          it died, or was killed because it took too long
    ├── GaveUp              the teacher failed every request for too long
    ├── Stopped             the run is stopping and sends nothing more
    └── DemoError           the offline teacher or the demo photos cannot be made

Only the command line prints them: one line on stderr, exit code 1. A message
says what failed, where, and what to do. A failure inside one rollout becomes a
row in the store and does not end the run.
"""

from __future__ import annotations

from typing import Any


class GeostoreError(Exception):
    """Base of all errors that geostore raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle passes only the message to __init__, so without this a parent process could not
        # rebuild an error that has further attributes.
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(
    kind: type[GeostoreError], arguments: tuple[Any, ...], fields: dict[str, Any]
) -> GeostoreError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    return error


class DatasetError(GeostoreError):
    """The dataset cannot be read, lacks a column, or is not the one the store knows."""


class ImageError(GeostoreError):
    """One photo cannot be used."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind
        """A stable word for the store.

        ``undecodable``, ``too_large``, ``too_small``, ``too_thin``, ``missing``,
        ``changed`` or ``unknown``.
        """


class MachineError(GeostoreError):
    """This machine cannot read a photo now, for a reason that may pass.

    It is no fact about the photo, so nothing is recorded of it.
    """

    def __init__(self, message: str, *, condition: str, alone: bool = False) -> None:
        super().__init__(message)
        self.condition = condition
        """A stable word: ``folder_gone``, ``disk``, ``permission``, ``open_files``, ``memory`` or
        ``package``."""
        self.alone = alone
        """Whether other photos can be read, so that a run can go on without this one."""


class StoreError(GeostoreError):
    """The SQLite file cannot be opened, read or written."""


class StoreVersionError(StoreError):
    """The store has a schema that this geostore does not know: a newer or a foreign one."""


class StoreLockedError(StoreError):
    """Another process held the store's write lock longer than the wait allowed."""


class RowRefused(StoreError):
    """A table does not take a row: a value is out of range, or a constraint fails."""


class ClaimLost(StoreError):
    """Another run holds the trace now; nothing was written."""


class RecipeError(GeostoreError):
    """The recipe's parts contradict each other or are out of range."""


class TeacherError(GeostoreError):
    """One request to the teacher failed."""

    def __init__(
        self,
        message: str,
        *,
        error_class: str,
        status: int | None = None,
        retry_after: float | None = None,
        usage: str | None = None,
        response: str | None = None,
        retried: bool = True,
        tries: int | None = None,
        in_another_form: bool = False,
    ) -> None:
        super().__init__(message)
        self.error_class = error_class
        """A stable word for the attempts table.

        ``rate_limit``, ``server``, ``timeout``, ``connection``, ``bad_response``, ``refused``,
        ``form``, ``account``, or a `records.LimitKind`.
        """
        self.status = status
        """HTTP status; None without a response."""
        self.retry_after = retry_after
        """Seconds that the server asks to wait; None where it does not say."""
        self.usage = usage
        """The usage object of a useless response that was billed; None where none was."""
        self.response = response
        """The words of a reply that the server broke off; None where there are none."""
        self.retried = retried
        """Whether the same request may fare better."""
        self.tries = tries
        """Times that a turn may fail so before its trace ends; None: as the run's policy says."""
        self.in_another_form = in_another_form
        """Whether the server takes the same request in another form, which the client now has."""


class TeacherUnusable(TeacherError):
    """No request can succeed: wrong key, model or address, no server there, or no credit left."""


class PriceError(GeostoreError):
    """Prices or a budget are missing, contradict each other, or cannot be read."""


class GaveUp(GeostoreError):
    """No request has succeeded for as long as the run was willing to wait."""


class Stopped(GeostoreError):
    """The run is stopping (`Pace.stop`), so this request is not sent."""


class PlaceError(GeostoreError):
    """A point has no place because its latitude or longitude is none."""


class RewardError(GeostoreError):
    """A reward spec is unknown or its parameters are out of range."""


class FilterError(GeostoreError):
    """A filter of traces cannot be used: its condition, its time, or a check that it names."""


class QueryError(GeostoreError):
    """A query is unknown, fails, or would do more than read."""


class QueryTimeoutError(QueryError):
    """A statement took longer than it may; DuckDB may still work on what it cannot interrupt."""


class NotFoundError(GeostoreError):
    """The store holds no such trace."""


class ExportError(GeostoreError):
    """An export cannot be written."""


class TraceImportError(GeostoreError):
    """A folder of trace files cannot be imported at all."""


class ChildError(GeostoreError):
    """A child process could not do its work."""


class ChildEnded(ChildError):
    """A child process died, or was killed because it took too long, before it replied."""

    def __init__(self, exit_code: int, *, was_late: bool, was_ready: bool) -> None:
        how = "took too long and was killed" if was_late else "died"
        super().__init__(f"a process that geostore started {how} (exit code {exit_code})")
        self.exit_code = exit_code
        """As `subprocess.Popen.returncode`: a signal's number is negative."""
        self.was_late = was_late
        """Whether it was killed because it took longer than its time limit."""
        self.was_ready = was_ready
        """Whether it had started its work; if not, another child would fail in the same way."""


class DemoError(GeostoreError):
    """The offline teacher or the demo photos cannot be made."""
