"""Reads `warm_start: [OTHER_STUDY, ...]`: what other studies of the ledger found, as this space can say it.

Nothing is hidden in it: a config that is taken over becomes a trial of this study, trained anew, whose origin is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.mistake import did_you_mean
from orchestrator.plain_data import config_key
from orchestrator.space.config_field import defaults_of
from orchestrator.space.membership import LIMIT, NotInSpace, as_config_of
from orchestrator.space.search_space import SearchSpace
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Objective, State, Trial
from trainables import Trainable

OFFERED = 3  # configs of others that are tried first: enough to start well, too few to repeat their search


@dataclass(frozen=True)
class WarmStart:
    """Holds trials of other studies with a value, as this space says their configs; origin tells which they are.

    offered: of those the ones to try first. news: a line for each study that was looked at.
    """

    others: tuple[Trial, ...] = ()
    offered: tuple[Trial, ...] = ()
    news: tuple[str, ...] = ()


COLD = WarmStart()


def warm_start(home: Home, spec: StudySpec, trainable: Trainable, file: str) -> WarmStart:
    """Returns what the studies that the file names have for this one. Raises InputMistake; creates nothing."""
    if not spec.warm_start:
        return COLD
    rows: dict[str, StudyRow] = {}
    trials: dict[str, list[Trial]] = {}
    if home.has_ledger:
        ledger = Ledger(home.ledger)
        rows = {row.name: row for row in ledger.studies()}
        trials = {name: ledger.trials(rows[name].id) for name in spec.warm_start if name in rows}
        ledger.close()
    mistakes = complaints(spec, rows)
    if mistakes:
        raise InputMistake(*(f"{file or spec.study}: {mistake}" for mistake in mistakes))
    found, news = [], []
    for name in spec.warm_start:
        own = rows[name].raw.get("trainable") == spec.trainable
        usable, reasons = usable_trials(
            name, trials[name], spec.space, spec.objective.objective, _defaults(trainable, own)
        )
        found.append(usable)
        news.append(_said(name, len(trials[name]), len(usable), reasons))
    others = tuple(trial for group in found for trial in group)
    return WarmStart(others, tuple(offers(found, spec.objective.objective)), tuple(news))


def complaints(spec: StudySpec, rows: Mapping[str, StudyRow]) -> list[str]:
    """Returns what is wrong with the studies that the file names: `PATH: what must hold, but got X; what to do`."""
    found = []
    objective = spec.objective.objective
    for index, name in enumerate(spec.warm_start):
        if name not in rows:
            known = [other for other in rows if other != spec.study]
            advice = did_you_mean(name, known) or "; see `tune list`"
            found.append(f"warm_start[{index}]: must be a study of this ledger, but there is no {name!r}{advice}")
        elif rows[name].objective != objective:
            other = rows[name].objective
            found.append(
                f"warm_start[{index}]: must have the objective of this study, {objective.metric} {objective.mode}, "
                f"but {name!r} has {other.metric} {other.mode}; leave it out"
            )
    return found


def usable_trials(
    name: str, trials: Sequence[Trial], space: SearchSpace, objective: Objective, defaults: Mapping[str, Any]
) -> tuple[list[Trial], Counter[str]]:
    """Returns the trials of study `name` that have a value and a config of `space`, and why the others have none.

    How many epochs they ran does not matter where `space` gives all trials one number of them.
    """
    usable: list[Trial] = []
    reasons: Counter[str] = Counter()
    limit = {LIMIT: space.fixed[LIMIT]} if LIMIT in space.fixed else {}
    for trial in trials:
        if trial.state is State.FAILED or not trial.counts or trial.value(objective) is None:
            reasons["failed, left out or without a value"] += 1
            continue
        given = trial.config | limit if LIMIT in space.parameters else without(trial.config, LIMIT)
        try:
            config = as_config_of(space, given, defaults)
        except NotInSpace as outside:
            reasons[str(outside)] += 1
            continue
        usable.append(replace(trial, config=config, origin=f"{name}/{trial.number}"))
    return usable, reasons


def offers(groups: Sequence[Sequence[Trial]], objective: Objective) -> list[Trial]:
    """Yields the best of each study in turn, then the second best of each: values of different data do not compare."""
    ranked = [
        sorted(group, key=lambda trial: (-objective.worst_first(trial.value(objective) or 0.0), trial.number))
        for group in groups
    ]
    found: dict[str, Trial] = {}
    for trial in (trial for turn in zip_longest(*ranked) for trial in turn if trial is not None):
        found.setdefault(config_key(trial.config), trial)
    return list(found.values())[:OFFERED]


def without(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != name}


def _defaults(trainable: Trainable, own: bool) -> dict[str, Any]:
    """Returns what a name stood for that the other study did not give: known where it trained the same."""
    return defaults_of(trainable) if own else {}


def _said(name: str, count: int, usable: int, reasons: Counter[str]) -> str:
    said = f"warm start: {usable} of {count} trials of {name} lie in this space"
    if usable < count:
        reason, times = reasons.most_common(1)[0]
        said += f"; of the others {times}: {reason}" if times < count - usable else f"; the others: {reason}"
    return said
