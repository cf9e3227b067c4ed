"""A store with rows of every kind that views and questions tell apart, at random by a seed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from geostore.rewards import ensure_default_spec, ensure_spec, make_spec
from geostore.store import Store
from tests.hand_made import insert, insert_failure, write_facts

MODELS = ("priced", "cached too", "without a price", None)
USAGES: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"prompt_tokens": 70, "completion_tokens": 5, "total_tokens": 80},
    {"prompt_tokens": 70, "prompt_tokens_details": {"cached_tokens": 90}},
    {"prompt_tokens": "many", "completion_tokens": 1.5, "total_tokens": None},
    {"prompt_tokens": 70, "completion_tokens": 5, "cache_creation_input_tokens": 30},
    {"prompt_tokens": 70.0, "completion_tokens": 5.0, "service_tier": "flex", "cost": 0.25},
)
ARGUMENTS = (
    '{"bbox_2d": [10, 20.5, 300, 400]}',
    '{"label": "a sign", "bbox_2d": [0, 0, 1, 1]}',
    '{"bbox_2d": [10, 20, 30]}',
    '{"bbox_2d": [10, "20", 30, 40]}',
    '{"bbox_2d": {"left": 1}}',
    '{"angle": 90}',
    '{"bbox_2d": [10, 20, 30',
    "not JSON",
)
FLAGS = ("[]", '["noop"]', '["looks_like:pixel"]', '["clamped","looks_like:pixel_yx"]')


class RandomStore:
    """Fills a store with rows of every kind that the views tell apart."""

    def __init__(self, store: Store, seed: int) -> None:
        self.random = random.Random(seed)
        self.connection = store.db.connection
        self.specs = (ensure_default_spec(store.db), ensure_spec(store.db, make_spec("linear")))

    def put(self, table: str, **values: Any) -> int:
        return insert(self.connection, table, **values)

    def maybe(self, value: Any) -> Any:
        return value if self.random.random() < 0.7 else None

    def rarely(self, value: Any) -> Any:
        return value if self.random.random() < 0.3 else None

    def fill(self, *, datasets: int, traces: int) -> None:
        for model, tier, cached, written in (
            ("priced", "", None, None),
            ("priced", "flex", None, 0.1),
            ("cached too", "", 0.1, 0.5),
        ):
            self.put(
                "prices",
                model=model,
                tier=tier,
                per_million_in=0.2 if tier else 0.4,
                per_million_out=1.6,
                per_million_cached=cached,
                per_million_cache_write=written,
                created_at="now",
                updated_at="now",
            )
        recipes = [self.recipe(number, model) for number, model in enumerate(MODELS)]
        for dataset in range(1, datasets + 1):
            name = f"photos{dataset}"
            label = None if dataset == 1 else name
            self.put("datasets", path=f"/{name}", name=name, label=label, created_at="now")
        for number in range(traces):
            sample = self.put(
                "samples",
                dataset_id=self.random.randint(1, datasets),
                sample_index=number,
                lat=self.random.uniform(-90, 90),
                lon=self.random.uniform(-180, 180),
                locatability_score=self.maybe(0.5),
                country=self.maybe("france"),
                columns="{}",
                image_sha256=f"{number:064x}",
                width=2048,
                height=1536,
            )
            for version in range(1, self.random.randint(0, 2) + 1):
                stated = self.maybe("FR")
                self.place("sample_places", version, sample_id=sample, stated_country=stated)
            self.trace(sample, self.random.choice(recipes))

    def recipe(self, number: int, model: str | None) -> int:
        return self.put(
            "recipes",
            sha256=f"{number:x}" * 64,
            model=model,
            tools=self.maybe("[]"),
            bbox_frame=self.maybe("pixel"),
            imported="{}",
            created_at="now",
        )

    def trace(self, sample_id: int, recipe_id: int) -> None:
        status = self.random.choice(["open", "answered", "exhausted", "failed"])
        trace_id = self.put(
            "traces",
            sample_id=sample_id,
            recipe_id=recipe_id,
            rollout=1,
            status=status,
            stop_reason=None if status == "open" else "because",
            sent_width=640,
            sent_height=480,
            created_at="now",
            closed_at=None if status == "open" else "now",
        )
        for turn in range(1, self.random.randint(0, 3) + 1):
            self.turn(trace_id, turn)
        for attempt in range(1, self.random.randint(0, 2) + 1):
            insert_failure(
                self.connection,
                trace_id=trace_id,
                attempt=attempt,
                usage=self.random.choice(USAGES),
                estimated_completion_tokens=self.rarely(6),
            )
        if status in ("answered", "exhausted"):
            self.answer(trace_id)

    def turn(self, trace_id: int, turn: int) -> None:
        self.put(
            "turns",
            trace_id=trace_id,
            turn=turn,
            turn_limit=self.maybe(10),
            prompt_tokens=self.maybe(100),
            completion_tokens=self.maybe(20),
            total_tokens=self.maybe(120),
            cached_tokens=self.maybe(self.random.choice([50, 200])),
            cache_write_tokens=self.maybe(self.random.choice([30, 70, 200])),
            image_tokens=self.maybe(60),
            service_tier=self.maybe(self.random.choice(["flex", "default", "priority"])),
            stated_cost=self.maybe(0.125),
            estimated_prompt_tokens=self.rarely(90),
            estimated_completion_tokens=self.rarely(7),
            reasoning_tokens=self.maybe(3),
            latency_ms=self.maybe(1500),
            response=f"response {turn}",
            reasoning=self.maybe("hm"),
            created_at=f"2026-01-01T00:00:0{turn}.000Z",
        )
        for index in range(self.random.randint(0, 3)):
            arguments = self.random.choice(ARGUMENTS)
            success = self.random.random() < 0.6
            self.put(
                "tool_calls",
                trace_id=trace_id,
                turn=turn,
                call_index=index,
                name="zoom",
                raw_arguments=arguments,
                arguments=self.maybe(arguments) if _is_json(arguments) else None,
                source_index=self.maybe(self.random.choice([0, 10])),
                angle=self.maybe(90.0),
                success=int(success),
                error_kind=None if success else "bad_box",
                flags=self.random.choice(FLAGS),
                observation=self.maybe("an image"),
                image_index=10 if success and turn == 1 and index == 0 else None,
                image_width=448,
                image_height=300,
                created_at="2026-01-01T00:00:05.000Z",
            )

    def place(self, table: str, version: int, **values: Any) -> None:
        """A row of a place; now and then far out at sea."""
        country = self.maybe(self.random.choice(["FR", "ES"]))
        self.put(
            table,
            gazetteer_version=version,
            country=country,
            region=country and f"{country}.{self.random.randint(1, 2)}",
            city=country and "Lund",
            city_id=country and self.random.randint(1, 3),
            city_km=country and 3.5,
            **values,
        )

    def answer(self, trace_id: int) -> None:
        for version in range(1, self.random.randint(0, 2) + 1):
            is_read = self.random.random() < 0.7
            self.put(
                "answers",
                trace_id=trace_id,
                parser_version=version,
                lat=1.5 if is_read else None,
                lon=2.5 if is_read else None,
                form=self.maybe(self.random.choice(["boxed", "answer", "pair"])),
                failure=None if is_read else "no_answer",
                said_region=self.maybe("Skåne"),
                said_city=self.maybe("Lund"),
                confidence=0.75,
                confidence_form="percent",
            )
            for gazetteer in range(1, self.random.randint(0, 2) + 1):
                key = {"trace_id": trace_id, "parser_version": version}
                truths = {
                    column: self.maybe(self.random.randint(0, 1))
                    for column in ("said_true_country", "said_true_region", "said_true_city")
                }
                key |= truths
                if is_read:
                    said = self.maybe("ES")
                    self.place("answer_places", gazetteer, **key, said_country=said)
                else:
                    self.put("answer_places", gazetteer_version=gazetteer, **key, said_country="ES")
            for spec_id in self.specs:
                if self.random.random() < 0.4:
                    self.connection.execute(
                        "insert or replace into rewards (spec_id, trace_id, parser_version,"
                        " distance_km, score, geoguessr_points) values (?, ?, ?, ?, ?, ?)",
                        (spec_id, trace_id, version, 12.5 if is_read else None, 0.9, 4500),
                    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def make_random_store(path: Path, *, seed: int, datasets: int = 1, traces: int = 120) -> Path:
    """The store, new at a path."""
    with Store.open(path, create=True, durability="normal") as store, store.db.transaction():
        RandomStore(store, seed).fill(datasets=datasets, traces=traces)
        write_facts(store.db.connection)
    return path
