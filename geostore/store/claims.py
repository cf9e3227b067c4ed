"""Claims: which run works on which trace, so that no two runs pay for the same turn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from geostore.errors import ClaimLost
from geostore.identity import canonical_text
from geostore.records import ImageFacts, LimitKind, Sample, ToolCall, Turn
from geostore.store import rows
from geostore.store.db import Db, utc_in, utc_now
from geostore.store.samples import Retry, Samples
from geostore.store.traces import Traces

NotClaimed = Literal["closed", "claimed"]
"""Why a trace was not claimed: it needs nothing more, or another run holds it."""


@dataclass(frozen=True, slots=True)
class ClaimedTrace:
    """A trace that this run may go on with, and all its rows so far."""

    trace_id: int
    """The id of its row in `traces`."""
    sample: Sample
    """The photo it is about, and the photo's true place."""
    dataset_label: str | None
    """What stands before the names of its dataset's traces; None for the store's first dataset."""
    photo: ImageFacts | None
    """The photo as it was sent; None before the first response."""
    turns: tuple[Turn, ...]
    """The responses so far, in order."""
    calls: tuple[ToolCall, ...]
    """The tool calls that were run so far, in order."""
    limits_met: tuple[LimitKind, ...]
    """The limits of the server for which requests of the next turn were refused, in order."""


class Claims:
    """The claims of a store's runs on its traces."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._samples = Samples(db)
        self._traces = Traces(db)

    def claim(
        self,
        *,
        sample_id: int,
        recipe_id: int,
        rollout: int,
        run_id: int,
        turn_limit: int,
        seconds: float,
        retry: Collection[Retry] = (),
    ) -> ClaimedTrace | NotClaimed:
        """Make a trace if it is new, and claim it for `seconds`. Call it inside `Db.transaction`.

        Gives ``closed`` where the trace needs nothing more, ``claimed`` where
        another run holds it. Opens a trace again that ran out of turns under a lower
        limit, or that is of a kind in `retry`.
        """
        # Another process may have attached the row since this run looked it up (`store.copies`).
        sample_id = self._db.number("find_holder", sample_id=sample_id)
        key = {"sample_id": sample_id, "recipe_id": recipe_id, "rollout": rollout}
        self._db.run("put_trace", **key, now=utc_now())
        reopened = self._db.run(
            "reopen_trace", **key, turn_limit=turn_limit, retry=canonical_text(sorted(retry))
        ).fetchone()
        if reopened is not None:
            # These belong to its last response, which will not be the last one any more.
            for removal in (
                "drop_derived_rewards",
                "drop_derived_answers",
                "drop_audit",
                "drop_trace_facts",
            ):
                self._db.run(removal, trace_id=reopened["id"])
        row = self._db.run(
            "claim_trace", **key, run_id=run_id, expires_at=utc_in(seconds), now=utc_now()
        ).fetchone()
        if row is None:
            return "claimed" if self._db.number("is_trace_open", **key) else "closed"
        sample = self._samples.get_sample(sample_id)
        assert sample.photo is not None  # a row that cannot be used is never given a trace
        turns = self._traces.trace_turns(row["id"])
        # A new trace has no turn, and most traces are new when they are claimed.
        met = self._db.run("limits_met", trace_id=row["id"]).fetchall() if turns else []
        return ClaimedTrace(
            trace_id=row["id"],
            sample=sample,
            dataset_label=row["dataset_label"],
            photo=rows.sent_photo(row[1:5], sample.photo),
            turns=turns,
            calls=self._traces.trace_calls(row["id"]),
            limits_met=tuple(attempt["error_class"] for attempt in met),
        )

    def require_claim(self, trace_id: int, run_id: int) -> None:
        """Raise ClaimLost unless this run still holds the trace.

        Call it inside the transaction that then writes. Otherwise a process that slept
        past its claim could write into a conversation that another run has taken over.
        """
        if not self._db.number("holds_claim", trace_id=trace_id, run_id=run_id):
            raise ClaimLost(f"another run has taken over trace {trace_id}, so this run lets it go")

    def renew_claims(self, run_id: int, *, seconds: float) -> None:
        """Let a run's claims last for `seconds` from now."""
        self._db.run("renew_claims", run_id=run_id, expires_at=utc_in(seconds))

    def renew_after_lock(self, *, locked_for: float, seconds: float) -> None:
        """Let the claims of all runs that were valid before a lock last for `seconds` from now.

        locked_for: seconds in which nobody could write, up to now. No run could renew its
        claims in that time, and the first to write again must not take over what another
        still plays.
        """
        self._db.run("renew_valid_claims", since=utc_in(-locked_for), expires_at=utc_in(seconds))

    def release_claims(self, run_id: int) -> int:
        """Give back all traces that a run holds; how many."""
        return self._db.run("release_claims", run_id=run_id).rowcount
