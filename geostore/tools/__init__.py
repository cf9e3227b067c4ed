"""The visual tools: what a call means (`understand`) and does (`apply`); one module a tool."""

from geostore.tools.outlines import outline_on_photo
from geostore.tools.registry import (
    DEFAULT_TOOLS,
    ROTATE,
    TOOLS,
    ZOOM,
    apply,
    current_image_after,
    derive,
    further_effect,
    observation,
    present,
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
    "current_image_after",
    "derive",
    "further_effect",
    "observation",
    "outline_on_photo",
    "present",
    "tool_schemas",
    "understand",
]
