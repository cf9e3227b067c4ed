"""``geostore generate``: asks the teacher."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    EXIT_MANY_FAILED,
    EXIT_STOPPED,
    StoreOption,
    json_object,
    mute_closed_outputs,
    pairs,
    say,
)
from geostore.cli.recipe_options import (
    ExtraBodyOption,
    MaxTokensOption,
    ReasoningFieldOption,
    SeedOption,
    SystemRoleOption,
    TemperatureOption,
    TokenLimitNameOption,
    read_temperature,
)
from geostore.cli.teacher_options import (
    ApiKeyCommandOption,
    ApiKeyEnvOption,
    ApiKeyFileOption,
    ApiKeyHeaderOption,
    BaseUrlOption,
    CaFileOption,
    HeaderOption,
    ProxyOption,
    QueryParamOption,
    StreamOption,
    TransportOption,
)

if TYPE_CHECKING:
    from geostore.generate.live_view import ProgressWatcher
    from geostore.generate.plan import RunResult


class RetryKind(StrEnum):
    """Kinds of closed traces that can be taken up again, and rows that were skipped.

    An enumeration because an option that may be repeated takes no Literal.
    """

    FAILED = "failed"
    TRUNCATED = "truncated"
    EXHAUSTED = "exhausted"
    REFUSED = "refused"
    SKIPPED = "skipped"


def generate(
    dataset_path: Annotated[
        Path,
        typer.Option(
            "--dataset-path",
            "--dataset_path",
            help="A dataset saved on disk, or a split of it; Parquet; photos under a metadata.csv.",
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    num_samples: Annotated[
        int,
        typer.Option(
            "--num-samples", "--num_samples", min=0, help="How many samples; 0: all there are."
        ),
    ] = 10,
    max_turns: Annotated[
        int,
        typer.Option("--max-turns", "--max_turns", min=1, help="Teacher responses per trace."),
    ] = 10,
    rollouts: Annotated[int, typer.Option(min=1, help="Traces per sample.")] = 1,
    model: Annotated[
        str | None, typer.Option(help="The teacher, by the name its server knows.")
    ] = None,
    base_url: BaseUrlOption = None,
    api_key_env: ApiKeyEnvOption = "OPENAI_API_KEY",
    api_key_file: ApiKeyFileOption = None,
    api_key_command: ApiKeyCommandOption = None,
    api_key_header: ApiKeyHeaderOption = None,
    header: HeaderOption = None,
    query_param: QueryParamOption = None,
    transport: TransportOption = None,
    stream: StreamOption = False,
    proxy: ProxyOption = None,
    ca_file: CaFileOption = None,
    teacher: Annotated[
        Literal["offline"] | None,
        typer.Option(help="offline: the demo's teacher, on this machine for the time of the run."),
    ] = None,
    temperature: TemperatureOption = "auto",
    max_tokens: MaxTokensOption = 2048,
    token_limit_name: TokenLimitNameOption = None,
    seed: SeedOption = None,
    system_role: SystemRoleOption = None,
    reasoning_field: ReasoningFieldOption = "auto",
    extra_body: ExtraBodyOption = None,
    tools: Annotated[
        bool, typer.Option("--tools/--no-tools", help="Let the teacher zoom and rotate.")
    ] = True,
    enable_tool: Annotated[
        list[str] | None,
        typer.Option(
            "--enable-tool",
            help="Offer one more tool, such as image_enhance_tool; may be repeated.",
        ),
    ] = None,
    protocol: Annotated[
        Literal["auto", "text", "native"],
        typer.Option(help="How calls are written: in the text, by the API, or by the model."),
    ] = "auto",
    bbox_frame: Annotated[
        Literal["auto", "pixel", "norm1000", "norm1000_yx"],
        typer.Option("--bbox-frame", help="The frame of the teacher's boxes; auto: by the model."),
    ] = "auto",
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels",
            min=3136,
            help="Greatest area of an image as sent, in pixels; zooms are cut from full size.",
        ),
    ] = None,
    image_multiple: Annotated[
        int | None,
        typer.Option(
            "--image-multiple",
            min=1,
            max=56,
            help="Sides of images as sent are multiples of it; else by the model, where its boxes "
            "are in pixels (28 for Qwen2.5-VL).",
        ),
    ] = None,
    zoom_side: Annotated[
        int | None,
        typer.Option(
            "--zoom-side",
            min=1,
            max=4096,
            help="Enlarge a zoom to this short side, in pixels; else 448.",
        ),
    ] = None,
    max_images: Annotated[
        int | None,
        typer.Option(
            "--max-images",
            min=1,
            help="Images in a conversation at most, the photo included: later zooms are refused "
            "in words. Else as many as the turns add.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Traces in flight; fewer while the server is overloaded.")
    ] = 16,
    rpm: Annotated[float | None, typer.Option(min=1, help="Requests a minute at most.")] = None,
    tpm: Annotated[
        float | None,
        typer.Option(min=1, help="Tokens a minute at most, in and out together."),
    ] = None,
    order: Annotated[
        Literal["dataset", "hardest", "easiest", "random"],
        typer.Option(help="Which samples come first."),
    ] = "dataset",
    order_seed: Annotated[int, typer.Option("--order-seed", help="Seed of the random order.")] = 0,
    min_locatability: Annotated[
        float | None,
        typer.Option("--min-locatability", min=0, max=1, help="Only samples from this score."),
    ] = None,
    max_locatability: Annotated[
        float | None,
        typer.Option("--max-locatability", min=0, max=1, help="Only samples below this score."),
    ] = None,
    duplicates: Annotated[
        bool,
        typer.Option("--duplicates", help="Use a photo again that stands in several rows."),
    ] = False,
    reuse: Annotated[
        bool,
        typer.Option(
            "--reuse", help="Attach answers to the same photos from the store's other datasets."
        ),
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Name a column, or a part of one: lat=latitude, lat=location.lat. May be repeated."
        ),
    ] = None,
    retry: Annotated[
        list[RetryKind] | None,
        typer.Option(
            help="Take up again traces whose attempts were used up, that the token limit cut, "
            "that ended otherwise without an answer, or those of them that the server refused; "
            "skipped: read photos again that could not be used; may be repeated."
        ),
    ] = None,
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing",
            help="Skip photos whose folder is gone or empty; else the run stops there, since "
            "their disk may not be mounted.",
        ),
    ] = False,
    max_attempts: Annotated[
        int, typer.Option("--max-attempts", min=1, help="Requests for one turn, failures included.")
    ] = 6,
    request_timeout: Annotated[
        float,
        typer.Option("--request-timeout", min=1, help="Seconds for one request, all in all."),
    ] = 600.0,
    trace_timeout: Annotated[
        float | None,
        typer.Option(
            "--trace-timeout",
            min=1,
            help="Seconds for one trace in this run, all in all.",
        ),
    ] = None,
    give_up_after: Annotated[
        float | None,
        typer.Option(
            "--give-up-after",
            min=0,
            help="Seconds that a pause of the run may last, before it ends; it pauses where every "
            "request has failed for half a minute. Else without end, but for a run that was "
            "never answered: 600.",
        ),
    ] = None,
    grace: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds to wait for requests in flight when the run ends; else as long as "
            "--request-timeout.",
        ),
    ] = None,
    max_total_tokens: Annotated[
        int | None,
        typer.Option(
            "--max-total-tokens",
            min=1,
            help="Pause when the model has used so many in this store, over all runs.",
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            min=0,
            help="Pause when the model has cost so much in this store, over all runs.",
        ),
    ] = None,
    price_in: Annotated[
        float | None, typer.Option("--price-in", min=0, help="Price of a million prompt tokens.")
    ] = None,
    price_out: Annotated[
        float | None,
        typer.Option("--price-out", min=0, help="Price of a million completion tokens."),
    ] = None,
    price_cached: Annotated[
        float | None,
        typer.Option(
            "--price-cached", min=0, help="Price of a million cached prompt tokens; else as in."
        ),
    ] = None,
    price_cache_write: Annotated[
        float | None,
        typer.Option(
            "--price-cache-write",
            min=0,
            help="Price of a million prompt tokens written to the server's cache; else as in.",
        ),
    ] = None,
    price_file: Annotated[
        Path | None,
        typer.Option(
            "--price-file",
            help='Prices by model, .json or .toml: {"qwen3-vl-*": {"in": 0.25, "out": 2}}.',
        ),
    ] = None,
    max_failed_share: Annotated[
        float,
        typer.Option(
            "--max-failed-share",
            min=0,
            max=1,
            help="Exit with 4 where a greater share of this run's traces failed or were refused.",
        ),
    ] = 0.1,
    durability: Annotated[
        Literal["full", "normal"],
        typer.Option(
            help="full: every commit is synced; normal: a power cut may lose the last ones."
        ),
    ] = "full",
    reader: Annotated[
        Literal["template", "rapidocr"],
        typer.Option(help="How the offline teacher reads; rapidocr needs geostore-distill[demo]."),
    ] = "template",
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show each sample when its trace ends.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show only how it ended.")] = False,
    log_file: Annotated[
        Path | None,
        typer.Option("--log-file", help="Append what happens to this file, a JSON object a line."),
    ] = None,
) -> None:
    """Ask the teacher about photos and store all it says; only what is missing is asked.

    Run again, it does what is left; after a kill, it goes on inside the conversations that
    were cut. However it ends, the requests in flight finish and are stored first; Ctrl-C twice
    drops them.

    Exit code 0: done; 3: stopped with work left; 4: done, but many traces failed.
    """
    from contextlib import ExitStack

    from geostore.conversation.recipe import RecipeChoices
    from geostore.costs.budget import BudgetLimits
    from geostore.costs.prices import PriceChoice
    from geostore.errors import DatasetError, GeostoreError
    from geostore.generate.event_log import EventLog
    from geostore.generate.last_lines import what_is_left
    from geostore.generate.live_view import ProgressWatcher
    from geostore.generate.plan import Plan
    from geostore.generate.request import (
        DatasetChoice,
        GenerateRequest,
        TeacherChoice,
        run_generate,
    )
    from geostore.generate.retries import RetryPolicy
    from geostore.pace import PaceLimits
    from geostore.sampling.orders import Draw

    request = GenerateRequest(
        dataset=DatasetChoice(dataset_path, columns=pairs(column or [], "--column")),
        store=store,
        teacher=TeacherChoice(
            model=model,
            base_url=base_url,
            api_key_env=api_key_env,
            api_key_file=api_key_file,
            api_key_command=api_key_command,
            api_key_header=api_key_header,
            kind=teacher,
            reader=reader,
            request_timeout=request_timeout,
            stream=stream,
            proxy=proxy,
            ca_file=ca_file,
            transport=json_object(transport, "--transport"),
            headers=tuple(header or ()),
            query_params=tuple(query_param or ()),
            token_limit_name=token_limit_name,
            system_role=system_role,
        ),
        recipe=RecipeChoices(
            tools=tools,
            extra_tools=tuple(enable_tool or ()),
            protocol=protocol,
            bbox_frame=bbox_frame,
            temperature=read_temperature(temperature),
            max_tokens=max_tokens,
            seed=seed,
            reasoning_field=reasoning_field,
            max_pixels=max_pixels,
            image_multiple=image_multiple,
            zoom_side=zoom_side,
            extra_body=json_object(extra_body, "--extra-body"),
        ),
        plan=Plan(
            num_samples=num_samples or None,
            rollouts=rollouts,
            turn_limit=max_turns,
            max_images=max_images,
            draw=Draw(
                order=order,
                seed=order_seed,
                min_locatability=min_locatability,
                max_locatability=max_locatability,
            ),
            duplicates=duplicates,
            reuse=reuse,
            retry=tuple(kind.value for kind in retry or ()),
            skip_missing=skip_missing,
            retry_policy=RetryPolicy(max_attempts=max_attempts, trace_timeout=trace_timeout),
            pace=PaceLimits(ceiling=concurrency, rpm=rpm, tpm=tpm, give_up_after=give_up_after),
            grace=request_timeout if grace is None else grace,
        ),
        budget=BudgetLimits(max_total_tokens=max_total_tokens, max_cost=max_cost),
        prices=PriceChoice(
            per_million_in=price_in,
            per_million_out=price_out,
            per_million_cached=price_cached,
            per_million_cache_write=price_cache_write,
            file=price_file,
        ),
        durability=durability,
    )
    with ExitStack() as stack:
        # Opened before anything is paid for, because a log that cannot be written ends the command.
        log = [stack.enter_context(EventLog(log_file))] if log_file else []
        shown = stack.enter_context(ProgressWatcher(saved_to=str(store), quiet=quiet))
        try:
            result = run_generate(request, [shown, *log], whole_traces=verbose)
        except GeostoreError:
            stack.close()  # or the view would be drawn over the table
            if shown.figures.turns and shown.figures.result is not None:
                _show_end(shown, shown.figures.result)
                say("")
            raise
    if shown.failed:
        mute_closed_outputs()
        say("a part of what the run shows could not be written")
    _show_end(shown, result)
    for number, line in enumerate(what_is_left(result)):
        say(line if number else f"\n{line}")
    # Also with --skip-missing: a script that goes on after exit code 0 would go on with nothing.
    if why := result.why_no_photo:
        raise DatasetError(why)
    if result.has_work_left:
        raise typer.Exit(EXIT_STOPPED)
    if result.failed_share > max_failed_share:
        raise typer.Exit(EXIT_MANY_FAILED)


def _show_end(shown: ProgressWatcher, result: RunResult) -> None:
    try:
        shown.print_end(result)
    except OSError:
        mute_closed_outputs()
