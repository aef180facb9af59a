"""Reads what the `data:` sections of all tasks share: their keys and bounds, and every mistake in them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from trainables.data.data_keys import (
    DEALING,
    choice_mistakes,
    fold_mistakes,
    share_mistakes,
    unknown_keys,
    whole_number_mistakes,
)
from trainables.data.picture_folder import on_disk
from trainables.data.splits import Split, held_out


@dataclass(frozen=True)
class DataSection:
    """Says where the examples are and how they are split; each task derives a section with keys of its own.

    root: a folder of the user's, or `drawn_root`, for examples that are drawn.
    hardness: how hard drawn examples are to read, from 0 to 1.
    folds, fold: deal train and val anew into `folds` parts, of which part `fold` (from 0) is val.
    seed: of the drawing and of the dealing.
    on_bad: what becomes of pictures that cannot be read: `stop` names them and trains nothing, `skip` leaves them out.

    The class variables are the task's words for messages, and what belongs to drawn examples alone.
    task: its name, as in "text detection". examples: what is labelled, in the plural, as in "pages".
    wanted: what `root` must be unless it is `drawn_root`, as in "a folder of labelled crops".
    drawn_keys: keys that only drawn examples have, beside hardness; whole numbers, with their inclusive bounds.
    """

    root: str
    hardness: float = 0.5
    folds: int | None = None
    fold: int = 0
    seed: int = 0
    on_bad: str = "stop"

    task: ClassVar[str]
    examples: ClassVar[str]
    wanted: ClassVar[str]
    drawn_root: ClassVar[str]
    drawn_keys: ClassVar[Mapping[str, tuple[int, int]]]

    @property
    def drawn(self) -> bool:
        """Returns True where the examples are drawn, False where they lie in the user's folder."""
        return self.root == self.drawn_root

    @property
    def folder(self) -> Path:
        """Returns the user's folder; there is none where the examples are drawn."""
        return Path(self.root)

    @property
    def skips_bad(self) -> bool:
        """Returns whether examples whose picture cannot be read are left out."""
        return self.on_bad == "skip" and not self.drawn

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Builds the section of the keys in a study file; None counts as absent.

        Raises ValueError, a line for each mistake: `data.KEY: what must hold, but got X; what to do`.
        """
        mistakes = [
            *unknown_keys(data, (*(field.name for field in fields(cls)), "accept")),
            *cls._root_mistakes(data),
            *cls._own_mistakes(data),
            *whole_number_mistakes(data, {**cls.drawn_keys, **DEALING}),
            *share_mistakes(data, ("hardness",)),
            *fold_mistakes(data),
            *choice_mistakes(data, "on_bad", ("stop", "skip")),
        ]
        if mistakes:
            raise ValueError("\n".join(mistakes))
        values = {key: value for key, value in data.items() if value is not None and key != "accept"}
        return cls(**cls._resolved(values | {"root": str(on_disk(Path(values["root"])))}))

    def is_dealt(self, split: Split) -> bool:
        """Returns whether folds decide what belongs to `split`; test is never dealt."""
        return self.folds is not None and split != "test"

    def deal(self, groups: Sequence[str], split: Split) -> list[int]:
        """Returns the places in `groups`, which names the group of each example, that the fold gives to `split`.

        `groups` holds the examples of train and val and those without a split. Raises ValueError where there are fewer
        groups than folds. Call it only where is_dealt says so.
        """
        assert self.folds is not None
        val = held_out(groups, self.folds, self.fold, self.seed)
        return [place for place, group in enumerate(groups) if (group in val) == (split == "val")]

    def require(self, found: Sequence[object], split: Split) -> None:
        """Raises ValueError where nothing was found for a split that must not be empty: only test may be."""
        if not found and split != "test":
            raise ValueError(
                f"data.root: must hold {self.examples} of split {split}, but {self.root} has none; "
                f"add some, or deal the {self.examples} with data.folds"
            )

    def drawing(self, version: int) -> bytes:
        """Returns what determines drawn examples: `version` of the drawing code and the keys that it takes."""
        return repr((version, *(getattr(self, key) for key in self.drawn_keys), self.hardness, self.seed)).encode()

    @classmethod
    def _own_mistakes(cls, data: Mapping[str, Any]) -> list[str]:
        """Returns the mistakes in keys that only this task has, beside `drawn_keys`."""
        return []

    @classmethod
    def _resolved(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Returns the fields of the section for keys without mistakes: paths made absolute, files looked up."""
        return values

    @classmethod
    def _folder_mistake(cls, folder: Path) -> str | None:
        """Returns what is wrong with the user's folder, as the end of a sentence that begins with its path."""
        return None if folder.is_dir() else "is not a folder; correct the path"

    @classmethod
    def _root_mistakes(cls, data: Mapping[str, Any]) -> list[str]:
        """Returns the mistakes in `root`, and in keys that only drawn examples have."""
        root = data.get("root")
        wanted = f"data.root: must be {cls.wanted}, or {cls.drawn_root}"
        if not isinstance(root, (str, Path)) or not str(root):
            return [f"{wanted}, but got {'nothing' if root is None else repr(root)}; give its path"]
        if str(root) == cls.drawn_root:
            return []
        if str(root).startswith("synthetic/"):
            return [f"{wanted}, but got {str(root)!r}; nothing else is drawn for {cls.task}"]
        mistakes = [
            f"data.{key}: is for {cls.drawn_root} alone, but root is {root}; remove it"
            for key in (*cls.drawn_keys, "hardness")
            if key in data
        ]
        if mistake := cls._folder_mistake(on_disk(Path(root))):
            mistakes.append(f"{wanted}, but {Path(root).absolute()} {mistake}")
        return mistakes
