"""Prepare a teacher's words for the parser: unify characters and markup.

Nothing here decides what a number means. Every function is linear in its input. Call those that
rewrite text on pieces of bounded size (see `tail`): rewriting a megabyte character by character
would take longer than all the parsing after it.
"""

import re

from geostore.answers.languages import in_english
from geostore.answers.tables import tables_as_labels

WINDOW = 16_384
"""Characters at the end of the prose in which the weaker forms are searched."""

LETTERS = re.compile(r"[^\W\d_]{2}")
"""What a text without any word has not."""

_LINE_REACH = 200

_CHARACTERS = str.maketrans(
    {
        # Digits: full-width, Arabic-Indic, extended Arabic-Indic.
        **{chr(0xFF10 + digit): str(digit) for digit in range(10)},
        **{chr(0x0660 + digit): str(digit) for digit in range(10)},
        **{chr(0x06F0 + digit): str(digit) for digit in range(10)},
        # Hemisphere letters in full width.
        **{chr(0xFEE0 + ord(letter)): letter for letter in "NSEW"},
        # The minus sign, hyphens and the en dash; not the em dash, which stands between words.
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d", "-"),
        "\uff0b": "+",
        "\uff1d": "=",
        # Separators. The thousands separator is removed; the number is then out of range.
        **dict.fromkeys("\uff0c\u060c\u3001\ufe50", ","),
        **dict.fromkeys("\uff1b\u061b", ";"),
        **dict.fromkeys("\uff0e\u066b\ufe52", "."),
        "\u066c": None,
        "\uff1a": ":",
        "\uff0f": "/",
        "\uff5c": "|",
        "\uff08": "(",
        "\uff09": ")",
        "\u3010": "[",
        "\u3011": "]",
        "\uff5b": "{",
        "\uff5d": "}",
        "\uff05": "%",
        "\u066a": "%",
        # Degrees, minutes, seconds, and the quotes that are used for them.
        **dict.fromkeys("\u00ba\u02da\u2218", "°"),
        **dict.fromkeys("\u2018\u2019\u201b\u2032\u02b9\u02bc\u00b4\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u02ba\uff02\u00ab\u00bb", '"'),
        # Characters without width: direction marks, joiners, variation selectors.
        **dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u061c\u2060\ufeff\ufe0e\ufe0f", None),
        **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", None),
    }
)

_LATEX_DEGREE = re.compile(r"\^? ?\{? ?\\(?:circ|degree|textdegree|deg)(?![A-Za-z]) ?\}?")
_LATEX_SECONDS = re.compile(r"\^? ?\{? ?\\prime ?\\prime(?![A-Za-z]) ?\}?")
_LATEX_MINUTES = re.compile(r"\^? ?\{? ?\\prime(?![A-Za-z]) ?\}?")
_LATEX_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal)?|math(?:rm|bf|sf|it|tt)|operatorname|boxed)(?![A-Za-z]) ?"
    r"\{([^{}]{0,80})\}"
)
_LATEX_SPACE = re.compile(
    r"\\(?:[ ,;:!\n]|(?:q?quad|left|right|[Bb]igg?[lr]?|space|approx|sim)(?![A-Za-z]))"
)
_LATEX_INFINITY = re.compile(r"\\infty(?![A-Za-z])")
_ESCAPE = re.compile(r"""\\(?=["'{}()\[\]%_&#$])""")
_ESCAPED_LINE = re.compile(r"\\n(?![a-z])")
_LONE_SIGN = re.compile(r"\{([.,+-])\}")
EMPHASIS = re.compile("[*_`]+")
"""Marks of Markdown in prose, where an underscore is no part of a name."""
_MARKDOWN = re.compile(r"[*`$~]+")
_STRONG = re.compile(r"(?<!\w)__(?=[^\s_])|(?<=[^\s_])__(?!\w)")
_HTML = re.compile(r"</?(?:b|i|u|em|strong|code|span|font|p|td|tr|li|ul)>|<br ?/?>", re.IGNORECASE)
_ELEMENT = re.compile(
    r"<(?P<name>latitude|lat|longitude|long|lng|lon)>\s{0,8}(?P<value>[^<>\n]{1,40}?)\s{0,8}</(?P=name)>",
    re.IGNORECASE,
)
# How far off a number may be is no other number.
_TOLERANCE = (
    r"(?:±|\\pm(?![A-Za-z])|\+/ ?-) ?[0-9]{1,4}(?:[.,][0-9]{1,6})? ?"
    r"(?:°|(?i:degrees?|deg|km|miles?|mi|met(?:er|re)s|m)(?![A-Za-z]))?"
)
_TOLERANCES = re.compile(rf" ?(?:\( ?{_TOLERANCE} ?\)|{_TOLERANCE})(?![0-9])")
_MINUTES = re.compile(
    r"(?<![0-9.])(?P<deg>[0-9]{1,3}) ?deg(?:rees?)? (?P<min>[0-9]{1,2}(?:\.[0-9]{1,6})?)"
    r" ?min(?:utes?)?(?: (?P<sec>[0-9]{1,2}(?:\.[0-9]{1,6})?) ?sec(?:onds?)?)?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# Not a single blank, which stays as it is.
_BLANKS = re.compile(r" [^\S\n]+|[^\S\n ][^\S\n]*")
_LINES = re.compile(r" ?\n[ \n]*+")
_SLOT_LEFTOVERS = re.compile(r"\\boxed|[{}^]+")

_PLACEHOLDER = re.compile(r"place[- ]?holder|占位", re.IGNORECASE)
_COMMENT_MARKS = ("//", "#", "%", "/*", "<!--", "--", "(", "[")


def tail(text: str, *, limit: int = WINDOW) -> str:
    """The last `limit` characters of `text`, from the first break on, so that no number is cut.

    Empty where `text` is longer and those characters hold no break.
    """
    if len(text) <= limit:
        return text
    cut = text[-limit:]
    at_break = re.search(r"\s", cut)
    return cut[at_break.end() :] if at_break else ""


def normalise(text: str) -> str:
    """`text` with one spelling for each digit, sign, separator, quote and degree sign.

    LaTeX, Markdown and HTML around numbers become plain text, tolerances go, names in other
    languages become English, runs of blanks one space, runs of line
    breaks one line break. Braces stay, because they show where an object ends.
    """
    if not text.isascii():
        text = text.translate(_CHARACTERS)
    if "&deg;" in text:
        text = text.replace("&deg;", "°")
    if "±" in text or "\\pm" in text or "+/" in text:
        text = _TOLERANCES.sub("", text)
    if "<" in text:
        text = _HTML.sub(" ", _ELEMENT.sub(r"\n\g<name>: \g<value>\n", text))
    if "\\" in text:
        # These begin with what may be absent, so searching for them is slow.
        if "\\circ" in text or "\\deg" in text or "\\textdeg" in text:
            text = _LATEX_DEGREE.sub("°", text)
        if "\\prime" in text:
            text = _LATEX_SECONDS.sub('"', text)
            text = _LATEX_MINUTES.sub("'", text)
        text = _LATEX_TEXT.sub(r" \1 ", text)
        text = _LATEX_SPACE.sub(" ", text)
        text = _LATEX_INFINITY.sub(" infinity ", text)
        text = _ESCAPED_LINE.sub("\n", text)
        text = _ESCAPE.sub("", text)
    text = _MARKDOWN.sub(" ", text)
    if "__" in text:
        text = _STRONG.sub(" ", text)
    text = in_english(_BLANKS.sub(" ", text))
    if " min" in text:
        text = _MINUTES.sub(_as_signs, text)
    return tables_as_labels(_LINES.sub("\n", text))


def _as_signs(angle: re.Match[str]) -> str:
    seconds = f'{angle["sec"]}"' if angle["sec"] else ""
    return f"{angle['deg']}°{angle['min']}'{seconds}"


def normalise_slot(content: str) -> str:
    """Like `normalise`, for the inside of a box or an answer, where braces are markup and go."""
    text = _LONE_SIGN.sub(r"\1", normalise(content).replace("\\\\", " "))
    return _BLANKS.sub(" ", _SLOT_LEFTOVERS.sub(" ", text)).strip().lstrip("\"' ")


def says_placeholder(text: str, start: int, end: int) -> bool:
    """Whether a comment calls `text[start:end]` a placeholder.

    The comment is inside it, on the same lines, or alone on the line above.
    """
    start = max(start, end - 5 * _LINE_REACH)
    above, line = _lines_before(text, start)
    stop = text.find("\n", end, end + _LINE_REACH)
    nearby = text[line : stop if stop >= 0 else end + _LINE_REACH]
    if above.startswith(_COMMENT_MARKS) and _PLACEHOLDER.search(above):
        return True
    return any(
        mark in nearby[nearby.rfind("\n", 0, word.start()) + 1 : word.start()]
        for word in _PLACEHOLDER.finditer(nearby)
        for mark in _COMMENT_MARKS
    )


def _lines_before(text: str, start: int) -> tuple[str, int]:
    reach = max(0, start - _LINE_REACH)
    newline = text.rfind("\n", reach, start)
    if newline < 0:
        return "", reach
    before = text.rfind("\n", max(0, newline - _LINE_REACH), newline)
    return text[max(before + 1, newline - _LINE_REACH) : newline].strip(), newline + 1
