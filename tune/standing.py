"""Says how a running study stands, in one line."""

from __future__ import annotations

import math
import time
from collections import Counter

from orchestrator.home import trial_directory
from orchestrator.mistake import duration, short
from orchestrator.moment import moment
from orchestrator.step import Step
from orchestrator.study.event import Event
from orchestrator.study.study import Study
from orchestrator.trial import State, Trial
from tune.clock import Clock


def summary(study: Study, deadline: float | None, now: float | None = None, clock: Clock | None = None) -> str:
    """Says in one line: trials by state, best so far, how many reached which milestone, when it may end.

    deadline, now: unix times. clock: of the running trials, where there is one.
    """
    now = time.time() if now is None else now
    trials = study.trials
    states = Counter(trial.state.value for trial in trials)
    allowed = study.spec.budget.trials
    parts = [f"{len(trials)}{'' if allowed is None else f'/{max(allowed, len(trials))}'} trials"]
    parts += [f"{states[state.value]} {state.value}" for state in State if states[state.value]]
    best = best_of(study)
    if best is not None:
        parts.append(f"best {study.objective.metric} {best[1]:.4f} ({best[0]:04d})")
    longest = max((trial.epochs for trial in trials), default=0)
    for milestone in study.policy.milestones(longest + 1):
        parts.append(f"{sum(trial.epochs >= milestone for trial in trials)} reached epoch {milestone}")
    left = time_left(study, clock)
    if left is not None and (deadline is None or now + left < deadline):
        parts += [f"ends about {moment(now + left, now)}", f"about {duration(left)} left"]
    if deadline is not None:
        parts.append(f"{duration(max(0.0, deadline - now))} left until the deadline")
    if study.stopping or study.over:
        parts.append(f"stopping ({study.stopping or study.over}): trials pause at their next report")
    return " · ".join(parts)


def time_left(study: Study, clock: Clock | None = None) -> float | None:
    """Estimates the seconds until the last trial ends; None while nothing is known, or without a limit on trials.

    A trial takes the mean of those that ended; while those are few, all of its epochs, each of the mean length. clock:
    tells how much of the running ones is done; None counts them whole.
    """
    allowed = study.spec.budget.trials
    ended = [trial for trial in study.trials if trial.state.final]
    if allowed is None:
        return None
    if len(ended) >= 3:
        mean = sum(trial.seconds for trial in ended) / len(ended)
    else:
        reports = [report for trial in study.trials for report in trial.reports[1:]]  # The first holds the start.
        reports = reports or [report for trial in study.trials for report in trial.reports]
        epochs = max((study.last_epoch.of(trial) for trial in study.trials), default=math.inf)
        if not reports or math.isinf(epochs):
            return None
        mean = epochs * sum(report.seconds for report in reports) / len(reports)
    done = 0.0 if clock is None else sum(min(mean, clock.seconds(trial)) for trial in study.running)
    return max(0.0, max(0, allowed - len(ended)) * mean - done) / max(1, study.concurrency)


def step_lines(event: Event, step: Step, study: Study) -> list[str]:
    """Returns what is said of a step: one line, or none where it came to its end."""
    log = trial_directory(study.directory, step.trial) / "log.txt"
    said = {
        "started": "scoring on the test split" + (" again" if step.attempts > 1 else ""),
        "paused": f"scoring paused: {step.reason}",
        "retried": f"scoring retried: {step.reason}",
        "failed": f"cannot be scored: {step.reason}; see {log}",
    }
    return [f"{name_of(event.trial)}  {said[event.kind]}"] if event.kind in said else []


def describe(trial: Trial, study: Study) -> str:
    """Writes the searched values of a config briefly: `lr 3.1e-4, batch_size 8`."""
    return ", ".join(
        f"{name} {short(trial.config[name])}" for name in study.spec.space.searched if name in trial.config
    )


def name_of(trial: Trial) -> str:
    """Returns the trial's number, and its name if it is a baseline."""
    return f"{trial.number:04d}" + (f" ({trial.baseline})" if trial.baseline else "")


def best_of(study: Study) -> tuple[int, float] | None:
    """Returns (number, value) of the best trial; None while no trial has a value."""
    best = study.best
    value = None if best is None else best.value(study.objective)
    return None if best is None or value is None else (best.number, value)
