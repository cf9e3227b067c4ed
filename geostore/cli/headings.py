"""Shows the options of a command with many of them under headings.

A page of seventy options in one list is read by nobody. The headings stand here in one
table, so that the order in a command's signature stays free.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

GENERATE_HEADINGS: dict[str, tuple[str, ...]] = {
    "Photos": (
        *("dataset_path", "num_samples", "rollouts", "order", "order_seed"),
        *("min_locatability", "max_locatability", "duplicates", "reuse", "skip_missing"),
        "column",
    ),
    "Teacher": (
        *("model", "base_url", "api_key_env", "api_key_file", "api_key_command"),
        *("api_key_header", "header", "query_param", "transport", "stream", "proxy", "ca_file"),
        *("token_limit_name", "system_role", "teacher", "reader"),
    ),
    "Recipe (with another value, traces are made anew beside the old ones)": (
        *("temperature", "max_tokens", "seed", "reasoning_field", "extra_body", "tools"),
        *("enable_tool", "protocol", "bbox_frame", "max_pixels", "image_multiple", "zoom_side"),
    ),
    "Length of a conversation": ("max_turns", "max_images"),
    "Pace and failures": (
        *("concurrency", "rpm", "tpm", "max_attempts", "request_timeout", "trace_timeout"),
        *("retry", "give_up_after", "grace", "max_failed_share"),
    ),
    "Budget": (
        *("max_total_tokens", "max_cost", "price_in", "price_out", "price_cached"),
        *("price_cache_write", "price_file"),
    ),
    "Store and output": ("store", "durability", "verbose", "quiet", "log_file", "help"),
}
"""The options of `geostore generate`, by the heading above them, in their order there."""


class GenerateCommand(TyperCommand):
    """Writes help with `GENERATE_HEADINGS`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options under their headings."""
        options = {option.name: option for option in self.get_params(ctx)}
        for heading, names in GENERATE_HEADINGS.items():
            with formatter.section(heading):
                formatter.write_dl([options[name].get_help_record(ctx) for name in names])
