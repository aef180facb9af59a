"""Chooses the one next step, what it costs and what to type; and the commands that bring the winner back."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from orchestrator.home import Home
from orchestrator.study.endings import early_stop
from orchestrator.study.proposals import is_used_up
from orchestrator.trial import State, Trial
from orchestrator.typed_command import TypedCommand
from reports.numbers.alike import Alike
from reports.numbers.comparison import Comparison, Row
from reports.numbers.quantity import Quantity, Sentence, sentence
from reports.numbers.repeats import ENOUGH, values_of
from reports.numbers.search_quality import Slice
from reports.numbers.study_view import StudyView
from reports.numbers.verdict import is_smoke
from reports.numbers.widening import wider

PATIENCE = "early_stopping_patience"  # the setting of the built-in trainables


@dataclass(frozen=True)
class Advice:
    """Says what to do next, and what to type for it.

    device_hours: what the commands cost, judged by measured seconds; None where nothing was measured.
    """

    what: Sentence
    commands: tuple[str, ...]
    device_hours: float | None = None


def advice(comparison: Comparison, slices: tuple[Slice, ...]) -> Advice:
    """Advises to mend what fails, else to finish, to widen a range, to repeat the winner, to take what is confirmed."""
    view, best = comparison.view, comparison.best
    if view.status == "running" and view.trials:
        hours = _left(comparison)
        return Advice(sentence("next.wait"), (_tune(view, "show", view.name),), hours)
    if view.so_far or not view.trials:
        return Advice(sentence("next.go_on"), (original_command(view),), _left(comparison))
    if best is None:
        return Advice(sentence("next.mend"), _mend(view))
    if is_smoke(comparison):
        return Advice(sentence("next.real"), (_without(original_command(view), "--smoke"),))
    if comparison.alike is not None:
        return _look_closer(comparison.alike, best, view)
    if view.repeat_of is not None:
        study, number = view.repeat_of
        return Advice(sentence("next.repeat_of", trial=number, study=study), (_tune(view, "report", study),))
    leaning = next((each for each in slices if each.leaning and not each.natural), None)
    if leaning is not None and view.facts.get("file") and f"{view.name}-wider" not in view.names:
        return _widen(comparison, leaning, best)
    confirmed = comparison.confirmation
    if confirmed is None or confirmed.standing == "open":
        return _repeat(comparison, best)
    if confirmed.standing == "no_win":
        return _go_further(comparison)
    held = sentence("next.confirmed", trial=best.number)
    return Advice(held if confirmed.standing == "win" else sentence("next.measured"), reproduction(view)[:1])


def original_command(view: StudyView) -> str:
    """Returns the command that began the study, as far as it is known."""
    command = view.facts.get("command")
    if isinstance(command, str) and command.strip():
        # Typed again, --fresh would move this study aside, and a time of day has passed.
        return str(TypedCommand.read(command).go_on())
    return _tune(view, "run" if view.searched else "train", _file(view))


def reproduction(view: StudyView) -> tuple[str, ...]:
    """Returns the commands that write the winner as a file and train it again."""
    return _tune(view, "best", view.name, "--output", "best.yaml"), _tune(view, "train", "best.yaml")


def _tune(view: StudyView, verb: str, *words: str) -> str:
    """Returns a command for the study's home and ledger."""
    home = () if view.home is None else ("--home", Home.at(view.home).shown(Home.at(view.home).path))
    ledger = () if view.ledger is None else ("--ledger", view.ledger)
    return shlex.join(["tune", verb, *words, *home, *ledger])


def _without(command: str, *options: str) -> str:
    """Returns the command without these options and their values."""
    return str(TypedCommand.read(command).without(options))


def _file(view: StudyView) -> str:
    """Returns the study file as the commands name it."""
    return str(view.facts.get("file") or f"{view.name}.yaml")


def _left(comparison: Comparison) -> float | None:
    """Estimates the device hours until the budget's trials are done, if each takes what the others took on average."""
    view = comparison.view
    wanted = view.more_until or view.budget.get("trials")
    done = [trial for trial in view.trials if trial.state.final]
    if not done or not isinstance(wanted, int) or wanted <= len(done):
        return None
    each = sum(trial.seconds for trial in done) / len(done)
    started = sum(trial.seconds for trial in view.trials if not trial.state.final)
    return comparison.cost.hours_of(max(0.0, each * (wanted - len(done)) - started)) or None


def _mend(view: StudyView) -> tuple[str, ...]:
    """Returns the commands that show what failed, check the study file and begin anew."""
    failed = [trial for trial in view.trials if trial.state is State.FAILED]
    look = (_tune(view, "show", view.name, "--trial", str(failed[0].number)),) if failed else ()
    return (*look, _tune(view, "check", _file(view), *_changes_of(view)), f"{original_command(view)} --fresh")


def _look_closer(found: Alike, best: Row, view: StudyView) -> Advice:
    """Advises to find out why all values are one."""
    look = _tune(view, "show", view.name, "--trial", str(best.number))
    if found.kind == "no_difference":
        return Advice(sentence("next.no_difference"), (look,))
    if any(early_stop(trial.reason) for trial in view.trials) and PATIENCE in best.trial.config:
        words = (_file(view), *_changes_of(view, f"space.{PATIENCE}"), "--set", f"space.{PATIENCE}=0")
        name = _free(view, f"{view.name}-patient")
        return Advice(sentence("next.more_patience"), (_tune(view, "run", *words, "--name", name),))
    if found.moved is not None:
        return Advice(sentence("next.learns_elsewhere", other=found.moved.metric), (look,))
    return Advice(sentence("next.nothing_learnt"), (look, _tune(view, "check", _file(view), *_changes_of(view))))


def _repeat(comparison: Comparison, best: Row) -> Advice:
    """Advises to train the winner again with other seeds, against the first baseline where there is one.

    Repeats that were begun go on; those that are done, or have failed, are not proposed again.
    """
    view = comparison.view
    done = values_of(view.repeats, comparison.objective)
    begun = [each for each in view.repeats if not each.trial.state.final]
    tried = {best.trial.seed} | {each.seed for each in view.repeats}
    fresh = [seed for seed in range(ENOUGH + len(tried)) if seed not in tried]
    missing = max(ENOUGH - len(done) - len(begun), 0)
    planned = [(each.seed, each.study) for each in begun]
    planned += [
        (seed, _free(view, f"{view.name}-seed{seed}", f"{view.name}-{best.number}-seed{seed}"))
        for seed in fresh[:missing]
    ]
    file = "best.yaml" if view.searched else _file(view)
    changes = () if view.searched else _changes_of(view, "search.seed")
    repeats = [
        _tune(view, "train", file, *changes, "--set", f"search.seed={seed}", "--name", name) for seed, name in planned
    ]
    write = [reproduction(view)[0]] if view.searched else []
    names = [each.study for each in view.repeats if each.trial.state.final] + [name for _, name in planned]
    report = _tune(view, "report", view.name, *names)
    baseline = comparison.baselines[0] if comparison.baselines else None
    count = Quantity("seeds", len(planned))
    if baseline is not None:
        value = Quantity("value", baseline.other_value)
        what = sentence(
            "next.repeat_against", repeats=count, trial=best.number, name=baseline.baseline or "", value=value
        )
    else:
        what = sentence("next.repeat", repeats=count, trial=best.number)
    hours = comparison.cost.hours_of(len(planned) * _full_seconds(best.trial, comparison))
    return Advice(what, (*write, *repeats, report), hours or None)


def _free(view: StudyView, *names: str) -> str:
    """Returns the first of the names that no study has, else the last one with a number."""
    numbered = (f"{names[-1]}-{n}" for n in range(2, len(view.names) + 3))
    return next(name for name in (*names, *numbered) if name not in view.names)


def _go_further(comparison: Comparison) -> Advice:
    """Advises to search on, because the winner's lead did not hold; in a space that is not used up."""
    view = comparison.view
    size = view.space.size if view.space.searched else None
    used_up = is_used_up(view.reason) or (size is not None and len(view.trials) >= size)
    if not view.searched or used_up:
        return Advice(sentence("next.not_confirmed"), (_tune(view, "show", view.name),))
    count = max(4, len(view.trials) // 2)
    seconds = comparison.cost.seconds / len(view.trials) * count
    words = ["--trials", f"+{count}", *_raised_limits(view)]
    command = _without(original_command(view), "--trials", "--hours")
    more = f"{command} {shlex.join(words)}"
    return Advice(sentence("next.search_on", count=str(count)), (more,), comparison.cost.hours_of(seconds) or None)


def _raised_limits(view: StudyView) -> list[str]:
    """Returns the changes without which the file's budget would let nothing more start."""
    words = []
    for key in ("hours", "gpu_hours"):
        limit = view.budget.get(key)
        if isinstance(limit, int | float) and view.used.get(key, 0.0) >= 0.95 * limit:
            words += ["--set", f"budget.{key}={2 * limit:g}"]
    for key in ("target", "patience"):
        if view.budget.get(key) is not None and view.reason:  # Reached, it ended the search.
            words += ["--set", f"budget.{key}=null"]
    return words


def _changes_of(view: StudyView, *but: str) -> list[str]:
    """Returns the `--set KEY=VALUE` with which the study was begun, except those of these keys."""
    changes = TypedCommand.read(str(view.facts.get("command") or "")).values_of("--set")
    return [word for change in changes if change.partition("=")[0] not in but for word in ("--set", change)]


def _full_seconds(trial: Trial, comparison: Comparison) -> float:
    """Returns the seconds that the trial takes when it runs to its end, even if it was cut."""
    if trial.state is State.COMPLETED or not trial.reports:
        return trial.seconds
    longest = max((row.trial.epochs for row in comparison.rows), default=trial.epochs)
    return trial.seconds / len(trial.reports) * max(longest, trial.epochs)


def _widen(comparison: Comparison, slice: Slice, best: Row) -> Advice:
    """Advises to run the study again with a range that reaches further."""
    view = comparison.view
    domain = view.domain_of(slice.name, best.trial.config)
    assert slice.edge is not None
    bound = wider(domain, slice.edge, view.limits_of(slice.name, best.trial.config))
    assert bound is not None, slice.name
    written = f"{bound:.6g}"
    place = f".{domain['value']}" if "value" in domain else ""
    change = f"space.{slice.name}{place}.{slice.edge}={written}"
    hours = comparison.cost.hours_of(comparison.cost.seconds) or None
    what = sentence(f"next.widen_{slice.edge}", name=slice.name, bound=f"{domain[slice.edge]:.6g}", new=written)
    words = (_file(view), *_changes_of(view), "--set", change, "--name", f"{view.name}-wider")
    return Advice(what, (_tune(view, "run", *words),), hours)
