"""Writes help: the options of a command with many of them under headings, nothing too wide.

A page of seventy options in one list is read by nobody. The headings stand here in one
table, so that the order in a command's signature stays free. Help is plain text, which
comes out of a pipe as it stands; on a terminal the headings are bold.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup

from geostore.cli.conditions import CHOICE_OPTIONS, CONDITION_OPTIONS
from geostore.cli.options import for_terminal, require_numbers
from geostore.text.nearest import did_you_mean

HELP_WIDTH = 100
"""Columns of a help page at most; a narrower terminal has its own width."""

_NARROW = 70
"""Columns. Below it, what an option does stands under its name, not beside it."""

_LIST = re.compile(r"<list\[(.*?)\]>")

_CHECKED_BY = "Value error, "
"""What Typer's library puts before the words of a check."""

_NO_CHOICE = re.compile(r"'(.*)' is not one of ((?:'[^']*'(?:, )?)+)(?=\.\Z)", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'")

Headings: TypeAlias = Mapping[str, Sequence[str]]

_WHICH_TRACES = ("status", *CONDITION_OPTIONS)

GENERATE_HEADINGS: Headings = {
    "Which samples": (
        *("dataset_path", "num_samples", "rollouts", "order", "order_seed"),
        *("min_locatability", "max_locatability", "duplicates", "reuse", "skip_missing"),
        *("column", "retry"),
    ),
    "Teacher": (
        *("model", "base_url", "api_key_env", "api_key_file", "api_key_command"),
        *("api_key_header", "header", "query_param", "transport", "stream", "proxy", "ca_file"),
        *("token_limit_name", "system_role", "teacher", "reader"),
    ),
    "What to ask": (
        *("max_turns", "max_images", "temperature", "max_tokens", "seed", "tools", "enable_tool"),
        *("protocol", "bbox_frame", "max_pixels", "image_multiple", "zoom_side"),
        *("reasoning_field", "extra_body"),
    ),
    "Pace": (
        *("concurrency", "rpm", "tpm", "max_attempts", "request_timeout", "trace_timeout"),
        *("give_up_after", "grace", "max_failed_share"),
    ),
    "Budget": (
        *("max_total_tokens", "max_cost", "price_in", "price_out", "price_cached"),
        *("price_cache_write", "price_file"),
    ),
    "Output": ("store", "durability", "verbose", "quiet", "log_file", "help"),
}
"""The options of `geostore generate`, by the heading above them, in their order there."""

NOTES: Mapping[str, str] = {
    "What to ask": "With another value of any of these but the first two, traces are made anew, "
    "beside the old ones.",
}
"""What stands below a heading of `geostore generate`, before its options."""

HEADINGS: Mapping[str, Headings] = {
    "generate": GENERATE_HEADINGS,
    "import": {
        "What the files are": (
            *("dataset_path", "match", "column", "model", "tools", "label", "bbox_frame"),
        ),
        "Output": ("store", "report", "processes", "quiet", "help"),
    },
    "rescore": {
        "Which reward": (
            *("reward", "preset", "param", "spec_file", "custom", "name", "time_limit", "workers"),
        ),
        "Which traces": ("all_", "retry_errors", "recipe", "model", "since", "where"),
        "Comparison": ("compare", "min_score"),
        "Output": ("store", "dry_run", "json", "help"),
    },
    "traces": {
        "Which traces": ("best", "worst", "newest", *_WHICH_TRACES, *CHOICE_OPTIONS),
        "Output": ("store", "json", "help"),
    },
    "show": {
        "Which trace": ("best", "worst", "newest", *_WHICH_TRACES),
        "Output": ("store", "verbose", "json", "help"),
    },
    "image": {
        "Which trace": ("best", "worst", "newest", *_WHICH_TRACES),
        "Which images": ("turn", "all_", "overlay", "dataset_path"),
        "Output": ("store", "out", "help"),
    },
    "export": {
        "Which traces": (*_WHICH_TRACES, *CHOICE_OPTIONS),
        "What is written": (
            "format",
            "dialect",
            "messages",
            "reasoning",
            "images",
            "dataset_path",
            "shard_size",
            "compress",
        ),
        "Splits": ("split", "split_by", "split_seed"),
        "Pairs": ("pairs_for", "pairs_as", "min_gap"),
        "For the student": ("mask_turns", "bbox_frame", "student", "student_pixels", "tokenizer"),
        "Output": ("store", "dry_run", "check", "help"),
    },
}
"""Options by command and heading. A name that a command lacks is passed over; an option without
a heading stands under the last one."""

COMMAND_HEADINGS: Headings = {
    "Get traces": ("generate", "import", "demo"),
    "Look at them": ("stats", "traces", "show", "image", "query", "sql", "report", "status"),
    "Judge them": ("rescore", "rewards", "audit", "verify"),
    "Hand them on": ("export", "datasette-metadata"),
}
"""The commands of `geostore`, by the heading above them."""


class HelpCommand(TyperCommand):
    """A command whose help has the headings of `HEADINGS`, where it has any.

    Its numbers are finite and have at most 64 bits.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options, and refuse numbers that mean nothing."""
        rest = super().parse_args(ctx, args)
        require_numbers(ctx, self.get_params(ctx))
        return rest

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does, in paragraphs."""
        _write_text(formatter, self.help or "")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options under their headings."""
        parameters = {p.name: p for p in self.get_params(ctx)}
        arguments = [p for p in parameters.values() if p.param_type_name == "argument"]
        _write(formatter, "Arguments", arguments, ctx)
        options = {n: p for n, p in parameters.items() if p not in arguments}
        for heading, names in _complete(HEADINGS.get(self.name or "", {"Options": ()}), options):
            note = NOTES.get(heading, "") if self.name == "generate" else ""
            _write(formatter, heading, [options[name] for name in names], ctx, note)


class HelpGroup(TyperGroup):
    """A command with commands below it, each told in its whole first sentence."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Read the options, with usage errors that fit the terminal."""
        with _folded_usage_errors():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with usage errors that fit the terminal."""
        with _folded_usage_errors():
            return super().invoke(ctx)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the commands are for."""
        _write_text(formatter, self.help or "")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write options, then the commands under their headings."""
        _write(formatter, "Options", self.get_params(ctx), ctx)
        headings = COMMAND_HEADINGS if self.name == "geostore" else {"Commands": ()}
        for heading, names in _complete(headings, self.commands):
            sentences = [(n, self.commands[n].get_short_help_str(limit=1000)) for n in names]
            with formatter.section(_bold(heading)):
                _write_entries(formatter, sentences, longest=12)


@contextmanager
def _folded_usage_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Of Typer's usage errors, whose base class it keeps to itself.
        if hasattr(error, "format_message") and hasattr(error, "message"):
            error.message = _with_nearest(error.message)
            sentence = f"Error: {error.format_message()}"
            if sentence.endswith(error.message):
                # A break takes the place of a space, so what is before the message stays as long.
                before = len(sentence) - len(error.message)
                error.message = for_terminal(sentence)[before:]
        raise


def _with_nearest(message: str) -> str:
    """A usage error in the words of its check alone, with the value that may be meant."""
    message = message.removeprefix(_CHECKED_BY)
    if match := _NO_CHOICE.match(message):
        message = match[0] + did_you_mean(match[1], _QUOTED.findall(match[2])) + "."
    return message


def _complete(headings: Headings, there: Iterable[str]) -> list[tuple[str, list[str]]]:
    """The headings with what is there, and what has no heading under the last one."""
    names = list(there)
    known = {name for group in headings.values() for name in group}
    groups = [(head, [n for n in group if n in names]) for head, group in headings.items()]
    groups[-1][1][:0] = [name for name in names if name not in known]
    return [(heading, group) for heading, group in groups if group]


def _write(
    formatter: Any, heading: str, parameters: Sequence[Any], ctx: Any, note: str = ""
) -> None:
    records = [p.get_help_record(ctx) for p in parameters]
    entries = [(_plain(name), _with_names(words)) for name, words in filter(None, records)]
    if not entries:
        return
    with formatter.section(_bold(heading)):
        if note:
            formatter.write("\n".join(_wrapped(note, formatter.width, indent=2)) + "\n\n")
        # So few columns for names that they stand above what they mean.
        _write_entries(formatter, entries, longest=4 if formatter.width < _NARROW else 30)


def _with_names(words: str) -> str:
    """What an option does, with the names of rewards where ``{kinds}`` or ``{presets}`` stands."""
    if "{kinds}" not in words and "{presets}" not in words:
        return words
    # Here, because no other command's help should wait for this import.
    from geostore.rewards import PRESETS
    from geostore.rewards.formulas import KINDS

    return words.replace("{kinds}", ", ".join(KINDS)).replace("{presets}", ", ".join(PRESETS))


def _write_text(formatter: Any, text: str) -> None:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        lines = _wrapped(" ".join(paragraph.split()), formatter.width, indent=2)
        formatter.write("\n" + "\n".join(lines) + "\n")


def _write_entries(formatter: Any, entries: Sequence[tuple[str, str]], *, longest: int) -> None:
    """Names, each with its words beside it, or below it where the name is longer than `longest`."""
    indent = 4 + min(max(len(name) for name, _ in entries), longest)
    for name, words in entries:
        first, *others = _wrapped(words, formatter.width, indent=indent)
        if len(name) <= longest:
            first = f"  {name:<{indent - 2}}{first.lstrip()}"
        else:
            others = [first, *others]
            first = f"  {name}"
            if len(first) > formatter.width:
                first = first.replace(" <", "\n      <")  # values by name may be many
        formatter.write("\n".join([first, *others]).rstrip() + "\n")


def _wrapped(text: str, width: int, *, indent: int) -> list[str]:
    """Lines that break between words alone, as the formatter's own do not."""
    margin = " " * indent
    return textwrap.wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _plain(name: str) -> str:
    """The name of an option and its kind of value, without the words of a program."""
    return _LIST.sub(r"<\1>", name.replace("<int range>", "<int>").replace("float range", "float"))


def _bold(heading: str) -> str:
    on_terminal = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(heading, bold=True) if on_terminal else heading
