"""Reads a night file: when studies may run, and which; reports every mistake in it at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from annotated_types import Gt, Le
from pydantic import Field

from orchestrator.errors import InputMistake
from orchestrator.mistake import Mistakes, did_you_mean, one_line, shown, unknown_field
from orchestrator.nights.window import DAYS, Day, Window
from orchestrator.plain_data import plain
from orchestrator.secret import addresses_with_secrets
from orchestrator.study_file.sections import Must, S, Section, Text, TimeOfDay, example_of, read_section
from orchestrator.study_file.yaml_file import read_yaml
from orchestrator.time_of_day import parse_time

_MOST = 1000  # times the smallest share: beyond it a number is a slip
_KEYS = ("window", "studies", "notify")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")  # Small letters are refused: a token that was pasted has some.


class WindowSpec(Section):
    """Says when studies may run."""

    start: TimeOfDay = Field(description="The time of day at which a night begins.", examples=["22:00"])
    end: TimeOfDay = Field(
        description="The time of day by which everything is paused; of the next morning where it is not after `start`.",
        examples=["07:00"],
    )
    timezone: Text | None = Field(
        default=None,
        description="The time zone of both, by its name in the IANA list; null: this machine's own.",
        examples=["Asia/Seoul"],
    )
    days: Annotated[list[Day], Field(min_length=1), Must(f"a list of some of {', '.join(DAYS)}")] = Field(
        default=list(DAYS),
        description="The evenings on which a night begins.",
        examples=[["mon", "tue", "wed"]],
    )


class QueuedSpec(Section):
    """Names one study of the queue."""

    file: Text = Field(
        description="Its study file, relative to the night file. All else in it is relative to the folder that `tune` "
        "is started in, as for `tune run`.",
        examples=["search_spaces/plates.yaml"],
    )
    share: Annotated[float, Gt(0), Le(_MOST), Field(allow_inf_nan=False)] = Field(
        default=1.0, description="Its part of each night: one with share 2 has twice the time of one with share 1."
    )


@dataclass(frozen=True)
class Queued:
    """Holds one study of the queue. file: as the night file has it. path: where it lies."""

    file: str
    path: Path
    share: float


@dataclass(frozen=True)
class NightFile:
    """Holds a checked night file. notify: variables of the environment with addresses; None where it does not say."""

    path: Path
    window: Window
    studies: tuple[Queued, ...]
    notify: tuple[str, ...] | None = None


def load_night_file(path: Path) -> NightFile:
    """Returns what the file says. Raises InputMistake with every mistake.

    Whether a study file can be read is seen when the night begins: one that cannot costs only itself.
    """
    raw, mistakes = plain(read_yaml(path)), Mistakes()
    if "trainable" in raw and "studies" not in raw:
        must = "must be a night file, with `window` and `studies`, but is a study file"
        raise InputMistake(f"{path}: {must}; name it under `studies` of a night file")
    for key in raw:
        if key not in _KEYS:
            mistakes.add("", unknown_field(key, _KEYS))
    for at, masked in addresses_with_secrets({key: value for key, value in raw.items() if key != "notify"}):
        mistakes.add(at, f"must hold no password; got {masked}")
    window = _window(raw, mistakes)
    studies = _studies(raw, path, mistakes)
    notify = _notify(raw.get("notify"), mistakes)
    if mistakes or window is None:
        raise InputMistake(*(one_line(f"{path}: {mistake}", 2000) for mistake in mistakes))
    return NightFile(path, window, tuple(studies), notify)


def _window(raw: Mapping[str, Any], mistakes: Mistakes) -> Window | None:
    if "window" not in raw:
        if not any(did_you_mean(key, ["window"]) for key in raw):
            mistakes.add("window", 'must be given; add `window: {start: "22:00", end: "07:00", timezone: Asia/Seoul}`')
        return None
    found = _section(WindowSpec, raw["window"], "window", mistakes)
    zone = _zone(raw["window"], mistakes)
    if found is None:
        return None
    start, end = parse_time(found.start), parse_time(found.end)
    if start == end:
        mistakes.add("window.end", f"must differ from `start`, but both are {shown(found.start)}; give it a length")
        return None
    return Window(start, end, zone, frozenset(DAYS.index(day) for day in found.days))


def _zone(window: Any, mistakes: Mistakes) -> tzinfo | None:
    """Returns the time zone; None for this machine's own, and where it cannot be one."""
    name = window.get("timezone") if isinstance(window, Mapping) else None
    if not isinstance(name, str) or not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, or a path, or a folder of zones such as America
        known = sorted(available_timezones())
        hint = did_you_mean(name, known) if known else "; this machine knows none: install the package tzdata"
        must = "must be the name of a time zone, such as Asia/Seoul or UTC, or null for this machine's own"
        mistakes.add("window.timezone", f"{must}, but got {shown(name)}{hint}")
        return None


def _studies(raw: Mapping[str, Any], path: Path, mistakes: Mistakes) -> list[Queued]:
    given = raw.get("studies")
    if not isinstance(given, list) or not given:
        if "studies" in raw or not any(did_you_mean(key, ["studies"]) for key in raw):
            got = f", but got {shown(given)}" if "studies" in raw else ""
            mistakes.add("studies", f"must be a list such as [{{file: search_spaces/plates.yaml, share: 1}}]{got}")
        return []
    queue: list[Queued] = []
    places: dict[str, int] = {}
    for number, item in enumerate(given):
        found = _section(QueuedSpec, item, f"studies[{number}]", mistakes)
        if found is None:
            continue
        place = os.path.normpath(path.absolute().parent / Path(found.file).expanduser())
        if place in places:
            other = f"studies[{places[place]}]"
            mistakes.add(f"studies[{number}].file", f"must be another file than that of {other}; remove one of them")
        places[place] = number
        queue.append(Queued(found.file, Path(place), float(found.share)))
    return queue


def _notify(given: Any, mistakes: Mistakes) -> tuple[str, ...] | None:
    """Returns the names of variables; None where the file does not say. What it shows of a mistake is no address."""
    if given is None:
        return None
    if not isinstance(given, list):
        mistakes.add("notify", "must be a list of names of environment variables, such as [NIGHTSWEEP_NOTIFY]")
        return None
    for number, name in enumerate(given):
        if not (isinstance(name, str) and _VARIABLE.fullmatch(name)):
            must = "must be the name of an environment variable, in capital letters, such as NIGHTSWEEP_NOTIFY"
            do = "put an address, which is a secret, into such a variable, and only the name here"
            mistakes.add(f"notify[{number}]", f"{must}; {do} (what stands here is not shown)")
    return tuple(dict.fromkeys(str(name) for name in given))


def _section(model: type[S], raw: Any, path: str, mistakes: Mistakes) -> S | None:
    """Returns the section; None, after adding its mistakes, where it is wrong. What must be given is its example."""
    if isinstance(raw, Mapping):
        return read_section(model, dict(raw), path, mistakes)
    example = ", ".join(f"{name}: {example_of(f)}" for name, f in model.model_fields.items() if f.is_required())
    mistakes.add(path, f"must be a mapping such as {{{example}}}, but got {shown(raw)}")
    return None
