"""Prints what the verbs have to say, in tables and sentences."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.disk import in_gb
from orchestrator.home import Home, trial_directory
from orchestrator.ledger import StudyRow
from orchestrator.machine.doctor import Finding as HealthFinding
from orchestrator.mistake import duration, short
from orchestrator.step import Step
from orchestrator.study.code_change import changes_of, sentence
from orchestrator.trial import Objective, State, Status, Trial
from orchestrator.typed_command import command
from reports.numbers.symptoms import symptoms_of
from trainables import Finding
from tune.endings import endings
from tune.fitted_table import Column, blocks, fitted
from tune.summary import study_summary
from tune.terminal import Terminal
from tune.trial_table import best_first, trial_table

PIPED = 200  # cells


def console() -> Console:
    """Returns standard output as a console. A name in brackets stays a name.

    It is as wide as the terminal, or as COLUMNS says; piped without COLUMNS, as wide as lines get.
    """
    told = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    return Terminal(width=None if told else PIPED, markup=False, emoji=False, highlight=False)


def say(line: str) -> None:
    """Prints a line on standard output, as it is."""
    console().print(line, highlight=False, markup=False, soft_wrap=True)


def show_study(
    row: StudyRow,
    trials: list[Trial],
    home: Home,
    *,
    steps: Sequence[Step] = (),
    gpu_seconds: float = 0.0,
    history: bool = False,
) -> None:
    """Prints how a study stands, what failed, and a table of its trials. history: also every report."""
    summary = study_summary(row, trials, home, steps=steps, gpu_seconds=gpu_seconds)
    objective = row.objective
    reason = f" ({row.reason})" if row.reason else ""
    counts = count(trials, live=row.status == Status.RUNNING)
    say(f"{row.name}: {row.status}{reason}, {counts}, {duration(row.seconds)}")
    best = summary["best"]
    if best is not None:
        say(f"best: {objective.metric} {best['value']:.4f} by trial {best['number']} at epoch {best['epoch']}")
        if best["test"]:
            say("on the test split: " + metrics(best["test"]))
        if best["checkpoint"]:
            say(f"checkpoint: {best['checkpoint']}")
    checkpoints = summary["checkpoints"]
    if checkpoints["problem"]:
        say(f"checkpoints: {checkpoints['problem']}")
    elif checkpoints["count"]:
        say(f"checkpoints kept: {checkpoints['count']}, {in_gb(checkpoints['bytes'])}")
    used = _used(summary["used"], row.raw.get("budget") or {})
    if used:
        say(f"budget used: {used}")
    for change in changes_of(row.facts):
        say(f"code: since {change.moment} {sentence(change)}")
    if summary["failures"]:
        say(f"failures, retries included: {_by_class(summary['failures'])}")
    print_failures(row, trials, home, steps)
    print_symptoms(row, trials)
    for line in endings(trials):
        say(line)
    screen = console()
    if trials:
        screen.print(trial_table(best_first(trials, objective), objective, screen.width))
    for trial in trials:
        for line in _particulars(trial):
            say(f"trial {trial.number} {line}")
    if history:
        for trial in trials:
            say(f"trial {trial.number}")
            _show_reports(trial, row.objective)


def show_trial(row: StudyRow, trial: Trial, home: Home, steps: Sequence[Step] = ()) -> None:
    """Prints all that is known of one trial, and why it could not be scored. steps: the study's."""
    [summary] = study_summary(row, [trial], home)["trials"]
    reason = f": {trial.reason}" if trial.reason else ""
    attempts = "1 attempt" if trial.attempts == 1 else f"{trial.attempts} attempts"
    say(f"trial {trial.number} of {row.name}: {trial.state}{reason}; {attempts}, {duration(trial.seconds)}")
    for name, value in trial.config.items():
        say(f"  {name}: {value}")
    for line in _particulars(trial):
        say(f"it {line}")
    _show_reports(trial, row.objective)
    if summary["symptom"]:
        say(f"its curves say {summary['symptom']}")
    if trial.test:
        say("on the test split: " + metrics(trial.test))
    if summary["checkpoint"]:
        say(f"checkpoint: {summary['checkpoint']}")
    if trial.retried:
        pieces = f"; accumulation_steps {trial.accumulation_steps}" if trial.accumulation_steps else ""
        say(f"tried again after {_by_class(trial.retried)}{pieces}")
    if "checkpoint" in trial.facts:  # It says why the last attempt did not begin with the newest one.
        say(f"last attempt: {trial.facts['checkpoint']}")
    say(f"log: {home.shown(trial_directory(home.study(row.name), trial.number) / 'log.txt')}")
    if trial.error:
        say(trial.error.rstrip())
    for step in steps:
        if step.trial == trial.number and step.state is State.FAILED:
            say(f"it cannot be scored on the test split at epoch {step.epoch}: {step.reason}")
            if step.error:
                say(step.error.rstrip())


def _particulars(trial: Trial) -> list[str]:
    """Says what sets the trial apart from a config that the searcher proposed and that was trained in one go."""
    said = []
    if trial.origin is not None:
        study, _, number = trial.origin.rpartition("/")
        said.append(f"has the config of trial {number} of {study}")
    said += [f"was {extension}: its lr_schedule is not that of a run planned for them" for extension in trial.extended]
    if trial.left_out is not None:
        said.append(f"does not count in the space as it is now: {trial.left_out}")
    return said


def show_check(file: Path, findings: Iterable[Finding], run: str) -> bool:
    """Prints what was found, as it comes; returns whether nothing is wrong. run: the command that comes next."""
    from orchestrator.preflight.preflight import way_out  # It brings in all that a start needs.

    wrong = []
    for finding in findings:
        wrong += [] if finding.problem is None else [finding]
        mark = "ok     " if finding.problem is None else "problem"
        for line in (finding.problem or finding.detail).splitlines():
            say(f"{mark}  {finding.check}: {line}")
        for line in (finding.note or "").splitlines():
            say(f"note     {finding.check}: {line}")
        for picture in finding.pictures:
            say(f"         picture: {picture}")
    if wrong:
        say(f"{file}: mend what is named above{way_out(wrong)}")
    else:
        say(f"{file}: nothing wrong was found; next: {run}")
    return not wrong


def show_health(findings: Iterable[HealthFinding]) -> bool:
    """Prints what `tune doctor` finds, each as it comes; returns whether nothing is wrong."""
    well = True
    for finding in findings:
        say(f"{finding.level:8}  {finding.check}: {finding.detail}")
        if finding.remedy:
            say(f"{'':8}  {finding.remedy}")
        well = well and finding.level != "problem"
    return well


def _used(used: Mapping[str, float], budget: Mapping[str, object]) -> str:
    """Writes `1.4 of 60 hours, 2.8 GPU-hours`: what is limited, and the GPU-hours where there are any."""
    words = {"hours": ("hours", "hours"), "gpu_hours": ("gpu_hours", "GPU-hours")}
    words["trials_since_best"] = ("patience", "trials since the best")
    parts = []
    for name, (key, unit) in words.items():
        limit = budget.get(key)
        if limit is not None or (name == "gpu_hours" and used[name]):
            parts.append(f"{used[name]:g}" + ("" if limit is None else f" of {limit}") + f" {unit}")
    return ", ".join(parts)


def _by_class(counts: Mapping[str, int]) -> str:
    """Writes `2 out of memory, 1 hang`."""
    return ", ".join(f"{times} {key.replace('_', ' ')}" for key, times in counts.items())


def print_failures(row: StudyRow, trials: Sequence[Trial], home: Home, steps: Sequence[Step]) -> None:
    """Prints a line for every trial that failed or could not be scored, with the reason."""
    for trial in trials:
        if trial.state is State.FAILED:
            see = command(home, "show", row.name, "--trial", str(trial.number))
            say(f"trial {trial.number} failed: {trial.reason}; see {see}")
    for step in steps:
        if step.state is State.FAILED:
            why = f"trial {step.trial} cannot be scored on the test split: {step.reason}"
            say(f"{why}; see {command(home, 'show', row.name, '--trial', str(step.trial))}")


def print_symptoms(row: StudyRow, trials: Sequence[Trial]) -> None:
    """Prints a line for every symptom, with the trials whose curves show it."""
    for group in symptoms_of(trials, row.objective):
        others = ", ".join(str(trial.number) for trial in group.trials[1:])
        say(f"trial {group.trials[0].number} is {group.first}" + (f"; so are trials {others}" if others else ""))


def _show_reports(trial: Trial, objective: Objective) -> None:
    """Prints all reports of a trial, the objective first: as one table, or as several where a terminal is narrow."""
    if not trial.reports:
        return
    shown = [report.metrics_beside("epoch", "seconds") for report in trial.reports]
    names = dict.fromkeys([objective.metric, *(name for metrics in shown for name in metrics)])
    columns = [
        Column("epoch", [str(report.epoch) for report in trial.reports]),
        *(Column(name, [short(each[name]) if name in each else "" for each in shown]) for name in names),
        Column("seconds", [f"{report.seconds:.1f}" for report in trial.reports]),
    ]
    screen = console()
    for block in blocks(columns, screen.width):
        screen.print(fitted(block, screen.width))


def counting(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the trials that count: those that the report counts, too."""
    return [trial for trial in trials if trial.left_out is None]


def states(trials: Sequence[Trial], *, live: bool = True) -> str:
    """Writes `3 completed, 2 pruned` of the trials that count, and then how many are left out.

    live: whether a driver has the study. Without one nothing runs: what was running was cut off, and goes on at the
    next start.
    """
    found = Counter(trial.state for trial in counting(trials))
    out = len(trials) - len(counting(trials))
    words = {state: "cut off" if state is State.RUNNING and not live else str(state) for state in State}
    return ", ".join(
        [*(f"{found[state]} {words[state]}" for state in State if found[state]), *([f"{out} left out"] * (out > 0))]
    )


def count(trials: Sequence[Trial], *, live: bool = True) -> str:
    """Writes `5 trials (3 completed, 2 pruned) and 4 left out`. live: as of `states`."""
    number, out = len(counting(trials)), len(trials) - len(counting(trials))
    parts = states(counting(trials), live=live)
    text = f"{number} trial{'' if number == 1 else 's'}" + (f" ({parts})" if parts else "")
    return text + (f" and {out} left out" if out else "")


def metrics(values: Mapping[str, float]) -> str:
    """Writes `test/hmean 0.9632, test/precision 0.9607`."""
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())
