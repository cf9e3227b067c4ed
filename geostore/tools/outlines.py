"""Finds where on the photo a call's box lies, through all zooms and turns before it."""

from __future__ import annotations

from collections.abc import Sequence

from geostore.errors import ImageError
from geostore.records import ImageFacts, ToolCall
from geostore.tools.registry import TOOLS
from geostore.tools.tool import Point


def outline_on_photo(
    call: ToolCall, photo: ImageFacts, calls: Sequence[ToolCall]
) -> tuple[Point, Point, Point, Point]:
    """The corners of a call's box in full-resolution pixels of the photo, which is image 0.

    In order around the box, from what was its top left. A box on an image that was
    turned is no longer upright here. calls: the conversation's. Corners may lie
    outside the photo, where a turn left the canvas empty.
    Raises ImageError where the call has no box or its source cannot be traced back.
    """
    if call.box is None or call.source_index is None:
        raise ImageError("a call without a box has no place on the photo", kind="missing")
    by_image = {other.image_index: other for other in calls if other.image is not None}
    left, top, right, bottom = map(float, call.box)
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    index = call.source_index
    while index != 0:
        origin = by_image.get(index)
        if (
            origin is None
            or origin.image is None
            or origin.source_index is None
            or not 0 <= origin.source_index < index
        ):
            raise ImageError(f"no call gave image {index}", kind="missing")
        source_origin = by_image.get(origin.source_index)
        source = (
            photo if source_origin is None or source_origin.image is None else source_origin.image
        )
        to_source = TOOLS[origin.name].to_source
        a, b, c, d = (to_source(origin, source, origin.image, corner) for corner in corners)
        corners = (a, b, c, d)
        index = origin.source_index
    return corners
