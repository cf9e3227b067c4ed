"""The trainers whose loaders are tried. To add one, add its entry to `TRAINERS` and its module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from geostore.export import ExportOptions, Format
from tests.formats.controls import SHAREGPT, SHAREGPT_LABELS, SHAREGPT_PAIRS, Break
from tests.formats.controls_chat import CHAT
from tests.formats.controls_swift import A_MASKED_REPLY_LEARNT, SWIFT, SWIFT_PAIRS
from tests.formats.controls_trl import TRL, TRL_KTO, TRL_PAIRS, TRL_RL, TRL_TURNS
from tests.formats.controls_verl import VERL_RL, VERL_SFT, VERL_SFT_TEXT
from tests.formats.wanted import (
    Row,
    better_first,
    last_replies,
    parting_replies,
    played_alike,
    row_of_each_turn,
    until_last_learnt,
)

STUDENTS = ("Qwen2.5-VL-tiny-Instruct", "Qwen3-VL-tiny-Instruct")


@dataclass(frozen=True)
class Loader:
    """One way in which a trainer loads an export, and what has to come of it."""

    name: str
    """What is loaded, in a few words."""
    options: ExportOptions
    """What is exported."""
    module: str
    """Runs in the trainer's environment and loads it; its functions are handed to `seen.run`."""
    more: tuple[str, ...] = ()
    """Its further arguments."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """For its process environment."""
    students: tuple[str, ...] = STUDENTS
    """Which students it is loaded for."""
    store: str = "training"
    """Which store is exported: ``training``, or ``pairs`` with two rollouts of each photo."""
    wanted: Callable[[Iterable[Row]], list[Row]] = list
    """From the traces' rows to the rows that the format makes of them."""
    exact: bool = True
    """Whether replies are learnt to the letter, because their calls are text."""
    images: bool = True
    """Whether the loader carries images at all."""
    has_lengths: bool = True
    """Whether the longest row that is seen is as long as the README says. A rollout is not: the
    README has the lengths of the teacher's traces."""
    seen_pixels: int | None = None
    """The greatest area that the student's processor is set to, in pixels; where it is given, the
    sizes that a row tells are compared with those that come, instead of what is learnt."""
    controls: Mapping[str, Break] = field(default_factory=dict)
    """Broken exports, each of which has to be found out."""
    wrong: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further arguments under each of which the whole export has to be found wrong."""


@dataclass(frozen=True)
class Trainer:
    """A trainer, its environment and its loaders."""

    name: str
    """As it is installed; the name of its environment."""
    requirements: tuple[str, ...]
    """What pip installs beside PyTorch."""
    loaders: tuple[Loader, ...]
    """What is tried in it."""
    alone: tuple[str, ...] = ()
    """What pip installs without its dependencies."""
    torchvision: bool = True
    """Whether it needs torchvision."""
    templates: str | None = None
    """Where among the installed packages it brings the students' chat templates; None: nowhere."""


SEEN_PIXELS = 100_000
"""Less than a photo of the store has, so that each is reduced."""


def in_pixels(format: Format) -> ExportOptions:
    """Boxes in pixels of what the first student sees."""
    return ExportOptions(
        format=format, bbox_frame="pixel", student="qwen2.5-vl", student_pixels=SEEN_PIXELS
    )


_SHAREGPT = ExportOptions(format="sharegpt")
_PAIRS = ExportOptions(format="pairs", pairs_for="llamafactory")
_LABELS = ExportOptions(format="pairs", pairs_for="llamafactory", pairs_as="kto")
_SHAREGPT_PARQUET = ExportOptions(format="sharegpt", images="embed", shard_size=10)

_TURNS = "actor_rollout_ref.rollout.multi_turn"

TRAINERS = (
    Trainer(
        "llamafactory",
        ("llamafactory==0.9.5",),
        (
            Loader(
                "sharegpt",
                _SHAREGPT,
                "tests.formats.in_llamafactory",
                controls=SHAREGPT,
                wrong={
                    "train_on_prompt": ("train_on_prompt=true",),
                    "mask_history": ("mask_history=true",),
                    "cutoff_len": ("cutoff_len=2048",),
                    "image_max_pixels": ("image_max_pixels=100000",),
                },
            ),
            Loader("sharegpt, Parquet", _SHAREGPT_PARQUET, "tests.formats.in_llamafactory"),
            Loader(
                "sharegpt in pixels",
                in_pixels("sharegpt"),
                "tests.formats.in_llamafactory",
                students=STUDENTS[:1],
                seen_pixels=SEEN_PIXELS,
                wrong={"image_max_pixels": ("image_max_pixels=60000",)},
            ),
            Loader(
                "sharegpt, thinking",
                _SHAREGPT,
                "tests.formats.in_llamafactory",
                more=('template="qwen3_vl"',),
                students=STUDENTS[1:],
                exact=False,  # it learns an empty thought where there is none
                has_lengths=False,  # which the README does not count, and says so
            ),
            *(
                Loader(
                    f"check of {name}",
                    options,
                    "tests.formats.in_llamafactory_check",
                    more=(f"LLaMA-Factory 0.9.5 loads {words}",),
                    students=STUDENTS[:1],
                    store=store,
                    wanted=lambda _: [],
                    controls={"two replies in a row": SHAREGPT["two replies in a row"]},
                )
                for name, options, store, words in (
                    (
                        "sharegpt",
                        _SHAREGPT,
                        "training",
                        "30 rows; in the first it learns 3 of 6 messages (images: 3)",
                    ),
                    (
                        "pairs",
                        _PAIRS,
                        "pairs",
                        "9 rows; in the first it learns 2 of 3 messages (images: 1)",
                    ),
                )
            ),
            Loader(
                "sharegpt, V1",
                _SHAREGPT,
                "tests.formats.in_llamafactory_v1",
                variables={"USE_V1": "1"},
                students=STUDENTS[1:],
                images=False,
            ),
            Loader(
                "pairs",
                _PAIRS,
                "tests.formats.in_llamafactory_pairs",
                store="pairs",
                wanted=parting_replies,
                controls=SHAREGPT_PAIRS,
            ),
            Loader(
                "labels",
                _LABELS,
                "tests.formats.in_llamafactory_pairs",
                store="pairs",
                wanted=last_replies,
                controls=SHAREGPT_LABELS,
            ),
            *(
                Loader(
                    f"a step of {name}",
                    options,
                    "tests.formats.in_llamafactory_training",
                    store=store,
                    wanted=lambda _: [],
                    students=students,
                )
                for name, options, store, students in (
                    ("sft", _SHAREGPT, "training", STUDENTS),
                    ("dpo", _PAIRS, "pairs", STUDENTS),
                    # Its KTO does not tell Qwen3-VL which tokens are images, and fails.
                    ("kto", _LABELS, "pairs", STUDENTS[:1]),
                )
            ),
        ),
    ),
    Trainer(
        "ms-swift",
        ("ms-swift==4.6.0", "transformers<5.20", "datasets<4.8.5", "qwen-vl-utils==0.0.14"),
        (
            Loader(
                "swift",
                ExportOptions(format="swift"),
                "tests.formats.in_swift",
                exact=False,
                controls=SWIFT,
                wrong={
                    "last_round": ('loss_scale="last_round"',),
                    "all": ('loss_scale="all"',),
                    "max_length": ("max_length=2048",),
                    "react_en": ('agent_template="react_en"',),
                },
            ),
            Loader(
                "swift in pixels",
                in_pixels("swift"),
                "tests.formats.in_swift",
                students=STUDENTS[:1],
                seen_pixels=SEEN_PIXELS,
            ),
            Loader(
                "chat, dialect swift",
                ExportOptions(format="chat", dialect="swift"),
                "tests.formats.in_swift",
                controls=CHAT,
            ),
            Loader(
                "chat, dialect swift, masked",
                ExportOptions(format="chat", dialect="swift", mask_turns=("failed_call",)),
                "tests.formats.in_swift",
                controls={"a masked reply learnt": A_MASKED_REPLY_LEARNT},
            ),
            Loader(
                "swift, masked",
                ExportOptions(format="swift", mask_turns=("failed_call", "flag:truncated")),
                "tests.formats.in_swift",
                wanted=until_last_learnt,
                exact=False,
                controls={"a masked reply learnt": A_MASKED_REPLY_LEARNT},
            ),
            Loader(
                "pairs, dpo",
                ExportOptions(format="pairs", pairs_for="swift"),
                "tests.formats.in_swift",
                more=('rlhf_type="dpo"', "remove_unused_columns=false"),
                store="pairs",
                wanted=better_first,
                exact=False,
                controls=SWIFT_PAIRS,
                wrong={"last_round": ('loss_scale="last_round"',)},
            ),
            Loader(
                "pairs, kto",
                ExportOptions(format="pairs", pairs_for="swift", pairs_as="kto"),
                "tests.formats.in_swift",
                more=('rlhf_type="kto"', 'loss_type="apo_zero_unpaired"'),
                exact=False,
                controls={"an image too few": SWIFT["an image too few"]},
            ),
            Loader(
                "--check",
                ExportOptions(format="swift"),
                "tests.formats.in_swift_check",
                more=("3 images, learns", '"There is a sign.", "<tool_call>'),
                students=STUDENTS[:1],
                wanted=lambda _: [],
                controls={
                    name: SWIFT[name]
                    for name in ("an image too few", "a call that is no JSON", "a word changed")
                },
            ),
            Loader(
                "--check of pairs",
                ExportOptions(format="pairs", pairs_for="swift"),
                "tests.formats.in_swift_check",
                more=("; instead of 1 image, learns",),
                store="pairs",
                students=STUDENTS[:1],
                wanted=lambda _: [],
                controls={"the sides swapped": SWIFT_PAIRS["the sides swapped"]},
            ),
            *(
                Loader(
                    f"a step of {name}",
                    options,
                    "tests.formats.in_swift_training",
                    store=store,
                    wanted=lambda _: [],
                    students=STUDENTS[number % 2 :][:1],
                )
                for number, (name, options, store) in enumerate(
                    (
                        ("sft", ExportOptions(format="swift"), "training"),
                        ("dpo", ExportOptions(format="pairs", pairs_for="swift"), "pairs"),
                        (
                            "kto",
                            ExportOptions(format="pairs", pairs_for="swift", pairs_as="kto"),
                            "training",
                        ),
                    )
                )
            ),
        ),
    ),
    Trainer(
        "verl",
        (
            "transformers>=5.5.3,<5.11",
            "tensordict==0.10.0",
            "datasets",
            "pandas",
            "ray",
            "hydra-core",
            "qwen-vl-utils",
            "codetiming",
            "aiohttp",
            "cachetools",
            "fastapi",
            "uvicorn",
            "regex",
            "orjson",
            "xxhash",
        ),
        (
            Loader(
                "verl-sft",
                ExportOptions(format="verl-sft", student="qwen3-vl"),
                "tests.formats.in_verl_sft",
                # The template of Qwen2.5-VL drops calls: for it there is verl-sft-text.
                students=("Qwen3-VL-tiny-Instruct",),
                exact=False,
                controls=VERL_SFT,
                wrong={"max_length": ("data.max_length=2048",)},
            ),
            Loader(
                "verl-sft-text",
                ExportOptions(format="verl-sft-text"),
                "tests.formats.in_verl_sft",
                controls=VERL_SFT_TEXT,
                wrong={"truncation": ("data.max_length=2048", "data.truncation=right")},
            ),
            Loader(
                "verl-sft-text in pixels",
                in_pixels("verl-sft-text"),
                "tests.formats.in_verl_sft",
                students=STUDENTS[:1],
                seen_pixels=SEEN_PIXELS,
            ),
            Loader(
                "verl-rl",
                ExportOptions(format="verl-rl"),
                "tests.formats.in_verl_rl",
                wanted=played_alike,
                has_lengths=False,
                exact=False,
                controls=VERL_RL,
                wrong={
                    "max_assistant_turns": (f"{_TURNS}.max_assistant_turns=1",),
                    "max_parallel_calls": (f"{_TURNS}.max_parallel_calls=1",),
                    "max_tool_response_length": (f"{_TURNS}.max_tool_response_length=40",),
                },
            ),
        ),
        # With its dependencies it would bring an inference server and builds for a GPU.
        alone=("verl==0.9.1",),
    ),
    Trainer(
        "trl",
        ("trl==1.16.0", "transformers>=5.18,<6", "peft", "pillow", "orjson"),
        (
            Loader(
                "trl",
                ExportOptions(format="trl"),
                "tests.formats.in_trl",
                controls=TRL,
                wrong={
                    "assistant_only_loss": ("assistant_only_loss=false",),
                    "max_length": ("max_length=1024",),
                },
            ),
            Loader(
                "trl in pixels",
                in_pixels("trl"),
                "tests.formats.in_trl",
                students=STUDENTS[:1],
                seen_pixels=SEEN_PIXELS,
            ),
            Loader(
                "trl-turns",
                ExportOptions(format="trl-turns"),
                "tests.formats.in_trl",
                wanted=row_of_each_turn,
                controls=TRL_TURNS,
                wrong={
                    "completion_only_loss": ("completion_only_loss=false",),
                    "max_length": ("max_length=1024",),
                },
            ),
            Loader(
                "trl-turns, masked",
                ExportOptions(format="trl-turns", mask_turns=("failed_call",)),
                "tests.formats.in_trl",
                students=STUDENTS[1:],
                wanted=row_of_each_turn,
            ),
            Loader(
                "pairs, dpo",
                ExportOptions(format="pairs", pairs_for="trl"),
                "tests.formats.in_trl_pairs",
                store="pairs",
                wanted=parting_replies,
                controls=TRL_PAIRS,
                wrong={"max_length": ("max_length=1024",)},
            ),
            Loader(
                "pairs, kto",
                ExportOptions(format="pairs", pairs_for="trl", pairs_as="kto"),
                "tests.formats.in_trl_pairs",
                wanted=row_of_each_turn,
                controls=TRL_KTO,
            ),
            Loader(
                "trl-rl",
                ExportOptions(format="trl-rl"),
                "tests.formats.in_trl_rl",
                wanted=partial(played_alike, only_objects=True),
                has_lengths=False,
                controls=TRL_RL,
                wrong={
                    "max_completion_length": ("max_completion_length=512",),
                    "max_tool_calling_iterations": ("max_tool_calling_iterations=1",),
                },
            ),
            *(
                Loader(
                    f"--check of {name}",
                    options,
                    "tests.formats.in_trl_check",
                    more=(words,),
                    students=STUDENTS[:1],
                    store=store,
                    wanted=lambda _: [],
                    controls={name: TRL[name] for name in controls},
                )
                for name, options, store, words, controls in (
                    (
                        "trl",
                        ExportOptions(format="trl"),
                        "training",
                        ', "I am sure enough. <answer>\\boxed{10.0, 20.001}</answer>"',
                        ("an image too few", "a placeholder too few", "images not marked"),
                    ),
                    ("trl-rl", ExportOptions(format="trl-rl"), "training", "a prompt alone", ()),
                    (
                        "pairs",
                        ExportOptions(format="pairs", pairs_for="trl"),
                        "pairs",
                        'instead of "I am sure enough. <answer>\\boxed{-40.0, 170.0}</answer>"',
                        ("images not marked",),
                    ),
                )
            ),
            Loader(
                "a step of sft", ExportOptions(format="trl"), "tests.formats.in_trl", more=("step",)
            ),
            Loader(
                "a step of dpo",
                ExportOptions(format="pairs", pairs_for="trl"),
                "tests.formats.in_trl_pairs",
                more=("step",),
                store="pairs",
                wanted=parting_replies,
            ),
            Loader(
                "a step of kto",
                ExportOptions(format="pairs", pairs_for="trl", pairs_as="kto"),
                "tests.formats.in_trl_pairs",
                more=("step",),
                store="pairs",
                wanted=row_of_each_turn,
            ),
            Loader(
                "a step of grpo",
                ExportOptions(format="trl-rl"),
                "tests.formats.in_trl_rl",
                more=("step",),
                wanted=partial(played_alike, only_objects=True),
                has_lengths=False,
            ),
        ),
        templates="trl/chat_templates",
    ),
)
