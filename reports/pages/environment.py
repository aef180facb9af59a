"""Lists what a study ran on and with, as far as it was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.policies.build import sampler_of
from orchestrator.study.code_change import KEPT_ASIDE
from orchestrator.study.failures import every_failure
from reports.numbers.quantity import Quantity
from reports.numbers.search_quality import stops_early
from reports.numbers.study_view import StudyView
from reports.words import Words, one_line, short

_SAID_ELSEWHERE = ("data_fingerprint", "settings", "bounds", "changes", *KEPT_ASIDE)
_LIMITED = {"trials": "trials", "hours": "hours", "gpu_hours": "gpu_hours", "patience": "trials_since_best"}


def environment(view: StudyView, words: Words) -> Iterator[tuple[str, str]]:
    """Yields (name, text) of every fact."""
    if view.trainable:
        yield words("facts.trainable"), one_line(view.trainable)
    if view.data:
        yield words("facts.data"), ", ".join(f"{one_line(k)} = {short(v)}" for k, v in view.data.items())
    if view.facts.get("data_fingerprint"):
        yield words("facts.data_fingerprint"), one_line(view.facts["data_fingerprint"])
    seeds = sorted({trial.seed for trial in view.trials})
    if seeds:
        yield words("facts.seed"), ", ".join(map(str, seeds[:8]))
    yield words("facts.sampler"), _sampler(view.sampler, words)
    yield words("facts.scheduler"), _scheduler(view.scheduler, words)
    for key, mapping in (("facts.budget", view.budget), ("facts.resources", view.resources)):
        told = ", ".join(f"{one_line(k)} {short(v)}" for k, v in mapping.items() if v is not None)
        if told:
            yield words(key), told
    used = [
        words("facts.used_of", used=f"{view.used[name]:.3g}", limit=short(view.budget[key]), name=key)
        for key, name in _LIMITED.items()
        if name in view.used and view.budget.get(key) is not None
    ]
    if used:
        yield words("facts.used"), ", ".join(used)
    again = every_failure(view.trials)
    if again:
        told = ", ".join(f"{times} {kind.replace('_', ' ')}" for kind, times in again.items())
        yield words("facts.failures"), told
    if view.created:
        yield words("facts.started"), words.moment(view.created)
    for key, fact in (("facts.hosts", "host"), ("facts.devices", "device")):
        seen = sorted({one_line(trial.facts[fact]) for trial in view.trials if trial.facts.get(fact)})
        if seen:
            yield words(key), ", ".join(seen)
    attempts = sum(trial.attempts for trial in view.trials)
    if attempts > len(view.trials):
        count = Quantity("trials", len(view.trials))
        yield words("facts.attempts"), words("facts.attempts_detail", attempts=attempts, trials=count)
    yield from flattened({name: value for name, value in view.facts.items() if name not in _SAID_ELSEWHERE})


def _sampler(sampler: str, words: Words) -> str:
    """Names the sampler by what it is; `auto` beside it where the file leaves the choice to us."""
    named = words("facts.sampler_random") if sampler_of(sampler) == "random" else one_line(sampler_of(sampler))
    return words("facts.sampler_auto", sampler=named) if sampler == "auto" else named


def _scheduler(scheduler: Mapping[str, Any], words: Words) -> str:
    """Names the scheduler, with its settings where it may stop trials."""
    if not stops_early(scheduler):
        return one_line(scheduler.get("name", ""))
    grace = Quantity("epochs", float(scheduler["grace_epochs"]))
    return words("facts.scheduler_asha", eta=str(scheduler["eta"]), grace=grace)


def flattened(facts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yields (dotted name, text) of every fact there is; whatever a later version records is shown too."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{before}{name}.")
        elif value is not None and value != "" and value != []:
            text = ", ".join(map(short, value)) if isinstance(value, list | tuple) else short(value)
            yield one_line(f"{before}{name}").replace("_", " "), text


def is_dirty(facts: Mapping[str, Any]) -> bool:
    """Returns whether the code was changed since its commit."""
    return any(
        (name.endswith("dirty") and text == "true") or (name.endswith("commit") and text.endswith(("-dirty", "+")))
        for name, text in flattened(facts)
    )
