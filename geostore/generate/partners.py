"""Whom a rollout talks to: the teacher and the journal, as it sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from geostore.conversation.request_form import RequestForm
from geostore.records import Closing, FailedAttempt, ImageFacts, Reply, Reward, ToolCall, Turn


class TeacherClient(Protocol):
    """The teacher, as a rollout sees it."""

    @property
    def form(self) -> RequestForm:
        """The form that requests should have."""

    async def ask(
        self, body: bytes, *, form: RequestForm, is_other: Callable[[RequestForm], bool]
    ) -> Reply:
        """Send a request body that has a form, and may be another in other forms.

        Raises TeacherError.
        """


class TraceRecorder(Protocol):
    """The journal, as a rollout sees it; each method returns when the change is on disk.

    A CancelledError, too, is raised only then.
    """

    async def record_turn(self, turn: Turn, photo: ImageFacts | None) -> None:
        """Write a response; with the first one, the photo as it was sent."""

    async def record_call(self, call: ToolCall) -> None:
        """Write a tool call and its result."""

    async def record_failure(self, attempt: FailedAttempt) -> None:
        """Write a request that failed."""

    async def close(
        self, closing: Closing, *, turn_limit: int, played: Sequence[Turn]
    ) -> Reward | None:
        """Write the end of the trace."""
