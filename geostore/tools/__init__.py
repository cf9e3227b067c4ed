"""The visual tools: what a call means (`understand`) and does (`apply`); one module a tool."""

from geostore.tools.outlines import outline_on_photo
from geostore.tools.registry import (
    DEFAULT_TOOLS,
    ROTATE,
    TOOLS,
    ZOOM,
    apply,
    derive,
    further_effect,
    observation,
    present,
    table_after,
    tool_schemas,
    understand,
)
from geostore.tools.tool import BadCall, Operation

__all__ = [
    "DEFAULT_TOOLS",
    "ROTATE",
    "TOOLS",
    "ZOOM",
    "BadCall",
    "Operation",
    "apply",
    "derive",
    "further_effect",
    "observation",
    "outline_on_photo",
    "present",
    "table_after",
    "tool_schemas",
    "understand",
]
