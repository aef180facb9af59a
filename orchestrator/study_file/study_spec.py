"""Parses a study file, checks everything in it, and reports every mistake at once."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestrator.errors import InputMistake
from orchestrator.home import is_own
from orchestrator.mistake import Mistakes, did_you_mean, shown, unknown_field
from orchestrator.plain_data import plain
from orchestrator.space.config_field import ConfigField, config_fields
from orchestrator.space.search_space import SearchSpace, Unsatisfiable
from orchestrator.space.space_parser import parse_space
from orchestrator.study_file.baselines import Baseline, parse_baselines
from orchestrator.study_file.composition import Sources, read_study_file
from orchestrator.study_file.keys import read_data, read_storage, read_warm_start, report_secrets
from orchestrator.study_file.other_words import advice_for, section_meant
from orchestrator.study_file.sections import (
    BudgetSpec,
    CheckpointsSpec,
    FailuresSpec,
    Must,
    ObjectiveSpec,
    ResourcesSpec,
    SchedulerSpec,
    SearchSpec,
    Section,
    SourceSpec,
    StudyName,
    Text,
    TrackingSpec,
    read_section,
    report_field,
)
from trainables.trainable import BUILT_IN, Trainable, UnknownTrainable, load_trainable

__all__ = ["Baseline", "StudySpec", "load_study", "parse_study"]

DEFAULT_TRIALS = 20
_BUILT = 50  # So many configs are drawn and built by the trainable's Config before any is trained.
SECTIONS: dict[str, type[Section]] = {
    "objective": ObjectiveSpec,
    "search": SearchSpec,
    "scheduler": SchedulerSpec,
    "budget": BudgetSpec,
    "failures": FailuresSpec,
    "resources": ResourcesSpec,
    "checkpoints": CheckpointsSpec,
    "tracking": TrackingSpec,
    "source": SourceSpec,
}


class StudySpec(BaseModel):
    """Holds a checked study file. raw: the mapping that it came from, with `extends` and `--set` applied."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)

    study: StudyName = Field(
        description="The name of the study: its folder, its MLflow experiment.", examples=["hrnet"]
    )
    trainable: Text = Field(
        description="What is trained: a built-in name, or `package.module:callable`, found from the folder that "
        "`tune` is started in.",
        examples=["detection"],
    )
    objective: ObjectiveSpec = Field(description=ObjectiveSpec.__doc__)
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="What the trainable learns from. `root` is a folder, relative to the one that `tune` is started "
        "in, or `synthetic/...`, which draws its own. `accept` lists findings of `tune check` that stop no start. The "
        "other keys belong to the trainable.",
        examples=[{"root": "data/receipts", "folds": 5, "fold": 0}],
    )
    space: SearchSpace = Field(description="The names that make up a config, each with its domain.")
    constraints: tuple[str, ...] = Field(
        default=(),
        description="What must hold between names: arithmetic and comparisons.",
        examples=[["lr * batch_size <= 8e-3"]],
    )
    baselines: list[Baseline] = Field(
        default_factory=list,
        description="Configs that are tried first, and that the report compares with.",
        examples=[[{"name": "best by hand", "lr": 4.5e-4}]],
    )
    warm_start: Annotated[tuple[StudyName, ...], Must("a list of names of studies")] = Field(
        default=(),
        description="Other studies of the same ledger with the same objective: the best three of their configs that "
        "lie in this space are tried right after the baselines, and a sampler that learns is told their results.",
        examples=[["hrnet-last-month"]],
    )
    search: SearchSpec = Field(default_factory=SearchSpec, description=SearchSpec.__doc__)
    scheduler: SchedulerSpec = Field(default_factory=SchedulerSpec, description=SchedulerSpec.__doc__)
    budget: BudgetSpec = Field(default_factory=BudgetSpec, description=BudgetSpec.__doc__)
    failures: FailuresSpec = Field(default_factory=FailuresSpec, description=FailuresSpec.__doc__)
    resources: ResourcesSpec = Field(default_factory=ResourcesSpec, description=ResourcesSpec.__doc__)
    checkpoints: CheckpointsSpec = Field(default_factory=CheckpointsSpec, description=CheckpointsSpec.__doc__)
    storage: Text | None = Field(
        default=None,
        description="Where checkpoints go: a folder that all machines see, or the URL of an object store (s3://, "
        "gs://, or what else pyarrow or fsspec knows), whose keys come from the environment; null: the home.",
        examples=["s3://bucket/nightsweep"],
    )
    tracking: TrackingSpec = Field(default_factory=TrackingSpec, description=TrackingSpec.__doc__)
    source: SourceSpec | None = Field(default=None, description=SourceSpec.__doc__)
    raw: dict[str, Any] = Field(repr=False)

    @property
    def accepted(self) -> tuple[str, ...]:
        """Returns the kinds of findings that `data.accept` takes as they are."""
        return tuple((self.raw.get("data") or {}).get("accept") or ())


_OPTIONAL = {name for name, field in StudySpec.model_fields.items() if not field.is_required()}
WRITTEN = tuple(name for name in StudySpec.model_fields if name != "raw")  # The keys of a study file, `extends` aside.


def section_of(raw: Mapping[str, Any], key: str) -> Any:
    """Returns a section as far as the values of trials depend on it.

    What is accepted of the data changes none, nor does what becomes of bad pictures: no trial has a value of them.
    """
    section = raw.get(key)
    if key == "data" and isinstance(section, Mapping):
        needless = ("accept", "on_bad") if raw.get("trainable") in BUILT_IN else ("accept",)
        return {name: value for name, value in section.items() if name not in needless}
    return section


def load_study(path: Path | str, overrides: Sequence[str] = ()) -> StudySpec:
    """Returns the study in the file, each override `KEY=VALUE` applied. Raises InputMistake with every mistake."""
    return _parse(*read_study_file(Path(path), overrides))


def parse_study(raw: Mapping[str, Any], file: str) -> StudySpec:
    """Returns the study that a mapping describes, such as the `raw` of another. file: its name in messages.

    Raises InputMistake with every mistake.
    """
    return _parse(plain(raw), Sources(file))


def _parse(raw: dict[str, Any], sources: Sources) -> StudySpec:
    """Returns the study that `raw` describes. Raises InputMistake with every mistake, each with its source."""
    mistakes = Mistakes()
    # A section whose lines are all commented out is null, which counts as absent.
    raw = {key: value for key, value in raw.items() if value is not None or key not in _OPTIONAL}
    for key in raw:
        if key not in WRITTEN:
            mistakes.add("", unknown_field(key, (*WRITTEN, "extends"), advice_for("", key, raw[key])), key=key)
    report_secrets(raw, mistakes)
    found: dict[str, Any] = {key: _scalar(key, raw, mistakes) for key in ("study", "trainable")}
    if found["study"] is not None and is_own(found["study"]):
        mistakes.add("study", f"must not be {shown(found['study'])}, which a home holds beside its studies; rename it")
    for key, model in SECTIONS.items():
        if key in raw:
            found[key] = read_section(model, raw[key], key, mistakes)
        elif StudySpec.model_fields[key].is_required():
            _report_missing(key, raw, mistakes)
    found["scheduler"] = _scheduler(found.get("scheduler"), found.get("objective"), mistakes)
    found["budget"] = _budget(found.get("budget"))
    found["data"] = read_data(raw.get("data", {}), mistakes)
    if "storage" in raw:
        found["storage"] = read_storage(raw["storage"], mistakes)
        raw = raw | {"storage": found["storage"]}  # It is the same folder wherever `tune` is started next.
    found["warm_start"] = read_warm_start(raw.get("warm_start", []), found["study"], mistakes)
    trainable, fields = _load(found["trainable"], mistakes) if found["trainable"] is not None else (None, None)
    _report_metrics(found, trainable, mistakes)
    _read_space(raw, trainable, fields, found, mistakes)
    if mistakes:
        raise InputMistake(*(sources.line(mistake) for mistake in mistakes))
    return StudySpec(**{key: value for key, value in found.items() if value is not None}, raw=raw)


def _scalar(key: str, raw: Mapping[str, Any], mistakes: Mistakes) -> str | None:
    if key not in raw:
        _report_missing(key, raw, mistakes)
        return None
    try:
        return TypeAdapter({"study": StudyName, "trainable": Text}[key]).validate_python(raw[key], strict=True)
    except ValidationError:
        report_field(StudySpec, key, raw, "", mistakes)
        return None


def _report_missing(key: str, raw: Mapping[str, Any], mistakes: Mistakes) -> None:
    example = {"objective": "{metric: val/hmean, mode: max}", "space": "{lr: {low: 1e-4, high: 1e-3, log: true}}"}.get(
        key
    )
    if any(did_you_mean(other, [key]) or section_meant(str(other)) == key for other in raw if other not in WRITTEN):
        return  # The unknown key is reported, with this one as a suggestion.
    if example is None:
        report_field(StudySpec, key, raw, "", mistakes)
    else:
        mistakes.add(key, f"must be given; add `{key}: {example}`")


def _scheduler(
    scheduler: SchedulerSpec | None, objective: ObjectiveSpec | None, mistakes: Mistakes
) -> SchedulerSpec | None:
    if scheduler is None or objective is None or scheduler.mode is not None:
        return scheduler
    if scheduler.metric not in (None, objective.metric):
        must = "must be given beside a `metric` of its own, as `max` or `min`"
        mistakes.add("scheduler.mode", f"{must}; add `mode: ...`")
    return scheduler


def _budget(budget: BudgetSpec | None) -> BudgetSpec:
    """Returns the budget, with the default number of trials where nothing else limits the study."""
    budget = budget or BudgetSpec()
    if all(limit is None for limit in (budget.trials, budget.hours, budget.gpu_hours, budget.patience)):
        return budget.model_copy(update={"trials": DEFAULT_TRIALS})
    return budget


def _load(name: str, mistakes: Mistakes) -> tuple[Trainable | None, dict[str, ConfigField] | None]:
    """Returns the trainable and the fields of its Config; None, after adding a mistake, where it cannot be imported."""
    try:
        trainable = load_trainable(name)
        return trainable, config_fields(trainable.Config)
    except UnknownTrainable as unknown:
        mistakes.add("trainable", f"{unknown}{did_you_mean(name, BUILT_IN)}")
    except (Exception, SystemExit) as error:  # A user's module may raise anything when it is imported.
        said = f"{type(error).__name__}: {error}"
        mistakes.add("trainable", f"must be importable, but {shown(name)} raised {said}; mend that module")
    return None, None


def _report_metrics(found: Mapping[str, Any], trainable: Trainable | None, mistakes: Mistakes) -> None:
    """Reports a metric to be improved, or to decide who goes on, that the trainable does not report."""
    if trainable is None or trainable.yields is None:
        return
    for section in ("objective", "scheduler"):
        metric = getattr(found.get(section), "metric", None)
        if metric is not None and metric not in trainable.yields:
            hint = did_you_mean(metric, trainable.yields) or f"; it reports {', '.join(trainable.yields)}"
            must = f"must be a metric that `{trainable.name}` reports"
            mistakes.add(f"{section}.metric", f"{must}, but got {shown(metric)}{hint}")


def _read_space(
    raw: Mapping[str, Any],
    trainable: Trainable | None,
    fields: Mapping[str, ConfigField] | None,
    found: dict[str, Any],
    mistakes: Mistakes,
) -> None:
    """Reads `space`, `constraints` and `baselines` into `found`. fields: None if the trainable could not be loaded."""
    # A search space under another tool's name is read, too, so that all of its words are answered at once.
    others = (raw[key] for key in raw if key not in WRITTEN and section_meant(str(key)) == "space")
    space_raw, texts = raw.get("space", next(others, None)), raw.get("constraints", [])
    if "space" not in raw:
        _report_missing("space", raw, mistakes)
    elif not isinstance(space_raw, dict):
        mistakes.add("space", f"must be a mapping of names to domains, but got {shown(space_raw)}")
    if not isinstance(texts, list):
        mistakes.add("constraints", f'must be a list such as ["lr * batch_size <= 8e-3"], but got {shown(texts)}')
        texts = []
    if not isinstance(space_raw, dict):
        return
    before = len(mistakes)
    space = parse_space(space_raw, texts, fields, mistakes)
    # Without the constraints where there are mistakes, so that the baselines do not repeat them.
    checked = space if len(mistakes) == before else SearchSpace(space.parameters)
    baselines = parse_baselines(raw.get("baselines", []), space_raw, checked, fields, mistakes)
    found.update(
        space=space, constraints=tuple(constraint.text for constraint in space.constraints), baselines=baselines
    )
    if len(mistakes) == before and trainable is not None and trainable.Config is not None:
        _build_some(space, baselines, trainable, mistakes)


def _build_some(space: SearchSpace, baselines: Sequence[Baseline], trainable: Trainable, mistakes: Mistakes) -> None:
    """Builds some configs, and reports those that the trainable's Config refuses, before a trial fails on them."""
    rng = random.Random(0)
    places = [(f"baselines[{index}]", baseline.values) for index, baseline in enumerate(baselines)]
    places += [("space", {})] * (_BUILT if space.searched else 1)
    refused: set[str] = set()
    for path, values in places:
        try:
            config = space.complete(values, rng) if values else space.sample(rng)
        except Unsatisfiable:
            return
        try:
            trainable.build_config(config)
        except Exception as error:  # A user's __post_init__ may raise anything.
            if len(refused) < 3 and f"{path} {error}" not in refused:
                refused.add(f"{path} {error}")
                mistakes.add(path, f"every config must suit the trainable, but it refuses {shown(config)}: {error}")
