"""Finds what a plan lacks: draws samples, skips what needs nothing more, claims the rest.

The store alone decides: each candidate row is looked up in drawing order. So it
does not matter how often a run is started, killed, or started twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from geostore.generate.events import Watcher
from geostore.generate.journal import Journal
from geostore.generate.plan import Plan, Tally
from geostore.generate.survey import FINISHED, UNFINISHED, Survey
from geostore.records import Sample, TraceKey
from geostore.sampling.orders import candidates, describe_skipped
from geostore.store import ClaimedTrace, KnownSample, NotClaimed, Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from geostore.dataset import PhotoDataset

CLAIM_SECONDS = 120.0
"""How long a claim holds without being renewed; it is renewed four times as often."""

_CHUNK = 512
"""Candidate rows that are looked up in the store at a time."""

_DRAWN_TOGETHER = 8
"""New rows that are read and recorded at a time; each costs some milliseconds before the next."""


@dataclass(frozen=True, slots=True)
class MissingTraces:
    """What one run has to do, as it becomes able to.

    tally and watcher are told what is found done; nothing more is claimed once
    `stopping` is set.
    """

    dataset: PhotoDataset
    journal: Journal
    executor: Executor
    plan: Plan
    recipe_sha256: str
    run_id: int
    tally: Tally
    stopping: asyncio.Event
    watcher: Watcher

    async def claimed(
        self, dataset_id: int, recipe_id: int
    ) -> AsyncIterator[tuple[TraceKey, ClaimedTrace]]:
        """The traces that are missing, each claimed when it is asked for, in drawing order."""
        plan = self.plan
        order = await asyncio.to_thread(self._candidates)
        wanted = len(order) if plan.num_samples is None else plan.num_samples
        self.watcher.planned(min(wanted, len(order)) * plan.rollouts)
        survey = await self.journal.commit(
            partial(
                Survey.of,
                num_rows=len(self.dataset),
                dataset_id=dataset_id,
                recipe_id=recipe_id,
                rollouts=plan.rollouts,
                turn_limit=plan.turn_limit,
                retry=plan.retry,
                duplicates=plan.duplicates,
            )
        )
        usable = 0
        for start in range(0, len(order), _CHUNK):
            chunk = order[start : start + _CHUNK]
            states = survey.states(chunk)
            finished = int((states == FINISHED).sum())
            if finished == len(chunk) and usable + finished <= wanted:
                usable += finished
                self._found_done(finished * plan.rollouts)
                continue
            missing = [int(row) for row in chunk[states == UNFINISHED]]
            known = await self.journal.commit(
                partial(_known_samples, dataset_id=dataset_id, indices=missing)
            )
            for index, state in zip(chunk.tolist(), states.tolist(), strict=True):
                if usable >= wanted or self.stopping.is_set():
                    return
                if state in survey.reasons:
                    self.tally.excluded[survey.reasons[state]] += 1
                    continue
                if state == FINISHED:
                    usable += 1
                    self._found_done(plan.rollouts)
                    continue
                if index not in known:
                    new = (row for row in missing[missing.index(index) :] if row not in known)
                    together = min(wanted - usable, _DRAWN_TOGETHER)
                    known |= await self._draw(dataset_id, list(islice(new, together)))
                sample = known[index]
                used_again = plan.duplicates and sample.exclusion == "duplicate"
                if sample.exclusion is not None and not used_again:
                    self.tally.excluded[sample.exclusion] += 1
                    continue
                usable += 1
                for rollout in range(1, plan.rollouts + 1):
                    claimed = await self._claim(sample.sample_id, recipe_id, rollout)
                    if isinstance(claimed, str):
                        self._found_done(1, elsewhere=claimed == "claimed")
                    else:
                        yield TraceKey(index, self.recipe_sha256, rollout), claimed
                    if self.stopping.is_set():
                        return

    def _found_done(self, traces: int, *, elsewhere: bool = False) -> None:
        if elsewhere:
            self.tally.elsewhere += traces
        else:
            self.tally.done += traces
        self.watcher.found_done(traces)

    async def _draw(self, dataset_id: int, rows: list[int]) -> dict[int, KnownSample]:
        """Look at rows' photos and record them, all in one commit; by row number."""

        def read() -> list[Sample]:
            return [self.dataset.read_sample(row) for row in rows]

        samples = await asyncio.get_running_loop().run_in_executor(self.executor, read)
        return await self.journal.commit(
            lambda s: {one.sample_index: s.samples.put_sample(dataset_id, one) for one in samples}
        )

    async def _claim(
        self, sample_id: int, recipe_id: int, rollout: int
    ) -> ClaimedTrace | NotClaimed:
        return await self.journal.commit(
            lambda s: s.claims.claim(
                sample_id=sample_id,
                recipe_id=recipe_id,
                rollout=rollout,
                run_id=self.run_id,
                turn_limit=self.plan.turn_limit,
                retry=self.plan.retry,
                seconds=CLAIM_SECONDS,
            )
        )

    def _candidates(self) -> NDArray[np.int64]:
        lat, lon = self.dataset.coordinates()
        found = candidates(lat, lon, self.dataset.locatability(), self.plan.draw)
        for sentence in describe_skipped(found):
            self.watcher.notice(sentence)
        return found.indices


def _known_samples(store: Store, *, dataset_id: int, indices: list[int]) -> dict[int, KnownSample]:
    return store.samples.known_samples(dataset_id=dataset_id, indices=indices)
