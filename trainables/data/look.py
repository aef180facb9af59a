"""Looks at every labelled picture of a data set: can it be read, how large is it, what are its pixels?

What was seen of a file is remembered on this machine until the file changes: a second look costs milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np

from trainables.data.disk_cache import cache_folder, one_at_a_time, remove_disused, require_own, touch
from trainables.data.image_file import BadImage, Pixels, is_turned
from trainables.data.splits import Split

_THREADS = 8  # A page may take 300 MB while it is decoded.
_KEY_DIGITS = 32


class LabelledPicture(Protocol):
    """Describes a labelled picture as far as a look needs it."""

    @property
    def name(self) -> str:
        """Names the picture in messages."""

    @property
    def file(self) -> Path | None:
        """Returns the file that holds this picture alone; None where it is drawn."""

    def read(self) -> Pixels:
        """Returns height x width x 3, uint8 RGB. Raises BadImage."""

    def identity(self) -> str:
        """Returns a text that changes when the pixels do."""


P = TypeVar("P", bound=LabelledPicture)
Splits = Mapping[Split, Sequence[P]]


@dataclass(frozen=True)
class Seen:
    """Holds what was seen of a picture that can be read.

    width, height: in px, upright. pixels: a digest of the decoded picture, in hex. turned: EXIF turns what is stored.
    """

    width: int
    height: int
    pixels: str
    turned: bool


@dataclass(frozen=True)
class Look(Generic[P]):
    """Holds one look at a labelled picture: what was seen of it, or why it cannot be read; the other one is None."""

    split: Split
    example: P
    seen: Seen | None = None
    mistake: str | None = None


# What was seen of a file, and the identity that the file had then; by its path.
Memory = dict[str, tuple[str, Seen]]


def look_at(splits: Splits[P]) -> list[Look[P]]:
    """Looks at each picture of all splits, in several threads; decodes those that were not seen as they are now.

    What cannot be read is not remembered: a disk that was away for a moment must not condemn a picture.
    """
    examples = [(split, example) for split, found in splits.items() for example in found]
    file = _memory_of([example.file for _, example in examples if example.file is not None])
    memory = {} if file is None else _recall(file)
    with ThreadPoolExecutor(min(_THREADS, len(os.sched_getaffinity(0)))) as threads:
        found = list(threads.map(lambda pair: _look(pair[0], pair[1], memory), examples))
    fresh = {
        path: (identity, look.seen) for look, path, identity in found if look.seen is not None and path is not None
    }
    if file is not None:
        _remember(file, {path: seen for path, seen in fresh.items() if memory.get(path) != seen})
    return [look for look, _, _ in found]


def readable(split: Split, examples: Sequence[P]) -> list[P]:
    """Returns those of the examples whose picture can be read, in their order."""
    return [look.example for look in look_at({split: examples}) if look.mistake is None]


def _look(split: Split, example: P, memory: Memory) -> tuple[Look[P], str | None, str]:
    """Looks at one picture; returns the path of its file, None where it is drawn, and its identity too.

    Whatever reading raises becomes the mistake of this look.
    """
    path = None if example.file is None else str(example.file)
    identity = example.identity()
    known, seen = memory.get(path or "", ("", None))
    if seen is not None and known == identity:
        return Look(split, example, seen), path, identity
    try:
        image = example.read()
        turned = example.file is not None and is_turned(example.file)
    except (BadImage, OSError) as error:
        return Look(split, example, mistake=str(error)), path, identity
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    height, width = image.shape[:2]
    return Look(split, example, Seen(width, height, digest.hexdigest()[:_KEY_DIGITS], turned)), path, identity


def _memory_of(files: Iterable[Path]) -> Path | None:
    """Returns the file that remembers looks at the files of this folder; None without files."""
    folders = {os.path.dirname(os.path.abspath(file)) for file in files}
    if not folders:
        return None
    key = hashlib.sha256(os.path.commonpath(folders).encode(errors="surrogateescape")).hexdigest()[:_KEY_DIGITS]
    return cache_folder() / f"looks-{key}" / "looks.json"


def _recall(file: Path) -> Memory:
    """Returns what `file` remembers; nothing where it is absent or not whole."""
    try:
        return {path: (identity, Seen(*seen)) for path, (identity, seen) in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(file: Path, fresh: Memory) -> None:
    """Adds the fresh looks to `file`. Where it cannot be written the next look is slower, and nothing else changes."""
    with suppress(OSError):
        if fresh:
            require_own(file.parent.parent)
            remove_disused("looks-" + "[0-9a-f]" * _KEY_DIGITS)
            file.parent.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(file.with_name(f".{file.name}.lock")):
                known = {path: (identity, astuple(seen)) for path, (identity, seen) in (_recall(file) | fresh).items()}
                beside = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
                beside.write_text(json.dumps(known), encoding="utf-8")
                beside.replace(file)
        touch(file.parent)
