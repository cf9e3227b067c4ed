"""The options of an export: how its traces are written. Which ones, a `Filter` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from geostore.errors import ExportError
from geostore.export.images import ImagesMode
from geostore.export.messages import MessagesMode
from geostore.export.student.lengths import RowKind
from geostore.export.student.masks import checked_masks
from geostore.export.student.students import StudentFrame, StudentName
from geostore.export.trainers.dialects import DialectName
from geostore.text.nearest import did_you_mean

Format = Literal[
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
]
"""The names of the formats."""

ReasoningMode = Literal["keep", "drop", "think"]
"""What becomes of the teacher's reasoning. ``keep``: it stands where the teacher wrote it, or in
the format's own field, or else in <think> tags. ``think``: always in <think> tags before the words.
``drop``: nowhere."""

Compression = Literal["gzip", "zstd"]
"""How JSONL files can be compressed."""

PairsFor = Literal["trl", "llamafactory", "swift"]
"""The trainers for which pairs can be written."""

PairsAs = Literal["dpo", "kto"]
"""``dpo``: the best and the worst rollout of a photo; ``kto``: every rollout with a label."""

_INSTEAD = {
    "mask_turns": ", because its reader learns a row whole; leave such traces out, as with "
    "--where 'failed_tool_calls = 0' or --exclude-flag no_op_call, or choose a format that can "
    "mask turns: trl-turns, swift or chat",
}
"""What a user can do who gave an option to a format that does not take it."""

_OPTIONS = {"pairs_for": "--for"}
"""Options of the command that have another name than their field."""

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "format": get_args(Format),
    "messages": get_args(MessagesMode),
    "images": get_args(ImagesMode),
    "reasoning": get_args(ReasoningMode),
    "pairs_for": (None, *get_args(PairsFor)),
    "pairs_as": get_args(PairsAs),
    "compress": (None, *get_args(Compression)),
    "dialect": (None, *get_args(DialectName)),
    "student": (None, *get_args(StudentName)),
    "bbox_frame": (None, *get_args(StudentFrame)),
}


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How traces are written. An option that its format does not take has to be left as it is."""

    format: Format = "trace"
    """What is written; one module of `export.formats` each."""
    messages: MessagesMode = "delta"
    """How much of the conversation each turn repeats, in ``trace`` and ``jsonl``."""
    images: ImagesMode | None = None
    """How images are carried; None: as is usual in the format."""
    dataset_path: str | None = None
    """Where the photos are read again; None: where the store saw the dataset last. It says nothing
    about what is written, so the manifest does not name it."""
    reasoning: ReasoningMode = "keep"
    """What becomes of the teacher's reasoning, in the formats of trainers."""
    shard_size: int | None = None
    """Rows in a file at most, from 1, as in ``train-00000.jsonl``; None: all of a split."""
    compress: Compression | None = None
    """How JSONL files are compressed; None: not."""
    mask_turns: Sequence[str] = ()
    """Which turns are left out of the loss, in the formats that can say so: names of
    `export.student.masks`, or one text with commas between them."""
    dialect: DialectName | None = None
    """Whose limits and members hold in ``chat``; None: ``openai`` there."""
    bbox_frame: StudentFrame | None = None
    """The frame in which the student names boxes; None: boxes stay as the teacher named them."""
    student: StudentName | None = None
    """Who will be trained, for the length of rows and the size of images that boxes in pixels are
    of; None: the student whose own the frame is, or else that of the teacher's family."""
    student_pixels: int | None = None
    """The greatest area of an image that the student's processor is set to, in pixels; None: as
    its makers set it."""
    tokenizer: str | None = None
    """Counts tokens of texts: the path of a ``tokenizer.json``, or ``factor:X`` for X characters of
    a token; None: a usual factor."""
    pairs_for: PairsFor | None = None
    """The trainer that reads the pairs; None in every format but ``pairs``."""
    pairs_as: PairsAs = "dpo"
    """What a row of ``pairs`` is."""
    min_gap: float = 0.1
    """The least difference of the scores of a pair, more than 0."""

    def to_json(self) -> dict[str, Any]:
        """The options that decide what is written, by name, for the manifest."""
        values = asdict(self)
        del values["format"], values["dataset_path"]
        # What is not chosen for a student says nothing, and a path is another on every machine.
        tokenizer = values.pop("tokenizer")
        if tokenizer is not None:
            values["tokenizer"] = Path(tokenizer).name
        for name in ("bbox_frame", "student", "student_pixels"):
            if values[name] is None:
                del values[name]
        return values


FOR_STUDENTS = frozenset({"bbox_frame", "student", "student_pixels", "tokenizer"})
"""The options that every format with a trainer takes; one that has tools takes no frame."""


@dataclass(frozen=True, slots=True)
class FormatRules:
    """What a format takes."""

    images: tuple[ImagesMode, ...]
    """The ways to carry images that its readers understand; the first is the usual one."""
    takes: frozenset[str] = frozenset()
    """The names of options of `ExportOptions` that mean something in it."""
    trainer: str | None = None
    """Who reads it, such as ``LLaMA-Factory``; None: nobody in particular."""
    rows: RowKind = "trace"
    """What one row holds, for its length."""
    length_setting: str | None = None
    """The trainer's name for the greatest length, where it is not the trainer's usual one."""
    has_tools: bool = False
    """Whether it brings the tools with it, which read boxes in the frame of the recipe."""

    @property
    def has_prompts_alone(self) -> bool:
        """Whether its rows are questions, without a word of the teacher."""
        return self.rows in ("question", "rollout")


def checked_options(options: ExportOptions, rules: FormatRules) -> ExportOptions:
    """The options with what is left to the format filled in.

    Raises ExportError for a value that there is not, and for an option that the format
    does not take.
    """
    options = replace(
        options,
        images=options.images or rules.images[0],
        mask_turns=checked_masks(options.mask_turns),
        dialect=options.dialect or ("openai" if "dialect" in rules.takes else None),
    )
    for name, known in _CHOICES.items():
        value = getattr(options, name)
        if value not in known:
            names = [choice for choice in known if choice is not None]
            raise ExportError(
                f"there is no {name} {value!r}{did_you_mean(str(value), names)}; choose one of "
                f"{', '.join(names)}"
            )
    if options.shard_size is not None and options.shard_size < 1:
        raise ExportError(
            f"a file cannot hold {options.shard_size} rows: --shard-size is 1 or more"
        )
    if not options.min_gap > 0:
        raise ExportError(f"a pair needs a gap of more than 0, not {options.min_gap:g}: --min-gap")
    if options.pairs_as == "kto" and options.min_gap != ExportOptions().min_gap:
        raise ExportError("with --pairs-as kto each rollout stands alone; leave out --min-gap")
    assert options.images is not None
    if options.images not in rules.images:
        raise ExportError(
            f"the format {options.format} has no --images {options.images}, because "
            f"{rules.trainer or 'nobody'} could not read it; choose one of "
            f"{', '.join(rules.images)}"
        )
    usual = ExportOptions()
    of_student = FOR_STUDENTS - {"bbox_frame"} if rules.has_tools else FOR_STUDENTS
    takes = rules.takes | (of_student if rules.trainer else frozenset())
    for name in asdict(options):
        if name in ("format", "images", "dataset_path") or name in takes:
            continue
        if getattr(options, name) != getattr(usual, name):
            raise ExportError(
                f"the format {options.format} takes no {option_name(name)}{_INSTEAD.get(name, '')}"
            )
    return options


def option_name(name: str) -> str:
    """The option of the command that sets a field of `ExportOptions`."""
    return _OPTIONS.get(name, f"--{name.replace('_', '-')}")
