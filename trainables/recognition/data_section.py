"""Reads the `data:` section of a study of text recognition, and finds the files of labels that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data.conventions import split_meant_by
from trainables.data.data_section import DataSection
from trainables.data.picture_folder import on_disk
from trainables.data.splits import SPLITS, Split

LABELS = "labels.csv"
_FORMS = "a file, or a mapping of train, val and test to a file or a list of files"


@dataclass(frozen=True)
class LabelFile:
    """Names a file of labels, and the split of all of them; None where the file itself says it, or nothing does."""

    path: Path
    split: Split | None = None

    @property
    def is_csv(self) -> bool:
        """Returns whether the file is a table; any other one has a path and a text in each line."""
        return self.path.suffix.lower() == ".csv"


@dataclass(frozen=True)
class CropSection(DataSection):
    """Says where the crops are, what is written on them, and how they are split.

    root: a folder, or `synthetic/plates`, which draws Korean licence plates.
    labels: files with a header `path,text,split[,group or page]` (.csv) or with `path<TAB>text` in each line (any other
        name, as PaddleOCR has them); a relative path is taken from root, and so are those of the crops. A mapping gives
        the split of each file. Without `labels`: labels.csv in root, else its train.txt, val.txt and test.txt.
    charset: a file with a character a line; without it the characters of train are the charset.
    crops: drawn crops of train; val and test get 3 of 10 as many each. hardness: 0 (by day, clean) to 1 (dirt, night).
    For folds, fold and seed see DataSection.
    """

    labels: tuple[LabelFile, ...] = ()
    charset: Path | None = None
    crops: int = 1000

    task = "text recognition"
    examples = "crops"
    wanted = "a folder of labelled crops"
    drawn_root = "synthetic/plates"
    drawn_keys = {"crops": (4, 100_000)}

    @classmethod
    def _own_mistakes(cls, data: Mapping[str, Any]) -> list[str]:
        """Returns the mistakes in `labels` and `charset`."""
        return [*_label_mistakes(data), *_charset_mistakes(data)]

    @classmethod
    def _resolved(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Finds the files of labels and of the charset."""
        root = values["root"]
        if root != cls.drawn_root:
            values["labels"] = _label_files(Path(root), values.get("labels"))
        if "charset" in values:
            values["charset"] = _below(root, values["charset"])
        return values


def _label_mistakes(data: Mapping[str, Any]) -> list[str]:
    """Returns the mistakes in `labels`, and in a root where none are found."""
    root, labels = data.get("root"), data.get("labels")
    if str(root) == CropSection.drawn_root:
        return [] if labels is None else [f"data.labels: drawn plates bring theirs, but got {labels!r}; remove it"]
    if not isinstance(root, (str, Path)) or not on_disk(Path(root)).is_dir():
        return []
    if labels is None:
        folder = on_disk(Path(root))
        found = _label_files(folder, None)
        return _unread_splits(folder, found) if found else [_no_labels(folder)]
    if isinstance(labels, Mapping):
        mistakes = [
            f"data.labels: must name train, val or test, but got {key!r}" for key in labels if key not in SPLITS
        ]
        given = [file for value in labels.values() for file in (value if isinstance(value, list) else [value])]
        if not given:
            mistakes.append("data.labels: must name a file, but is empty; remove it or name the files")
    else:
        mistakes, given = [], [labels]
    for file in given:
        if not isinstance(file, (str, Path)) or not str(file):
            mistakes.append(f"data.labels: must be {_FORMS}, but got {file!r}")
        elif not _below(root, file).is_file():
            mistakes.append(f"data.labels: {_below(root, file).absolute()} is not a file; correct the path")
    return mistakes


def _unread_splits(folder: Path, found: Sequence[LabelFile]) -> list[str]:
    """Returns a line for each file whose name says in another word which split it is, where that split has no file."""
    splits = [file.split for file in found]
    other = [file for file in sorted(folder.glob("*.txt")) if None not in splits and file.stem not in SPLITS]
    return [
        f"data.labels: must name the files of labels, for {file.name} would not be read; "
        f"write labels: {{{', '.join(f'{split}: {split}.txt' for split in splits)}, {meant}: {file.name}}}"
        for file in other
        if (meant := split_meant_by(file.stem)) is not None and meant not in splits
    ]


def _no_labels(folder: Path) -> str:
    """Says that the folder has no labels, and which of its files might be meant."""
    like = sorted(file.name for file in folder.iterdir() if file.suffix.lower() in (".csv", ".txt", ".tsv"))
    named = f"name the files in data.labels (there: {', '.join(like[:5])})" if like else "name them in data.labels"
    return (
        f"data.root: must hold {LABELS}, or train.txt and val.txt, but {folder.absolute()} has none; "
        f"put them there, or {named}"
    )


def _charset_mistakes(data: Mapping[str, Any]) -> list[str]:
    """Returns the mistakes in `charset`."""
    root, charset = data.get("root"), data.get("charset")
    if charset is None or not isinstance(root, (str, Path)):
        return []
    wanted = "data.charset: must be a file with one character a line"
    if not isinstance(charset, (str, Path)) or not str(charset):
        return [f"{wanted}, but got {charset!r}"]
    file = _below(root, charset)
    if str(root) == CropSection.drawn_root and not file.is_absolute():
        return [f"{wanted}, and absolute where plates are drawn, but got {str(charset)!r}; give its whole path"]
    return [] if file.is_file() else [f"{wanted}, but {file.absolute()} is not a file; correct the path"]


def _label_files(root: Path, labels: Any) -> tuple[LabelFile, ...]:
    """Returns the files that hold labels, in the order of the splits."""
    if labels is None:
        if (root / LABELS).is_file():
            return (LabelFile(root / LABELS),)
        return tuple(LabelFile(root / f"{split}.txt", split) for split in SPLITS if (root / f"{split}.txt").is_file())
    if not isinstance(labels, Mapping):
        return (LabelFile(_below(root, labels)),)
    return tuple(
        LabelFile(_below(root, file), split)
        for split in SPLITS
        for file in (labels[split] if isinstance(labels.get(split), list) else [labels.get(split)])
        if file is not None
    )


def _below(root: str | Path, file: str | Path) -> Path:
    """Returns an absolute path as it is, any other one below the folder `root`."""
    return on_disk(Path(root) / Path(file).expanduser())
