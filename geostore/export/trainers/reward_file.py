"""Writes ``reward.py``: a store's reward for a trainer, in one file that needs no store.

The formulas are those of `export.trainers.reward_template`. The parser of answers goes into the
file as its own sources, so that it reads every text as the store does. Nothing but Python is needed
beside it, unless a term compares places: borders and cities are too large for the file, so it takes
them from an installed geostore, of which the tools of the same export need one as well. The true
place follows from the coordinates in the row, as it does in the store.
"""

from __future__ import annotations

import inspect
import pprint
import re
from functools import cache
from importlib import resources

from geostore import geodesic
from geostore.answers import PARSER_VERSION
from geostore.errors import ExportError
from geostore.export.trainers import reward_template
from geostore.identity import sha256_hex
from geostore.rewards import KINDS
from geostore.rewards.formulas import PLACE_TERMS, WGS84
from geostore.rewards.weighted import with_conditions
from geostore.store.rewards import StoredSpec
from geostore.version import VERSION

REWARD_FILE = "reward.py"
"""Its name in an export."""

_IMPORT = re.compile(r"^from (geostore\.[a-z_.]+) import ", re.MULTILINE)
_LOADER = '''\
import sys
import types

if sys.version_info < (3, 11):
    raise ImportError(f"{__file__} needs Python 3.11 or newer")


def _load_parser() -> Any:
    """The parser of geostore, from its sources below, under a name that no other module has."""
    for name, source in _SOURCES.items():
        module = types.ModuleType(name)
        sys.modules[name] = module
        exec(compile(source, f"{__file__}: {name}", "exec"), module.__dict__)
    return sys.modules[_PARSER].parse_answer


def parse_answer(response: str, *, cut: bool = False, bare: bool = False) -> Any:
    """The answer that a response gives: ``lat``, ``lon``, ``form`` and ``failure``."""
    return _parse(response, cut=cut, bare=bare)

'''
_ON_THE_ELLIPSOID = '''\
def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The geodesic between two points in degrees on the WGS-84 ellipsoid."""
    return geodesic_km(lat, lon, other_lat, other_lon)


'''
_ALONE = "This file needs nothing but Python 3.11 or newer. "
_WITH_PLACES = """\
This file needs Python 3.11 or newer and, for the country, region and city of points and words, the
package geostore (pip install geostore-distill). It needs no store.

"""
_REQUIRE_PLACES = """\
try:
    from geostore.places import GAZETTEER_VERSION
except ImportError as error:
    raise ImportError(
        f"{{__file__}} compares places, for which it needs geostore with its gazetteer; "
        "install it here with: pip install geostore-distill"
    ) from error
if GAZETTEER_VERSION != {version}:
    raise ImportError(
        f"{{__file__}} compares places by version {version} of geostore's gazetteer, and the "
        f"geostore that is installed has version {{GAZETTEER_VERSION}}; install the one that wrote "
        "this file ({geostore}), or export anew"
    )

"""
_NO_PLACES = '''\
def place_facts(answer: Any, lat: float, lon: float) -> dict[str, float | None]:
    """Nothing: no term of this reward needs a place."""
    return {}


'''


def needs_places(spec: StoredSpec) -> bool:
    """Whether a term of a reward compares places, so that its file needs an installed geostore."""
    terms = with_conditions(spec.parameters.get("terms", ()))
    return any(term["term"] in PLACE_TERMS for term in terms)


def reward_file(spec: StoredSpec) -> bytes:
    """The file for a reward of a store.

    Raises ExportError for a reward whose formula is not known here: a function of the user's,
    and scores that were imported.
    """
    if spec.kind not in KINDS:
        why = (
            "is a function of your own, and the store keeps only its hash; give the trainer "
            "that function's file, which has verl's signature, and name a formula"
            if spec.kind == "custom"
            else "was imported with its scores and has no formula; name another"
        )
        raise ExportError(f"the reward {spec.label} {why} with --reward, such as geoguessr")
    sources, parser = _parser_sources()
    template = inspect.getsource(reward_template)
    text = _replaced(template, "parser", _LOADER)
    sphere = f"{inspect.getsource(reward_template.distance_km)}\n\n"
    is_sphere = spec.parameters["radius"] != WGS84
    text = _replaced(text, "distance", sphere if is_sphere else _ellipsoid())
    values = {
        "name": spec.name,
        "sha256": spec.sha256,
        "kind": spec.kind,
        "parameters": spec.parameters,
    }
    if needs_places(spec):
        text = text.replace(_ALONE, _WITH_PLACES)
        require = _REQUIRE_PLACES.format(version=spec.parameters["gazetteer"], geostore=VERSION)
        facts = f"{inspect.getsource(reward_template.place_facts)}\n\n"
    else:
        require, facts = "", _NO_PLACES
    text = _replaced(_replaced(text, "places", require), "place facts", facts)
    text = re.sub(r"\n{4,}", "\n\n\n", text)  # where a replaced part is empty or ends a block
    shown = pprint.pformat(values, width=96, sort_dicts=False)
    text = _replaced(text, "spec", f"SPEC: dict[str, Any] = {shown}\n")
    listed = "".join(f'    "{name}": {_literal(source)},\n' for name, source in sources.items())
    return (
        f"{text}\n\n# --- the parser of answers, version {PARSER_VERSION}, as geostore has it "
        f"---\n\n_PARSER = {parser!r}\n"
        f"_SOURCES = {{\n{listed}}}\n\n_parse = _load_parser()\n"
    ).encode()


@cache
def _parser_sources() -> tuple[dict[str, str], str]:
    """The modules that the parser needs, each behind those that it imports, and its own name."""
    read: dict[str, str] = {}
    _add_source(read, "geostore.answers.parser")
    package = f"_geostore_answers_{sha256_hex(''.join(read.values()).encode())[:12]}"
    # A dot would be a package that Python looks for on disk.
    named = {name: f"{package}_{name.rpartition('.')[2]}" for name in read}
    sources = {
        named[name]: _IMPORT.sub(lambda match: f"from {named[match[1]]} import ", source)
        for name, source in read.items()
    }
    return sources, named["geostore.answers.parser"]


def _ellipsoid() -> str:
    """The distance of a spec whose radius is ``wgs84``, with the code that computes it."""
    _, _, code = inspect.getsource(geodesic).partition("\nimport math\n")
    return f"{code.strip()}\n\n\n{_ON_THE_ELLIPSOID}"


def _add_source(read: dict[str, str], name: str) -> None:
    if name in read:
        return
    source = _source(name)
    for needed in _IMPORT.findall(source):
        _add_source(read, needed)
    read[name] = source


def _source(name: str) -> str:
    package, _, module = name.rpartition(".")
    return resources.files(package).joinpath(f"{module}.py").read_text(encoding="utf-8")


def _literal(text: str) -> str:
    """A text as a literal of Python, with its lines as they are where that can be."""
    if "'''" in text or text.endswith("\\"):
        return repr(text)
    return f"r'''{text}'''"


def _replaced(text: str, mark: str, new: str) -> str:
    """The text with what stands between two marks replaced, and without the marks."""
    before, _, rest = text.partition(f"# <{mark}>\n")
    _, closing, after = rest.partition(f"# </{mark}>\n")
    assert closing, mark
    return before + new + after
