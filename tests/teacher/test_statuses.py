"""The table of statuses: what each failure of a real server means, and what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geostore.teacher.server_errors import error_of_value
from geostore.teacher.statuses import (
    ACCOUNT,
    ADDRESS,
    FORBIDDEN,
    KEY,
    MODERATED,
    OUTAGE,
    RATE_LIMIT,
    REFUSED,
    History,
    Verdict,
    judge,
    status_of,
)


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


QUOTA = "You exceeded your current quota, please check your plan and billing details."
JUDGED: list[tuple[int, Any, Verdict]] = [
    # The account.
    (402, said("Insufficient credits", code=402), ACCOUNT),
    (402, {"detail": "Payment Required"}, ACCOUNT),
    (402, said("This request requires more credits, or fewer max_tokens."), ACCOUNT),
    (400, said("Your credit balance is too low to access the API."), ACCOUNT),
    (400, said("make sure your account is in good standing.", code="Arrearage"), ACCOUNT),
    (400, said("Budget has been exceeded! Current cost: 1.2", type="budget_exceeded"), ACCOUNT),
    (400, said("Billing hard limit has been reached", code="billing_hard_limit_reached"), ACCOUNT),
    (401, said("Your account has been deactivated.", code="account_deactivated"), ACCOUNT),
    (403, said("Sorry, your account balance is insufficient"), ACCOUNT),
    (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, ACCOUNT),
    (403, said("Key limit exceeded (monthly limit)."), ACCOUNT),
    (403, said("The free tier of the model has been exhausted."), ACCOUNT),
    (403, said("AccountOverdueError: your account has an overdue balance"), ACCOUNT),
    (412, said("Quota used up"), ACCOUNT),
    (412, {"detail": "Your account is suspended: add a payment method"}, ACCOUNT),
    (429, said(QUOTA, type="insufficient_quota", code="insufficient_quota"), ACCOUNT),
    (429, said(QUOTA), ACCOUNT),
    (429, said("Your account is suspended", type="exceeded_current_quota_error"), ACCOUNT),
    (429, said("\u4f59\u989d\u4e0d\u8db3", code="1113"), ACCOUNT),
    (429, said("You have run out of credits"), ACCOUNT),
    (200, said("Insufficient credits", code=402), ACCOUNT),
    (200, said("Insufficient credits"), ACCOUNT),
    # A rate.
    (429, said("Rate limit exceeded: free-models-per-min."), RATE_LIMIT),
    (429, said("Rate limit exceeded: free-models-per-day. Add 10 credits for 1000."), RATE_LIMIT),
    (429, said(f"{QUOTA} Please retry in 34.07s.", status="RESOURCE_EXHAUSTED"), RATE_LIMIT),
    (429, said("Resource has been exhausted (e.g. check quota)."), RATE_LIMIT),
    (429, said("Quota exceeded for requests per minute"), RATE_LIMIT),
    (429, said("Throttling.AllocationQuota: increase your quota limit."), RATE_LIMIT),
    (429, {}, RATE_LIMIT),
    (403, said("User Rate Limit Exceeded"), RATE_LIMIT),
    (400, said("slow down", code=429), RATE_LIMIT),
    (200, said("Rate limit exceeded: free-models-per-min.", code=429), RATE_LIMIT),
    (200, said("slow down", code="429"), RATE_LIMIT),
    (200, said("slow down", type="rate_limit_error"), RATE_LIMIT),
    (200, {"code": 429, "msg": "too many"}, RATE_LIMIT),
    # An outage.
    (500, {}, OUTAGE),
    (503, {"detail": "no quota of workers"}, OUTAGE),
    (529, said("Overloaded", type="overloaded_error"), OUTAGE),
    (524, {}, OUTAGE),
    (408, {}, OUTAGE),
    (409, {}, OUTAGE),
    (400, said("Provider is overloaded", code=503), OUTAGE),
    (200, said("Provider returned error", code=502), OUTAGE),
    (200, said("overloaded", code=503), OUTAGE),
    (200, {"error": "overloaded"}, OUTAGE),
    (200, said("something odd"), OUTAGE),
    # The key, the address, the right to it.
    (401, said("token expired"), KEY),
    (401, {}, KEY),
    (403, said("The API key has expired"), KEY),
    (403, said("Invalid authentication credentials"), KEY),
    (400, said("API key not valid. Please pass a valid API key.", code=400), KEY),
    (400, said("API key expired. Please renew the API key."), KEY),
    (200, said("No auth credentials found", code=401), KEY),
    (404, {"detail": "Not Found"}, ADDRESS),
    (404, said("The model `x` does not exist."), ADDRESS),
    (403, {"message": "Forbidden"}, FORBIDDEN),
    (403, {}, FORBIDDEN),
    # One photo.
    (403, said("requires moderation and your input was flagged", code=403), MODERATED),
    (400, said("Input may contain inappropriate content.", code="DataInspection"), MODERATED),
    (400, said("rejected by our safety system", code="content_policy_violation"), MODERATED),
    (400, said("triggered Azure OpenAI's content management policy"), MODERATED),
    (451, said("flagged"), MODERATED),
    (200, said("Your input was flagged", code=403), MODERATED),
    # This request.
    (400, said("temperature must be 1"), REFUSED),
    (400, said("Invalid max_tokens: 0 tokens is not valid", type="invalid_request_error"), REFUSED),
    (400, said("At most 12 image(s) may be provided in one prompt.", code=400), REFUSED),
    (400, said("This model's maximum context length is 32768 tokens."), REFUSED),
    (413, {}, REFUSED),
    (422, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, REFUSED),
    (200, said("bad image", code=400), REFUSED),
    (200, said("bad image", type="invalid_request_error"), REFUSED),
]


@pytest.mark.parametrize(
    ("status", "body", "verdict"), JUDGED, ids=[f"{s} {json.dumps(b)[:60]}" for s, b, _ in JUDGED]
)
def test_each_failure_means_what_it_is(status: int, body: Any, verdict: Verdict) -> None:
    error = error_of_value(body)
    assert judge(status_of(status, error), error, told_to_wait=False) is verdict


def test_a_quota_for_which_the_server_says_how_long_to_wait_is_a_rate() -> None:
    error = error_of_value(said(QUOTA))
    assert judge(429, error, told_to_wait=True) is RATE_LIMIT
    named = error_of_value(said(QUOTA, code="insufficient_quota"))
    assert judge(429, named, told_to_wait=True) is ACCOUNT


def ends(*happened: Verdict | None, requests: str = "") -> list[bool]:
    """Whether each failure ends the run; None stands for an answer. requests: one letter each."""
    history, results = History(), []
    for number, verdict in enumerate(happened):
        if verdict is None:
            history.succeeded()
            results.append(False)
        else:
            request = requests[number] if requests else str(number)
            results.append(history.ends_run(verdict, request.encode()))
    return results


@pytest.mark.parametrize("verdict", [KEY, ADDRESS, FORBIDDEN])
def test_a_denial_ends_a_run_at_its_start_and_later_only_after_several_in_a_row(
    verdict: Verdict,
) -> None:
    assert ends(verdict) == [True]
    assert ends(None, verdict, verdict, verdict, verdict) == [False] * 5
    assert ends(None, *[verdict] * 5) == [False] * 5 + [True]
    assert not any(ends(None, *[verdict, verdict, verdict, verdict, None] * 5))


def test_one_request_that_is_forbidden_again_and_again_does_not_speak_for_others() -> None:
    assert not any(ends(None, *[FORBIDDEN] * 9, requests="xaaaaaaaaa"))
    assert ends(None, *[FORBIDDEN] * 5, requests="xaaaab") == [False] * 5 + [True]
    assert ends(None, *[KEY] * 5, requests="xaaaaa") == [False] * 5 + [True]


def test_the_account_ends_a_run_at_once_and_refusals_only_where_nothing_was_answered() -> None:
    assert ends(None, ACCOUNT) == [False, True]
    assert ends(REFUSED, REFUSED, REFUSED) == [False, False, True]
    assert not any(ends(None, *[REFUSED] * 9))
    assert not any(ends(*[MODERATED] * 9))
    assert not any(ends(*[OUTAGE, RATE_LIMIT] * 9))
