"""Long lines of Markdown are broken between words, and what is copied stays whole."""

from __future__ import annotations

from geostore.text.markdown import wrap_markdown


def test_prose_is_broken_and_goes_on_under_its_item() -> None:
    assert wrap_markdown("one two three\n- one two three four", 14).split("\n") == [
        "one two three",
        "- one two",
        "  three four",
    ]


def test_code_headings_and_tables_stay_as_they_are() -> None:
    text = "\n".join(
        ("# A long heading", "", "```shell", "a command --with options", "```", "| a | long row |")
    )
    assert wrap_markdown(text, 10) == text


def test_a_code_in_a_sentence_stays_on_one_line() -> None:
    assert wrap_markdown("say `train this now` and go", 12).split("\n") == [
        "say",
        "`train this now`",
        "and go",
    ]
