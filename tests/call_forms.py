"""Ways in which models write one zoom, with the protocol's tags and without."""

from __future__ import annotations

import json

from tests.minds import ZOOM

BOX = "[100, 200, 600, 700]"
ARGUMENTS = f'{{"bbox_2d": {BOX}}}'
CALL = f'{{"name": "{ZOOM}", "arguments": {ARGUMENTS}}}'
CODER = f"<function={ZOOM}>\n<parameter=bbox_2d>\n{BOX}\n</parameter>\n</function>"
KEYED = f"{ZOOM}\n<arg_key>bbox_2d</arg_key>\n<arg_value>{BOX}</arg_value>"
INVOKE = f'<invoke name="{ZOOM}">\n<parameter name="bbox_2d">{BOX}</parameter>\n</invoke>'
DSML = (
    f'<｜DSML｜invoke name="{ZOOM}">\n<｜DSML｜parameter name="bbox_2d" string="false">{BOX}'
    "</｜DSML｜parameter>\n</｜DSML｜invoke>"
)
WIDE = CALL.translate(str.maketrans(":,", "：，"))
CURLY = CALL.replace('{"', "{“").replace('":', "”:").replace(' "', " “").replace('",', "”,")

IN_TAGS = {
    "parameters as tags": CODER,
    "parameters as tags, a closing tag missing": CODER.replace("</parameter>\n", ""),
    "parameters as tags, the last closing tag missing": CODER.replace("\n</function>", ""),
    "arguments as JSON in a tag": f"<function={ZOOM}>{ARGUMENTS}</function>",
    "invoke": INVOKE,
    "arg_key": KEYED,
    "arg_key on one line": KEYED.replace("\n", ""),
    "double braces": CALL.replace("{", "{{").replace("}", "}}"),
    "outer braces doubled": f"{{{CALL}}}",
    "one brace too many in front": f"{{{CALL}",
    "one brace too many": CALL + "}",
    "two closers too many": CALL + "]}",
    "list of one": f"[{CALL}]",
    "a member that is a list": f'{{"tool_calls": [{CALL}]}}',
    "OpenAI's shape": f'{{"type": "function", "function": {CALL}}}',
    "OpenAI's old shape": f'{{"function_call": {CALL}}}',
    "Gemini's shape": f'{{"functionCall": {{"name": "{ZOOM}", "args": {ARGUMENTS}}}}}',
    "in a member tool_call": f'{{"tool_call": {CALL}}}',
    "OpenAI's shape with text for arguments": json.dumps(
        {"id": "call_1", "function": {"name": ZOOM, "arguments": ARGUMENTS}}
    ),
    "full-width punctuation": WIDE,
    "full-width digits": CALL.replace(BOX, "[１００, ２００, ６００, ７００]"),
    "typographic quotes": CURLY,
    "nested box": CALL.replace(BOX, f"[{BOX}]"),
    "two corners": CALL.replace(BOX, "[[100, 200], [600, 700]]"),
    "corners as text": CALL.replace(BOX, '"(100,200),(600,700)"'),
    "corners between tokens": CALL.replace(BOX, '"<|box_start|>(100,200),(600,700)<|box_end|>"'),
    "box as text with full-width commas": CALL.replace(BOX, '"100，200，600，700"'),
    "nested box as text": CALL.replace(BOX, f'"[{BOX}]"'),
    "sides by name": CALL.replace(BOX, '{"y2": 700, "x1": 100, "y1": 200, "x2": 600}'),
    "a tuple": CALL.replace(BOX, "(100, 200, 600, 700)"),
    "lines with names": f"name: {ZOOM}\narguments: {ARGUMENTS}",
    "another closing tag": f"{CALL}\n</tool_calls>",
    "a token behind": f"{CALL}<|im_end|>",
    "arguments encoded twice too often": CALL.replace(ARGUMENTS, json.dumps(json.dumps(ARGUMENTS))),
    "arguments in a list": CALL.replace(ARGUMENTS, f"[{ARGUMENTS}]"),
    "a name before the object": f"{ZOOM}\n{ARGUMENTS}",
    "a Python call": f"{ZOOM}(bbox_2d={BOX})",
    "a Python call in a list": f"[{ZOOM}(bbox_2d=(100, 200, 600, 700))]",
    "the tool's name as the key": f'{{"{ZOOM}": {ARGUMENTS}}}',
    "arguments beside the name": f'{{"name": "{ZOOM}", "bbox_2d": {BOX}}}',
    "other names of the members": f'{{"tool": "{ZOOM}", "args": {ARGUMENTS}}}',
    "a member in the singular": CALL.replace("arguments", "argument"),
    "recipient_name": f'{{"recipient_name": "functions.{ZOOM}", "parameters": {ARGUMENTS}}}',
    "a prefix": CALL.replace(ZOOM, f"functions.{ZOOM}"),
    "a number behind": CALL.replace(ZOOM, f"functions.{ZOOM}:0"),
    "a server's prefix": CALL.replace(ZOOM, f"mcp__geo__{ZOOM}"),
    "a byte order mark": f"\ufeff{CALL}",
    "blanks without width": CALL.replace("{", "{\u200b"),
    "the opening tag twice": f"<tool_call>\n{CALL}",
    "Hunyuan": f"{ZOOM}\n```json\n{ARGUMENTS}\n```",
    "capitals": CALL.replace(ZOOM, "Image_Zoom_In_Tool"),
    "escaped quotes": json.dumps(CALL)[1:-1],
    "entities": CALL.replace('"', "&quot;"),
    "name and arguments as tags": f"<name>{ZOOM}</name><arguments>{ARGUMENTS}</arguments>",
    "prose before it": f"I zoom in:\n{CALL}",
}
"""What may stand between the protocol's tags and means a zoom."""

WITHOUT_TAGS = {
    "bare": CALL,
    "in a fence": f"```json\n{CALL}\n```",
    "after a sentence": f"There is a sign. Let me look closer:\n\n{CALL}\n",
    "behind a colon": f"Zooming in: {CALL}",
    "between two sentences": f"Let me look.\n{CALL}\nI will then decide.",
    "only the closing tag": f"{CALL}\n</tool_call>",
    "double braces": CALL.replace("{", "{{").replace("}", "}}"),
    "Python's quotes": CALL.replace('"', "'"),
    "several lines": json.dumps(json.loads(CALL), indent=2),
    "Qwen3.5 without its tags": CODER,
    "Qwen2.5-Coder": f"<tools>\n{CALL}\n</tools>",
    "Qwen-Agent": f"✿FUNCTION✿: {ZOOM}\n✿ARGS✿: {ARGUMENTS}",
    "GLM without its tags": KEYED,
    "MiniMax-M2": f"<minimax:tool_call>\n{INVOKE}\n</minimax:tool_call>",
    "MiniMax-M1, Hunyuan": f"<tool_calls>\n{CALL}\n</tool_calls>",
    "Claude": f"<function_calls>\n{INVOKE}\n</function_calls>",
    "DeepSeek V3": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>{ZOOM}\n"
    f"```json\n{ARGUMENTS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "DeepSeek V3.1": f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>{ZOOM}<｜tool▁sep｜>{ARGUMENTS}"
    "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "DeepSeek V3.2": f"<｜DSML｜function_calls>\n{DSML}\n</｜DSML｜function_calls>",
    "Kimi": f"<|tool_calls_section_begin|><|tool_call_begin|>functions.{ZOOM}:0"
    f"<|tool_call_argument_begin|>{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "Mistral": f"[TOOL_CALLS][{CALL}]",
    "Mistral, newer": f"[TOOL_CALLS]{ZOOM}{ARGUMENTS}",
    "Mistral, newest": f"[TOOL_CALLS]{ZOOM}[CALL_ID]abcDEF123[ARGS]{ARGUMENTS}",
    "Llama 3": f"<|python_tag|>{CALL.replace('arguments', 'parameters')}",
    "Llama 3, built in": f"<|python_tag|>{ZOOM}.call(bbox_2d={BOX})",
    "Llama 3, by tag": f"<function={ZOOM}>{ARGUMENTS}</function>",
    "Llama 4": f"<|python_start|>[{ZOOM}(bbox_2d={BOX})]<|python_end|>",
    "LFM2": f"<|tool_call_start|>[{ZOOM}(bbox_2d={BOX})]<|tool_call_end|>",
    "Gemini": f"```tool_code\nprint(default_api.{ZOOM}(bbox_2d={BOX}))\n```",
    "gpt-oss": f"<|channel|>commentary to=functions.{ZOOM} <|constrain|>json<|message|>{ARGUMENTS}"
    "<|call|>",
    "gpt-oss, the recipient first": f"<|start|>assistant to=functions.{ZOOM}"
    f"<|channel|>commentary json<|message|>{ARGUMENTS}<|call|>",
    "gpt-oss without its tokens": f"assistantcommentary to=functions.{ZOOM} json{ARGUMENTS}",
    "Phi-4": f"functools[{CALL}]",
    "Granite": f"<|tool_call|>[{CALL}]",
    "InternLM": f"<|action_start|><|plugin|>{CALL}<|action_end|>",
    "Seed": f"<seed:tool_call>{CODER}</seed:tool_call>",
    "LongCat": f"<longcat_tool_call>{CALL}</longcat_tool_call>",
    "Step 3": "<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke "
    f'name="{ZOOM}"><steptml:parameter name="bbox_2d">{BOX}</steptml:parameter></steptml:invoke>'
    "<｜tool_call_end｜><｜tool_calls_end｜>",
    "Nemotron": f"<TOOLCALL>[{CALL}]</TOOLCALL>",
    "Command": f'<|START_ACTION|>[{{"tool_call_id": "0", "tool_name": "{ZOOM}", '
    f'"parameters": {ARGUMENTS}}}]<|END_ACTION|>',
    "Apertus": f'<|tools_prefix|>[{{"{ZOOM}": {ARGUMENTS}}}]<|tools_suffix|>',
    "OLMo 3": f"<function_calls>\n{ZOOM}(bbox_2d={BOX})\n</function_calls>",
    "the tags in capitals": f"<TOOL_CALL>{CALL}</TOOL_CALL>",
    "the tags with a hyphen": f"<tool-call>{CALL}</tool-call>",
    "the tags as entities": f"&lt;tool_call&gt;{CALL}&lt;/tool_call&gt;",
    "the tags in full width": f"＜tool_call＞{CALL}＜/tool_call＞",
    "a tag use_tool": f'<use_tool name="{ZOOM}">{ARGUMENTS}</use_tool>',
    "a list of labels": f"- name: {ZOOM}\n- arguments: {ARGUMENTS}",
    "an assignment in Python": f"```python\nresult = {ZOOM}(bbox_2d={BOX})\n```",
    "Glaive": f"<functioncall> {CALL} </functioncall>",
    "behind bold words": f"**Tool call:** {CALL}",
    "a token behind": f"{CALL}<|im_end|>",
    "labels": f"Tool: {ZOOM}, arguments: {ARGUMENTS}",
    "an action": f'Action:\n```\n{{"action": "{ZOOM}", "action_input": {ARGUMENTS}}}\n```',
    "ReAct": f"Thought: a sign.\nAction: {ZOOM}\nAction Input: {ARGUMENTS}",
    "Gemma 4": f"<|tool_call>call:{ZOOM}{{bbox_2d:{BOX}}}<tool_call|>",
    "Gemma 4, a text with brackets": f'<|tool_call>call:{ZOOM}{{label:<|"|>a {{sign}}, "x": 1<|"|>,'
    f"bbox_2d:{BOX}}}<tool_call|>",
    "Gemma 4, the last token missing": f"<|tool_call>call:{ZOOM}{{bbox_2d:{BOX}}}",
    "Gemma 4 without its special tokens": f"Let me look.\ncall:{ZOOM}{{bbox_2d:{BOX},"
    "label:a sign at the left}",
    "Kimi K3": f'<|open|>tools<|sep|><|open|>call tool="{ZOOM}" index="1"<|sep|>'
    f'<|open|>argument key="bbox_2d" type="array"<|sep|>{BOX}<|close|>argument<|sep|>'
    '<|open|>argument key="label" type="string"<|sep|>12 "a" & b<|close|>argument<|sep|>'
    "<|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|>",
    "an element": f"<{ZOOM}><bbox_2d>{BOX}</bbox_2d></{ZOOM}>",
    "an attribute": f'<tool_call name="{ZOOM}">{ARGUMENTS}</tool_call>',
}
"""Responses that have none of the protocol's tags, hold no answer, and mean a zoom."""


def in_tags(body: str) -> str:
    """What the text protocol asks for around a call."""
    return f"<tool_call>\n{body}\n</tool_call>"
