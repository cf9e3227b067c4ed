"""Read the rows of a road sign from pixels: a name at the left, kilometres at the right.

There are two readers. `TemplateReader` compares each letter with Pillow's built-in
font, in which the demo's signs are set; `RapidOcrReader` uses RapidOCR (the extra
`geostore-distill[demo]`). Both read only upright text that is large enough, so the teacher
has to zoom and rotate.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from geostore.demo.glance import Panel
from geostore.errors import DemoError

Floats = NDArray[np.float64]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PUNCTUATION = "-'"
_DIGITS = "0123456789"

MOST_TILT = 6.0
"""A reader straightens a sign itself up to this tilt, in degrees."""

_LEAST_CAPITAL = 4.5  # pixels: letters lower than this are not tried
_CAPITAL = 24  # rows to which every letter is brought before it is compared
_CELL = 44  # columns of the field in which a letter is centred
_SURE = 0.78  # mean likeness from which a row counts as read
_CLEAR = 0.9  # mean likeness at which no better reading is looked for
_CUT_COST = 0.08  # of a capital's height: the least gain in likeness x width of one more letter


@dataclass(frozen=True)
class Row:
    """One row of a sign."""

    text: str
    """The letters of the name, without spaces."""
    km: int
    """The number at the right."""
    scores: Floats
    """Likeness, -1..1, of each letter (rows) to A..Z (columns)."""
    confidence: float
    """Mean likeness of letters and digits."""
    capital: float
    """Height of its capital letters, in pixels of the image it was read from."""


class SignReader(Protocol):
    """Reads the rows on a panel that is upright or nearly so."""

    name: str

    def read(self, image: Image.Image, panel: Panel) -> tuple[Row, ...]:
        """Rows from top to bottom; those that cannot be read are left out."""
        ...


def make_reader(name: str) -> SignReader:
    """``template`` or ``rapidocr``. Raises DemoError for another or one not installed."""
    if name == "template":
        return TemplateReader()
    if name == "rapidocr":
        return RapidOcrReader()
    raise DemoError(f"no reader is called {name!r}: choose template or rapidocr")


def straighten(image: Image.Image, panel: Panel) -> Image.Image:
    """The inside of the panel, level, without its rim."""
    reach = max(panel.length, panel.height) * 0.75
    x, y = panel.centre
    around = image.convert("RGB").crop(
        (round(x - reach), round(y - reach), round(x + reach), round(y + reach))
    )
    level = around.rotate(-panel.angle, Image.Resampling.BICUBIC) if panel.angle else around
    middle_x, middle_y = x - round(x - reach), y - round(y - reach)
    turn = np.radians(panel.angle)
    from_x, from_y = middle_x - around.width / 2, middle_y - around.height / 2
    at_x = around.width / 2 + from_x * np.cos(turn) - from_y * np.sin(turn)
    at_y = around.height / 2 + from_x * np.sin(turn) + from_y * np.cos(turn)
    rim = 0.055 * panel.height
    half_x, half_y = panel.length / 2 - rim, panel.height / 2 - rim
    box = (at_x - half_x, at_y - half_y, at_x + half_x, at_y + half_y)
    left, top, right, bottom = (round(float(edge)) for edge in box)
    return level.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


class TemplateReader:
    """Compares each letter with the built-in font. Needs only numpy and Pillow."""

    name = "template"

    def __init__(self) -> None:
        font = ImageFont.load_default(96)
        drawn = [_draw_template(font, letter) for letter in LETTERS + _PUNCTUATION + _DIGITS]
        self._sharp = np.stack([_normalised(cell) for cell in drawn])
        self._soft = np.stack([_normalised(_blurred(cell, 1.6)) for cell in drawn])

    def read(self, image: Image.Image, panel: Panel) -> tuple[Row, ...]:
        """Rows from top to bottom; those that cannot be read are left out."""
        if abs(panel.angle) > MOST_TILT:
            return ()
        ink = _ink(straighten(image, panel))
        rows = []
        for top, bottom in _text_rows(ink):
            if bottom - top < _LEAST_CAPITAL:
                continue
            row = self._best_row(ink, top, bottom)
            if row is not None and row.confidence >= _SURE:
                rows.append(row)
        return tuple(rows)

    def _best_row(self, ink: Floats, top: float, bottom: float) -> Row | None:
        """The likeliest of a few readings, since round letters overshoot the line on both sides."""
        slack = max(0.03 * (bottom - top), 0.35)
        best: Row | None = None
        for above, below in ((0.0, 0.0), (slack, slack), (slack, 0.0), (0.0, slack)):
            row = self._read_row(ink, top + above, bottom - below)
            if row is not None and (best is None or row.confidence > best.confidence):
                best = row
            if best is not None and best.confidence > _CLEAR:
                break
        return best

    def _read_row(self, ink: Floats, top: float, bottom: float) -> Row | None:
        """One row, or None if it is not a name followed by a number."""
        capital = bottom - top
        templates = self._soft if capital < 12 else self._sharp
        strip = _resampled(ink, top, bottom)
        spans = _letter_spans(strip)
        if len(spans) < 3:
            return None
        gaps = [after[0] - before[1] for before, after in pairwise(spans)]
        split = int(np.argmax(gaps)) + 1
        digits = spans[split:]
        if gaps[split - 1] < 0.8 * _CAPITAL or not 1 <= len(digits) <= 3:
            return None
        first_digit = len(LETTERS) + len(_PUNCTUATION)
        letters = self._segment(strip, spans[:split], templates[:first_digit])
        numbers = self._segment(strip, digits, templates[first_digit:])
        named = letters[letters.argmax(axis=1) < len(LETTERS), : len(LETTERS)]
        if len(named) < 2 or not 1 <= len(numbers) <= 3:
            return None
        best = np.concatenate([letters.max(axis=1), numbers.max(axis=1)])
        return Row(
            text="".join(LETTERS[i] for i in named.argmax(axis=1)),
            km=int("".join(_DIGITS[i] for i in numbers.argmax(axis=1))),
            scores=named,
            confidence=float(best.mean()),
            capital=capital,
        )

    def _segment(self, strip: Floats, spans: list[tuple[int, int]], templates: Floats) -> Floats:
        """Likeness of every letter to every template; letters that touch are cut apart."""
        likeness = []
        for start, end in spans:
            cuts = [start, *_valleys(strip, start, end), end]
            likeness.append(self._best_cut(strip, cuts, templates))
        return np.concatenate(likeness)

    def _best_cut(self, strip: Floats, cuts: list[int], templates: Floats) -> Floats:
        """The way through `cuts` whose letters are most like templates, by width."""
        pieces = [
            (i, j)
            for i in range(len(cuts))
            for j in range(i + 1, len(cuts))
            if cuts[j] - cuts[i] <= 1.6 * _CAPITAL or j == i + 1
        ]
        cells = np.stack([_normalised(_centred(strip[:, cuts[i] : cuts[j]])) for i, j in pieces])
        likeness = cells @ templates.T
        totals: dict[int, tuple[float, list[int]]] = {0: (0.0, [])}
        for number, (i, j) in sorted(enumerate(pieces), key=lambda item: item[1][1]):
            if i not in totals:
                continue
            gain = float(likeness[number].max()) * (cuts[j] - cuts[i]) - _CUT_COST * _CAPITAL
            total = totals[i][0] + gain
            if j not in totals or total > totals[j][0]:
                totals[j] = (total, [*totals[i][1], number])
        return likeness[totals[len(cuts) - 1][1]]


class RapidOcrReader:
    """Reads with RapidOCR, whose package holds its models, so nothing is downloaded."""

    name = "rapidocr"

    def __init__(self) -> None:
        for module in ("rapidocr", "onnxruntime"):
            if importlib.util.find_spec(module) is None:
                raise DemoError(
                    f"the reader rapidocr needs {module}: pip install rapidocr onnxruntime, "
                    "or choose --reader template"
                )
        from rapidocr import RapidOCR

        limits = {
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        }
        self._ocr: Any = RapidOCR(params=limits)

    def read(self, image: Image.Image, panel: Panel) -> tuple[Row, ...]:
        """Rows from top to bottom; those that cannot be read are left out."""
        if abs(panel.angle) > MOST_TILT:
            return ()
        inside = straighten(image, panel)
        # RapidOCR takes colours in OpenCV's order. Without a margin it misses text at the edge.
        pixels = np.asarray(inside)[..., ::-1]
        margin = max(inside.height // 12, 4)
        padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        result = self._ocr(np.ascontiguousarray(padded), use_cls=False)
        if result.boxes is None or result.txts is None:
            return ()
        words = []
        for box, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
            corners = np.asarray(box, dtype=np.float64)
            words.append((corners, str(text), float(score)))
        return _rows_of_words(words)


def _rows_of_words(words: list[tuple[Floats, str, float]]) -> tuple[Row, ...]:
    """Join words that stand at one height; keep rows of a name and a number."""
    lines: list[list[tuple[Floats, str, float]]] = []
    for word in sorted(words, key=lambda item: float(item[0][:, 1].mean())):
        middle, height = float(word[0][:, 1].mean()), float(np.ptp(word[0][:, 1]))
        if lines and middle - float(lines[-1][0][0][:, 1].mean()) < 0.5 * height:
            lines[-1].append(word)
        else:
            lines.append([word])
    rows = []
    for line in lines:
        line.sort(key=lambda item: float(item[0][:, 0].min()))
        joined = " ".join(text for _, text, _ in line).upper()
        match = re.fullmatch(r"(.*[A-Z].*?)\s*(\d{1,3})(?:\s*KM)?", joined)
        if match is None:
            continue
        key = "".join(letter for letter in match[1] if letter in LETTERS)
        confidence = min(score for _, _, score in line)
        if len(key) < 2 or confidence < _SURE:
            continue
        scores = np.full((len(key), len(LETTERS)), 0.2)
        scores[np.arange(len(key)), [LETTERS.index(letter) for letter in key]] = confidence
        capital = float(np.ptp(line[0][0][:, 1])) * 0.72
        rows.append(Row(key, int(match[2]), scores, confidence, capital))
    return tuple(rows)


def _ink(inside: Image.Image) -> Floats:
    """How far each pixel is from the panel's colour towards white: 0..1."""
    pixels = np.asarray(inside, dtype=np.float64)
    flat = pixels.reshape(-1, 3)
    light = flat.sum(axis=1)
    ground = np.median(flat[light <= np.percentile(light, 60)], axis=0)
    white = np.median(flat[light >= np.percentile(light, 98)], axis=0)
    way = white - ground
    return np.asarray((((pixels - ground) @ way) / max(float(way @ way), 1.0)).clip(0, 1))


def _text_rows(ink: Floats) -> list[tuple[float, float]]:
    """Top and bottom of the rows of text, to a part of a pixel."""
    peaks = np.sort(ink, axis=1)[:, -max(3, ink.shape[1] // 40) :].mean(axis=1)
    runs = _runs(peaks > 0.4)
    if not runs:
        return []
    tallest = max(end - start for start, end in runs)
    rows = []
    for start, end in runs:
        if end - start < 0.55 * tallest:
            continue
        top, bottom = float(start), float(end)
        if start > 0:  # the part of the pixel row above that ink covers
            top -= float(peaks[start - 1]) / max(float(peaks[start]), 0.4)
        if end < len(peaks):
            bottom += float(peaks[end]) / max(float(peaks[end - 1]), 0.4)
        rows.append((top, bottom))
    return rows


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _resampled(ink: Floats, top: float, bottom: float) -> Floats:
    """One row of text brought to _CAPITAL pixel rows, its width in proportion."""
    scale = _CAPITAL / (bottom - top)
    picture = Image.fromarray(ink.astype(np.float32))
    size = (max(round(ink.shape[1] * scale), 1), _CAPITAL)
    box = (0.0, max(top, 0.0), float(ink.shape[1]), min(bottom, float(ink.shape[0])))
    strip = picture.resize(size, Image.Resampling.BICUBIC, box=box)
    return np.asarray(strip, dtype=np.float64).clip(0, 1)


def _letter_spans(strip: Floats) -> list[tuple[int, int]]:
    """Columns of the letters, or of letters that touch."""
    return [(start, end) for start, end in _runs(strip.max(axis=0) > 0.3) if end - start >= 2]


def _valleys(strip: Floats, start: int, end: int) -> list[int]:
    """Columns of least ink inside a wide span, where two letters may touch."""
    if end - start < 0.85 * _CAPITAL:
        return []
    weight = strip[:, start:end].sum(axis=0)
    middle = weight[1:-1]
    lowest = (middle <= weight[:-2]) & (middle < weight[2:]) & (middle < 0.5 * _CAPITAL)
    places = np.flatnonzero(lowest) + 1
    inner = places[(places > 3) & (places < end - start - 3)]
    return [start + int(place) for place in inner]


def _centred(letter: Floats) -> Floats:
    """A letter in the middle of a field of _CELL columns; a wider one is cut."""
    width = min(letter.shape[1], _CELL)
    left = (_CELL - width) // 2
    field = np.zeros((_CAPITAL, _CELL))
    field[:, left : left + width] = letter[:, :width]
    return field


def _draw_template(font: Any, letter: str) -> Floats:
    """One letter of the font as a field: capital height fills it, as in a row of text."""
    top, bottom = font.getbbox("H", anchor="ls")[1], 0
    left, _, right, _ = font.getbbox(letter, anchor="ls", stroke_width=2)
    picture = Image.new("L", (right - left + 4, bottom - top + 4), 0)
    draw = ImageDraw.Draw(picture)
    draw.text((2 - left, 2 - top), letter, 255, font, anchor="ls", stroke_width=2)
    width = max(round(picture.width * _CAPITAL / picture.height), 1)
    small = picture.resize((width, _CAPITAL), Image.Resampling.BOX)
    field = np.asarray(small, dtype=np.float64) / 255
    columns = np.flatnonzero(field.max(axis=0) > 0.3)
    return _centred(field[:, columns[0] : columns[-1] + 1])


def _blurred(cell: Floats, radius: float) -> Floats:
    picture = Image.fromarray((cell * 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float64) / 255


def _normalised(cell: Floats) -> Floats:
    """The cell as a vector of mean 0 and length 1; the product of two is their correlation."""
    flat = cell.ravel() - cell.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-9))
