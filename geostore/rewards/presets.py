"""Rewards of published systems, by name: ``preset:globe`` and others, each a weighted reward.

A preset is data: the terms of a weighted reward, where they come from, and what of the published
scorer cannot be computed from a store's rows. An answer that is wrong or missing gets what the
published code gives it, so every answer has a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from geostore.errors import RewardError
from geostore.rewards.formulas import COMMON, WEIGHTED, read_value
from geostore.rewards.specs import RewardSpec, make_spec
from geostore.text.nearest import did_you_mean

PREFIX = "preset:"
"""What the name of a preset begins with, wherever a reward is named."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A published system's reward as geostore computes it."""

    name: str
    """With its prefix, as a command line names it."""
    formula: str
    """In words, with d for the distance in km."""
    params: Mapping[str, str]
    """Of `make_spec`'s weighted reward; a value may name a parameter of the preset in braces."""
    source: str
    """The paper, or the repository where there is none."""
    code: str
    """The file that was read, with its commit where it is known."""
    follows: str
    """Where descriptions differ: which is followed, and how it reads a distance at a border."""
    leaves_out: str
    """What of the published scorer is not computed, or is computed otherwise."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """What a user may set, with its default."""


_PRESETS = (
    Preset(
        name="preset:thinking-with-map",
        formula="1, 0.8, 0.6, 0.4, 0.2, 0.1 where d < 0.5, 2, 10, 25, 200, 750 km, else 0",
        params={
            "steps": "1",
            "steps.table": "[[0.5, 1], [2, 0.8], [10, 0.6], [25, 0.4], [200, 0.2], [750, 0.1]]",
            "steps.border": "out",
            "unparsed": "0",
            "radius": "wgs84",
        },
        source="Thinking with Map, arXiv 2601.05432",
        code="github.com/AMAP-ML/Thinking-with-Map, "
        "verl/verl/utils/reward_score/localization.py, compute_distance_score, at 6a41708",
        follows="the code: distances on the WGS-84 ellipsoid; d < km, so a distance of exactly "
        "2 km is worth 0.6; no answer is 0",
        leaves_out="the code takes the first JSON object with lat, lon, city and country, and here "
        "the answer counts as it is always read; the bonuses of 0.05 that "
        "compute_distance_score_v2 adds for hypotheses and for map tools",
    ),
    Preset(
        name="preset:geospot",
        formula="exp(-d / tau); -0.1 without coordinates",
        params={"exponential": "1", "exponential.scale": "{tau}", "unparsed": "-0.1"},
        parameters={"tau": 25.0},
        source="geospot, github.com/sdan/geospot",
        code="github.com/sdan/geospot, geospot/rl/geo_reward.py, compute_geo_reward, at fd6a531; "
        "github.com/sdan/vlm-gym, envs/geospot.py, at ddaa391",
        follows="the part for the coordinates alone; tau begins at 2000 km and ends at 25 km over "
        "a training, so give tau for a stage of it",
        leaves_out="the code of geospot weighs this part 0.7, beside 0.3 for the share of five "
        "geohash letters that agree; vlm-gym mixes it with distances between places that an "
        "online geocoder finds for the words",
    ),
    Preset(
        name="preset:geoagent",
        formula="format 1 + 1, named country 0.1, region 0.6, place 0.3, 1.5 exp(-d / 200) below "
        "2000 km",
        params={
            "think_answer": "1",
            "named": "1",
            "said_country": "0.1",
            "said_region": "0.6",
            "said_region.if": "said_country",
            "said_city": "0.3",
            "said_city.if": "said_country,said_region",
            "exponential": "1.5",
            "exponential.scale": "200",
            "exponential.if": "threshold",
            "exponential.if.km": "2000",
            "exponential.if.border": "out",
            "unparsed": "0",
        },
        source="GeoAgent, arXiv 2602.12617",
        code="github.com/HVision-NKU/GeoAgent, swift/plugin/orm.py (Format, GeoAnswerFormat, "
        "TripleFieldAccuracy, GeoScoreAccuracy) and tools/train_grpo.sh, at b59be88",
        follows="the code: the region counts only where the country is right, the place only "
        "where the region is; 0 from 2000 km on",
        leaves_out="0.5 for reasoning that a model finds consistent; names are compared there by "
        "the similarity of their embeddings, and here are right or not; the distance is there "
        "between geocoded addresses, and here that of the coordinates",
    ),
    Preset(
        name="preset:globe",
        formula="named city and country 1, country alone 0.2; format 1",
        params={
            "said_country": "0.2",
            "said_city": "0.8",
            "said_city.if": "said_country",
            "think_answer": "1",
        },
        source="GLOBE, arXiv 2506.14674",
        code="github.com/lingli1996/GLOBE, examples/train/grpo/globe/plugin.py "
        "(GeoLocAccuracyV2ORM, MathFormat) and train_all_rewards.sh, at b182930",
        follows="the code and its weights 1 and 1",
        leaves_out="0.5 for locatability and 0.2 for entities seen: a model judges the one by the "
        "reasoning, and a dataset's own score, the term locatability, would be the same for every "
        "answer to a photo; names match there where one holds the other and is 0.7 as long, and "
        "here where they are names of one place",
    ),
    Preset(
        name="preset:geovista",
        formula="city where the city is right, by point or words, else region, else country",
        params={
            "city": "{city}",
            "said_city": "{city}",
            "said_city.unless": "city",
            "region": "{region}",
            "region.unless": "city,said_city",
            "said_region": "{region}",
            "said_region.unless": "city,said_city,region",
            "country": "{country}",
            "country.unless": "city,said_city,region,said_region",
            "said_country": "{country}",
            "said_country.unless": "city,said_city,region,said_region,country",
        },
        parameters={"city": 1.0, "region": 0.0, "country": 0.0},
        source="GeoVista, arXiv 2511.15705",
        code="github.com/ekonwang/DeepEyes-rl, verl/utils/reward_score/search_agent.py",
        follows="1 for the city and nothing else; the file at 7e31651 gives 4, 2 and 1 for city, "
        "state and country, which is city=4, region=2, country=1",
        leaves_out="a judge model says there what is right; here it is what the coordinates or "
        "the words of the answer give",
    ),
    Preset(
        name="preset:deepeyes",
        formula="0.8 where d <= km, 1.2 more where an image was cut then, -0.2 without coordinates",
        params={
            "threshold": "0.8",
            "threshold.km": "{km}",
            "cut": "1.2",
            "cut.if": "threshold",
            "constant": "-0.2",
            "constant.unless": "parsed",
            "unparsed": "0",
        },
        parameters={"km": 25.0},
        source="DeepEyes, arXiv 2505.14362",
        code="github.com/Visual-Agent/DeepEyes, verl/utils/reward_score/vl_agent.py, "
        "compute_score, as github.com/XavierZXY/DeepEyes has it at 27f93e7",
        follows="0.8 accuracy + 0.2 format + 1.2 tool, where the tool counts only if the answer is "
        "right; versions before it give 0.4 (04dbb92) or 1.0 (fdd3c42) for the tool in any case",
        leaves_out="a judge model says there whether the answer is right, and here it is right "
        "within km; its format is wrong (-1) where a tag is not closed, and here where no "
        "coordinates could be read",
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _PRESETS})
"""By name, with the prefix."""


def is_preset_name(name: str) -> bool:
    """Whether a name is one that only a preset may have."""
    return name.startswith(PREFIX)


def find_preset(name: str) -> Preset:
    """A preset by its name, with or without the prefix.

    Raises RewardError, which names the nearest and all there are.
    """
    whole = name if is_preset_name(name) else f"{PREFIX}{name}"
    if whole not in PRESETS:
        raise RewardError(
            f"no preset {whole!r}{did_you_mean(whole, PRESETS)}; there are: {', '.join(PRESETS)}"
        )
    return PRESETS[whole]


def preset_spec(name: str, params: Mapping[str, str] | None = None) -> RewardSpec:
    """The spec of a preset; `params` as a command line gives them, such as tau=100.

    They are the preset's own and those of every reward. The name of the spec has what they change.
    Raises RewardError, which names what is allowed.
    """
    preset = find_preset(name)
    given = {key: text.strip() for key, text in (params or {}).items()}
    for key, text in given.items():
        if key not in preset.parameters and key not in COMMON:
            known = ", ".join(sorted([*preset.parameters, *COMMON]))
            raise RewardError(f"{preset.name} has no parameter {key!r}; it has: {known}")
        value = read_value(_read_as(preset, key), f"{preset.name}'s {key}", text)
        if key in preset.parameters:
            given[key] = _number_text(value)
    usual = make_spec(WEIGHTED, _filled(preset, {}), name=preset.name)
    spec = make_spec(WEIGHTED, _filled(preset, given), name=preset.name)
    if spec == usual:
        return spec
    changed = ", ".join(f"{key}={text}" for key, text in sorted(given.items()))
    return replace(spec, name=f"{preset.name}({changed})")


def _read_as(preset: Preset, key: str) -> str:
    """The parameter of a term that one of the preset's own stands for, or ``weight``."""
    place = next((place for place, text in preset.params.items() if text == f"{{{key}}}"), None)
    return key if place is None else place.partition(".")[2] or "weight"


def _number_text(value: float) -> str:
    """One text for a number, however a user wrote it; it reads as exactly that number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _filled(preset: Preset, given: Mapping[str, str]) -> dict[str, str]:
    """What `make_spec` gets: the terms with the preset's own parameters filled in.

    A term whose weight the user left or set at 0 is left out, also of every ``unless``: an answer
    that meets it would otherwise lose what one that does not meet it gets.
    """
    own = {key: given.get(key, f"{value:g}") for key, value in preset.parameters.items()}
    common = {key: text for key, text in given.items() if key in COMMON}
    filled = {key: text.format(**own) for key, text in preset.params.items()}
    unused = {
        key
        for key, text in preset.params.items()
        if "." not in key and "{" in text and float(filled[key]) == 0
    }
    terms = {}
    for key, text in filled.items():
        term, _, parameter = key.partition(".")
        if term in unused:
            continue
        value = text
        if parameter == "unless":
            value = ",".join(other for other in text.split(",") if other not in unused)
        if value:
            terms[key] = value
    if not terms:
        raise RewardError(
            f"{preset.name} needs a number other than 0 for one of: {', '.join(preset.parameters)}"
        )
    return terms | common
