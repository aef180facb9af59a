"""From a file, the files it extends and `--set` to one plain mapping, with where each part of it was written."""

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
    """Which file, or which `--set`, wrote what stands at a path of the merged study."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._files: dict[str, str] = {}
        self._sets: dict[str, str] = {}

    def note(self, path: str, *, file: str = "", override: str = "") -> None:
        """What stands at `path`, and all below it, was written there."""
        for noted in (self._files, self._sets):
            for older in [known for known in noted if known == path or known.startswith((f"{path}.", f"{path}["))]:
                del noted[older]
        if override:
            self._sets[path] = override
        else:
            self._files[path] = file

    def line(self, mistake: Mistake) -> str:
        """`FILE: PATH: message`, with the `--set` that wrote it behind the path."""
        path = join(mistake.path, mistake.key)
        override = _innermost(self._sets, path)
        if override is None and ("." in path or "[" in path or mistake.key):  # a part of what is wrong may be set
            override = next(
                (text for known, text in self._sets.items() if known.startswith((f"{path}.", f"{path}["))), None
            )
        file = _innermost(self._files, path) or self._file
        where = " ".join(part for part in (mistake.path, f"(--set {one_line(override)})" if override else "") if part)
        return one_line(f"{file}: {where}: {mistake.message}" if where else f"{file}: {mistake.message}", 2000)


def _innermost(noted: Mapping[str, str], path: str) -> str | None:
    """What is noted for the longest part of `path`, read from its start."""
    while path:
        if path in noted:
            return noted[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None


def read_study_file(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], Sources]:
    """The mapping that `path` describes, `extends` and overrides applied, keys as text. Raises InputMistake."""
    sources = Sources(str(path))
    mistakes = Mistakes()
    raw = _read_chain(Path(path), sources, ())
    for override in overrides:
        _apply(raw, override, sources, mistakes)
    if mistakes:
        raise InputMistake(*(sources.line(mistake) for mistake in mistakes))
    return raw, sources


def _merge(base: Mapping[str, Any], over: Mapping[str, Any], path: str, sources: Sources, file: str) -> dict[str, Any]:
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
    """The file laid over the file that it extends, and so on."""
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
    try:
        return sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml"))
    except OSError:
        return []


def _apply(raw: dict[str, Any], override: str, sources: Sources, mistakes: Mistakes) -> None:
    """`space.lr.low=1e-5`: set one value in place."""
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
    holder: Any = raw
    for index, step in enumerate(steps[:-1]):
        if isinstance(holder, dict) and holder.get(step) is None:
            holder[step] = {}
        holder = _child(holder, step)
        if not isinstance(holder, (dict, list)):
            reached = ".".join(steps[: index + 1])
            got = f"{quoted(reached)} is {shown(holder)}"
            mistakes.add(path, f"must lead through mappings, but {got}; set {quoted(reached)} itself")
            return
    last = steps[-1]
    if isinstance(holder, dict):
        holder[last] = plain(value)
    elif _is_index(last, holder):
        holder[int(last)] = plain(value)
    else:
        mistakes.add(path, f"must name an item of a list of {len(holder)}, counted from 0, but got {quoted(last)}")
        return
    sources.note(_dotted(raw, steps), override=override)


def _child(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder[step]
    return holder[int(step)] if _is_index(step, holder) else f"a list of {len(holder)} without item {step}"


def _is_index(step: str, items: Sequence[Any]) -> bool:
    return step.isdecimal() and len(step) < 10 and int(step) < len(items)


def _dotted(raw: Any, steps: Sequence[str]) -> str:
    """The steps as messages write a path: `baselines[0].lr`."""
    path = ""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(raw, list) else join(path, step)
        raw = raw[int(step)] if isinstance(raw, list) else raw[step]
    return path
