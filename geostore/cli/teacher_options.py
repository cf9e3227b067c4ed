"""Options that say how a request reaches the teacher: what goes out beside what is asked."""

from __future__ import annotations

from typing import Annotated

import typer

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
