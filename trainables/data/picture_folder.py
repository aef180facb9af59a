"""Finds the pictures that labels name in a folder, however their paths are spelled.

A path in the labels and the name on the disk may be the same text in two Unicode forms: a Mac writes Hangul in pieces
(NFD) where most programs write syllables (NFC).
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from unicodedata import normalize

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def on_disk(path: Path) -> Path:
    """Returns the path as the disk spells it; as given where nothing there has this name in any Unicode form."""
    if str(path).isascii() or os.path.lexists(path) or path.parent == path:
        return path
    parent = on_disk(path.parent)
    return parent / _names(parent).get(normalize("NFC", path.name), path.name)


@dataclass(frozen=True)
class PictureFolder:
    """Holds the folder that the paths of labels start from."""

    root: Path

    def relative(self, path: str) -> str | None:
        """Returns the path from the root, with `/` and without dots; None for one that leads out of the root.

        An absolute path that lies in the root counts as well, also where a link leads there.
        """
        normal = posixpath.normpath(path)
        if posixpath.isabs(normal):
            inside = next((base for base in self._bases if normal.startswith(base)), None)
            if inside is not None:
                return normal[len(inside) :]
            normal = os.path.relpath(os.path.realpath(normal), os.path.realpath(self.root))
        return None if normal.split("/")[0] == ".." or normal == "." or _DRIVE.match(normal) else normal

    def has(self, relative: str) -> bool:
        """Returns whether there is a file of this path from the root, spelled so."""
        return os.path.isfile(f"{self.root}/{relative}")

    def spelled(self, relative: str) -> str:
        """Returns the path from the root as the disk spells it; as given where nothing there has this name.

        Blanks at its ends are cut where only the path without them is there.
        """
        for name in dict.fromkeys((relative, relative.strip())):
            if os.path.lexists(f"{self.root}/{name}"):
                return name
            found = on_disk(self.root / name)
            if os.path.lexists(found):
                return found.relative_to(self.root).as_posix()
        return relative

    def suggest(self, path: str) -> str:
        """Returns a path of this folder that may be meant by one that is not there, "" where none is like it."""
        parts = [part for part in re.split(r"[\\/]", path.strip()) if part not in ("", ".", "..")]
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if os.path.isfile(self.root / tail):
                return tail
            folder = on_disk(self.root / posixpath.dirname(tail))
            wanted = normalize("NFC", parts[-1]).casefold()
            stem = posixpath.splitext(wanted)[0]
            names = _names(folder)
            same = (name for name in sorted(names) if name.casefold() == wanted)
            alike = (name for name in sorted(names) if posixpath.splitext(name.casefold())[0] == stem)
            found = next(same, None) or next(alike, None)
            if found is not None and os.path.isfile(folder / names[found]):
                return (folder / names[found]).relative_to(self.root).as_posix()
        return ""

    @cached_property
    def _bases(self) -> tuple[str, ...]:
        """Returns how absolute paths that lie in the root begin."""
        return tuple({posixpath.join(str(path), "") for path in (self.root.absolute(), self.root.resolve())})


def _names(folder: Path) -> dict[str, str]:
    """Returns the names in a folder by their composed form; nothing where it cannot be read."""
    try:
        return _names_since(folder, folder.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _names_since(folder: Path, changed_ns: int) -> dict[str, str]:
    """Lists the folder; `changed_ns` only tells the cache whether that is due again."""
    return {normalize("NFC", name): name for name in sorted(os.listdir(folder), reverse=True)}
