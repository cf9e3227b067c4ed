"""Makes a report of a store: asks the questions, and writes one page."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geostore.errors import StoreError
from geostore.query.questions import Questions
from geostore.query.thresholds import check_km
from geostore.report.columns import table_of
from geostore.report.document import Document, Figure
from geostore.report.figures import NO_TRACES, Drawn, figures_at
from geostore.report.heads import head_to_head
from geostore.report.page import page
from geostore.report.parts import Asked, Part, Scope
from geostore.report.pictures import card
from geostore.sqlfiles import load_sql
from geostore.store import Conditions, Store, make_filter, open_snapshot
from geostore.text.phrases import format_number_of
from geostore.text.tables import QueryResult
from geostore.version import VERSION

if TYPE_CHECKING:
    from geostore.conversation.images import PhotoSource

_CARDS = "best_and_worst"
_SAMPLES = "sample_results"
_LINES = 2000


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report is of, beside its store."""

    conditions: Conditions
    """Which traces: recipe, model, where."""
    against: str | None = None
    """A recipe's hash, or its start, or the path of another store; None: nothing is compared."""
    reward: str | None = None
    """The name or the start of the hash of the reward whose scores count; None: the default."""
    km: float = 200.0
    """The distance within which an answer is right."""
    images: bool = True
    """Whether the best and worst traces have pictures, derived from the photos now."""
    dataset_path: str | None = None
    """Where the photos are; None: where the store saw them last."""


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written."""

    path: Path
    """The page."""
    size: int
    """Its bytes."""
    traces: int
    """Closed traces that it is of."""


def write_report(store: Store, out: str | os.PathLike[str], options: ReportOptions) -> Written:
    """Write the report of a store as one page; whole or not at all.

    A page's bytes follow from the store and the options. Raises QueryError, FilterError,
    RewardError, StoreError, and NotFoundError for a recipe that there is not.
    """
    document, scope = _document(store, options)
    path = Path(out)
    data = page(document).encode()
    _write(path, data)
    return Written(path, len(data), scope.closed)


def _write(path: Path, data: bytes) -> None:
    """Write beside the path and rename, so that a reader finds the old page or the new one."""
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.write(data)
                file.close()
                # As a file of open() would have it; that of tempfile is its owner's alone.
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(file.name, 0o666 & ~mask)
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def _document(store: Store, options: ReportOptions) -> tuple[Document, Scope]:
    with ExitStack() as stack:
        part, other = stack.enter_context(_parts(store, options))
        (km,) = check_km([options.km])
        # Two maps of half as many lines keep the page as small as one.
        shown = figures_at(km, lines=_LINES if other is None else _LINES // 2)
        asked: list[Asked] = [(drawn.question, drawn.parameters) for drawn in shown]
        asked.append((_CARDS, {}))
        if other is not None:
            asked.append((_SAMPLES, {}))
        scope, answers = part.ask(asked)
        others: Sequence[QueryResult | None] = [None] * len(asked)
        if other is not None:
            _, others = other.ask(asked)
        figures = [
            _figure(drawn, answer, against, empty=drawn.empty if scope.closed else NO_TRACES)
            for drawn, answer, against in zip(shown, answers, others, strict=False)
        ]
        cards = _cards(part, answers[len(shown)], options)
        if other is not None:
            assert others[-1] is not None
            names = (part.name, other.name)
            sql = load_sql("analytics", _SAMPLES)
            figures[1:1] = head_to_head(answers[-1], others[-1], names=names, sql=sql)
        return (
            Document(
                title=_title(scope),
                subtitle=_subtitle(scope),
                store=store.path.name,
                newest=_moment(scope.newest),
                version=VERSION,
                filter=_filter_words(options, part),
                own=part.name,
                against=None if other is None else other.name,
                notes=_notes(scope),
                figures=(*figures, cards),
            ),
            scope,
        )


# --- which traces --------------------------------------------------------------------------------


@contextmanager
def _parts(store: Store, options: ReportOptions) -> Iterator[tuple[Part, Part | None]]:
    """The traces that the report is of, and those that it compares them with."""
    with ExitStack() as stack:
        questions = Questions(store.path)
        stack.callback(questions.close)
        conditions = options.conditions
        if options.against is None:
            yield _part("this", store, questions, conditions, options), None
            return
        if _is_store(options.against):
            second = stack.enter_context(Store.open(Path(options.against)))
            second_questions = Questions(second.path)
            stack.callback(second_questions.close)
            everywhere = Conditions(where=conditions.get("where"))
            names = _two_names(store.path, second.path)
            yield (
                _part(names[0], store, questions, conditions, options),
                _part(names[1], second, second_questions, everywhere, options),
            )
            return
        against = store.recipes.find_recipe(options.against)
        this = conditions.get("recipe")
        if this is None:
            # The recipe's own traces would be compared with themselves.
            beside = f"recipe <> '{against}'"
            where = conditions.get("where")
            conditions = {**conditions, "where": f"({where}) and {beside}" if where else beside}
        else:
            this = store.recipes.find_recipe(this)
        other = Conditions(recipe=against, where=options.conditions.get("where"))
        yield (
            _part("the others" if this is None else this, store, questions, conditions, options),
            _part(against, store, questions, other, options),
        )


def _part(
    name: str, store: Store, questions: Questions, conditions: Conditions, options: ReportOptions
) -> Part:
    from geostore.rewards import get_named

    reward = None if options.reward is None else get_named(store.db, options.reward)
    filters = make_filter(conditions, statuses=None)
    if reward is not None:
        filters = replace(filters, reward=reward.sha256)
    traces: Sequence[int] | None = None
    if any(value is not None for value in conditions.values()):
        with open_snapshot(store.path) as snapshot:
            traces = sorted(snapshot.trace_ids(filters))
    sha256 = None if reward is None else reward.sha256
    return Part(name, store, questions, traces, sha256, (options.km,))


def _is_store(against: str) -> bool:
    return os.sep in against or Path(against).exists()


def _two_names(path: Path, other: Path) -> tuple[str, str]:
    """File names where they differ, else whole paths."""
    return (path.name, other.name) if path.name != other.name else (str(path), str(other))


# --- figures -------------------------------------------------------------------------------------


def _figure(
    drawn: Drawn, answer: QueryResult, against: QueryResult | None, *, empty: str
) -> Figure:
    answer = _kept(drawn, answer)
    columns, rows = table_of(drawn.kind, answer)
    return Figure(
        id=drawn.id,
        title=drawn.title,
        note=drawn.note + (_chosen_words(answer) if drawn.kind == "map" else ""),
        kind=drawn.kind,
        spec=drawn.spec,
        columns=columns,
        rows=rows,
        against_rows=None if against is None else table_of(drawn.kind, _kept(drawn, against))[1],
        sql=load_sql("analytics", drawn.question),
        question=drawn.question,
        empty=empty if _is_empty(answer, drawn.drawn_column) else None,
    )


def _kept(drawn: Drawn, answer: QueryResult) -> QueryResult:
    """The rows that the figure shows."""
    if drawn.kept is None:
        return answer
    column, value = drawn.kept
    place = answer.columns.index(column)
    return QueryResult(answer.columns, [row for row in answer.rows if row[place] == value])


def _chosen_words(answer: QueryResult) -> str:
    """Which answers are drawn, where there are more."""
    rows = answer.to_dicts()
    if not rows or rows[0]["of"] == len(rows):
        return ""
    worst = sum(row["chosen"] == "worst" for row in rows)
    return (
        f" Drawn are the {worst:,} worst of {rows[0]['of']:,} answers, and {len(rows) - worst:,} "
        "of the others that their numbers in the store choose."
    )


def _is_empty(answer: QueryResult, column: str | None) -> bool:
    if column is None:
        return not answer.rows
    place = answer.columns.index(column)
    return all(row[place] is None for row in answer.rows)


def _cards(part: Part, answer: QueryResult, options: ReportOptions) -> Figure:
    source: PhotoSource | None = None
    if options.images:
        from geostore.conversation.images import PhotoSource

        source = PhotoSource(options.dataset_path)
    rows: list[Mapping[str, Any]] = []
    for row in answer.to_dicts():
        trace = part.store.traces.get_trace(part.store.traces.find_trace(row["trace"]))
        rows.append(card(trace, source, row))
    return Figure(
        id="traces",
        title="The best and the worst",
        note="Boxes are where the teacher zoomed, each labelled with its turn."
        if options.images
        else "",
        kind="traces",
        rows=rows,
        sql=load_sql("analytics", _CARDS),
        question=_CARDS,
        empty=None if rows else NO_TRACES,
    )


# --- words ---------------------------------------------------------------------------------------


def _title(scope: Scope) -> str:
    models = _some(scope.models) or "A teacher"
    return f"{models} on {_some(scope.datasets)}" if scope.datasets else "A store without traces"


def _moment(time: str | None) -> str:
    """A time of the store to the minute; empty without one."""
    return "" if time is None else f"{time[:10]} {time[11:16]} UTC"


def _some(names: Sequence[str]) -> str:
    """Two names at most, and how many more there are."""
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"


def _subtitle(scope: Scope) -> str:
    traces = format_number_of(scope.closed, "closed trace")
    return f"{traces} of {format_number_of(scope.recipes, 'recipe')}"


def _filter_words(options: ReportOptions, part: Part) -> list[str]:
    conditions = {name: v for name, v in options.conditions.items() if v is not None}
    if options.against is not None and "recipe" in conditions:
        conditions["recipe"] = part.name
    words = [f"{name} {value}" for name, value in conditions.items()]
    if options.reward is not None:
        words.append(f"reward {options.reward}")
    if options.against is not None and options.conditions.get("recipe") is None:
        words.append(part.name)
    return words


def _notes(scope: Scope) -> list[str]:
    notes: list[str] = []
    if scope.open:
        notes.append(f"{format_number_of(scope.open, 'trace')} not closed yet, and in no figure.")
    if scope.unscored:
        notes.append(
            f"{format_number_of(scope.unscored, 'answer')} without a current reward; "
            "geostore rescore computes it."
        )
    return notes
