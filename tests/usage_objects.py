"""Usage objects as servers send them, and what each means."""

from __future__ import annotations

from typing import Any

from geostore.records import TokenCounts

# Name: the usage object as the server sends it, and what it means.
SERVERS: dict[str, tuple[dict[str, Any], TokenCounts]] = {
    "OpenAI": (
        {
            "prompt_tokens": 1117,
            "completion_tokens": 46,
            "total_tokens": 1163,
            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 32,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        TokenCounts(
            prompt_tokens=1117,
            completion_tokens=46,
            total_tokens=1163,
            cached_tokens=1024,
            reasoning_tokens=32,
        ),
    ),
    "OpenAI with cache writes and image tokens": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 900,
                "image_tokens": 765,
            },
            "service_tier": "flex",
        },
        TokenCounts(
            prompt_tokens=1000,
            completion_tokens=100,
            total_tokens=1100,
            cached_tokens=0,
            cache_write_tokens=900,
            image_tokens=765,
            service_tier="flex",
        ),
    ),
    "OpenAI's Responses, through a gateway": (
        {
            "input_tokens": 328,
            "input_tokens_details": {"cached_tokens": 128},
            "output_tokens": 52,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 380,
        },
        TokenCounts(
            prompt_tokens=328,
            completion_tokens=52,
            total_tokens=380,
            cached_tokens=128,
            reasoning_tokens=20,
        ),
    ),
    "Azure, details null": (
        {
            "completion_tokens": 20,
            "completion_tokens_details": None,
            "prompt_tokens": 100,
            "prompt_tokens_details": None,
            "total_tokens": 120,
        },
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120),
    ),
    "Anthropic's endpoint for OpenAI's client": (
        {"completion_tokens": 30, "prompt_tokens": 900, "total_tokens": 930},
        TokenCounts(prompt_tokens=900, completion_tokens=30, total_tokens=930),
    ),
    "Anthropic's own form: the cache stands beside the input": (
        {
            "input_tokens": 50,
            "cache_creation_input_tokens": 248,
            "cache_read_input_tokens": 1800,
            "output_tokens": 503,
            "service_tier": "standard",
        },
        TokenCounts(
            prompt_tokens=2098,
            completion_tokens=503,
            total_tokens=2601,
            cached_tokens=1800,
            cache_write_tokens=248,
            service_tier="standard",
        ),
    ),
    "Anthropic's counts under OpenAI's names, the cache beside the prompt": (
        {
            "prompt_tokens": 50,
            "completion_tokens": 10,
            "total_tokens": 60,
            "cache_read_input_tokens": 1800,
            "cache_creation_input_tokens": 0,
        },
        TokenCounts(
            prompt_tokens=1850,
            completion_tokens=10,
            total_tokens=1860,
            cached_tokens=1800,
            cache_write_tokens=0,
        ),
    ),
    "the same, in the total but not in the prompt": (
        {
            "prompt_tokens": 2000,
            "completion_tokens": 10,
            "total_tokens": 3810,
            "cache_read_input_tokens": 1800,
        },
        TokenCounts(
            prompt_tokens=3800, completion_tokens=10, total_tokens=3810, cached_tokens=1800
        ),
    ),
    "LiteLLM in front of Anthropic": (
        {
            "completion_tokens": 10,
            "prompt_tokens": 2098,
            "total_tokens": 2108,
            "completion_tokens_details": None,
            "prompt_tokens_details": {
                "audio_tokens": None,
                "cached_tokens": 1800,
                "cache_creation_tokens": 248,
            },
            "cache_creation_input_tokens": 248,
            "cache_read_input_tokens": 1800,
        },
        TokenCounts(
            prompt_tokens=2098,
            completion_tokens=10,
            total_tokens=2108,
            cached_tokens=1800,
            cache_write_tokens=248,
        ),
    ),
    "Bedrock's own form": (
        {
            "inputTokens": 12,
            "outputTokens": 30,
            "totalTokens": 1042,
            "cacheReadInputTokens": 600,
            "cacheWriteInputTokens": 400,
        },
        TokenCounts(
            prompt_tokens=1012,
            completion_tokens=30,
            total_tokens=1042,
            cached_tokens=600,
            cache_write_tokens=400,
        ),
    ),
    "OpenRouter states its cost": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
            "cost": 0.0125,
            "is_byok": False,
            "prompt_tokens_details": {
                "cached_tokens": 200,
                "cache_write_tokens": 100,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "cost_details": {"upstream_inference_cost": None},
            "completion_tokens_details": {"reasoning_tokens": 64, "image_tokens": 0},
        },
        TokenCounts(
            prompt_tokens=1000,
            completion_tokens=100,
            total_tokens=1100,
            cached_tokens=200,
            cache_write_tokens=100,
            reasoning_tokens=64,
            stated_cost=0.0125,
        ),
    ),
    "Perplexity's cost is a table": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "cost": {"input_tokens_cost": 0.001, "total_cost": 0.006},
        },
        TokenCounts(prompt_tokens=10, completion_tokens=5, total_tokens=15, stated_cost=0.006),
    ),
    "DeepSeek": (
        {
            "prompt_tokens": 300,
            "completion_tokens": 90,
            "total_tokens": 390,
            "prompt_cache_hit_tokens": 256,
            "prompt_cache_miss_tokens": 44,
            "completion_tokens_details": {"reasoning_tokens": 70},
        },
        TokenCounts(
            prompt_tokens=300,
            completion_tokens=90,
            total_tokens=390,
            cached_tokens=256,
            reasoning_tokens=70,
        ),
    ),
    "Gemini: thoughts only in the total": (
        {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 3100},
        TokenCounts(prompt_tokens=1000, completion_tokens=2100, total_tokens=3100),
    ),
    "Gemini's own form": (
        {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 100,
            "thoughtsTokenCount": 2000,
            "totalTokenCount": 3100,
            "cachedContentTokenCount": 512,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 742},
                {"modality": "IMAGE", "tokenCount": 258},
            ],
            "trafficType": "ON_DEMAND",
        },
        TokenCounts(
            prompt_tokens=1000,
            completion_tokens=2100,
            total_tokens=3100,
            cached_tokens=512,
            reasoning_tokens=2000,
            image_tokens=258,
            service_tier="on_demand",
        ),
    ),
    "xAI: reasoning is not in the completion": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"text_tokens": 32, "image_tokens": 0, "cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        TokenCounts(
            prompt_tokens=32,
            completion_tokens=103,
            total_tokens=135,
            cached_tokens=6,
            reasoning_tokens=94,
            image_tokens=0,
        ),
    ),
    "reasoning that is more than the completion, without a total": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        TokenCounts(prompt_tokens=32, completion_tokens=94, total_tokens=126, reasoning_tokens=94),
    ),
    "vLLM": (
        {
            "prompt_tokens": 1500,
            "total_tokens": 1760,
            "completion_tokens": 260,
            "prompt_tokens_details": {"cached_tokens": 1488},
        },
        TokenCounts(
            prompt_tokens=1500, completion_tokens=260, total_tokens=1760, cached_tokens=1488
        ),
    ),
    "SGLang": (
        {
            "prompt_tokens": 1500,
            "total_tokens": 1760,
            "completion_tokens": 260,
            "prompt_tokens_details": None,
            "reasoning_tokens": 100,
        },
        TokenCounts(
            prompt_tokens=1500, completion_tokens=260, total_tokens=1760, reasoning_tokens=100
        ),
    ),
    "llama.cpp's timings": (
        {
            "cache_n": 236,
            "prompt_n": 14,
            "prompt_ms": 30.958,
            "prompt_per_second": 452.2,
            "predicted_n": 35,
            "predicted_ms": 661.064,
        },
        TokenCounts(prompt_tokens=250, completion_tokens=35, total_tokens=285, cached_tokens=236),
    ),
    "an older llama.cpp's timings do not count what was cached": (
        {"prompt_n": 14, "prompt_ms": 30.958, "predicted_n": 35},
        TokenCounts(completion_tokens=35),
    ),
    "Mistral": (
        {
            "prompt_tokens": 883,
            "total_tokens": 914,
            "completion_tokens": 31,
            "num_cached_tokens": 512,
            "prompt_audio_seconds": {},
        },
        TokenCounts(prompt_tokens=883, completion_tokens=31, total_tokens=914, cached_tokens=512),
    ),
    "Groq": (
        {
            "queue_time": 0.037493756,
            "prompt_tokens": 18,
            "prompt_time": 0.000680594,
            "completion_tokens": 556,
            "completion_time": 0.463333333,
            "total_tokens": 574,
            "total_time": 0.464013927,
        },
        TokenCounts(prompt_tokens=18, completion_tokens=556, total_tokens=574),
    ),
    "DashScope": (
        {
            "prompt_tokens": 1021,
            "completion_tokens": 45,
            "total_tokens": 1066,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "image_tokens": 998,
                "text_tokens": 23,
                "cache_creation_input_tokens": 640,
                "cache_creation": {"ephemeral_5m_input_tokens": 640},
            },
            "completion_tokens_details": {"text_tokens": 45},
        },
        TokenCounts(
            prompt_tokens=1021,
            completion_tokens=45,
            total_tokens=1066,
            cached_tokens=0,
            cache_write_tokens=640,
            image_tokens=998,
        ),
    ),
    "Moonshot": (
        {"prompt_tokens": 700, "completion_tokens": 40, "total_tokens": 740, "cached_tokens": 640},
        TokenCounts(prompt_tokens=700, completion_tokens=40, total_tokens=740, cached_tokens=640),
    ),
    "a gateway that sends both names, one of them empty": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "input_tokens": 0,
            "output_tokens": 0,
            "prompt_cache_hit_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 64},
        },
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120, cached_tokens=64),
    ),
}

ODD: dict[str, tuple[dict[str, Any], TokenCounts]] = {
    "floats are numbers": (
        {"prompt_tokens": 100.0, "completion_tokens": 20.0, "total_tokens": 120.0},
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120),
    ),
    "a part of a token is not free": (
        {"prompt_tokens": 100.25, "completion_tokens": 1.5},
        TokenCounts(prompt_tokens=101, completion_tokens=2, total_tokens=103),
    ),
    "numbers in quotes": (
        {"prompt_tokens": "100", "completion_tokens": "20", "total_tokens": "120"},
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120),
    ),
    "nothing": ({}, TokenCounts()),
    "nothing but zeros": (
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        TokenCounts(completion_tokens=0),
    ),
    "nothing that is a number": (
        {
            "prompt_tokens": "many",
            "completion_tokens": True,
            "total_tokens": [],
            "prompt_tokens_details": 5,
            "cost": "0.1",
            "service_tier": 3,
        },
        TokenCounts(),
    ),
    "negative": (
        {"prompt_tokens": -1, "completion_tokens": -1, "total_tokens": -2, "cost": -1.0},
        TokenCounts(),
    ),
    "absurd": (
        {"prompt_tokens": 2**63, "completion_tokens": 1e300, "total_tokens": float("inf")},
        TokenCounts(),
    ),
    "a total of nothing but the completion": (
        {"completion_tokens": 20, "total_tokens": 20},
        TokenCounts(completion_tokens=20),
    ),
    "the total tells the prompt": (
        {"completion_tokens": 20, "total_tokens": 120},
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120),
    ),
    "the total tells the completion": (
        {"prompt_tokens": 100, "total_tokens": 120},
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120),
    ),
    "a total of nothing but the prompt": (
        {"prompt_tokens": 100, "total_tokens": 100},
        TokenCounts(prompt_tokens=100),
    ),
    "the total alone": ({"total_tokens": 120}, TokenCounts(total_tokens=120)),
    "a total that is too small": (
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 100},
        TokenCounts(prompt_tokens=100, completion_tokens=20, total_tokens=120),
    ),
    "more cached than there is": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 50},
        },
        TokenCounts(
            prompt_tokens=100,
            completion_tokens=20,
            total_tokens=120,
            cached_tokens=100,
            cache_write_tokens=0,
        ),
    ),
}
