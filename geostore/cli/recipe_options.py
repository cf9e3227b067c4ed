"""Options that say how the teacher samples, and in which form requests are written."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def read_temperature(text: str) -> float | Literal["none", "auto"]:
    """The value of --temperature. Raises typer.BadParameter."""
    if text == "none":
        return "none"
    if text == "auto":
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise typer.BadParameter(
            f"{text!r} is neither a number from 0 to 2, nor none or auto",
            param_hint="--temperature",
        )
    return value


TemperatureOption = Annotated[
    str,
    typer.Option(
        "--temperature",
        metavar="NUMBER|none|auto",
        help="Sampling temperature, 0 to 2; none: requests have none; auto: 0.7, and none for "
        "models that refuse it.",
    ),
]

MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", "--max_tokens", min=1, help="Tokens per response.")
]

TokenLimitNameOption = Annotated[
    Literal["max_tokens", "max_completion_tokens"] | None,
    typer.Option(
        "--token-limit-name",
        help="The name of the limit of --max-tokens in requests; else by the model.",
    ),
]

SeedOption = Annotated[int | None, typer.Option(help="Sampling seed that is sent to the teacher.")]

SystemRoleOption = Annotated[
    Literal["system", "developer", "user"] | None,
    typer.Option(
        "--system-role",
        help="The role of the system prompt in requests; user: it begins the first user message.",
    ),
]

ReasoningFieldOption = Annotated[
    Literal["auto", "reasoning", "reasoning_content", "none"],
    typer.Option(
        "--reasoning-field",
        help="Where the teacher's reasoning goes back; auto: where it came from; none: nowhere.",
    ),
]

ExtraBodyOption = Annotated[
    str | None,
    typer.Option(
        "--extra-body",
        help="More members of each request, as JSON, such as '{\"top_p\": 0.9}'.",
    ),
]
