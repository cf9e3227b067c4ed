"""Reads how requests travel: the members, headers and query parameters beside what is asked.

Nothing here changes what a teacher is asked, so it is part of neither a recipe's hash
nor a request's. Values of headers and query parameters are secrets: they go out with
each request, and stand in no row, log or message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_plus

import orjson

from geostore.errors import TeacherUnusable
from geostore.teacher.address import API_VERSION
from geostore.teacher.masking import MASK, forms_of
from geostore.teacher.route import Route

# Members of a request body that decide what is asked, and the option that each one has.
_OPTIONS = {
    "model": "--model",
    "messages": "the recipe, which writes them",
    "temperature": "--temperature",
    "max_tokens": "--max-tokens",
    "max_completion_tokens": "--max-tokens",
    "seed": "--seed",
    "tools": "--tools and --enable-tool",
    "n": "--rollouts",
    "stream": "--stream",
}
_ASKED = frozenset(
    {
        *("top_p", "top_k", "top_a", "min_p", "typical_p", "stop", "stop_token_ids", "logit_bias"),
        *("presence_penalty", "frequency_penalty", "repetition_penalty", "length_penalty"),
        *("response_format", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
        *("reasoning", "reasoning_effort", "thinking", "enable_thinking", "thinking_budget"),
        *("verbosity", "prediction", "modalities", "audio", "web_search_options", "logprobs"),
        *("top_logprobs", "best_of", "use_beam_search", "ignore_eos", "min_tokens", "mirostat"),
        *("chat_template", "chat_template_kwargs", "mm_processor_kwargs", "add_generation_prompt"),
        *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs"),
        *("safe_prompt", "prompt_mode", "extra_body", "models", "plugins", "transforms", "preset"),
        *("vl_high_resolution_images", "max_pixels", "min_pixels", "safety_settings", "lora"),
    }
)
_TRAVELLING = frozenset(
    {
        *("service_tier", "prompt_cache_key", "prompt_cache_retention", "user", "metadata"),
        *("safety_identifier", "store", "stream_options", "provider", "priority", "cache_salt"),
        *("usage", "session_id", "request_id"),
    }
)
_SECRET_NAME = re.compile(
    r"(api|access|secret|private|auth|subscription)[-_]?(key|token)|password|passwd|secret"
    r"|credential|authorization|bearer|^(key|token)$",
    re.IGNORECASE,
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding"),
        *("connection", "keep-alive", "proxy-connection", "upgrade", "te", "trailer", "expect"),
        *("accept-encoding", "proxy-authorization"),
    }
)
"""Headers that say how the bytes are carried. Another value would break the exchange."""

_SCHEME = re.compile(r"(?:bearer|basic|token|key|apikey|api-key|negotiate|digest)\s+(.+)", re.I)
_FROM_ENVIRONMENT = re.compile(r"(?:^|(?<=\s))env:(\S+)$")


@dataclass(frozen=True, slots=True)
class Travel:
    """How the requests of a run travel."""

    members: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Members of the request body beside those that say what is asked."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values of headers that go out with each request."""

    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Names and values of query parameters, as they are meant: not yet escaped."""

    stream: bool = False
    """Whether the reply is asked for piece by piece."""

    route: Route = field(default_factory=Route)
    """Which proxy is asked, and whose certificates are trusted."""

    @classmethod
    def of(
        cls,
        *,
        members: Mapping[str, Any] | None = None,
        headers: Sequence[str] = (),
        query: Sequence[str] = (),
        stream: bool = False,
        route: Route | None = None,
        environment: Mapping[str, str],
    ) -> Travel:
        """Read what the user wrote.

        headers: each as ``NAME: VALUE``. query: each as ``NAME=VALUE``. A value whose last
        word is ``env:VARIABLE`` takes that word from `environment`.
        Raises TeacherUnusable, with what to write, where something cannot be sent.
        """
        members = dict(members or {})
        for name in members:
            _check_member(name, stream=stream)
        try:
            orjson.dumps(members)
        except TypeError as error:
            raise _refused(f"--transport holds what cannot be sent: {error}") from error
        return cls(
            members,
            tuple(_header(text, environment) for text in headers),
            tuple(_parameter(text, environment) for text in query),
            stream,
            route or Route(),
        )

    def check_apart_from(self, asked: Mapping[str, Any]) -> None:
        """Raise TeacherUnusable where a member also stands among those that are asked."""
        for name in self.members:
            if name in asked:
                raise _refused(
                    f"{name!r} stands in --transport and in --extra-body; leave it out of one"
                )

    @property
    def secrets(self) -> frozenset[str]:
        """What a message that quotes a server must not hold."""
        texts = {text for name, value in self.headers for text in _header_secrets(name, value)}
        for name, value in self.query:
            if name != API_VERSION:
                texts |= {value, quote(value, safe=""), f"{name}={value}", f"{name}={quote(value)}"}
        texts |= set(_secrets_inside(self.members))
        return self.route.secrets.union(*map(forms_of, texts))

    def shown(self) -> dict[str, Any]:
        """All of it without the secrets, as plain values for the run's row."""
        return {
            "transport": _without_secrets(self.members),
            "headers": [name for name, _ in self.headers],
            "query_params": {
                name: value if name == API_VERSION else MASK for name, value in self.query
            },
            "stream": self.stream,
            "proxy": self.route.shown,
        }

    def query_string(self, query: str = "") -> str:
        """The parameters of an address's `query` and these, with a question mark before them.

        Of two with one name, these count. Empty where there are none.
        """
        names = {name for name, _ in self.query}
        given = [p for p in query.split("&") if unquote_plus(p.partition("=")[0]) not in names]
        pairs = (f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.query)
        joined = "&".join(filter(None, (*given, *pairs)))
        return f"?{joined}" if joined else ""

    def beside(self, *, stream_options: bool = True) -> bytes:
        """The members in wire form, each with a comma after it.

        stream_options: whether a streaming server is asked for the usage; some refuse to be.
        """
        members: dict[str, Any] = {"stream": self.stream}
        if self.stream and stream_options:
            members["stream_options"] = {"include_usage": True}
        members |= self.members
        if members.get("stream_options") is None:
            # `{"stream_options": null}` of the user leaves them out.
            members.pop("stream_options", None)
        return orjson.dumps(members)[1:-1] + b","

    def asks_for_usage(self, beside: bytes) -> bool:
        """Whether stream_options are in `beside` though the user did not write them."""
        return self.stream and "stream_options" not in self.members and b"stream_options" in beside


def merged_headers(*headers: Mapping[str, str]) -> dict[str, str]:
    """All headers; of those of one name, whatever its capitals, the last."""
    last = {name.lower(): (name, text) for some in headers for name, text in some.items()}
    return dict(last.values())


def put_beside(members: bytes, body: bytes) -> bytes:
    """The request body with more members in front. members: of `Travel.beside`."""
    return b"".join((b"{", members, memoryview(body)[1:]))


def travelling_members(extra_body: Mapping[str, Any]) -> list[str]:
    """The members of an extra body that change how a request travels, not what is asked."""
    return sorted(_TRAVELLING & extra_body.keys())


def check_header_name(name: str) -> None:
    """Raise TeacherUnusable where a header of this name cannot be set from outside."""
    if not _HEADER_NAME.fullmatch(name):
        raise _refused("the name of a header is made of letters, digits and dashes")
    if name.lower() in _OWN_HEADERS:
        raise _refused(f"the header {name} is geostore's own to set; leave it out")


def _check_member(name: str, *, stream: bool) -> None:
    if name in _OPTIONS:
        raise _refused(f"{name!r} cannot be sent by --transport; use {_OPTIONS[name]}")
    if name in _ASKED:
        raise _refused(
            f"{name!r} changes what is asked, so it belongs to the recipe; use --extra-body"
        )
    if name == "stream_options" and not stream:
        raise _refused("'stream_options' is for replies that are streamed; add --stream")


def _header(text: str, environment: Mapping[str, str]) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not _HEADER_NAME.fullmatch(name):
        # The text is not quoted: it may be a secret whose name was forgotten.
        raise _refused("a --header is written as 'NAME: VALUE', with a name of letters and dashes")
    check_header_name(name)
    value = _from_environment(value, f"the header {name}", environment)
    if not value:
        raise _refused(f"the header {name} has no value; write it as '{name}: VALUE'")
    if not value.isascii() or not value.isprintable():
        raise _refused(
            f"the value of the header {name} holds a line break or another character that no "
            "header takes; leave it out"
        )
    return name, value


def _parameter(text: str, environment: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise _refused("a --query-param is written as NAME=VALUE")
    return name, _from_environment(value, f"the query parameter {name}", environment)


def _from_environment(value: str, whose: str, environment: Mapping[str, str]) -> str:
    match = _FROM_ENVIRONMENT.search(value)
    if match is None:
        return value
    # The line break that ends a file comes along easily.
    word = environment.get(match[1], "").strip()
    if not word:
        raise _refused(f"{whose} names the environment variable {match[1]}, which is not set")
    return value[: match.start()] + word


def _header_secrets(name: str, value: str) -> Iterator[str]:
    """The value, and what of it a server may name alone."""
    yield value
    if match := _SCHEME.fullmatch(value):
        yield match[1]
    if name.lower() == "cookie":
        for pair in value.split(";"):
            yield pair.strip()
            yield pair.partition("=")[2].strip()


def _secrets_inside(value: Any) -> Iterator[str]:
    """The texts in a JSON value whose names say that they are secret."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if _SECRET_NAME.search(name):
                yield from _texts(member)
            else:
                yield from _secrets_inside(member)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets_inside(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: MASK if _SECRET_NAME.search(name) else _without_secrets(member)
            for name, member in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _refused(message: str) -> TeacherUnusable:
    return TeacherUnusable(message, error_class="refused")
