"""The words with which servers say that a conversation is too large for them.

Three limits: so many images in a conversation, so many tokens in a context, so many
bytes or pixels in a request or an image. The patterns are read by the table of
statuses, and each sentence says which settings help.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from geostore.records import LimitKind


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


IMAGE_LIMIT_WORDS = _any_of(
    r"\b(at most|up to|only( \w+)?|maximum (of )?) ?(\d+|one|a single) "
    r"image(s|\(s\)|\b(?! (format|type)))",
    r"too many images?\b(?! (requests|per))",
    r"\bimage=\d+ [^.]{0,40}\blimit[-_]mm[-_]per[-_]prompt",
    r"\bmore than \d+ images?\b|\bimages? but only \d+ (is|are) allowed",
    r"\bmany-images?\b",  # Anthropic allows smaller images where there are more than 20
    r"\b(number|count|amount) of images?\b[^.]{0,60}(exceed|must|should|limit|most|max|<=|<)",
    r"\bmax(imum)? (number of |allowed |count of )?images\b",
    r"\blimit (of|on|for) (the )?(number of )?images\b",
    r"\bimages?[ _-](count|number)s?\b[^.]{0,40}(exceed|limit|max)",
    r"\bimages? (per|in a|in one) (request|prompt|message)s?\b[^.]{0,30}(exceed|limit|max)",
    "\u56fe\u7247(\u6570\u91cf|\u4e2a\u6570|\u5f20\u6570)",  # number of images
)
_CONTEXT = r"(model'?s? |available |maximum |allowed |supported |max )*(context|sequence|model)"
CONTEXT_LIMIT_WORDS = _any_of(
    r"\bmax(imum)? (model |input )?(context|prompt|sequence|input) length",
    r"context[ _-]?(length|window|size|limit)s?[ _]?(is |was |has been )?exceed",
    rf"exceed(s|ed|ing)? (the |this |your )?{_CONTEXT}[ _-](length|window|size|limit)",
    rf"(greater|more|longer|larger) than (the |this )?{_CONTEXT}[ _-]?(\w+ )?(length|window|size)",
    r"\b(prompt|input|conversation|messages?)( \([^)]{0,60}\))? (is|are|was) too long",
    r"context length (of |is )only|exceeds? (the )?max_model_len",
    r"exceed_context_size|contextwindowexceeded|tokens_limit_reached|max size: \d+ tokens",
    r"\b(input|prompt) token count\b[^.]{0,40}(exceed|but)",
    r"exceed\w* (the )?(model'?s? )?(token|context|prompt) limit",
    r"\btokens\b[^.]{0,40}\bexceeds? (the )?max|token length exceed",
    r"(prompt|input)( length)? exceeds? (the )?max|range of input length",
    r"\binputs?`? tokens \+|\binputs?`? must have less than \d+ tokens",
    r"too many (input |prompt )?tokens\b[^.]{0,60}\b(exceed|maximum|limit|prompt)",
    r"reduce the length of (the|your) (messages?|prompts?|inputs?)",
    r"too many input tokens\b|reached context length",
    "\u8d85\u957f",  # too long
    # More than the context or the greatest length.
    "(\u8d85\u8fc7|\u8d85\u51fa).{0,12}(\u4e0a\u4e0b\u6587|\u6700\u5927\u957f\u5ea6)",
)
TOO_LARGE_FOR_A_RATE_WORDS = _any_of(r"\brequest too large for\b")
"""A single request that is larger than what a minute allows, so no wait can help."""

_NOT_OF_SIZE = r"(?![^.]{0,60}\b(ratio|time|timeout|seconds|number|count)\b)"
_BODY = r"(payload|body|entity|(request|content|file|data)[ _-](body[ _-])?(size|length|bytes))"
SIZE_LIMIT_WORDS = _any_of(
    rf"\bimages?\b{_NOT_OF_SIZE}[^.]{{0,60}}\bexceed",
    r"\b(image|picture|photo)s?( \w+){0,3} (is|are|was) too (large|big)\b",
    r"\b(image|picture|photo)s?[ _](file[ _])?too[ _](large|big)\b",
    r"\bimage size is (beyond|over|above|larger|greater)",
    rf"\b(request|content|file|data|{_BODY})[ _]?(is |was )?too[ _]?(large|big)\b",
    rf"\b{_BODY}\b{_NOT_OF_SIZE}[^.]{{0,40}}\b(exceed|too large)",
    r"\brequest (\w+ ){0,2}exceeds? the (maximum|max|allowed)( allowed)? size",
    r"\brequest size limit|\bmax bytes per",
    r"(\bmessages\S{0,80}|\bimage_url\S{0,20}) string too long",
    r"decompression bomb",
)

LIMIT_HELP: Mapping[LimitKind, str] = {
    "image_limit": (
        "let the server take {images} images (vLLM: --limit-mm-per-prompt "
        "'{{\"image\": {images}}}'), or keep below its limit with --max-images"
    ),
    "context_limit": (
        "give the server a longer context (vLLM: --max-model-len; llama.cpp: --ctx-size), or ask "
        "for less: --max-images, --max-turns, --max-tokens, --max-pixels, --zoom-side"
    ),
    "size_limit": (
        "let the server or the proxy before it take larger requests (nginx: "
        "client_max_body_size), or send less: --max-pixels, --zoom-side, --max-images"
    ),
}
"""What to set where a server refuses a conversation for its size, by the kind of limit.
``{images}`` stands for the number of images that a conversation may come to."""
