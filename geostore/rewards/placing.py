"""Computes the places that samples and answers lack, and which places an answer's words name.

Like a rescore, it touches only what is missing, in batches that are each a
transaction of its own: a generate beside it waits for one at most, and one that was
stopped goes on where it was. Truth and answer go through the same function.
"""

from __future__ import annotations

import threading
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from geostore.places import (
    GAZETTEER_VERSION,
    Place,
    belongs_to,
    country_of_words,
    load_tables,
    place_of,
    places_of,
    same_city,
    same_region,
)
from geostore.store import Db
from geostore.store.places import (
    AnswerRange,
    UnplacedAnswer,
    UnplacedSample,
    are_all_placed,
    count_unplaced_answers,
    count_unplaced_samples,
    iter_unplaced_ranges,
    put_answer_places,
    put_sample_places,
    unplaced_answers,
    unplaced_sample_of,
    unplaced_samples,
)

Progress = Callable[[int, int], None]
BATCH = 50_000
"""Ids that are placed at once and written in one transaction."""

_NOWHERE = Place(None, None, None, None, None, None)
_SAYS_NOTHING: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(("said_country_code", "said_true_country", "said_true_region", "said_true_city"))
)
_WORDS_KEPT = 8192
"""Words whose country, region or city is remembered: a batch says the same ones again and again."""

_country_of_words = lru_cache(maxsize=_WORDS_KEPT)(country_of_words)
_same_city = lru_cache(maxsize=_WORDS_KEPT)(same_city)
_same_region = lru_cache(maxsize=_WORDS_KEPT)(same_region)


@dataclass(frozen=True, slots=True)
class Placed:
    """How many got a place, or would."""

    samples: int = 0
    """Samples."""
    answers: int = 0
    """Answers, also those without coordinates, whose words may name a place."""

    def __add__(self, other: Placed) -> Placed:
        return Placed(self.samples + other.samples, self.answers + other.answers)


def place_missing(
    db: Db,
    *,
    version: int = GAZETTEER_VERSION,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Placed:
    """Compute the places that samples and answers of a store lack; how many got one.

    version: under which they are kept. batch: samples, or ids of traces, that are
    placed in one transaction. progress: called with how many of how many. Raises
    StoreError where the store cannot be written.
    """
    samples_done, answers_done = are_all_placed(db, version)
    if samples_done and answers_done:
        return Placed()
    ranges = deque([] if answers_done else iter_unplaced_ranges(db, version, batch))
    total = done = 0
    if progress is not None:
        total = count_unplaced_samples(db, version)
        total += sum(count_unplaced_answers(db, version, part) for part in ranges)
    samples = answers = last = 0
    while not samples_done:
        some = unplaced_samples(db, version, after=last, batch=batch)
        if not some:
            break
        rows = _sample_rows(some, version)
        with db.transaction():
            samples += put_sample_places(db, rows)
        last = some[-1].sample_id
        # Also what another process has placed meanwhile.
        done += len(rows)
        if progress is not None:
            progress(done, total)
    while ranges:
        answer_rows = _answer_rows(unplaced_answers(db, version, ranges.popleft()), version)
        with db.transaction():
            new = put_answer_places(db, answer_rows)
        answers += new
        done += len(answer_rows)
        if new < len(answer_rows):
            # Another process is at the same ranges: meet it from their other end.
            ranges.reverse()
        if progress is not None:
            progress(done, total)
    return Placed(samples, answers)


def count_unplaced(db: Db, *, version: int = GAZETTEER_VERSION) -> Placed:
    """How many `place_missing` would place, without doing it."""
    samples_done, answers_done = are_all_placed(db, version)
    ranges = [] if answers_done else iter_unplaced_ranges(db, version, BATCH)
    return Placed(
        0 if samples_done else count_unplaced_samples(db, version),
        sum(count_unplaced_answers(db, version, part) for part in ranges),
    )


def place_trace(db: Db, trace_id: int, *, version: int = GAZETTEER_VERSION) -> None:
    """Compute the places that one trace lacks, of its sample and its answers.

    In the caller's transaction. A trace without an answer has a sample all the same.
    """
    load_gazetteer()
    put_sample_places(db, _sample_rows(unplaced_sample_of(db, version, trace_id), version))
    answers = unplaced_answers(db, version, AnswerRange(trace_id - 1, trace_id))
    put_answer_places(db, _answer_rows(answers, version))


_LOADING = threading.Lock()


def load_gazetteer() -> None:
    """Read what places are computed from, which takes half a second the first time.

    A thread that calls it while another does waits for that one.
    """
    with _LOADING:
        _load()


def is_gazetteer_loaded() -> bool:
    """Whether `load_gazetteer` has nothing left to read."""
    return _load.cache_info().currsize > 0


@cache
def _load() -> None:
    load_tables()


def _sample_rows(samples: Sequence[UnplacedSample], version: int) -> list[dict[str, Any]]:
    places = places_of([s.lat for s in samples], [s.lon for s in samples]) if samples else ()
    return [
        {
            **_place_row(place, version),
            "sample_id": sample.sample_id,
            "stated_country": _code(sample.stated_words),
        }
        for sample, place in zip(samples, places, strict=True)
    ]


def _answer_rows(answers: Sequence[UnplacedAnswer], version: int) -> list[dict[str, Any]]:
    points = [(a.lat, a.lon) for a in answers if a.lat is not None and a.lon is not None]
    places = iter(places_of(*zip(*points, strict=True)) if points else ())
    return [
        {
            **_place_row(_NOWHERE if answer.lat is None else next(places), version),
            "trace_id": answer.trace_id,
            "parser_version": answer.parser_version,
            "lat": answer.lat,
            "lon": answer.lon,
            "said_country": answer.said_country,
            "said_region": answer.said_region,
            "said_city": answer.said_city,
            **_said(answer),
        }
        for answer in answers
    ]


def _place_row(place: Place, version: int) -> dict[str, Any]:
    """The columns that both tables have; `asdict` would take as long as finding the place."""
    return {
        "gazetteer_version": version,
        "country": place.country,
        "region": place.region,
        "city": place.city,
        "city_id": place.city_id,
        "city_km": place.city_km,
        "coast_km": place.coast_km,
    }


def _said(answer: UnplacedAnswer) -> Mapping[str, Any]:
    """The country that an answer's words name, and whether they name the true places."""
    if answer.said_country is answer.said_region is answer.said_city is None:
        return _SAYS_NOTHING
    country, region, city_id = answer.true_country, answer.true_region, answer.true_city_id
    if not answer.is_placed:
        truth = place_of(answer.true_lat, answer.true_lon)
        country, region, city_id = truth.country, truth.region, truth.city_id
    code = _code(answer.said_country)
    return {
        "said_country_code": code,
        # Words that no list of countries has may name the true one, so they count as no mistake.
        "said_true_country": (
            None if code is None or country is None else int(belongs_to(country, code))
        ),
        "said_true_region": _names_true(_same_region, answer.said_region, region),
        "said_true_city": _names_true(_same_city, answer.said_city, city_id),
    }


def _names_true(same: Callable[[str, Any], bool], words: str | None, true: Any) -> bool | None:
    """Whether words name a true region or city; None where that cannot be told."""
    if words is None or true is None:
        return None
    # The gazetteer has names in Latin and Chinese letters, so it misses right ones in others.
    return True if same(words, true) else False if _in_its_letters(words) else None


@lru_cache(maxsize=_WORDS_KEPT)
def _in_its_letters(words: str) -> bool:
    return words.isascii() or all(
        unicodedata.name(letter, "").startswith(("LATIN", "CJK"))
        for letter in words
        if letter.isalpha() and not letter.isascii()
    )


def _code(words: str | None) -> str | None:
    return None if words is None else _country_of_words(words)
