"""The visual tools: what a call means (`understand`), does (`apply`) and says; one module a tool."""

from geostore.tools.registry import (
    DEFAULT_TOOLS,
    ROTATE,
    TOOLS,
    ZOOM,
    apply,
    derive,
    observation,
    present,
    table_after,
    tool_schemas,
    understand,
)
from geostore.tools.tool import BadCall, Operation

__all__ = [
    "BadCall",
    "DEFAULT_TOOLS",
    "Operation",
    "ROTATE",
    "TOOLS",
    "ZOOM",
    "apply",
    "derive",
    "observation",
    "present",
    "table_after",
    "tool_schemas",
    "understand",
]
