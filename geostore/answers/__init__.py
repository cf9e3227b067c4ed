"""Coordinates from text: the forms an answer can take, and the parser that ranks them."""

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
