"""What a run should do, and the result of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from geostore.generate.retries import RetryPolicy
from geostore.generate.set_aside import SetAside
from geostore.pace import PaceLimits
from geostore.records import Closing, Status
from geostore.sampling.orders import Draw
from geostore.store import Retry
from geostore.text.phrases import format_number_of


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run should do."""

    num_samples: int | None = 10
    """Usable samples, counted from the first of the drawing order; None: all there are."""

    rollouts: int = 1
    """Traces per sample."""

    turn_limit: int = 10
    """Responses per trace at most."""

    max_images: int | None = None
    """Images in a conversation at most, the photo included; later calls are refused in words.

    None: as many as the turns may add (`conversation.limits.most_images`). Like the turn
    limit it is no part of a recipe: a server's limit is raised or lowered while a plan goes
    on, and no photo should be asked about anew for that. Requests follow from rows all
    the same, because each refused call is a row.
    """

    draw: Draw = field(default_factory=Draw)
    """Which samples come first, and which never."""

    duplicates: bool = False
    """Whether a photo that stands in several rows is used for each of them."""

    reuse: bool = False
    """Whether answers to the same photos in other datasets of the store count for this one."""

    retry: tuple[Retry, ...] = ()
    """Kinds of closed traces that are taken up again, and whether rows are read again whose
    photos could not be used. Those that repeat a photo are not."""

    skip_missing: bool = False
    """Whether a photo counts as missing where its folder is gone or empty; else the run stops
    there, because a disk may not be mounted."""

    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    """How failed requests are tried again."""

    pace: PaceLimits = field(default_factory=PaceLimits)
    """How fast requests may leave; its ceiling is also how many traces are played at a time."""

    grace: float = 600.0
    """Seconds to wait for requests in flight once the run is ending."""

    @property
    def reads_again(self) -> bool:
        """Whether rows are read again whose photos could not be used."""
        return "skipped" in self.retry

    @property
    def opens_again(self) -> bool:
        """Whether closed traces are taken up again."""
        return any(kind != "skipped" for kind in self.retry)


@dataclass(slots=True)
class RunResult:
    """What a run did, counted in traces; counted up while the run goes."""

    done: int = 0
    """Traces that needed nothing."""

    closings: dict[Status, dict[str, int]] = field(default_factory=dict)
    """Traces that this run closed, by status and then by reason (`Closing`)."""

    remaining: int | None = None
    """Traces of the plan that are not done, those that another process holds included; None
    where the run ended before it knew. A row that turns out to be no usable photo lowers it."""

    interrupted: int = 0
    """Traces that this run began or took up and left open."""

    dropped: int = 0
    """Requests that were in flight and not waited for; the teacher may bill them."""

    elsewhere: int = 0
    """Traces that another process holds."""

    excluded: dict[str, int] = field(default_factory=dict)
    """Dataset rows that cannot be used, by reason."""

    undrawn: dict[str, int] = field(default_factory=dict)
    """Dataset rows that are no candidates (`orders.count_skipped`), by reason in words."""

    has_read_again: bool = False
    """Whether rows that earlier runs had excluded were read again (`Plan.reads_again`)."""

    set_aside: SetAside = field(default_factory=SetAside)
    """Photos that could not be read for a passing reason; they are looked at by the next run."""

    stopped: bool = False
    """Whether the run was asked to stop, or its budget is used up."""

    paused: str | None = None
    """Which budget is used up and how to go on, in a sentence; None while there is room."""

    def add_closing(self, closing: Closing) -> None:
        """Count a trace that this run closed."""
        reasons = self.closings.setdefault(closing.status, {})
        reasons[closing.reason] = reasons.get(closing.reason, 0) + 1

    def add_excluded(self, reason: str) -> None:
        """Count a dataset row that cannot be used."""
        self.excluded[reason] = self.excluded.get(reason, 0) + 1

    def iter_closings(self) -> Iterator[tuple[Closing, int]]:
        """How many traces this run closed in each way."""
        for status, reasons in self.closings.items():
            for reason, count in reasons.items():
                yield Closing(status, reason), count

    @property
    def closed(self) -> Counter[Status]:
        """Traces that this run closed, by status."""
        return _by_status(self.iter_closings())

    @property
    def refused(self) -> Counter[Status]:
        """Of the traces in `closed`, those that ended because the server refused a request."""
        return _by_status(pair for pair in self.iter_closings() if pair[0].by_refusal)

    @property
    def has_work_left(self) -> bool:
        """Whether the run was cut short, or set photos aside, and traces remain for that."""
        cut = self.stopped or bool(self.set_aside.counts)
        return cut and (self.paused is not None or self.remaining != 0)

    @property
    def why_no_photo(self) -> str | None:
        """Why not one photo could be asked about, now or in earlier runs, in words.

        None where one could, and where that cannot be told: the run was cut short, or
        the photos are known under other row numbers.
        """
        asked = self.done or self.closings or self.interrupted or self.elsewhere
        cut = self.stopped or self.set_aside.counts or self.remaining != 0
        if asked or cut or "duplicate" in self.excluded:
            return None
        reasons = {**self.undrawn, **self.excluded}
        rows = [f"{format_number_of(count, 'row')} {why}" for why, count in reasons.items()]
        return f"no photo can be asked about: {', '.join(rows)}" if rows else None

    @property
    def failed_share(self) -> float:
        """Share of the traces that failed or that the server refused, of all that this run closed.

        0 to 1; 0 where it closed none. A conversation that ends at a server's limit without an
        answer is refused, whatever it has said before.
        """
        closed = self.closed.total()
        bad = self.closed["failed"] + self.refused["exhausted"]
        return bad / closed if closed else 0.0


def _by_status(closings: Iterable[tuple[Closing, int]]) -> Counter[Status]:
    counts: Counter[Status] = Counter()
    for closing, count in closings:
        counts[closing.status] += count
    return counts
