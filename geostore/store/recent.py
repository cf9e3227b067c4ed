"""The requests of the last minute, as far as rows tell: limits per minute start from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from geostore.store.db import Db, utc_in
from geostore.store.processes import process_life


@dataclass(frozen=True, slots=True)
class RecentRequest:
    """A request that a run of this store sent."""

    seconds_ago: float
    """How long ago it was sent, at most: a failed request counts from when it had failed."""

    tokens: int | None
    """In and out together; None where nobody knows."""


def recent_requests(
    db: Db, model: str, *, seconds: float, claim_seconds: float, renewal_seconds: float
) -> list[RecentRequest]:
    """The requests to a model in the last `seconds`, the oldest first.

    Those of a killed process that were in flight left no row. Each trace that it still
    holds counts as one, unless the process died before. claim_seconds, renewal_seconds:
    how long a claim lasts, and from one renewal to the next. Reads the newest rows only,
    so a large store takes no longer than a small one.
    """
    now = datetime.now(UTC)
    requests = []
    for statement in ("newest_turns", "newest_attempts"):
        for row in db.run(statement):
            written_at = datetime.fromisoformat(row["created_at"])
            if now - written_at > timedelta(seconds=seconds):
                break
            age = (now - written_at).total_seconds() + (row["latency_ms"] or 0) / 1000
            if row["model"] == model and row["run_id"] is not None and age <= seconds:
                # A clock that was set back must not put a request into the future.
                requests.append(RecentRequest(max(age, 0.0), row["tokens"]))
    renewed = claim_seconds - renewal_seconds - seconds
    for run in db.run("claims_of_runs", model=model, expires_after=utc_in(renewed)):
        if process_life(run["pid"], run["process_started"]) != "alive":
            requests += [RecentRequest(0.0, None)] * run["traces"]
    return sorted(requests, key=lambda request: -request.seconds_ago)
