"""``geostore export``: writes traces as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geostore.cli.conditions import (
    CHOICE_OPTIONS,
    CONDITION_OPTIONS,
    say_unplaced,
    with_conditions,
)
from geostore.cli.options import (
    DEFAULT_STORE,
    DatasetPathOption,
    StoreOption,
    say,
    tell,
)

if TYPE_CHECKING:
    from geostore.store import Selection


@with_conditions(*CONDITION_OPTIONS, *CHOICE_OPTIONS)
def export(
    selection: Selection,
    out: Annotated[Path, typer.Argument(help="The folder to write; it appears when complete.")],
    store: StoreOption = DEFAULT_STORE,
    format: Annotated[
        Literal[
            "trace",
            "jsonl",
            "sharegpt",
            "trl",
            "trl-turns",
            "trl-rl",
            "verl-sft",
            "verl-sft-text",
            "verl-rl",
            "swift",
            "chat",
            "hf",
            "pairs",
        ],
        typer.Option(
            "--format",
            metavar="NAME",
            help="trace: a JSON file per trace; "
            "jsonl: a line per trace; "
            "sharegpt: LLaMA-Factory; "
            "trl: TRL, a row per trace; "
            "trl-turns: TRL, a row per turn; "
            "trl-rl: TRL, prompts with tools and reward; "
            "verl-sft: verl; "
            "verl-sft-text: verl, with calls as text; "
            "verl-rl: verl, prompts with tools and reward; "
            "swift: ms-swift; "
            "chat: OpenAI's messages, see --dialect; "
            "hf: a dataset of Hugging Face; "
            "pairs: for DPO or KTO, see --for.",
        ),
    ] = "trace",
    status: Annotated[
        Literal["answered", "exhausted"] | None,
        typer.Option(help="Only traces that ended so; none: both."),
    ] = None,
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
    shard_size: Annotated[
        int | None,
        typer.Option(min=1, help="Rows in a file at most; none: all of a split in one file."),
    ] = None,
    compress: Annotated[
        Literal["gzip", "zstd"] | None, typer.Option(help="Compress JSONL files.")
    ] = None,
    mask_turns: Annotated[
        str,
        typer.Option(
            metavar="WHICH",
            help="Turns to leave out of the loss: failed_call, no_op, flag:NAME; with commas.",
        ),
    ] = "",
    dialect: Annotated[
        Literal["openai", "azure", "together", "fireworks", "swift", "prime-rl", "nemo-rl"] | None,
        typer.Option(
            metavar="READER",
            help="Whose limits and members hold in --format chat: openai, azure, together, "
            "fireworks, swift, prime-rl or nemo-rl; none: openai.",
        ),
    ] = None,
    bbox_frame: Annotated[
        Literal["pixel", "norm1000"] | None,
        typer.Option(
            help="Write every box in the student's frame: pixels of an image as the student sees "
            "it, or thousandths of it; none: as the teacher wrote it."
        ),
    ] = None,
    student: Annotated[
        Literal["qwen2.5-vl", "qwen3-vl", "llava-style"] | None,
        typer.Option(
            help="Who will be trained: the length of rows is measured for it. None: the student of "
            "the teacher's family."
        ),
    ] = None,
    student_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The greatest area of an image, in pixels, that the student's processor is set "
            "to; none: as its makers set it.",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|factor:X",
            help="Count tokens by the student's tokenizer.json, or by X characters a token.",
        ),
    ] = None,
    pairs_for: Annotated[
        Literal["trl", "llamafactory", "swift"] | None,
        typer.Option("--for", help="Of pairs: the trainer that reads them."),
    ] = None,
    pairs_as: Annotated[
        Literal["dpo", "kto"],
        typer.Option(
            help="Of pairs: the best and the worst rollout of a photo, or all with a label."
        ),
    ] = "dpo",
    min_gap: Annotated[
        float, typer.Option(help="Of pairs: how far the two scores are apart at least.")
    ] = 0.1,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=SHARE,...",
            help="Splits by place, each in files of its own, such as train=0.98,val=0.02. A sample "
            "is in the same split in every export.",
        ),
    ] = None,
    split_by: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="What keeps samples in one split. cell:0 to cell:15: an H3 cell, of which cell:5 "
            "(also where none is given) is some 20 km wide; country; column:NAME: a column of the "
            "dataset, such as the sequence of a drive.",
        ),
    ] = None,
    split_seed: Annotated[int, typer.Option(help="Another seed gives other splits.")] = 0,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say how many traces would be written and why the others would not, and estimate "
            "rows, images and bytes; write nothing.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Write nothing: read the export there again, and exit with 1 where a file, a row "
            "or an image of it is not what it should be. Needs no store.",
        ),
    ] = False,
    dataset_path: DatasetPathOption = None,
) -> None:
    """Write the good traces as files; the same store and options give the same bytes."""
    if check:
        from geostore.cli.export_check import show_check

        show_check(out)
        return
    from geostore.export import ExportOptions, make_splits
    from geostore.export import export as export_store
    from geostore.export.plan import plan_export
    from geostore.store import ENDED, Store, read_selection
    from geostore.text.phrases import format_number_of

    selection["status"] = status
    filters, choice = read_selection(selection, statuses=ENDED)
    splits = make_splits(split, by=split_by, seed=split_seed)
    options = ExportOptions(
        format=format,
        messages=messages,
        images=images,
        dataset_path=str(dataset_path) if dataset_path else None,
        reasoning=reasoning,
        shard_size=shard_size,
        compress=compress,
        mask_turns=mask_turns,
        dialect=dialect,
        bbox_frame=bbox_frame,
        student=student,
        student_pixels=student_pixels,
        tokenizer=tokenizer,
        pairs_for=pairs_for,
        pairs_as=pairs_as,
        min_gap=min_gap,
    )
    with Store.open(store) as opened:
        say_unplaced(store, selection)
        if dry_run:
            plan = plan_export(
                opened, options=options, filters=filters, choice=choice, splits=splits
            )
        else:
            result = export_store(
                opened, out, options=options, filters=filters, choice=choice, splits=splits
            )
    if dry_run:
        tell(plan.text())
        for line in (plan.splits, plan.left_out and f"left out {plan.left_out}", plan.unwritten):
            if line is not None:
                say(line)
        return
    if result.damaged:
        say(
            f"{format_number_of(len(result.damaged), 'file')} of the earlier export "
            f"{'was' if len(result.damaged) == 1 else 'were'} not as "
            f"written ({', '.join(result.damaged[:3])}); all is written anew"
        )
    tell(
        f"{'unchanged:' if result.unchanged else 'wrote'} "
        f"{format_number_of(result.count, 'trace')} {'in' if result.unchanged else 'to'} "
        f"{result.path} (sha256 {result.sha256[:16]}...)"
    )
    if result.splits is not None:
        say(result.splits)
    if result.length is not None:
        say(result.length)
    for note in result.notes:
        say(note)
    if result.left_out is not None:
        say(f"left out {result.left_out}")
    for trace in result.unwritten:
        say(f"  {trace.trace}: {trace.why}")
    if result.unproven:
        traces = format_number_of(result.unproven, "trace")
        say(f"images of {traces} are inferred and not proven: geostore query images_again")
