"""The readers of the format ``chat``: what each takes of the one shape, as data.

Each limit stands with the page or the package that states it, read in November 2026. A limit
that its reader does not state is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

DialectName = Literal["openai", "azure", "together", "fireworks", "swift", "prime-rl", "nemo-rl"]
"""The names of the dialects."""

_MEGABYTE = 1024 * 1024
_ALL_IMAGES = ("image/jpeg", "image/png", "image/webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What one reader takes."""

    reader: str
    """Who reads it."""
    source: str
    """Where the reader states what stands here: a page, or a package and its version."""
    calls: Literal["native", "text"]
    """``native``: as ``tool_calls`` and messages of the role ``tool``. ``text``: in the words of
    the assistant and in user messages, for readers that know no other roles."""
    every_content_a_list: bool = False
    """Whether every message has its content as a list of parts, for readers that stop at a mix."""
    tools: Literal["list", "text"] = "list"
    """Whether ``tools`` is a list of schemas or their JSON text; only with native calls."""
    arguments_as_values: bool = False
    """Whether a call has its arguments as an object, and not as the JSON text of one."""
    parallel_tool_calls: bool = False
    """Whether a row with tools says that several calls may come at once."""
    weight: Literal["weight", "loss"] | None
    """The member of an assistant message that leaves it out of the loss, 0 or false; None: there is
    none, and turns cannot be masked."""
    image_types: tuple[str, ...] = _ALL_IMAGES
    """Media types of images that are read."""
    most_images: int | None = None
    """Images in a row at most."""
    most_image_bytes: int | None = None
    """Bytes of an image at most, before base64."""
    least_rows: int = 1
    """Rows of a file at least."""
    most_rows: int | None = None
    """Rows of a file at most; further rows go into the next file."""
    most_file_bytes: int | None = None
    """Bytes of a file at most; further rows go into the next file."""
    how_to_load: str
    """What a user does with the files, in Markdown; ``traces.jsonl`` is the one to train on."""


_OPENAI_LIMITS = "developers.openai.com/api/docs/guides/vision-fine-tuning"
_AZURE_LIMITS = "learn.microsoft.com/azure/foundry/openai/how-to/fine-tuning-vision"

DIALECTS: Mapping[DialectName, Dialect] = MappingProxyType(
    {
        "openai": Dialect(
            reader="OpenAI",
            source=_OPENAI_LIMITS,
            calls="native",
            parallel_tool_calls=True,
            weight="weight",
            most_images=64,
            most_image_bytes=10 * _MEGABYTE,
            least_rows=10,
            most_rows=50_000,
            most_file_bytes=512 * _MEGABYTE,
            how_to_load=(
                "OpenAI closed fine-tuning to organizations that had never used it in May 2026, "
                "and takes no new jobs from anybody after January 6, 2027, as its page of "
                "deprecations says. "
                "The shape is read by others: see `--dialect`.\n\n"
                "If your organization still can, upload each file with the purpose `fine-tune`."
            ),
        ),
        "azure": Dialect(
            reader="Azure OpenAI",
            source=_AZURE_LIMITS,
            calls="native",
            parallel_tool_calls=True,
            weight="weight",
            most_images=64,
            most_image_bytes=10 * _MEGABYTE,
            least_rows=10,
            most_rows=50_000,
            most_file_bytes=512 * _MEGABYTE,
            how_to_load=(
                "Upload each file with the purpose `fine-tune`. Azure screens images, and trains "
                "on no image that shows people or faces; photos of streets often do, so compare "
                "the number of rows that it trained on with the number here."
            ),
        ),
        "together": Dialect(
            reader="Together",
            source="docs.together.ai/docs/fine-tuning/vision; the check of the package together 2",
            # Its check wants roles that alternate, so two results in a row would be refused.
            calls="text",
            every_content_a_list=True,
            weight="weight",
            most_images=10,
            most_image_bytes=10 * _MEGABYTE,
            most_file_bytes=50 * 1024 * _MEGABYTE,
            how_to_load=(
                "Upload the file with `together files upload traces.jsonl`, and start the job with "
                "`train_vision=true` if the student's vision tower is to learn too. "
                "`train_on_inputs` stays `auto`: only assistant messages are learnt."
            ),
        ),
        "fireworks": Dialect(
            reader="Fireworks",
            source="docs.fireworks.ai/fine-tuning/fine-tuning-vlm",
            # Its page about vision knows the roles system, user and assistant alone.
            calls="text",
            weight="weight",
            image_types=("image/jpeg", "image/png"),
            least_rows=3,
            most_rows=3_000_000,
            how_to_load=(
                "Upload the file with `firectl dataset create NAME traces.jsonl`; files over 150 "
                "MB go by a signed URL, which `firectl` asks for itself."
            ),
        ),
        "swift": Dialect(
            reader="ms-swift",
            source="the package ms-swift 4.6.0",
            # It stops at a user message behind a result, and makes text of an image in a result.
            calls="text",
            weight="loss",
            how_to_load=(
                "`swift sft --dataset traces.jsonl --model_type qwen3_vl --max_length 32768`, with "
                "ms-swift 4.6 and datasets 4.7 or later. The format `swift` has the calls in roles "
                "of their own, and pins the size of images, and with it the frame of the boxes."
            ),
        ),
        "prime-rl": Dialect(
            reader="prime-rl",
            source="github.com/PrimeIntellect-ai/prime-rl, src/prime_rl/trainer/sft/data.py",
            calls="native",
            every_content_a_list=True,
            tools="text",
            weight=None,
            how_to_load=(
                "Set `data.name` to this folder. prime-rl drops the null members that loading "
                "adds, and learns by role, so no turn can be left out of the loss."
            ),
        ),
        "nemo-rl": Dialect(
            reader="NeMo-RL",
            source="github.com/NVIDIA-NeMo/RL, response_datasets/oai_format_dataset.py",
            calls="native",
            weight=None,
            how_to_load=(
                "Set `data.train.dataset_name: openai_format`, `data_path` to the file, and "
                "`use_preserving_dataset: true`: without it, calls get null members that the "
                "teacher never wrote."
            ),
        ),
    }
)
"""From a dialect's name to what its reader takes."""
