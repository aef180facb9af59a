"""Lays out the trials of a study as a table, the best first, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from orchestrator.mistake import duration, short
from orchestrator.trial import Objective, Trial
from tune.fitted_table import GAP, Column, fitted


def best_first(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """Returns the trials by value, then those without one, then those that do not count; equals by number."""

    def key(trial: Trial) -> tuple[bool, bool, float, int]:
        value = trial.value(objective)
        return not trial.counts, value is None, 0.0 if value is None else -objective.worst_first(value), trial.number

    return sorted(trials, key=key)


def trial_table(trials: Sequence[Trial], objective: Objective, room: int) -> Table:
    """Lists trials in their order, at most `room` cells wide.

    Number, state, value and epochs stay whole. Each searched name has a column of its own where there is room for all
    of them; else one column holds the config, as much of it as fits.
    """
    names = searched(trials)
    apart = [*_standing(trials, objective), *_config_columns(trials, names)]
    if sum(column.width for column in apart) + GAP * (len(apart) - 1) <= room:
        return fitted(apart, room)
    configs = [
        ", ".join([*_marks(trial), *(f"{name} {short(trial.config[name])}" for name in names if name in trial.config)])
        for trial in trials
    ]
    return fitted([*_standing(trials, objective), Column("config", configs, yields=True)], room)


def searched(trials: Sequence[Trial]) -> list[str]:
    """Returns the names whose values differ between trials."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.config))
    return [name for name in names if len({repr(trial.config.get(name)) for trial in trials}) > 1]


def _standing(trials: Sequence[Trial], objective: Objective) -> list[Column]:
    """Returns what is said of every trial: `at` is the epoch of its value."""
    reports = [trial.best_report(objective) for trial in trials]
    return [
        Column("trial", [f"{trial.number:04d}" for trial in trials]),
        Column("state", [trial.state.value for trial in trials]),
        Column(objective.metric, ["" if best is None else f"{best.metrics[objective.metric]:.4f}" for best in reports]),
        Column("at", ["" if best is None else str(best.epoch) for best in reports]),
        Column("epochs", [str(trial.epochs) for trial in trials]),
        Column("time", [duration(trial.seconds) for trial in trials], yields=True),
    ]


def _config_columns(trials: Sequence[Trial], names: Sequence[str]) -> list[Column]:
    """Returns a column for each name, before them one for what sets trials apart, where anything does."""
    marks = [", ".join(_marks(trial)) for trial in trials]
    return [
        *([Column("", marks)] if any(marks) else []),
        *(
            Column(name, [short(trial.config[name]) if name in trial.config else "" for trial in trials], yields=True)
            for name in names
        ),
    ]


def _marks(trial: Trial) -> list[str]:
    """Returns the name of a baseline, and whether a trial no longer counts."""
    return [*([trial.baseline] if trial.baseline else []), *(["left out"] if trial.left_out else [])]
