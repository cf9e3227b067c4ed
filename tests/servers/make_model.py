"""Makes a tiny Qwen3-VL on disk: its architecture and files, with weights that were never trained.

Runs in the servers' environment, beside transformers. Nothing is downloaded: the
tokenizer knows bytes and a few words. What the model says is laid into its head:
each word has successors, which are equally likely, and everything else is random.
So the servers do all that they do for a real model, and get conversations with
calls, answers, chatter and broken calls from it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")

CALL = '\n{"name": "%s", "arguments": %s}\n'
ZOOMS = tuple(
    CALL % ("image_zoom_in_tool", json.dumps({"bbox_2d": box}))
    for box in ([100, 200, 600, 700], [0, 0, 500, 500], [300, 300, 900, 800])
)
TURN = CALL % ("image_rotate_tool", json.dumps({"angle": 90}))
BROKEN = '\n{"name": "image_zoom_in_tool", "arguments": {"bbox_2d": [100, 200,\n'
ANSWERS = tuple(
    f"It is there. <answer>\\boxed{{{place}}}</answer>"
    for place in ("48.8566, 2.3522", "39.25, -98.75", "-33.8688, 151.2093")
)
LOOK, CHATTER = "I look closer.\n", "I am not sure yet."

NEWLINE = "Ċ"  # how a byte-level tokenizer writes the line break behind "assistant"
END = "<|im_end|>"
CALLS = (*ZOOMS, TURN)


def successors(broken: bool) -> dict[str, tuple[str, ...]]:
    """Which words may follow a word; broken: half of the calls are cut in the middle."""
    calls = (ZOOMS[0], BROKEN) if broken else CALLS
    return {
        NEWLINE: ("<tool_call>", LOOK, *ANSWERS, CHATTER),
        LOOK: ("<tool_call>",),
        "<tool_call>": calls,
        **dict.fromkeys((*CALLS, BROKEN), ("</tool_call>",)),
        "</tool_call>": (END,),
        **dict.fromkeys(ANSWERS, (END,)),
        CHATTER: (END,),
        END: (END,),
    }


TEMPLATE = """\
{%- macro show(content) -%}
{%- if content is string -%}{{ content }}
{%- elif content -%}{%- for part in content -%}
{%- if part.type == 'text' -%}{{ part.text }}
{%- else -%}<|vision_start|><|image_pad|><|vision_end|>{%- endif -%}
{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- if tools -%}<|im_start|>system
# Tools
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
Write a call as <tool_call>{"name": ..., "arguments": ...}</tool_call><|im_end|>
{% endif -%}
{%- for message in messages -%}
{%- if message.role == 'tool' -%}<|im_start|>user
<tool_response>{{ show(message.content) }}</tool_response><|im_end|>
{% else -%}<|im_start|>{{ message.role }}
{{ show(message.content) }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor -%}<|im_end|>
{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}
"""


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, the model family's special tokens, and one token for each thing that it says."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: at for at, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    words = (*TAGS, *CALLS, BROKEN, *ANSWERS, LOOK, CHATTER)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in words])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token="<|endoftext|>",
        extra_special_tokens=list(SPECIAL),
        model_max_length=32768,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, broken: bool) -> Qwen3VLForConditionalGeneration:
    """Random, but that every word leads to its successors."""
    ids = tokenizer.convert_tokens_to_ids
    torch.manual_seed(7)
    size = 128
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size,
            "intermediate_size": size,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "max_position_embeddings": 32768,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 500000.0,
                "mrope_section": [12, 10, 10],
                "mrope_interleaved": True,
            },
            "pad_token_id": ids("<|endoftext|>"),
            "eos_token_id": ids(END),
        },
        vision_config={
            "depth": 2,
            "hidden_size": size,
            "intermediate_size": size,
            "num_heads": 2,
            "out_hidden_size": size,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        eos_token_id=ids(END),
    )
    model = Qwen3VLForConditionalGeneration(config).eval()
    text = model.model.language_model
    with torch.no_grad():
        # The layers add nothing, so that the last hidden state is the last token's own direction.
        for layer in text.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        said = successors(broken)
        directions = torch.nn.functional.normalize(torch.randn(len(tokenizer), size), dim=1)
        # At right angles, or each word would bring up the successors of others too.
        directions[ids(list(said))] = torch.linalg.qr(torch.randn(size, len(said))).Q.T
        text.embed_tokens.weight.copy_(directions)
        model.lm_head.weight.zero_()
        for word, following in said.items():
            for successor in following:
                # The norm before the head makes a direction sqrt(size) long: a logit of 34.
                model.lm_head.weight[ids(successor)] += 3.0 * directions[ids(word)]
    model.generation_config.do_sample = True
    model.generation_config.eos_token_id = ids(END)
    model.generation_config.pad_token_id = ids("<|endoftext|>")
    return model


def main() -> None:
    """Write the model to the folder that is named; --broken-calls: half of its calls are cut."""
    folder = Path(sys.argv[1])
    tokenizer = make_tokenizer()
    sizes = {"shortest_edge": 56 * 56, "longest_edge": 1024 * 1024}
    Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            size=sizes, patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3
        ),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(),
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    make_model(tokenizer, "--broken-calls" in sys.argv).save_pretrained(folder)


if __name__ == "__main__":
    main()
