"""Which family a model's name tells, and what is said where its frame is only assumed."""

from __future__ import annotations

import pytest

from geostore.conversation.families import assumed_frame, family_of, find_family, iter_families


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("zai-org/GLM-4.5V", "GLM-4.1V to 4.xV, GLM-5V"),
        ("zai-org/GLM-4.6V-FP8", "GLM-4.1V to 4.xV, GLM-5V"),
        ("z-ai/glm-4.6v-flash:free", "GLM-4.1V to 4.xV, GLM-5V"),
        ("accounts/fireworks/models/glm-4p5v", "GLM-4.1V to 4.xV, GLM-5V"),
        ("THUDM/GLM-4.1V-9B-Thinking", "GLM-4.1V to 4.xV, GLM-5V"),
        ("glm-5v-turbo", "GLM-4.1V to 4.xV, GLM-5V"),
        ("OpenGVLab/InternVL3_5-38B-HF", "InternVL 2 to 3.5"),
        ("internvl3.5-8b", "InternVL 2 to 3.5"),
        ("OpenGVLab/InternVL3_5-GPT-OSS-20B-A4B-Preview", "InternVL 2 to 3.5"),
        ("google/gemma-3-27b-it:free", "Gemma 3, Gemma 4"),
        ("gemma3:12b", "Gemma 3, Gemma 4"),
        ("unsloth/gemma-3n-E4B-it", "Gemma 3, Gemma 4"),
        ("google/gemma-4-31B-it", "Gemma 3, Gemma 4"),
        ("x-ai/grok-4-fast", "Grok"),
        ("grok-2-vision-1212", "Grok"),
        ("moonshotai/Kimi-VL-A3B-Thinking-2506", "Kimi-VL, Kimi K2.5, K3"),
        ("moonshotai/kimi-k2.5", "Kimi-VL, Kimi K2.5, K3"),
        ("kimi-k3", "Kimi-VL, Kimi K2.5, K3"),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "Llama 4"),
        ("us.meta.llama4-scout-17b-instruct-v1:0", "Llama 4"),
        ("models--meta-llama--Llama-4-Scout-17B-16E-Instruct", "Llama 4"),
        ("doubao-seed-1-6-vision-250815", "Doubao-Seed"),
        ("doubao-1-5-thinking-vision-pro-250428", "Doubao-Seed"),
        ("bytedance-seed/seed-1.6-flash", "Doubao-Seed"),
        ("stepfun-ai/step3-fp8", "Step-3"),
        ("step-3.7-flash", "Step-3"),
        ("stepfun-ai/Step3-VL-10B", "Step-3"),
        ("MiniMaxAI/MiniMax-VL-01", "MiniMax-01, VL-01, M3"),
        ("minimax/minimax-01", "MiniMax-01, VL-01, M3"),
        ("allenai/Molmo2-8B", "Molmo 2"),
        ("allenai/Molmo-2-4B", "Molmo 2"),
        ("qwen-vl-max", "qwen-vl-max, qwen-vl-plus"),
        ("qwen/qwen-vl-plus:free", "qwen-vl-max, qwen-vl-plus"),
        ("qwen-vl-max-2025-08-13", "qwen-vl-max, qwen-vl-plus"),
        # Known before: the new families take none of these away.
        ("qwen2.5-vl-72b-instruct", "Qwen2.5-VL"),
        ("qwen3-vl-plus-2025-12-19", "Qwen3-VL, Qwen3.5"),
        ("someone/Qwen2.5-VL-7B-glm-4.5v-distill", "Qwen2.5-VL"),
        ("google/gemini-2.5-pro", "Gemini"),
    ],
)
def test_a_family_is_known_by_its_name_as_servers_give_it(model: str, title: str) -> None:
    """With provider, precision, tier and date around the name, in any case."""
    for name in (model, model.upper(), model.lower()):
        assert family_of(name).title == title


@pytest.mark.parametrize(
    "model",
    [
        "my-own-model",
        "zai-org/GLM-4.5",  # without eyes
        "glm-4v-plus",  # an older family, of which no source was looked up
        "autoglm-4.5v2",
        "InternRobotics/InternVLA-M1",
        "google/medgemma-4b-it",
        "google/paligemma-3b-mix-224",  # location tokens
        "google/gemma-2-9b-it",
        "groq/compound",
        "grokking-transformer",
        "moonshotai/Kimi-K2-Instruct",
        "meta-llama/Llama-3.2-90B-Vision-Instruct",
        "someone/llama-40b",
        "ByteDance-Seed/Seed-OSS-36B-Instruct",
        "bytedance/seedream-4.0",
        "runs/geo/checkpoint-step-3000",
        "runs/geo/step-3",
        "MiniMaxAI/MiniMax-M2",
        "allenai/Molmo-7B-D-0924",  # points in percent
        "allenai/MolmoPoint-8B",  # point tokens
        "qwen-vl-chat",
    ],
)
def test_another_model_with_a_name_alike_is_not_taken_for_the_family(model: str) -> None:
    assert find_family(model) is None
    assert assumed_frame(model) is not None


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("x-ai/grok-4", "boxes of x-ai/grok-4 are taken for norm1000, which is assumed: no source"),
        ("gemma-4-31B-it", "taken for norm1000_yx, which is assumed: Google documents no frame"),
        ("qwen-vl-max-latest", "an alias whose frame depends on its date"),
        ("my-own-model", "the name does not tell which model this is"),
    ],
)
def test_an_assumed_frame_is_said_with_its_reason_and_the_option(model: str, words: str) -> None:
    sentence = assumed_frame(model) or ""
    assert words in sentence
    assert "--bbox-frame" in sentence


def test_where_a_source_states_the_frame_nothing_is_said() -> None:
    assert assumed_frame("Qwen/Qwen3-VL-8B") is None
    assert assumed_frame("GLM-4.5V") is None


def test_every_family_names_its_source() -> None:
    assert all(family.source != "none" for family in iter_families())
