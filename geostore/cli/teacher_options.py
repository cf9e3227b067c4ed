"""Options that say how a request reaches the teacher: what goes out beside what is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        envvar="OPENAI_BASE_URL",
        help="The server's address, such as http://127.0.0.1:8000/v1.",
    ),
]

ApiKeyEnvOption = Annotated[
    str, typer.Option("--api-key-env", help="The environment variable that holds the key.")
]

TransportOption = Annotated[
    str | None,
    typer.Option(
        "--transport",
        help="Members of each request that change how it travels and not what is asked, as JSON, "
        'such as \'{"service_tier": "flex"}\'; no part of the recipe.',
    ),
]

HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        help="A header of each request, as 'NAME: VALUE'; env:VARIABLE as the value's last word "
        "stands for what that variable holds; may be repeated.",
    ),
]

QueryParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--query-param",
        help="A query parameter of each request, as NAME=VALUE or NAME=env:VARIABLE; may be "
        "repeated.",
    ),
]

ApiKeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        help="A file that holds the key; read anew when it changes or a server refuses the key.",
    ),
]

ApiKeyCommandOption = Annotated[
    str | None,
    typer.Option(
        "--api-key-command",
        help="A command that prints the key; run again before the key ends or when a server "
        "refuses it.",
    ),
]

ApiKeyHeaderOption = Annotated[
    str | None,
    typer.Option(
        "--api-key-header",
        help="The header that holds the key; else Authorization, or api-key for Azure.",
    ),
]

ProxyOption = Annotated[
    str | None,
    typer.Option(
        "--proxy",
        help="The proxy that requests go through, as http://HOST:PORT, or none; else as the "
        "environment says.",
    ),
]

CaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        help="Certificates that are trusted in place of the operating system's, in PEM form.",
    ),
]

StreamOption = Annotated[
    bool,
    typer.Option(
        "--stream",
        help="Ask for replies piece by piece, as some servers and models only do; the rows are "
        "the same.",
    ),
]
