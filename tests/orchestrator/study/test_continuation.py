"""What a study may change between two starts, and what becomes of its trials then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.job import Ended, JobKind
from orchestrator.ledger import Ledger
from orchestrator.policies.policy import Decision
from orchestrator.study.budget import Limits
from orchestrator.study.continuation import adopt, forbidden_changes, leaders, open_study, revision, with_limits
from orchestrator.study.study import Study
from orchestrator.study_file.study_spec import StudySpec, parse_study
from orchestrator.tracking.projection import trial_params, trial_tags
from orchestrator.trial import Extension, Objective, Report, State, Status, Trial
from tests import toy
from trainables import load_trainable
from tune.summary import study_summary

TOY = load_trainable("tests.toy")
DEFAULTS = {"lr": 0.01, "epochs": 9, "family": "a", "noise": 0.0}
SCORE = Objective("val/score", "max")
LR = {"low": 1e-4, "high": 1.0, "log": True}


def spec_of(**sections: Any) -> StudySpec:
    raw = {
        "study": "toy",
        "trainable": "tests.toy",
        "objective": {"metric": "val/score", "mode": "max"},
        "space": {"lr": LR, "epochs": 4},
        "scheduler": {"name": "asha", "eta": 2},
        "budget": {"trials": 6},
    }
    return parse_study(raw | sections, "toy.yaml")


def trial(number: int, lr: float, state: State = State.COMPLETED, epochs: int = 4, **more: Any) -> Trial:
    reports = tuple(Report(e, {"val/score": toy.score_at(lr, e)}, 1.0, 0.0, True) for e in range(1, epochs + 1))
    return Trial(number, {"lr": lr, "epochs": 4}, state, reports=reports, **more)


class FakeCluster:
    """A study with a ledger, driven by hand, whose file may change between two starts."""

    def __init__(self, directory: Path, **sections: Any) -> None:
        self.home = Home.at(directory)
        self.ledger = Ledger(self.home.ledger)
        self.news: list[str] = []
        self.study = self.start(**sections)

    def start(self, **sections: Any) -> Study:
        """As `tune run` does, with a file of these sections."""
        spec = spec_of(**sections)
        row = open_study(self.ledger, spec, TOY, None, "toy.yaml")
        row, self.news = adopt(self.ledger, row, spec, TOY)
        self.id = row.id
        self.study = Study(spec, TOY, self.ledger, self.id, self.home.study("toy"), concurrency=1)
        self.study.begin()
        return self.study

    def run_out(self) -> list[int]:
        """Train all that is left; returns the numbers of the trials that ran."""
        ran = []
        while (job := self.study.next_job()) is not None:
            if job.kind is JobKind.SCORE:
                self.study.end_step(job.ref.number, Ended(result={"test/score": 0.5}))
                continue
            ran.append(job.number)
            directory = self.home.study("toy") / "trials" / f"{job.number:04d}" / "checkpoint"
            for epoch in range((job.checkpoint_epoch or 0) + 1, job.config["epochs"] + 1):
                (directory / f"epoch-{epoch:04d}").mkdir(parents=True, exist_ok=True)
                score = {"val/score": toy.score_at(job.config["lr"], epoch)}
                if self.study.report(job.number, Report(epoch, score, 1.0, 0.0, True)) is not Decision.CONTINUE:
                    break
            else:
                self.study.complete(job.number)
        return ran

    def summary(self) -> dict[str, Any]:
        return study_summary(self.ledger.study("toy"), self.ledger.trials(self.id), self.home)


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., FakeCluster]:
    return lambda **sections: FakeCluster(tmp_path, **sections)


# What may change


@pytest.mark.parametrize(
    "section, value",
    [
        ("objective", {"metric": "train/loss", "mode": "min"}),
        ("data", {"root": "elsewhere"}),
        ("search", {"seed": 1}),
        ("scheduler", {"name": "none"}),
        ("trainable", "tests.toy:train"),
        ("storage", "/elsewhere"),
    ],
)
def test_what_the_trials_were_measured_by_never_changes(cluster: Callable[..., FakeCluster], section: str, value: Any):
    d = cluster()
    d.run_out()
    with pytest.raises(
        InputMistake, match=rf"toy.yaml: {section}: must be what study 'toy' was begun with, but differs"
    ):
        d.start(**{section: value})


def test_before_its_first_trial_a_study_may_become_another(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.start(search={"seed": 1}, space={"lr": LR, "epochs": 2})
    assert d.ledger.study("toy").raw["search"] == {"seed": 1}


def test_a_study_without_a_value_may_improve_another_metric_and_goes_on(cluster: Callable[..., FakeCluster]):
    scheduler = {"name": "asha", "metric": "val/loss", "mode": "min"}
    d = cluster(objective={"metric": "val/scroe", "mode": "min"}, scheduler=scheduler)
    job = d.study.next_job()
    assert job is not None
    report = Report(1, {"val/score": 0.5, "train/loss": 0.5}, 1.0, 0.0, True)
    assert d.study.report(job.number, report) is Decision.PRUNE
    assert d.study.next_job() is None  # the first report decides
    said = "epoch 1 must report `val/loss`, but reported train/loss, val/score; did you mean `train/loss`?"
    assert d.study.outcome == (Status.FAILED, f"{said} Mend `objective.metric` in the study file")
    assert d.ledger.trial(d.id, 1).state is State.PAUSED
    d.start()  # the objective and the scheduler of the other tests
    row = d.ledger.study("toy")
    assert row.objective == SCORE and row.raw["objective"] == {"metric": "val/score", "mode": "max"}
    assert d.run_out() == [1, 2, 3, 4, 5, 6]
    assert d.ledger.trial(d.id, 1).epochs == 4
    with pytest.raises(InputMistake, match="objective: must be what study 'toy' was begun with"):
        d.start(objective={"metric": "train/loss", "mode": "min"})


def test_before_its_first_trial_a_study_may_have_another_objective(cluster: Callable[..., FakeCluster]):
    d = cluster(objective={"metric": "val/scroe", "mode": "min"})
    d.start()
    assert d.ledger.study("toy").objective == SCORE


def test_a_lowered_limit_on_epochs_is_refused(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.run_out()
    with pytest.raises(
        InputMistake, match=r"space.epochs: must be at least 4, what study 'toy' was begun with, but got 3"
    ):
        d.start(space={"lr": LR, "epochs": 3})
    row = d.ledger.study("toy")
    assert forbidden_changes(row, spec_of(space={"lr": LR, "epochs": 5}), DEFAULTS) == []
    assert forbidden_changes(row, spec_of(space={"lr": LR}), DEFAULTS) == []  # the trainable's own 9


def test_more_trials_and_more_hours_go_on(cluster: Callable[..., FakeCluster]):
    d = cluster(budget={"trials": 4, "hours": 1})
    assert d.run_out() == [1, 2, 3, 4]
    d.start(budget={"trials": 6, "hours": 2})
    assert d.news == []
    assert d.run_out() == [5, 6]
    [change] = d.ledger.study("toy").facts["changes"]
    assert (change["was"], change["left_out"], change["extended"]) == ({"budget": {"trials": 4, "hours": 1}}, [], [])


def test_the_defaults_that_a_study_was_started_with_are_kept_with_it(cluster: Callable[..., FakeCluster]):
    d = cluster(scheduler={"eta": 2})
    kept = d.ledger.study("toy").facts["settings"]
    assert kept["scheduler"] == {"name": "asha", "eta": 2, "grace_epochs": 1, "metric": None, "mode": None}
    d.start(scheduler={"eta": 2}, failures={"hangs": 5})
    assert d.ledger.study("toy").facts["settings"]["failures"]["hangs"] == 5


def test_plus_n_counts_only_trials_that_count(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.run_out()
    d.start(space={"lr": {"low": 1e-4, "high": 0.01, "log": True}, "epochs": 4})
    row = d.ledger.study("toy")
    counted = len(d.study.trials)
    assert 0 < counted < 6
    spec = with_limits(d.study.spec, Limits(more_trials=2), d.ledger, row)
    assert spec.budget.trials == max(counted, 6) + 2  # it was cut short: it is first owed what its file asks for
    d.ledger.update_study(row.id, status="finished")
    d.ledger.want_more(row.id, None)
    spec = with_limits(d.study.spec, Limits(more_trials=2), d.ledger, d.ledger.study("toy"))
    assert spec.budget.trials == counted + 2


# A narrower or wider space


def test_trials_outside_a_narrowed_space_count_no_more_and_say_why(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.run_out()
    lrs = {t.number: t.config["lr"] for t in d.ledger.trials(d.id)}
    border = sorted(lrs.values())[2]
    narrow = {"lr": {"low": 1e-4, "high": border, "log": True}, "epochs": 4}
    d.start(space=narrow)
    inside = [number for number, lr in lrs.items() if lr <= border]
    assert len(inside) == 3 and [t.number for t in d.study.trials] == inside
    assert "3 of 6 trials" in d.news[0] and "no longer count; see tune show toy" in d.news[0]
    best = d.study.best
    values = {t.number: t.value(SCORE) or 0.0 for t in d.ledger.trials(d.id)}
    assert best is not None and best.number == max(inside, key=values.__getitem__)
    assert d.run_out() == [7, 8, 9]  # the budget is six trials of this space
    summary = d.summary()
    reasons = {t["number"]: t["left_out"] for t in summary["trials"]}
    assert {number for number, why in reasons.items() if why} == lrs.keys() - set(inside)
    assert all(why is None or why.startswith("`lr` must be a number from 0.0001 to ") for why in reasons.values())
    assert summary["best"]["number"] not in lrs.keys() - set(inside)
    assert all(t.config["lr"] <= border for t in d.study.trials)


def test_what_was_left_out_counts_again_when_the_space_takes_it_back(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.run_out()
    before = d.summary()
    d.start(space={"lr": {"low": 0.9, "high": 1.0, "log": True}, "epochs": 4})
    assert d.study.trials == []
    d.start()
    assert d.news == ["toy: 6 trials that were left out count again"]
    assert [t["left_out"] for t in d.summary()["trials"]] == [None] * 6
    assert d.summary() == before
    changes = d.ledger.study("toy").facts["changes"]
    assert [change["left_out"] for change in changes] == [[1, 2, 3, 4, 5, 6], []]
    assert changes[0]["was"] == {"space": {"lr": LR, "epochs": 4}} and changes[0]["at"] <= changes[1]["at"]


def test_a_trial_that_waits_and_is_left_out_does_not_run_on(cluster: Callable[..., FakeCluster]):
    d = cluster()
    job = d.study.next_job()
    assert job is not None
    d.study.report(job.number, Report(1, {"val/score": 0.5}, 1.0, 0.0, True))  # the driver died here
    low = job.config["lr"] * 2
    d.start(space={"lr": {"low": low, "high": 2 * low, "log": True}, "epochs": 4})
    stranded = d.ledger.trial(d.id, job.number)
    assert stranded.state is State.PAUSED and stranded.left_out is not None
    assert job.number not in d.run_out()
    d.start()
    assert d.run_out() == [job.number]  # and goes on when it counts again


def test_left_out_trials_do_not_judge_others(cluster: Callable[..., FakeCluster]):
    """Their scores are gone from the rungs: a first trial of the new space is not pruned by them."""
    good = {"lr": {"low": 0.09, "high": 0.11, "log": True}, "epochs": 4}
    d = cluster(space=good, budget={"trials": 4})
    d.run_out()
    d.start(space={"lr": {"low": 1e-4, "high": 2e-4, "log": True}, "epochs": 4}, budget={"trials": 1})
    d.run_out()
    assert [t.state for t in d.study.trials] == [State.COMPLETED]


def test_a_baseline_that_was_left_out_is_tried_again_as_it_reads_now(cluster: Callable[..., FakeCluster]):
    by_hand = [{"name": "by hand", "lr": 0.1}]
    d = cluster(baselines=by_hand, space={"lr": LR, "epochs": 4, "family": ["b", "c"]}, budget={"trials": 1})
    d.run_out()
    d.start(baselines=by_hand, space={"lr": LR, "epochs": 4, "family": ["a", "c"]}, budget={"trials": 1})
    d.run_out()
    trials = d.ledger.trials(d.id)
    assert [(t.baseline, t.config["family"], t.left_out is None) for t in trials] == [
        ("by hand", "b", False),
        ("by hand", "a", True),
    ]


def test_a_name_added_at_its_default_keeps_every_trial_and_its_config_as_it_was(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.run_out()
    d.start(space={"lr": LR, "epochs": 4, "family": ["a", "b"]}, budget={"trials": 8})
    assert [t.config["family"] for t in d.study.trials] == ["a"] * 6  # in the words of the new space
    assert all("family" not in t.config for t in d.ledger.trials(d.id))  # as it was tried
    assert d.run_out() == [7, 8]


def test_no_config_is_tried_again_under_another_name_of_it(cluster: Callable[..., FakeCluster]):
    d = cluster(space={"lr": [0.1, 0.2], "epochs": 4})
    d.run_out()
    d.start(space={"lr": [0.1, 0.2], "epochs": 4, "family": "a"})
    assert d.study.finished


# A raised limit


def test_the_leaders_are_the_best_fraction_and_the_baselines():
    trials = [trial(n, lr) for n, lr in enumerate((0.001, 0.1, 0.2, 1.0), start=1)]
    trials.append(trial(5, 0.0001, baseline="by hand"))
    trials += [trial(6, 0.1001, State.PRUNED, 2), trial(7, 0.1, State.FAILED)]
    assert [t.number for t in leaders(trials, SCORE, 2)] == [2, 3, 5]
    assert [t.number for t in leaders(trials, SCORE, 8)] == [2, 5]
    assert [t.number for t in leaders(trials, SCORE, None)] == [2, 3, 4, 1, 5]
    assert leaders([], SCORE, 4) == []


def test_a_raised_limit_extends_what_waits_and_the_leaders():
    trials = [trial(1, 0.1), trial(2, 0.001), trial(3, 0.05, State.PAUSED, 2), trial(4, 0.02, State.PRUNED, 1)]
    found = revision(spec_of().raw, spec_of(space={"lr": LR, "epochs": 10}), trials, DEFAULTS)
    assert found.left_out == {}
    assert found.extended == {
        3: ({"lr": 0.05, "epochs": 10}, Extension(2, 4, 10)),
        1: ({"lr": 0.1, "epochs": 10}, Extension(4, 4, 10)),
    }
    assert revision(spec_of().raw, spec_of(budget={"trials": 9}), trials, DEFAULTS).extended == {}


def test_without_a_scheduler_every_completed_trial_goes_on():
    trials = [trial(1, 0.1), trial(2, 0.001)]
    unstopped = {"name": "none"}
    before = spec_of(scheduler=unstopped).raw
    found = revision(before, spec_of(scheduler=unstopped, space={"lr": LR, "epochs": 10}), trials, DEFAULTS)
    assert sorted(found.extended) == [1, 2]


def test_a_trial_that_is_left_out_is_not_extended():
    found = revision(
        spec_of().raw, spec_of(space={"lr": {"low": 1e-4, "high": 0.01}, "epochs": 9}), [trial(1, 0.1)], DEFAULTS
    )
    assert list(found.left_out) == [1] and found.extended == {}


def test_leaders_go_on_from_their_checkpoint_to_the_raised_limit(cluster: Callable[..., FakeCluster]):
    d = cluster()
    d.run_out()
    completed = [t for t in d.study.trials if t.state is State.COMPLETED]
    assert d.study.best.test == {"test/score": 0.5}
    d.start(space={"lr": LR, "epochs": 10})
    going = d.ledger.trials(d.id)
    extended = [t.number for t in going if t.extended]
    assert extended == [t.number for t in sorted(leaders(completed, SCORE, 2), key=lambda t: t.number)]
    assert f"{len(extended)} trial" in d.news[0] and "on to 10 epochs" in d.news[0]
    first = going[extended[0] - 1]
    assert (first.state, first.reason) == (State.PAUSED, "goes on to 10 epochs")
    assert first.test is None  # its best epoch may be another in the end
    job = d.study.next_job()
    assert job is not None
    assert (job.number, job.config["epochs"], job.checkpoint_epoch) == (extended[0], 10, 4)
    for epoch in range(5, 11):
        score = {"val/score": toy.score_at(job.config["lr"], epoch)}
        assert d.study.report(job.number, Report(epoch, score, 1.0, 0.0, True)) is Decision.CONTINUE
    d.study.complete(job.number)
    d.run_out()
    shown = {t["number"]: t for t in d.summary()["trials"]}
    assert shown[extended[0]]["extended"] == [{"after": 4, "limit": 4, "new_limit": 10}]
    assert shown[extended[0]]["epochs"] == 10 and shown[extended[0]]["config"]["epochs"] == 10
    others = [t for t in d.ledger.trials(d.id) if not t.extended and t.number <= 6]
    assert others and all(t.config["epochs"] == 4 for t in others)  # the ledger keeps what each one was


def test_a_crash_right_after_the_limit_was_raised_prunes_nobody_for_an_old_decision(
    cluster: Callable[..., FakeCluster],
):
    """Epoch 4 is a rung, and was the last epoch: what ASHA says of it now must not end a trial that goes on."""
    d = cluster(space={"lr": [0.1, 0.11, 0.09, 0.12], "epochs": 4}, scheduler={"name": "asha", "eta": 2})
    d.run_out()
    d.start(space={"lr": [0.1, 0.11, 0.09, 0.12], "epochs": 10}, scheduler={"name": "asha", "eta": 2})
    extended = [t.number for t in d.study.trials if t.extended]
    assert extended
    job = d.study.next_job()  # it is running, without a report yet, when the driver dies
    assert job is not None and job.number == extended[0]
    d.start(space={"lr": [0.1, 0.11, 0.09, 0.12], "epochs": 10}, scheduler={"name": "asha", "eta": 2})
    assert {t.number: t.state for t in d.study.trials}[job.number] is State.PAUSED


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_study_that_is_extended_and_crashes_anywhere_ends_like_an_undisturbed_one(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    """Its limit is raised and its budget grows, both in mid-study; between any two steps the driver may die."""
    short: dict[str, Any] = {"space": {"lr": LR, "epochs": 2}, "budget": {"trials": 3}}
    longer: dict[str, Any] = {"space": {"lr": LR, "epochs": 5}, "budget": {"trials": 5}}

    def drive(disturbed: bool) -> list[Any]:
        d = FakeCluster(tmp_path_factory.mktemp("cluster"), **short)
        crashes = 0
        for sections in (short, longer):
            d.start(**sections)
            job, epoch = None, 0
            while True:
                if disturbed and crashes < 8 and data.draw(st.booleans()):
                    crashes += 1
                    d.start(**sections)
                    job = None
                if job is None:
                    job = d.study.next_job()
                    if job is None:
                        break
                    epoch = job.checkpoint_epoch or 0
                if epoch == job.config["epochs"]:
                    d.study.complete(job.number)
                    job = None
                    continue
                epoch += 1
                score = {"val/score": toy.score_at(job.config["lr"], epoch)}
                if d.study.report(job.number, Report(epoch, score, 1.0, 0.0, True)) is not Decision.CONTINUE:
                    job = None
        d.start(**longer)
        return [
            (t.number, t.config, t.state, t.extended, [(r.epoch, r.metrics) for r in t.reports])
            for t in d.ledger.trials(d.id)
        ]

    assert drive(disturbed=True) == drive(disturbed=False)


def test_mlflow_keeps_the_param_that_a_trial_began_with_and_tells_the_rest_in_tags(cluster: Callable[..., FakeCluster]):
    d = cluster(budget={"trials": 1})
    d.run_out()
    d.start(space={"lr": LR, "epochs": 6}, budget={"trials": 1})
    extended = d.ledger.trial(d.id, 1)
    assert trial_params(extended)["epochs"] == "4"
    assert trial_tags(extended, d.ledger.study("toy"))["extended"] == "extended from 4 to 6 epochs after epoch 4"


def test_a_limit_raised_twice_is_told_twice(cluster: Callable[..., FakeCluster]):
    d = cluster(budget={"trials": 1})
    d.run_out()
    for epochs in (6, 8):
        d.start(space={"lr": LR, "epochs": epochs}, budget={"trials": 1})
        assert d.run_out() == [1]
    assert d.ledger.trial(d.id, 1).extended == (Extension(4, 4, 6), Extension(6, 6, 8))


def test_addresses_are_not_kept_among_the_changes(cluster: Callable[..., FakeCluster]):
    d = cluster(tracking={"uri": "http://the-old-host"})
    d.run_out()
    d.start(tracking={"uri": None})
    assert "the-old-host" not in str(d.ledger.study("toy").facts)
