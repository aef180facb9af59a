"""Checks the polygons of labelled pages: area, place, units, and whether one is there twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from trainables.data.label_checks import Problem, findings_of, name_first
from trainables.detection.page import Float, Page, letterbox_scale
from trainables.detection.targets import shrink_polygon
from trainables.trainable import Finding

OUTSIDE_SHARE = 0.25  # of a polygon's area; less beyond the page is usual in labels drawn by hand, more is a mistake
VANISHED_SHARE = 0.02  # of the polygons; where more are too small to be learnt, the resolution should be higher
BROKEN_SHARE = 0.1  # of the polygons; where more fall apart, pieces are found as texts of their own
SAME_IOU = 0.9  # of two polygons that mark the same text
UNIT = 1.05  # Points that go no further on a page of many pixels are shares of its sides.
PERCENT = 100.5  # the same for points in percent of its sides
FEWEST_PERCENT = 5  # polygons, and a page of 4 times 100 px: fewer say nothing about percent


def check_polygons(pages: Sequence[Page]) -> list[Finding]:
    """Names the polygons without area, outside of their page, twice on it, and points that are no pixels."""
    shares = [page for page in pages if _in_shares(page)]
    skipped = {id(page) for page in shares}
    flat, outside, twins, count, crossing = [], [], [], 0, 0
    for page in pages:
        areas = [shapely.Polygon(polygon) for polygon in page.polygons]
        count += len(areas)
        crossing += sum(not area.is_valid for area in areas)
        if id(page) in skipped:
            continue
        whole = [area if area.is_valid else area.convex_hull for area in areas]
        frame = shapely.box(0, 0, *page.size)
        for index, area in enumerate(whole):
            where = f"{page.name}, instance {index}"
            if area.area < 1:
                flat.append(f"{where}: has an area of {area.area:.2f} px; remove it or draw it again")
                continue
            share = 1 - area.intersection(frame).area / area.area
            if share > OUTSIDE_SHARE:
                outside.append(
                    f"{where}: {share:.0%} of it lies outside of the page of {page.size[0]} x {page.size[1]} px; "
                    "were the points made for an image of another size?"
                )
        twins += [f"{page.name}, instances {a} and {b}" for a, b in same_polygons(page, whole)]
    problems = [
        _shares_problem(shares),
        _percent_problem(pages),
        Problem("flat_polygons", name_first(flat)) if flat else None,
        Problem("polygons_outside", name_first(outside)) if outside else None,
        Problem("same_polygon_twice", _twice(twins)) if twins else None,
    ]
    wrong = len(flat) + len(outside) + len(twins)
    told = f"{count} polygons, " + (f"{wrong} of them wrong" if wrong else "each with area and inside its page")
    return findings_of("polygons", told + (f", {crossing} cross themselves" if crossing else ""), problems)


def same_polygons(page: Page, areas: Sequence[shapely.Polygon]) -> list[tuple[int, int]]:
    """Returns the pairs of polygons of a page that cover the same place, whatever their corners.

    Two that are both ignored do no harm. areas: the polygons of the page, valid.
    """
    boxes = np.array([area.bounds for area in areas]).reshape(-1, 4)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    pairs = []
    for index in range(len(areas)):
        # Where the boxes differ by more than a tenth of a side, so do the polygons.
        room = np.tile(sides[index] * (1 - SAME_IOU) + 1, 2)
        near = np.flatnonzero((np.abs(boxes[index + 1 :] - boxes[index]) <= room).all(axis=1)) + index + 1
        for other in near.tolist():
            if page.ignore[index] and page.ignore[other]:
                continue
            union = areas[index].union(areas[other]).area
            if union > 0 and areas[index].intersection(areas[other]).area >= SAME_IOU * union:
                pairs.append((index, other))
    return pairs


def check_shrinking(pages: Sequence[Page], resolution: int, ratio: float) -> list[Finding]:
    """Counts the texts too small to be learnt at `resolution`, and those that `ratio` shrinks into several pieces."""
    pieces = []
    for page in pages:
        scale = np.float32(letterbox_scale(page.size, resolution))
        for polygon, ignored in zip(page.polygons, page.ignore, strict=True):
            if not ignored:
                pieces.append(_count_pieces(polygon * scale, ratio))
    counts = np.array(pieces)
    vanished, broken = int((counts == 0).sum()), int((counts > 1).sum())
    detail = f"of {len(counts)} texts at {resolution} px, {vanished} vanish when shrunk and {broken} fall apart"
    problems = []
    if vanished > VANISHED_SHARE * len(counts):
        told = f"{vanished / len(counts):.0%} of the texts are too small to be learnt; raise `resolution`"
        problems.append(Problem("texts_too_small", told))
    if broken > BROKEN_SHARE * len(counts):
        told = f"{broken / len(counts):.0%} of the texts are learnt in pieces; raise `shrink_ratio` above {ratio:g}"
        problems.append(Problem("texts_in_pieces", told))
    return findings_of("shrunk labels", detail, problems)


def _in_shares(page: Page) -> bool:
    """Returns whether the points of a page are shares of its sides, from 0 to 1, and not pixels."""
    if not page.polygons or min(page.size) < 10:
        return False
    points = np.concatenate(page.polygons)
    return bool(points.min() >= 1 - UNIT and points.max() <= UNIT)


def _shares_problem(pages: Sequence[Page]) -> Problem | None:
    """Names the pages whose points are shares of their sides."""
    if not pages:
        return None
    named = name_first([f"{page.name} ({page.size[0]} x {page.size[1]} px)" for page in pages])
    return Problem(
        "points_from_0_to_1",
        f"`points` must be pixels, but all those of {len(pages)} pages lie between 0 and 1: {named}; "
        "multiply each x by the page's width and each y by its height",
    )


def _percent_problem(pages: Sequence[Page]) -> Problem | None:
    """Says where all points of all pages look like percent of their sides."""
    polygons = [polygon for page in pages for polygon in page.polygons]
    if len(polygons) < FEWEST_PERCENT or min(min(page.size) for page in pages if page.polygons) < 4 * PERCENT:
        return None
    points = np.concatenate(polygons)
    if points.min() < 0 or points.max() > PERCENT or (points.max(axis=0) < PERCENT / 2).any():
        return None
    return Problem(
        "points_in_percent",
        f"`points` must be pixels, but all {len(points)} of all pages lie between 0 and 100, on pages of "
        f"{pages[0].size[0]} x {pages[0].size[1]} px and the like; multiply x by width / 100, y by height / 100",
    )


def _twice(twins: Sequence[str]) -> str:
    """Says which texts are marked twice, and what that does."""
    return (
        f"{len(twins)} texts are marked twice: {name_first(twins)}; each text must have one polygon, for one of two "
        "can never be found: remove the other"
    )


def _count_pieces(polygon: Float, ratio: float) -> int:
    """Returns how many polygons of a pixel or more are left of it when it is shrunk."""
    return sum(shapely.Polygon(piece).area >= 1 for piece in shrink_polygon(polygon, ratio))
