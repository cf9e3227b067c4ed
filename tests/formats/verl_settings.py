"""What an export for verl says of itself: the settings of its script, and ``export --check``."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def settings_of(export: Path) -> list[str]:
    """The settings that ``train.sh`` of an export gives to the program that it starts."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("python", "torchrun"):
            program = Path(folder) / name
            program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
            program.chmod(0o755)
        path = os.pathsep.join([folder, os.environ["PATH"]])
        done = subprocess.run(
            ["sh", export / "train.sh", "trainer.nnodes=1"],
            env={**os.environ, "PATH": path},
            check=True,
            capture_output=True,
            text=True,
        )
    words = done.stdout.splitlines()
    settings = words[words.index("-m") + 2 :]
    assert settings[-1] == "trainer.nnodes=1"
    return settings


def configuration(export: Path, name: str, more: Sequence[str]) -> Any:
    """A configuration of verl's by name, with the export's settings and more of them.

    verl refuses a setting that it does not know, and for reinforcement learning asks first
    whether the settings fit one another.
    """
    import verl.trainer.config
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    folder = str(Path(verl.trainer.config.__file__).parent)
    with initialize_config_dir(folder, version_base=None):
        config = compose(name, overrides=[*settings_of(export), *more])
    if name == "ppo_trainer":
        _check_settings(config)
    OmegaConf.set_struct(config, False)  # verl reads members that its own configuration lacks
    return config


def _check_settings(config: Any) -> None:
    """What verl's `main_ppo` asks before it starts anything."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    validate_config(
        config,
        use_reference_policy=need_reference_policy(config),
        use_critic=need_critic(config),
    )


def loaded_by_geostore(function: str, export: Path) -> str:
    """What ``geostore export --check`` says of an export where verl is installed.

    The module is run by its path: the rest of geostore's exports needs more than is here.
    """
    path = Path(__file__).parents[2] / "geostore" / "export" / "trainers" / "loaded_by_verl.py"
    spec = importlib.util.spec_from_file_location("loaded_by_verl", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(getattr(module, function)(export))
