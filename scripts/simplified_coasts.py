"""Coasts with fewer corners, for `natural_earth.py`; borders between countries stay as they are.

A coast is cut into pieces of some corners. A piece loses the corners that lie nearer than
`COAST_TOLERANCE_KM` to what is left of it (Douglas and Peucker's way). Where it would then cross
another line or take in a corner of one, it gets half the tolerance, and in the end keeps all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

COAST_TOLERANCE_KM = 1.5
_LEAST_TOLERANCE_KM = 0.1
"""A piece that would need less keeps all corners."""
_CORNERS_A_PIECE = 48
_KM_A_DEGREE = 111.2


class Piece:
    """Some corners of an arc, and how many km a corner that is left out may lie off the rest."""

    def __init__(self, arc: int, corners: Ints, tolerance: float) -> None:
        self.arc, self.corners, self.tolerance = arc, corners, tolerance


def simplified(
    arcs: list[Ints], is_coast: NDArray[np.bool_], scale: tuple[float, float], south: float
) -> list[Ints]:
    """The arcs, of which coasts have lost corners; corners stand on a grid of `scale` degrees."""
    around = round(360 / scale[0])
    pieces = [
        Piece(number, corners, _tolerance(arc, scale, south) if is_coast[number] else 0.0)
        for number, arc in enumerate(arcs)
        for corners in (_pieces(arc) if is_coast[number] else [arc])
    ]
    lines = [_line(piece, scale, south) for piece in pieces]
    all_corners = shapely.points(np.concatenate(arcs))
    corner_tree = shapely.STRtree(all_corners)

    def too_coarse() -> set[int]:
        return (
            _taking_in_corners(pieces, lines, corner_tree)
            | _crossing(pieces, lines)
            | _turned_over(pieces, lines)
        )

    while numbers := too_coarse():
        for number in numbers:
            piece = pieces[number]
            piece.tolerance /= 2
            if piece.tolerance < _LEAST_TOLERANCE_KM:
                piece.tolerance = 0.0
            lines[number] = _line(piece, scale, south)
    joined: list[list[Ints]] = [[] for _ in arcs]
    for piece, line in zip(pieces, lines, strict=True):
        # The last corner of a piece is the first one of the next.
        part = line[1:] if joined[piece.arc] else line
        joined[piece.arc].append(_on_the_map(part, around) if is_coast[piece.arc] else part)
    return [np.concatenate(parts) for parts in joined]


def _pieces(arc: Ints) -> Iterator[Ints]:
    """An arc in pieces; a ring in two at least, from its first corner to the farthest and back."""
    count = max(1, round(len(arc) / _CORNERS_A_PIECE))
    ends = np.linspace(0, len(arc) - 1, count + 1).astype(int)
    if count == 1 and (arc[0] == arc[-1]).all():
        ends = np.array([0, int(((arc - arc[0]) ** 2).sum(axis=1).argmax()), len(arc) - 1])
    for start, end in itertools.pairwise(ends.tolist()):
        yield arc[start : end + 1]


def unwound(arc: Ints, around: int) -> Ints:
    """An arc that goes on beyond the map's end where it crosses the antimeridian."""
    steps = np.diff(arc[:, 0], prepend=arc[0, 0])
    turns: Ints = np.cumsum(steps < -around / 2) - np.cumsum(steps > around / 2)
    return np.stack([arc[:, 0] + around * turns, arc[:, 1]], axis=1)


def without_spikes(arc: Ints) -> Ints:
    """An arc without parts that go forth and back on the same way, and without loops.

    Of a ring the larger part stays, of another arc both ends.
    """
    is_ring = bool((arc[0] == arc[-1]).all())
    arc = _without_ways_back(arc, is_ring=is_ring)
    while len(arc) > 3 and not shapely.LineString(arc).is_simple:
        start, end, meeting = _smallest_loop(arc, is_ring=is_ring)
        loop = np.concatenate([arc[start + 1 : end + 1], meeting, arc[start + 1 : start + 2]])
        rest = np.concatenate([arc[: start + 1], meeting, arc[end + 1 :]])
        larger = is_ring and abs(twice_the_area(loop)) > abs(twice_the_area(rest))
        arc = _without_ways_back(loop if larger else rest, is_ring=is_ring)
    return arc


def twice_the_area(ring: Ints) -> int:
    """Twice the area of a ring; negative where it goes round clockwise."""
    (x, y), (next_x, next_y) = ring.T, np.roll(ring, -1, axis=0).T
    return int((x * next_y - next_x * y).sum())


def _without_ways_back(arc: Ints, *, is_ring: bool) -> Ints:
    corners: list[list[int]] = []
    for corner in arc.tolist():
        if corners and corner == corners[-1]:
            continue
        corners.append(corner)
        while len(corners) > 2 and _is_back(*corners[-3:]):
            del corners[-2]
            if corners[-1] == corners[-2]:
                del corners[-1]
    while is_ring and len(corners) > 3 and _is_back(corners[-2], corners[0], corners[1]):
        corners = corners[1:-1] if corners[1] == corners[-2] else [*corners[1:-1], corners[1]]
    return np.array(corners)


def _smallest_loop(arc: Ints, *, is_ring: bool) -> tuple[int, int, Ints]:
    """The two of its edges that touch, but are no neighbours, with the fewest corners between.

    And where they do, if that is a place on the grid.
    """
    edges = shapely.linestrings(np.stack([arc[:-1], arc[1:]], axis=1))
    one, other = shapely.STRtree(edges).query(edges, predicate="intersects")
    apart = other - one > 1
    if is_ring:
        apart &= other - one < len(edges) - 1
    one, other = one[apart], other[apart]
    smallest = int((other - one).argmin())
    start, end = int(one[smallest]), int(other[smallest])
    meeting = shapely.get_coordinates(shapely.intersection(edges[start], edges[end]))[:1]
    on_the_grid = meeting.astype(np.int64)
    return start, end, on_the_grid if (on_the_grid == meeting).all() else on_the_grid[:0]


def _is_back(first: list[int], second: list[int], third: list[int]) -> bool:
    (x, y), (x2, y2), (x3, y3) = first, second, third
    turn = (x2 - x) * (y3 - y2) - (y2 - y) * (x3 - x2)
    return turn == 0 and (x2 - x) * (x3 - x2) + (y2 - y) * (y3 - y2) < 0


def _on_the_map(corners: Ints, around: int) -> Ints:
    return np.stack([corners[:, 0] % around, corners[:, 1]], axis=1)


def _tolerance(arc: Ints, scale: tuple[float, float], south: float) -> float:
    """Less than `COAST_TOLERANCE_KM` for a small island, of which too little would be left."""
    return float(min(COAST_TOLERANCE_KM, np.ptp(_in_km(arc, scale, south), axis=0).max() / 20))


def _in_km(corners: Ints, scale: tuple[float, float], south: float) -> Floats:
    """Corners on a plane, near enough."""
    lat = np.radians(corners[:, 1].mean() * scale[1] + south)
    return np.asarray(corners * (np.array(scale) * _KM_A_DEGREE * [np.cos(lat), 1.0]))


def _line(piece: Piece, scale: tuple[float, float], south: float) -> Ints:
    corners = piece.corners
    if not piece.tolerance or len(corners) < 3:
        return corners
    in_km = _in_km(corners, scale, south)
    # At the antimeridian the parts of an island have to meet.
    stays = corners[:, 0] % round(360 / scale[0]) == 0
    stays[[0, -1]] = True
    spans = list(itertools.pairwise(np.flatnonzero(stays).tolist()))
    while spans:
        start, end = spans.pop()
        if end - start < 2:
            continue
        kms = _kms_off(in_km[start + 1 : end], in_km[start], in_km[end])
        farthest = int(kms.argmax())
        if kms[farthest] > piece.tolerance:
            middle = start + 1 + farthest
            stays[middle] = True
            spans += [(start, middle), (middle, end)]
    return np.asarray(corners[stays])


def _kms_off(points: Floats, start: Floats, end: Floats) -> Floats:
    """Distances of points to the line between two others."""
    along = end - start
    length = along @ along
    share = np.clip((points - start) @ along / length, 0, 1) if length else np.zeros(len(points))
    off = points - start - share[:, None] * along
    return np.asarray(np.hypot(off[:, 0], off[:, 1]))


def _taking_in_corners(pieces: list[Piece], lines: list[Ints], tree: shapely.STRtree) -> set[int]:
    """The pieces between whose corners and whose line a corner of another one lies."""
    changed = [
        number
        for number, (piece, line) in enumerate(zip(pieces, lines, strict=True))
        if len(line) < len(piece.corners)
    ]
    if not changed:
        return set()
    between = [
        shapely.Polygon(np.concatenate([pieces[number].corners, lines[number][::-1]]))
        for number in changed
    ]
    found, _ = tree.query(between, predicate="contains_properly")
    return {changed[polygon] for polygon in np.unique(found).tolist()}


def _crossing(pieces: list[Piece], lines: list[Ints]) -> set[int]:
    """The simplified pieces that touch another line, or themselves, elsewhere than at an end."""
    piece_of = np.repeat(np.arange(len(lines)), [len(line) - 1 for line in lines])
    starts = np.concatenate([line[:-1] for line in lines])
    ends = np.concatenate([line[1:] for line in lines])
    segments = shapely.linestrings(np.stack([starts, ends], axis=1))
    one, other = shapely.STRtree(segments).query(segments, predicate="intersects")
    one, other = one[one < other], other[one < other]
    open_to_change = np.array([piece.tolerance > 0 for piece in pieces])
    matters = open_to_change[piece_of[one]] | open_to_change[piece_of[other]]
    one, other = one[matters], other[matters]
    wrong = np.ones(len(one), dtype=bool)
    for mine, my_far in ((starts, ends), (ends, starts)):
        for theirs, their_far in ((starts, ends), (ends, starts)):
            together = (mine[one] == theirs[other]).all(axis=1)
            my_way, their_way = my_far[one] - mine[one], their_far[other] - theirs[other]
            turn = my_way[:, 0] * their_way[:, 1] - my_way[:, 1] * their_way[:, 0]
            back = (turn == 0) & ((my_way * their_way).sum(axis=1) > 0)
            wrong &= ~together | back
    coarse = np.concatenate([piece_of[one[wrong]], piece_of[other[wrong]]])
    return {number for number in coarse.tolist() if pieces[number].tolerance > 0}


def _turned_over(pieces: list[Piece], lines: list[Ints]) -> set[int]:
    """The simplified pieces of rings that go round the other way than before."""
    turned: set[int] = set()
    for _, group in itertools.groupby(range(len(pieces)), key=lambda number: pieces[number].arc):
        numbers = list(group)
        before = np.concatenate([pieces[number].corners for number in numbers])
        if (before[0] == before[-1]).all():
            after = np.concatenate([lines[number] for number in numbers])
            if (twice_the_area(before) > 0) != (twice_the_area(after) > 0):
                turned.update(number for number in numbers if pieces[number].tolerance > 0)
    return turned
