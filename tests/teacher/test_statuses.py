"""The table of statuses: what each failure of a real server means, and what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from geostore.teacher.server_errors import error_of_response, error_of_value
from geostore.teacher.statuses import (
    ACCOUNT,
    ADDRESS,
    CONTEXT_LIMIT,
    FORBIDDEN,
    IMAGE_LIMIT,
    KEY,
    MODERATED,
    OUTAGE,
    PROXY,
    RATE_LIMIT,
    REFUSED,
    SIZE_LIMIT,
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
    (400, said("You have reached your specified API usage limits."), ACCOUNT),
    (412, {"message": "Usage limit exceeded for the virtual key"}, ACCOUNT),
    (429, said("reached the set inference limit", code="SetLimitExceeded"), ACCOUNT),
    (429, {"error": "you have reached your weekly usage limit"}, ACCOUNT),
    (429, {"errors": [{"message": "used up your daily free allocation"}]}, ACCOUNT),
    (403, said("\u7528\u6237\u989d\u5ea6\u4e0d\u8db3", code="insufficient_user_quota"), ACCOUNT),
    (401, said("\u8be5\u4ee4\u724c\u989d\u5ea6\u5df2\u7528\u5c3d"), ACCOUNT),
    (403, said("\u8d44\u6e90\u5305\u4f59\u91cf\u5df2\u7528\u5c3d"), ACCOUNT),
    (429, said("\u5957\u9910\u5df2\u5230\u671f", code="1309"), ACCOUNT),
    (429, said("\u60a8\u7684\u8d26\u6237\u5df2\u88ab\u9501\u5b9a", code="1112"), ACCOUNT),
    (403, said("Saldo insuficiente"), ACCOUNT),
    (403, said("Cr\u00e9dit insuffisant"), ACCOUNT),
    (403, said("Guthaben aufgebraucht"), ACCOUNT),
    (403, said("\u6b8b\u9ad8\u304c\u4e0d\u8db3"), ACCOUNT),
    (
        403,
        said(
            "\u041d\u0435\u0434\u043e\u0441\u0442\u0430\u0442\u043e\u0447\u043d\u043e "
            "\u0441\u0440\u0435\u0434\u0441\u0442\u0432"
        ),
        ACCOUNT,
    ),
    (200, {"status_code": 1008, "status_msg": "insufficient balance"}, ACCOUNT),
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
    (200, {"status_code": 1002, "status_msg": "rate limit exceeded(RPM)"}, RATE_LIMIT),
    (429, said("\u5e76\u53d1\u6570\u8fc7\u9ad8", code="1302"), RATE_LIMIT),
    (429, said("The engine is currently overloaded, please try again later"), RATE_LIMIT),
    (
        400,
        {"message": "Too many tokens, please wait before trying again.", "__type": "Throttling"},
        RATE_LIMIT,
    ),
    (400, {"message": "slow", "__type": "ThrottlingException"}, RATE_LIMIT),
    # An outage.
    (400, {"error": "The model has crashed without additional information."}, OUTAGE),
    (400, {"message": "cannot", "__type": "ServiceUnavailableException"}, OUTAGE),
    (400, said("litellm.APIConnectionError: Connection error"), OUTAGE),
    (423, {}, OUTAGE),
    (400, {"detail": "DEGRADED function cannot be invoked", "status": 400}, OUTAGE),
    (424, said("Failed to load model"), OUTAGE),
    (499, {"message": "client closed request"}, OUTAGE),
    (200, {"status_code": 1013, "status_msg": "unknown error"}, OUTAGE),
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
    (400, said("Authentication Error - Expired Key", type="expired_key"), KEY),
    (400, said("No connected db.", type="no_db_connection", code="400"), KEY),
    (200, said("No auth credentials found", code=401), KEY),
    (404, {"detail": "Not Found"}, ADDRESS),
    (404, said("The model `x` does not exist."), ADDRESS),
    (403, {"message": "Forbidden"}, FORBIDDEN),
    (403, {}, FORBIDDEN),
    (404, said("No allowed providers are available for the selected model."), ADDRESS),
    (410, said("gone"), ADDRESS),
    (400, said("Model Not Exist"), ADDRESS),
    (400, said("No models loaded. Please load a model.", code="model_not_found"), ADDRESS),
    (400, {"error": "Model unloaded."}, ADDRESS),
    (400, said("The API deployment does not exist.", code="DeploymentNotFound"), ADDRESS),
    (400, said("\u6a21\u578b\u4e0d\u5b58\u5728", code="1211"), ADDRESS),
    (400, said("Invalid model name passed in model=x"), ADDRESS),
    (400, said("The model `m` has been decommissioned"), ADDRESS),
    (407, {}, PROXY),
    (400, said("User location is not supported for the API use."), FORBIDDEN),
    (403, said("Country, region, or territory not supported"), FORBIDDEN),
    (200, {"status_code": 1004, "status_msg": "login fail"}, KEY),
    # One photo.
    (403, said("your input was flagged. No credits were charged.", code=403), MODERATED),
    (200, {"status_code": 1026, "status_msg": "input new_sensitive"}, MODERATED),
    (403, said("requires moderation and your input was flagged", code=403), MODERATED),
    (400, said("Input may contain inappropriate content.", code="DataInspection"), MODERATED),
    (400, said("rejected by our safety system", code="content_policy_violation"), MODERATED),
    (400, said("triggered Azure OpenAI's content management policy"), MODERATED),
    (451, said("flagged"), MODERATED),
    (200, said("Your input was flagged", code=403), MODERATED),
    # This request.
    (400, said("temperature must be 1"), REFUSED),
    (400, said("Invalid max_tokens: 0 tokens is not valid", type="invalid_request_error"), REFUSED),
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


@pytest.mark.parametrize("verdict", [KEY, ADDRESS, FORBIDDEN, PROXY])
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


# --- limits of a conversation ---------------------------------------------------------------------

NGINX = "<html><head><title>{title}</title></head><body><h1>{title}</h1>nginx</body></html>"
LIMITS: dict[str, list[tuple[int, Any, Verdict]]] = {
    "vLLM": [
        (400, said("At most 12 image(s) may be provided in one prompt.", code=400), IMAGE_LIMIT),
        (400, said("At most 1 image(s) may be provided in one request."), IMAGE_LIMIT),
        (
            400,
            said("You set image=1 (or defaulted to 1) in `--limit-mm-per-prompt`, but passed 2"),
            IMAGE_LIMIT,
        ),
        (
            400,
            said(
                "This model's maximum context length is 32768 tokens. However, your request has "
                "40000 input tokens.",
                code=400,
            ),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said(
                "'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum "
                "context length is 32768 tokens and your request has 31000 input tokens "
                "(2048 > 32768 - 31000)."
            ),
            CONTEXT_LIMIT,
        ),
        (
            500,
            said(
                "The decoder prompt (length 5000) is longer than the maximum model length of 4096."
            ),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said(
                "You passed 4000 input tokens and requested 200 output tokens. However, the "
                "model's context length is only 4096 tokens"
            ),
            CONTEXT_LIMIT,
        ),
        (400, said("Input prompt (5000 tokens) is too long and exceeds limit"), CONTEXT_LIMIT),
        (
            400,
            said(
                "This model's maximum context length is 4096 tokens. However, your prompt contains "
                "at least 4097 input tokens, which exceeds this limit even without any output "
                "tokens. Please reduce the length of the input prompt."
            ),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said(
                "The decoder prompt (length 4096) plus the number of requested output tokens (at "
                "least 1) is longer than the maximum model length of 4096."
            ),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said("The engine prompt length 5000 exceeds the max_model_len 4096."),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said(
                "At most 2 image(s) may be provided in one prompt. Set `--limit-mm-per-prompt` to "
                "increase this limit."
            ),
            IMAGE_LIMIT,
        ),
        (
            400,
            said(
                "The decoder prompt contains a(n) image item with 9000 embedding tokens, which "
                "exceeds the pre-allocated encoder cache size 8192. Please reduce the input size "
                "or increase the encoder cache size by setting --limit-mm-per-prompt at startup."
            ),
            SIZE_LIMIT,
        ),
        (
            400,
            said(
                "At most 0 video(s) may be provided in one prompt. Set `--limit-mm-per-prompt` to "
                "increase this limit."
            ),
            REFUSED,
        ),
        (
            400,
            said(
                "max_tokens=5000 cannot be greater than max_model_len=max_total_tokens=4096. "
                "Please request fewer output tokens."
            ),
            REFUSED,
        ),
        (
            400,
            said("Image size (200000000 pixels) exceeds limit of 178956970 pixels"),
            SIZE_LIMIT,
        ),
        (
            400,
            said(
                "The image item with length 16384 exceeds the pre-allocated encoder cache size "
                "8192. Please reduce the input size or increase the encoder cache size by setting "
                "--limit-mm-per-prompt at startup."
            ),
            SIZE_LIMIT,
        ),
        (400, said("At most 1 video(s) may be provided in one prompt."), REFUSED),
        (400, said("max_tokens must be at least 1, got 0."), REFUSED),
        (400, said("cannot identify image file <_io.BytesIO object>"), REFUSED),
    ],
    "OpenAI": [
        (400, said("m", code="context_length_exceeded"), CONTEXT_LIMIT),
        (400, said("Your input exceeds the context window of this model."), CONTEXT_LIMIT),
        (400, said("Too many images in request. Max is 500."), IMAGE_LIMIT),
        (
            400,
            said(
                "Invalid 'messages[1].content[0].image_url.url': string too long. Expected a "
                "string with maximum length 20971520"
            ),
            SIZE_LIMIT,
        ),
        (400, said("Image is too large", code="image_too_large"), SIZE_LIMIT),
        (
            429,
            said(
                "Request too large for gpt-5 on tokens per min (TPM): Limit 30000, Requested 38233."
            ),
            CONTEXT_LIMIT,
        ),
        (
            429,
            said(
                "Rate limit reached for gpt-5 on tokens per min (TPM): Limit 30000, Used 29000, "
                "Requested 2000. Please try again in 2s."
            ),
            RATE_LIMIT,
        ),
        (
            400,
            said(
                "max_tokens is too large: 5000. This model supports at most 4096 completion tokens"
            ),
            REFUSED,
        ),
        (400, said("Invalid 'metadata.run': string too long. Expected 512."), REFUSED),
        (400, said("Invalid 'tools': array too long. At most 128 are allowed."), REFUSED),
        (400, said("You uploaded an unsupported image. Use png, jpeg or gif."), REFUSED),
        (402, said("You requested up to 4096 tokens, but can only afford 300"), ACCOUNT),
    ],
    "Anthropic": [
        (400, said("prompt is too long: 213462 tokens > 200000 maximum"), CONTEXT_LIMIT),
        (
            400,
            said("input length and `max_tokens` exceed context limit: 190000 + 20000 > 204698"),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said(
                "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: "
                "6000000 bytes > 5242880 bytes"
            ),
            SIZE_LIMIT,
        ),
        (
            400,
            said("At least one of the image dimensions exceed max allowed size: 8000 pixels"),
            SIZE_LIMIT,
        ),
        (
            400,
            said(
                "At least one of the image dimensions exceed max allowed size for many-image "
                "requests: 2000 pixels"
            ),
            IMAGE_LIMIT,
        ),
        (400, said("Too many images and documents: 101 + 0 > 100"), IMAGE_LIMIT),
        (413, said("Request exceeds the maximum size", type="request_too_large"), SIZE_LIMIT),
        (
            400,
            said("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens"),
            REFUSED,
        ),
        (400, said("Could not process image"), REFUSED),
        (529, said("Overloaded", type="overloaded_error"), OUTAGE),
    ],
    "Gemini": [
        (
            400,
            said(
                "The input token count (1196265) exceeds the maximum number of tokens allowed "
                "(1048575).",
                status="INVALID_ARGUMENT",
            ),
            CONTEXT_LIMIT,
        ),
        (
            400,
            said(
                "Unable to submit request because the input token count is 50000 but model only "
                "supports up to 32768."
            ),
            CONTEXT_LIMIT,
        ),
        (400, said("Request payload size exceeds the limit: 20971520 bytes."), SIZE_LIMIT),
        (400, said("The number of images exceeds the limit of 3000"), IMAGE_LIMIT),
        (
            400,
            said("maxOutputTokens value of 100000 but the supported range is from 1 to 8193"),
            REFUSED,
        ),
        (400, said("Unable to process input image."), REFUSED),
        (429, said("Resource has been exhausted (e.g. check quota)."), RATE_LIMIT),
    ],
    "SGLang": [
        (
            400,
            {
                "object": "error",
                "message": "The input (40000 tokens) is longer than the model's context length "
                "(32768 tokens).",
                "code": 400,
            },
            CONTEXT_LIMIT,
        ),
        (
            400,
            said("Requested token count exceeds the model's maximum context length of 4096 tokens"),
            CONTEXT_LIMIT,
        ),
    ],
    "llama.cpp, Ollama, LM Studio": [
        (
            400,
            said(
                "the request exceeds the available context size, try increasing it",
                type="exceed_context_size_error",
            ),
            CONTEXT_LIMIT,
        ),
        (500, {"error": "the input length exceeds the context length"}, CONTEXT_LIMIT),
        (
            400,
            {"error": "the model is loaded with context length of only 4096 tokens"},
            CONTEXT_LIMIT,
        ),
        (500, said("failed to process image"), OUTAGE),
        (400, {"error": "Reached context length of 4096 tokens with a model"}, CONTEXT_LIMIT),
        (400, said("image input is not supported - hint: provide the mmproj"), REFUSED),
    ],
    "LiteLLM": [
        (400, said("litellm.ContextWindowExceededError: prompt of 9 tokens"), CONTEXT_LIMIT),
        (
            500,
            said("Error code: 400 - {'message': 'At most 2 image(s) may be provided'}"),
            IMAGE_LIMIT,
        ),
        (413, said("Request size is too large. Max size is 1 MB"), SIZE_LIMIT),
        (400, said("litellm.BadRequestError: unknown parameter"), REFUSED),
        (503, said("no deployment with a maximum context length is available"), OUTAGE),
    ],
    "proxies": [
        (413, {}, SIZE_LIMIT),
        (413, said("Payload Too Large"), SIZE_LIMIT),
        (500, said("PayloadTooLargeError: request entity too large"), SIZE_LIMIT),
        (400, {"detail": "Maximum request body size 1048576 exceeded, actual 2000000"}, SIZE_LIMIT),
        (400, {"message": "Request size limit exceeded"}, SIZE_LIMIT),
        (400, {"message": "Request Header Or Cookie Too Large"}, REFUSED),
        (400, {"message": "request body timeout exceeded"}, REFUSED),
        (414, {"message": "Request-URI Too Large"}, REFUSED),
        (504, {"message": "upstream request timeout exceeded"}, OUTAGE),
    ],
    "Mistral": [
        (
            400,
            said(
                "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 "
                "maximum context length",
                code="3051",
            ),
            CONTEXT_LIMIT,
        ),
        (400, said("Too many images in request (9). Maximum allowed is 8."), IMAGE_LIMIT),
        (400, said("Expected last role User or Tool but got assistant"), REFUSED),
    ],
    "DashScope, Zhipu, Moonshot, MiniMax, Volcengine": [
        (400, said("Range of input length should be [1, 129024]"), CONTEXT_LIMIT),
        (400, said("Exceeded limit on max bytes per data-uri item : 10485760"), SIZE_LIMIT),
        (400, said("Prompt \u8d85\u957f", code="1261"), CONTEXT_LIMIT),
        (400, said("\u8d85\u8fc7\u6a21\u578b\u6700\u5927\u4e0a\u4e0b\u6587"), CONTEXT_LIMIT),
        (
            400,
            said("Invalid request: Your request exceeded model token limit: 8192"),
            CONTEXT_LIMIT,
        ),
        (400, said("context window exceeds limit (2013)"), CONTEXT_LIMIT),
        (
            400,
            said("Total tokens of image and text exceed max message tokens."),
            CONTEXT_LIMIT,
        ),
        (400, said("Range of max_tokens should be [1, 8192]"), REFUSED),
        (400, said("The image length and width do not meet the model restrictions"), REFUSED),
        (400, said("absolute aspect ratio must be smaller than 200, got 300"), REFUSED),
    ],
    "Groq, TGI, xAI, Bedrock, GitHub, others": [
        (
            400,
            said("Too many images provided. This model supports up to 5 images"),
            IMAGE_LIMIT,
        ),
        (400, said("This model only supports one image per request"), IMAGE_LIMIT),
        (400, said("Please reduce the length of the messages or completion."), CONTEXT_LIMIT),
        (
            413,
            said(
                "Request too large for model `m` on tokens per minute (TPM): Limit 6000, "
                "Requested 7000, please reduce your message size",
                code="rate_limit_exceeded",
            ),
            CONTEXT_LIMIT,
        ),
        (
            422,
            {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"},
            CONTEXT_LIMIT,
        ),
        (
            400,
            said("This model's maximum prompt length is 131072 but the request contains 537812"),
            CONTEXT_LIMIT,
        ),
        (400, said("Input is too long for requested model."), CONTEXT_LIMIT),
        (400, said("Too many input tokens. Max input tokens: 128000"), CONTEXT_LIMIT),
        (400, said("Value at 'messages' failed: more than 20 images in a message"), IMAGE_LIMIT),
        (400, said("You passed 13 images but only 12 are allowed per prompt"), IMAGE_LIMIT),
        (413, said("Request body too large for m. Max size: 8000 tokens."), CONTEXT_LIMIT),
        (400, said("too many tokens: the prompt cannot exceed 4081"), CONTEXT_LIMIT),
        (
            400,
            said(
                "`max_tokens` must be less than or equal to `8192`, the maximum value for "
                "`max_tokens` is less than the `context_window` for this model"
            ),
            REFUSED,
        ),
        (400, said("fetching the image exceeded the time limit of 5 seconds"), REFUSED),
        (400, said("the image is too small"), REFUSED),
        (400, said("stop: at most 4 stop sequences"), REFUSED),
        (429, said("Too many tokens, please wait before trying again."), RATE_LIMIT),
        (429, said("Too many images requests per minute"), RATE_LIMIT),
    ],
    "inside a 200": [
        (200, said("At most 2 image(s) may be provided in one prompt."), IMAGE_LIMIT),
        (200, said("m", code="context_length_exceeded"), CONTEXT_LIMIT),
        (200, said("This endpoint's maximum context length is 4096", code=400), CONTEXT_LIMIT),
        (200, said("request entity too large"), SIZE_LIMIT),
        (200, said("m", type="request_too_large", code=413), SIZE_LIMIT),
    ],
}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        pytest.param(status, body, verdict, id=f"{server}: {status} {json.dumps(body)[:60]}")
        for server, cases in LIMITS.items()
        for status, body, verdict in cases
    ],
)
def test_a_limit_of_a_conversation_is_told_from_what_only_looks_like_one(
    status: int, body: Any, verdict: Verdict
) -> None:
    error = error_of_value(body)
    assert judge(status_of(status, error), error, told_to_wait=False) is verdict


@pytest.mark.parametrize(
    ("status", "title", "verdict"),
    [
        (413, "413 Request Entity Too Large", SIZE_LIMIT),
        (400, "400 Request Header Or Cookie Too Large", REFUSED),
        (414, "414 Request-URI Too Large", REFUSED),
        (502, "502 Bad Gateway", OUTAGE),
    ],
)
def test_the_page_of_a_proxy_tells_its_limit(status: int, title: str, verdict: Verdict) -> None:
    error = error_of_response(NGINX.format(title=title).encode(), "text/html", status)
    assert judge(status_of(status, error), error, told_to_wait=False) is verdict


def test_a_limit_never_ends_a_run_by_itself() -> None:
    assert not any(ends(*[IMAGE_LIMIT, CONTEXT_LIMIT, SIZE_LIMIT] * 9))
