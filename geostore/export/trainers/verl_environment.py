"""The files that an export of ``verl-rl`` brings beside its prompts.

``geostore_tools.py`` runs the teacher's tools for verl's students, over geostore's own;
``tool_config.yaml`` and ``agent_loop.yaml`` tell verl of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from geostore.export.trainers.reward_file import REWARD_FILE

TOOLS_FILE = "geostore_tools.py"
TOOL_CONFIG = "tool_config.yaml"
AGENT_CONFIG = "agent_loop.yaml"
TRAIN_SCRIPT = "train.sh"
AGENT = "geostore_tool_agent"
"""The agent loop of prompts with tools, as their column `agent_name` says."""
SINGLE_TURN_AGENT = "single_turn_agent"
"""verl's own, for prompts without tools."""


_TOOL = """

class {name}(_GeostoreTool):
    tool = "{tool}"
"""
_CONFIG = """\
  - class_name: geostore_tools.{}
    config:
      type: native
"""


@dataclass(frozen=True, slots=True)
class VerlTools:
    """What the files say of the tools of an export."""

    names: tuple[str, ...]
    """The tools of all its recipes; empty: none has any."""
    max_turns: int
    """Responses that a rollout can have, at most."""

    def files(self) -> dict[str, str]:
        """The files by name; none without tools."""
        if not self.names:
            return {}
        scripts = resources.files("geostore.export.trainers.scripts")
        script = scripts.joinpath("verl_tools.py.txt").read_text(encoding="utf-8")
        classes = {name: _class_name(name) for name in self.names}
        tools = [_TOOL.format(name=classes[name], tool=name) for name in self.names]
        return {
            TOOLS_FILE: script + "".join(tools),
            TOOL_CONFIG: "tools:\n" + "".join(map(_CONFIG.format, classes.values())),
            AGENT_CONFIG: f"- name: {AGENT}\n  _target_: geostore_tools.GeostoreAgentLoop\n",
        }


def _class_name(tool: str) -> str:
    """``ImageZoomInTool`` for ``image_zoom_in_tool``."""
    return "".join(part.capitalize() for part in tool.split("_"))


def rl_guide(*, tools: bool, reward: str | None) -> str:
    """How verl is started. tools: whether there are any; reward: why there is no reward file."""
    return f"""\
Each row is a prompt for [verl](https://github.com/volcengine/verl) 0.9: a photo is asked about once
under each recipe, however many traces have it, and no word of the teacher is in it.
`{TRAIN_SCRIPT}` holds the settings and starts verl:

```shell
MODEL=Qwen/Qwen3-VL-8B-Instruct sh {TRAIN_SCRIPT} trainer.n_gpus_per_node=8
```

- `data.max_prompt_length`: the system prompt with the tools, the question and the photo; a longer
  prompt stops the run. `data.max_response_length`: all responses and observations of a rollout
  with the crops; a rollout that reaches it ends without an answer.
- `data.train_batch_size`: verl drops an epoch's last prompts where they fill no batch, so it is not
  above the prompts to learn from.
- `ppo_max_token_len_per_gpu` holds one whole rollout; with more a GPU learns several at once.
{_TOOL_NOTES if tools else ""}{_REWARD if reward is None else f"- {reward}"}"""


_TOOL_NOTES = f"""\
- Install geostore (`pip install geostore-distill`) beside verl, on every machine that runs agent
  loops. `{TOOLS_FILE}` runs the teacher's tools for the student: the same arguments, sizes and
  sentences, and with the same version of Pillow the same bytes. It cuts from `photos/`, the photos
  at full resolution, so the folder has to be where each machine sees it.
- `{AGENT_CONFIG}` names verl's own loop of tool calls, told not to list the tools a second time:
  the system prompt has them, because verl's own schemas drop what a box must hold. Where the
  student's template knows no results of tools, as that of Qwen2.5-VL, they are turns of the user.
- `multi_turn.format=hermes` reads calls in `<tool_call>` tags, as the system prompt asks for them.
- `max_tool_response_length`: verl's own 256 characters would cut longer sentences.
- verl itself answers a call of an unknown tool. It ends a rollout at a call with broken JSON, and
  at a response with neither a call nor an answer, where the teacher was asked again. It runs calls
  that stand inside `<think>`; the teacher's did not run.
"""

_REWARD = f"""\
- `{REWARD_FILE}` scores an answer as this export's reward does, and reads it as geostore does. It
  needs Python 3.11 or newer and no store; its first lines say whether it compares places and needs
  geostore. Where the reward is not known, as without coordinates, it gives 0.
"""
