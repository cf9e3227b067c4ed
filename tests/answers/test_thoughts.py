"""Thoughts in every known delimiter: parted from the words, put together again, never an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geostore.answers import has_answer, parse_answer
from geostore.answers.thoughts import TAGS, split_thought, unknown_delimiter, visible_text

CAIRO = "Maybe Cairo: \\boxed{30.0444, 31.2357}? No, the poles are American."
KANSAS = "The place is in Kansas.\nLatitude: 39.25, Longitude: -98.75"

PAIRS = [
    *TAGS,
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    (
        "<|start|>assistant<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
]
WORDED = [
    ("Here is my thought process:", "Here is my response:"),
    ("Here's my thought process:", "Here's my response:"),
    ("analysis", "assistantfinal"),
]
LONE = [close for _, close in PAIRS if close != "<|end|>"]
EDGES = sorted({edge for pair in PAIRS + WORDED for edge in pair})


@pytest.mark.parametrize("blank", ["", "\n\n"])
@pytest.mark.parametrize(("opener", "closer"), PAIRS + WORDED)
def test_a_thought_in_a_known_delimiter_is_parted_and_never_read(
    opener: str, closer: str, blank: str
) -> None:
    if blank and opener == "analysis":
        return  # the server that leaves it writes it first
    content = f"{blank}{opener}{CAIRO}{closer}{KANSAS}"
    thought = split_thought(content)
    assert thought is not None
    assert (thought.opener, thought.closer) == (blank + opener, closer)
    assert (thought.text, thought.rest) == (CAIRO, KANSAS)
    answer = parse_answer(content)
    assert (answer.lat, answer.lon, answer.form) == (39.25, -98.75, "labelled")


@pytest.mark.parametrize("closer", LONE)
def test_a_thought_whose_first_delimiter_the_chat_template_wrote_is_parted(closer: str) -> None:
    thought = split_thought(f"{CAIRO}{closer}{KANSAS}")
    assert thought is not None
    assert (thought.opener, thought.text, thought.closer) == ("", CAIRO, closer)
    assert parse_answer(f"{CAIRO}{closer}{KANSAS}").lat == 39.25


@pytest.mark.parametrize("opener", sorted({opener for opener, _ in PAIRS}))
def test_a_thought_that_is_cut_before_its_closing_delimiter_is_no_answer(opener: str) -> None:
    content = f"{opener}{CAIRO} Let me compare with"
    thought = split_thought(content)
    assert thought is not None
    assert (thought.closer, thought.rest) == ("", "")
    assert not has_answer(content)
    assert parse_answer(content).failure == "no_coordinates"


@pytest.mark.parametrize(
    "content",
    [
        "It is in Kansas. <thinking>really?</thinking> Yes.",
        "Here is my thought process: the poles are American.",
        "analysis of the poles: American",
        "no thought at all",
        "",
    ],
)
def test_words_before_a_thought_and_openings_in_words_are_no_thought(content: str) -> None:
    assert split_thought(content) is None


@pytest.mark.parametrize(
    ("response", "aloud"),
    [
        ("a<think>b</think>c", "a\nc"),
        ("a<think>b", "a"),
        ("b</think>c", "c"),
        ("a<think>b</think>c</think>d", "d"),
        ("<think>a<think>b</think>c", "\nc"),
        ("a<think>b</think>c<think>d</think>e", "a\nc\ne"),
        ("a[THINK]b[/THINK]c[THINK]d[/THINK]e", "a\nc\ne"),
        ("a◁think▷b", "a"),
        ("b◁/think▷c", "c"),
        ("a<thinking>b<think>c</think>d</thinking>e", "a\ne"),
        ("[THINK]I may write </think> here[/THINK]c", "\nc"),
        ("<think>b</thinking>c", "c"),
        ("<Think>b</think>c", "c"),
        ("Thinking of b</Thinking>c", "c"),
        ("<think >b</think >c", "\nc"),
        ("<unused94>thought\nb<unused95>c", "\nc"),
        ("a<|think|>b", "a"),
        ("I may use [THINK] here</think>c", "c"),
        ("<|end|>c", "<|end|>c"),
        (
            "<|channel|>analysis<|message|>a<|end|>"
            "<|start|>assistant<|channel|>analysis<|message|>b<|end|>"
            "<|start|>assistant<|channel|>final<|message|>c<|return|>",
            "\n\nc<|return|>",
        ),
        ("Here is my thought process: a Here is my response: c", " c"),
        ("Here is my thought process: a", "Here is my thought process: a"),
    ],
)
def test_thoughts_are_not_said_aloud(response: str, aloud: str) -> None:
    assert visible_text(response) == aloud


CONTENTS = st.lists(
    st.one_of(st.sampled_from(EDGES), st.sampled_from([" ", "\n", "a", "<", "…"]), st.text()),
    max_size=8,
).map("".join)


@given(CONTENTS)
def test_the_parts_of_a_thought_are_the_whole_content(content: str) -> None:
    thought = split_thought(content)
    if thought is not None:
        assert thought.opener + thought.text + thought.closer + thought.rest == content
        assert "…" not in thought.opener + thought.closer


@given(CONTENTS)
def test_what_is_said_aloud_stands_after_the_thought(
    content: str,
) -> None:
    thought = split_thought(content)
    if thought is not None:
        pieces = visible_text(content).split("\n")
        assert all(piece in thought.rest for piece in pieces if piece.strip())


@pytest.mark.parametrize(
    ("response", "odd"),
    [
        ("<reflection>Cairo?</reflection> Kansas", True),
        ("<scratchpad>Cairo?</scratchpad> Kansas", True),
        ("<|thinking|>Cairo?<|/thinking|> Kansas", True),
        ("<x:think>Cairo?</x:think> Kansas", True),
        ("<Reflection>Cairo?</Reflection> Kansas", True),
        ("<antThinking>Cairo?</antThinking> Kansas", True),
        ("<reasoning_content>Cairo?</reasoning_content> Kansas", True),
        ("<inner_thoughts>Cairo?</inner_thoughts> Kansas", True),
        ("<｜think｜>Cairo?<｜/think｜> Kansas", True),
        ("<｜begin▁of▁thinking｜>Cairo?<｜end▁of▁thinking｜> Kansas", True),
        ("&lt;think&gt;Cairo?&lt;/think&gt; Kansas", True),
        ("\\<think\\>Cairo?\\</think\\> Kansas", True),
        ("[think]Cairo?[/think] Kansas", True),
        ("<Think>Cairo?</Think> Kansas", False),
        ("[REASONING]Cairo?[/REASONING] Kansas", True),
        ("<chain_of_thought>Cairo?</chain_of_thought>", True),
        ("<think>Cairo?</think> Kansas", False),
        ("<think>in <reflection> mode</think> Kansas", False),
        ("[THINK]Cairo?[/THINK] Kansas", False),
        ("<THINK>Cairo?</THINK> Kansas", False),
        ("<|open|>think<|sep|>Cairo?<|close|>think<|sep|><|open|>response<|sep|>Kansas", False),
        ("I think <b>Kansas</b> is [reasoning](https://example.org)", False),
        ("<answer>\\boxed{1.5, 2.5}</answer> <tool_call>", False),
        ("the reflection in the window > 2 m and < 3 m", False),
    ],
)
def test_what_looks_like_an_unknown_delimiter_is_noticed(response: str, odd: bool) -> None:
    assert (unknown_delimiter(response) is not None) is odd
