"""Finds what a response says by name: JSON members and labelled lines, and where they may stand.

A passage is a slot of the answer or the end of the whole response. In each, the readers of place
words and of a confidence ask for the values of the names that they know. Of several JSON objects
the last counts, as it does for coordinates; of several labelled blocks that disagree, the one that
is called final or holds the coordinates, and otherwise none.

Only passages of bounded size are searched, so the time is linear in the response.
"""

import json
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from geostore.answers.slots import BOX, CLOSE_ANSWER, CLOSE_TOKEN, OPEN_ANSWER, OPEN_TOKEN
from geostore.answers.text import tail

_MAX_SLOT = 4_096
_MAX_BOX = 1_000
_LONGEST_VALUE = 220
"""Characters of a value that are looked at; a longer one is a sentence."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A value that the teacher gives under a name."""

    name: str
    """The name as it is looked up: lower case, one blank between words."""
    value: str
    """As written, with its markup."""
    note: str = ""
    """What stands in parentheses behind the name, such as ``1-5``."""
    start: int = 0
    """Offset of the name in its passage."""
    end: int = 0
    """Offset after the value."""


# --- passages -----------------------------------------------------------------------------------

_BOX_CONTENT = re.compile(r"\\boxed\s{0,4}\{((?:[^{}]|\{[^{}]{0,200}\}){0,1000})\}")
_ELEMENT = re.compile(
    r"<(?P<name>(?!answer>)[a-z_]{4,18})>\s{0,8}(?P<value>[^<>\n]{1,100}?)\s{0,8}</(?P=name)>"
)


def slots_of(text: str) -> list[str]:
    r"""The contents of the last <answer> and of the last \boxed{...}, if there are any."""
    contents = []
    opened = text.rfind(OPEN_ANSWER)
    if opened >= 0:
        start = opened + len(OPEN_ANSWER)
        close = text.find(CLOSE_ANSWER, start)
        contents.append(text[start : len(text) if close < 0 else close][:_MAX_SLOT])
    at = text.rfind(BOX)
    box = _BOX_CONTENT.match(text, at, at + _MAX_BOX) if at >= 0 else None
    if box:
        contents.append(box[1])
    return contents


def whole_answer(text: str) -> str:
    """The last <answer> that is closed, with its tags; empty without one."""
    close = text.rfind(CLOSE_ANSWER)
    opened = text.rfind(OPEN_ANSWER, 0, close) if close >= 0 else -1
    return text[opened : close + len(CLOSE_ANSWER)] if opened >= 0 else ""


def glm_box_of(text: str) -> str:
    """What the last box of GLM holds; empty where there is none, or it never closes."""
    opened = text.rfind(OPEN_TOKEN)
    close = text.find(CLOSE_TOKEN, opened) if opened >= 0 else -1
    return text[opened + len(OPEN_TOKEN) : close][:_MAX_SLOT] if close >= 0 else ""


def prose_of(text: str) -> str:
    """The end of a response in which statements are searched; elements become labelled lines."""
    prose = tail(text)
    if "</" in prose:
        prose = _ELEMENT.sub(r"\n\g<name>: \g<value>\n", prose)
    return prose


# --- JSON members -------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"(?P<mark>[{}\[\]])"
    r"|[\"'“](?P<key>[^\W\d_][\w /-]{1,29})[\"'”]\s{0,4}:\s{0,4}"
    r"(?:\"(?P<double>(?:[^\"\\\n]|\\.){0,200})\"|'(?P<single>[^'\n]{0,200})'"
    r"|“(?P<curly>[^”\n]{0,200})”|(?P<word>[^\s,{}\[\]\"'“]{1,40}))?"
)
_JSON_TEXT = r'"(?:[^"\\\n]|\\.){0,200}"'
_ONLY_ENTRY = re.compile(rf'("\s{{0,4}}:\s{{0,4}})\[\s{{0,8}}({_JSON_TEXT})\s{{0,8}}\]')
"""An array with one text is that text; one with several is a choice."""
_NAMED = re.compile(
    r'("(?:country|region|state|province|city|town)"\s{0,4}:\s{0,4})'
    rf'\{{\s{{0,8}}"name"\s{{0,4}}:\s{{0,4}}({_JSON_TEXT})',
    re.IGNORECASE,
)
"""A place as an object that begins with its name."""
_ASIDE = re.compile(
    r"alternat|candidate|other|runner|second|possib|reason|evidence|clue|example|reject|hypothes"
    r"|confid|certain|probab|备选|候选|其他",
    re.IGNORECASE,
)
"""Keys of objects whose members say nothing of the answer itself."""
_LAT_KEY = re.compile(r"(?:[a-z]+ )?lat(?:itude)?(?: [a-z]+)?")
_MAX_TOKENS = 2_000


@dataclass(slots=True, eq=False)
class _Node:
    """An object or an array of JSON, as far as it can be followed in broken text."""

    parent: "_Node | None"
    key: str
    is_array: bool
    chain: tuple["_Node", ...] = field(init=False)
    """The node itself, and those around it, the nearest first."""

    def __post_init__(self) -> None:
        around = self.parent.chain if self.parent else ()
        self.chain = (self, *around[:_DEEPEST])


_DEEPEST = 24


def find_members(text: str, names: Container[str]) -> dict[str, str]:
    """The values of the members in `names` (see `label_key`), in the last object that has any.

    Beside coordinates, members of their own object count first, then those of the objects around
    it and beside it. A name with two different values there is left out.
    """
    if '":' not in text and "':" not in text and "”:" not in text and '" :' not in text:
        return {}
    if "[" in text:
        text = _ONLY_ENTRY.sub(r"\1\2", text)
    if "name" in text:
        text = _NAMED.sub(r'\1\2, "": {', text)
    members: list[tuple[str, str, _Node | None]] = []
    lat: _Node | None = None
    root: _Node | None = None
    for key, value, node in _iter_members(text):
        name = key if key in names else label_key(key)
        is_lat = "lat" in name and _LAT_KEY.fullmatch(name) is not None
        if not is_lat and name not in names:
            continue
        if node is None or node.chain[-1] is not root:
            members, lat = [], None
            root = node.chain[-1] if node else None
        if is_lat:
            lat = node
        else:
            members.append((name, value, node))
    return _nearest(members, lat)


def _iter_members(text: str) -> Iterator[tuple[str, str, _Node | None]]:
    node: _Node | None = None
    opened, opened_end = "", -1
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number >= _MAX_TOKENS:
            return
        kind = token.lastgroup
        if kind == "key":
            opened, opened_end = token["key"], token.end()
        elif kind != "mark":
            yield token["key"], _unescaped(token[kind or 0]), node
        elif token[0] in "{[":
            key = opened if opened_end == token.start() else ""
            node = _Node(node, key, token[0] == "[")
        elif node is not None:
            node = node.parent


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    try:
        text = json.loads(f'"{value}"')
    except ValueError:
        return value
    return str(text)


def _nearest(members: list[tuple[str, str, _Node | None]], lat: _Node | None) -> dict[str, str]:
    ranked: dict[str, dict[int, set[str]]] = {}
    for name, value, node in members:
        rank = _rank(node, lat)
        if rank is not None:
            ranked.setdefault(name, {}).setdefault(rank, set()).add(value)
    nearest = {name: by_rank[min(by_rank)] for name, by_rank in ranked.items()}
    return {name: next(iter(values)) for name, values in nearest.items() if len(values) == 1}


def _rank(node: _Node | None, lat: _Node | None) -> int | None:
    """How far a member's object is from that of the coordinates; None: it is not the answer's."""
    around = lat.chain if lat else ()
    own = node.chain if node else ()
    apart = [one for one in own if one not in around]
    if any(_ASIDE.search(one.key) for one in apart):
        return None
    if not apart:
        return around.index(node) if node in around else 0
    shared = apart[-1].parent
    if shared is not None and shared.is_array and lat is not None:
        return None  # another entry of a list of places
    return 100 + len(apart)


# --- labelled lines -----------------------------------------------------------------------------

_BEFORE = (
    r"(?:(?:the|my|final|most|likely|probable|estimated|predicted|inferred|best|identified|nearest"
    r"|closest|overall|specific|approximate|exact|photo|image)[ -]){0,3}+"
)
_BEHIND = r"(?: (?:name|guess|estimate|identified|prediction|level|score|rating))?"


_MARK = re.compile("[:：|=→–—-]")
"""What stands behind each label."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that a reader looks for."""

    pattern: re.Pattern[str]
    """What a labelled value begins with, of `line_pattern`."""
    hints: tuple[str, ...]
    """One of these stands in lower case in each line that has a label in ASCII."""
    foreign_hints: tuple[str, ...]
    """The same for labels in other letters."""

    def hints_in(self, lower: str) -> list[str]:
        """Those that a text in lower case holds; it has no label without any."""
        hints = [hint for hint in self.hints if hint in lower]
        if not lower.isascii():
            hints += [hint for hint in self.foreign_hints if hint in lower]
        return hints


def line_pattern(labels: str) -> re.Pattern[str]:
    """What a labelled value begins with: its label, one of the alternatives, and its separator."""
    return re.compile(
        r"[\n.,;|({>*:：，；。](?P<lead>[^\w\n]{0,16}+(?:\d{1,2}[.)][^\w\n]{1,6}+)?)"
        rf"{_BEFORE}(?P<label>{labels}){_BEHIND}"
        r"(?: ?[(（](?P<note>[^()（）\n]{0,30})[)）])?"
        r"[*_`\"'”]{0,4} ?(?:[:：=|→]|(?<=[*_]) ?[–—-](?= )|[–—](?= (?-i:[^\W\d_a-z])))[*_` ]{0,5}",
        re.IGNORECASE,
    )


_FINAL = re.compile(
    r"final|conclu|therefore|verdict|best[ -](?:guess|estimate)|answer"
    r"|最终|最後|结论|結論|综上|答案",
    re.IGNORECASE,
)
_COORDINATES = re.compile(
    r"(?<![a-z])(?:lat(?:itude)?|coordinates?|gps)(?![a-z])|坐标|座標|[纬緯]度"
    r"|[0-9]\.[0-9]{2,}[^0-9\n]{1,12}[0-9]{1,3}\.[0-9]{2,}",
    re.IGNORECASE,
)
_RULE_BELOW = re.compile(r"\n[ \t]*\|?[ \t]*:?-{2,}")
_OTHER_LABEL = re.compile(r"[;；,，] ?[*_]{0,2}[^\W\d_][\w ]{1,20}[*_]{0,2}[:：]")
_QUOTES = ('"', "'", "“")
_REACH = 300
"""Characters between two statements of one block."""
_MAX_STATEMENTS = 200


def find_lines(text: str, labels: Labels) -> list[Statement]:
    """Every labelled value in a passage, in the order of the text: "**Country:** France"."""
    # Most texts and lines hold no label; a search for fixed strings passes them over.
    hints = labels.hints_in(text.lower())
    if not hints:
        return []
    statements: list[Statement] = []
    start = 0
    for line in text.split("\n"):
        if _MARK.search(line):
            lower = line.lower()
            if any(hint in lower for hint in hints):
                statements += _in_line(text, line, start, labels.pattern)
        start += len(line) + 1
    return statements[:_MAX_STATEMENTS]


def _in_line(text: str, line: str, start: int, pattern: re.Pattern[str]) -> Iterator[Statement]:
    marked = f"\n{line}"
    # A quoted label is a member of JSON.
    labels = [one for one in pattern.finditer(marked) if not one["lead"].endswith(_QUOTES)]
    for label, following in zip_longest(labels, labels[1:]):
        in_table = label["lead"].lstrip().startswith("|") or "|" in label[0]
        if in_table and _RULE_BELOW.match(text, start + len(line)):
            continue  # the head of the table
        end = min(following.start() if following else len(marked), label.end() + _LONGEST_VALUE)
        yield Statement(
            label_key(label["label"]),
            _OTHER_LABEL.split(marked[label.end() : end].split("|")[0], maxsplit=1)[0],
            label["note"] or "",
            start + label.start(),
            start + end,
        )


def blocks_of(statements: list[Statement], kind: Callable[[str], str]) -> list[list[Statement]]:
    """Statements that stand together and say each kind of thing once."""
    blocks: list[list[Statement]] = []
    kinds: set[str] = set()
    for statement in statements:
        new = kind(statement.name)
        if not blocks or new in kinds or statement.start - blocks[-1][-1].end > _REACH:
            blocks.append([])
            kinds = set()
        blocks[-1].append(statement)
        kinds.add(new)
    return blocks


def final_block(text: str, blocks: list[list[Statement]], *, in_slot: bool) -> int | None:
    """Which of several blocks is the answer's; None where nothing shows it.

    in_slot: whether the coordinates stand in a box or an <answer>. Then those beside a block are
    a candidate's.
    """
    for number in range(len(blocks) - 1, -1, -1):
        start = blocks[number][0].start
        if _FINAL.search(_heading(text, start)):
            return number
    for number in range(len(blocks) - 1, -1, -1):
        after = blocks[number + 1][0].start if number + 1 < len(blocks) else len(text)
        span = text[blocks[number][0].start : min(after, blocks[number][-1].end + 120)]
        if not in_slot and _COORDINATES.search(span):
            return number
    return None


def _heading(text: str, start: int) -> str:
    """The line before a block, and what stands before it on its own."""
    before = text[max(0, start - 160) : start].rstrip()
    return "\n".join(before.split("\n")[-1:])


def label_key(label: str) -> str:
    """A label or a member's name as it is looked up."""
    return " ".join(label.lower().replace("_", " ").replace("-", " ").split())
