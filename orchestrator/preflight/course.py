"""Looks at what a study file asks for as a whole: rungs, warm-ups, patience and budget against the epochs of a trial.

Nothing here is wrong in itself, so that each is a note: the study runs, but not as it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.plain_data import is_number
from orchestrator.policies.build import build_policy
from orchestrator.space.config_field import defaults_of
from orchestrator.space.domain import Categorical, Domain, Fixed
from orchestrator.space.membership import LIMIT
from orchestrator.study_file.smoke import SMOKE
from orchestrator.study_file.study_spec import StudySpec
from trainables import Trainable

PATIENCE = "early_stopping_patience"  # what the configs of the built-in trainables call it
WARM_UP = "warmup_epochs"


def notes_on_course(spec: StudySpec, trainable: Trainable) -> Iterator[str]:
    """Yields a line for each part of the file that will not do what it seems to ask for."""
    if spec.study.endswith(SMOKE):  # It trains one epoch of what the file lays out for many.
        return
    epochs = largest(spec, trainable, LIMIT)
    if epochs is not None:
        yield from _notes_on_rungs(spec, int(epochs))
        yield from _notes_on_warm_up(spec, trainable, smallest(spec, trainable, LIMIT) or epochs)
    yield from _notes_on_patience(spec, trainable, epochs)
    yield from _notes_on_plateau(spec, trainable, epochs)
    yield from _notes_on_budget(spec)


def wrong_mode(spec: StudySpec, trainable: Trainable) -> str | None:
    """Says that objective or scheduler improve a metric in the direction in which it gets worse; None if not."""
    for section, metric, mode in (
        ("objective", spec.objective.metric, spec.objective.mode),
        ("scheduler", spec.scheduler.metric, spec.scheduler.mode or spec.objective.mode),
    ):
        known = None if metric is None else (trainable.yields or {}).get(metric)
        if known is not None and known.mode not in (None, mode):
            return f"{section}.mode: must be {known.mode} for {metric}, but got {mode}; write `mode: {known.mode}`"
    return None


def largest(spec: StudySpec, trainable: Trainable, name: str) -> float | None:
    """Returns the largest number that `name` has in any config; None where it has none, or that is not known."""
    return max(_numbers(spec, trainable, name), default=None)


def smallest(spec: StudySpec, trainable: Trainable, name: str) -> float | None:
    """Returns the smallest number that `name` has in any config; None where it has none, or that is not known."""
    return min(_numbers(spec, trainable, name), default=None)


def _numbers(spec: StudySpec, trainable: Trainable, name: str) -> list[float]:
    """Returns the ends of every domain of the name, and what baselines give it; else the trainable's own value."""
    values: list[Any]
    if name not in spec.space.parameters:
        values = [defaults_of(trainable).get(name)]
    else:
        values = [value for domain in spec.space.parameters[name].domains for value in _ends(domain)]
        values += [baseline.values.get(name) for baseline in spec.baselines]
    return [value for value in values if is_number(value)]


def _ends(domain: Domain) -> tuple[object, ...]:
    if isinstance(domain, Categorical):
        return domain.choices
    return (domain.value,) if isinstance(domain, Fixed) else (domain.low, domain.high)


def _notes_on_rungs(spec: StudySpec, epochs: int) -> Iterator[str]:
    if spec.scheduler.name == "none" or not spec.space.searched or build_policy(spec).milestones(epochs):
        return
    grace = spec.scheduler.grace_epochs
    remedy = (
        f"lower it below {epochs}, or write `name: none`" if epochs > 1 else "raise `epochs`, or write `name: none`"
    )
    yield (
        f"scheduler.grace_epochs: nobody is ever stopped early: no trial is judged before epoch {grace}, "
        f"and a trial ends after {epochs}; {remedy}"
    )


def _notes_on_warm_up(spec: StudySpec, trainable: Trainable, epochs: float) -> Iterator[str]:
    warm_up = largest(spec, trainable, WARM_UP)
    if warm_up is None or warm_up < epochs:
        return
    least = smallest(spec, trainable, WARM_UP) or 0
    which = "every config" if least >= epochs else "some configs"
    yield (
        f"space.{WARM_UP}: {which} would warm up to the end: up to {warm_up:g} epochs, of {epochs:g} in all, so that "
        f"the learning rate never comes down from its peak; stay well below {epochs:g}"
    )


def _notes_on_patience(spec: StudySpec, trainable: Trainable, epochs: float | None) -> Iterator[str]:
    patience = smallest(spec, trainable, PATIENCE)
    if patience and epochs is not None and patience >= epochs:
        yield f"space.{PATIENCE}: never ends a trial: it waits for {patience:g} epochs, and a trial has {epochs:g}"


def _notes_on_plateau(spec: StudySpec, trainable: Trainable, epochs: float | None) -> Iterator[str]:
    """Yields what goes wrong where the metric that decides stands still at first."""
    metric = spec.scheduler.metric or spec.objective.metric
    known = (trainable.yields or {}).get(metric)
    if known is None or known.plateau is None:
        return
    moves = known.moves
    better = None if moves is None or trainable.yields is None else trainable.yields.get(moves)
    advice = f"decide by another metric: `scheduler: {{metric: {moves}, mode: {better.mode}}}`" if better else None
    patience = smallest(spec, trainable, PATIENCE) or 0
    if patience and (epochs is None or patience < epochs):
        yield (
            f"space.{PATIENCE}: will end trials that would have learnt: {metric} stands still at first, because "
            f"{known.plateau}, and {patience:g} epochs without a better {metric} end a trial; "
            f"{advice or 'set it to 0'}, or set it to 0"
        )
    early = [] if epochs is None else [each for each in build_policy(spec).milestones(int(epochs)) if each < epochs / 4]
    if early and spec.space.searched and spec.scheduler.name != "none":
        yield (
            f"scheduler: cannot tell good from bad at epoch {', '.join(map(str, early))}: {metric} stands still at "
            f"first, because {known.plateau}; {advice or 'raise `grace_epochs`'}"
        )


def _notes_on_budget(spec: StudySpec) -> Iterator[str]:
    trials, size, patience = spec.budget.trials, spec.space.size, spec.budget.patience
    if trials is not None and size is not None and 1 < size < trials:
        yield f"budget.trials: the space holds {size} configs, so that the study ends after {size} of {trials} trials"
    if trials is not None and patience is not None and patience >= trials:
        yield f"budget.patience: never ends the study: it waits for {patience} trials, and there are {trials}"
