r"""Writes the slots of an answer as the prompt does, where a teacher spells them otherwise.

`<Answer>` in capitals, `boxed{...}` whose backslash was swallowed, `\fbox{...}`, one box for each
number, and the box tokens of GLM are meant as the slots that were asked for.
"""

import re
from collections.abc import Callable

from geostore.answers.slots import BOX, gives_pair, mark_boxes
from geostore.answers.text import tail

_TAG = re.compile(
    # Not one that is as it should be, which most are.
    r"(?:<(?!(?-i:/?answer>))|&lt;|＜)(/?)\s?(?:final_)?answer(?:\s\w{1,20}=[^<>\n]{0,40})?\s?(?:>|&gt;|＞)",
    re.IGNORECASE,
)
_OTHER_BOX = re.compile(
    r"(?:(?<![\\A-Za-z])boxed|\x08oxed|\\(?:fbox|framebox))\s?\{([^{}\n]{3,100})\}"
)
_TWO_BOXES = re.compile(
    r"\\boxed ?\{([^{}\n]{1,40})\}([\s$,;&()]{1,8}(?:and[\s$]{1,4})?)\\boxed ?\{([^{}\n]{1,40})\}"
)
_LON_BEFORE = re.compile(r"(?:longitude|lon|lng|经度|經度|経度)[^\n]{0,40}\Z", re.IGNORECASE)
_REACH = 4_096


def with_usual_slots(text: str) -> str:
    """`text` with its slots as they were asked for; all else stays as it is."""
    if "<" in text or "&lt;" in text or "＜" in text:
        text = _TAG.sub(r"<\1answer>", text)
    boxes = text.count("box")
    if boxes > text.count(BOX) or "\x08oxed" in text:
        text = _at_end(_OTHER_BOX, _as_box, text)
    if boxes > 1:
        text = _at_end(_TWO_BOXES, _as_one_box, text)
    return mark_boxes(text)


def _at_end(pattern: re.Pattern[str], as_box: Callable[[re.Match[str]], str], text: str) -> str:
    end = tail(text, limit=_REACH)
    return text[: len(text) - len(end)] + pattern.sub(as_box, end)


def _as_box(box: re.Match[str]) -> str:
    return f"{BOX}{{{box[1]}}}" if gives_pair(box[1]) else box[0]


def _as_one_box(boxes: re.Match[str]) -> str:
    pair = f"{boxes[1]}, {boxes[3]}"
    one_each = not gives_pair(boxes[1]) and not gives_pair(boxes[3]) and gives_pair(pair)
    lon_first = _LON_BEFORE.search(boxes.string, max(0, boxes.start() - 60), boxes.start())
    return f"{BOX}{{{pair}}}" if one_each and not lon_first else boxes[0]
