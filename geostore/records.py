"""The values that cross module borders: frozen, plain, and free of database ids.

A record says what was observed or decided, never where it is stored. Words are
the field's: a *sample* is one dataset row, a *recipe* all that decides what the
teacher is asked, a *trace* the record of one try (*rollout*) of one recipe on
one sample, a *turn* one teacher response.

Counting: turns, rollouts and attempts are numbered from 1; everything named
``*_index`` (dataset rows, images, calls in a turn) from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Protocol = Literal["text", "native"]
BboxFrame = Literal["pixel", "norm1000", "norm1000_yx"]
Status = Literal["open", "answered", "exhausted", "failed"]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels of the source image; right and bottom exclusive."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How large an image may be when it is sent; part of a recipe.

    factor: each side is a multiple of this many pixels (1: any size). Teachers
        that name boxes in pixels of the image as their server resized it need
        28 (Qwen2.5-VL) or 32, so that the size sent is the size seen.
    min_pixels, max_pixels: bounds of the area.
    min_side: least short side of a tool's image; smaller ones are enlarged.
    zoom_side: a zoom is enlarged until its short side has this many pixels,
        as far as `max_pixels` and `max_side` let it.
    quality: JPEG quality of every image that is encoded here.
    max_side: greatest long side, None for no bound but the area. Teachers that
        name boxes in pixels of the image as sent reduce one with a longer side.
    """

    factor: int = 1
    min_pixels: int = 56 * 56
    max_pixels: int = 1280 * 28 * 28
    min_side: int = 32
    zoom_side: int = 448
    quality: int = 90
    max_side: int | None = None


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What is known of a stored photo without its pixels.

    sha256: of the bytes as the dataset stores them.
    width, height: full-resolution pixels, after the EXIF orientation is applied.
    format: Pillow's name, such as ``JPEG``.
    """

    sha256: str
    width: int
    height: int
    format: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One dataset row that was drawn: where it is, its truth, its photo's facts.

    lat, lon: degrees. locatability_score: 0 (hard) to 1 (easy), None if unknown.
    columns: every other scalar column of the row.
    photo: None only where `exclusion` says why the row cannot be used
        (``duplicate``, an `ImageError` kind, or ``not_seen``: a trace file names
        the row, and its dataset was not there).
    """

    sample_index: int
    lat: float
    lon: float
    locatability_score: float | None
    country: str | None
    columns: dict[str, Any] = field(hash=False)
    photo: PhotoFacts | None
    exclusion: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A dataset as it was found on disk.

    fingerprint: of the saved dataset; with `num_rows` it says whether row
        numbers still mean what they meant. Both are None for a dataset that was
        never opened and only named by trace files; then nothing is known of its
        columns, and `columns` and `column_map` are empty.
    column_map: role (image, lat, lon, ...) to column name.
    """

    path: str
    name: str
    fingerprint: str | None
    split: str | None
    num_rows: int | None
    columns: tuple[str, ...]
    column_map: dict[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image as it goes to the teacher: encoded bytes and their facts.

    width, height: as sent. full_width, full_height: before it was resized to be
    sent, the frame in which boxes are applied and from which a zoom is cut.
    pixels_xxh128: of the pixels that were encoded (`imaging.hash_pixels`), None
        where that was not asked for, or where the stored file was sent as it is.
    """

    data: bytes = field(repr=False)
    mime: str
    sha256: str
    width: int
    height: int
    full_width: int
    full_height: int
    pixels_xxh128: str | None = None

    @property
    def facts(self) -> ImageFacts:
        """The same without the bytes."""
        return ImageFacts(
            sha256=self.sha256,
            width=self.width,
            height=self.height,
            full_width=self.full_width,
            full_height=self.full_height,
            pixels_xxh128=self.pixels_xxh128,
        )


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """`SentImage` without its bytes: what the store keeps of it."""

    sha256: str
    width: int
    height: int
    full_width: int
    full_height: int
    pixels_xxh128: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what the teacher is asked; its content hash names it.

    user_prompt: a template; ``{photo_size}`` becomes the photo's size as sent.
    tools: the tools' JSON schemas, in order; empty: no tools.
    protocol: how calls are written; of no effect without tools.
    extra_body: further members of the request body.
    max_calls_per_turn: calls past this in one response are refused in words.
    max_nudges: how often a response with neither call nor answer is asked again.
    answer_with_calls: what a response with both means: ``run_calls`` (the answer
        came before the evidence) or ``final``.
    """

    model: str
    system_prompt: str
    user_prompt: str
    tools: tuple[dict[str, Any], ...] = field(hash=False)
    protocol: Protocol
    bbox_frame: BboxFrame
    limits: ImageLimits
    temperature: float
    max_tokens: int
    seed: int | None = None
    extra_body: dict[str, Any] = field(default_factory=dict, hash=False)
    max_calls_per_turn: int = 3
    max_nudges: int = 2
    answer_with_calls: Literal["run_calls", "final"] = "run_calls"


@dataclass(frozen=True, slots=True)
class ImportedRecipe:
    """What trace files say of what was asked, where nobody can prove it; its hash is its own.

    Everything is None where the files do not say. label: what keeps traces of
    one folder apart from those of another. tools: as the files give them.
    settings: whatever else they say, such as ``tools_mode``.
    """

    model: str | None
    label: str | None
    system_prompt: str | None
    tools: tuple[dict[str, Any], ...] | None = field(hash=False)
    settings: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class TraceKey:
    """The natural key of a trace inside one dataset, and its public name.

    `str()` gives ``<sample_index>-<first 8 hex of the recipe's hash>-<rollout>``.
    """

    sample_index: int
    recipe_sha256: str
    rollout: int

    def __str__(self) -> str:
        return f"{self.sample_index}-{self.recipe_sha256[:8]}-{self.rollout}"


ReasoningSource = Literal[
    "reasoning", "reasoning_content", "think", "think_unopened", "think_unclosed"
]


@dataclass(frozen=True, slots=True)
class Reply:
    """One response of the teacher, before it is a turn of a trace; fields as in `Turn`."""

    response: str
    reasoning: str | None
    reasoning_source: ReasoningSource | None
    native_calls: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    latency_ms: int
    served_model: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One teacher response, as it was paid for.

    response: the content without its reasoning. reasoning: kept apart;
        `reasoning_source` says where the server put it, so that the message can
        be sent back exactly as it came: a field of its own, or <think> tags in
        the content (``think``), of which a chat template may have written the
        first (``think_unopened``) or the token limit cut the last
        (``think_unclosed``).
    native_calls: the message's `tool_calls` as canonical JSON, None without.
    turn_limit: the limit in force when the request was sent; a request whose
        turn is the limit says so to the teacher.
    Token counts are None where the server did not say. latency_ms: whole
        milliseconds from sending to the last byte.
    request_sha256: of the canonical request (`protocol.RequestWriter.hash`).
    messages: of an imported trace, what was sent, as `conversation.sent` reads it;
        None where it follows from rows, and where nobody knows it.
    In a trace of an `ImportedRecipe`, `turn_limit` and `request_sha256` are None:
    there is nothing to prove.
    """

    turn: int
    response: str
    reasoning: str | None
    reasoning_source: ReasoningSource | None
    native_calls: str | None
    finish_reason: str | None
    turn_limit: int | None
    request_sha256: str | None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    latency_ms: int | None = None
    served_model: str | None = None
    request_id: str | None = None
    messages: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call inside a turn and what came of it.

    name, raw_arguments: as the teacher wrote them (name "" where none could be read).
    arguments: canonical JSON of the arguments as understood, None if not.
    source_index: the image it was applied to. box: what was cut, in that image's
        full-resolution pixels. angle: degrees, counter-clockwise.
    success, error_kind: a bad call is a row too. flags: sorted, of ``clamped``,
        ``noop``, ``repaired``, and one ``looks_like:FRAME`` for each other frame
        that would explain a box which does not fit the recipe's
        (`geostore.tools.frames`). observation: the sentence the teacher reads,
        None where a trace file does not say it.
    image: the facts of the image it gave, None where it gave none; new_index:
        that image's number in the conversation.
    """

    turn: int
    call_index: int
    name: str
    raw_arguments: str
    arguments: str | None
    source_index: int | None
    box: Box | None
    angle: float | None
    success: bool
    error_kind: str | None
    flags: tuple[str, ...]
    observation: str | None
    image: ImageFacts | None
    image_index: int | None


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A request that failed: what kind, what it said, and what it cost if billed."""

    turn: int
    error_class: str
    message: str
    http_status: int | None = None
    usage_json: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """How a trace ended: its status and why.

    reason: ``answer``, ``turn_limit``, ``truncated``, ``no_answer``,
    ``content_filter``, or for a failed trace the class of its last error.
    """

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Coordinates read from a final response, or why there are none.

    lat, lon: degrees, None exactly where `failure` is set. form: which form
    matched, or failed. flags: sorted.
    """

    lat: float | None
    lon: float | None
    form: str | None
    failure: str | None
    flags: tuple[str, ...]


ACCEPTED_SCORE = 0.3
"""A trace with at least this score counts as accepted."""


@dataclass(frozen=True, slots=True)
class Reward:
    """A trace's reward under one spec; distance and score None without an answer.

    distance_km: great-circle. score: the spec's. geoguessr_points: 0..5000.
    """

    distance_km: float | None
    score: float | None
    geoguessr_points: int | None


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """Everything the store holds of one trace.

    name: public, unique in its store. photo: the photo as sent, None before the
    first response and in a trace of an `ImportedRecipe`. answer, reward: of the
    newest parser version and the store's default spec (`reward_spec`), None
    while the trace is open or failed.
    """

    name: str
    key: TraceKey
    dataset: DatasetFacts
    sample: Sample
    recipe: Recipe | ImportedRecipe
    status: Status
    stop_reason: str | None
    turn_limit: int | None
    photo: ImageFacts | None
    turns: tuple[Turn, ...]
    calls: tuple[ToolCall, ...]
    failures: tuple[FailedAttempt, ...]
    answer: Answer | None
    reward: Reward | None
    reward_spec: str | None

    @property
    def final_response(self) -> str | None:
        """The last response of a trace that came to an end; None while it is open."""
        return self.turns[-1].response if self.turns and self.status != "open" else None
