"""Prints the last lines of a run: the trials, the best first; what came out; what to type next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from pathlib import Path

from orchestrator.home import Home
from orchestrator.ledger import StudyRow
from orchestrator.mistake import duration
from orchestrator.step import Step
from orchestrator.study.proposals import is_used_up
from orchestrator.trial import Objective, Outcome, Status, Trial, best_trial
from orchestrator.typed_command import TypedCommand, command
from reports.numbers.alike import alike
from tune.show import console, count, metrics, print_failures, print_symptoms, say
from tune.study_report import NextStep
from tune.trial_table import best_first, trial_table

_ROWS = 12  # of the table that stays on the screen


def show_outcome(
    row: StudyRow,
    trials: list[Trial],
    outcome: Outcome,
    page: Path,
    home: Home,
    typed: str,
    advised: Callable[[], NextStep],
    steps: Sequence[Step] = (),
) -> int:
    """Prints the last lines of `tune run`: what came out, what to type next. Returns the exit code.

    typed: the command, as it was typed. advised: computes what the report says to do next.
    """
    this = TypedCommand.read(typed)
    objective = row.objective
    best = best_trial(trials, objective)
    if outcome.started and trials:
        _print_table(trials, objective, command(home, "show", row.name))
    if outcome.started == 0 and outcome.status is Status.FINISHED:
        seed = (row.raw.get("search") or {}).get("seed", 0)
        remedy = str(this.more(row.name, seed)) if row.reason is None else "change that limit under `budget`"
        if is_used_up(row.reason):
            remedy = "widen `space` or loosen `constraints` in the file"
        reason = "" if row.reason is None else f" ({row.reason})"
        say(f"{row.name} is finished{reason}: {count(trials)}; no trial was started. More: {remedy}")
    else:
        reason = f" ({row.reason})" if row.reason and row.reason != outcome.status else ""
        say(f"{row.name}: {outcome.status}{reason}: {count(trials)}, {duration(row.seconds)} in all")
    if best is not None:
        report = best.best_report(objective)
        assert report is not None
        test = f"; on the test split {metrics(best.test)}" if best.test else ""
        value = report.metrics[objective.metric]
        say(f"best: {objective.metric} {value:.4f} by trial {best.number} at epoch {report.epoch}{test}")
    found = None if this.has("--smoke") else alike([trial for trial in trials if trial.counts], objective)
    nothing_learnt = best is not None and found is not None and found.kind == "nothing_learnt"
    if found is not None and nothing_learnt:
        say(f"nothing was learnt: every value of {objective.metric} is {found.value:g}")
    print_failures(row, trials, home, steps)
    print_symptoms(row, trials)
    say(f"report: {home.shown(page)}")
    if outcome.status in (Status.INTERRUPTED, Status.PAUSED):
        say(f"next: {this.go_on()}   goes on from here")
        return 130 if outcome.status is Status.INTERRUPTED else 0
    if outcome.status is Status.FAILED and row.reason is not None:
        say(f"next: mend that, and {this.go_on()}   goes on and tries those trials again")
        if "failed alike" in row.reason:
            again = this.go_on().plus("--set", "failures.equal_exceptions=null")
            say(f"      if it is their configs that fail: {again}")
        return 1
    if outcome.status is Status.FAILED:
        say(f"next: mend what the failed trials name, then begin anew: {this.go_on().plus('--fresh')}")
        return 1
    if this.has("--smoke"):
        say(f"next: the wiring holds; now your data: {this.as_verb('check')}")
    elif best is not None and nothing_learnt:
        say(f"next: {command(home, 'show', row.name, '--trial', str(best.number))}")
    else:
        step = advised()
        say(step.text)
        for mark, line in zip(chain(["next:"], repeat("     ")), step.commands, strict=False):
            say(f"{mark} {line}")
    return 0


def _print_table(trials: list[Trial], objective: Objective, see: str) -> None:
    """Prints the best trials; see: the command that shows the others, too."""
    screen, ordered = console(), best_first(trials, objective)
    screen.print(trial_table(ordered[:_ROWS], objective, screen.width))
    if len(ordered) > _ROWS:
        say(f"and {len(ordered) - _ROWS} more: {see}")
