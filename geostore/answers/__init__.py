"""Reads coordinates from text: the forms of an answer, and the parser that ranks them."""

from geostore.answers.parser import (
    FAILURES,
    FORMS,
    PARSER_VERSION,
    has_answer,
    parse_answer,
)

__all__ = [
    "FAILURES",
    "FORMS",
    "PARSER_VERSION",
    "has_answer",
    "parse_answer",
]
