"""Scores detections by precision, recall and their harmonic mean at IoU 0.5 (ICDAR 2015, task 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

Float = npt.NDArray[np.float32]

IOU = 0.5  # A detection finds a text if their IoU is above this.
COVERED = 0.5  # A detection is left out if more than this share of it lies on an ignored text.


@dataclass(frozen=True)
class Matching:
    """Holds, for one page, which detection found which text (pairs of indices), and what counts at all."""

    pairs: tuple[tuple[int, int], ...]  # (text, detection)
    counted_texts: npt.NDArray[np.bool_]
    counted_detections: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Counts over pages; the sum of the scores of all pages is the score of a split."""

    matched: int = 0
    texts: int = 0
    detections: int = 0

    def __add__(self, other: Score) -> Score:
        """Adds up the counts."""
        return Score(self.matched + other.matched, self.texts + other.texts, self.detections + other.detections)

    @property
    def precision(self) -> float:
        """Returns the share of the detections that found a text."""
        return self.matched / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        """Returns the share of the texts that were found."""
        return self.matched / self.texts if self.texts else 0.0

    @property
    def hmean(self) -> float:
        """Returns the harmonic mean of precision and recall."""
        total = self.texts + self.detections
        return 2 * self.matched / total if total else 0.0

    def metrics(self, split: str) -> dict[str, float]:
        """Returns the three scores, named with their split."""
        return {f"{split}/hmean": self.hmean, f"{split}/precision": self.precision, f"{split}/recall": self.recall}


def score_page(texts: Sequence[Float], ignore: npt.NDArray[np.bool_], detections: Sequence[Float]) -> Score:
    """Returns the counts of one page; polygons are N x 2."""
    matching = match(texts, ignore, detections)
    return Score(len(matching.pairs), int(matching.counted_texts.sum()), int(matching.counted_detections.sum()))


def sum_scores(scores: Iterable[Score]) -> Score:
    """Adds up the scores of pages."""
    return sum(scores, Score())


def match(texts: Sequence[Float], ignore: npt.NDArray[np.bool_], detections: Sequence[Float]) -> Matching:
    """Pairs texts and detections one to one: as many pairs as possible, and among equals those of greatest IoU."""
    text_areas, found_areas = polygons_of(texts), polygons_of(detections)
    overlap = intersections(text_areas, found_areas)
    text_sizes, found_sizes = shapely.area(text_areas), shapely.area(found_areas)
    union = text_sizes[:, None] + found_sizes[None, :] - overlap
    iou = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    share = np.divide(overlap, found_sizes[None, :], out=np.zeros_like(overlap), where=found_sizes[None, :] > 0)
    counted_texts = ~np.asarray(ignore, bool)
    counted_detections = ~(share[~counted_texts] > COVERED).any(axis=0)
    gain = np.where(iou > IOU, 1 + iou / (1 + len(texts)), 0.0)  # One more pair outweighs any IoU.
    gain *= counted_texts[:, None] * counted_detections[None, :]
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = tuple((int(r), int(c)) for r, c in zip(rows, columns, strict=True) if gain[r, c] > 0)
    return Matching(pairs, counted_texts, counted_detections)


def polygons_of(polygons: Sequence[Float]) -> npt.NDArray[np.object_]:
    """Returns shapely areas; outlines that cross themselves are repaired, those without area are empty."""
    areas = np.array([shapely.Polygon(p) if len(p) >= 3 else shapely.Polygon() for p in polygons], object)
    broken = ~shapely.is_valid(areas)
    areas[broken] = [_repair(area) for area in areas[broken]]
    return areas


def intersections(a: npt.NDArray[np.object_], b: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Returns the areas that polygons share: len(a) x len(b)."""
    shared = np.zeros((len(a), len(b)))
    if len(a) and len(b):
        near_a, near_b = shapely.STRtree(b).query(a, predicate="intersects")
        shared[near_a, near_b] = shapely.area(shapely.intersection(a[near_a], b[near_b]))
    return shared


def _repair(area: shapely.Geometry) -> shapely.Geometry:
    """Returns all that the outline encloses; buffer(0) would drop one half of an eight."""
    parts = shapely.get_parts(shapely.make_valid(area))
    return shapely.union_all([part for part in parts if part.geom_type in ("Polygon", "MultiPolygon")])
