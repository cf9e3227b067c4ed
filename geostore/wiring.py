"""Puts dataset, store, recipe and teacher together for one generate run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from geostore.dataset import PhotoDataset
from geostore.errors import RecipeError
from geostore.generate import Plan, Tally, generate
from geostore.recipe import FrameChoice, ProtocolChoice, make_recipe
from geostore.store import Durability, Store
from geostore.teacher import Teacher
from geostore.watching import Watcher

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
    protocol: ProtocolChoice = "auto"
    bbox_frame: FrameChoice = "auto"
    temperature: float = 0.7
    max_tokens: int = 2048
    max_pixels: int | None = None
    seed: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    request_timeout: float = 600.0
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
        protocol=request.protocol,
        bbox_frame=request.bbox_frame,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        seed=request.seed,
        max_pixels=request.max_pixels,
        extra_body=request.extra_body,
    )
    dataset = PhotoDataset.open(request.dataset_path, columns=dict(request.columns))

    async def play() -> Tally:
        async with _teacher(request, address) as teacher:
            return await generate(
                dataset=dataset,
                store=store,
                recipe=recipe,
                plan=request.plan,
                teacher=teacher,
                arguments=_arguments(request),
                watcher=watcher,
            )

    with Store.open(request.store, create=True, durability=request.durability) as store:
        return asyncio.run(play())


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
    values["base_url"] = _without_credentials(request.base_url)
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}


def _without_credentials(url: str | None) -> str | None:
    """A URL without the name and password that may stand before its host."""
    if url is None:
        return None
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
