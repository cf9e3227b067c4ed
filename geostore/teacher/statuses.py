"""Decides what a failed request means: for the request, for its trace, and for the run.

`RULES` is the table: the first rule that fits a status and the server's words gives
the verdict. The status is HTTP's, or the one that an error names inside a response of
status 200 (`status_of`), because gateways answer 200 and put the failure of the server
behind them into the body or into a choice. `History` adds what the requests before this
one came to: one 401 among answers is one request's, five in a row are the key's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from geostore.teacher.limits import (
    CONTEXT_LIMIT_WORDS,
    IMAGE_LIMIT_WORDS,
    SIZE_LIMIT_WORDS,
    TOO_LARGE_FOR_A_RATE_WORDS,
)
from geostore.teacher.server_errors import ServerError

_OVERLOADED = 503
_IN_A_ROW = 5
"""Requests denied in a row before the run stops: a hiccup of a proxy is over before."""

_RETRIED = frozenset({408, 409, 425, 429, *range(500, 600)})
"""Statuses of failures that pass, which a gateway may wrap in a 400."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failed request means."""

    error_class: str
    """A stable word for the attempts table, as `TeacherError.error_class`."""

    retried: bool = True
    """Whether the same request may fare better; else its trace ends."""

    tries: int | None = None
    """Times that one turn may fail so before its trace ends; None: as the run's policy says."""

    stops: Literal["never", "at once", "in a row", "by several"] = "never"
    """When it ends the run, besides what `first` says.

    ``in a row``: when several requests fail so and none is answered in between. ``by
    several``: the same, where they are not all the same request.
    """

    first: int = 0
    """Failures of this kind that end a run in which nothing was answered yet; 0: none do."""

    sentence: str = "{message}"
    """What the run ends with: of ``{message}``, the server's words, ``{base_url}``, and
    ``{key_option}``, which says where the key comes from."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table."""

    verdict: Verdict
    """What a failure means that fits."""

    statuses: frozenset[int]
    """Which statuses fit."""

    words: re.Pattern[str] | None = None
    """What the server's message or code has to hold; None: anything fits."""

    told_to_wait: bool | None = None
    """Whether the server has to say how long to wait; None: either fits."""


RATE_LIMIT = Verdict("rate_limit")
OUTAGE = Verdict("server")
ACCOUNT = Verdict(
    "account",
    retried=False,
    stops="at once",
    sentence=(
        "the account has no credit left, or is not in good standing: {message}; "
        "no trace is closed for it: mend it and run the command again"
    ),
)
KEY = Verdict(
    "refused",
    tries=2 * _IN_A_ROW,
    stops="in a row",
    first=1,
    sentence=(
        "the key is missing, wrong or expired (see {key_option}): {message}; "
        "no trace is closed for it: mend it and run the command again"
    ),
)
ADDRESS = Verdict(
    "refused",
    tries=2 * _IN_A_ROW,
    stops="in a row",
    first=1,
    sentence=(
        "no such model or path at {base_url} (see --model; a base URL mostly ends in /v1): "
        "{message}"
    ),
)
FORBIDDEN = Verdict(
    "refused",
    tries=3,
    stops="by several",
    first=1,
    sentence="the key may not use this: {message}",
)
PROXY = Verdict(
    "refused",
    tries=2 * _IN_A_ROW,
    stops="in a row",
    first=1,
    sentence="the proxy takes no name and password, or not these (see --proxy): {message}",
)
MODERATED = Verdict("refused", retried=False)
# A limit never ends a run by itself: the first requests of a run that goes on may all be long
# conversations. The rollout knows which turn a request asked for, and decides.
IMAGE_LIMIT = Verdict("image_limit", retried=False)
CONTEXT_LIMIT = Verdict("context_limit", retried=False)
SIZE_LIMIT = Verdict("size_limit", retried=False)
REFUSED = Verdict(
    "refused", retried=False, first=3, sentence="every request was refused: {message}"
)


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_NO_CREDIT = _any_of(
    r"insufficient[ _-]?(user[ _-])?(quota|credit|balance|funds?)",
    r"\b(credits?|balance|funds?)\b[^.]{0,30}\b(too low|insufficient|not enough|exhausted)",
    r"\b(credits?|balance|funds?)\b[^.]{0,30}\b(depleted|used up|run out|ran out|negative|expired)",
    # "No credits were charged" stands where a request was refused for what it holds.
    r"(enough|sufficient|\bno|\bout[ _]of|lack of)[ _](\w+ )?(credits?|balance|funds?)\b"
    r"(?! (\w+ ){0,3}(charged|billed|deducted|used))",
    r"key limit exceeded",
    r"exceeded_current_quota|arrear|overdue|good standing|unpaid",
    r"account[^.]{0,40}(suspended|deactivated|disabled|on hold|frozen|locked|banned|closed)",
    r"billing[ _]?(hard|soft|limit|not|is|has|account|disabled|details are)|billing_not_active",
    r"payment[ _](is )?(required|method|overdue|failed|due)|prepa(id|yment)|\btop[ -]?up|recharge",
    r"budget[ _](has been )?exceeded|exceeded[^.]{0,20}(budget|spend)|spend(ing)?[ _](limit|cap)",
    r"subscription[^.]{0,20}(expired|ended|inactive|cancel)",
    r"saldo insuficiente|(cr[e\u00e9]ditos?|fondos|fundos) insuficientes?|saldo (agotado|esgotado)",
    r"(cr[e\u00e9]dit|solde|fonds)s? (insuffisants?|[e\u00e9]puis[e\u00e9]s?)",
    r"guthaben|kontostand",
    "\u4f59\u989d|\u6b20\u8d39|\u5145\u503c",  # balance, arrears, to top up
    # A quota, a package or a balance that is used up, too small or at its end.
    "(\u989d\u5ea6|\u8d44\u6e90\u5305|\u5957\u9910|\u4f59\u91cf).{0,20}"
    "(\u4e0d\u8db3|\u7528\u5c3d|\u8017\u5c3d|\u7528\u5b8c|\u5230\u671f|\u8fc7\u671f)",
    # An account that is locked, frozen, closed or banned.
    "(\u8d26\u6237|\u8d26\u53f7|\u5e10\u6237|\u5e10\u53f7).{0,10}"
    "(\u9501\u5b9a|\u51bb\u7ed3|\u505c\u7528|\u5c01\u7981|\u7981\u7528)",
    "\u6b8b\u9ad8|\u30af\u30ec\u30b8\u30c3\u30c8.{0,6}\u4e0d\u8db3",  # Japanese: balance, credit
    # Russian: funds, balance.
    "\u0441\u0440\u0435\u0434\u0441\u0442\u0432|\u0431\u0430\u043b\u0430\u043d\u0441",
)
_RATE = _any_of(
    r"rate[ _-]?limit|too[ _]many[ _]requests|throttl|concurren",
    r"per[ _-]?(second|minute|min|hour|day)|\b(rpm|tpm|rpd|tpd|rps)\b",
    r"resource[ _](has been[ _])?exhausted|(retry|try again) (in|after)",
)
_RATE_IN_400 = _any_of(
    r"throttl|too[ _]many[ _]requests|wait before trying again",
    r"rate[ _-]?limit[ _]?(\w+ )?(exceeded|reached|error)",
)
_AWAY = _any_of(
    r"model (has )?crashed|failed to load (the )?model|model is (currently )?(loading|overloaded)",
    r"service[ _]?unavailable|internal[ _]?server[ _]?(error|exception)|temporarily unavailable",
    r"degraded function",
    r"api[ _]?connection[ _]?error|connection (refused|reset)|bad gateway|gateway time-?out",
)
_QUOTA = _any_of(
    *(r"quota", r"billing", r"\bcredits\b", r"payment", r"free (tier|allocation)"),
    r"usage limit|set_?limit_?exceeded",
)
_NO_MODEL = _any_of(
    r"deployment_?not_?found|\bdeployment\b.{0,60}does not exist",
    "\u6a21\u578b\u4e0d\u5b58\u5728",  # model does not exist
    r"model[ _]not[ _](found|exist)|invalid model name|(unknown|no such) model\b",
    r"\bmodel\b.{0,60}(does not|doesn't|not) exist|no models? (is |are )?loaded|model unloaded",
    r"\bmodel\b.{0,60}(been|is|was) (deprecated|retired|decommissioned|shut ?down)",
    r"\bmodel\b.{0,60}no longer (available|supported)|model_decommissioned",
)
_PLACE = _any_of(r"\b(location|country|region|territory)\b.{0,30}not (supported|available)")
_MODERATION = _any_of(
    r"moderat|flagged|content[ _-]?(policy|filter|management|safety|inspection)|usage polic",
    r"safety[ _](system|filter|polic|setting|check)|inappropriate|prohibited[ _]content|harmful",
    r"data[ _]?inspection|sensitive[ _](content|word|information)|risk[ _]?control",
    r"violat\w*[^.]{0,30}(polic|guideline|terms|rules)|responsible[ _]?ai|new_sensitive",
)
_CREDENTIAL = r"((api|access|auth\w*|secret|bearer)[ _-]?(key|token)|credential|token)s?"
_REJECTED = r"(expired|invalid|not valid|incorrect|wrong|missing|revoked|disabled|not found|denied)"
_KEY = _any_of(
    rf"\b{_CREDENTIAL}\b[^.]{{0,40}}\b{_REJECTED}",
    rf"\b(expired|invalid|incorrect|wrong|missing|revoked)\b.{{0,20}}\b{_CREDENTIAL}\b",
    r"api_key_invalid|invalid_api_key|unauthenticated|authentication",
)
# In a 400, "token" alone means a piece of text, as in "invalid max tokens".
_KEY_IN_400 = _any_of(
    rf"\b(api|access|auth\w*)[ _-]?(key|token)s?\b[^.]{{0,40}}\b{_REJECTED}",
    r"\b(expired|invalid|incorrect|missing|revoked)\b.{0,20}\b(api|access)[ _-]?(key|token)s?\b",
    r"api_key_invalid|invalid_api_key|unauthenticated|\bexpired[ _]key\b",
    # LiteLLM without a database: it looks there for a key that is not its own.
    r"\bno_db_connection\b|\bno connected db\b",
)

_LIMITED = frozenset({400, 413, 422, 500})
"""Statuses with which servers refuse a conversation for its size; gateways make a 500 of them."""

RULES = (
    Rule(ACCOUNT, frozenset({402})),
    Rule(ACCOUNT, frozenset({400, 401, 403, 412, 429}), _NO_CREDIT),
    Rule(CONTEXT_LIMIT, frozenset({413, 429}), TOO_LARGE_FOR_A_RATE_WORDS),
    Rule(IMAGE_LIMIT, _LIMITED, IMAGE_LIMIT_WORDS),
    Rule(CONTEXT_LIMIT, _LIMITED, CONTEXT_LIMIT_WORDS),
    Rule(SIZE_LIMIT, _LIMITED, SIZE_LIMIT_WORDS),
    Rule(SIZE_LIMIT, frozenset({413})),
    Rule(RATE_LIMIT, frozenset({403, 429}), _RATE),
    Rule(RATE_LIMIT, frozenset({429}), told_to_wait=True),
    # Before the vague words of a quota: who is refused for a photo may read "no credits charged".
    Rule(MODERATED, frozenset({400, 403, 406, 422, 451}), _MODERATION),
    Rule(ACCOUNT, frozenset({400, 403, 412, 429}), _QUOTA),
    Rule(RATE_LIMIT, frozenset({429})),
    Rule(RATE_LIMIT, frozenset({400}), _RATE_IN_400),
    Rule(OUTAGE, frozenset({408, 409, 423, 424, 425, 499, *range(500, 600)})),
    Rule(OUTAGE, frozenset({400}), _AWAY),
    Rule(KEY, frozenset({401})),
    Rule(KEY, frozenset({403}), _KEY),
    Rule(KEY, frozenset({400}), _KEY_IN_400),
    Rule(ADDRESS, frozenset({400, 422}), _NO_MODEL),
    Rule(ADDRESS, frozenset({404, 410})),
    Rule(PROXY, frozenset({407})),
    Rule(FORBIDDEN, frozenset({400}), _PLACE),
    Rule(FORBIDDEN, frozenset({403})),
)
"""The table, from the top: the first rule that fits decides; where none does, it is `REFUSED`."""

_NAMED_STATUSES = (
    (400, IMAGE_LIMIT_WORDS),
    (400, CONTEXT_LIMIT_WORDS),
    (400, SIZE_LIMIT_WORDS),
    (
        429,
        _any_of(r"rate[ _-]?limit|too[ _]?many[ _]?requests|throttl|resource[ _]?exhausted|quota"),
    ),
    (
        401,
        _any_of(
            r"authentication|unauthori[sz]ed|unauthenticated|login fail",
            r"api[ _]?(secret[ _])?key",
        ),
    ),
    (402, _any_of(r"insufficient[ _]?(credit|balance|funds)|payment[ _]?required|arrear")),
    (403, _any_of(r"permission|forbidden|moderation|new_sensitive|sensitive (content|word)")),
    (404, _any_of(r"not[ _]?found")),
    (
        400,
        _any_of(
            r"invalid[ _]?(request|argument|param)|bad[ _]?request|content[ _]?(policy|filter)"
        ),
    ),
)


def judge(status: int, error: ServerError, *, told_to_wait: bool) -> Verdict:
    """What a failure means. status: as `status_of` gives it."""
    for rule in RULES:
        if (
            status in rule.statuses
            and rule.told_to_wait in (None, told_to_wait)
            and (rule.words is None or rule.words.search(error.words))
        ):
            return rule.verdict
    return REFUSED


def status_of(http_status: int, error: ServerError) -> int:
    """The status that a failure has, of HTTP or of the error inside the body."""
    inner = error.status
    if http_status >= 400:
        wrapped = http_status == 400 and inner in _RETRIED
        return inner if wrapped and inner is not None else http_status
    if inner is not None:
        return inner
    for text in (" ".join(error.codes), error.message):
        for status, words in _NAMED_STATUSES:
            if words.search(text):
                return status
    # A server that answers 200 and then says that something failed has failed itself.
    return _OVERLOADED


class History:
    """What the requests of a run came to so far."""

    def __init__(self) -> None:
        self.answered = 0
        self._failures: dict[Verdict, int] = {}
        self._denied: list[bytes] = []

    def succeeded(self) -> None:
        """A request was answered."""
        self.answered += 1
        self._denied.clear()

    def ends_run(self, verdict: Verdict, request: bytes) -> bool:
        """Note a failure. Whether no other request would fare better. request: its hash."""
        self._failures[verdict] = 1 + self._failures.get(verdict, 0)
        if verdict.stops == "at once":
            return True
        if not self.answered and 0 < verdict.first <= self._failures[verdict]:
            return True
        if verdict.stops == "never":
            return False
        self._denied.append(request)
        several = verdict.stops == "in a row" or len(set(self._denied)) > 1
        return several and len(self._denied) >= _IN_A_ROW
