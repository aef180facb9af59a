"""Checks that a study file is read as documented, and that every mistake is reported at once, with its path."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InputMistake
from orchestrator.space.domain_parser import KEYS
from orchestrator.space.membership import as_config_of
from orchestrator.space.search_space import Categorical, Fixed, Float, Int
from orchestrator.study_file.study_spec import WRITTEN, StudySpec, load_study, parse_study
from orchestrator.study_file.yaml_file import write_yaml
from orchestrator.trial import Objective

LEARNER = """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import Any, Literal
from trainables.trainable import setting

@dataclass(frozen=True)
class Config:
    size: int                                     # no default: every study must give it
    backbone: str = setting("resnet18", "network", choices=("resnet18", "resnet34", "convnext_tiny", "hrnet_w44"))
    lr: float = setting(1e-3, "learning rate", above=0, high=1)
    lr_schedule: Literal["cosine", "onecycle", "constant"] = setting("cosine", "shape")
    epochs: int = setting(20, "epochs", low=1, high=500)
    warmup_epochs: float = setting(0.0, "warm-up", low=0)
    batch_size: int = setting(8, "images a step", low=1)
    weight_decay: float = setting(1e-4, "decay", low=0, below=1)
    clip: float | None = setting(None, "largest norm", above=0)
    resolution: int | dict[int, int] = setting(640, "pixels", low=32)
    stages: list[int] = setting([1, 2], "which stages", low=1)
    layers: list[str] = setting(["a"], "which layers", choices=("a", "b", "c"))
    ema: bool = setting(False, "average weights")
    pair: tuple[int, float] = (1, 0.5)
    anything: Any = None
    derived: int = field(default=0, init=False)

    def __post_init__(self):
        if isinstance(self.size, int) and self.size % 32:
            raise ValueError(f"size: must be a multiple of 32, but got {self.size}")

def train(config, run):
    yield {"val/score": 0.0}
"""

BASE: dict[str, Any] = {
    "study": "s",
    "trainable": "learner_of_these_tests",
    "objective": {"metric": "val/score", "mode": "max"},
    "space": {"size": 64, "lr": {"low": 1e-4, "high": 1e-2, "log": True}},
}

INTERFACE = """\
# Text detection with HRNet-W44: how light may explicit regularisation be?
study: hrnet
trainable: learner_of_these_tests
objective: {metric: val/hmean, mode: max}
data: {root: data/receipts, folds: 5, fold: 0}      # `synthetic/receipts` draws its own
space:
  size: 64
  backbone: hrnet_w44                               # a value is fixed
  lr: {low: 1e-4, high: 1e-3, log: true}            # low and high make a range; 1e-4 is a number here
  lr_schedule: [cosine, onecycle, constant]         # a list is a choice
  warmup_epochs: {low: 0, high: 3}                  # the trainable's type decides
  batch_size: {low: 4, high: 16, step: 4}
  weight_decay:                                     # one name, a domain per backbone
    by: backbone
    hrnet_w44: {low: 5e-5, high: 1.5e-4, log: true}
    default: {low: 8e-5, high: 3e-4, log: true}
  clip: {low: 0.5, high: 5.0, when: {backbone: [convnext_tiny]}}
  resolution: {value: {1: 640, 5: 960}}             # `value` fixes a list or a mapping
constraints: ["lr * batch_size <= 8e-3"]            # arithmetic and comparisons over names, nothing else
baselines:                                          # tried first; the report compares with them
  - {name: best by hand, lr: 4.5e-4, weight_decay: 8.2e-5}
search: {sampler: auto, seed: 0}
scheduler: {name: asha, eta: 4, grace_epochs: 1}
budget: {trials: 40, hours: 60}
resources: {gpu: 1, cpu: 4, concurrent: auto}
tracking: {uri: null}
"""


@pytest.fixture(autouse=True)
def _learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "learner_of_these_tests.py").write_text(LEARNER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., StudySpec]:
    """`load(text_or_mapping, "space.lr=1")`: the study of a file `s.yaml`."""

    def load(content: str | bytes | dict[str, Any] = "", *overrides: str) -> StudySpec:
        path = tmp_path / "s.yaml"
        if isinstance(content, dict):
            content = write_yaml(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load_study(Path("s.yaml"), overrides)

    return load


@pytest.fixture
def mistakes(load: Callable[..., StudySpec]) -> Callable[..., list[str]]:
    def mistakes(content: str | bytes | dict[str, Any] = "", *overrides: str) -> list[str]:
        with pytest.raises(InputMistake) as caught:
            load(content, *overrides)
        assert str(caught.value) == "\n".join(caught.value.lines)
        assert all("\n" not in line and line.startswith("s.yaml: ") for line in caught.value.lines)
        return [line.removeprefix("s.yaml: ") for line in caught.value.lines]

    return mistakes


def changed(**sections: Any) -> dict[str, Any]:
    return {key: value for key, value in (BASE | sections).items() if value is not ...}


def space(**names: Any) -> dict[str, Any]:
    return changed(space=BASE["space"] | names)


# What is read


@pytest.mark.parametrize(
    ("trainable", "section", "said"),
    [
        ("detection", {"objective": {"metric": "val/hmaen", "mode": "max"}}, "did you mean `val/hmean`?"),
        ("recognition", {"scheduler": {"metric": "val/nde", "mode": "max"}}, "did you mean `val/ned`?"),
        ("detection", {"objective": {"metric": "F1", "mode": "max"}}, "; it reports train/loss, lr, "),
    ],
)
def test_a_metric_that_a_trainable_does_not_report_is_a_mistake_of_the_file(trainable, section, said):
    metric = {"detection": "val/hmean", "recognition": "val/acc"}[trainable]
    raw = {"study": "s", "trainable": trainable, "objective": {"metric": metric, "mode": "max"}, "space": {"lr": 0.1}}
    assert parse_study(raw, "s.yaml").objective.metric == metric
    with pytest.raises(InputMistake) as caught:
        parse_study(raw | section, "s.yaml")
    [line] = caught.value.lines
    [key] = section
    got = f"must be a metric that `{trainable}` reports, but got '{section[key]['metric']}'"
    assert line.startswith(f"s.yaml: {key}.metric: {got}") and said in line


def test_the_file_of_the_documentation_is_read_whole(load, tmp_path):
    spec = load(INTERFACE)
    assert (spec.study, spec.trainable) == ("hrnet", "learner_of_these_tests")
    assert spec.objective.objective == Objective("val/hmean", "max")
    assert spec.data == {"root": str(tmp_path / "data/receipts"), "folds": 5, "fold": 0}
    assert spec.raw["data"]["root"] == "data/receipts"
    domains = {name: parameter.domain for name, parameter in spec.space.parameters.items()}
    assert domains["backbone"] == Fixed("hrnet_w44") and domains["resolution"] == Fixed({1: 640, 5: 960})
    assert domains["lr"] == Float(1e-4, 1e-3, log=True)
    assert domains["lr_schedule"] == Categorical(("cosine", "onecycle", "constant"))
    assert domains["warmup_epochs"] == Float(0, 3)  # The bounds are whole, but the field is a float.
    assert domains["batch_size"] == Int(4, 16, step=4)
    decay = spec.space.parameters["weight_decay"].by
    assert decay.domain("hrnet_w44") == Float(5e-5, 1.5e-4, log=True) and decay.domain("x") == Float(
        8e-5, 3e-4, log=True
    )
    assert spec.space.parameters["clip"].when == {"backbone": ("convnext_tiny",)}
    assert spec.constraints == ("lr * batch_size <= 8e-3",)
    assert [(b.name, b.values) for b in spec.baselines] == [("best by hand", {"lr": 4.5e-4, "weight_decay": 8.2e-5})]
    assert (spec.search.sampler, spec.search.seed) == ("auto", 0)
    assert (spec.scheduler.name, spec.scheduler.eta, spec.scheduler.grace_epochs) == ("asha", 4, 1)
    assert (spec.budget.trials, spec.budget.hours, spec.budget.until) == (40, 60.0, None)
    assert (spec.resources.gpu, spec.resources.cpu, spec.resources.concurrent) == (1.0, 4.0, "auto")
    assert spec.tracking.uri is None and spec.source is None
    for seed in range(200):
        config = spec.space.sample(random.Random(seed))
        assert config["lr"] * config["batch_size"] <= 8e-3 and "clip" not in config
        assert config["resolution"] == {1: 640, 5: 960} and 5e-5 <= config["weight_decay"] <= 1.5e-4


def test_raw_survives_the_ledgers_json_and_gives_an_equal_study(load):
    spec = load(INTERFACE, "space.lr.low=2e-4", "space.anything={value: {2: x}}")
    kept = json.loads(json.dumps(spec.raw))
    assert kept == spec.raw
    assert spec.space.fixed["anything"] == {2: "x"}
    again = parse_study(kept, "ledger")
    assert again == spec and again.space.fixed == spec.space.fixed
    assert load(write_yaml(spec.raw)) == spec


def test_without_budget_a_study_has_twenty_trials_but_not_beside_hours(load):
    assert load(BASE).budget.trials == 20
    until = load(changed(budget={"until": "7:05", "target": 0.9})).budget
    assert until.model_dump(exclude_none=True) == {"trials": 20, "until": "07:05", "target": 0.9}
    for limit in ({"hours": 2}, {"gpu_hours": 2}, {"patience": 5}):
        assert load(changed(budget=limit)).budget.trials is None


def test_a_section_whose_lines_are_all_comments_is_as_good_as_absent(load):
    assert load(yaml.safe_dump(BASE) + "constraints:\n#  - a\nbaselines:\nbudget:\ntracking:\ndata:\n") == load(BASE)


def test_an_entirely_fixed_space_with_its_source_is_a_study(load):
    source = {"study": "hrnet", "trial": 7, "value": 0.9618, "epoch": 3, "checkpoint": "runs/hrnet/trials/0007"}
    spec = load(changed(space={"size": 64, "lr": 1e-3, "epochs": 3}, source=source))
    assert spec.source.model_dump() == source
    assert spec.space.searched == [] and spec.space.size == 1
    assert spec.space.sample(random.Random(0)) == {"size": 64, "lr": 1e-3, "epochs": 3}


def test_the_root_of_the_data_is_absolute_unless_it_is_drawn(load, tmp_path):
    assert load(changed(data={"root": "../x"})).data["root"] == str(tmp_path.parent / "x")
    assert load(changed(data={"root": "/x"})).data["root"] == "/x"
    assert load(changed(data={"root": "~/x"})).data["root"] == str(Path.home() / "x")
    assert load(changed(data={"root": "synthetic/receipts"})).data["root"] == "synthetic/receipts"
    assert load(BASE).data == {}


def test_a_folder_for_checkpoints_is_absolute_and_stays_where_it_is(load, tmp_path, monkeypatch):
    spec = load(BASE | {"storage": "shared/checkpoints"})
    assert spec.storage == spec.raw["storage"] == str(tmp_path / "shared" / "checkpoints")
    assert load(BASE | {"storage": "s3://bucket/runs?region=eu-west-1"}).storage == "s3://bucket/runs?region=eu-west-1"
    assert load(BASE | {"storage": None}).storage is None
    monkeypatch.chdir("/")
    assert parse_study(spec.raw, "s.yaml").storage == spec.storage


def test_values_take_the_type_of_the_trainables_field(load):
    raw = space(
        lr=1,
        epochs=1e1,
        stages={"value": [1.0, 2]},
        pair={"value": [3, 1]},
        clip=[None, 1],
        layers={"value": ["a", "c"]},
    )
    config = load(raw).space.complete({"clip": 1.0}, random.Random(0))
    assert config == {
        "size": 64,
        "lr": 1.0,
        "epochs": 10,
        "stages": [1, 2],
        "pair": [3, 1.0],
        "clip": 1.0,
        "layers": ["a", "c"],
    }
    assert [type(config[name]) for name in ("lr", "epochs", "clip")] == [float, int, float]
    assert type(config["pair"][1]) is float and type(config["stages"][0]) is int


def test_a_study_without_a_schema_takes_any_names(load, tmp_path):
    (tmp_path / "plain_learner.py").write_text("def train(config, run):\n    yield {}\n")
    spec = load(changed(trainable="plain_learner", space={"x": {"low": 0, "high": 3}, "y": {"low": 0.0, "high": 3}}))
    assert spec.space.parameters["x"].domain == Int(0, 3) and spec.space.parameters["y"].domain == Float(0, 3)
    assert load(changed(trainable="plain_learner:train", space={})).space.size == 1


# `extends` and `--set`


def test_a_file_changes_the_file_that_it_extends(load, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "first.yaml").write_text(INTERFACE)
    (tmp_path / "second.yaml").write_text("extends: sub/first.yaml\nstudy: second\nbudget: {trials: 7}\n")
    spec = load(
        "extends: second.yaml\nstudy: third\n"
        "space:\n  lr: {low: 0.5, high: 1.0}\n  resolution: 320\n  epochs: 3\n  batch_size: 1\n"
        "constraints: []\nbaselines: []\ndata: {fold: 2}\n"
    )
    assert spec.study == "third" and spec.budget.trials == 7 and spec.budget.hours == 60
    assert spec.space.parameters["lr"].domain == Float(0.5, 1.0)  # The domain is replaced as a whole, `log` included.
    assert spec.space.parameters["resolution"].domain == Fixed(320)
    assert list(spec.space.parameters)[-1] == "epochs" and spec.space.parameters["backbone"].domain == Fixed(
        "hrnet_w44"
    )
    assert spec.constraints == () and spec.baselines == [] and spec.data["folds"] == 5 and spec.data["fold"] == 2
    assert "extends" not in spec.raw


def test_a_mistake_names_the_file_that_wrote_it(load, tmp_path):
    (tmp_path / "base.yaml").write_text(write_yaml(space(epochs=0) | {"budget": {"trials": 0, "hours": 1}}))
    with pytest.raises(InputMistake) as caught:
        load("extends: base.yaml\nspace: {lr: 7}\nbudget: {hours: -1}\n", "search.seed=-1")
    assert [line.split(": must")[0] for line in caught.value.lines] == [
        "s.yaml: search.seed (--set search.seed=-1)",
        "base.yaml: budget.trials",
        "s.yaml: budget.hours",
        "s.yaml: space.lr",
        "base.yaml: space.epochs",
    ]


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("s.yaml", "s.yaml: extends: must not lead back to itself, but got s.yaml -> s.yaml; break the cycle"),
        ("round.yaml", "round.yaml: extends: must not lead back to itself, but got s.yaml -> round.yaml -> s.yaml"),
        (
            "bse.yaml",
            "s.yaml: extends: must be a file, relative to this one, but there is no `bse.yaml`, did you mean "
            "`base.yaml`?",
        ),
        (".", "s.yaml: extends: must be a file, relative to this one, but there is no `.`"),
        ("[a, b]", "s.yaml: extends: must be the path of one file, but got"),
        ("broken.yaml", "broken.yaml: line 2: each key must stand once"),
        ('"a\\0b"', "s.yaml: extends: must be the path of one file"),
    ],
)
def test_a_file_that_cannot_be_extended_is_said(load, tmp_path, extends, said):
    (tmp_path / "base.yaml").write_text("study: a\n")
    (tmp_path / "round.yaml").write_text("extends: s.yaml\n")
    (tmp_path / "broken.yaml").write_text("study: a\nstudy: b\n")
    with pytest.raises(InputMistake) as caught:
        load(f"extends: {extends}\n")
    (line,) = caught.value.lines
    assert line.startswith(said)


def test_set_changes_one_value_in_place(load):
    spec = load(
        INTERFACE,
        "study=other",
        "space.lr.low=1e-5",
        "space.epochs={low: 2, high: 4}",
        "space.backbone=convnext_tiny",
        "space.resolution.value.5=320",
        "baselines.0.lr=2e-4",
        "budget.hours=",
        "search.seed = 3",
        "constraints=[]",
        "data.fold=1",
    )
    assert spec.study == "other" and spec.search.seed == 3 and spec.budget.hours is None
    assert spec.space.parameters["lr"].domain == Float(1e-5, 1e-3, log=True)
    assert spec.space.parameters["epochs"].domain == Int(2, 4)
    assert spec.space.fixed["resolution"] == {1: 640, 5: 320}
    assert "clip" in spec.space.sample(random.Random(0))  # Its condition is now met.
    assert spec.baselines[0].values["lr"] == 2e-4 and spec.data["fold"] == 1
    assert load(BASE, "scheduler.name=none").scheduler.name == "none"  # The file has no such section.


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("space.lr", "--set space.lr: must be KEY=VALUE with a dotted KEY"),
        ("=3", "--set =3: must be KEY=VALUE"),
        ("space..lr=3", "--set space..lr=3: must be KEY=VALUE"),
        ("space.lr=[1", "--set space.lr=[1: VALUE must be YAML, but expected"),
        ("space.lr={a: 1, a: 2}", "--set space.lr={a: 1, a: 2}: VALUE each key must stand once"),
        (
            "space.size.low=3",
            "--set space.size.low=3: must lead through mappings, but `space.size` is 64; set `space.size` itself",
        ),
        ("extends=x.yaml", "--set extends=x.yaml: must change a value, but `extends` chooses files"),
        ("baselines.².lr=3", "--set baselines.².lr=3: must lead through"),
        ("baselines.7.lr=3", "--set baselines.7.lr=3: must lead through"),
        ("baselines.x=3", "--set baselines.x=3: must name an item of a list of 1, counted from 0, but got `x`"),
        ("spce.lr=3", "(--set spce.lr=3): unknown field `spce`, did you mean `space`?"),
        ("space.lrr=3", "space (--set space.lrr=3): unknown field `lrr`, did you mean `lr`?"),
        ("space.lr=true", "space.lr (--set space.lr=true): must be a number, above 0, at most 1, but got true"),
        (
            "space.lr.low=0.5",
            "space.lr (--set space.lr.low=0.5): `low <= high` must hold, but got low=0.5, high=0.01; swap them",
        ),
        ("objective.mood=max", "objective (--set objective.mood=max): unknown field `mood`, did you mean `mode`?"),
        (
            "baselines.0.lr=9",
            "baselines[0].lr (--set baselines.0.lr=9): must be a number, above 0, at most 1, but got 9",
        ),
        ("space.epochs={lwo: 1, high: 3}", "space.epochs (--set space.epochs={lwo: 1, high: 3}): unknown field `lwo`"),
    ],
)
def test_a_mistake_in_set_names_its_text(mistakes, override, said):
    found = mistakes(changed(baselines=[{"lr": 1e-3}]), override)
    assert len(found) == 1 and found[0].startswith(said), found


# Mistakes


def test_every_mistake_is_said_at_once(mistakes):
    found = mistakes(
        """\
stdy: s
trainable: learner_of_these_tests
objective: {metric: val/score, mode: maximum, weight: 1}
space:
  lr: {low: 1, hi: 0.1}
  lrr: 3
  epochs: 0
  batch_size: {low: 4.5, high: 16}
  backbone: [resnet18, resnet19]
  ema: yes
constraints: ["lr * bs < 1", "lr <"]
baselines: [{lr: 5, layers: d, foo: 1}]
search: {sampler: tpe}
scheduler: {eta: 1, grace: 3}
budget: {trials: 2.5, hours: .nan, until: "24:00"}
resources: {gpu: all, cpu: 0, concurrent: 0}
tracking: {uri: 3}
nightly: {}
"""
    )
    assert found == [
        "unknown field `stdy`, did you mean `study`?",
        "unknown field `nightly`; known are: study, trainable, objective, data, space, constraints, baselines, "
        "warm_start, search, scheduler, budget, failures, resources, checkpoints, storage, tracking, source, extends",
        "objective.mode: must be `max` or `min`, but got 'maximum', did you mean `max`?",
        "objective: unknown field `weight`; known are: metric, mode",
        "search.sampler: must be `auto` or `random`, but got 'tpe'; write `auto`",
        "scheduler.eta: must be a whole number, at least 2, but got 1",
        "scheduler: unknown field `grace`, did you mean `grace_epochs`?",
        "budget.trials: must be a whole number, at least 1, or null, but got 2.5",
        "budget.hours: must be a number, above 0, or null, but got NaN",
        "budget.until: must be a time of day from 00:00 to 23:59, such as 07:00, or null, but got '24:00'",
        "resources.gpu: must be a number, at least 0, or `auto`, but got 'all'",
        "resources.cpu: must be a number, above 0, but got 0",
        "resources.concurrent: must be a whole number, at least 1, or `auto`, but got 0",
        "tracking.uri: must be text, not empty, or null, but got 3",
        "space.lr: unknown field `hi`, did you mean `high`?",
        "space: unknown field `lrr`, did you mean `lr`?",
        "space.epochs: must be a whole number, at least 1, at most 500, but got 0",
        "space.batch_size.low: must be a whole number, but got 4.5",
        "space.backbone[1]: must be one of 'resnet18', 'resnet34', 'convnext_tiny', 'hrnet_w44', but got 'resnet19', "
        "did you mean `resnet18`?",
        "space.ema: must be true or false, but got 'yes'; write true or false",
        "space: `size` must be given, as a whole number, because the trainable has no default for `size`; "
        "add `size: ...`",
        "constraints[0]: must be about names of `space`, but got `bs`, did you mean `batch_size`?",
        "constraints[1]: syntax error at the end of 'lr <': invalid syntax; write arithmetic (+ - * / % **), "
        "comparisons, and, or, not, names, numbers and quoted text",
        "baselines[0].lr: must be a number, above 0, at most 1, but got 5",
        "baselines[0]: must hold names of `space`, but got `layers`; add it to `space`",
        "baselines[0]: must hold names of `space`, but got `foo`",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("lr", 0, "space.lr: must be a number, above 0, at most 1, but got 0"),
        ("lr", "1e-3x", "space.lr: must be a number, above 0, at most 1, but got '1e-3x'"),
        ("lr", {"low": 0.0, "high": 0.5}, "space.lr.low: must be a number, above 0, at most 1, but got 0.0"),
        ("lr", {"low": 0.1, "high": 2}, "space.lr.high: must be a number, above 0, at most 1, but got 2"),
        ("lr", [0.1, 2], "space.lr[1]: must be a number, above 0, at most 1, but got 2"),
        ("weight_decay", 1, "space.weight_decay: must be a number, at least 0, below 1, but got 1"),
        ("epochs", 2.5, "space.epochs: must be a whole number, at least 1, at most 500, but got 2.5"),
        ("epochs", True, "space.epochs: must be a whole number, at least 1, at most 500, but got true"),
        ("epochs", {"low": 1, "high": 9, "step": 0.5}, "space.epochs.step: must be a whole number, but got 0.5"),
        (
            "epochs",
            {"low": 1, "high": 501},
            "space.epochs.high: must be a whole number, at least 1, at most 500, but got 501",
        ),
        ("ema", 1, "space.ema: must be true or false, but got 1"),
        (
            "ema",
            {"low": 0, "high": 1},
            "space.ema: must be true or false, but got a range; write a value or a list of choices",
        ),
        ("backbone", {"low": 0, "high": 1}, "space.backbone: must be one of 'resnet18'"),
        (
            "lr_schedule",
            "cosin",
            "space.lr_schedule: must be one of 'cosine', 'onecycle', 'constant', but got 'cosin', did you mean",
        ),
        ("clip", "none", "space.clip: must be a number, above 0, or null, but got 'none'"),
        ("clip", {"low": 0, "high": 1}, "space.clip.low: must be a number, above 0, or null, but got 0"),
        (
            "resolution",
            "640",
            "space.resolution: must be a whole number or a mapping from whole numbers to whole numbers, at least 32",
        ),
        (
            "resolution",
            {"value": {"1": 16}},
            "space.resolution.value: must be a whole number or a mapping from whole numbers to whole "
            'numbers, at least 32, but got 16 in {"1": 16}',
        ),
        ("resolution", {"value": {"a": 64}}, "space.resolution.value: must be a whole number or a mapping"),
        (
            "resolution",
            {"1": 640},
            'space.resolution: must be a domain, but got {"1": 640}; to fix a mapping, write {value: {"1": 640}}',
        ),
        (
            "stages",
            [3, 4],
            "space.stages: a list is a choice between its items, but [3, 4] looks like one value; write "
            "{value: [3, 4]}",
        ),
        ("resolution", {"value": {"1": 64, "01": 96}}, "space.resolution.value: must be a whole number or a mapping"),
        ("resolution", {"value": {"1_0": 64}}, "space.resolution.value: must be a whole number or a mapping"),
        ("stages", {"value": [0]}, "space.stages.value: must be a list of whole numbers, at least 1, but got 0 in [0]"),
        ("stages", {"value": 3}, "space.stages.value: must be a list of whole numbers, at least 1, but got 3"),
        (
            "layers",
            {"value": ["a", "d"]},
            "space.layers.value: must be one of 'a', 'b', 'c', or a list of them, but got [\"a\", \"d\"]",
        ),
        ("pair", {"value": [1]}, "space.pair.value: must be a list of 2: a whole number, a number, but got [1]"),
        ("derived", 3, "space: unknown field `derived`; known are: size, backbone"),
        (
            "size",
            {"value": 32, "when": {"lr": 1}},
            "space.size.when: must not stand here, because the trainable has no default",
        ),
    ],
)
def test_a_domain_must_lie_inside_the_trainables_field(mistakes, name, value, said):
    found = mistakes(space(**{name: value}))
    assert found[0].startswith(said), found


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"study": ...}, "study: must be given, as a name of at most 100 letters"),
        (
            {"study": "a b"},
            "study: must be a name of at most 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit",
        ),
        ({"study": ".."}, "study: must be a name"),
        ({"study": "a" * 101}, "study: must be a name"),
        ({"study": "a\n"}, "study: must be a name"),
        ({"study": "../a"}, "study: must be a name"),
        ({"study": "a/b"}, "study: must be a name"),
        ({"study": "check"}, "study: must not be 'check', which a home holds beside its studies; rename it"),
        ({"study": "ledger.db-wal"}, "study: must not be 'ledger.db-wal'"),
        ({"study": 3}, "study: must be a name"),
        ({"trainable": ...}, "trainable: must be given, as text, not empty; add `trainable: detection`"),
        ({"trainable": ["a"]}, 'trainable: must be text, not empty, but got ["a"]'),
        ({"trainable": "detecton"}, "trainable: must be one of detection"),
        ({"trainable": "learner_of_these_tests:trian"}, "trainable: module `learner_of_these_tests`"),
        ({"trainable": "no_such_package.x"}, "trainable: must be one of detection"),
        ({"trainable": ".."}, "trainable: must be importable, but '..' raised"),
        ({"trainable": ":"}, "trainable: must be importable, but ':' raised"),
        (
            {"trainable": "broken_learner"},
            "trainable: must be importable, but 'broken_learner' raised ZeroDivisionError: division by zero",
        ),
        ({"trainable": "exiting_learner"}, "trainable: must be importable, but 'exiting_learner' raised SystemExit: 3"),
        ({"trainable": "misspelt_learner"}, "trainable: must be importable, but 'misspelt_learner' raised SyntaxError"),
        ({"objective": ...}, "objective: must be given; add `objective: {metric: val/hmean, mode: max}`"),
        (
            {"objective": "val/x"},
            "objective: must be a mapping such as {metric: 'val/hmean', mode: 'max'}, but got 'val/x'",
        ),
        ({"objective": {"metric": "a"}}, "objective.mode: must be given, as `max` or `min`; add `mode: max`"),
        ({"objective": {"metric": "", "mode": "min"}}, "objective.metric: must be the name of a metric"),
        ({"budget": {"trials": 10**400}}, "budget.trials: must be at most 1000000, but got 1000"),
        ({"budget": {"hours": 1e300}}, "budget.hours: must be at most 1000000, but got 1e+300"),
        ({"resources": {"gpu": 10**400}}, "resources.gpu: must be at most 1000000, but got 1000"),
        ({"space": ...}, "space: must be given; add `space: {lr:"),
        ({"space": [1]}, "space: must be a mapping of names to domains, but got [1]"),
        ({"space": None}, "space: must be a mapping of names to domains, but got null"),
        ({"data": [1]}, "data: must be a mapping such as {root: data/receipts}, but got [1]"),
        ({"data": {"root": 3}}, "data.root: must be the path of a folder, or synthetic/..., but got 3"),
        ({"storage": ["s3://bucket"]}, "storage: must be a folder, or a URL such as s3://bucket/nightsweep, but got"),
        (
            {"storage": "s3://key:secret@bucket/runs"},
            "storage: must hold no password: put it into the environment, such as AWS_SECRET_ACCESS_KEY; got "
            "s3://key:***@bucket/runs",
        ),
        (
            {"tracking": {"uri": "https://ada:secret@host"}},
            "tracking.uri: must hold no password: put it into the environment, such as MLFLOW_TRACKING_PASSWORD; got "
            "https://ada:***@host",
        ),
        (
            {"data": {"from": ["https://host/x?token=secret"]}},
            "data.from[0]: must hold no password: put it into the environment; got https://host/x?token=***",
        ),
        ({"checkpoints": {"quota_gb": 0}}, "checkpoints.quota_gb: must be a number, above 0, or null, but got 0"),
        ({"data": {"x": [float("inf")]}}, "data.x: must be a finite number, but got Infinity"),
        ({"constraints": "lr < 1"}, "constraints: must be a list such as"),
        ({"baselines": {"lr": 1}}, "baselines: must be a list of mappings such as"),
        ({"baselines": ["x"]}, "baselines[0]: must be a mapping of names to values, but got 'x'"),
        ({"baselines": [{"name": 3}]}, "baselines[0].name: must be text, but got 3"),
        (
            {"baselines": [{"name": "a"}, {"name": "a", "lr": 2e-4}]},
            "baselines[1].name: must differ from the others, but baselines[0] is 'a' too",
        ),
        (
            {"baselines": [{"lr": 1e-3}, {"name": "b"}]},
            "baselines[1]: must differ from the others, but is the same config as baselines[0]",
        ),
        (
            {"baselines": [{"lr": 0.5}]},
            "baselines[0].lr: must be a number from 0.0001 to 0.01, but got 0.5; widen the domain",
        ),
        (
            {"baselines": [{"size": 32}]},
            "baselines[0].size: must be 64, its value in `space`, but got 32; make it a choice",
        ),
        (
            {"scheduler": {"metric": "val/loss"}},
            "scheduler.mode: must be given beside a `metric` of its own, as `max` or `min`",
        ),
        (
            {"scheduler": {"metric": 3}},
            "scheduler.metric: must be the name of a metric, such as val/hmean, or null, but got 3",
        ),
        ({"search": {"seed": True}}, "search.seed: must be a whole number, at least 0, but got true"),
        ({"source": {"study": "a"}}, "source.trial: must be given, as a whole number, at least 1; add `trial: 7`"),
        (
            {"resources": {"gpu": float("inf")}},
            "resources.gpu: must be a number, at least 0, or `auto`, but got Infinity",
        ),
    ],
)
def test_a_mistake_in_a_section_is_said_with_its_place(mistakes, tmp_path, sections, said):
    (tmp_path / "broken_learner.py").write_text("1 / 0")
    (tmp_path / "exiting_learner.py").write_text("raise SystemExit(3)")
    (tmp_path / "misspelt_learner.py").write_text("def train(:\n")
    found = mistakes(changed(**sections))
    assert len(found) == 1 and found[0].startswith(said), found


def test_a_slip_in_the_name_of_a_built_in_trainable_is_recognised(mistakes):
    assert mistakes(changed(trainable="detecton"))[0].endswith(", did you mean `detection`?")


def test_without_the_trainable_the_space_is_still_checked(mistakes):
    found = mistakes(
        changed(trainable="no_such_module", space={"x": {"low": 2, "high": 1}, "y": {"low": 1, "hgih": 2}})
    )
    assert [line.split(":")[0] for line in found] == ["trainable", "space.x", "space.y"]


def test_a_baseline_that_breaks_a_constraint_is_told_which(mistakes):
    raw = space(batch_size={"low": 1, "high": 16}) | {
        "constraints": ["lr < 1", "lr * batch_size <= 0.02", "size == 64"]
    }
    raw["baselines"] = [{"lr": 0.01, "batch_size": 16}, {"lr": 0.01, "batch_size": 2}]
    assert mistakes(raw) == ["baselines[0]: `lr * batch_size <= 0.02` must hold, but got lr=0.01, batch_size=16"]


def test_a_baseline_that_no_values_can_complete_is_said(mistakes):
    raw = space(batch_size={"low": 8, "high": 16}) | {
        "constraints": ["lr * batch_size <= 0.02"],
        "baselines": [{"lr": 0.01}],
    }
    (line,) = mistakes(raw)
    assert line.startswith("baselines[0]: none of 10000 drawn configs with lr=0.01 meets `lr * batch_size <= 0.02`")


def test_a_baseline_value_whose_condition_is_not_met_is_said(mistakes):
    raw = space(backbone=["resnet18", "resnet34"], clip={"low": 1, "high": 2, "when": {"backbone": "resnet34"}})
    raw["baselines"] = [{"backbone": "resnet34", "clip": 1}, {"clip": 1.5}, {"backbone": "resnet18", "clip": 1}]
    because = "must be absent, because it needs `backbone` to be one of 'resnet34', and that is 'resnet18'"
    assert mistakes(raw) == [
        f"baselines[1].clip: {because}; give `backbone` here too, or remove it",
        f"baselines[2].clip: {because}; remove it",
    ]


def test_a_constraint_on_a_setting_outside_the_space_says_to_add_it(mistakes):
    found = mistakes(changed(constraints=["lr * batch_size < 1"]))
    assert found == ["constraints[0]: must be about names of `space`, but got `batch_size`; add it to `space`"]


def test_what_the_trainable_itself_refuses_is_said_before_any_trial(mistakes, load):
    (line,) = mistakes(space(size=[33]))
    assert line.startswith("space: every config must suit the trainable, but it refuses {") and line.endswith(
        "}: size: must be a multiple of 32, but got 33"
    )
    assert len(mistakes(space(size={"low": 32, "high": 640}))) == 3  # Not more than three examples are shown.
    assert load(space(size={"low": 32, "high": 640, "step": 32}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must be a mapping, but the file is empty"),
        ("- a\n", "must be a mapping of `key: value` lines at the top, but got a list"),
        (b"study: \xff\n", "line 1: must be UTF-8 text"),
        ("study: a\nstudy: b\nspace:\n  lr: 1\n  lr: 2\n", "line 2: each key must stand once"),
        ("study:\n\tname: a\n", "line 2: must be indented by spaces, but got a tab"),
        ("study: !!python/name:os a\n", "line 1: must be plain data, but got the tag"),
        ("study: [\n", "line 2, column 1: must be YAML"),
    ],
)
def test_a_file_that_is_no_yaml_says_only_that(mistakes, content, said):
    assert mistakes(content)[0].startswith(said)


def test_a_file_that_is_not_there_or_a_directory_gives_one_line(tmp_path):
    for path in (tmp_path / "no.yaml", tmp_path):
        with pytest.raises(InputMistake) as caught:
            load_study(path)
        assert len(caught.value.lines) == 1 and caught.value.lines[0].startswith(f"{path}: ")


def test_unprintable_text_stays_on_one_line(mistakes):
    assert len(mistakes(changed(**{"a\nb": 1}))) == 1
    assert len(mistakes(space(**{"a\nb": 1}))) == 1


def test_importing_the_module_is_light():
    code = (
        "import sys, orchestrator.study_file.study_spec\n"
        "heavy = {'torch', 'ray', 'optuna', 'mlflow', 'pandas', 'numpy', 'plotly', 'sqlalchemy'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"


# Whatever is typed, only InputMistake is raised.


WORDS = st.sampled_from(
    [*WRITTEN, "extends", "low", "high", "log", "step", "value", "choices", "when", "by", "default", "name"]
    + [
        "lr",
        "size",
        "epochs",
        "backbone",
        "clip",
        "resolution",
        "resnet18",
        "metric",
        "mode",
        "max",
        "trials",
        "cosine",
    ]
)
SCALARS = st.one_of(
    WORDS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from([1e-3, 64, 10**400, "1e-3"]),
)
TREES = st.recursive(
    SCALARS, lambda t: st.lists(t, max_size=3) | st.dictionaries(WORDS | SCALARS, t, max_size=4), max_leaves=15
)
DOMAINS = st.one_of(
    TREES,
    st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, TREES)),
    st.fixed_dictionaries(
        {"low": st.integers(-3, 3) | st.floats(-1, 1), "high": st.integers() | st.floats()},
        optional={"log": st.booleans(), "step": st.floats() | st.integers()},
    ),
)
NAMES = st.sampled_from(["size", "lr", "epochs", "backbone", "clip", "resolution", "stages", "anything", "x"])
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def parse(raw: Any) -> StudySpec | None:
    try:
        spec = parse_study(raw, "fuzz")
    except InputMistake as invalid:
        assert invalid.lines and all(line.startswith("fuzz: ") and "\n" not in line for line in invalid.lines)
        return None
    assert parse_study(json.loads(json.dumps(spec.raw)), "fuzz") == spec
    config = spec.space.sample(random.Random(0))
    assert as_config_of(spec.space, config, {}) == config
    return spec


@FUZZ
@given(st.dictionaries(WORDS, TREES, max_size=6))
def test_random_structures_parse_or_are_invalid(raw):
    parse(raw | ({"trainable": "learner_of_these_tests"} if "trainable" in raw else {}))


@FUZZ
@given(
    st.dictionaries(NAMES, DOMAINS, max_size=4), st.booleans(), st.lists(st.text(max_size=9) | WORDS, max_size=2), TREES
)
def test_random_spaces_parse_or_are_invalid(names, schema, constraints, baselines):
    raw = BASE | {"space": BASE["space"] | names, "constraints": constraints, "baselines": baselines}
    parse(raw if schema else raw | {"trainable": "no_such_module"})


@FUZZ
@given(st.dictionaries(st.sampled_from(WRITTEN), st.dictionaries(WORDS, SCALARS, max_size=3) | TREES, max_size=4))
def test_random_sections_parse_or_are_invalid(sections):
    sections.pop("trainable", None)
    parse(BASE | sections)


@FUZZ
@given(
    st.lists(
        st.one_of(
            st.text(max_size=20), st.tuples(WORDS, WORDS, st.text(max_size=8)).map(lambda t: f"{t[0]}.{t[1]}={t[2]}")
        ),
        max_size=3,
    )
)
def test_random_overrides_parse_or_are_invalid(tmp_path, overrides):
    path = tmp_path / "s.yaml"
    path.write_text(INTERFACE)
    overrides = [text for text in overrides if not text.startswith("trainable")]
    try:
        load_study(path, overrides)
    except InputMistake as invalid:
        assert all("\n" not in line for line in invalid.lines)


@FUZZ
@given(st.binary(max_size=60) | st.text(alphabet="studyspace:{}[]-#&*!|>'\"%@\n\t 0.e", max_size=80).map(str.encode))
def test_random_bytes_parse_or_are_invalid(tmp_path, content):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(InputMistake):
        load_study(path)
