"""Writes a Markdown table that holds one place as a latitude and a longitude beside their names."""

import re

_LAT = re.compile(r"\W{0,4}(?:lat|latitude)(?: ?\([^()]{0,20}\))?\W{0,4}", re.IGNORECASE)
_LON = re.compile(r"\W{0,4}(?:lon|lng|long|longitude)(?: ?\([^()]{0,20}\))?\W{0,4}", re.IGNORECASE)
_RULE = re.compile(r"[\s|:+-]+")


def tables_as_labels(text: str) -> str:
    """`text` with the one row of such a table as two labels; other tables stay as they are.

    Of several rows nobody knows which is meant. text: normalised.
    """
    if "|" not in text:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines[:-2]):
        if "|" not in line or not _RULE.fullmatch(lines[number + 1]):
            continue
        rows = []
        for row in lines[number + 2 : number + 4]:
            if "|" not in row:
                break
            rows.append(_cells(row))
        heads = _cells(line)
        lat = [place for place, head in enumerate(heads) if _LAT.fullmatch(head)]
        lon = [place for place, head in enumerate(heads) if _LON.fullmatch(head)]
        if len(rows) == len(lat) == len(lon) == 1 and len(rows[0]) == len(heads) > 2:
            values = rows[0][lat[0]].strip(), rows[0][lon[0]].strip()
            lines[number] = lines[number + 1] = ""
            lines[number + 2] = f"Latitude: {values[0]}, Longitude: {values[1]}"
    return "\n".join(lines)


def _cells(row: str) -> list[str]:
    return row.strip().strip("|").split("|")
