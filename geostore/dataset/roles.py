"""Which column of a dataset, or which part of one, plays which role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from geostore.dataset.addresses import Address, is_list, is_text
from geostore.dataset.columns import is_number, is_scalar
from geostore.errors import DatasetError
from geostore.text.nearest import did_you_mean

DEFAULT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "image": ("image", "img", "photo", "images"),
    "lat": ("lat", "latitude"),
    "lon": ("lon", "lng", "longitude"),
    "locatability_score": ("locatability_score", "locatability"),
    "country": ("country",),
}
"""Role to the names its column may have, in order of preference; case does not matter."""

_REQUIRED = ("image", "lat", "lon")
"""The roles that every dataset must fill."""

_PHOTO_WORDS = ("image", "img", "photo", "picture", "file", "path")
"""Words of which the name of a column of photos may have one."""

_PAIRS = re.compile(r"coord(inate)?s?|lat_?l(on|ng)|location|position|point|gps|geo", re.IGNORECASE)
"""Names that a column with both coordinates may have."""


def map_columns(
    kinds: Mapping[str, Any], explicit: Mapping[str, str], *, path: str
) -> dict[str, str]:
    """Role to column, in the order of the roles.

    kinds: the Arrow type of each column, in order. explicit: role to column name or
    `Address`, as the user gives them; other roles are looked up by `DEFAULT_COLUMNS`.
    Raises DatasetError, which lists the columns, for an unknown role, a column that does
    not exist, and a required role without a column.
    """
    listing = f"its columns are: {', '.join(map(_listed, kinds, kinds.values())) or 'none'}"
    for role, name in explicit.items():
        if role not in DEFAULT_COLUMNS:
            raise DatasetError(
                f"--column {role}={name}: there is no role {role!r}; "
                f"the roles are {', '.join(DEFAULT_COLUMNS)}"
            )
        if Address.find(name, kinds) is None:
            like = did_you_mean(name, kinds)
            raise DatasetError(f"{path} has no column {name!r} for {role}{like}; {listing}")
    column_map = dict(explicit)
    for role, candidates in DEFAULT_COLUMNS.items():
        if role not in column_map and (match := _named(candidates, list(kinds))):
            column_map[role] = match
    if "lat" not in column_map and "lon" not in column_map:
        column_map |= _in_a_struct(kinds)
    missing = [role for role in _REQUIRED if role not in column_map]
    if missing:
        raise DatasetError(
            f"{path} has no column for {' and '.join(missing)}; {listing}. Name it, as in "
            + " ".join(
                f"--column {example}"
                for example in _examples(missing, kinds, set(column_map.values()))
            )
        )
    if column_map["lat"] == column_map["lon"]:
        name = column_map["lat"]
        address = Address.find(name, kinds)
        whole = address.column if address else name
        raise DatasetError(
            f"{path}: lat and lon are both {name!r}; name a part of the column for each, as in "
            f"--column lat={whole}.0 --column lon={whole}.1"
        )
    return {role: column_map[role] for role in DEFAULT_COLUMNS if role in column_map}


def coordinate_columns(kinds: Mapping[str, Any], *, path: str) -> tuple[str, str]:
    """The columns of latitude and longitude, or the parts of one, of a table without photos.

    kinds: the Arrow type of each column, in order. Raises DatasetError, which lists them.
    """
    names = [_named(DEFAULT_COLUMNS[role], list(kinds)) for role in ("lat", "lon")]
    if not all(names) and (pair := _in_a_struct(kinds)):
        names = [pair["lat"], pair["lon"]]
    lat, lon = names
    if lat is None or lon is None:
        missing = " and ".join(
            role for role, name in zip(("lat", "lon"), names, strict=True) if name is None
        )
        raise DatasetError(
            f"{path} has no column for {missing}; its columns are: "
            f"{', '.join(map(_listed, kinds, kinds.values())) or 'none'}. Call them lat and lon"
        )
    for name in (lat, lon):
        if name in kinds and not (is_number(kinds[name]) or is_text(kinds[name])):
            raise DatasetError(f"{path}: the column {name!r} holds {kinds[name]}, and not numbers")
    return lat, lon


def check_types(schema: Any, column_map: Mapping[str, str], *, path: str) -> None:
    """Raise DatasetError where the Arrow type of a column, or of a part, cannot play its role."""
    for role, name in column_map.items():
        address = Address.find(name, schema.names)
        if address is None:  # another file has it
            if role not in _REQUIRED:
                continue
            raise DatasetError(f"{path} has no column {name!r} for {role}, as other files have")
        whole = schema.field(address.column).type
        try:
            kind = address.kind(whole)
        except LookupError as error:
            raise DatasetError(
                f"{path}: there is no {name!r} for {role}: {error.args[0]}; the column is of type "
                f"{whole}"
            ) from error
        if role == "image":
            fits = _is_image(kind) or (is_list(kind) and _is_image(kind.value_type))
            wanted = "an image, its bytes, or the path of its file"
        elif role == "country":
            fits, wanted = is_scalar(kind), "text"
        else:
            fits = is_number(kind) or is_text(kind) or pa.types.is_null(kind)
            wanted = "numbers, or numbers as text"
        if not fits:
            raise DatasetError(
                f"{path}: the column {name!r} for {role} is of type {kind}, not {wanted}; "
                f"name another one, as in --column {role}={_part(name, kind) or 'COLUMN'}"
            )


def _named(candidates: Sequence[str], names: Sequence[str]) -> str | None:
    exact = [c for c in candidates if c in names]
    return next(iter(exact or [n for c in candidates for n in names if n.lower() == c]), None)


def _in_a_struct(kinds: Mapping[str, Any]) -> dict[str, str]:
    """Latitude and longitude as fields of one column, where only one column has both."""
    pairs = []
    for column, kind in kinds.items():
        if pa.types.is_struct(kind):
            fields = [field.name for field in kind]
            pair = [_named(DEFAULT_COLUMNS[role], fields) for role in ("lat", "lon")]
            if all(pair):
                pairs.append({"lat": f"{column}.{pair[0]}", "lon": f"{column}.{pair[1]}"})
    return pairs[0] if len(pairs) == 1 else {}


def _listed(name: str, kind: Any) -> str:
    """A column with the addresses of its parts."""
    if pa.types.is_struct(kind) and not _is_image(kind):
        return f"{name} ({', '.join(f'{name}.{field.name}' for field in kind)})"
    return f"{name} (a list: {name}.0, ...)" if is_list(kind) else name


def _examples(missing: Sequence[str], kinds: Mapping[str, Any], taken: set[str]) -> list[str]:
    """Columns that there are, as options. taken: those that have a role."""
    pair = next(
        (n for n, k in kinds.items() if _PAIRS.fullmatch(n) and (is_list(k) or is_text(k))), None
    )
    examples = {"lat": f"{pair}.0", "lon": f"{pair}.1"} if pair else {}
    for role in missing:
        if role not in examples:
            free = {name: kind for name, kind in kinds.items() if name not in taken}
            examples[role] = _like(role, free) or "COLUMN"
            taken = taken | {examples[role]}
    return [f"{role}={examples[role]}" for role in missing]


def _like(role: str, kinds: Mapping[str, Any]) -> str | None:
    """The column whose name is like one that the role may have; None where none is."""
    if role == "image":
        photos = [name for name, kind in kinds.items() if _is_image(kind)]
        matches = (n for word in _PHOTO_WORDS for n in photos if word in n.lower())
        return next(matches, None)
    names = {n.lower(): n for n, kind in kinds.items() if is_number(kind) or is_text(kind)}
    for wanted in DEFAULT_COLUMNS[role]:
        if like := get_close_matches(wanted, names, n=1, cutoff=0.7):
            return names[like[0]]
    return None


def _part(name: str, kind: Any) -> str | None:
    """The address of the first part of a column of this type; None where it has no parts."""
    if pa.types.is_struct(kind) and kind.num_fields and not _is_image(kind):
        return f"{name}.{kind.field(0).name}"
    return f"{name}.0" if is_list(kind) else None


def _is_image(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        fields = {field.name: field.type for field in kind}
        return ("bytes" in fields and _is_binary(fields["bytes"])) or (
            "path" in fields and is_text(fields["path"])
        )
    return _is_binary(kind) or is_text(kind)


def _is_binary(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )
