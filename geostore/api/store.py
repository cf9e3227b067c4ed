"""An open store for Python: what the command line does with one, as methods.

Nothing here asks a teacher; ``geostore generate`` does.
"""

from __future__ import annotations

import io
import operator
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

from geostore.api.asking import Asking
from geostore.api.trace import Trace
from geostore.errors import NotFoundError, StoreError, TraceImportError
from geostore.export import ExportOptions, ExportResult, ReasoningMode, check_flags
from geostore.export import export as export_store
from geostore.export.keywords import ExportKeywords, read_keywords
from geostore.records import ImportedRecipe, SentImage, StoredTrace
from geostore.store import (
    ENDED,
    Choice,
    Conditions,
    Filter,
    Selection,
    Store,
    make_filter,
    open_snapshot,
    read_selection,
)

if TYPE_CHECKING:
    from pathlib import Path

    import datasets
    from PIL import Image

    from geostore.audit import AuditResult
    from geostore.conversation.images import PhotoSource
    from geostore.export.plan import ExportPlan
    from geostore.importing import ImportResult, Match
    from geostore.importing.box_frames import FrameName
    from geostore.report.build import Written
    from geostore.rewards import RescoreResult
    from geostore.rewards.compare import Comparisons
    from geostore.verify import Report

_LONGEST_PATH = 80  # characters of a path in a repr


class GeoStore(Asking):
    """An open store. Use as a context manager, in one thread; every method raises GeostoreError.

    A trace is given as a `Trace` or by its name, such as ``17-3fa1c2d4-1``; the start of a name or
    a row number is enough where one trace fits. dataset_path: where the dataset is now, None for
    where the store saw it last.

    create: make the store where there is none.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"a store is a path, such as 'geostore.db', and not {path!r}")
        self._opened = Store.open(path, create=create)
        self._is_open = True
        self._sources: dict[str | None, PhotoSource] = {}

    def __repr__(self) -> str:
        path = str(self._opened.path)
        if len(path) > _LONGEST_PATH:
            path = f"…{path[-_LONGEST_PATH:]}"
        return f"<GeoStore {path}{'' if self._is_open else ' (closed)'}>"

    def __enter__(self) -> GeoStore:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and end the process that answers questions; may be done twice."""
        self._end_questions()
        self._opened.close()
        self._is_open = False

    @property
    def _store(self) -> Store:
        if not self._is_open:
            raise StoreError(f"{self._opened.path} was closed; open it again with geostore.open")
        return self._opened

    # --- reading ---------------------------------------------------------------------------

    def traces(self, **conditions: Unpack[Selection]) -> Iterator[Trace]:
        """Traces by dataset name, row number, recipe and rollout, as they were when this began.

        Memory stays flat. status: one or several, None for all. min_score keeps
        scores from there on, max_distance_km smaller distances. An answer without
        coordinates has no distance, and no score but one that the reward gives it.
        recipe: the start of its hash. model: its name, in which ``*`` stands for any
        text. flags keeps traces that one of these checks of `audit` flagged,
        exclude_flags leaves them out. since: closed from
        ``2026-10-01`` on, or ``12h`` ago. where: one SQL expression, such as
        ``turns > 2 and country = 'japan'``. reward: the name or the start of the hash
        of the reward they carry, None for the store's default. min_turns, max_turns,
        max_tokens, require_tools: as `geostore.store.Filter` says.
        exclude_near, radius, best_of, dedupe, balance, limit and order choose among those, as
        `geostore.store.Choice` says: ``best_of=1, balance="country=500", order="random:7"``.
        Raises TypeError for a condition that there is not, FilterError, RewardError, DatasetError.
        """
        from geostore.rewards import with_named_reward

        filters, choice = read_selection(conditions, statuses=None)
        check_flags(filters)
        filters = with_named_reward(self._store.db, filters)
        return self._read(self._store.path, filters, choice)

    def _read(self, path: Path, filters: Filter, choice: Choice) -> Iterator[Trace]:
        with open_snapshot(path) as snapshot:
            yield from map(Trace.of, snapshot.traces(filters, choice=choice))

    def to_hf_dataset(
        self,
        *,
        images: Literal["embed", "reference"] = "embed",
        dataset_path: str | None = None,
        reasoning: ReasoningMode = "keep",
        **conditions: Unpack[Selection],
    ) -> datasets.Dataset:
        """Traces that ended as a dataset of the library `datasets`, as the format ``hf`` has them.

        The rows lie in files for temporary use until Python ends; `save_to_disk` and `push_to_hub`
        keep them. images: with their bytes, derived again from the photos, or as references
        without a photo being read. dataset_path: as for `export`. conditions: as in `traces`.
        Warns where traces are left out, because their images cannot be made again.
        Raises ExportError, FilterError, RewardError.
        """
        from geostore.export.trainers.hf_dataset import hf_dataset
        from geostore.rewards import with_named_reward

        beside = ("images", "dataset_path", "reasoning")
        filters, choice = read_selection(conditions, statuses=ENDED, beside=beside)
        check_flags(filters)
        filters = with_named_reward(self._store.db, filters)
        options = ExportOptions("hf", images=images, dataset_path=dataset_path, reasoning=reasoning)
        return hf_dataset(self._store.path, filters, options, choice)

    def trace(self, name: str | int) -> Trace:
        """The trace with a name, or that of a row number.

        Raises NotFoundError, which lists the traces where several fit, and the nearest names.
        """
        if not isinstance(name, str):
            name = operator.index(name)
        return Trace.of(self._store.traces.get_trace(self._store.traces.find_trace(str(name))))

    def verify(self, *, sample: int | None = None, dataset_path: str | None = None) -> Report:
        """Derive every image and every request again, and compare; see `geostore.verify.verify`.

        sample: check only so many traces, the same ones every time. What failed is
        in the report and raises nothing. Uses a process for each core.
        """
        from geostore.verify import verify

        return verify(self._store.path, sample=sample, dataset_path=dataset_path)

    def compare_rewards(
        self, *names: str, min_score: float | None = None, top: float | None = None
    ) -> Comparisons:
        """How rewards rank the same traces and which each accepts; see `rewards.compare`.

        names: of the store's, or starts of hashes; none: all under which a trace has a score.
        min_score, top: accepted are scores from there on (0.3), or each one's best share.
        Raises RewardError.
        """
        from geostore.rewards.compare import Bound, compare_rewards, specs_to_compare

        specs = specs_to_compare(self._store.db, names)
        return compare_rewards(self._store.db, specs, bound=Bound.of(min_score, top))

    # --- writing ---------------------------------------------------------------------------

    def rescore(
        self,
        name: str = "geoguessr",
        *,
        recipe: str | None = None,
        model: str | None = None,
        since: str | None = None,
        where: str | None = None,
        again: bool = False,
        **params: Any,
    ) -> RescoreResult:
        """Compute a reward for every trace that does not have it yet.

        name: a built-in reward, a preset such as ``preset:globe``, or one of the store's by name or
        hash. params: those of a built-in one or a preset, such as ``scale=2000`` (km) or
        ``table=[[1, 1], [200, 0]]``. recipe, model,
        since, where: only traces that meet these conditions, as in `traces`. again: compute it
        again where it is there. Raises RewardError, FilterError.
        """
        from geostore.rewards import Selection, as_written, rescore, resolve_spec

        conditions = Conditions(recipe=recipe, model=model, since=since, where=where)
        filters = make_filter(conditions, statuses=ENDED)
        written = {key: as_written(value) for key, value in params.items()}
        return rescore(
            self._store.db,
            resolve_spec(self._store.db, name, written),
            # Without conditions every trace is looked at, much faster than choosing them all.
            filters=None if filters == Filter() else filters,
            selection=Selection(again=again),
        )

    def audit(self) -> AuditResult:
        """Check the closed traces that were not checked yet; what is flagged in the store."""
        from geostore.audit import audit

        return audit(self._store)

    def import_traces(
        self,
        source: str | os.PathLike[str],
        *,
        dataset_path: str | os.PathLike[str] | None = None,
        columns: Mapping[str, str] | None = None,
        match: Match = "index",
        model: str | None = None,
        label: str | None = None,
        tools: bool | None = None,
        bbox_frame: FrameName | None = None,
    ) -> ImportResult:
        """Import one file, or the trace files in a folder; what is in already is left alone.

        dataset_path: the dataset they were made from, against which every row
        number is checked. columns: role to column name. match: what to do where
        that does not fit; model, label, tools, bbox_frame: see
        `geostore.importing.ReadOptions`. Raises TraceImportError, DatasetError, StoreError.
        """
        from geostore.importing import Match, ReadOptions, import_traces
        from geostore.importing.box_frames import FRAME_NAMES

        if match not in get_args(Match):
            raise TraceImportError(
                f"there is no match {match!r}; choose one of {', '.join(get_args(Match))}"
            )
        if bbox_frame is not None and bbox_frame not in FRAME_NAMES:
            raise TraceImportError(
                f"there is no frame {bbox_frame!r}; choose one of {', '.join(FRAME_NAMES)}, or "
                "None to infer it"
            )
        options = ReadOptions(
            dataset_path=None if dataset_path is None else os.fspath(dataset_path),
            columns=dict(columns or {}),
            model=model,
            label=label,
            tools=tools,
            match=match,
            bbox_frame=bbox_frame,
        )
        return import_traces(self._store, source, options=options)

    def export(
        self, out: str | os.PathLike[str], **keywords: Unpack[ExportKeywords]
    ) -> ExportResult:
        """Write traces into the folder `out`, all or nothing; see `geostore.export.export`.

        keywords: format and how it is written, as `geostore.export.ExportOptions` says; split,
        such as ``{"train": 0.98, "val": 0.02}``, with split_by and split_seed, as
        `geostore.export.Splits` says; and conditions as in `traces`, where status is ``answered``
        or ``exhausted``, None for both.
        """
        asked = read_keywords(keywords)
        return export_store(
            self._store,
            out,
            options=asked.options,
            filters=asked.filters,
            choice=asked.choice,
            splits=asked.splits,
        )

    def plan_export(self, **keywords: Unpack[ExportKeywords]) -> ExportPlan:
        """What `export` would write with the same keywords, without writing it; see
        `geostore.export.plan.ExportPlan`. Sizes are estimated from some of the traces.
        """
        from geostore.export.plan import plan_export

        asked = read_keywords(keywords)
        return plan_export(
            self._store,
            options=asked.options,
            filters=asked.filters,
            choice=asked.choice,
            splits=asked.splits,
        )

    def report(
        self,
        out: str | os.PathLike[str],
        *,
        against: str | os.PathLike[str] | None = None,
        recipe: str | None = None,
        model: str | None = None,
        where: str | None = None,
        reward: str | None = None,
        km: float = 200.0,
        images: bool = True,
        dataset_path: str | None = None,
    ) -> Written:
        """Write one page about the store; how large it is, and of how many traces.

        recipe, model, where, reward: as in `traces`. against: the start of a recipe's hash, or the
        path of another store. km: the distance within which an answer is right. images: whether
        the best and worst traces have their photos, which are read from dataset_path. Raises
        QueryError, FilterError, RewardError, NotFoundError, StoreError.
        """
        from geostore.report.build import ReportOptions, write_report

        options = ReportOptions(
            Conditions(recipe=recipe, model=model, where=where),
            against=None if against is None else os.fspath(against),
            reward=reward,
            km=km,
            images=images,
            dataset_path=dataset_path,
        )
        return write_report(self._store, out, options)

    # --- images ----------------------------------------------------------------------------

    def restore_image(
        self,
        trace: StoredTrace | str | int,
        image_index: int = 0,
        *,
        dataset_path: str | None = None,
    ) -> Image.Image:
        """An image of a trace: 0 is the photo, at full resolution and upright.

        Others are the images that tools gave, as the teacher saw them. Raises
        DatasetError, ImageError where it is not the photo that was used,
        NotFoundError where the trace has no such image.
        """
        stored = self._stored(trace)
        if image_index == 0:
            from geostore.conversation.again import check_photo
            from geostore.imaging import decode

            check_photo(stored)
            return decode(self._source(dataset_path).photo_bytes(stored))
        images = self.sent_images(stored, dataset_path=dataset_path)
        if not 0 < image_index < len(images):
            raise NotFoundError(
                f"{stored.name} has no image {image_index}, but {len(images)} in all"
            )
        from PIL import Image

        image = Image.open(io.BytesIO(images[image_index].data))
        image.load()
        return image

    def sent_images(
        self, trace: StoredTrace | str | int, *, dataset_path: str | None = None
    ) -> list[SentImage]:
        """Every image the teacher saw, by number, in the bytes that were sent.

        Empty where nothing was sent yet. Raises DatasetError, ImageError; for an imported trace
        also where one of its images is not known.
        """
        from geostore.conversation.images import trace_images

        stored = self._stored(trace)
        if stored.photo is None and not isinstance(stored.recipe, ImportedRecipe):
            return []
        photo = self._source(dataset_path).photo_bytes(stored)
        return trace_images(photo, stored)

    def overlay(
        self,
        trace: StoredTrace | str | int,
        *,
        turn: int | None = None,
        dataset_path: str | None = None,
    ) -> Image.Image:
        """The photo with the boxes of a trace's calls; see `geostore.show.pictures.overlay`."""
        from geostore.show.pictures import overlay

        return overlay(self._stored(trace), self._source(dataset_path), turn=turn)

    def _stored(self, trace: StoredTrace | str | int) -> StoredTrace:
        return trace if isinstance(trace, StoredTrace) else self.trace(trace)

    def _source(self, dataset_path: str | None) -> PhotoSource:
        from geostore.conversation.images import PhotoSource

        if dataset_path not in self._sources:
            self._sources[dataset_path] = PhotoSource(dataset_path)
        return self._sources[dataset_path]
