"""Tell a teacher's thoughts from its words by the delimiters that models put around thoughts.

A server with a reasoning parser sends thoughts in a field of their own. Without one they stand in
the content, in the delimiters of the model. They are never an answer and hold no calls, so every
reader of a response looks at `visible_text` alone.

Source of the delimiters: the reasoning parsers of vLLM and SGLang, the tags that Open WebUI hides,
and the models' own chat templates. Every function is linear in its input.
"""

import re
from dataclasses import dataclass

TAGS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),  # Qwen, DeepSeek, GLM and most others
    ("<thinking>", "</thinking>"),  # prompted models
    ("<thought>", "</thought>"),  # EXAONE Deep, Gemini's OpenAI endpoint
    ("<reasoning>", "</reasoning>"),  # prompted models
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("◁think▷", "◁/think▷"),  # Kimi-VL, Kimi-Dev
    ("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThoughts
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi K3
    ("<THINK>", "</THINK>"),  # prompted models, in capitals
    ("<THINKING>", "</THINKING>"),
    ("<Think>", "</Think>"),
    ("<Thinking>", "</Thinking>"),
    ("<thoughts>", "</thoughts>"),
    ("<think >", "</think >"),
    ("<|think|>", "<|/think|>"),
    ("<longcat_think>", "</longcat_think>"),  # LongCat
    ("<mm:think>", "</mm:think>"),  # MiniMax
    ("<unused94>thought", "<unused95>"),  # MedGemma
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
)
"""What begins a thought, and what ends it."""

# gpt-oss: the analysis ends with its message, or where the final channel begins.
_ANALYSIS = r"<(?:\|start\|>assistant<)?\|channel\|>analysis<\|message\|>"
_FINAL = r"<(?:\|end\|><)?(?:\|start\|>assistant<)?\|channel\|>final<\|message\|>"
_ANALYSIS_END = re.compile(rf"{_FINAL}|<\|end\|>")

# Words mark a thought only at the start and only in pairs, because anybody may begin like that.
_WORDED = re.compile(
    r"\s{0,8}Here(?: is|'s) my thought process:(?=.*?(Here(?: is|'s) my response:))"  # Granite
    # What is left of gpt-oss's channels where a server drops the special tokens.
    r"|analysis(?=.*?(assistantfinal))",
    re.DOTALL,
)

# Each alternative begins with a plain character, so that the search can skip all others quickly.
_EDGE = re.compile(
    "|".join([*(re.escape(tag) for pair in TAGS for tag in pair), _ANALYSIS, _FINAL])
)
_CLOSING = dict(TAGS)

_UNKNOWN_DELIMITER = re.compile(
    r"(?:<|&lt;|\\<|＜)[|｜/]{0,2}\s?(?:[a-z_]{1,20}[:_▁-]|ant|[a-z]{1,10}▁of▁)?"
    r"(?:thinks?|thinking|thoughts?|reason|reasoning|scratch_?pad|reflection|analysis|cot"
    r"|(?:inner_|internal_)?monologue|chain[ _-]of[ _-]thought)"
    r"(?:[_-](?:start|end|begin|block|process|content|engine))?"
    r"\s{0,2}[|｜/]{0,2}(?:>|&gt;|\\>|＞)"
    r"|[◁⟨«〈【]/?(?:think|thinking|thought|reasoning)[▷⟩»〉】]"
    r"|\[/?(?:think|thinking|thoughts?|reasoning|reason|cot)\](?!\()",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Thought:
    """A content that begins with a thought, in four parts; joined, they are the content."""

    opener: str
    """The delimiter before the thought; empty where the chat template wrote it."""
    text: str
    """The thought."""
    closer: str
    """The delimiter after it; empty where the thought was cut."""
    rest: str
    """What follows."""


def split_thought(content: str) -> Thought | None:
    """The thought that `content` begins with; None where it begins with none.

    A thought begins with its delimiter, or it has only the closing one, because
    some chat templates write the opening one into the prompt.
    """
    worded = _WORDED.match(content)
    if worded:
        return _parts(content, worded.end(), *worded.span(worded.lastindex or 0))
    edge = _EDGE.search(content)
    if edge is None:
        return None
    if not _opens(edge):
        return _parts(content, 0, edge.start(), edge.end())
    closed, is_own = _closing(content, edge, set())
    if not content[: edge.start()].strip():
        return _parts(content, edge.end(), *closed)
    # "I may use [THINK] here</think>": the words before are a thought, too.
    return None if is_own else _parts(content, 0, *closed)


def visible_text(response: str) -> str:
    """`response` without the thoughts in it, in whatever known delimiters.

    A thought that is never closed hides everything after its opening delimiter. A closing
    delimiter that was never opened (chat templates open it in the prompt) hides everything before.
    """
    worded = _WORDED.match(response)
    if worded:
        response = response[worded.end(worded.lastindex or 0) :]
    visible: list[str] = []
    start = 0
    never_closed: set[str] = set()
    for edge in _EDGE.finditer(response):
        if edge.start() < start:
            continue  # inside a thought
        if not _opens(edge):
            visible.clear()
            start = edge.end()
            continue
        visible.append(response[start : edge.start()])
        (end, start), is_own = _closing(response, edge, never_closed)
        if start == end:
            return "\n".join(visible)
        if not is_own:
            visible.clear()
    return "\n".join([*visible, response[start:]])


def unknown_delimiter(response: str) -> str | None:
    """What looks like a delimiter of thoughts, outside those that are known; None without any."""
    match = _UNKNOWN_DELIMITER.search(visible_text(response))
    return match[0] if match else None


def _opens(edge: re.Match[str]) -> bool:
    return edge[0] in _CLOSING or edge[0].endswith("analysis<|message|>")


def _closing(
    text: str, opened: re.Match[str], never_closed: set[str]
) -> tuple[tuple[int, int], bool]:
    """The span of the delimiter that closes a thought, and whether it is the thought's own.

    Without its own, a thought ends at the next closing delimiter of any kind (models mix them up),
    and without that at the end of the text, with an empty span. never_closed: opening delimiters
    that nothing after `opened` closes; kept from call to call, so that a text is searched once.
    """
    if opened[0] not in never_closed:
        tag = _CLOSING.get(opened[0])
        if tag is None:
            closed = _ANALYSIS_END.search(text, opened.end())
            if closed:
                return closed.span(), True
        elif (at := text.find(tag, opened.end())) >= 0:
            return (at, at + len(tag)), True
        never_closed.add(opened[0])
    for edge in _EDGE.finditer(text, opened.end()):
        if not _opens(edge):
            return edge.span(), False
    return (len(text), len(text)), True


def _parts(content: str, start: int, end: int, rest: int) -> Thought:
    return Thought(content[:start], content[start:end], content[end:rest], content[rest:])
