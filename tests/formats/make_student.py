"""Makes tiny students on disk: Qwen2.5-VL and Qwen3-VL, with weights that were never trained.

Runs in a trainer's environment, beside its transformers. Nothing is downloaded: the
tokenizer knows bytes and the family's special tokens, and the image processor has the
family's patches. What a trainer reads of a student is thus what it reads of a real one.

``python -m tests.formats.make_student FOLDER [TEMPLATES]`` writes a folder for each into
FOLDER. TEMPLATES: a folder with the published chat templates (``qwen3_vl.jinja``), for a
trainer that knows a student by its exact template.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

QWEN2_5, QWEN3 = "Qwen2.5-VL-tiny-Instruct", "Qwen3-VL-tiny-Instruct"
END = "<|im_end|>"
PAD = "<|endoftext|>"
SPECIAL = (
    PAD,
    "<|im_start|>",
    END,
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CALL_TAGS = ("<tool_call>", "</tool_call>")
QWEN3_TAGS = ("<tool_response>", "</tool_response>", "<think>", "</think>")
MAX_PIXELS = 1024 * 1024

_CONTENT = """\
{%- macro shown(content) -%}
{%- if content is string -%}
{{- content -}}
{%- else -%}
{%- for part in content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'video' or 'video' in part -%}
<|vision_start|><|video_pad|><|vision_end|>
{%- elif 'text' in part -%}
{{- part.text -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
"""
_PROMPT = """\
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""

QWEN2_5_TEMPLATE = (
    _CONTENT
    + """\
{%- for message in messages -%}
{%- if loop.first and message.role != 'system' -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{{- '<|im_start|>' + message.role + '\\n' + shown(message.content) + '<|im_end|>\\n' -}}
{%- endfor -%}
"""
    + _PROMPT
)
"""Renders as the template of Qwen2.5-VL-Instruct (3B to 72B) does, but for numbered images.

It knows neither `tools` nor `tool_calls` nor the role of a tool: a call that is no text is not in
the prompt, and a message of a tool stands under its own role. A first message that is no system
prompt gets one."""

QWEN3_TEMPLATE = (
    _CONTENT
    + """\
{%- macro words(content) -%}
{%- if content is string -%}
{{- content -}}
{%- else -%}
{%- for part in content -%}{%- if 'text' in part -%}{{- part.text -}}{%- endif -%}{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
{%- set has_system = messages[0].role == 'system' -%}
{%- if tools or has_system -%}
{{- '<|im_start|>system\\n' -}}
{%- if has_system -%}{{- words(messages[0].content) -}}{%- endif -%}
{%- if tools -%}
{%- if has_system -%}{{- '\\n\\n' -}}{%- endif -%}
{{- '# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\n' -}}
{{- 'You are provided with function signatures within <tools></tools> XML tags:\\n<tools>' -}}
{%- for tool in tools -%}{{- '\\n' + (tool | tojson) -}}{%- endfor -%}
{{- '\\n</tools>\\n\\nFor each function call, return a json object with function name and ' -}}
{{- 'arguments within <tool_call></tool_call> XML tags:\\n<tool_call>\\n' -}}
{{- '{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call>' -}}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}
{{- '<|im_start|>user\\n' + shown(message.content) + '<|im_end|>\\n' -}}
{%- elif message.role == 'assistant' -%}
{{- '<|im_start|>assistant\\n' + words(message.content) -}}
{%- for call in message.tool_calls or [] -%}
{%- if message.content or not loop.first -%}{{- '\\n' -}}{%- endif -%}
{%- set call = call.function or call -%}
{{- '<tool_call>\\n{"name": "' + call.name + '", "arguments": ' -}}
{%- if call.arguments is string -%}
{{- call.arguments -}}
{%- else -%}
{{- call.arguments | tojson -}}
{%- endif -%}
{{- '}\\n</tool_call>' -}}
{%- endfor -%}
{{- '<|im_end|>\\n' -}}
{%- elif message.role == 'tool' -%}
{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}
{{- '<|im_start|>user' -}}
{%- endif -%}
{{- '\\n<tool_response>\\n' + shown(message.content) + '\\n</tool_response>' -}}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- endif -%}
{%- endfor -%}
"""
    + _PROMPT
)
"""Renders as the template of Qwen3-VL-Instruct (2B to 235B-A22B) does, but for numbered images.

A call is written in tags behind the text, and messages of tools that follow one another share one
turn of the user, each in tags. Images in an assistant's turn, and messages of other roles, are not
in the prompt."""


def make_tokenizer(extra: tuple[str, ...]) -> PreTrainedTokenizerFast:
    """Bytes, the family's special tokens, and its tags as tokens of their own."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(alphabet)}, []))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in (*CALL_TAGS, *extra)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=list(SPECIAL),
        model_max_length=131072,
        clean_up_tokenization_spaces=False,
    )


def _text_config(tokenizer: PreTrainedTokenizerFast, **rope: object) -> dict[str, object]:
    ids = tokenizer.convert_tokens_to_ids
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 131072,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, **rope},
        "pad_token_id": ids(PAD),
        "eos_token_id": ids(END),
        "bos_token_id": ids(PAD),
    }


def _tokens(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    ids = tokenizer.convert_tokens_to_ids
    return {
        "image_token_id": ids("<|image_pad|>"),
        "video_token_id": ids("<|video_pad|>"),
        "vision_start_token_id": ids("<|vision_start|>"),
        "vision_end_token_id": ids("<|vision_end|>"),
        "eos_token_id": ids(END),
        "pad_token_id": ids(PAD),
    }


def _image_processor(patch_size: int) -> Qwen2VLImageProcessor:
    # The families' own means differ; with these a test can read colours back.
    return Qwen2VLImageProcessor(
        size={"shortest_edge": 4 * patch_size * patch_size, "longest_edge": MAX_PIXELS},
        patch_size=patch_size,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def make_qwen2_5(folder: Path, template: str) -> None:
    """Write a tiny Qwen2.5-VL: 14-pixel patches, merged two by two."""
    tokenizer = make_tokenizer(())
    tokenizer.chat_template = template
    Qwen2_5_VLProcessor(
        image_processor=_image_processor(14),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=template,
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = Qwen2_5_VLConfig(
        text_config=_text_config(tokenizer, mrope_section=[4, 6, 6]),
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "fullatt_block_indexes": [1],
        },
        **_tokens(tokenizer),
    )
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)


def make_qwen3(folder: Path, template: str) -> None:
    """Write a tiny Qwen3-VL: 16-pixel patches, merged two by two."""
    tokenizer = make_tokenizer(QWEN3_TAGS)
    tokenizer.chat_template = template
    Qwen3VLProcessor(
        image_processor=_image_processor(16),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=template,
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    rope = {"mrope_section": [6, 5, 5], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config={**_text_config(tokenizer, **rope), "head_dim": 32},
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 64,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        **_tokens(tokenizer),
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)


def main() -> None:
    """Write both students."""
    folder = Path(sys.argv[1])
    published = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    torch.manual_seed(7)
    for name, make, file, own in (
        (QWEN2_5, make_qwen2_5, "qwen2_5_vl.jinja", QWEN2_5_TEMPLATE),
        (QWEN3, make_qwen3, "qwen3_vl.jinja", QWEN3_TEMPLATE),
    ):
        template = own if published is None else (published / file).read_text()
        make(folder / name, template)


if __name__ == "__main__":
    main()
