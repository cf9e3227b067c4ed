"""Format ``pairs``: preferences for DPO or KTO, in the form of the trainer that ``--for`` names.

Each trainer's form is a module of its own, ``pairs_<trainer>``, listed in `PAIR_WRITERS`. It
takes the pairs of a stream from `export.pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from geostore.errors import ExportError
from geostore.export.formats import pairs_llamafactory, pairs_swift, pairs_trl
from geostore.export.options import PairsFor
from geostore.export.trainers import swift_training
from geostore.export.trainers.trl_messages import loads
from geostore.export.writer import FormatWriter

PAIR_WRITERS: Mapping[PairsFor, FormatWriter] = MappingProxyType(
    {
        "llamafactory": FormatWriter(
            pairs_llamafactory.RULES,
            pairs_llamafactory.write_pairs,
            pairs_llamafactory.guide,
            pairs_llamafactory.choose,
            pairs_llamafactory.loads,
        ),
        "swift": FormatWriter(
            pairs_swift.RULES,
            pairs_swift.write_pairs,
            pairs_swift.guide,
            pairs_swift.choose,
            loads=swift_training.loads,
        ),
        "trl": FormatWriter(
            pairs_trl.RULES,
            pairs_trl.write_pairs,
            pairs_trl.guide,
            pairs_trl.choose,
            loads,
        ),
    }
)
"""From a trainer's name to what writes its pairs."""


def pair_writer(trainer: PairsFor | None) -> FormatWriter:
    """What writes pairs for a trainer. Raises ExportError where none is named."""
    for name, writer in PAIR_WRITERS.items():
        if name == trainer:
            return writer
    raise ExportError(
        "the format pairs needs to know the trainer: give --for, one of " + ", ".join(PAIR_WRITERS)
    )
