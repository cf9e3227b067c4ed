"""Rewards that a function of the user's gives, in the signature of verl's reward functions.

``function(data_source=..., solution_str=..., ground_truth=..., extra_info=...)``
returns a number, or a dict with ``score`` and more. It is called by keyword, in
processes of its own, and what it does wrong is a row with its reason.
Source: verl, verl/utils/reward_score and custom_reward_function.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from geostore.earth import EARTH_RADIUS_KM
from geostore.errors import RewardError
from geostore.identity import canonical_text, sha256_hex
from geostore.rewards.pool import Pool
from geostore.rewards.rescoring import FunctionError
from geostore.rewards.specs import CUSTOM, RewardSpec
from geostore.rewards.worker import Failed, Scored
from geostore.store import Db, Row

TIME_LIMIT = 10.0
"""Seconds per row, unless told otherwise."""
_WRITTEN_AT_ONCE = 500
_ERRORS_KEPT = 5


def custom_spec(target: str, *, name: str | None = None) -> RewardSpec:
    """The spec of a function, named by its module or file and the hash of that file's bytes.

    Nothing is run for it. An edit anywhere in the file makes another spec, as a
    function may use what stands beside it; what other files hold is not hashed.
    Where the file lies is no part of the spec. Raises RewardError.
    """
    place, colon, function = target.rpartition(":")
    if not (colon and place and function.isidentifier()):
        raise RewardError(
            f"{target!r} names no function; write package.module:function "
            "or path/to/file.py:function"
        )
    path = _source(place)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise RewardError(f"{path} cannot be read: {error.strerror}") from error
    shown = f"{path.name if place.endswith('.py') else place}:{function}"
    return RewardSpec(
        name=name or function,
        kind=CUSTOM,
        parameters={
            "function": shown,
            "source_sha256": sha256_hex(source),
            "radius": EARTH_RADIUS_KM,
        },
    )


def _source(place: str) -> Path:
    """The file in which a module stands, without importing more than its package."""
    if place.endswith(".py"):
        return Path(place)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as the workers do
    try:
        module = importlib.util.find_spec(place)
    except (ImportError, ValueError) as error:
        raise RewardError(f"there is no module {place!r}: {error}") from error
    if module is None or module.origin is None or not module.has_location:
        raise RewardError(f"there is no module {place!r} whose source could be read")
    return Path(module.origin)


class CustomScorer:
    """Computes pending traces with a pool of workers; a `Scorer`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.errors: list[FunctionError] = []

    def __call__(self, db: Db, spec_id: int, *, after: int, last: int, again: bool) -> Counter[str]:
        """Write the rewards of the pending traces with ids in (after, last], some at a time.

        The store is not locked while the function runs. A trace that was opened
        again meanwhile gets no row. Raises RewardError where the function cannot
        be loaded.
        """
        counts: Counter[str] = Counter()
        rows = db.run("pending_responses", after=after, last=last)
        # Read whole before anything is written: a reader that stays open across commits would
        # keep the log from being folded into the file.
        batch = rows.fetchall()
        for start in range(0, len(batch), _WRITTEN_AT_ONCE):
            part = batch[start : start + _WRITTEN_AT_ONCE]
            results = self._pool.run([arguments(row) for row in part])
            self._write(db, spec_id, part, results, again=again)
            counts["computed"] += len(part)
            for row, result in zip(part, results, strict=True):
                if isinstance(result, Failed):
                    counts[result.reason] += 1
                    self._keep(FunctionError(row["trace"], result.reason, result.message))
        return counts

    def _keep(self, error: FunctionError) -> None:
        """Keep one error of each message, because the same mistake fails every trace."""
        is_new = error.message not in (other.message for other in self.errors)
        if is_new and len(self.errors) < _ERRORS_KEPT:
            self.errors.append(error)

    def _write(
        self,
        db: Db,
        spec_id: int,
        rows: list[Row],
        results: list[Scored | Failed],
        *,
        again: bool,
    ) -> None:
        values = [
            {
                "spec_id": spec_id,
                "trace_id": row["trace_id"],
                "parser_version": row["parser_version"],
                "turn": row["turn"],
                "score": result.score if isinstance(result, Scored) else None,
                "extra": _extra(result),
                "again": again,
            }
            for row, result in zip(rows, results, strict=True)
        ]
        with db.transaction():
            db.run_many("put_reward", values)
            # Rows come by id, and those of other parts have the same facts as before.
            first, last = rows[0]["trace_id"], rows[-1]["trace_id"]
            db.run("put_rewards_of_pending", spec_id=spec_id, after=first - 1, last=last)


def arguments(row: Row) -> dict[str, Any]:
    """What the function is called with, of a row of ``pending_responses``.

    solution_str: the final response. ground_truth: ``{"lat", "lon"}`` in degrees.
    extra_info: all else that is known, under verl's names where it has one.
    """
    return {
        "data_source": row["dataset"],
        "solution_str": row["response"],
        "ground_truth": {"lat": row["true_lat"], "lon": row["true_lon"]},
        "extra_info": {
            "index": row["sample_index"],
            "split": row["split"],
            "num_turns": row["turn"],
            "trace": row["trace"],
            "model": row["model"],
            "status": row["status"],
            "stop_reason": row["stop_reason"],
            "tool_calls": row["tool_calls"],
            "failed_tool_calls": row["failed_tool_calls"],
            "completion_tokens": row["completion_tokens"],
            "answer": None if row["lat"] is None else {"lat": row["lat"], "lon": row["lon"]},
            "country": row["country"],
            "locatability_score": row["locatability_score"],
            "columns": orjson.loads(row["columns"]),
        },
    }


def _extra(result: Scored | Failed) -> str | None:
    if isinstance(result, Failed):
        return canonical_text({"error": result.reason, "message": result.message})
    return canonical_text(result.extra) if result.extra else None
