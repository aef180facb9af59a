"""Mistakes in a file of the user's: where, what must hold, what came, what to do; collected, then raised at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_SHOWN = 80  # characters of a value that an error repeats


@dataclass(frozen=True, slots=True)
class Mistake:
    """Holds one mistake: what must hold, but got X; what to do.

    path: "space.lr", "line 3", or "" for the whole file.
    key: the key below `path` that the mistake is about, where the message names it: it tells which file wrote it.
    """

    path: str
    message: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Mistakes:
    """Collects mistakes, each once, in the order they are found."""

    def __init__(self) -> None:
        self._found: dict[Mistake, None] = {}

    def add(self, path: str, message: str, key: str = "") -> None:
        self._found[Mistake(path, message, key)] = None

    def extend(self, mistakes: Iterable[Mistake]) -> None:
        self._found.update(dict.fromkeys(mistakes))

    def __iter__(self) -> Iterator[Mistake]:
        return iter(list(self._found))

    def __len__(self) -> int:
        return len(self._found)


def join(parent: str, child: str) -> str:
    """Joins paths: `space` and `lr` give `space.lr`; `baselines` and `[0].lr` give `baselines[0].lr`."""
    if not parent or not child:
        return parent or child
    return parent + child if child.startswith("[") else f"{parent}.{child}"


# What others call a name that a study file knows, and how it is called here.
_OTHER_NAMES = {
    "learning_rate": "lr",
    "lr0": "lr",
    "eta0": "lr",
    "bs": "batch_size",
    "batch": "batch_size",
    "batchsize": "batch_size",
    "train_batch_size": "batch_size",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "l2_reg": "weight_decay",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "max_epochs": "epochs",
    "max_t": "epochs",
    "iterations": "epochs",
    "optim": "optimizer",
    "opt": "optimizer",
    "optimiser": "optimizer",
    "imgsz": "resolution",
    "img_size": "resolution",
    "image_size": "resolution",
    "input_size": "resolution",
    "warmup": "warmup_epochs",
    "scheduler": "lr_schedule",
    "lr_scheduler": "lr_schedule",
    "arch": "backbone",
    "architecture": "backbone",
    "encoder": "backbone",
    "model": "backbone",
    "network": "backbone",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that has the meaning of `name` elsewhere, else the one it may be a slip of, or None."""
    by_fold = {candidate.casefold(): candidate for candidate in known}
    folded = name.casefold()[:_SHOWN]
    if _OTHER_NAMES.get(folded.replace("-", "_")) in by_fold:
        return by_fold[_OTHER_NAMES[folded.replace("-", "_")]]
    close = difflib.get_close_matches(folded, by_fold, n=1, cutoff=0.6)
    if not close and len(folded) >= 3:
        close = [candidate for candidate in by_fold if candidate.startswith(folded)][:1]
    return by_fold[close[0]] if close else None


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Returns `, did you mean `x`?`, or nothing when no known name is near."""
    found = nearest(name, known) if isinstance(name, str) else None
    return "" if found is None else f", did you mean `{found}`?"


def unknown_field(name: str, known: Iterable[str], advice: str | None = None) -> str:
    """Returns `unknown field `hi`, did you mean `high`?`, or the known fields when none is near.

    advice: is given instead.
    """
    if advice is not None:
        return f"unknown field {quoted(name)}; {advice}"
    names = list(known)
    suggestion = did_you_mean(name, names)
    if suggestion or not names:
        return f"unknown field {quoted(name)}{suggestion}"
    listed = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    return f"unknown field {quoted(name)}; known are: {listed}"


def quoted(name: str) -> str:
    """Returns a name between backticks, on one line and not endless."""
    return f"`{one_line(name)}`"


def shown(value: Any) -> str:
    """Returns a value as a message repeats it: as YAML would write it, on one line and not endless."""
    if isinstance(value, str):
        return f"'{one_line(value)}'"
    try:
        return one_line(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):  # an int of more digits than Python prints, or nested without end
        return f"a {type(value).__name__}"


def one_line(text: str, length: int = _SHOWN) -> str:
    """Returns text without line breaks or other unprintable characters, cut to `length`."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= length else clean[: length - 3] + "..."


def duration(seconds: float) -> str:
    """Returns `42 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
