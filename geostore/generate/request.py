"""Puts dataset, store, recipe and teacher together for one generate run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from geostore.conversation.families import assumed_frame
from geostore.conversation.recipe import RecipeChoices, make_recipe
from geostore.conversation.request_form import RequestForm, SystemRole, TokenLimitName
from geostore.costs.budget import Budget, BudgetLimits
from geostore.costs.prices import PriceChoice, Prices, choose_prices
from geostore.dataset import PhotoDataset
from geostore.errors import RecipeError
from geostore.generate.events import (
    Noticed,
    RunEnded,
    RunStarted,
    Understood,
    Watcher,
    Watchers,
)
from geostore.generate.plan import Plan, RunResult
from geostore.generate.run import play_run
from geostore.generate.understood import PlanCounts, describe
from geostore.records import Recipe
from geostore.sampling.orders import check_scores
from geostore.store import Durability, Store
from geostore.store.prices import counted_to, find_prices, put_prices, spent_by_tier
from geostore.teacher import (
    MASK,
    NO_PROXY,
    Address,
    KeyChoice,
    Route,
    Teacher,
    Travel,
    check_azure,
    travelling_members,
)

OFFLINE_MODEL = "offline-teacher"
OPENAI = "https://api.openai.com/v1"
NO_TEACHER = (
    "no teacher named. Try it without one: --teacher offline. Or point at a server that speaks "
    "OpenAI's API: --base-url http://127.0.0.1:8000/v1 --model NAME (vLLM and the like), or set "
    "OPENAI_API_KEY and --model NAME (OpenAI)"
)

USUAL_KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable that holds the key where nobody names another; it may be unset."""


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """Which dataset is asked about."""

    path: Path
    """A dataset saved on disk, or a split of it; Parquet; photos under a metadata.csv."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Role to column name, where the dataset's names are not the usual ones."""


@dataclass(frozen=True, slots=True)
class TeacherChoice:
    """Which teacher is asked, and how to reach it. Holds no key but what `headers` name."""

    model: str | None = None
    """By the name its server knows; None only for the offline teacher."""

    base_url: str | None = None
    """The server's address up to ``/v1``; None: from the environment, else OpenAI's. A name,
    a password and a query in it go out with each request, and are neither stored nor shown."""

    api_key_env: str = USUAL_KEY_VARIABLE
    """The environment variable that holds the key, unless one of the next two gives it."""

    api_key_file: Path | None = None
    """A file that holds the key; read anew when it changes, and when a server refuses the key."""

    api_key_command: str | None = field(default=None, repr=False)
    """A command of the shell that prints the key; run again before the key ends, and when a
    server refuses it. Neither it nor what it prints is stored or shown."""

    api_key_header: str | None = None
    """The header that holds the key; None: ``Authorization``, or ``api-key`` for Azure."""

    kind: Literal["offline"] | None = None
    """``offline``: the demo's teacher, which this run starts; without a `base_url`."""

    reader: str = "template"
    """How the offline teacher reads text in photos."""

    request_timeout: float = 600.0
    """Seconds for one request, from sending to the last byte."""

    proxy: str | None = field(default=None, repr=False)
    """The proxy's URL, whose name and password are neither stored nor shown; ``none``: without
    any; None: as the environment says. A teacher on this machine is asked without one."""

    ca_file: Path | None = None
    """Certificates that are trusted in place of the operating system's."""

    stream: bool = False
    """Whether replies are asked for piece by piece, as some servers and models only do."""

    transport: Mapping[str, Any] = field(default_factory=dict)
    """Members of each request's body that change how it travels and not what is asked."""

    headers: Sequence[str] = field(default=(), repr=False)
    """``NAME: VALUE`` of each header that goes out with each request.

    A value, or its last word, may be ``env:VARIABLE``. Values are neither stored nor shown.
    """

    query_params: Sequence[str] = field(default=(), repr=False)
    """``NAME=VALUE`` of each query parameter; values as those of `headers`."""

    token_limit_name: TokenLimitName | None = None
    """The name of the token limit in requests, to begin with; None: by the model's family."""

    system_role: SystemRole | None = None
    """The role of the system prompt in requests, to begin with; None: ``system``."""


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """What a user asks of `geostore generate`, in parts that are handed on whole."""

    dataset: DatasetChoice
    """What is asked about."""

    store: Path
    """The store, which is created where it is missing."""

    teacher: TeacherChoice = field(default_factory=TeacherChoice)
    """Who is asked."""

    recipe: RecipeChoices = field(default_factory=RecipeChoices)
    """What is asked."""

    plan: Plan = field(default_factory=Plan)
    """How many traces, in which order, how fast."""

    budget: BudgetLimits = field(default_factory=BudgetLimits)
    """What the model may use in this store, over all runs."""

    prices: PriceChoice = field(default_factory=PriceChoice)
    """Where the model's prices come from; nothing chosen: as the store knows them."""

    durability: Durability = "full"
    """Whether every commit is synced to disk."""


@dataclass(frozen=True, slots=True)
class _Address:
    """Where the teacher is."""

    base_url: str | None
    """None: this run starts the offline teacher."""

    model: str
    """As the server knows it."""

    key: KeyChoice
    """Of no value where the environment has none."""

    travel: Travel
    """What goes out with each request beside its body."""

    @property
    def shown(self) -> str:
        """For people, without secrets."""
        if self.base_url is None:
            return "on this machine for the time of the run"
        return f"at {Address.of(self.base_url).shown}"


def run_generate(
    request: GenerateRequest, watchers: Sequence[Watcher] = (), *, whole_traces: bool = False
) -> RunResult:
    """Do what is asked. Raises GeostoreError.

    watchers: each gets every event, from `RunStarted` to `RunEnded`; one that fails gets no
    more, and the others a notice of it.
    whole_traces: `TraceEnded` carries the whole trace.
    """
    all_watchers = Watchers(watchers)
    all_watchers.watch(RunStarted(os.getpid()))
    ended = RunEnded()
    try:
        return _run(request, all_watchers, whole_traces=whole_traces)
    except BaseException as error:
        ended = RunEnded(type(error).__name__, str(error))
        raise
    finally:
        all_watchers.watch(ended)


def open_budget(
    store: Store, model: str, limits: BudgetLimits, *, prices: Prices | None = None
) -> Budget | None:
    """A budget that starts from all that the store's traces of a model have used.

    None where there is no limit: adding up every turn (`spent_by_tier`) takes
    time, and only a limit needs it. Raises PriceError, StoreError.
    """
    if not limits:
        return None
    # Made first, because it checks the limits before the work of adding up.
    budget = Budget(model, limits, prices=prices)
    with store.db.reading():
        budget.tally = spent_by_tier(store.db, model)
        budget.counted_to = counted_to(store.db)
    return budget


def _run(request: GenerateRequest, watchers: Watchers, *, whole_traces: bool) -> RunResult:
    address = _address(request.teacher)
    recipe = make_recipe(address.model, request.recipe)
    address.travel.check_apart_from(recipe.extra_body)
    new_prices = choose_prices(address.model, request.prices)
    dataset = PhotoDataset.open(
        request.dataset.path,
        columns=dict(request.dataset.columns),
        needs_folders=not request.plan.skip_missing,
    )

    check_scores(dataset, request.plan.draw)
    is_new = not request.store.exists()

    def notice(sentence: str) -> None:
        watchers.watch(Noticed(sentence))

    def counted(counts: PlanCounts) -> None:
        lines = describe(
            counts,
            dataset=dataset,
            recipe=recipe,
            plan=request.plan,
            teacher=address.shown,
            store=f"{request.store}, new" if is_new else str(request.store),
        )
        watchers.watch(Understood(lines))
        for sentence in _notices(request, recipe):
            notice(sentence)

    async def play() -> RunResult:
        async with _teacher(request, address, notice=notice) as teacher:
            return await play_run(
                dataset=dataset,
                store=store,
                recipe=recipe,
                plan=request.plan,
                teacher=teacher,
                arguments=_arguments(request, address.travel),
                watchers=[watchers],
                prices=prices,
                budget=budget,
                whole_traces=whole_traces,
                counted=counted,
            )

    with Store.open(request.store, create=True, durability=request.durability) as store:
        if new_prices is not None:
            put_prices(store.db, address.model, new_prices)
        prices = new_prices or find_prices(store.db, address.model)
        budget = open_budget(store, address.model, request.budget, prices=prices)
        return asyncio.run(play())


def _notices(request: GenerateRequest, recipe: Recipe) -> Iterator[str]:
    """What a user may want to change before much is paid for."""
    if _is_frame_left_open(request, recipe) and (sentence := assumed_frame(recipe.model)):
        yield sentence
    teacher = request.teacher
    if teacher.proxy not in (None, NO_PROXY) and _is_on_this_machine(teacher):
        yield "a teacher on this machine is asked without the proxy of --proxy"
    for name in travelling_members(recipe.extra_body):
        yield (
            f"{name!r} in --extra-body is a part of the recipe, though it changes only how a "
            "request travels; with --transport it is none"
        )


def _is_on_this_machine(teacher: TeacherChoice) -> bool:
    base_url = teacher.base_url or os.environ.get("OPENAI_BASE_URL")
    if teacher.kind == "offline" and not base_url:
        return True
    return base_url is not None and Address.of(base_url).is_local


def _is_frame_left_open(request: GenerateRequest, recipe: Recipe) -> bool:
    """Whether the model is asked for boxes and nobody said in which frame they are."""
    asked_for_boxes = bool(recipe.tools) and request.teacher.kind is None
    return asked_for_boxes and request.recipe.bbox_frame == "auto"


def _address(teacher: TeacherChoice) -> _Address:
    """Where the teacher is.

    Raises RecipeError where none is named and TeacherUnusable where the base URL is none, with
    what to do.
    """
    named = teacher.api_key_env
    another_key = teacher.api_key_file or teacher.api_key_command
    if named != USUAL_KEY_VARIABLE and named not in os.environ and not another_key:
        raise RecipeError(f"the environment variable {named} is not set (see --api-key-env)")
    # The line break that ends a file comes along easily. No header takes it, and the client's
    # error would quote the key.
    key = KeyChoice(
        os.environ.get(teacher.api_key_env, "").strip() or None,
        file=teacher.api_key_file,
        command=teacher.api_key_command,
        header=teacher.api_key_header,
    )
    key.check()
    travel = Travel.of(
        members=teacher.transport,
        headers=teacher.headers,
        query=teacher.query_params,
        stream=teacher.stream,
        route=Route.of(teacher.proxy, teacher.ca_file),
        environment=os.environ,
    )
    if teacher.kind == "offline":
        if teacher.base_url is not None:
            raise RecipeError(
                "--teacher offline starts the demo's teacher on this machine, so it has no use for "
                "--base-url: leave out one of the two"
            )
        return _Address(teacher.base_url, teacher.model or OFFLINE_MODEL, KeyChoice(), travel)
    base_url = teacher.base_url or os.environ.get("OPENAI_BASE_URL")
    if not base_url and not key.is_known:
        if teacher.model is None:
            raise RecipeError(NO_TEACHER)
        raise RecipeError(
            f"no key for {OPENAI}, where {teacher.model!r} is asked without --base-url: set "
            f"{teacher.api_key_env} or name a file with --api-key-file; for a server of your own, "
            "pass --base-url"
        )
    if teacher.model is None:
        raise RecipeError("no model named; pass --model NAME as the server knows it")
    base_url = base_url or OPENAI
    # Looked at before a dataset is read or a store made.
    check_azure(Address.of(base_url), travel)
    return _Address(base_url, teacher.model, key, travel)


@asynccontextmanager
async def _teacher(
    request: GenerateRequest, address: _Address, *, notice: Callable[[str], None]
) -> AsyncIterator[Teacher]:
    system_role = request.teacher.system_role
    with ExitStack() as stack:
        base_url = address.base_url
        if base_url is None:
            from geostore.demo.server import offline_teacher

            base_url = stack.enter_context(offline_teacher(reader=request.teacher.reader))
        async with Teacher(
            base_url=base_url,
            api_key=address.key,
            travel=address.travel,
            request_timeout=request.teacher.request_timeout,
            max_connections=request.plan.pace.ceiling,
            form=RequestForm(
                token_limit=request.teacher.token_limit_name,
                # The usual form has one way to say it.
                system_role=None if system_role == "system" else system_role,
            ),
            notice=notice,
        ) as teacher:
            yield teacher


def _arguments(request: GenerateRequest, travel: Travel) -> dict[str, Any]:
    """The request as plain values for the run's row, without secrets."""
    values = asdict(request)
    base_url = request.teacher.base_url
    # A URL can hold a name and a password, and a key in its query.
    values["teacher"]["base_url"] = base_url and Address.of(base_url).shown
    # The values of headers and query parameters are secrets, as the key is.
    values["teacher"] |= travel.shown()
    if request.teacher.api_key_command is not None:
        values["teacher"]["api_key_command"] = MASK
    plain: dict[str, Any] = _without_paths(values)
    return plain


def _without_paths(value: Any) -> Any:
    """The same with every path as text, which JSON can hold."""
    if isinstance(value, dict):
        return {name: _without_paths(member) for name, member in value.items()}
    return os.fspath(value) if isinstance(value, os.PathLike) else value
