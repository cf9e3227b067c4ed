"""Datasets and samples as rows: recorded once, looked up by their natural keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from geostore.identity import canonical_text
from geostore.records import DatasetFacts, Sample
from geostore.store import rows
from geostore.store.db import Db, Row, utc_now

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Retry = Literal["failed", "truncated", "exhausted", "refused", "skipped"]
"""What a run may take up again: closed traces, and rows without one.

``failed`` used up its attempts or was refused, ``truncated`` was cut by the token
limit, and ``exhausted`` ended without an answer for another reason. ``refused`` are
those of ``failed`` and ``exhausted`` whose last request the server refused
(`Closing.by_refusal`). ``skipped`` are no traces but dataset rows whose photos could not
be used.
"""


@dataclass(frozen=True, slots=True)
class KnownSample:
    """A dataset row that was drawn before."""

    sample_id: int
    """The row in `samples` that holds its traces: its own, or the one for which it stands."""
    exclusion: str | None
    """Why it cannot be used; None where it can."""
    row_id: int
    """The id of its own row in `samples`."""

    @property
    def is_attached(self) -> bool:
        """Whether it stands for the sample of another dataset (`store.copies`)."""
        return self.row_id != self.sample_id


class Samples:
    """The datasets of a store, and their rows that were drawn."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def put_dataset(self, facts: DatasetFacts, *, label: str | None = None) -> int:
        """Record a dataset by its fingerprint; its id.

        label: what is to stand before the names of its traces, where nothing else has it; None:
        nothing. A dataset that is known keeps its own.
        """
        self._db.run("put_dataset", **rows.dataset_row(facts), label=label, now=utc_now())
        return self._db.number("find_dataset", fingerprint=facts.fingerprint)

    def put_unseen_dataset(self, facts: DatasetFacts, *, label: str | None = None) -> int:
        """Record a dataset that was never opened here, by its fingerprint or else its path.

        label: as for `put_dataset`.
        """
        self._db.run("put_unseen_dataset", **rows.dataset_row(facts), label=label, now=utc_now())
        if facts.fingerprint is None:
            return self._db.number("find_unseen_dataset", path=facts.path)
        return self._db.number("find_dataset", fingerprint=facts.fingerprint)

    def get_dataset(self, dataset_id: int) -> DatasetFacts:
        """A dataset by id."""
        return rows.dataset_record(self._db.run("get_dataset", dataset_id=dataset_id).fetchone())

    def put_sample(self, dataset_id: int, sample: Sample) -> KnownSample:
        """Record a drawn row, as a ``duplicate`` where another row has the same photo.

        A row that is known stays as it is.
        """
        return self._put(dataset_id, sample, "put_sample")

    def renew_sample(self, dataset_id: int, sample: Sample) -> KnownSample:
        """Record a row that was just read, as `put_sample` does.

        Of a row that is known and could not be used, what was learned of its photo now
        takes the place of what was known. A row that is in use, or that repeats a photo,
        stays as it is, so that processes that read it at the same time agree.
        """
        return self._put(dataset_id, sample, "put_sample", "renew_sample")

    def _put(self, dataset_id: int, sample: Sample, *statements: str) -> KnownSample:
        values = rows.sample_row(sample)
        if sample.exclusion is None:
            duplicate = self._db.run(
                "find_duplicate",
                dataset_id=dataset_id,
                image_sha256=values["image_sha256"],
                sample_index=sample.sample_index,
            ).fetchone()
            if duplicate is not None:
                values["exclusion"] = "duplicate"
        for statement in statements:
            self._db.run(statement, **values, dataset_id=dataset_id)
        row = self._db.run(
            "find_sample", dataset_id=dataset_id, sample_index=sample.sample_index
        ).fetchone()
        return _known_sample(row)

    def get_sample(self, sample_id: int) -> Sample:
        """A sample by id."""
        return rows.sample_record(self._db.run("get_sample", sample_id=sample_id).fetchone())

    def known_samples(self, *, dataset_id: int, indices: Sequence[int]) -> dict[int, KnownSample]:
        """Of these dataset rows, those that were drawn before, by row number."""
        known = self._db.run(
            "known_samples", dataset_id=dataset_id, indices=canonical_text(list(indices))
        )
        return {row["sample_index"]: _known_sample(row) for row in known}

    def finished_samples(
        self,
        *,
        dataset_id: int,
        recipe_id: int,
        rollouts: int,
        turn_limit: int,
        retry: Collection[Retry] = (),
    ) -> NDArray[np.int64]:
        """The row numbers whose rollouts all need nothing more; parameters as in `Claims.claim`."""
        joined: str | None = self._db.run(
            "finished_samples",
            dataset_id=dataset_id,
            recipe_id=recipe_id,
            rollouts=rollouts,
            turn_limit=turn_limit,
            retry=canonical_text(sorted(retry)),
        ).fetchone()[0]
        return _row_numbers(joined)

    def begun_samples(
        self,
        *,
        dataset_id: int,
        recipe_id: int,
        rollouts: int,
        turn_limit: int,
        retry: Collection[Retry] = (),
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A row number for each trace that needs nothing more, and for each other trace.

        With one rollout, the first is without the answered traces, whose rows need nothing more.
        Parameters as in `finished_samples`.
        """
        statuses = ["open", "exhausted", "failed", *(["answered"] if rollouts > 1 else [])]
        row = self._db.run(
            "begun_samples",
            dataset_id=dataset_id,
            recipe_id=recipe_id,
            rollouts=rollouts,
            turn_limit=turn_limit,
            retry=canonical_text(sorted(retry)),
            statuses=canonical_text(statuses),
        ).fetchone()
        return _row_numbers(row["closed"]), _row_numbers(row["begun"])

    def excluded_samples(self, dataset_id: int) -> dict[str, list[int]]:
        """The row numbers that cannot be used, by reason."""
        excluded: dict[str, list[int]] = {}
        for reason, index in self._db.run("excluded_samples", dataset_id=dataset_id):
            excluded.setdefault(reason, []).append(index)
        return excluded


def _known_sample(row: Row) -> KnownSample:
    return KnownSample(row["sample_id"], row["exclusion"], row["row_id"])


def _row_numbers(joined: str | None) -> NDArray[np.int64]:
    """From numbers between commas; none from null."""
    import numpy as np

    return np.fromstring(joined or "", dtype=np.int64, sep=",")
