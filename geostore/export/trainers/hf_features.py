"""Columns of Parquet that `datasets` decodes as images when it loads a file.

`datasets` reads the types of columns from the key ``huggingface`` of a file's schema.
Without it, an image comes as a dict of bytes, which no trainer takes for an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from geostore.text.json_lines import json_bytes

if TYPE_CHECKING:
    import pyarrow

    from geostore.export.images import ExportedImage


def image_type() -> pyarrow.DataType:
    """The type of an image in a column: its bytes, or where they can be read."""
    import pyarrow

    return pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def image_value(image: ExportedImage) -> dict[str, bytes | str | None]:
    """An image with its bytes, as a value of `image_type`."""
    assert image.sent is not None  # the images of such a file are embedded
    return {"bytes": image.sent.data, "path": None}


def with_image_lists(schema: pyarrow.Schema, *names: str) -> pyarrow.Schema:
    """The schema with these of its columns, lists of `image_type`, marked as lists of images."""
    feature = {"feature": {"_type": "Image"}, "_type": "List"}
    info = {"info": {"features": dict.fromkeys(names, feature)}}
    return schema.with_metadata({b"huggingface": json_bytes(info)})
