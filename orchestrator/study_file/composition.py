"""Composes a study file, the files that it extends and `--set` into one mapping; knows where each part was written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import InputMistake
from orchestrator.mistake import Mistake, Mistakes, did_you_mean, join, one_line, quoted, shown
from orchestrator.plain_data import plain
from orchestrator.study_file.yaml_file import parse_yaml, read_yaml


class Sources:
    """Remembers which file, or which `--set`, wrote what stands at a path of the composed study."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._files: dict[str, str] = {}
        self._sets: dict[str, str] = {}

    def note(self, path: str, *, file: str = "", override: str = "") -> None:
        """Remembers that the file, or the `--set`, wrote what stands at `path` and below it."""
        for noted in (self._files, self._sets):
            for older in [known for known in noted if known == path or known.startswith((f"{path}.", f"{path}["))]:
                del noted[older]
        if override:
            self._sets[path] = override
        else:
            self._files[path] = file

    def line(self, mistake: Mistake) -> str:
        """Returns `FILE: PATH: message`; the `--set` that wrote the value stands behind the path."""
        path = join(mistake.path, mistake.key)
        override = _innermost(self._sets, path)
        if override is None and ("." in path or "[" in path or mistake.key):  # A `--set` may have written a part of it.
            override = next(
                (text for known, text in self._sets.items() if known.startswith((f"{path}.", f"{path}["))), None
            )
        file = _innermost(self._files, path) or self._file
        where = " ".join(part for part in (mistake.path, f"(--set {one_line(override)})" if override else "") if part)
        return one_line(f"{file}: {where}: {mistake.message}" if where else f"{file}: {mistake.message}", 2000)


def _innermost(noted: Mapping[str, str], path: str) -> str | None:
    """Returns the note for `path`, else for the nearest path above it that has one."""
    while path:
        if path in noted:
            return noted[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None


def read_study_file(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], Sources]:
    """Returns the mapping in the file with `extends` and overrides applied, and its sources. Raises InputMistake."""
    sources = Sources(str(path))
    mistakes = Mistakes()
    raw = _read_chain(Path(path), sources, ())
    for override in overrides:
        _apply(raw, override, sources, mistakes)
    if mistakes:
        raise InputMistake(*(sources.line(mistake) for mistake in mistakes))
    return raw, sources


def _merge(base: Mapping[str, Any], over: Mapping[str, Any], path: str, sources: Sources, file: str) -> dict[str, Any]:
    """Lays `over` over `base`: mappings merge key by key, all else is replaced, and so is each domain below `space`."""
    merged = dict(base)
    for key, value in over.items():
        here = join(path, key)
        if isinstance(value, dict) and isinstance(merged.get(key), dict) and path != "space":
            merged[key] = _merge(merged[key], value, here, sources, file)
        else:
            merged[key] = value
            sources.note(here, file=file)
    return merged


def _read_chain(path: Path, sources: Sources, below: tuple[Path, ...]) -> dict[str, Any]:
    """Returns the file laid over the file that it extends. below: the files whose `extends` led here."""
    raw = plain(read_yaml(path))
    base: dict[str, Any] = {}
    if "extends" in raw:
        extends = raw.pop("extends")
        if not isinstance(extends, str) or not extends or "\0" in extends:
            raise InputMistake(f"{path}: extends: must be the path of one file, but got {shown(extends)}")
        parent = Path(os.path.normpath(path.parent / extends))
        chain = (*below, path.resolve())
        if parent.resolve() in chain:
            around = " -> ".join(str(file) for file in (*(os.path.relpath(file) for file in chain), parent))
            raise InputMistake(f"{path}: extends: must not lead back to itself, but got {around}; break the cycle")
        if not parent.is_file():
            hint = did_you_mean(parent.name, _names_beside(parent))
            must = "must be a file, relative to this one"
            raise InputMistake(f"{path}: extends: {must}, but there is no {quoted(str(parent))}{hint}")
        base = _read_chain(parent, sources, chain)
    return _merge(base, raw, "", sources, str(path))


def _names_beside(path: Path) -> list[str]:
    """Returns the YAML files in the folder of `path`."""
    try:
        return sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml"))
    except OSError:
        return []


def _apply(raw: dict[str, Any], override: str, sources: Sources, mistakes: Mistakes) -> None:
    """Changes one value of `raw` in place, as `space.lr.low=1e-5` asks."""
    path = f"--set {one_line(override)}"
    key, equals, text = override.partition("=")
    steps = [step.strip() for step in key.split(".")]
    if not equals or not all(steps):
        mistakes.add(path, "must be KEY=VALUE with a dotted KEY, such as --set space.lr=1e-3")
        return
    in_value = Mistakes()
    value = parse_yaml(text, in_value)
    if in_value:
        mistakes.extend(Mistake(path, f"VALUE {mistake.message}") for mistake in in_value)
        return
    if steps == ["extends"]:
        mistakes.add(path, "must change a value, but `extends` chooses files; write it in the file")
        return
    target: Any = raw
    for index, step in enumerate(steps[:-1]):
        if isinstance(target, dict) and target.get(step) is None:
            target[step] = {}
        target = _child(target, step)
        if not isinstance(target, (dict, list)):
            reached = ".".join(steps[: index + 1])
            got = f"{quoted(reached)} is {shown(target)}"
            mistakes.add(path, f"must lead through mappings, but {got}; set {quoted(reached)} itself")
            return
    last = steps[-1]
    if isinstance(target, dict):
        target[last] = plain(value)
    elif _is_index(last, target):
        target[int(last)] = plain(value)
    else:
        mistakes.add(path, f"must name an item of a list of {len(target)}, counted from 0, but got {quoted(last)}")
        return
    sources.note(_dotted(raw, steps), override=override)


def _child(parent: Any, step: str) -> Any:
    """Returns what `step` leads to; text that says so where a list has no such item."""
    if isinstance(parent, dict):
        return parent[step]
    return parent[int(step)] if _is_index(step, parent) else f"a list of {len(parent)} without item {step}"


def _is_index(step: str, items: Sequence[Any]) -> bool:
    return step.isdecimal() and len(step) < 10 and int(step) < len(items)


def _dotted(raw: Any, steps: Sequence[str]) -> str:
    """Returns the steps as messages write a path: `baselines[0].lr`."""
    path = ""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(raw, list) else join(path, step)
        raw = raw[int(step)] if isinstance(raw, list) else raw[step]
    return path
