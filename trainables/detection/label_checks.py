"""Checks labelled pages before training: counts, images, polygons, leaks between splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely

from trainables.data.image_file import ImageFile
from trainables.data.label_checks import Look, Twins, look_at, name_first, unreadable
from trainables.detection.dataset import Split
from trainables.detection.page import Float, Page, letterbox_scale
from trainables.detection.targets import shrink_polygon
from trainables.trainable import Finding

Splits = Mapping[Split, Sequence[Page]]

DECODED = 400  # pages whose image is decoded; of the others the head is read
OUTSIDE_SHARE = 0.25  # of a polygon's area; less beyond the page is usual in labels drawn by hand, more is a mistake
VANISHED_SHARE = 0.02  # of the polygons; where more are too small to be learnt, the resolution should be higher
BROKEN_SHARE = 0.1  # of the polygons; where more fall apart, pieces are found as texts of their own
IGNORED_SHARE = 0.5  # of the texts of a split; where more are ignored, `ignore` may be inverted


def check_labels(splits: Splits) -> list[Finding]:
    """Checks counts, polygons and leaks of the pages of each split, and whether their images can be read."""
    looks = look_at(splits, DECODED, _check_head)
    return [_count(splits), _check_images(splits, looks), _check_polygons(splits), _check_splits(looks)]


def check_shrinking(pages: Sequence[Page], resolution: int, ratio: float) -> Finding:
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
        problems.append(f"{vanished / len(counts):.0%} of the texts are too small to be learnt; raise `resolution`")
    if broken > BROKEN_SHARE * len(counts):
        problems.append(
            f"{broken / len(counts):.0%} of the texts are learnt in pieces; raise `shrink_ratio` above {ratio:g}"
        )
    return Finding("shrunk labels", detail, "; ".join(problems) or None)


def _count(splits: Splits) -> Finding:
    """Counts pages and texts; names a split without text to find, or with too much of it ignored."""
    texts = {name: sum(len(page.polygons) for page in pages) for name, pages in splits.items()}
    ignored = {name: sum(int(page.ignore.sum()) for page in pages) for name, pages in splits.items()}
    detail = "; ".join(
        f"{name}: {len(pages)} pages, {texts[name]} texts" + (f" ({ignored[name]} ignored)" if ignored[name] else "")
        for name, pages in splits.items()
    )
    problems = []
    for name, pages in splits.items():
        if pages and texts[name] == ignored[name]:
            problems.append(f"{name} has no text to find; label some, or take `ignore` off")
        elif ignored[name] > IGNORED_SHARE * texts[name]:
            problems.append(
                f"{ignored[name] / texts[name]:.0%} of the texts of {name} are ignored; is `ignore` inverted?"
            )
    return Finding("labels", detail, "; ".join(problems) or None)


def _check_images(splits: Splits, looks: Sequence[Look[Page]]) -> Finding:
    """Names the images that cannot be read."""
    sizes = np.array([page.size for pages in splits.values() for page in pages])
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    decoded = sum(look.size is not None for look in looks)
    detail = f"{decoded} of {len(looks)} decoded, {low[0]} x {low[1]} to {high[0]} x {high[1]} px"
    return Finding("images", detail, name_first(unreadable(looks)) or None)


def _check_head(page: Page) -> None:
    """Looks at the head of the page's file. Raises BadImage."""
    if isinstance(page.source, ImageFile):
        page.source.check()


def _check_polygons(splits: Splits) -> Finding:
    """Names the polygons without area, and those that lie outside of their page."""
    problems, count, crossing = [], 0, 0
    for page in (page for pages in splits.values() for page in pages):
        frame = shapely.box(0, 0, *page.size)
        areas = [shapely.Polygon(polygon) for polygon in page.polygons]
        for index, area in enumerate(areas):
            count += 1
            where = f"{page.name}, instance {index}"
            crossing += not area.is_valid
            whole = area if area.is_valid else area.convex_hull
            if whole.area < 1:
                problems.append(f"{where}: has an area of {whole.area:.2f} px; remove it or draw it again")
                continue
            outside = 1 - whole.intersection(frame).area / whole.area
            if outside > OUTSIDE_SHARE:
                problems.append(
                    f"{where}: {outside:.0%} of it lies outside of the page of {page.size[0]} x {page.size[1]} px; "
                    "were the points made for an image of another size?"
                )
    crossed = f", {crossing} cross themselves" if crossing else ""
    return Finding(
        "polygons",
        f"{count} polygons, each with area and inside its page{crossed}"
        if not problems
        else f"{count} polygons, {len(problems)} of them wrong{crossed}",
        name_first(problems) or None,
    )


def _count_pieces(polygon: Float, ratio: float) -> int:
    """Returns how many polygons of a pixel or more are left of it when it is shrunk."""
    return sum(shapely.Polygon(piece).area >= 1 for piece in shrink_polygon(polygon, ratio))


def _check_splits(looks: Sequence[Look[Page]]) -> Finding:
    """Names the pages that stand in several splits."""
    twins = Twins.among(looks)
    return Finding("splits", twins.detail, twins.problem)
