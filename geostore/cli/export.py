"""``geostore export``: writes traces as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from geostore.cli.options import (
    DEFAULT_STORE,
    DatasetPathOption,
    ExcludeFlagOption,
    FlagOption,
    MaxDistanceOption,
    MaxTokensOption,
    MaxTurnsOption,
    MinScoreOption,
    MinTurnsOption,
    ModelOption,
    RecipeOption,
    RequireToolsOption,
    RewardOption,
    SinceOption,
    StoreOption,
    WhereOption,
    say,
    tell,
)


def export(
    out: Annotated[Path, typer.Argument(help="The folder to write; it appears when complete.")],
    store: StoreOption = DEFAULT_STORE,
    format: Annotated[
        Literal["trace", "jsonl", "sharegpt"],
        typer.Option(
            "--format",
            help="trace: a JSON file per trace; jsonl: a line per trace; sharegpt: LLaMA-Factory.",
        ),
    ] = "trace",
    preset: Annotated[
        Literal["quality"] | None,
        typer.Option(
            help="quality: the filter of the older scripts, which keeps answers closer than "
            "5,000 km with a score above 0.3. Other conditions hold beside it."
        ),
    ] = None,
    recipe: RecipeOption = None,
    model: ModelOption = None,
    status: Annotated[
        Literal["answered", "exhausted"] | None,
        typer.Option(help="Only traces that ended so; none: both."),
    ] = None,
    min_score: MinScoreOption = None,
    max_distance: MaxDistanceOption = None,
    flag: FlagOption = None,
    exclude_flag: ExcludeFlagOption = None,
    min_turns: MinTurnsOption = None,
    max_turns: MaxTurnsOption = None,
    max_tokens: MaxTokensOption = None,
    require_tools: RequireToolsOption = False,
    since: SinceOption = None,
    where: WhereOption = None,
    reward: RewardOption = None,
    messages: Annotated[
        Literal["delta", "last", "full"],
        typer.Option(help="What each turn repeats: what is new, the last turn's all, or all."),
    ] = "delta",
    images: Annotated[
        Literal["reference", "embed", "files"] | None,
        typer.Option(
            help="Images as references, inside the rows, or as files; none: as the format has them."
        ),
    ] = None,
    reasoning: Annotated[
        Literal["keep", "drop", "think"],
        typer.Option(
            help="The teacher's reasoning as it was written, left out, or inside <think> tags."
        ),
    ] = "keep",
    dataset_path: DatasetPathOption = None,
) -> None:
    """Write the good traces as files; the same store and options give the same bytes."""
    from geostore.export import QUALITY_KM, QUALITY_SCORE, ExportOptions
    from geostore.export import export as export_store
    from geostore.store import ENDED, Conditions, Store, make_filter
    from geostore.text.phrases import format_number_of

    if preset == "quality":
        max_distance = min(QUALITY_KM, QUALITY_KM if max_distance is None else max_distance)
        min_score = max(QUALITY_SCORE, QUALITY_SCORE if min_score is None else min_score)
    conditions = Conditions(
        status=status,
        min_score=min_score,
        max_distance_km=max_distance,
        recipe=recipe,
        model=model,
        flags=flag or (),
        exclude_flags=exclude_flag or (),
        min_turns=min_turns,
        max_turns=max_turns,
        max_tokens=max_tokens,
        require_tools=require_tools,
        since=since,
        where=where,
        reward=reward,
    )
    with Store.open(store) as opened:
        result = export_store(
            opened,
            out,
            options=ExportOptions(
                format=format,
                messages=messages,
                images=images,
                dataset_path=str(dataset_path) if dataset_path else None,
                reasoning=reasoning,
            ),
            filters=make_filter(conditions, statuses=ENDED),
        )
    tell(
        f"wrote {format_number_of(result.count, 'trace')} to {result.path} "
        f"(sha256 {result.sha256[:16]}...)"
    )
    if result.left_out is not None:
        say(f"left out {result.left_out}")
    for trace in result.without_images:
        say(f"  {trace.trace}: {trace.why}")
    if result.unproven:
        traces = format_number_of(result.unproven, "trace")
        say(f"images of {traces} are inferred and not proven: geostore query images_again")
