"""Puts dataset, store, recipe and teacher together for one generate run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from geostore.conversation.recipe import FrameChoice, ProtocolChoice, is_known, make_recipe
from geostore.costs.budget import Budget
from geostore.costs.prices import Prices, choose_prices
from geostore.dataset import PhotoDataset
from geostore.errors import RecipeError
from geostore.generate.events import Watcher
from geostore.generate.plan import Plan, Tally
from geostore.generate.run import generate
from geostore.store import Durability, Store
from geostore.store.prices import find_prices, put_prices, spent_tokens
from geostore.teacher import Teacher, without_credentials

OFFLINE_MODEL = "offline-teacher"
NO_TEACHER = (
    "no teacher named. Try it without one: --teacher offline. Or point at a server that speaks "
    "OpenAI's API: --base-url http://127.0.0.1:8000/v1 --model NAME (vLLM and the like), or set "
    "OPENAI_API_KEY and --model NAME (OpenAI)"
)


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What a person asks of `geostore generate`; fields are its options.

    columns: role to column name, where the dataset's names are not the usual.
    max_total_tokens, max_cost: of the model, over all runs of the store. price_*:
    per million tokens.
    """

    dataset_path: Path
    store: Path
    plan: Plan
    columns: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    teacher: Literal["offline"] | None = None
    reader: str = "template"
    tools: bool = True
    extra_tools: tuple[str, ...] = ()
    protocol: ProtocolChoice = "auto"
    bbox_frame: FrameChoice = "auto"
    temperature: float = 0.7
    max_tokens: int = 2048
    max_pixels: int | None = None
    image_multiple: int | None = None
    zoom_side: int | None = None
    seed: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    request_timeout: float = 600.0
    max_total_tokens: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    price_cached: float | None = None
    price_file: Path | None = None
    durability: Durability = "full"


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the teacher is; base_url None: this run starts the offline one."""

    base_url: str | None
    model: str
    api_key: str | None = field(repr=False)


def run_generate(request: GenerateRequest, watcher: Watcher) -> Tally:
    """Do what is asked; what was done. Raises GeostoreError."""
    address = _address(request)
    recipe = make_recipe(
        model=address.model,
        tools=request.tools,
        extra_tools=request.extra_tools,
        protocol=request.protocol,
        bbox_frame=request.bbox_frame,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        seed=request.seed,
        max_pixels=request.max_pixels,
        image_multiple=request.image_multiple,
        zoom_side=request.zoom_side,
        extra_body=request.extra_body,
    )
    named = choose_prices(
        address.model,
        per_million_in=request.price_in,
        per_million_out=request.price_out,
        per_million_cached=request.price_cached,
        file=request.price_file,
    )
    dataset = PhotoDataset.open(request.dataset_path, columns=dict(request.columns))

    guessed = request.bbox_frame == "auto" and not is_known(address.model)

    async def play() -> Tally:
        if guessed and recipe.tools and request.teacher is None:
            watcher.notice(
                f"the name {address.model} does not tell in which frame the model names boxes; "
                f"taken for {recipe.bbox_frame} (see --bbox-frame)"
            )
        async with _teacher(request, address) as teacher:
            return await generate(
                dataset=dataset,
                store=store,
                recipe=recipe,
                plan=request.plan,
                teacher=teacher,
                arguments=_arguments(request),
                watcher=watcher,
                prices=prices,
                budget=budget,
            )

    with Store.open(request.store, create=True, durability=request.durability) as store:
        if named is not None:
            put_prices(store.db, address.model, named)
        prices = named or find_prices(store.db, address.model)
        budget = open_budget(
            store,
            model=address.model,
            max_total_tokens=request.max_total_tokens,
            max_cost=request.max_cost,
            prices=prices,
        )
        return asyncio.run(play())


def open_budget(
    store: Store,
    *,
    model: str,
    max_total_tokens: int | None = None,
    max_cost: float | None = None,
    prices: Prices | None = None,
) -> Budget | None:
    """A budget that goes on from all that the store's traces of a model have used.

    None where there is no limit; only a limit makes it worth adding up every
    turn (`spent_tokens`). Raises PriceError, StoreError.
    """
    if max_total_tokens is None and max_cost is None:
        return None
    # Checks the limits before the work of adding up.
    budget = Budget(
        model=model, max_total_tokens=max_total_tokens, max_cost=max_cost, prices=prices
    )
    budget.spent = spent_tokens(store.db, model)
    return budget


def _address(request: GenerateRequest) -> _Address:
    """Where the teacher is. Raises RecipeError with both ways on where none is named."""
    key = os.environ.get(request.api_key_env)
    if request.teacher == "offline":
        return _Address(request.base_url, request.model or OFFLINE_MODEL, None)
    base_url = request.base_url or os.environ.get("OPENAI_BASE_URL")
    if not base_url and not key:
        raise RecipeError(NO_TEACHER)
    if request.model is None:
        raise RecipeError("no model named; pass --model NAME as the server knows it")
    return _Address(base_url or "https://api.openai.com/v1", request.model, key)


@asynccontextmanager
async def _teacher(request: GenerateRequest, address: _Address) -> AsyncIterator[Teacher]:
    with ExitStack() as stack:
        base_url = address.base_url
        if base_url is None:
            from geostore.demo.server import offline_teacher

            base_url = stack.enter_context(offline_teacher(reader=request.reader))
        async with Teacher(
            base_url=base_url,
            api_key=address.api_key,
            request_timeout=request.request_timeout,
            max_connections=request.plan.concurrency,
        ) as teacher:
            yield teacher


def _arguments(request: GenerateRequest) -> dict[str, object]:
    """The request as plain values for the run's row. The key is no part of a request."""
    values = asdict(request)
    values["base_url"] = request.base_url and without_credentials(request.base_url)
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
