"""What a model's name tells: in which frame it names boxes, and what its server does to images.

One table. Each entry names the source that says so. Where no source states a frame, the entry says
that its frame is assumed, so that a run can tell its user before much is paid for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from geostore.records import BboxFrame, Protocol


@dataclass(frozen=True, slots=True)
class Family:
    """What the models of a family have in common."""

    frame: BboxFrame
    """The frame in which they name boxes."""

    factor: int
    """Their server resizes images to multiples of this many pixels."""

    protocol: Protocol
    """How they take tool calls."""

    max_pixels: int = 1280 * 28 * 28
    """The greatest area, in pixels, that their server leaves as it is."""

    min_pixels: int = 56 * 56
    """The least area, in pixels, that their server leaves as it is."""

    max_side: int | None = None
    """The greatest long side, in pixels, that their server leaves; None: no bound but the area."""

    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The name of the token limit that their server takes."""

    takes_temperature: bool = True
    """Whether their server takes a temperature other than 1."""

    title: str = "any other"
    """What the family is called in sentences and in docs/tools.md."""

    source: str = "none"
    """The document or code that says in which frame they name boxes, or what was found instead."""

    doubt: str | None = None
    """Why the frame is assumed, as a clause; None where the source states it."""


_NAME_BEGINS = "(^|[/:.@])"
_WORD_BEGINS = "(?<![a-z0-9])"

_QWEN25 = Family(
    "pixel", 28, "text", title="Qwen2.5-VL", source="model card; preprocessor_config.json"
)
_QWEN2 = Family("norm1000", 28, "text", title="Qwen2-VL, QVQ", source="Qwen2-VL report, 2409.12191")
_QWEN3 = Family(
    "norm1000",
    32,
    "text",
    min_pixels=256 * 256,
    title="Qwen3-VL, Qwen3.5",
    source="model card; preprocessor_config.json",
)
_GEMINI = Family(
    "norm1000_yx", 1, "native", title="Gemini", source="Google's guide to bounding boxes"
)
_CLAUDE = Family(
    "pixel",
    1,
    "native",
    768 * 768,
    max_side=1568,
    title="Claude",
    source="Anthropic's guide to vision (long side of 1568)",
)
_OPENAI = Family(
    "pixel",
    1,
    "native",
    768 * 768,
    max_side=2048,
    title="GPT, o3 and the like",
    source="OpenAI's guide to images (2048 x 2048, then a short side of 768)",
)
_GLM = Family(
    "norm1000",
    1,
    "text",
    title="GLM-4.1V to 4.xV, GLM-5V",
    source="zai-org/GLM-V, README, Grounding; zai-org/GLM-skills, glmv-grounding",
)
_INTERNVL = Family(
    "norm1000",
    1,
    "text",
    title="InternVL 2 to 3.5",
    source="InternVL's documentation, Chat Data Format, Grounding",
)
_DOUBAO = Family(
    "norm1000",
    1,
    "text",
    title="Doubao-Seed",
    source="Volcengine's guide to visual grounding, 82379/1616136",
)
_MOLMO2 = Family(
    "norm1000",
    1,
    "text",
    title="Molmo 2",
    source="model card of allenai/Molmo2-8B (points scaled by 1000, x first)",
)
_GEMMA = Family(
    "norm1000_yx",
    1,
    "text",
    title="Gemma 3, Gemma 4",
    source='Google at google/gemma-3-4b-it, discussion 38: not documented, "likely" as Gemini',
    doubt="Google documents no frame for Gemma and expects Gemini's",
)
_KIMI = Family(
    "norm1000",
    1,
    "text",
    title="Kimi-VL, Kimi K2.5, K3",
    source="none; ScreenSpot-Pro's models/kimivl.py asks for points in 0..1",
    doubt="Kimi is shown with points in 0 to 1, and is asked for boxes in 0 to 1000 here",
)
_STEP3 = Family(
    "norm1000",
    1,
    "text",
    title="Step-3",
    source="none of StepFun's; Midscene's models/step.ts asks for 0..1000",
    doubt="StepFun documents no frame for boxes",
)
_GROK = Family(
    "norm1000",
    1,
    "text",
    title="Grok",
    source="none found",
    doubt="no source states in which frame Grok names boxes",
)
_LLAMA4 = Family(
    "norm1000",
    1,
    "text",
    title="Llama 4",
    source="Meta's course code (parse_output, draw_bounding_boxes) reads boxes in 0..1",
    doubt="Llama 4 is shown with boxes in 0 to 1, and is asked for 0 to 1000 here",
)
_MINIMAX = Family(
    "norm1000",
    1,
    "text",
    title="MiniMax-01, VL-01, M3",
    source="none found",
    doubt="no source states in which frame MiniMax names boxes",
)
_QWEN_ALIAS = Family(
    "norm1000",
    1,
    "text",
    title="qwen-vl-max, qwen-vl-plus",
    source="an alias of Alibaba's: Qwen-VL (0..1000) at first, Qwen2.5-VL (pixels) from 2025 on",
    doubt=(
        "this name is an alias whose frame depends on its date: 0 to 1000 at first, pixels since "
        "it stands for Qwen2.5-VL (--bbox-frame pixel --image-multiple 28)"
    ),
)
_DEMO = Family("norm1000", 1, "text", title="offline-teacher", source="geostore/demo/teacher.py")
_UNKNOWN = Family("norm1000", 1, "text", doubt="the name does not tell which model this is")

# Patterns are searched for anywhere in a name, because models are served under names such as
# `Qwen/Qwen2.5-VL-7B-Instruct`, `qwen2p5-vl-32b`, `us.anthropic.claude-sonnet-4` or a path. The
# first pattern that matches wins: the name of a model that was distilled from another holds both
# families, and its own stands first here. OpenAI's names are short, and are looked for only where
# a name can begin. A new family goes to the end: a name that was known before must keep its
# recipe, whose hash says which traces were paid for.
_FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"qwen[-_ ]?2[._p-]?5", _QWEN25),
    (r"qwen[-_ ]?2[-_ ]?vl|qvq", _QWEN2),
    (r"qwen[-_ ]?3", _QWEN3),
    (r"gemini", _GEMINI),
    (r"claude", _CLAUDE),
    # The reasoning models refuse a temperature; from GPT-5.1 on that depends on the effort, and the
    # chat models take one.
    (
        rf"{_NAME_BEGINS}(o[1-9](?![0-9a-z])|gpt-?5(?![0-9.]|-chat))",
        replace(_OPENAI, token_limit="max_completion_tokens", takes_temperature=False),
    ),
    (rf"{_NAME_BEGINS}gpt-?[5-9]", replace(_OPENAI, token_limit="max_completion_tokens")),
    (rf"{_NAME_BEGINS}(chatgpt|gpt|o[1-9](?![0-9a-z]))", _OPENAI),
    (r"^offline-teacher$", _DEMO),
    (rf"{_WORD_BEGINS}glm[-_ ]?(4[._p-][1-9]\d*|5([._p-]\d+)?)v(?![a-z0-9])", _GLM),
    (rf"{_WORD_BEGINS}internvl[-_ ]?[23](?!\d)", _INTERNVL),
    (
        rf"{_WORD_BEGINS}(doubao[-_ ]?(seed|1[._p-]5[a-z-]*[-_]vision)"
        r"|bytedance[-_a-z]*/seed[-_ ]?[12][._p-]\d)",
        _DOUBAO,
    ),
    (rf"{_WORD_BEGINS}molmo[-_ ]?2(?!\d)", _MOLMO2),
    (rf"{_WORD_BEGINS}gemma[-_ ]?[34](?!\d)", _GEMMA),
    (rf"{_WORD_BEGINS}kimi[-_ ]?(vl|k2[._p-][5-9]|k3)(?![a-z0-9])", _KIMI),
    (rf"(^|stepfun[-_a-z]*(/|--))step[-_ ]?3(?!\d)|{_WORD_BEGINS}step3[-_]vl", _STEP3),
    (rf"{_WORD_BEGINS}grok[-_ ]?(\d|vision|beta)", _GROK),
    (rf"{_WORD_BEGINS}llama[-_ ]?4(?![0-9.])", _LLAMA4),
    (rf"{_WORD_BEGINS}minimax[-_ ]?(vl[-_ ]?)?(01|m3)(?!\d)", _MINIMAX),
    (rf"{_WORD_BEGINS}qwen[-_ ]?vl[-_ ]?(max|plus)(?![a-z])", _QWEN_ALIAS),
)


def family_of(model: str) -> Family:
    """The family of a model by its name; what most servers take where the name tells nothing."""
    return find_family(model) or _UNKNOWN


def find_family(model: str) -> Family | None:
    """The family of a model, or None where its name is not known."""
    for pattern, family in _FAMILIES:
        if re.search(pattern, model, re.IGNORECASE):
            return family
    return None


def iter_families() -> Iterator[Family]:
    """Every family of the table once, in its order."""
    titles = set()
    for _, family in _FAMILIES:
        if family.title not in titles:
            titles.add(family.title)
            yield family


def assumed_frame(model: str) -> str | None:
    """A sentence for the user where the frame of a model's boxes is assumed, else None."""
    family = family_of(model)
    if family.doubt is None:
        return None
    return (
        f"boxes of {model} are taken for {family.frame}, which is assumed: {family.doubt}; "
        "name the frame with --bbox-frame pixel, norm1000 or norm1000_yx"
    )
