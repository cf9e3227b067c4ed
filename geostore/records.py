"""The values that cross module borders: frozen, plain, and free of database ids.

A record says what was observed or decided, never where it is stored. Words are the field's: a
*sample* is one dataset row, a *recipe* all that decides what the teacher is asked, a *trace* the
record of one try (*rollout*) of one recipe on one sample, a *turn* one teacher response.

Turns, rollouts and attempts count from 1; what is named ``*_index`` (rows, images, calls) from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from geostore.one_line import OneLine
from geostore.proofs import ImageProof
from geostore.reply import ReasoningSource as ReasoningSource
from geostore.reply import Reply as Reply
from geostore.reply import TokenCounts as TokenCounts
from geostore.stated import Answer as Answer

Protocol = Literal["text", "native"]
BboxFrame = Literal["pixel", "norm1000", "norm1000_yx"]
Status = Literal["open", "answered", "exhausted", "failed"]
LimitKind = Literal["image_limit", "context_limit", "size_limit"]
"""Which limit of a server a conversation has met: of images, of tokens, or of bytes and pixels."""
LIMIT_KINDS: tuple[LimitKind, ...] = get_args(LimitKind)
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels of the source image; right and bottom exclusive."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How large an image may be when it is sent; part of a recipe."""

    factor: int = 1
    """Each side is a multiple of this many pixels; 1: any size.

    Some servers resize images to a multiple of 28 (Qwen2.5-VL) or 32 pixels. Where
    their models name boxes in pixels, the size sent has to be the size they see.
    """
    min_pixels: int = 56 * 56
    """Least area, in pixels."""
    max_pixels: int = 1280 * 28 * 28
    """Greatest area, in pixels."""
    min_side: int = 32
    """Least short side of a tool's image, in pixels; a smaller image is enlarged."""
    zoom_side: int = 448
    """Short side a zoom is enlarged to, in pixels, within `max_pixels` and `max_side`."""
    quality: int = 90
    """JPEG quality of every image that is encoded here."""
    max_side: int | None = None
    """Greatest long side, in pixels, that the server does not reduce; None: no such bound."""


@dataclass(frozen=True, slots=True, repr=False)
class PhotoFacts(OneLine):
    """What is known of a stored photo without its pixels."""

    sha256: str
    """Of the bytes as the dataset stores them."""
    width: int
    """Full-resolution pixels, after the EXIF orientation is applied."""
    height: int
    """Full-resolution pixels, after the EXIF orientation is applied."""
    format: str
    """Pillow's name of the file's format, such as ``JPEG``."""


@dataclass(frozen=True, slots=True, repr=False)
class Sample(OneLine):
    """One dataset row that was drawn: its true place and its photo's facts."""

    sample_index: int
    """Row number in the saved dataset, from 0."""
    lat: float
    """Degrees north, -90 to 90."""
    lon: float
    """Degrees east, -180 to 180."""
    locatability_score: float | None
    """How easy the photo is to locate, 0 (hard) to 1 (easy); None: not known."""
    country: str | None
    """As the dataset writes it; None: not known."""
    columns: dict[str, Any] = field(hash=False)
    """Every other scalar column of the row, by name."""
    photo: PhotoFacts | None
    """None only where `exclusion` says why; a duplicate has one."""
    exclusion: str | None = None
    """Why the row cannot be used; None: it can.

    ``duplicate``, the kind of an `ImageError`, or ``not_seen``: a trace file names
    the row, but its dataset was not given.
    """


@dataclass(frozen=True, slots=True, repr=False)
class DatasetFacts(OneLine):
    """A dataset as it lies on disk, or as trace files name it.

    A dataset that was only named has never been opened, so its columns are unknown.
    """

    path: str
    """Where it was last seen."""
    name: str
    """Short, for names of traces and files."""
    fingerprint: str | None
    """Of the saved dataset; None: the dataset was only named.

    While it and `num_rows` stay the same, row numbers name the same photos.
    """
    split: str | None
    """None where it has no splits."""
    num_rows: int | None
    """None: the dataset was only named."""
    columns: tuple[str, ...]
    """The names of its columns, in order; empty where it was only named."""
    column_map: dict[str, str] = field(hash=False)
    """Role (image, lat, lon, ...) to column name; empty where it was only named."""


@dataclass(frozen=True, slots=True, repr=False)
class ImageFacts(OneLine):
    """What the store keeps of an image that was sent."""

    sha256: str
    """Of the encoded bytes, in hex."""
    width: int
    """In pixels, as sent."""
    height: int
    """In pixels, as sent."""
    full_width: int
    """In pixels, before it was resized to be sent; boxes and zooms apply to this size."""
    full_height: int
    """In pixels, before it was resized to be sent."""
    pixels_xxh128: str | None = None
    """Of the encoded pixels (`imaging.hash_pixels`); None: the photo's own file, or not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentImage(ImageFacts):
    """An image as it goes to the teacher: its facts, and the encoded bytes."""

    data: bytes = field(repr=False)
    """The encoded file."""
    mime: str
    """Such as ``image/jpeg``."""

    @property
    def facts(self) -> ImageFacts:
        """The same without the bytes."""
        return ImageFacts(*(getattr(self, member.name) for member in fields(ImageFacts)))


@dataclass(frozen=True, slots=True, repr=False)
class Recipe(OneLine):
    """All that decides what the teacher is asked; its content hash names it."""

    model: str
    """The model's name as the server knows it."""
    system_prompt: str
    """The system message, with the tools' schemas where the protocol is ``text``."""
    user_prompt: str
    """A template; ``{photo_size}`` becomes the photo's size as sent."""
    tools: tuple[dict[str, Any], ...] = field(hash=False)
    """The tools' JSON schemas, in order; empty: no tools."""
    protocol: Protocol
    """Whether calls are written in the text or as `tool_calls`; of no effect without tools."""
    bbox_frame: BboxFrame
    """The frame of the teacher's boxes; of no effect without tools."""
    limits: ImageLimits
    """Sizes and quality of the images sent."""
    temperature: float | None
    """Sampling temperature, 0 to 2; None: none is sent."""
    max_tokens: int
    """Tokens of one response, at least 1."""
    seed: int | None = None
    """Sampling seed; None: none is sent."""
    extra_body: dict[str, Any] = field(default_factory=dict, hash=False)
    """Further members of the request body."""
    max_calls_per_turn: int = 3
    """Calls past this number in one response are not run, and the teacher is told so."""
    max_nudges: int = 2
    """How often a response with neither call nor answer is asked again."""
    answer_with_calls: Literal["run_calls", "final"] = "run_calls"
    """What a response with both an answer and calls means.

    ``run_calls``: the calls are run and the teacher is asked again, because it
    answered before it saw their results. ``final``: the answer counts.
    """
    reasoning_field: Literal["auto", "reasoning", "reasoning_content", "none"] = "auto"
    """Where reasoning of fields and parts goes back; ``auto``: where it came from."""


@dataclass(frozen=True, slots=True, repr=False)
class ImportedRecipe(OneLine):
    """What trace files say of the request, without proof; its hash is never that of a `Recipe`."""

    model: str | None
    """None where the files do not say."""
    label: str | None
    """Keeps the traces of one folder apart from those of another; None: no label was given."""
    system_prompt: str | None
    """None where the files do not say."""
    tools: tuple[dict[str, Any], ...] | None = field(hash=False)
    """As the files give them; None where they do not say."""
    settings: dict[str, Any] = field(default_factory=dict, hash=False)
    """What else the files say, such as ``tools_mode``; ``with_tools`` is what the user says."""

    @property
    def says_tools(self) -> bool:
        """Whether it is said that tools were offered, by their names or by the user."""
        return bool(self.tools or self.settings.get("tools") or self.settings.get("with_tools"))


@dataclass(frozen=True, slots=True, repr=False)
class TraceKey(OneLine):
    """The natural key of a trace, and its public name.

    `str()` gives ``<sample_index>-<first 8 hex of the recipe's hash>-<rollout>``, with the
    dataset's label and a colon before it where it has one. Such a name means the same trace
    for ever, so it can stand in logs, exports and reports.
    """

    sample_index: int
    """Row number in the dataset, from 0."""
    recipe_sha256: str
    """The recipe's content hash, 64 hex digits."""
    rollout: int
    """The number of this try of the recipe on the sample, from 1."""
    label: str | None = None
    """Of the dataset in its store; None for the store's first dataset."""

    def __str__(self) -> str:
        before = "" if self.label is None else f"{self.label}:"
        return f"{before}{self.sample_index}-{self.recipe_sha256[:8]}-{self.rollout}"


@dataclass(frozen=True, slots=True, repr=False)
class Turn(OneLine, TokenCounts):
    """One teacher response, as it was paid for."""

    turn: int
    """Its number in the trace, from 1."""
    response: str
    """The content without its reasoning."""
    reasoning: str | None
    """None where there is none."""
    reasoning_source: ReasoningSource | None
    """None without reasoning."""
    native_calls: str | None
    """The message's `tool_calls` as canonical JSON; None without."""
    finish_reason: str | None
    """As the server says it, such as ``stop``; None where it does not.

    What other servers call otherwise is ``length``, ``content_filter`` and, also where
    the message has a `refusal`, ``refusal`` (`geostore.teacher.finish_reasons`).
    """
    turn_limit: int | None
    """The limit in force when the request was sent; None in a trace of an `ImportedRecipe`."""
    request_sha256: str | None
    """Of the canonical request (`RequestWriter.hash`); None in a trace of an `ImportedRecipe`."""
    latency_ms: int | None = None
    """Whole milliseconds from sending to the last byte; None where an import does not say."""
    served_model: str | None = None
    """The model that the response names; None where it names none."""
    request_id: str | None = None
    """The server's id of the request; None where it gives none."""
    usage: str | None = None
    """The usage object, as JSON; None where the server sent none."""
    members: str | None = None
    """A JSON object of further members that go back with the message; None without."""
    first_token_ms: int | None = None
    """Whole milliseconds from sending to the first token; None where it was not streamed."""
    request_form: str | None = None
    """The form in which the request went out, as JSON; None: the usual form."""
    messages: str | None = None
    """What was sent in an imported trace, as `conversation.sent` reads it.

    None where it follows from rows, and where nobody knows it.
    """
    estimated_prompt_tokens: int | None = None
    """See `conversation.estimates`; None where the server counted them, and in imported turns."""
    estimated_completion_tokens: int | None = None
    """See `conversation.estimates`; None where the server counted them, and in imported turns."""


@dataclass(frozen=True, slots=True, repr=False)
class ToolCall(OneLine):
    """One call inside a turn and its result. A call that fails is a row too."""

    turn: int
    """The turn whose response made the call, from 1."""
    call_index: int
    """Its place among the turn's calls, from 0."""
    name: str
    """As the teacher wrote it; empty where no name could be read."""
    raw_arguments: str
    """As the teacher wrote them."""
    arguments: str | None
    """Canonical JSON of the arguments as they were understood; None where they were not."""
    source_index: int | None
    """The image it was applied to; 0 is the photo. None where no image could be named."""
    box: Box | None
    """What was cut, in full-resolution pixels of the source image; None without a cut."""
    angle: float | None
    """Degrees, counter-clockwise; None without a rotation."""
    success: bool
    """Whether the tool did what the call asks."""
    error_kind: str | None
    """Why it failed, as a stable word; None exactly where `success` is true."""
    flags: tuple[str, ...]
    """Sorted: ``clamped``, ``noop``, ``repaired``, ``looks_like:FRAME``.

    There is one ``looks_like:FRAME`` for each other frame that a box fits which
    does not fit the recipe's frame (`geostore.tools.frames`).
    """
    observation: str | None
    """The sentence the teacher reads; None where a trace file does not say it."""
    image: ImageFacts | None
    """The image that the tool made; None where it made none."""
    image_index: int | None
    """That image's number in the conversation; None where the tool made none."""


@dataclass(frozen=True, slots=True, repr=False)
class FailedAttempt(OneLine):
    """A request that failed."""

    turn: int
    """The turn that the request asked for, from 1."""
    error_class: str
    """A stable word, as `TeacherError.error_class`, or `PROBE`."""
    message: str
    """What the server or the client said, cut to a readable length."""
    http_status: int | None = None
    """None where there was no response."""
    usage: str | None = None
    """The usage object of a useless response, as JSON; None where the server sent none."""
    response: str | None = None
    """The words of a reply that the server broke off, or to a probe; no turn. None without."""
    estimated_prompt_tokens: int | None = None
    """As in `Turn`; None, too, where nothing came that would be billed."""
    estimated_completion_tokens: int | None = None
    """As in `Turn`; None, too, where nothing came that would be billed."""

    @property
    def is_billed(self) -> bool:
        """Whether it was paid for, as far as anyone can tell."""
        return self.usage is not None or self.estimated_completion_tokens is not None


@dataclass(frozen=True, slots=True)
class Closing:
    """How a trace ended."""

    status: Status
    """Any but ``open``."""
    reason: str
    """``answer``, ``turn_limit``, ``truncated``, ``no_answer``, ``content_filter``, ``refused`` (by
    the teacher), or the `LimitKind` that its conversation met; for a failed trace, the class of
    its last error."""

    @property
    def by_refusal(self) -> bool:
        """Whether the server refused the last request, so that ``--retry refused`` opens it."""
        failed = self.status == "failed" and self.reason == "refused"
        return failed or self.reason in LIMIT_KINDS


PROBE = "probe"
"""The error class of a request that did not fail: one without a photo, which was sent to see
whether the teacher is there, and was answered. Its row keeps what it cost."""

ACCEPTED_SCORE = 0.3
"""A trace with at least this score counts as accepted."""


@dataclass(frozen=True, slots=True, repr=False)
class Reward(OneLine):
    """A trace's reward under one spec."""

    distance_km: float | None
    """Great-circle distance from the true place; None without an answer."""
    score: float | None
    """The spec's score; None without an answer."""
    geoguessr_points: int | None
    """0 to 5000; None without an answer."""


@dataclass(frozen=True, slots=True, repr=False)
class StoredTrace(OneLine):
    """Everything the store holds of one trace."""

    name: str
    """Public, unique in its store."""
    key: TraceKey
    """What the name is made of."""
    dataset: DatasetFacts
    """The dataset of its photo."""
    sample: Sample
    """The photo it is about, and the photo's true place."""
    recipe: Recipe | ImportedRecipe
    """What the teacher was asked."""
    status: Status
    """``open`` while a run may go on with it."""
    stop_reason: str | None
    """As `Closing.reason`; None while it is open."""
    turn_limit: int | None
    """The limit in force when it ended; None while it is open, and where nobody knows it."""
    photo: ImageFacts | None
    """The photo as sent; None before the first response and under an `ImportedRecipe`."""
    turns: tuple[Turn, ...]
    """The responses, in order."""
    calls: tuple[ToolCall, ...]
    """The tool calls, in order."""
    failures: tuple[FailedAttempt, ...]
    """The requests that failed, in order."""
    answer: Answer | None
    """Of the newest parser version; None while the trace is open or failed."""
    reward: Reward | None
    """Under the store's default spec; None while the trace is open or failed."""
    reward_spec: str | None
    """The name of that spec; None where the store has no default."""
    reward_kind: str | None = None
    """The kind of that spec."""
    copies: tuple[tuple[DatasetFacts, int], ...] = ()
    """Datasets and row numbers that hold the same photo, because they stand for its sample."""
    image_proofs: tuple[ImageProof, ...] = ()
    """Of an imported trace whose images were made again, one for each, by number."""

    @property
    def final_response(self) -> str | None:
        """The last response of a trace that has ended; None while it is open."""
        return self.turns[-1].response if self.turns and self.status != "open" else None
