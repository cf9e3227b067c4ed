"""Compares what a trainer sees of an export with what has to be trained on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageStat

from geostore.conversation.limits import NOT_SHOWN
from geostore.export.student.placeholders import unescape_placeholders
from tests.formats.wanted import Context, Reply, Row

PAD = "<|vision_start|><|image_pad|><|vision_end|>"
_BEGIN, _END = "<|im_start|>assistant\n", "<|im_end|>"
_LONGER = 0.02
"""By how much a length may be said to be too large: templates part messages a little otherwise."""
_FRAME = re.compile(r"<\|im_start\|>\w+\n?|<\|im_end\|>|</?tool_response>|<think>\s*</think>")
"""What the students' templates put around messages and results."""
_TOLERANCE = 0.04
"""Of a mean colour: the processors resize an image by up to half a patch."""


def differences(
    rows: Sequence[dict[str, Any]], wanted: Sequence[Row], *, exact: bool, images: bool = True
) -> list[str]:
    """What is wrong with the rows that a trainer saw; empty: nothing.

    rows: `seen.SeenRow` as JSON. exact: whether replies are learnt to the letter,
    else their words, thoughts and calls are compared. images: whether they are carried.
    """
    if len(rows) != len(wanted):
        return [f"{len(wanted)} rows are wanted, {len(rows)} are seen"]
    return [
        f"{want.name}: {text}"
        for row, want in zip(rows, wanted, strict=True)
        for text in _of_row(row, want, exact, images)
    ]


_TOLD = re.compile(
    r"(?:image (?P<photo>0), |Image (?P<number>\d+) \()(?P<width>\d+) x (?P<height>\d+) pixels"
)


def sizes_told(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Where a row tells the student another size of an image than the student sees."""
    faults: list[str] = []
    compared = 0
    for row in rows:
        text = row["text"]
        told = [
            (int(match["width"]), int(match["height"]))
            for match in _TOLD.finditer(text)
            if not text[match.end() :].partition("\n")[0].endswith(NOT_SHOWN)
        ]
        if not told:
            continue  # without tools
        seen = [tuple(image["size"]) for image in row["images"]]
        compared += len(seen)
        if told != seen:
            faults.append(f"{told} are told and {seen} seen")
    return faults if compared > len(rows) else [*faults, f"only {compared} sizes are told"]


def length_told(readme: str, rows: Sequence[dict[str, Any]], *, exact: bool) -> list[str]:
    """Where the README of an export tells another length than that of the longest row.

    exact: whether the calls are text; a template that writes them itself takes fewer tokens.
    """
    longest = max(row["tokens"] for row in rows)
    told = int(re.findall(r"rows\s+has\s+([\d,]+)\s+tokens", readme)[0].replace(",", ""))
    if longest <= told <= longest * (1 + (_LONGER if exact else 3 * _LONGER)):
        return []
    return [f"the longest row has {longest} tokens, and the README says {told}"]


def _of_row(row: dict[str, Any], want: Row, exact: bool, with_images: bool) -> Iterator[str]:
    learnt = [part for part in want.parts if isinstance(part, Reply) and part.learn]
    if len(row["learnt"]) != len(learnt):
        yield f"{len(learnt)} replies are to be learnt, {len(row['learnt'])} stretches are"
        return
    for number, (stretch, reply) in enumerate(zip(row["learnt"], learnt, strict=True), 1):
        for text in _of_reply(stretch, reply, exact):
            yield f"reply {number}: {text}"
    contexts = _contexts(row["text"], row["learnt"])
    if contexts is None:
        yield "images are under loss"
        return
    wanted = list(_wanted_contexts(want))
    for number, (text, context) in enumerate(zip(contexts, wanted, strict=False), 1):
        images = text.count(PAD)
        if with_images and images != context.images:
            yield f"context {number}: {context.images} images are wanted, {images} stand there"
        rest = text.replace(PAD if with_images else "<image>", "")
        rest = unescape_placeholders(rest)
        for line in context.lines:
            before, separator, behind = rest.partition(line)
            if not separator:
                yield f"context {number} lacks {line!r}"
                break
            rest = before + behind
        else:
            # The first one holds the tools too, in the words of the template.
            if number > 1 and context.only and (extra := _FRAME.sub("", rest).strip()):
                yield f"context {number} holds {extra!r} too"
            results = text.count("<tool_response>\n")
            if context.only and results != context.results:
                yield f"context {number} holds {results} results instead of {context.results}"
    if contexts[-1].strip():
        yield f"behind the last reply stands {contexts[-1]!r}"
    for text in want.tools:
        if text not in row["text"]:
            yield f"of the tools {text!r} is not in the prompt"
    for name, value in row["facts"].items():
        if value != want.facts[name]:
            yield f"its {name} is {value!r} instead of {want.facts[name]!r}"
    if with_images:
        yield from _of_images(row, want)


def _of_reply(stretch: str, reply: Reply, exact: bool) -> Iterator[str]:
    text = stretch.removeprefix(_BEGIN)
    if not text.rstrip("\n").endswith(_END):
        yield f"it does not end with {_END}"
    text = unescape_placeholders(text.rstrip("\n").removesuffix(_END))
    if exact and text != reply.text:
        yield f"{text!r} is learnt instead of {reply.text!r}"
    learnt = Reply(text)
    for name in ("thought", "prose", "calls"):
        seen, wanted = getattr(learnt, name), getattr(reply, name)
        if seen != wanted:
            yield f"its {name} {seen!r} is learnt instead of {wanted!r}"


def _contexts(text: str, learnt: Sequence[str]) -> list[str] | None:
    """What stands before each stretch that is learnt, and behind the last.

    None where a stretch is not in the row, in which each image is one token.
    """
    contexts = []
    # From the end: where the last reply alone is learnt, an earlier one may say the same.
    for stretch in reversed(learnt):
        text, separator, behind = text.rpartition(stretch)
        if not separator:
            return None
        contexts.append(behind)
    return [text, *reversed(contexts)]


@dataclass
class _Between:
    """What has to stand between two replies that are learnt; other replies are lines too."""

    lines: list[str] = field(default_factory=list)
    images: int = 0
    results: int = 0
    only: bool = True
    """Whether nothing else may stand there; a reply that is not learnt has calls as well."""


def _wanted_contexts(want: Row) -> Iterator[_Between]:
    between = _Between()
    for part in want.parts:
        if isinstance(part, Context):
            between.lines += part.lines
            between.images += part.images
            between.results += part.results
        elif part.learn:
            yield between
            between = _Between()
        else:
            between.lines += part.lines
            between.only = False


def _of_images(row: dict[str, Any], want: Row) -> Iterator[str]:
    if len(row["images"]) != len(want.images):
        yield f"{len(want.images)} images are wanted, the pixels of {len(row['images'])} come"
        return
    tokens = 0
    for number, (seen, image) in enumerate(zip(row["images"], want.images, strict=True)):
        (width, height), corner = seen["size"], seen["corner"]
        tokens += (width // corner) * (height // corner)
        if max(abs(width - image.width), abs(height - image.height)) > corner / 2:
            yield f"image {number} has {width} x {height} pixels instead of {image.size}"
        elif _differs(image.resize((width, height)), seen["colours"], corner):
            yield f"image {number} is another"
    if row["pads"] != tokens:
        yield f"{row['pads']} tokens stand for images of {tokens}"


def _differs(image: Image.Image, colours: Sequence[Sequence[float]], corner: int) -> bool:
    width, height = image.size
    parts = (
        image.crop((0, 0, corner, corner)),
        image.crop((width - corner, height - corner, width, height)),
        image,
    )
    return any(
        abs(mean / 255 - seen) > _TOLERANCE
        for part, colour in zip(parts, colours, strict=True)
        for mean, seen in zip(ImageStat.Stat(part).mean, colour, strict=True)
    )
