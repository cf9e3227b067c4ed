"""Counts the tokens of a text: with a student's own tokenizer, or by a stated factor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from geostore.errors import ExportError

USUAL_FACTOR = 3.7
"""Characters of a token where neither a tokenizer nor a factor is given.

Measured with Qwen's tokenizer on the prompts of this program and English replies: 3.7 to
4.7 in prose and schemas, less in calls and sentences about boxes.
"""

WIDE_FACTOR = 1.4
"""Characters of a token in Chinese, Japanese and Korean, measured with the same tokenizer."""

_FOREIGN = 0.6  # what an alphabet other than the Latin one has of the factor: 2.2 to 2.8, measured
_DIGITS = b"0123456789"  # each is a token of its own
_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"
)
_FACTOR = re.compile(r"factor:(\d+(?:\.\d+)?)")
_REMEMBERED = 256  # prompts and sentences that stand in every row
_ROOM = 1.1  # an estimate may be this much too low


class TextTokens:
    """Counts tokens of texts.

    tokenizer: the path of a ``tokenizer.json``; ``factor:X``, X characters a token; None: the
    usual factor. Raises ExportError where it is neither, or cannot be read.
    """

    def __init__(self, tokenizer: str | None = None) -> None:
        file = None if tokenizer is None else tokenizer_file(tokenizer)
        self.is_exact = file is not None
        """Whether a tokenizer counts; False: it is an estimate."""
        self.words: str
        """How it is counted, in words that go on after "by"."""
        count: Callable[[str], float]
        if tokenizer is not None and file is not None:
            self.words = f"the tokenizer {Path(tokenizer).name}"
            count = _read(tokenizer, file)
        else:
            factor = (None if tokenizer is None else _factor(tokenizer)) or USUAL_FACTOR
            self.words = f"an estimate of {factor:g} characters a token"
            count = _Estimate(factor).tokens
        self.count: Callable[[str], float] = lru_cache(_REMEMBERED)(count)
        """The tokens of a text, without any that a chat template adds."""

    @property
    def room(self) -> float:
        """By how much a limit of the length has to be larger, as a factor."""
        return 1.0 if self.is_exact else _ROOM


class _Estimate:
    def __init__(self, factor: float) -> None:
        self._factor = factor

    def tokens(self, text: str) -> float:
        data = text.encode(errors="replace")
        digits = len(data) - len(data.translate(None, _DIGITS))
        if len(data) == len(text):
            return digits + (len(text) - digits) / self._factor
        wide = len(_WIDE.findall(text))
        plain = len(text.encode("ascii", errors="ignore")) - digits
        foreign = len(text) - digits - plain - wide
        foreign_tokens = foreign / (self._factor * _FOREIGN)
        return digits + plain / self._factor + wide / WIDE_FACTOR + foreign_tokens


def _factor(tokenizer: str) -> float | None:
    """The factor in ``factor:X``; None for a path."""
    if not tokenizer.startswith("factor:"):
        return None
    match = _FACTOR.fullmatch(tokenizer)
    if match is None or not 0.1 <= float(match[1]) <= 100 or not math.isfinite(float(match[1])):
        raise ExportError(
            f"--tokenizer {tokenizer}: the factor is a number of characters from 0.1 to 100, "
            f"such as factor:{USUAL_FACTOR}"
        )
    return float(match[1])


def tokenizer_file(tokenizer: str) -> Path | None:
    """The file that counts tokens; None: a factor does. A folder is for its ``tokenizer.json``."""
    if _factor(tokenizer) is not None:
        return None
    path = Path(tokenizer)
    return path / "tokenizer.json" if path.is_dir() else path


def _read(path: str, file: Path) -> Callable[[str], float]:
    """The counting function of a file. path: as it was asked for."""
    if not file.is_file():
        raise ExportError(
            f"--tokenizer {path}: there is no such file; name a tokenizer.json, or factor:X for X "
            "characters a token"
        )
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ExportError(
            f"--tokenizer {path} needs the package tokenizers: pip install tokenizers, or give "
            f"factor:X for X characters a token"
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises bare Exception
        raise ExportError(f"--tokenizer {path} cannot be read as a tokenizer: {error}") from error
    # A file may say how long rows are where it was trained; here each token counts.
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(text: str) -> float:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count
