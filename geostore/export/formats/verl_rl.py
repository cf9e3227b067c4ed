"""Format ``verl-rl``: prompts for verl's reinforcement learning, with the teacher's tools and the
store's reward beside them.

No word of a teacher is in it. The photos go along at full resolution, because the tools cut
from them.
"""

from __future__ import annotations

from typing import Any

from geostore.conversation.recipe import tool_names
from geostore.errors import ExportError
from geostore.export.files.folder import ExportFolder
from geostore.export.files.rows import parquet_rows
from geostore.export.options import FormatRules
from geostore.export.stream import ExportStream
from geostore.export.student.dialogue import with_placeholders
from geostore.export.student.placeholders import escape_placeholders
from geostore.export.trainers.reward_file import REWARD_FILE, reward_file
from geostore.export.trainers.rl_prompts import RlPrompt, RlPrompts
from geostore.export.trainers.verl_environment import (
    AGENT,
    SINGLE_TURN_AGENT,
    VerlTools,
    rl_guide,
)
from geostore.export.trainers.verl_rows import image_list, image_values
from geostore.export.trainers.verl_scripts import write_rl_script
from geostore.records import Recipe
from geostore.rewards import KINDS
from geostore.rewards.weighted import with_conditions

RULES = FormatRules(("embed",), frozenset({"shard_size"}), "verl", rows="question", has_tools=True)


def write_verl_rl(traces: ExportStream, folder: ExportFolder) -> int:
    """Write a row for each photo and recipe, and the environment; return how many traces they have.

    Raises ExportError where verl could not compute the reward of the traces.
    """
    import pyarrow

    names = _tool_names(traces)
    reward = _reward(traces)
    prompts = RlPrompts(traces)
    schema = pyarrow.schema(_columns(names))
    with parquet_rows(folder, "prompts", schema, traces.options) as rows:
        for prompt in prompts:
            photo = f"photos/{prompt.photo_sha256[:2]}/{prompt.photo_sha256}"
            if prompt.tools:
                folder.add_once(photo, prompt.photo_file)
            rows.write(_row(prompt, names, photo), prompt.split)
    tools = VerlTools(names, max_turns=prompts.turn_limit)
    for name, text in tools.files().items():
        folder.add(name, text.encode())
    if reward is not None:
        folder.add(REWARD_FILE, reward)
    write_rl_script(folder, traces, rows, tools, reward=reward is not None)
    return prompts.traces


def _tool_names(traces: ExportStream) -> tuple[str, ...]:
    """The tools of all recipes, each once."""
    recipes = traces.scope.recipes.values()
    names = (
        name for recipe in recipes if isinstance(recipe, Recipe) for name in tool_names(recipe)
    )
    return tuple(dict.fromkeys(names))


def _reward(traces: ExportStream) -> bytes | None:
    """The reward file; None where the store has no reward, or a function of the user's."""
    spec = traces.reward_spec
    if spec is None or spec.kind == "custom":
        return None
    terms = [term["term"] for term in with_conditions(spec.parameters.get("terms", ()))]
    if spec.kind in KINDS and "tokens" in terms:
        raise ExportError(
            f"the reward {spec.label} counts tokens, which verl does not tell a reward; "
            "name another with --reward"
        )
    return reward_file(spec)


def _columns(names: tuple[str, ...]) -> list[tuple[str, Any]]:
    import pyarrow

    text, number, switch = pyarrow.string(), pyarrow.float64(), pyarrow.bool_()
    made_of = pyarrow.struct([("photo", text), ("sha256", text), ("settings", text)])
    kwargs = pyarrow.struct([("create_kwargs", made_of)])
    place = pyarrow.struct([("lat", number), ("lon", number)])
    extra = [
        ("index", pyarrow.int64()),
        ("split", text),
        ("trace", text),
        ("country", text),
        ("locatability_score", number),
        ("need_tools_kwargs", switch),
    ]
    if names:
        extra.append(("tools_kwargs", pyarrow.struct([(name, kwargs) for name in names])))
    return [
        ("data_source", text),
        ("prompt", pyarrow.list_(pyarrow.struct([("role", text), ("content", text)]))),
        ("images", image_list()),
        ("ability", text),
        ("reward_model", pyarrow.struct([("style", text), ("ground_truth", place)])),
        ("agent_name", text),
        ("extra_info", pyarrow.struct(extra)),
    ]


def _row(prompt: RlPrompt, names: tuple[str, ...], photo: str) -> dict[str, Any]:
    question = {"role": "user", "content": with_placeholders(prompt.question.parts)}
    system = [] if prompt.system is None else [_message("system", prompt.system)]
    made_of = {
        "photo": photo,
        "sha256": prompt.photo_sha256,
        "settings": prompt.settings,
    }
    # A student may call what its prompt does not offer; geostore then says so, as to the teacher.
    tools_kwargs = {name: {"create_kwargs": made_of} for name in names}
    sample = prompt.sample
    return {
        "data_source": prompt.dataset,
        "prompt": [*system, question],
        "images": image_values([prompt.photo]),
        "ability": "geolocation",
        "reward_model": {
            "style": "rule",
            "ground_truth": {"lat": sample.lat, "lon": sample.lon},
        },
        "agent_name": AGENT if prompt.tools else SINGLE_TURN_AGENT,
        "extra_info": {
            "index": sample.sample_index,
            "split": prompt.split or "train",
            "trace": prompt.name,
            "country": sample.country,
            "locatability_score": sample.locatability_score,
            "need_tools_kwargs": bool(prompt.tools),
            **({"tools_kwargs": tools_kwargs if prompt.tools else None} if names else {}),
        },
    }


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": escape_placeholders(content)}


def guide(traces: ExportStream) -> str:
    """How verl loads it."""
    spec, why = traces.reward_spec, None
    if spec is None:
        why = "The store has no reward: compute one with geostore rescore, and export again.\n"
    elif spec.kind == "custom":
        function = spec.parameters.get("function", "module:function")
        why = (
            f"The reward {spec.label} is a function of your own, {function}. It has verl's "
            "signature: name its file in `reward.custom_reward_function.path`, and in "
            f"`reward.custom_reward_function.name` the function, `{function.rpartition(':')[2]}`.\n"
        )
    tools = any(recipe.tools for recipe in traces.scope.recipes.values())
    return rl_guide(tools=tools, reward=why)
