"""Photos of a run that were answered already in another dataset: says so, or attaches them.

A shuffled, filtered or converted copy of a dataset has another fingerprint, and each
of its rows would be paid for again. So before the first request a run reads some of its
photos, or all where they are few, and compares their hashes with those in the store.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from geostore.errors import ImageError, MachineError
from geostore.generate.journal import Journal
from geostore.identity import sha256_hex
from geostore.records import Sample
from geostore.store import KnownSample, Store
from geostore.store.copies import (
    AnsweredCopy,
    attach_sample,
    find_answered_copy,
    has_answered_elsewhere,
)
from geostore.text.phrases import format_number_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geostore.dataset import PhotoDataset

_LOOKED_AT = 64
"""Photos that are read before the first request: a slow disk, or Parquet in large row groups, takes
up to 150 ms for one."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A dataset row in the store."""

    index: int
    """Its row number."""

    known: KnownSample
    """What the store knows of it."""

    copy: AnsweredCopy | None = None
    """To which it was attached now, or which lies at another place; None where neither."""


@dataclass(slots=True)
class Copies:
    """What one run does about photos that were answered in another dataset."""

    dataset: PhotoDataset
    """Whose photos are compared."""

    journal: Journal
    """Through which the store is asked and written."""

    executor: Executor
    """Where photos are read, away from the event loop."""

    dataset_id: int
    """Of the dataset in the store."""

    recipe_id: int
    """Of the recipe that is asked. Answers to another recipe are no answers to this one."""

    reuse: bool
    """Whether to attach such photos. Else they are asked about again, and a sentence says so."""

    read_again: bool
    """Whether rows are read and recorded anew whose photos could not be used."""

    notice: Callable[[str], None]
    """Called with sentences for a person."""

    stopping: asyncio.Event
    """Set where the run is to end, so that no more photos are looked at."""

    _exist: bool = field(default=False, init=False)
    _attached: Counter[str] = field(default_factory=Counter, init=False)
    _elsewhere: Counter[str] = field(default_factory=Counter, init=False)

    async def look(self, rows: NDArray[np.int64]) -> None:
        """Say how many photos were answered already, before any is asked about again.

        rows: those that the plan will ask about, in drawing order.
        """
        if not len(rows):
            return
        self._exist = await self.journal.commit(
            lambda s: has_answered_elsewhere(
                s.db, dataset_id=self.dataset_id, recipe_id=self.recipe_id
            )
        )
        if not self._exist or self.reuse:
            return
        # Spread evenly, because a copy may begin with rows that are new.
        chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), _LOOKED_AT)).astype(np.int64)]
        photos = await asyncio.get_running_loop().run_in_executor(
            self.executor, self._hashes, chosen.tolist()
        )
        copies = await self.journal.commit(lambda s: [self._find(s, *photo) for photo in photos])
        known = Counter(copy.dataset for copy in copies if copy and copy.same_place)
        apart = Counter(copy.dataset for copy in copies if copy and not copy.same_place)
        of = f"these {len(rows):,}" if len(chosen) == len(rows) else f"{len(chosen):,}"
        among = "" if len(chosen) == len(rows) else f" looked at, of {len(rows):,} to ask about,"
        for name, count in known.items():
            self.notice(
                f"{count:,} of {of} photos{among} {_were(count)} answered already in dataset "
                f"{name}. They are asked about again: Ctrl-C stops the run; --reuse attaches the "
                "answers instead"
            )
        self._say_apart(apart)

    async def record(self, samples: Sequence[Sample]) -> dict[int, KnownSample]:
        """Record rows, and attach those that should be, all in one commit; by row number."""

        def put(store: Store) -> list[_Recorded]:
            record = store.samples.renew_sample if self.read_again else store.samples.put_sample
            return [
                self._attach(store, record(self.dataset_id, sample), sample) for sample in samples
            ]

        return self._count(await self.journal.commit(put))

    async def known(self, rows: Sequence[int]) -> dict[int, KnownSample]:
        """Of some rows, those that need not be read; attaches what an earlier run left unasked."""

        def look_up(store: Store) -> list[_Recorded]:
            known = store.samples.known_samples(dataset_id=self.dataset_id, indices=rows)
            if self.read_again:
                usable = (None, "duplicate")
                known = {row: one for row, one in known.items() if one.exclusion in usable}
            if not (self.reuse and self._exist):
                return [_Recorded(index, row) for index, row in known.items()]
            return [
                self._attach(store, row, store.samples.get_sample(row.row_id))
                for row in known.values()
            ]

        return self._count(await self.journal.commit(look_up))

    def _count(self, recorded: list[_Recorded]) -> dict[int, KnownSample]:
        # Not while they are written: a commit that fails is tried again, and would count twice.
        for row in recorded:
            if row.copy is not None:
                counts = self._attached if row.known.is_attached else self._elsewhere
                counts[row.copy.dataset] += 1
        return {row.index: row.known for row in recorded}

    def sum_up(self) -> None:
        """Say what was attached, once every row was drawn."""
        for name, count in self._attached.items():
            self.notice(
                f"{format_number_of(count, 'photo')} {_were(count)} answered already in dataset "
                f"{name}: the traces there count for them"
            )
        self._say_apart(self._elsewhere)

    def _say_apart(self, apart: Counter[str]) -> None:
        for name, count in apart.items():
            self.notice(
                f"{format_number_of(count, 'photo')} {_were(count)} answered in dataset {name} "
                "with another true place; the answers there are not theirs"
            )

    def _attach(self, store: Store, row: KnownSample, sample: Sample) -> _Recorded:
        apart = _Recorded(sample.sample_index, row)
        if not (self.reuse and self._exist) or row.exclusion is not None or row.is_attached:
            return apart
        if sample.photo is None:  # another process could read it, and this one not
            return apart
        copy = self._find(store, sample.sample_index, sample.photo.sha256, sample.lat, sample.lon)
        if copy is None:
            return apart
        if not copy.same_place:
            return replace(apart, copy=copy)
        if not attach_sample(store.db, row.row_id, copy):
            return apart
        return _Recorded(sample.sample_index, replace(row, sample_id=copy.sample_id), copy)

    def _find(
        self, store: Store, index: int, sha256: str, lat: float, lon: float
    ) -> AnsweredCopy | None:
        return find_answered_copy(
            store.db,
            dataset_id=self.dataset_id,
            recipe_id=self.recipe_id,
            sample_index=index,
            image_sha256=sha256,
            lat=lat,
            lon=lon,
        )

    def _hashes(self, rows: list[int]) -> list[tuple[int, str, float, float]]:
        """Row number, hash and true place of the photos that can be read."""
        lat, lon = self.dataset.coordinates()
        return list(self._iter_hashes(rows, lat, lon))

    def _iter_hashes(
        self, rows: list[int], lat: NDArray[np.float64], lon: NDArray[np.float64]
    ) -> Iterator[tuple[int, str, float, float]]:
        for row in rows:
            if self.stopping.is_set():
                return
            try:
                photo = self.dataset.photo_bytes(row)
            except ImageError:
                continue  # recorded with the reason when its turn comes
            except MachineError:
                return  # the run sets it aside, or stops, when its turn comes
            yield row, sha256_hex(photo), float(lat[row]), float(lon[row])


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
