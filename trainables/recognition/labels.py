"""Reads what is written on crops, and names every mistake in it by file and line. No torch here."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trainables.data.conventions import do_not_care, meant_split
from trainables.data.invisible import hidden, strip
from trainables.data.label_mistakes import SHOWN, group_mistakes, raise_mistakes
from trainables.data.picture_folder import PictureFolder
from trainables.data.splits import SPLITS, Split
from trainables.recognition.charset import name_character, normalise
from trainables.recognition.data_section import CropSection, LabelFile
from trainables.recognition.label_table import Mistakes, read_rows


@dataclass(frozen=True)
class Label:
    """Holds what one crop says.

    path: of the crop, from the root, with `/`, as the disk spells it. text: composed (NFC), without blanks at its ends,
    not empty, one line. where: FILE:LINE. given: the text before its ends were cut.
    group: what the crop was cut from or shows (a page, a vehicle), None where the labels do not say.
    """

    path: str
    text: str
    split: Split | None
    group: str | None
    where: str
    given: str = ""

    @property
    def unreadable(self) -> bool:
        """Returns whether the label says that nobody can read the crop: it is neither learnt nor scored."""
        return do_not_care(self.text) is not None


def read_labels(section: CropSection, *, strict: bool = True) -> tuple[Label, ...]:
    """Returns the labels of all files of `section`, in their order.

    A .csv file has a header with the columns `path` and `text`, `split` unless data.labels or data.folds make it
    needless, and `group` or `page` where crops belong together (`group` counts where there are both). Other columns are
    ignored, but `confidence` says that `tune predict` wrote the file, whose apostrophes before formulas are no part of
    a text. Any other file has `path<TAB>text` in each line. Unless `strict`, crops and splits may be missing; crops
    also where data.on_bad leaves out those that cannot be read.
    Raises OSError, and ValueError with a line for each of the first mistakes.
    """
    stamps = tuple(_stamp(file.path) for file in section.labels)
    need_split = strict and section.folds is None
    return _read_labels(section.folder, section.labels, need_split, strict and not section.skips_bad, stamps)


@lru_cache(maxsize=2)  # Each split and the charset ask for the same labels.
def _read_labels(
    root: Path, files: Sequence[LabelFile], need_split: bool, need_crops: bool, stamps: tuple[object, ...]
) -> tuple[Label, ...]:
    """Reads the files; `stamps` only tell the cache whether they have changed."""
    labels: dict[str, Label] = {}  # by path
    mistakes: Mistakes = []
    folder = PictureFolder(root)
    for file in files:
        for where, row in read_rows(file, mistakes):
            label = _label(where, row, file, folder)
            wrong = [*_mistakes(label, row, need_split), *_crop_mistakes(folder, label, need_crops, len(mistakes))]
            twin = labels.setdefault(label.path, label)
            if twin is not label:
                wrong.append(
                    f"`path` must be given once, but {label.path!r} is in {twin.where} too; keep one of the two"
                )
            mistakes += [(where, mistake) for mistake in wrong]
    raise_mistakes(root, group_mistakes(mistakes))
    return tuple(labels.values())


def _label(where: str, row: dict[str, str], file: LabelFile, folder: PictureFolder) -> Label:
    """Builds the label of a row, mistakes and all."""
    given = strip(row.get("split", ""))
    text = normalise(row["text"])
    return Label(
        path=_path(row["path"], file, folder),
        text=strip(text),
        split=file.split or next((name for name in SPLITS if name == given), None),
        group=strip(row.get("group", "")) or strip(row.get("page", "")) or None,
        where=where,
        given=text,
    )


def _path(given: str, file: LabelFile, folder: PictureFolder) -> str:
    """Returns the path of a crop from the root, as the disk spells it; as given where it is not there.

    What is blank or invisible at its ends is cut where only the path without it is there. It starts from the root or,
    as in the tables of `tune predict`, from the folder of the labels.
    """
    if not given.strip():
        return ""
    found: list[str] = []
    for name in dict.fromkeys((given, strip(given))):
        path = folder.relative(name)
        if path is not None and folder.has(path):
            return path
        if path is not None:
            found.append(folder.spelled(path))
            if folder.has(found[-1]):
                return found[-1]
        beside = folder.relative(str(Path(os.path.abspath(file.path)).parent / name))
        if beside is not None and folder.has(beside := folder.spelled(beside)):
            return beside
    return found[0] if found else given


def _mistakes(label: Label, row: dict[str, str], need_split: bool) -> Iterator[str]:
    """Yields what is wrong with the split or the text of a label."""
    given = strip(row.get("split", ""))
    if label.split is None and given:
        yield f"`split` must be train, val or test, but got {given!r}{meant_split(given)}"
    elif label.split is None and need_split:
        yield "`split` must be train, val or test, but is missing; add it, or deal the crops with data.folds"
    if not label.text:
        yield f"`text` must not be empty, but got {label.given!r}; type what the crop says, or remove the line"
    control = next((c for c in label.text if unicodedata.category(c) == "Cc"), None)
    if control is not None:
        yield f"`text` must be one line of text, but holds {name_character(control)}; remove it"


def _crop_mistakes(folder: PictureFolder, label: Label, need_crops: bool, before: int) -> Iterator[str]:
    """Yields what is wrong with the path of a label; suggests one while `before` mistakes are few enough to be read."""
    path = label.path
    if not path or any(unicodedata.category(c) == "Cc" for c in path):
        yield f"`path` must be the path of a crop, but got {path!r}"
        return
    outside = folder.relative(path) is None
    if not outside and not (need_crops and not folder.has(path)):
        return
    if outside and os.path.isfile(path):
        yield (
            f"`path` must lie in {folder.root}, but its crop lies in {os.path.dirname(os.path.abspath(path))}; "
            f"set data.root to that folder, or one above it, and data.labels to {label.where.rpartition(':')[0]}"
        )
        return
    meant = folder.suggest(path) if before < SHOWN else ""
    unseen = next((path[place] for place in hidden(path)), None)
    if meant:
        hint = f"did you mean `{meant}`?"
    elif outside:
        hint = "give it from there"
    elif "\\" in path:
        hint = "write / in place of \\"
    elif unseen is not None:
        hint = f"it holds {name_character(unseen)}, which cannot be seen: remove it"
    else:
        hint = "correct the path, or remove the line"
    if outside:
        yield f"`path` must lie in {folder.root}, but got {path!r}; {hint}"
    else:
        yield f"`path` must be a file in {folder.root}, but {path!r} is not there; {hint}"


def _stamp(file: Path) -> tuple[int, int, int]:
    """Returns what changes when the file does, so that labels are read anew only then."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
