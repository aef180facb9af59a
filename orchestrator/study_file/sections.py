"""Defines the sections of a study file, `space` aside, as pydantic models, which docs/search-space.md is made of."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.fields import FieldInfo

from orchestrator.disk import GB
from orchestrator.mistake import Mistakes, did_you_mean, join, shown, unknown_field
from orchestrator.plain_data import LARGEST_WHOLE
from orchestrator.study_file.other_words import advice_for, key_in_our_words, value_in_our_words
from orchestrator.trial import Objective


@dataclass(frozen=True)
class Must:
    """Says in words what a field must be, for messages and for docs/search-space.md."""

    words: str


NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
StudyName = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN),
    Must("a name of at most 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit"),
]
Text = Annotated[str, StringConstraints(min_length=1), Must("text, not empty")]
Metric = Annotated[str, StringConstraints(min_length=1), Must("the name of a metric, such as val/hmean")]
TimeOfDay = Annotated[
    str,
    StringConstraints(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$"),
    AfterValidator(lambda text: text.zfill(5)),
    Must("a time of day from 00:00 to 23:59, such as 07:00"),
]
Finite = Annotated[float, Field(allow_inf_nan=False)]
MOST = 1_000_000  # Of whatever is counted: beyond it a number is a slip, and arithmetic with it may overflow.


class Section(BaseModel):
    """Checks itself: no key is unknown, and no value is converted to another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


S = TypeVar("S", bound=Section)


class ObjectiveSpec(Section):
    """Says what the study improves."""

    metric: Metric = Field(
        description="The metric to improve, as the trainable reports it once an epoch.", examples=["val/hmean"]
    )
    mode: Literal["max", "min"] = Field(
        description="Is a larger value better (`max`), or a smaller one (`min`)?", examples=["max"]
    )

    @property
    def objective(self) -> Objective:
        return Objective(self.metric, self.mode)


class SearchSpec(Section):
    """Says how the next config is proposed."""

    sampler: Literal["auto", "random"] = Field(
        default="auto", description="`auto` takes the sampler that does best in our measurements."
    )
    seed: Annotated[int, Ge(0), Le(LARGEST_WHOLE)] = Field(
        default=0, description="The same seed proposes the same configs."
    )


class SchedulerSpec(Section):
    """Says which trials are stopped early."""

    name: Literal["asha", "none"] = Field(
        default="asha",
        description="`asha` stops a trial that is not among the best 1/eta at a rung; `none` lets every trial finish.",
    )
    eta: Annotated[int, Ge(2), Le(MOST)] = Field(
        default=4, description="One trial of `eta` goes on from each rung to the next, `eta` times later."
    )
    grace_epochs: Annotated[int, Ge(1), Le(MOST)] = Field(
        default=1, description="No trial is stopped before it has reported so many epochs."
    )
    metric: Metric | None = Field(
        default=None, description="The metric that decides who goes on; null: the objective's."
    )
    mode: Literal["max", "min"] | None = Field(
        default=None, description="`max` or `min` for `metric`; null: the objective's."
    )


class BudgetSpec(Section):
    """Stops the study at the first of these; 20 trials where neither trials, hours, gpu_hours nor patience is given."""

    trials: Annotated[int, Ge(1), Le(MOST)] | None = Field(
        default=None, description="So many trials, baselines included.", examples=[40]
    )
    hours: Annotated[Finite, Gt(0), Le(MOST)] | None = Field(
        default=None, description="So many hours of wall time, over all starts.", examples=[60]
    )
    gpu_hours: Annotated[Finite, Gt(0), Le(MOST)] | None = Field(
        default=None,
        description="So many hours of GPU, over all trials and starts: two trials with a GPU each use two an hour.",
        examples=[120],
    )
    until: TimeOfDay | None = Field(default=None, description="Until this time of day, local time.", examples=["07:00"])
    target: Finite | None = Field(
        default=None, description="Until a trial reports an objective at least as good.", examples=[0.97]
    )
    patience: Annotated[int, Ge(1), Le(MOST)] | None = Field(
        default=None,
        description="Until so many trials have completed or been pruned since the best value improved.",
        examples=[30],
    )


class FailuresSpec(Section):
    """Says what follows when a trial does not come to its end. A metric or loss that is no finite number fails it."""

    memory_halvings: Annotated[int, Ge(0), Le(MOST)] = Field(
        default=3,
        description="Out of memory: the trial goes on from its checkpoint with half the micro-batch at the same "
        "`batch_size` (`accumulation_steps` doubled), so many times at most.",
    )
    lost_workers: Annotated[int, Ge(1), Le(MOST)] = Field(
        default=3,
        description="A trial whose worker process or machine is lost, or whose process crashes, goes on from its "
        "checkpoint; it fails when it has lost so many without a further epoch, unless other trials lose theirs, too.",
    )
    hangs: Annotated[int, Ge(1), Le(MOST)] = Field(
        default=2,
        description="A trial that hangs is killed and goes on from its checkpoint; it fails when it has hung so many "
        "times without a further epoch.",
    )
    hang_factor: Annotated[Finite, Gt(1), Le(MOST)] = Field(
        default=10.0, description="A trial hangs when its next report takes so many times its longest epoch so far."
    )
    hang_minutes: Annotated[Finite, Gt(0), Le(MOST)] = Field(
        default=5.0, description="No trial is taken to hang sooner than after so many minutes."
    )
    first_report_minutes: Annotated[Finite, Gt(0), Le(MOST)] = Field(
        default=120.0,
        description="The same before the first report of an attempt, which loads data, compiles, downloads.",
    )
    equal_exceptions: Annotated[int, Ge(1), Le(MOST)] | None = Field(
        default=3,
        description="The study stops when so many trials in a row raised the same exception at the same place and "
        "none got further; the next start tries them again. null: it never does.",
    )


class ResourcesSpec(Section):
    """Says what one trial takes of the machine."""

    gpu: Annotated[Finite, Ge(0), Le(MOST)] | Literal["auto"] = Field(
        default="auto",
        description="GPUs a trial takes, a share such as 0.5 too; `auto`: 1 where the machine has one, else 0.",
        examples=[1],
    )
    cpu: Annotated[Finite, Gt(0), Le(MOST)] = Field(default=1.0, description="CPU cores a trial takes.", examples=[4])
    concurrent: Annotated[int, Ge(1), Le(MOST)] | Literal["auto"] = Field(
        default="auto", description="Trials at the same time at most; `auto`: as many as fit the machine."
    )
    fresh_process: bool = Field(
        default=False,
        description="`true`: each trial has a process of its own, whatever the trial before left behind; it costs the "
        "start of Python and the trainable's imports for each trial, with torch some seconds.",
    )

    @property
    def threads(self) -> int:
        """Returns how many threads the numeric libraries of one trial use."""
        return max(1, int(self.cpu))


class CheckpointsSpec(Section):
    """Says what checkpoints may take of the disk."""

    quota_gb: Annotated[Finite, Gt(0), Le(MOST)] | None = Field(
        default=None,
        description="What they may take in all, in GB; beyond it finished trials give theirs up, the worst first, but "
        "never the best of the study or the newest of an unfinished trial; null: as much as there are.",
        examples=[50],
    )
    reserve_gb: Annotated[Finite, Ge(0), Le(MOST)] = Field(
        default=1.0,
        description="What must stay free on the disk, in GB; with less the study pauses until there is room again.",
    )

    @property
    def quota(self) -> int | None:
        """Returns the quota in bytes."""
        return None if self.quota_gb is None else round(self.quota_gb * GB)

    @property
    def reserve(self) -> int:
        """Returns the reserve in bytes."""
        return round(self.reserve_gb * GB)


class TrackingSpec(Section):
    """Says where MLflow keeps the runs."""

    uri: Text | None = Field(
        default=None,
        description="An MLflow tracking URI, without a password, which goes into MLFLOW_TRACKING_PASSWORD; null: "
        "MLFLOW_TRACKING_URI, else an embedded store in the home.",
        examples=[None],
    )


class SourceSpec(Section):
    """Says where a config comes from: written by `tune best`, never by hand."""

    study: StudyName = Field(description="The study it won.", examples=["hrnet"])
    trial: Annotated[int, Ge(1), Le(MOST)] = Field(description="The number of the trial.", examples=[7])
    value: Finite | None = Field(
        default=None, description="The best value of the objective in that trial.", examples=[0.9618]
    )
    epoch: Annotated[int, Ge(1), Le(MOST)] | None = Field(
        default=None, description="The epoch of that value.", examples=[7]
    )
    checkpoint: Text | None = Field(
        default=None,
        description="The checkpoint of that epoch.",
        examples=["runs/hrnet/trials/0007/checkpoint/epoch-0007"],
    )


def read_section(model: type[S], raw: Any, path: str, mistakes: Mistakes) -> S | None:
    """Returns the section; None, with one entry in `mistakes` for each wrong field, where it is wrong."""
    if not isinstance(raw, dict):
        example = ", ".join(
            f"{name}: {shown(example_of(field))}" for name, field in list(model.model_fields.items())[:2]
        )
        mistakes.add(path, f"must be a mapping such as {{{example}}}, but got {shown(raw)}")
        return None
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for name in dict.fromkeys(str(mistake["loc"][0]) for mistake in error.errors(include_url=False)):
            report_field(model, name, raw, path, mistakes)
        return None


def report_field(model: type[BaseModel], name: str, raw: Mapping[str, Any], path: str, mistakes: Mistakes) -> None:
    """Adds to `mistakes`, in our words rather than pydantic's, what is wrong with one field of a section."""
    field = model.model_fields.get(name)
    if field is None:
        mistakes.add(path, unknown_field(name, model.model_fields, advice_for(path, name, raw[name])), key=name)
    elif name not in raw:
        near = [key for key in raw if key not in model.model_fields and _is_meant(path, key, raw[key], name)]
        if not near:  # Otherwise the unknown field is reported, with this one as a suggestion.
            mistakes.add(
                join(path, name), f"must be given, as {field_words(field)}; add `{name}: {_plain(example_of(field))}`"
            )
    else:
        choices = [choice for choice in _literals(field.annotation) if isinstance(choice, str)]
        meant = value_in_our_words(join(path, name), raw[name])
        hint = did_you_mean(raw[name], choices)
        hint = f"; write `{meant}`" if meant and f"`{meant}`" not in hint else hint
        most, value = _upper_bound(field.annotation, field.metadata), raw[name]
        beyond = most is not None and isinstance(value, (int, float)) and most < value != math.inf
        words = f"at most {most}" if beyond else field_words(field)
        mistakes.add(join(path, name), f"must be {words}, but got {shown(value)}{hint}")


def _is_meant(section: str, key: Any, value: Any, name: str) -> bool:
    """Returns whether an unknown key of a section is reported with `name` as what was meant."""
    meant = key_in_our_words(section, key, value) if isinstance(key, str) else None
    return bool(did_you_mean(key, [name])) or (meant or "").startswith(f"{name}:")


def field_words(field: FieldInfo) -> str:
    """Says what a field must be: `a whole number, at least 1, or null`."""
    return _words(field.annotation, field.metadata)


def _words(hint: Any, metadata: typing.Sequence[Any] = ()) -> str:
    for item in metadata:
        if isinstance(item, Must):
            return item.words
    origin = get_origin(hint)
    if origin is Annotated:
        kind, *inner = get_args(hint)
        return _words(kind, [*inner, *metadata])
    if origin in (Union, types.UnionType):
        return ", or ".join(_words(part) for part in get_args(hint))
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(hint))
    kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}
    bounds = [f", at least {item.ge}" for item in metadata if isinstance(item, Ge)]
    bounds += [f", above {item.gt}" for item in metadata if isinstance(item, Gt)]
    return kinds.get(hint, "a value") + "".join(bounds)


def _upper_bound(hint: Any, metadata: typing.Sequence[Any] = ()) -> int | None:
    """Returns what a number of the type may be at most, which words leave out: only a slip is beyond it."""
    for item in metadata:
        if isinstance(item, Le):
            return typing.cast(int, item.le)
    kind, *inner = get_args(hint) if get_origin(hint) is Annotated else (None,)
    if kind is not None:
        return _upper_bound(kind, inner)
    return next((bound for part in get_args(hint) if (bound := _upper_bound(part)) is not None), None)


def _literals(hint: Any) -> tuple[Any, ...]:
    """Returns the choices of every Literal in the type."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for part in get_args(hint) for choice in _literals(part))


def example_of(field: FieldInfo) -> Any:
    """Returns the field's example, else its default; None where it has neither."""
    return field.examples[0] if field.examples else None if field.is_required() else field.default


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
