"""Says at which limits of the server conversations end in a run, and which settings help."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from geostore.errors import TeacherError
from geostore.generate.events import Event, RequestFailed, TraceEnded, TurnCommitted
from geostore.records import LIMIT_KINDS, FailedAttempt, LimitKind, Status, TraceKey
from geostore.teacher import LIMIT_HELP
from geostore.text.phrases import format_number_of

_NAMES: dict[LimitKind, str] = {
    "image_limit": "images in a conversation",
    "context_limit": "tokens in a conversation",
    "size_limit": "the size of a request or an image",
}
_FROM_THE_START = 8
"""Photos that are refused for their size, and none answered, before the run ends. So many, since
a proxy refuses a large photo in no time, while the first answer to a small one takes seconds; and
fewer than the refusals after which a run would pause."""


def limit_of(error: TeacherError) -> LimitKind | None:
    """The limit for which the server refused a request; None where it failed otherwise."""
    return next((kind for kind in LIMIT_KINDS if kind == error.error_class), None)


class LimitWatch:
    """Watches a run's events for limits of the server.

    notice: takes a sentence for the user. images: that a conversation may come to.
    """

    def __init__(self, *, notice: Callable[[str], None], images: int) -> None:
        self._notice = notice
        self._help = {kind: text.format(images=images) for kind, text in LIMIT_HELP.items()}
        self._noticed: set[tuple[LimitKind, bool]] = set()
        # Traces that met a limit and have not ended; there are no more than a run plays at a time.
        self._met: dict[TraceKey, LimitKind] = {}
        self._ended: defaultdict[LimitKind, Counter[Status]] = defaultdict(Counter)
        self._refused_photos = 0
        self._any_answer = False
        self.hopeless: str | None = None
        """Why no photo can be asked about, with what to do; None while one may be."""

    def watch(self, event: Event) -> None:
        """Take what happened."""
        match event:
            case TurnCommitted():
                self._any_answer = True
            case RequestFailed(key, attempt):
                for kind in LIMIT_KINDS:
                    if attempt.error_class == kind:
                        self._meet(key, kind, attempt)
            case TraceEnded(key) if (limit := self._met.pop(key, None)) is not None:
                self._ended[limit][event.closing.status] += 1
            case _:
                pass

    def _meet(self, key: TraceKey, kind: LimitKind, attempt: FailedAttempt) -> None:
        self._met[key] = kind
        is_photo = attempt.turn == 1
        if (kind, is_photo) not in self._noticed:
            self._noticed.add((kind, is_photo))
            self._notice(self._first_sentence(kind, attempt.message, is_photo=is_photo))
        self._refused_photos += is_photo
        if not self._any_answer and self._refused_photos >= _FROM_THE_START:
            self.hopeless = (
                f"the first {self._refused_photos} photos were refused for a limit of the server "
                f"on {_NAMES[kind]}: {attempt.message}; {self._help[kind]}; then run again with "
                "--retry refused"
            )

    def sum_up(self) -> None:
        """Say of each limit how many traces met it and how they ended."""
        for kind, statuses in self._ended.items():
            ends = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
            met = statuses.total()
            self._notice(
                f"{format_number_of(met, 'trace')} met the server's limit on "
                f"{_NAMES[kind]} ({ends}): {self._help[kind]}"
            )

    def _first_sentence(self, kind: LimitKind, message: str, *, is_photo: bool) -> str:
        if is_photo:
            happens = f"a photo alone is beyond it, and its trace ends as {kind}"
        else:
            happens = "such a trace is asked once more for its answer, without its newest images"
        return (
            f"the server has a limit on {_NAMES[kind]} ({message}): {happens}; to avoid that, "
            f"{self._help[kind]}"
        )
