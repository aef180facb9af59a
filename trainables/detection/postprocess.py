"""Makes text polygons of a probability map: contours, scores, and growing by what the labels were shrunk by."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import shapely

from trainables.detection.config import Config

Float = npt.NDArray[np.float32]

MIN_SIDE = 3.0  # px of the map; narrower polygons are specks
TOLERANCE = 0.25  # px of the map by which a grown outline may be simplified
# Share of its length by which a contour may be simplified before it is grown: without that, one ragged contour that
# fills the map takes ten seconds.
COARSENESS = 0.002


@dataclass(frozen=True)
class Detections:
    """Holds the text found on one page.

    polygons: float32, N x 2 each, where pixel (0, 0) covers 0 to 1. scores: from 0 to 1, one for each polygon.
    """

    polygons: tuple[Float, ...]
    scores: Float


def find_text(probability: Float, config: Config, *, scale: float, size: tuple[int, int]) -> Detections:
    """Returns the polygons of a letterboxed map, H x W, in pixels of the original page of `size` (width, height)."""
    width, height = round(size[0] * scale), round(size[1] * scale)
    found = find_polygons(
        probability[: max(height, 1), : max(width, 1)],
        thresh=config.thresh,
        box_thresh=config.box_thresh,
        unclip_ratio=config.unclip_ratio,
        max_candidates=config.max_candidates,
    )
    edge = np.array(size, np.float32)
    polygons = tuple(np.clip(polygon / np.float32(scale), 0, edge) for polygon in found.polygons)
    return Detections(polygons, found.scores)


def find_polygons(
    probability: Float, *, thresh: float, box_thresh: float, unclip_ratio: float, max_candidates: int
) -> Detections:
    """Returns the polygons of one map, H x W in 0..1, in pixels of the map (Liao et al. 2020, section 3.6).

    Takes the `max_candidates` largest regions above `thresh`, keeps those whose mean probability is at least
    `box_thresh`, and grows each by area * unclip_ratio / perimeter.
    """
    above = (probability > thresh).astype(np.uint8)
    contours, _ = cv2.findContours(above, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted((c[:, 0] for c in contours), key=lambda c: -cv2.contourArea(c) - cv2.arcLength(c, True))
    scored = [(contour, mean_inside(probability, contour)) for contour in largest[:max_candidates]]
    sure = [(contour, score) for contour, score in scored if score >= box_thresh]
    grown = unclip([contour for contour, _ in sure], unclip_ratio)
    kept = [(p, score) for p, (_, score) in zip(grown, sure, strict=True) if len(p) >= 3 and short_side(p) >= MIN_SIDE]
    return Detections(tuple(p for p, _ in kept), np.array([score for _, score in kept], np.float32))


def mean_inside(probability: Float, contour: npt.NDArray[np.int32]) -> float:
    """Returns the mean probability of the pixels in and on a contour of pixel indices, N x 2."""
    x, y, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [contour - (x, y)], 1)
    return float(cv2.mean(probability[y : y + height, x : x + width], inside)[0])


def unclip(contours: list[npt.NDArray[np.int32]], ratio: float) -> list[Float]:
    """Grows contours of pixel indices to polygons, by area * ratio / perimeter (Liao et al. 2020, eq. 11).

    A contour runs through the centres of its pixels: the region it stands for reaches half a pixel further, which
    decides whether a line that was shrunk to one pixel is found at all.
    """
    area = np.array([cv2.contourArea(c) for c in contours])
    length = np.array([cv2.arcLength(c, True) for c in contours])
    area, length = area + length / 2 + np.pi / 4, length + np.pi  # Now of the region half a pixel further out.
    rings = [_ring(cv2.approxPolyDP(c, COARSENESS * cv2.arcLength(c, True), True)[:, 0] + 0.5) for c in contours]
    grown = shapely.buffer(rings, 0.5 + area * ratio / length, quad_segs=4)
    # A ring grows inwards as well; that hole is left out.
    outlines = shapely.simplify(shapely.get_exterior_ring(grown), TOLERANCE)
    return [shapely.get_coordinates(outline)[:-1].astype(np.float32) for outline in outlines]


def short_side(polygon: Float) -> float:
    """Returns the shorter side of the smallest rectangle around a polygon."""
    return min(cv2.minAreaRect(polygon)[1])


def _ring(points: npt.NDArray[np.float64]) -> shapely.Geometry:
    """Returns the closed line through the points; a point where there is one only."""
    return shapely.Point(points[0]) if len(points) == 1 else shapely.LineString([*points, points[0]])
