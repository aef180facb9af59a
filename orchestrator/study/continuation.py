"""Decides what a start makes of the study in the ledger: goes on with it, refuses a changed file, or moves it aside."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.checkpoints.open_storage import try_writing
from orchestrator.errors import InputMistake
from orchestrator.ledger import Ledger, MoreTrials, StudyRow, UnknownStudy
from orchestrator.machine import provenance
from orchestrator.mistake import Mistakes
from orchestrator.plain_data import config_key
from orchestrator.space.config_field import config_fields, defaults_of
from orchestrator.space.membership import LIMIT, NotInSpace, as_config_of, limit_of
from orchestrator.space.search_space import SearchSpace
from orchestrator.space.space_parser import parse_space
from orchestrator.study.budget import Limits
from orchestrator.study.code_change import code_facts
from orchestrator.study_file.study_spec import StudySpec, section_of
from orchestrator.trial import Extension, Objective, Role, State, Status, Trial
from orchestrator.typed_command import beside
from trainables import Trainable

# While trials hang on them.
NEVER_CHANGE = ("study", "trainable", "objective", "data", "search", "scheduler", "storage", "source")
MEASURED_BY = ("objective", "scheduler")  # While a trial has a value.
INSTEAD = "give the changed study another --name, or move the old one aside with --fresh"
_UNTOLD = ("tracking", "storage")  # addresses, which may hold passwords


@dataclass(frozen=True)
class Revision:
    """Holds what a changed study file means for the trials that there are.

    changed: its sections. left_out: trial -> why it does not count now. extended: trial -> its config with the raised
    limit on epochs, to which it goes on.
    """

    changed: tuple[str, ...]
    left_out: Mapping[int, str]
    extended: Mapping[int, tuple[Mapping[str, Any], Extension]]


def _facts(spec: StudySpec, trainable: Trainable, fingerprint: str | None, file: str) -> dict[str, Any]:
    """Returns where a study comes from; asked for once, because git and the GPU driver are asked too."""
    told = {"data_fingerprint": fingerprint, "file": file, "settings": settings_of(spec)}
    told["bounds"] = bounds_of(spec, trainable)
    return provenance.facts() | told | code_facts(trainable)


def settings_of(spec: StudySpec) -> dict[str, Any]:
    """Returns the sections that decide how a study is run, with the defaults that hold for what the file leaves out."""
    return {name: getattr(spec, name).model_dump(mode="json") for name in ("search", "scheduler", "failures")}


def bounds_of(spec: StudySpec, trainable: Trainable) -> dict[str, dict[str, float]]:
    """Returns, for each searched name that the trainable bounds, what it takes: low, high, above, below.

    A report that advises a wider range has to know it, and may be written where the trainable is not.
    """
    fields = config_fields(trainable.Config) or {}
    bounds = {name: fields[name].limits for name in spec.space.searched if name in fields}
    return {name: limits for name, limits in bounds.items() if limits}


def open_study(ledger: Ledger, spec: StudySpec, trainable: Trainable, fingerprint: str | None, file: str) -> StudyRow:
    """Returns the study's row, made if it is new. Raises InputMistake if the file now asks for another study."""
    try:
        row = ledger.study(spec.study)
    except UnknownStudy:
        if spec.storage is not None:
            try_writing(spec.storage, file or spec.study)
        facts = _facts(spec, trainable, fingerprint, file)
        return ledger.create_study(spec.study, spec.raw, spec.objective.objective, facts)
    if not ledger.trials(row.id, reports=False):
        ledger.update_study(
            row.id, facts=_facts(spec, trainable, fingerprint, file)
        )  # no trial hangs on what it was begun with
        return row
    asks_more = not set(MEASURED_BY).isdisjoint(changed(row.raw, spec.raw))
    measured = asks_more and is_measured(ledger.trials(row.id), row.objective)
    mistakes = forbidden_changes(row, spec, defaults_of(trainable), measured=measured)
    if mistakes:
        raise InputMistake(*(f"{file or spec.study}: {mistake}; {INSTEAD}" for mistake in mistakes))
    wrong = wrong_data(row, fingerprint)
    if wrong is not None:
        raise InputMistake(f"{file or spec.study}: {wrong}")
    return row


def wrong_data(row: StudyRow, fingerprint: str | None) -> str | None:
    """Says that the data are not what the study was begun with; None if they are."""
    begun = row.facts.get("data_fingerprint")
    if fingerprint == begun:
        return None
    return (
        f"data: must be what study {row.name!r} was begun with, so that trials compare, but the fingerprint was "
        f"{begun} and is {fingerprint}; restore them, or begin anew with --fresh or another --name"
    )


def is_measured(trials: Iterable[Trial], objective: Objective) -> bool:
    """Returns whether any trial has a value by which others were judged."""
    return any(trial.value(objective) is not None for trial in trials)


def forbidden_changes(
    row: StudyRow, spec: StudySpec, defaults: Mapping[str, Any], *, measured: bool = True
) -> list[str]:
    """Returns what the file asks for that the study's trials cannot follow: `PATH: what must hold, but got X`.

    measured: a trial has a value of the objective; before that, objective and scheduler bind nobody.
    """
    begun = f"what study {row.name!r} was begun with"
    fixed = [key for key in NEVER_CHANGE if measured or key not in MEASURED_BY]
    found = [f"{key}: must be {begun}, but differs" for key in changed(row.raw, spec.raw) if key in fixed]
    before, limit = limit_of(_space_of(row.raw), defaults), limit_of(spec.space, defaults)
    if before is not None and limit is not None and limit < before:
        found.append(f"space.{LIMIT}: must be at least {before}, {begun}, but got {limit}")
    return found


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the sections in which two versions of a study file differ; null is as good as absent."""
    return [key for key in sorted(before.keys() | now.keys()) if section_of(before, key) != section_of(now, key)]


def revision(
    before: Mapping[str, Any], spec: StudySpec, trials: Sequence[Trial], defaults: Mapping[str, Any]
) -> Revision:
    """Returns what becomes of `trials` when the file `before` becomes that of `spec`. defaults: the trainable's.

    A trial whose config is none of the space any more is left out; it counts again when the space takes it back. Where
    the limit on epochs was raised, those that wait go on to the new one, and so do the leaders among the completed.
    """
    left_out: dict[int, str] = {}
    for trial in trials:
        try:
            as_config_of(spec.space, trial.config, defaults)
        except NotInSpace as outside:
            left_out[trial.number] = str(outside)
    old, new = limit_of(_space_of(before), defaults), limit_of(spec.space, defaults)
    extended: dict[int, tuple[Mapping[str, Any], Extension]] = {}
    if old is not None and new is not None and new > old:
        inside = [t for t in trials if t.number not in left_out and t.role is Role.SEARCH]
        going = [trial for trial in inside if not trial.state.final]
        eta = None if spec.scheduler.name == "none" else spec.scheduler.eta
        known = {config_key(trial.config) for trial in trials}
        for trial in [*going, *leaders(inside, spec.objective.objective, eta)]:
            config = {**trial.config, LIMIT: new}
            if config_key(config) not in known:  # else another trial is what this one would become
                extended[trial.number] = config, Extension(trial.epochs, trial.config.get(LIMIT, old), new)
    return Revision(tuple(changed(before, spec.raw)), left_out, extended)


def leaders(trials: Sequence[Trial], objective: Objective, eta: int | None) -> list[Trial]:
    """Returns the completed trials that go on where the limit was: the best 1/eta, and every baseline, as they are
    compared with. eta None: nothing is stopped early, so all go on."""
    completed = [trial for trial in trials if trial.state is State.COMPLETED and trial.value(objective) is not None]
    completed.sort(key=lambda trial: (-objective.worst_first(trial.value(objective) or 0.0), trial.number))
    count = len(completed) if eta is None else max(1, len(completed) // eta)
    return completed[:count] + [trial for trial in completed[count:] if trial.baseline is not None]


def adopt(ledger: Ledger, row: StudyRow, spec: StudySpec, trainable: Trainable) -> tuple[StudyRow, list[str]]:
    """Lets the study be what the file says now; returns it, and what to tell the user. The study must be leased.

    One transaction: a crash leaves the study with its old file or with its new one.
    """
    if row.raw == spec.raw and row.objective == spec.objective.objective:
        return row, []
    trials = ledger.trials(row.id)
    if row.objective != spec.objective.objective:
        _ask_for_another_metric(ledger, row, spec.objective.objective, trials)
    found = revision(row.raw, spec, trials, defaults_of(trainable))
    facts = row.facts | {"settings": settings_of(spec), "bounds": bounds_of(spec, trainable)}
    if trials:
        change = {
            "at": time.time(),
            "was": {key: row.raw.get(key) for key in found.changed if key not in _UNTOLD},
            "left_out": sorted(found.left_out),
            "extended": sorted(found.extended),
        }
        facts = facts | {"changes": [*facts.get("changes", []), change]}
    ledger.revise(row.id, raw=spec.raw, facts=facts, left_out=found.left_out, extended=found.extended)
    return ledger.study_of(row.id), news(row, spec, trials, found)


def _ask_for_another_metric(ledger: Ledger, row: StudyRow, objective: Objective, trials: Sequence[Trial]) -> None:
    """Lets a study that has no value yet improve `objective`; what failed because it was not reported goes on."""
    ledger.update_study(row.id, metric=objective.metric, mode=objective.mode)
    for trial in trials:
        if trial.state is State.FAILED and any(objective.metric in report.metrics for report in trial.reports):
            ledger.finish(row.id, trial.number, State.PAUSED, "goes on under the objective that the file has now")


def newly_left_out(trials: Sequence[Trial], found: Revision) -> list[int]:
    """Returns the numbers of those that counted until now."""
    return [trial.number for trial in trials if trial.number in found.left_out and not trial.left_out]


def news(row: StudyRow, spec: StudySpec, trials: Sequence[Trial], found: Revision) -> list[str]:
    """Returns what the user should know of a changed file, a line each."""
    said = []
    new = newly_left_out(trials, found)
    if new:
        listed = ", ".join(str(number) for number in sorted(new)[:8]) + (", ..." if len(new) > 8 else "")
        count = f"{len(new)} of {len(trials)} trials ({listed}) {'lies' if len(new) == 1 else 'lie'}"
        see = beside("show", row.name)
        said.append(f"{row.name}: {count} outside the space as it is now and no longer count; see {see}")
    back = [trial.number for trial in trials if trial.left_out and trial.number not in found.left_out]
    if back:
        said.append(f"{row.name}: {len(back)} trials that were left out count again")
    if found.extended:
        limit = next(iter(found.extended.values()))[1].new_limit
        one = len(found.extended) == 1
        said.append(
            f"{row.name}: {len(found.extended)} trial{' goes' if one else 's go'} on to {limit} epochs; "
            "a run planned for so many from the start would have had another lr_schedule"
        )
    return said


def _space_of(raw: Mapping[str, Any]) -> SearchSpace:
    """Returns the space of a file that was accepted once, without its constraints."""
    return parse_space(raw.get("space") or {}, [], None, Mistakes())


def fingerprint_of(trainable: Trainable, spec: StudySpec, file: str) -> str | None:
    """Changes when the data do. Raises InputMistake where they cannot be read."""
    try:
        return None if trainable.fingerprint is None else trainable.fingerprint(spec.data)
    except (ValueError, OSError) as error:
        raise InputMistake(*(f"{file or spec.study}: {line}" for line in str(error).splitlines())) from error


def wanted_trials(spec: StudySpec, limits: Limits, row: StudyRow, counting: int) -> int | None:
    """Returns the trials in all that file and command ask for; None where no number limits them.

    counting: the trials that there are and that count. A study cut short is first owed what its file asks for.
    """
    if limits.trials is not None:
        return limits.trials
    if limits.more_trials is not None and (row.more is None or row.more.asked != limits.more_trials):
        owed = counting if row.status == Status.FINISHED else max(counting, spec.budget.trials or 0)
        return owed + limits.more_trials
    return spec.budget.trials if row.more is None else row.more.until


def with_limits(spec: StudySpec, limits: Limits, ledger: Ledger, row: StudyRow) -> StudySpec:
    """Returns the spec with this session's number of trials.

    `+N` is kept in the ledger until it is reached, so that the same command after an interruption goes on to the same
    number instead of adding N again.
    """
    trials = wanted_trials(spec, limits, row, sum(trial.counts for trial in ledger.trials(row.id, reports=False)))
    asked = None if limits.trials is not None else limits.more_trials
    if asked is not None and trials is not None and (row.more is None or row.more.asked != asked):
        ledger.want_more(row.id, MoreTrials(asked, trials))
    if trials == spec.budget.trials:
        return spec
    return spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": trials})})
