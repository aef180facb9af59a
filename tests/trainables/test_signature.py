"""What can be told of a `train` before it is called, and what is told once it was."""

from __future__ import annotations

import functools
import sys
from typing import Any

import pytest

from trainables import LocalRun, Trainable, load_trainable, signature_mistake


def generator(config, run):
    yield {"val/acc": 0.5}


def one_argument(config):
    yield {"val/acc": 0.5}


def three_arguments(config, run, data):
    yield {"val/acc": 0.5}


def defaults(config, run, folder="."):
    yield {"val/acc": 0.5}


def without_yield(config, run):
    if not config:
        return
    print(run)


def hands_on(config, run):
    return generator(config, run)


@functools.wraps(one_argument)
def decorated(*arguments):
    return generator(*arguments)


async def asynchronous(config, run):
    yield {"val/acc": 0.5}


async def coroutine(config, run):
    return {"val/acc": 0.5}


class Trainer:
    def __init__(self, config, run):
        self.config = config

    def fit(self, config, run):
        yield {"val/acc": 0.5}


class Iterated(Trainer):
    def __iter__(self):
        return generator(None, None)


class Called:
    def __call__(self, config, run):
        yield {"val/acc": 0.5}


ALL_RIGHT = [
    generator,
    defaults,
    hands_on,
    decorated,
    Iterated,
    Called(),
    Trainer(0, 0).fit,
    functools.partial(three_arguments, data=1),
]


@pytest.mark.parametrize("train", ALL_RIGHT, ids=lambda train: type(train).__name__)
def test_whatever_may_be_a_generator_over_config_and_run_is_let_through(train: Any):
    assert signature_mistake(train) is None


@pytest.mark.parametrize(
    ("train", "what"),
    [
        (one_argument, "takes (config); give it two parameters, config and run"),
        (three_arguments, "takes (config, run, data); give it two parameters, config and run"),
        (without_yield, "`without_yield` has no `yield`; write one at the end of each epoch"),
        (Trainer, "`Trainer` is a class; write a function that makes one and yields its metrics"),
        (asynchronous, "`asynchronous` is asynchronous; write `def` in place of `async def`"),
        (coroutine, "`coroutine` is asynchronous; write `def` in place of `async def`"),
    ],
)
def test_what_cannot_be_one_is_told_with_what_to_write(train: Any, what: str):
    mistake = signature_mistake(train)
    assert mistake is not None
    assert mistake.startswith(
        "must be a function of (config, run) that yields a mapping of metrics once an epoch, but "
    )
    assert mistake.endswith(what)


@pytest.mark.parametrize(
    ("train", "got"),
    [
        (lambda config, run: None, "None"),
        (lambda config, run: {"val/acc": 0.5}, "{'val/acc': 0.5}"),
        (lambda config, run: 0.5, "0.5"),
        (asynchronous, "async_generator"),
    ],
)
def test_what_gives_no_reports_says_so_when_it_begins(tmp_path, train: Any, got: str):
    with pytest.raises(TypeError, match="train must yield a mapping of metrics once an epoch, but returned ") as raised:
        Trainable("mine:train", train).reports({}, LocalRun(tmp_path))
    assert f"but returned {got}; write `yield`" in str(raised.value)


def test_a_module_that_parses_arguments_is_imported_with_none(tmp_path, monkeypatch: pytest.MonkeyPatch):
    source = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--lr', default=0.1)\n"
    source += "lr = parser.parse_args().lr\n"
    (tmp_path / "script_of_mine.py").write_text(source + "def train(config, run):\n    yield {'val/acc': lr}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.argv", ["tune", "run", "file.yaml"])
    assert next(load_trainable("script_of_mine:train").reports({}, LocalRun(tmp_path))) == {"val/acc": 0.1}
    assert sys.argv == ["tune", "run", "file.yaml"]
