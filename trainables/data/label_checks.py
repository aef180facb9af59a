"""Checks the labelled pictures of any task: can they be read, and does one stand in two splits?"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from trainables.data.image_file import BadImage, Pixels
from trainables.data.splits import Split

NAMED = 5  # of the mistakes of one kind; the others are counted


class LabelledPicture(Protocol):
    """Describes a labelled picture as far as these checks need it."""

    @property
    def name(self) -> str:
        """Names the picture in messages."""

    @property
    def file(self) -> Path | None:
        """Returns the file that holds this picture alone; None where it is drawn."""

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB. Raises BadImage."""


P = TypeVar("P", bound=LabelledPicture)
Splits = Mapping[Split, Sequence[P]]


@dataclass(frozen=True)
class Look(Generic[P]):
    """Holds what was seen of a labelled picture.

    size: (width, height), and pixels: a digest of the decoded picture; both None where it was not decoded.
    content: a digest of the file; None where no other file has as many bytes, which then cannot be the same.
    mistake: why the picture cannot be read; None where it can.
    """

    split: Split
    example: P
    size: tuple[int, int] | None = None
    pixels: bytes | None = None
    content: bytes | None = None
    mistake: str | None = None


def look_at(splits: Splits[P], most_decoded: int, check_head: Callable[[P], None] | None = None) -> list[Look[P]]:
    """Looks at the pictures of all splits, in several threads.

    Decodes at most `most_decoded`, evenly spread; `check_head`, which raises BadImage, looks at each of the others.
    """
    examples = [(split, example) for split, found in splits.items() for example in found]
    step = max(1, -(-len(examples) // most_decoded))
    with ThreadPoolExecutor() as threads:
        looks = list(
            threads.map(
                lambda place: _look(*examples[place], place % step == 0, check_head),
                range(len(examples)),
            )
        )
        sizes = [_file_size(look) for look in looks]
        recurring = {size for size, count in Counter(sizes).items() if size is not None and count > 1}
        places = [place for place, size in enumerate(sizes) if size in recurring]
        for place, look in zip(places, threads.map(_with_content, [looks[place] for place in places]), strict=True):
            looks[place] = look
    return looks


def unreadable(looks: Sequence[Look[P]]) -> list[str]:
    """Returns why pictures cannot be read, a text for each of them."""
    return [look.mistake for look in looks if look.mistake is not None]


@dataclass(frozen=True)
class Twins(Generic[P]):
    """Holds the groups of looks at the same picture, the leaks between splits among them, and says what they are."""

    groups: Sequence[Sequence[Look[P]]]

    @classmethod
    def among(cls, looks: Sequence[Look[P]]) -> Twins[P]:
        """Compares the pixels of pictures that were decoded, and the files of the others."""
        pixels_of = {look.content: look.pixels for look in looks if look.content and look.pixels}
        alike: dict[bytes, list[Look[P]]] = defaultdict(list)
        for look in looks:
            key = look.pixels or (pixels_of.get(look.content, look.content) if look.content else None)
            if key is not None and look.mistake is None:
                alike[key].append(look)
        return cls([group for group in alike.values() if len(group) > 1])

    @property
    def leaks(self) -> list[Sequence[Look[P]]]:
        """Returns the groups that stand in several splits."""
        return [group for group in self.groups if len({look.split for look in group}) > 1]

    @property
    def detail(self) -> str:
        """Says how many pictures recur, and how many of them in several splits."""
        return f"{len(self.groups)} pictures are there more than once, {len(self.leaks)} of them in several splits"

    @property
    def problem(self) -> str | None:
        """Says which pictures are learnt and scored as well, and what to do; None where there are none."""
        if not self.leaks:
            return None
        named = [" = ".join(f"{look.example.name} ({look.split})" for look in group[:3]) for group in self.leaks]
        return f"the same picture is learnt and scored: {name_first(named)}; keep one of each"


def name_first(mistakes: Sequence[str], between: str = "; ") -> str:
    """Joins the first NAMED mistakes and the number of the others; an empty text where there are none."""
    more = f"{between}and {len(mistakes) - NAMED} more" if len(mistakes) > NAMED else ""
    return between.join(mistakes[:NAMED]) + more


def _look(split: Split, example: P, decode: bool, check_head: Callable[[P], None] | None) -> Look[P]:
    """Decodes the picture or has `check_head` look at it; whatever that raises becomes the mistake of this look."""
    try:
        if not decode:
            if check_head is not None:
                check_head(example)
            return Look(split, example)
        image = example.read()
    except (BadImage, OSError) as error:
        return Look(split, example, mistake=str(error))
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    height, width = image.shape[:2]
    return Look(split, example, (width, height), digest.digest())


def _file_size(look: Look[P]) -> int | None:
    """Returns the bytes of a picture's file; None where it has none or cannot be read."""
    if look.example.file is None or look.mistake is not None:
        return None
    try:
        return look.example.file.stat().st_size
    except OSError:
        return None


def _with_content(look: Look[P]) -> Look[P]:
    """Returns the look with the digest of its file."""
    assert look.example.file is not None
    try:
        return replace(look, content=hashlib.sha256(look.example.file.read_bytes()).digest())
    except OSError as error:
        return replace(look, mistake=str(error))
