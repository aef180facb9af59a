"""Defines what a trainable is: a generator of metrics, the schema of its config, and a few optional hooks.

Nothing here imports torch, Ray, Optuna or MLflow: a trainable may be written without any of them.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TextIO

from trainables.metric import Metric, read_metrics
from trainables.namesake import hidden, let_in
from trainables.typed_config import build_typed

BUILT_IN = {"detection": "trainables.detection", "recognition": "trainables.recognition"}


class Run(Protocol):
    """Describes what the orchestrator hands to a trainable for one attempt at one trial."""

    data: Mapping[str, Any]  # the `data:` section of the study file; `root` is absolute unless synthetic/...
    device: str  # "cpu" or "cuda"
    seed: int
    checkpoint_dir: Path | None  # the checkpoint to go on from, None at the first start
    watch: tuple[str, str] | None  # the metric that the scheduler decides by and its mode; None without an orchestrator

    @property
    def directory(self) -> Path:
        """Returns a folder of the trial's own, which all its attempts share, for whatever it writes."""

    def save_checkpoint(self, fill: Callable[[Path], None]) -> None:
        """Calls `fill(directory)` on an empty directory; the checkpoint counts once the next report is stored."""

    def tell_step(self, step: int, steps: int | None = None) -> None:
        """Tells whoever watches how far the epoch is: step of steps, from 1. It may be called after every batch."""


@dataclass(frozen=True)
class Finding:
    """Holds one result of a check before training. `problem` is None when all is well.

    A check with several problems yields a finding for each of them. kind: names what is wrong in snake_case, the same
    for every study; None where all is well, and where nothing could be accepted: the check itself could not be made.
    """

    check: str  # "labels", "one batch", ...
    detail: str  # what was seen, with numbers
    problem: str | None = None  # what is wrong and what to do
    pictures: tuple[Path, ...] = ()
    epoch_seconds: float | None = None  # how long an epoch of this config takes here, if that was measured
    kind: str | None = None  # "unreadable_pictures", ...
    note: str | None = None  # what should be known, but stops no start


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[Any, ...] | None = None,
) -> Any:
    """Makes a field of a Config from its default and one line of help.

    low, high: inclusive bounds. above, below: open bounds. choices: all values there are.
    """
    bounds = {"low": low, "high": high, "above": above, "below": below, "choices": choices}
    metadata = {"help": help} | {key: value for key, value in bounds.items() if value is not None}
    if isinstance(default, (list, dict, set)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


class UnknownTrainable(ValueError):
    """Raised where there is no trainable of that name; the message says where it was looked for."""


@dataclass(frozen=True)
class Trainable:
    """Holds a trainable and its hooks, each None where the author gave none.

    train(config, run) yields {metric: number} once an epoch; what it returns as text is the reason of its end.
    Config: a dataclass, the schema of `space`; train then receives an instance of it, else a dict.
    smoke: overrides {"space": {...}, "data": {...}} that need no GPU, no data and no network.
    check(config, data, directory) -> findings before GPU hours, shown as they come; pictures go into `directory`.
    test(config, run) -> {"test/...": number} of the checkpoint in run.checkpoint_dir; {} without a test split.
    examples(config, run, directory) writes PNG pictures of the checkpoint's predictions, and tables as CSV files.
    predict(config, run, files, output) writes what the checkpoint makes of new pictures, in a format that the task
    reads; returns a line for each file that could not be read. `output.encoding` is utf-8-sig where it is for Excel.
    fingerprint(data) -> a short text that changes when the data do.
    yields: {name: "max", "min" or None}, all that `train` may report, so that a misspelt objective is found early.
    """

    name: str
    train: Callable[[Any, Run], Iterator[Mapping[str, float]]]
    Config: type | None = None
    smoke: Mapping[str, Any] | None = None
    check: Callable[[Any, Mapping[str, Any], Path], Iterable[Finding]] | None = None
    test: Callable[[Any, Run], Mapping[str, float]] | None = None
    examples: Callable[[Any, Run, Path], None] | None = None
    predict: Callable[[Any, Run, Sequence[Path], TextIO], list[str]] | None = None
    fingerprint: Callable[[Mapping[str, Any]], str] | None = None
    yields: Mapping[str, Metric] | None = None

    def build_config(self, values: Mapping[str, Any]) -> Any:
        """Returns the config that `train` receives: each value of the type that its field has."""
        return dict(values) if self.Config is None else build_typed(self.Config, values)

    def reports(self, config: Any, run: Run) -> Iterator[Mapping[str, float]]:
        """Begins to train: returns what `train` yields. Raises TypeError where it gives nothing to iterate over."""
        made: Any = self.train(config, run)
        if not isinstance(made, (Mapping, str, bytes)) and hasattr(type(made), "__iter__"):
            return iter(made)
        what = type(made).__name__ if isinstance(made, AsyncIterable) or inspect.iscoroutine(made) else repr(made)
        raise TypeError(
            f"`{self.name}`: train must yield a mapping of metrics once an epoch, but returned {what}; write `yield` "
            "at the end of each epoch"
        )

    def fields(self) -> dict[str, dataclasses.Field[Any]] | None:
        """Returns the fields of Config by name; None where there is no Config."""
        return None if self.Config is None else {f.name: f for f in dataclasses.fields(self.Config)}


def load_trainable(name: str) -> Trainable:
    """Loads `detection`, `package.module` (its `train`) or `package.module:callable`.

    Hooks are attributes of the module in the first two forms, of the callable in the third. Raises UnknownTrainable.
    """
    module_name, _, attribute = BUILT_IN.get(name, name).partition(":")
    module = _import(name, module_name)
    owner: Any = getattr(module, attribute, None) if attribute else module
    train = owner if attribute else getattr(module, "train", None)
    if not callable(train):
        missing = attribute or "train"
        raise UnknownTrainable(
            f"module `{module_name}` ({module.__file__}) must hold a callable `{missing}`, but has none"
        )
    hooks = {
        f.name: getattr(owner, f.name, None) for f in dataclasses.fields(Trainable) if f.name not in ("name", "train")
    }
    if hooks["Config"] is not None and not dataclasses.is_dataclass(hooks["Config"]):
        raise UnknownTrainable(f"`{name}`: its Config must be a dataclass, but is {hooks['Config']!r}")
    hooks["yields"] = read_metrics(hooks["yields"])
    return Trainable(name=name, train=train, **hooks)


def _import(name: str, module_name: str) -> ModuleType:
    """Imports the module. Raises UnknownTrainable for one that is not found, or lacks something that it imports.

    Meanwhile sys.argv is the program's name alone: a module that parses arguments has its own defaults.
    """
    namesakes: list[Path] = []
    if name not in BUILT_IN:
        namesakes = let_in(module_name)
        file = hidden(module_name)
        if file is not None:
            raise UnknownTrainable(
                f"module `{module_name}` is one of nightsweep's own, which hides {file}; rename that file or its folder"
            )
    arguments = sys.argv[1:]
    del sys.argv[1:]
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise UnknownTrainable(f"`{name}` cannot be imported: {error}; install what it needs") from error
        known = ", ".join(sorted(BUILT_IN))
        raise UnknownTrainable(
            f"must be one of {known}, or package.module:callable found from the current folder, "
            f"but no module `{error.name}` was found"
        ) from error
    except ImportError as error:
        if not namesakes:
            raise
        raise UnknownTrainable(
            f"`{name}` cannot be imported: {error}; nightsweep has a package of that name, too, whose modules come "
            f"first: rename {namesakes[0]}"
        ) from error
    finally:
        sys.argv[1:] = arguments
