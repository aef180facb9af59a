"""Fields whose types are more than numbers and texts: what was checked is what arrives in the trainable."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from orchestrator.mistake import Mistakes
from orchestrator.plain_data import plain
from orchestrator.space.config_field import config_fields
from orchestrator.space.space_parser import parse_space
from trainables import Trainable, setting


class Opt(enum.Enum):
    ADAM = "adam"
    SGD = "sgd"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Loss(enum.Enum):
    FOCAL = object()
    DICE = object()


class Size(NamedTuple):
    width: int
    height: int


@dataclass(frozen=True)
class Head:
    kind: Opt = Opt.ADAM
    channels: tuple[int, ...] = (8,)


@dataclass(frozen=True)
class Model:
    depth: int = setting(3, "blocks", low=1, high=9)
    head: Head = Head()
    weights: Path | None = None


@dataclass(frozen=True)
class Config:
    lr: float = 0.1
    optimizer: Opt = Opt.ADAM
    level: Level = Level.LOW
    loss: Loss = Loss.FOCAL
    weights: Path = Path("weights")
    other: PurePosixPath | None = None
    sizes: tuple[int, ...] = (1,)
    pair: tuple[float, Opt] = (0.5, Opt.ADAM)
    size: Size = Size(1, 2)  # noqa: RUF009  it cannot change
    names: frozenset[str] = frozenset()
    tags: set[Opt] = field(default_factory=set)
    paths: Sequence[Path] = ()
    by_epoch: Mapping[int, Opt] = field(default_factory=dict)
    model: Model = Model()
    heads: list[Head] = field(default_factory=list)
    either: Head | Opt | None = None
    share: Annotated[float | int, "of all"] = 1
    mode: Literal["a", 1, Opt.SGD] = "a"  # type: ignore[valid-type]
    anything: Any = None
    unknown: NoSuchType = None  # type: ignore[name-defined]  # noqa: F821


ARRIVES = [
    ("lr", 1, 1.0),
    ("optimizer", "sgd", Opt.SGD),
    ("optimizer", "SGD", Opt.SGD),
    ("level", 2, Level.HIGH),
    ("level", "high", Level.HIGH),
    ("loss", "DICE", Loss.DICE),
    ("weights", "/data/x", Path("/data/x")),
    ("other", None, None),
    ("other", "a/b", PurePosixPath("a/b")),
    ("sizes", [1, 2, 3], (1, 2, 3)),
    ("pair", [1, "sgd"], (1.0, Opt.SGD)),
    ("size", [3, 4], Size(3, 4)),
    ("names", ["a", "b", "a"], frozenset({"a", "b"})),
    ("tags", ["sgd"], {Opt.SGD}),
    ("paths", ["a"], [Path("a")]),
    ("by_epoch", {"1": "sgd"}, {1: Opt.SGD}),
    ("model", {"depth": 4, "head": {"kind": "sgd", "channels": [1, 2]}}, Model(4, Head(Opt.SGD, (1, 2)))),
    ("model", {"weights": "x.pt"}, Model(weights=Path("x.pt"))),
    ("heads", [{"kind": "sgd"}, {}], [Head(Opt.SGD), Head()]),
    ("either", "sgd", Opt.SGD),
    ("either", {"kind": "sgd"}, Head(Opt.SGD)),
    ("share", 2, 2),
    ("mode", "sgd", Opt.SGD),
    ("mode", 1, 1),
    ("anything", [1], [1]),
    ("unknown", "as it is", "as it is"),
]
TRAINABLE = Trainable("mine:train", train=lambda config, run: iter(()), Config=Config)


def mistakes_of(name: str, value: Any) -> list[str]:
    found = Mistakes()
    parse_space({name: {"value": value}}, [], config_fields(Config), found)
    return [str(mistake) for mistake in found]


def typed(value: Any) -> Any:
    """Returns the value with the types at every depth, because 1 == 1.0 and Level.HIGH == 2."""
    items = list(value) if isinstance(value, (list, tuple)) else []
    return type(value), value, [typed(item) for item in items]


@pytest.mark.parametrize(("name", "written", "expected"), ARRIVES)
def test_the_type_that_was_checked_is_the_type_that_arrives(name: str, written: Any, expected: Any):
    found = Mistakes()
    space = parse_space({name: {"value": written}}, [], config_fields(Config), found)
    assert [str(mistake) for mistake in found] == []
    kept = json.loads(json.dumps(plain(space.fixed)))  # As the ledger has it.
    assert typed(getattr(TRAINABLE.build_config(kept), name)) == typed(expected)


def test_a_config_of_typed_values_and_one_of_none_stay_as_they_are():
    config = TRAINABLE.build_config({})
    assert config == Config()
    values = {name: getattr(config, name) for name in ("optimizer", "weights", "sizes", "model", "loss", "mode")}
    assert TRAINABLE.build_config(values) == config


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("optimizer", "sdg", "must be one of 'adam', 'sgd', but got 'sdg', did you mean `sgd`?"),
        ("level", True, "must be one of 1, 2, but got true"),
        ("loss", "dise", "must be one of 'FOCAL', 'DICE', but got 'dise', did you mean `DICE`?"),
        ("model", {"depht": 4}, "must hold the fields of Model, but got unknown field `depht`, did you mean `depth`?"),
        ("model", {"depth": 10}, "`depth` must be a whole number, at least 1, at most 9, but got 10"),
        ("model", {"head": {"kind": "x"}}, "`head` `kind` must be one of 'adam', 'sgd', but got 'x'"),
        ("model", 3, "must be a mapping with `depth`, `head`, `weights`, but got 3"),
        ("either", {"knd": 1}, "must hold the fields of Head, but got unknown field `knd`, did you mean `kind`?"),
        ("pair", [1], "must be a list of 2: a number, one of 'adam', 'sgd', but got [1]"),
        ("weights", 3, "must be a path, but got 3"),
        ("mode", "b", "must be one of 'a', 1, 'sgd', but got 'b'"),
    ],
)
def test_what_does_not_fit_is_told_with_the_field_inside(name: str, written: Any, said: str):
    assert mistakes_of(name, written) == [f"space.{name}.value: {said}"]


def test_defaults_are_plain_data_so_that_a_baseline_can_be_completed_with_them():
    fields = config_fields(Config) or {}
    plain_defaults = {name: each.default for name, each in fields.items()}
    assert plain_defaults["optimizer"] == "adam" and plain_defaults["loss"] == "FOCAL"
    assert plain_defaults["weights"] == "weights" and plain_defaults["sizes"] == [1]
    assert plain_defaults["model"] == {"depth": 3, "head": {"kind": "adam", "channels": [8]}, "weights": None}
    json.dumps(plain_defaults)
    assert TRAINABLE.build_config(plain_defaults) == Config(paths=[])
