"""Chooses the one next step, what it costs and what to type; and the commands that bring the winner back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.home import Home
from orchestrator.trial import State, Trial
from reports.numbers.comparison import Comparison, Row
from reports.numbers.quantity import Quantity, Sentence, sentence
from reports.numbers.search_quality import Slice
from reports.numbers.study_view import StudyView
from reports.numbers.verdict import is_smoke

REPEATS = 2  # With the winner's first run these are three seeds, the fewest that show a spread.


@dataclass(frozen=True)
class Advice:
    """Says what to do next, and what to type for it.

    device_hours: what the commands cost, judged by measured seconds; None where nothing was measured.
    """

    what: Sentence
    commands: tuple[str, ...]
    device_hours: float | None = None


def advice(comparison: Comparison, slices: tuple[Slice, ...]) -> Advice:
    """Advises to mend what fails, else to finish, else to widen a range, else to repeat the winner."""
    view, best = comparison.view, comparison.best
    if view.status == "running" and view.trials:
        hours = _left(comparison)
        return Advice(sentence("next.wait"), (_tune(view, "show", view.name),), hours)
    if view.so_far or not view.trials:
        return Advice(sentence("next.go_on"), (original_command(view),), _left(comparison))
    if best is None:
        return Advice(sentence("next.mend"), _mend(view))
    if is_smoke(comparison):
        return Advice(sentence("next.real"), (original_command(view).replace(" --smoke", ""),))
    leaning = next((each for each in slices if each.leaning and not each.natural), None)
    if leaning is not None and comparison.view.facts.get("file"):
        return _widen(comparison, leaning, best)
    return _repeat(comparison, best)


def original_command(view: StudyView) -> str:
    """Returns the command that began the study, as far as it is known."""
    command = view.facts.get("command")
    if isinstance(command, str) and command.strip():
        return command.strip().replace(" --fresh", "")  # Typed again, it would move this study aside.
    return _tune(view, "run" if view.searched else "train", _file(view))


def reproduction(view: StudyView) -> tuple[str, ...]:
    """Returns the commands that write the winner as a file and train it again."""
    return _tune(view, "best", view.name, "--output", "best.yaml"), _tune(view, "train", "best.yaml")


def _tune(view: StudyView, verb: str, *words: str) -> str:
    """Returns a command for the study's home."""
    home = () if view.home is None else ("--home", Home.at(view.home).shown(Home.at(view.home).path))
    return shlex.join(["tune", verb, *words, *home])


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
    return (*look, _tune(view, "check", _file(view)), f"{original_command(view)} --fresh")


def _repeat(comparison: Comparison, best: Row) -> Advice:
    """Advises to train the winner again with other seeds, against the first baseline where there is one."""
    view = comparison.view
    seeds = [seed for seed in range(REPEATS + 1) if seed != best.trial.seed][-REPEATS:]
    file = "best.yaml" if view.searched else _file(view)
    names = [f"{view.name}-seed{seed}" for seed in seeds]
    repeats = [
        _tune(view, "train", file, "--set", f"search.seed={seed}", "--name", name)
        for seed, name in zip(seeds, names, strict=True)
    ]
    write = [reproduction(view)[0]] if view.searched else []
    report = _tune(view, "report", view.name, *names)
    baseline = comparison.baselines[0] if comparison.baselines else None
    count = str(len(seeds))
    if baseline is not None:
        value = Quantity("value", baseline.other_value)
        what = sentence(
            "next.repeat_against", repeats=count, trial=best.number, name=baseline.baseline or "", value=value
        )
    else:
        what = sentence("next.repeat", repeats=count, trial=best.number)
    hours = comparison.cost.hours_of(len(seeds) * _full_seconds(best.trial, comparison))
    return Advice(what, (*write, *repeats, report), hours or None)


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
    bound = wider(domain, slice.edge)
    written = f"{bound:.6g}"
    place = f".{domain['value']}" if "value" in domain else ""
    change = f"space.{slice.name}{place}.{slice.edge}={written}"
    hours = comparison.cost.hours_of(comparison.cost.seconds) or None
    what = sentence(f"next.widen_{slice.edge}", name=slice.name, bound=f"{domain[slice.edge]:.6g}", new=written)
    words = (_file(view), "--set", change, "--name", f"{view.name}-wider")
    return Advice(what, (_tune(view, "run", *words),), hours)


def wider(domain: Mapping[str, Any], edge: str) -> float:
    """Returns a bound a factor of ten further out where the range is logarithmic, else one more width of the range."""
    low, high = domain["low"], domain["high"]
    if domain.get("log"):
        whole = isinstance(low, int) and isinstance(high, int)
        return (max(1, low // 10) if whole else low / 10) if edge == "low" else high * 10
    if edge == "high":
        return high + (high - low)
    return max(0, low - (high - low)) if low >= 0 else low - (high - low)
