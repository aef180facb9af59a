"""Reads annotations.json, the labels of a folder of pages, and names every mistake in it by page and instance."""

from __future__ import annotations

import json
import posixpath
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.conventions import do_not_care, meant_split, said_not_to_care
from trainables.data.image_file import ImageFile
from trainables.data.label_mistakes import group_mistakes, raise_mistakes
from trainables.data.picture_folder import PictureFolder
from trainables.data.splits import SPLITS
from trainables.data.text_file import read_utf8
from trainables.detection.data_section import ANNOTATIONS
from trainables.detection.page import Page

_FAR = 1_000_000  # px; no label lies further out, and NaN is not below it either


def read_annotations(folder: Path, *, need_split: bool) -> dict[str | None, list[Page]]:
    """Returns the pages of `folder`/annotations.json by split, in the order of the file; None: without a split.

    The file is a list of {"image", "width", "height", "split", "instances": [{"points", "transcription", "ignore"}]}:
    `image` a path below the folder, `points` three or more [x, y] in pixels; `transcription` and `ignore` are optional,
    and so is `split` unless `need_split`. Without `ignore`, a transcription of ### or * says that the text is to be
    ignored, and so does a key that other tools have for it (DO_NOT_CARE_KEYS). Other keys are left alone. Raises
    ValueError with the first mistakes found.
    """
    file = folder / ANNOTATIONS
    entries = _read_json(file)
    pictures = PictureFolder(folder)
    mistakes = [(f"{file}: {where}", mistake) for where, mistake in _mistakes(entries, need_split, pictures)]
    raise_mistakes(file, group_mistakes(mistakes))
    pages: dict[str | None, list[Page]] = {}
    for entry in entries:
        pages.setdefault(entry.get("split"), []).append(_page(pictures, entry))
    return pages


def _read_json(file: Path) -> list[Any]:
    """Returns the list of pages. Raises ValueError for a file that is no UTF-8, no JSON, no list, or empty."""
    text = read_utf8(file)
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:  # No JSON, or a number of too many digits.
        raise ValueError(f"{file}: must be JSON, but {error}; correct or export it again") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(
            f"{file}: must be a list of one page or more, but got {_kind(entries)}; export the labels again"
        )
    return entries


def _page(pictures: PictureFolder, entry: Mapping[str, Any]) -> Page:
    """Builds the page of an entry without mistakes."""
    size = (entry["width"], entry["height"])
    instances = entry["instances"]
    name = entry["image"]
    if posixpath.isabs(name):
        name = pictures.relative(name)
    return Page(
        name=name,
        polygons=tuple(np.asarray(instance["points"], np.float32) for instance in instances),
        ignore=np.array([_is_ignored(instance) for instance in instances], bool),
        size=size,
        source=ImageFile(pictures.root / pictures.spelled(name), size),
        transcriptions=tuple(instance.get("transcription") or "" for instance in instances),
    )


def _is_ignored(instance: Mapping[str, Any]) -> bool:
    """Returns what `ignore` says; where it says nothing, whether its text or another key means "do not care"."""
    said = instance.get("ignore")
    if said is not None:
        return bool(said)
    marked = do_not_care(instance.get("transcription") or "", page=True)
    return marked is not None or said_not_to_care(instance) is not None


def _mistakes(entries: list[Any], need_split: bool, pictures: PictureFolder) -> Iterator[tuple[str, str]]:
    """Yields the mistakes in all entries: the page that each is in, and what is wrong."""
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            yield f"page {index}", f"must be a mapping, but got {_kind(entry)}"
            continue
        image = entry.get("image")
        where = f"page {index} ({image})"
        if not isinstance(image, str) or not image or any(unicodedata.category(c) in ("Cc", "Cs") for c in image):
            where = f"page {index}"
            yield where, f"`image` must be a path, but got {image!r}"
        elif (path := pictures.relative(image)) is None:
            meant = pictures.suggest(image)
            advice = f"did you mean `{meant}`?" if meant else "give it from there"
            yield where, f"`image` must lie below the folder of annotations.json; {advice}"
        elif path in seen:
            yield where, f"`image` must be listed once, but page {seen[path]} is the same; merge the two"
        else:
            seen[path] = index
        yield from ((f"{where}{place}", mistake) for place, mistake in _page_mistakes(entry, need_split))


def _page_mistakes(entry: Mapping[str, Any], need_split: bool) -> Iterator[tuple[str, str]]:
    """Yields the mistakes in one page: where in it, as the end of a place, and what is wrong."""
    for key in ("width", "height"):
        value = entry.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            yield "", f"`{key}` must be a whole number of pixels, but got {value!r}"
    split = entry.get("split")
    if split is None and need_split:
        yield "", "`split` must be train, val or test, but is missing; add it, or deal the pages with data.folds"
    elif split is not None and split not in SPLITS:
        yield "", f"`split` must be train, val or test, but got {split!r}{meant_split(str(split))}"
    instances = entry.get("instances")
    if not isinstance(instances, list):
        yield "", f"`instances` must be a list (empty for a page without text), but got {_kind(instances)}"
        return
    for index, instance in enumerate(instances):
        mistake = _instance_mistake(instance)
        if mistake:
            yield f", instance {index}", mistake


def _instance_mistake(instance: Any) -> str | None:
    """Returns the first mistake in one text of a page; None where there is none."""
    if not isinstance(instance, dict):
        return f"must be a mapping, but got {_kind(instance)}"
    if not isinstance(instance.get("ignore"), (bool, type(None))):
        return f"`ignore` must be true or false, but got {instance['ignore']!r}"
    if not isinstance(instance.get("transcription"), (str, type(None))):
        return f"`transcription` must be text, but got {_kind(instance['transcription'])}"
    points = instance.get("points")
    if not isinstance(points, list) or len(points) < 3:
        return f"`points` must be three or more [x, y], but got {_kind(points)}"
    for index, point in enumerate(points):
        if not _is_point(point):
            return f"point {index} must be [x, y], two numbers within {_FAR} of 0, but got {point!r}"
    return None


def _is_point(point: Any) -> bool:
    """Returns whether this is [x, y], two finite numbers within _FAR of 0."""
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(c, (int, float)) and not isinstance(c, bool) and -_FAR < c < _FAR for c in point)
    )


def _kind(value: Any) -> str:
    """Describes a wrong value in a few words."""
    if isinstance(value, (list, dict)):
        return f"a {'list' if isinstance(value, list) else 'mapping'} of {len(value)}"
    return "nothing" if value is None else repr(value)[:60]
