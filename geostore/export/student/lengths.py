"""How long the rows of an export are for a student, in tokens.

A trainer cuts a row, or leaves it out, at a length that is set before the training, and
most do so in silence. The length is a function of the rows, so an export measures it
while it writes and says which length to set.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from geostore.export.student.placeholders import escape_placeholders
from geostore.export.student.students import Student
from geostore.export.student.text_tokens import TextTokens

if TYPE_CHECKING:
    from geostore.export.options import ExportOptions, FormatRules
    from geostore.export.student.dialogue import Dialogue, Step

RowKind = Literal["trace", "turn", "question", "rollout"]
"""What a row of a format holds: a whole trace; one turn and all before it, so that a trace has as
many rows as turns; or the question alone. ``rollout``: the question alone as well, and what is
measured is how long the teacher's traces became, because a student's rollouts need as much."""

# The trainers' names for the greatest length of a row, and of a row that is a question.
_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "LLaMA-Factory": "cutoff_len",
        "TRL": "max_length",
        "ms-swift": "max_length",
        "verl": "data.max_length",
    }
)
_QUESTION_SETTINGS: Mapping[str, str] = MappingProxyType({"verl": "data.max_prompt_length"})
_STEP = 1024  # settings are multiples of this
_USUAL_SETTINGS = (1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)
_PERCENTILES = (50, 90, 99)
_BARS = 12
_BAR_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    first: int
    """The least number of tokens that counts."""
    last: int
    """The greatest."""
    rows: int
    """How many rows are so long."""


class _Length(NamedTuple):
    tokens: int
    """All tokens of a row."""
    of_images: int
    """Of them, those of its images."""
    trace: str
    """The name of its trace."""


class RowLengths:
    """The lengths of an export's rows. It holds a count for each length, and no rows.

    Whoever writes a row gives it to `add_row`, so that these are the rows of the files.
    student: whose tokens are counted. text: counts those of texts. rows: what a row is.
    setting_name: the trainer's name for the greatest length; None: it has none.
    why: why it is this student, in words that go on after a colon; None: the user named it.
    """

    def __init__(
        self,
        student: Student,
        text: TextTokens,
        *,
        rows: RowKind = "trace",
        setting_name: str | None = None,
        why: str | None = None,
    ) -> None:
        self.student = student
        self.text = text
        self.setting_name = setting_name
        self.why = why
        self.longest = 0
        """Tokens of the longest row; 0 without rows."""
        self.longest_name: str | None = None
        """The trace of the longest row; None without rows."""
        self.image_tokens = 0
        """Of all rows together, the tokens of images."""
        self.total = 0
        """Tokens of all rows together."""
        self.kind = rows
        """What is measured as one row."""
        self._units = "traces" if rows == "rollout" else "rows"
        self._counts: Counter[int] = Counter()
        self._of_systems: dict[str, float] = {}
        self._around = {role: self._tokens_around(role) for role in ("system", "user", "assistant")}

    def add_row(self, *read: Dialogue) -> None:
        """Count a row that is written.

        read: what the student reads of it, with no more steps than the row has. Of a pair these are
        two conversations, each read by itself, and the longer one counts.
        """
        self._count(max(map(self._length, read)))

    def _count(self, row: _Length) -> None:
        if row.tokens > self.longest:
            self.longest, self.longest_name = row.tokens, row.trace
        self._counts[row.tokens] += 1
        self.image_tokens += row.of_images
        self.total += row.tokens

    def _length(self, dialogue: Dialogue) -> _Length:
        trace = dialogue.exported.trace
        recipe = trace.key.recipe_sha256
        if recipe not in self._of_systems:
            # Counted once a recipe: the schemas of the tools take longer than all else.
            system = escape_placeholders(dialogue.system_with_tools or "")
            self._of_systems[recipe] = self._text_tokens("system", system)
        tokens = self._of_systems[recipe] + sum(map(self._step_tokens, dialogue.steps))
        sizes = [(image.facts.width, image.facts.height) for image in dialogue.images]
        images = sum(self.student.image_tokens(sizes))
        images += len(sizes) * self.student.image_extra_tokens
        return _Length(math.ceil(tokens) + images, images, trace.name)

    def _step_tokens(self, step: Step) -> float:
        from geostore.export.student.dialogue import Reply

        # With backslashes in placeholders, as formats write texts.
        if isinstance(step, Reply):
            return self._text_tokens(
                "assistant", escape_placeholders((step.reasoning or "") + step.text)
            )
        texts = (escape_placeholders(part) for part in step.parts if isinstance(part, str))
        return self._text_tokens("user", "".join(texts))

    def _text_tokens(self, role: str, text: str) -> float:
        return self.text.count(text) + self._around[role]

    def _tokens_around(self, role: str) -> float:
        """Of the chat template: two tokens of its own, the role, and two line feeds."""
        if not self.text.is_exact:
            return self.student.message_tokens
        return 2 + self.text.count(f"{role}\n") + self.text.count("\n")

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        return self._counts.total()

    @property
    def setting(self) -> int:
        """The least length to set in which every row fits, with room where it is an estimate."""
        return max(1, math.ceil(self.longest * self.text.room / _STEP)) * _STEP

    def cut_by(self, setting: int) -> int:
        """How many rows are longer than a setting."""
        return sum(rows for tokens, rows in self._counts.items() if tokens > setting)

    def percentile(self, percent: float) -> int:
        """The least length that so many of a hundred rows do not exceed; 0 without rows."""
        rank = math.ceil(self.rows * percent / 100)
        for tokens in sorted(self._counts):
            rank -= self._counts[tokens]
            if rank <= 0:
                return tokens
        return 0

    def histogram(self) -> list[Bar]:
        """At most twelve bars of one width, from the shortest row's to the longest row's."""
        if not self._counts:
            return []
        least = min(self._counts)
        width = _round_width((self.longest - least + 1) / _BARS)
        first = least // width * width
        bars: Counter[int] = Counter()
        for tokens, rows in self._counts.items():
            bars[(tokens - first) // width] += rows
        return [
            Bar(first + number * width, first + (number + 1) * width - 1, bars[number])
            for number in range(max(bars) + 1)
        ]

    def summary(self) -> str | None:
        """One sentence about the longest row; None without rows."""
        if not self._counts:
            return None
        tokens = f"{'' if self.text.is_exact else 'about '}{self.longest:,} tokens"
        name = self.setting_name or "the length"
        unit = self._units.removesuffix("s")
        return f"longest {unit} {tokens}; set {name} to at least {self.setting:,}"

    def section(self) -> str:
        """The section about length for the export's README, in Markdown; empty without rows."""
        if not self._counts:
            return ""
        name = f"`{self.setting_name}`" if self.setting_name else "the length"
        lines = [
            "## Length",
            "",
            f"Set {name} to at least **{self.setting:,}**. The longest of {self.rows:,} "
            f"{self._units} has "
            f"{self.longest:,} tokens (trace {self.longest_name}).",
            "",
            f"Counted for {self.student.title}{f' ({self.why})' if self.why else ''}: "
            f"{self._image_rule()} Text is counted by {self.text.words}"
            + ("." if self.text.is_exact else ", for which the setting leaves 10 % of room.")
            + f" Images are {100 * self.image_tokens / self.total:.0f} % of all tokens.",
            "",
            f"| of the {self._units} | have at most |",
            "| --- | --- |",
            *(f"| {percent} % | {self.percentile(percent):,} tokens |" for percent in _PERCENTILES),
            f"| all | {self.longest:,} tokens |",
            "",
            "```text",
            *self._bars(),
            "```",
            "",
            *self._cuts(name),
        ]
        return "\n".join(lines).rstrip() + "\n"

    def _image_rule(self) -> str:
        factor = self.student.factor
        if factor is None:
            return "a single image is cut into tiles of 729 tokens, each of several images is one."
        return (
            f"an image is resized to multiples of {factor} pixels, at most "
            f"{self.student.max_pixels:,} pixels in all, and {factor} x {factor} of them are one "
            "token."
        )

    def _bars(self) -> list[str]:
        bars = self.histogram()
        most = max(bar.rows for bar in bars)
        width = len(f"{bars[-1].last:,}")
        return [
            f"{bar.first:>{width},} to {bar.last:>{width},}  "
            f"{'#' * math.ceil(_BAR_WIDTH * bar.rows / most):<{_BAR_WIDTH}}  {bar.rows:,}"
            for bar in bars
        ]

    def _cuts(self, name: str) -> list[str]:
        smaller = [setting for setting in _USUAL_SETTINGS if setting < self.longest]
        if not smaller:
            return []
        return [
            "A smaller setting ends rollouts that take as long:"
            if self.kind == "rollout"
            else "A smaller setting cuts rows or leaves them out:",
            "",
            f"| {name} | {self._units} that are longer |",
            "| --- | --- |",
            *(
                f"| {setting:,} | {_share(self.cut_by(setting), self.rows)} |"
                for setting in smaller
            ),
        ]


def row_lengths(
    options: ExportOptions, rules: FormatRules, student: Student, why: str | None
) -> RowLengths:
    """Measures the rows of an export under its options. student, why: see `choose_student`.

    Raises ExportError for a tokenizer that cannot be read.
    """
    names = _QUESTION_SETTINGS if rules.rows == "question" else _SETTINGS
    return RowLengths(
        student,
        TextTokens(options.tokenizer),
        rows=rules.rows,
        setting_name=rules.length_setting or names.get(rules.trainer or ""),
        why=why,
    )


def _share(rows: int, of: int) -> str:
    return f"{rows:,} ({100 * rows / of:.0f} %)"


def _round_width(least: float) -> int:
    """The least of 1, 2, 5, 10, 20, 50, ... that is no less."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10
