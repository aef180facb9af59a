"""Reads a study's ledger row into the plain facts that a report speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.checkpoints.inventory import Inventory
from orchestrator.home import Home, trial_directory
from orchestrator.mistake import Mistakes
from orchestrator.plain_data import canonical, is_number
from orchestrator.space.domain import Categorical, Domain, Fixed
from orchestrator.space.search_space import Parameter, SearchSpace
from orchestrator.space.space_parser import parse_space
from orchestrator.step import Step
from orchestrator.study.budget import used_of
from orchestrator.trial import Objective, State, Trial, best_trial
from reports.numbers.repeats import Repeat, original_of, repeats_of

if TYPE_CHECKING:
    from orchestrator.ledger import StudyRow  # It would bring in the database, which a report does not need.

# The defaults of a study whose ledger is older than the settings that are kept with every study now.
SCHEDULER = {"name": "asha", "eta": 4, "grace_epochs": 1}


@dataclass(frozen=True)
class StudyView:
    """Describes one study, as far as a report speaks of it.

    searched: name -> {"low", "high", "log", "step"} or {"choices"}, beside "when" (conditions) and "by" with "domains"
    (a list of such mappings, each with the "value" of the other name that it belongs to), where there are any.
    fixed: name -> its one value. facts: command or file, git commit, versions, data fingerprint, as the runner kept
    them. seconds: wall time of all runs of the driver. trial_directory: holds 0001/, 0002/, ...
    """

    name: str
    status: str  # running, paused, finished, interrupted, failed
    reason: str | None
    objective: Objective
    trials: list[Trial]
    searched: Mapping[str, Mapping[str, Any]]
    fixed: Mapping[str, Any]
    scheduler: Mapping[str, Any]  # name, eta, grace_epochs
    facts: Mapping[str, Any]
    seconds: float
    trial_directory: Path
    budget: Mapping[str, Any] = field(default_factory=dict)  # trials, hours
    resources: Mapping[str, Any] = field(default_factory=dict)  # gpu, cpu of one trial
    trainable: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    home: Path | None = None  # None for the default, ./runs
    ledger: str | None = None  # the team's, as --ledger takes it, without a password; None for the home's own
    created: float | None = None  # unix time
    source: Mapping[str, Any] = field(default_factory=dict)  # study and trial that a single config came from
    left_out: tuple[Trial, ...] = ()  # none of `trials`: they lie outside the space as it is now
    checkpoint: str | None = None  # of the best trial's best epoch: its folder or URL
    failed_steps: tuple[Step, ...] = ()  # such as a scoring on the test split
    used: Mapping[str, float] = field(default_factory=dict)  # of the budget: hours, gpu_hours, ...
    sampler: str = "auto"  # as the study file has it
    more_until: int | None = None  # trials in all, while there are fewer than `--trials +N` asked for
    space: SearchSpace = field(default_factory=lambda: SearchSpace({}))  # with its constraints
    repeat_of: tuple[str, int] | None = None  # study and trial of the ledger that this one trained once more
    repeats: tuple[Repeat, ...] = ()  # of the best trial, with other seeds, in studies of their own
    names: frozenset[str] = frozenset()  # of the other studies of the home: taken

    @property
    def so_far(self) -> bool:
        """Returns whether more trials may come without anybody asking for them."""
        return self.status in ("running", "paused", "interrupted")

    def limits_of(self, name: str, config: Mapping[str, Any]) -> dict[str, float]:
        """Returns what the trainable takes for a name, as far as it is known: low, high, above, below.

        Epochs of one kind or another, such as those of a warm-up, end before the last epoch of `config`.
        """
        limits = dict((self.facts.get("bounds") or {}).get(name) or {})
        epochs = config.get("epochs")
        if name.endswith("_epochs") and isinstance(epochs, int):
            limits["high"] = min(limits.get("high", epochs - 1), epochs - 1)
        return limits

    def domain_of(self, name: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the domain that a searched name has beside the values of `config`; {} where it is not known."""
        domain = self.searched.get(name, {})
        for each in domain.get("domains", ()):
            if canonical(each["value"]) == canonical(config.get(domain["by"])):
                return each
        return domain


def view(
    row: StudyRow,
    trials: Sequence[Trial],
    home: Path,
    *,
    ledger: str | None = None,
    gpu_seconds: float = 0.0,
    steps: Sequence[Step] = (),
    others: Sequence[tuple[StudyRow, Sequence[Trial]]] = (),
    names: Iterable[str] = (),
) -> StudyView:
    """Reads the study of a ledger row. Nothing is imported for it: the trainable need not be there.

    ledger: a team's, for the commands that are advised. gpu_seconds: of all attempts. others: the studies that may hold
    repeats of the best trial, with their trials. names: of all studies.
    """
    raw = row.raw
    counted = [trial for trial in trials if trial.counts]
    # Mistakes in the file do not matter here: it was accepted once.
    space = parse_space(raw.get("space") or {}, raw.get("constraints") or [], None, Mistakes())
    searched, fixed = _space(raw, space, counted)
    best = best_trial(list(trials), row.objective)
    return StudyView(
        name=row.name,
        status=row.status,
        reason=row.reason,
        objective=row.objective,
        trials=counted,
        searched=searched,
        fixed=fixed,
        scheduler=_scheduler(row),
        sampler=str((raw.get("search") or {}).get("sampler", "auto")),
        facts=row.facts,
        seconds=row.seconds,
        trial_directory=trial_directory(Home.at(home).study(row.name), 1).parent,
        budget=raw.get("budget") or {},
        resources=raw.get("resources") or {},
        trainable=str(raw.get("trainable", "")),
        data=raw.get("data") or {},
        home=None if Home.at(home) == Home.at("runs") else home,
        ledger=ledger,
        created=row.created,
        source=raw.get("source") or {},
        left_out=tuple(trial for trial in trials if trial.left_out is not None),
        checkpoint=None
        if best is None
        else Inventory.of(raw, row.uid, row.name, Home.at(home)).best_address(best, row.objective),
        failed_steps=tuple(step for step in steps if step.state is State.FAILED),
        more_until=None if row.more is None else row.more.until,
        used=used_of(row, list(trials), gpu_seconds),
        space=space,
        repeat_of=original_of(row, best, others),
        repeats=repeats_of(best, others),
        names=frozenset(names) - {row.name},
    )


def _scheduler(row: StudyRow) -> dict[str, Any]:
    """Returns the scheduler's settings, with the defaults that held when the study was started."""
    kept = row.facts.get("settings", {}).get("scheduler", SCHEDULER)
    return dict(kept) | dict(row.raw.get("scheduler") or {})


def _space(
    raw: Mapping[str, Any], space: SearchSpace, trials: Sequence[Trial]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Returns (searched, fixed).

    What the file leaves open, such as a name that is no longer in it, is read off the trials.
    """
    written = raw.get("space") or {}
    searched = {name: _described(space.parameters[name], space) for name in space.searched}
    fixed = dict(space.fixed)
    tried: dict[str, dict[str, Any]] = {}  # name -> its different values
    for trial in trials:
        for name, value in trial.config.items():
            if name not in searched and name not in fixed:
                tried.setdefault(name, {})[canonical(value)] = value
    for name, values in tried.items():
        if len(values) == 1 and not _is_range(written.get(name)):
            fixed[name] = next(iter(values.values()))
        else:
            searched[name] = {} if all(map(is_number, values.values())) else {"choices": list(values.values())}
    return searched, fixed


def _is_range(written: Any) -> bool:
    """Returns whether the file writes several values for the name."""
    return isinstance(written, list) or (isinstance(written, Mapping) and "value" not in written)


def _described(parameter: Parameter, space: SearchSpace) -> dict[str, Any]:
    """Returns the domain of a parameter as StudyView.searched has it."""
    when = {"when": {name: list(values) for name, values in parameter.when.items()}} if parameter.when else {}
    if parameter.by is None:
        return _plain(parameter.domain) | when
    if parameter.by.parent in space.fixed:
        return _plain(parameter.by.domain(space.fixed[parameter.by.parent])) | when
    each = [{"value": value} | _plain(domain) for value, domain in parameter.by.domains]
    return _around([*each, _plain(parameter.by.default)]) | {"by": parameter.by.parent, "domains": each} | when


def _plain(domain: Domain | None) -> dict[str, Any]:
    """Returns a domain as a mapping; {} for none."""
    if domain is None:
        return {}
    if isinstance(domain, Categorical):
        return {"choices": list(domain.choices)}
    if isinstance(domain, Fixed):
        return {"choices": [domain.value]}
    return {"low": domain.low, "high": domain.high, "log": domain.log, "step": domain.step}


def _around(domains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns a range around ranges, or all choices of choices; {} where both kinds are mixed."""
    given = [domain for domain in domains if "choices" in domain or "low" in domain]
    if given and all("low" in domain for domain in given):
        return {
            "low": min(domain["low"] for domain in given),
            "high": max(domain["high"] for domain in given),
            "log": any(domain["log"] for domain in given),
            "step": None,
        }
    if given and all("choices" in domain for domain in given):
        return {"choices": list({canonical(c): c for domain in given for c in domain["choices"]}.values())}
    return {}
