"""The toy that the orchestrator is tested with must itself be right."""

from __future__ import annotations

import itertools
import math

import pytest

from tests import toy
from trainables import LocalRun, check_resumes, load_trainable


def scores(config: toy.Config, run: LocalRun) -> list[float]:
    return [metrics["val/score"] for metrics in toy.train(config, run)]


def test_the_curve_is_the_closed_form(tmp_path):
    expected = [toy.score_at(0.003, epoch) for epoch in range(1, 10)]
    assert scores(toy.Config(lr=0.003), LocalRun(tmp_path)) == pytest.approx(expected, rel=1e-12)


def test_no_lr_beats_a_tenth():
    assert max((10 ** (k / 10) for k in range(-50, 11)), key=toy.plateau) == pytest.approx(0.1)


def test_a_resumed_run_repeats_the_uninterrupted_one_exactly(tmp_path):
    check_resumes(toy.train, toy.Config(lr=0.02, noise=0.1), tmp_path)


def test_faults_come_when_ordered(tmp_path):
    generator = toy.train(toy.Config(fail_at=3), LocalRun(tmp_path))
    assert len(list(itertools.islice(generator, 2))) == 2
    with pytest.raises(RuntimeError, match="epoch 3"):
        next(generator)
    with pytest.raises(MemoryError):
        scores(toy.Config(fail_at=1, fault="memory"), LocalRun(tmp_path))
    assert math.isnan(scores(toy.Config(nan_at=2, checkpoint=False), LocalRun(tmp_path))[1])


def test_a_fault_can_spare_the_second_attempt(tmp_path):
    config = toy.Config(fail_at=3, fail_once=True, epochs=4)
    run = LocalRun(tmp_path)
    with pytest.raises(RuntimeError):
        scores(config, run)
    assert len(scores(config, LocalRun(tmp_path, checkpoint_dir=run.saved[-1]))) == 2


@pytest.mark.parametrize("name", ["tests.toy", "tests.toy:train"])
def test_both_names_of_the_toy_carry_every_hook(name, tmp_path):
    trainable = load_trainable(name)
    assert trainable.Config is toy.Config and trainable.smoke is toy.smoke
    assert list(trainable.fields())[:2] == ["lr", "epochs"]
    run = LocalRun(tmp_path)
    list(trainable.train(trainable.build_config({"epochs": 2, "lr": 0.1}), run))
    run.checkpoint_dir = run.saved[-1]
    assert trainable.test(toy.Config(), run) == pytest.approx({"test/score": 0.98 * 0.64})
    trainable.examples(toy.Config(), run, tmp_path)
    assert (tmp_path / "score.png").read_bytes().startswith(b"\x89PNG")
