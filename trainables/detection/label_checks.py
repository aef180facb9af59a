"""Checks labelled pages before training: counts, images, polygons, leaks between splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from trainables.data.conventions import DO_NOT_CARE, UNREADABLE, do_not_care
from trainables.data.label_checks import Problem, Twins, findings_of, judge_unreadable, name_first
from trainables.data.look import Look, look_at
from trainables.detection.dataset import Split
from trainables.detection.page import Page
from trainables.detection.polygon_checks import check_polygons
from trainables.trainable import Finding

Splits = Mapping[Split, Sequence[Page]]

IGNORED_SHARE = 0.5  # of the texts of a split; where more are ignored, `ignore` may be inverted


def check_labels(splits: Splits, *, skip: bool = False) -> Iterator[Finding]:
    """Yields findings on counts, polygons and leaks of the pages of each split, and on their images.

    skip: pages whose image cannot be read are left out.
    """
    looks = look_at(splits)
    if skip:
        bad = {look.example for look in looks if look.mistake is not None}
        splits = {split: [page for page in pages if page not in bad] for split, pages in splits.items()}
    yield from _count(splits)
    yield from _check_images(looks, skip)
    yield from check_polygons([page for pages in splits.values() for page in pages])
    twins = Twins.among(looks)
    yield from findings_of("splits", twins.detail, [twins.problem])


def _count(splits: Splits) -> list[Finding]:
    """Counts pages and texts; names a split without text to find, or with too much of it ignored."""
    details, problems = [], []
    for name, pages in splits.items():
        texts = sum(len(page.polygons) for page in pages)
        ignored = sum(int(page.ignore.sum()) for page in pages)
        details.append(f"{name}: {len(pages)} pages, {texts} texts" + _ignored(pages, ignored))
        if pages and texts == ignored:
            told = f"{name} has no text to find; label some, or take `ignore` off"
            problems.append(Problem("no_text", told))
        elif ignored > IGNORED_SHARE * texts:
            told = f"{ignored / texts:.0%} of the texts of {name} are ignored; is `ignore` inverted?"
            problems.append(Problem("mostly_ignored", told))
    learnt = [
        f"{page.name}, instance {index}"
        for pages in splits.values()
        for page in pages
        for index, text in enumerate(page.transcriptions)
        if do_not_care(text) is not None and not page.ignore[index]
    ]
    if learnt:
        problems.append(
            Problem(
                "do_not_care_learnt",
                f"{len(learnt)} texts are transcribed as {UNREADABLE} (do not care), but say `ignore: false`: "
                f"{name_first(learnt)}; take `ignore` off, or set it to true",
            )
        )
    return findings_of("labels", "; ".join(details), problems)


def _ignored(pages: Sequence[Page], ignored: int) -> str:
    """Says how many texts are ignored, and how many of them by what they are transcribed as."""
    if not ignored:
        return ""
    said = [
        mark
        for page in pages
        for text, ignore in zip(page.transcriptions, page.ignore, strict=bool(page.transcriptions))
        if ignore and (mark := do_not_care(text, page=True)) is not None
    ]
    words = " or ".join(word for word in DO_NOT_CARE if word in said)
    return f" ({ignored} ignored" + (f", {len(said)} of them transcribed as {words})" if said else ")")


def _check_images(looks: Sequence[Look[Page]], skip: bool) -> list[Finding]:
    """Names the images that cannot be read, and counts those that are turned."""
    sizes = np.array([look.example.size for look in looks])
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    seen = [look for look in looks if look.seen is not None]
    left_out, unreadable = judge_unreadable(looks, skip=skip)
    details = [f"{len(seen)} of {len(looks)} decoded, {low[0]} x {low[1]} to {high[0]} x {high[1]} px"]
    if left_out:
        details.append(left_out)
    turned = [look.example.name for look in seen if look.seen is not None and look.seen.turned]
    if turned:
        details.append(
            f"{len(turned)} are stored turned (EXIF), see whether their polygons fit: {name_first(turned, ', ')}"
        )
    return findings_of("images", "; ".join(details), [unreadable])
