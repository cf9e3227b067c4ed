"""Reward specs and their rewards: data with a version, computed where they are missing."""

from geostore.rewards.formulas import KINDS
from geostore.rewards.naming import (
    check_name,
    delete_spec,
    find_named,
    get_named,
    read_spec,
    rename_spec,
    resolve_spec,
    set_default,
    with_named_reward,
)
from geostore.rewards.placing import (
    Placed,
    is_gazetteer_loaded,
    load_gazetteer,
    place_missing,
    place_trace,
)
from geostore.rewards.presets import PRESETS, Preset, preset_spec
from geostore.rewards.reparse import Parser
from geostore.rewards.rescoring import (
    RescoreResult,
    count_missing,
    rescore,
    score_trace,
)
from geostore.rewards.selection import Selection
from geostore.rewards.specs import (
    IMPORTED,
    RewardSpec,
    adopt_default_spec,
    as_written,
    ensure_default_spec,
    ensure_spec,
    make_spec,
    require_known_default,
)

__all__ = [
    "IMPORTED",
    "KINDS",
    "PRESETS",
    "Parser",
    "Placed",
    "Preset",
    "RescoreResult",
    "RewardSpec",
    "Selection",
    "adopt_default_spec",
    "as_written",
    "check_name",
    "count_missing",
    "delete_spec",
    "ensure_default_spec",
    "ensure_spec",
    "find_named",
    "get_named",
    "is_gazetteer_loaded",
    "load_gazetteer",
    "make_spec",
    "place_missing",
    "place_trace",
    "preset_spec",
    "read_spec",
    "rename_spec",
    "require_known_default",
    "rescore",
    "resolve_spec",
    "score_trace",
    "set_default",
    "with_named_reward",
]
