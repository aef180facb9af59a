"""What other studies give a new one to begin with, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.policies.build import build_policy
from orchestrator.policies.policy import New
from orchestrator.policies.scheduler import RunToTheEnd
from orchestrator.policies.stopping import StoppingPolicy
from orchestrator.study.proposals import Proposals
from orchestrator.study.trials import Proposal
from orchestrator.study.warm_start import COLD, OFFERED, WarmStart, offers, warm_start
from orchestrator.study_file.study_spec import StudySpec, parse_study
from orchestrator.trial import Objective, Report, State, Trial
from trainables import load_trainable

TOY = load_trainable("tests.toy")
SCORE = Objective("val/score", "max")
LR = {"low": 1e-4, "high": 1.0, "log": True}


def spec_of(*others: str, **sections: Any) -> StudySpec:
    raw = {
        "study": "new",
        "trainable": "tests.toy",
        "objective": {"metric": "val/score", "mode": "max"},
        "space": {"lr": LR, "epochs": 20},
        "warm_start": list(others),
    }
    return parse_study(raw | sections, "new.yaml")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "runs")


@pytest.fixture
def past(home: Home) -> Callable[..., int]:
    """Writes a study that ended: `past("old", [({"lr": 0.1}, 0.9), ...])`; a value None is a failure."""

    def write(name: str, trials: list[tuple[dict[str, Any], float | None]], **raw: Any) -> int:
        ledger = Ledger(home.ledger)
        objective = Objective(raw.pop("metric", "val/score"), "max")
        study = ledger.create_study(name, {"study": name, "trainable": "tests.toy"} | raw, objective, {}).id
        for config, value in trials:
            number = ledger.add_trial(study, config).number
            if value is not None:
                ledger.record(study, number, Report(1, {objective.metric: value}, 1.0, 0.0))
            ledger.finish(study, number, State.FAILED if value is None else State.COMPLETED)
        ledger.close()
        return study

    return write


def gather(home: Home, *others: str, **sections: Any) -> WarmStart:
    return warm_start(home, spec_of(*others, **sections), TOY, "new.yaml")


def test_the_best_few_of_the_other_study_are_offered_best_first(home: Home, past: Callable[..., int]):
    past("old", [({"lr": lr, "epochs": 4}, value) for lr, value in ((0.1, 0.7), (0.2, 0.9), (0.3, 0.8), (0.4, 0.1))])
    warm = gather(home, "old")
    assert [(t.origin, t.config) for t in warm.offered] == [
        ("old/2", {"lr": 0.2, "epochs": 20}),  # trained anew, for as many epochs as this study trains
        ("old/3", {"lr": 0.3, "epochs": 20}),
        ("old/1", {"lr": 0.1, "epochs": 20}),
    ]
    assert [t.origin for t in warm.others] == ["old/1", "old/2", "old/3", "old/4"]
    assert warm.news == ("warm start: 4 of 4 trials of old lie in this space",)


def test_a_loss_is_offered_lowest_first():
    trials = [Trial(n, {"lr": n}, reports=(Report(1, {"loss": value}, 1, 0),)) for n, value in ((1, 0.5), (2, 0.1))]
    assert [t.number for t in offers([trials], Objective("loss", "min"))] == [2, 1]


def test_of_several_studies_the_best_come_in_turn_and_no_config_twice(home: Home, past: Callable[..., int]):
    past("a", [({"lr": 0.1}, 0.5), ({"lr": 0.2}, 0.4)])
    past("b", [({"lr": 0.1}, 0.99), ({"lr": 0.3}, 0.98)])  # other data: its values do not compare
    assert [t.origin for t in gather(home, "a", "b").offered] == ["a/1", "a/2", "b/2"]


def test_trials_outside_failed_or_left_out_are_not_usable_and_the_line_says_why(home: Home, past: Callable[..., int]):
    study = past("old", [({"lr": 2.0}, 0.9), ({"lr": 3.0}, 0.9), ({"lr": 0.1}, None), ({"lr": 0.2}, 0.6)])
    ledger = Ledger(home.ledger)
    ledger.revise(study, raw={"trainable": "tests.toy"}, facts={}, left_out={4: "why"}, extended={})
    ledger.close()
    warm = gather(home, "old")
    assert (warm.others, warm.offered) == ((), ())
    [line] = warm.news
    assert line.startswith("warm start: 0 of 4 trials of old lie in this space; of the others 2: ")
    assert "failed, left out or without a value" in line


def test_names_that_one_study_did_not_search_stand_at_the_trainables_default(home: Home, past: Callable[..., int]):
    past("old", [({"lr": 0.1, "noise": 0.0}, 0.9), ({"lr": 0.2, "noise": 0.5}, 0.95)])
    warm = gather(home, "old", space={"lr": LR, "family": ["a", "b"], "epochs": 20})
    assert [(t.origin, t.config) for t in warm.others] == [("old/1", {"lr": 0.1, "family": "a", "epochs": 20})]
    past("elsewhere", [({"lr": 0.1}, 0.9)], trainable="somebody.elses")  # whose defaults are not known
    assert gather(home, "elsewhere", space={"lr": LR, "family": ["a", "b"], "epochs": 20}).others == ()
    assert [t.origin for t in gather(home, "elsewhere").others] == ["elsewhere/1"]


@pytest.mark.parametrize(
    "others, message",
    [
        (("odl",), r"warm_start\[0\]: must be a study of this ledger, but there is no 'odl', did you mean `old`\?"),
        (("old", "x"), r"warm_start\[1\]: must be a study of this ledger, but there is no 'x'; see `tune list`"),
        (
            ("loss",),
            r"warm_start\[0\]: must have the objective of this study, val/score max, but 'loss' has train/loss max",
        ),
    ],
)
def test_a_study_that_cannot_help_is_the_users_mistake(
    home: Home, past: Callable[..., int], others: tuple[str, ...], message: str
):
    past("old", [])
    past("loss", [], metric="train/loss")
    with pytest.raises(InputMistake, match=f"^new.yaml: {message}"):
        gather(home, *others)


def test_without_a_ledger_nothing_is_made(home: Home):
    with pytest.raises(InputMistake, match=r"no 'old'; see `tune list`"):
        gather(home, "old")
    assert not home.path.exists()
    assert gather(home) is COLD


@pytest.mark.parametrize(
    "written, message",
    [
        ("old", "warm_start: must be a list of studies such as"),
        (["new"], r"warm_start\[0\]: must be another study, but 'new' is this one; remove it"),
        (["old", "old"], r"warm_start\[1\]: must differ from the others"),
        (["../old"], r"warm_start\[0\]: must be the name of a study"),
        ([3], r"warm_start\[0\]: must be the name of a study"),
    ],
)
def test_what_is_no_list_of_other_studies_is_a_mistake_in_the_file(written: Any, message: str):
    with pytest.raises(InputMistake, match=message):
        spec_of(warm_start=written)


def test_offers_come_after_the_baselines_and_before_the_searcher_and_once(home: Home, past: Callable[..., int]):
    past("old", [({"lr": lr}, lr) for lr in (0.1, 0.2, 0.3, 0.4)])
    spec = spec_of("old", baselines=[{"name": "by hand", "lr": 0.4}])
    warm = gather(home, "old")

    def configs(trials: list[Trial], count: int) -> list[tuple[str | None, str | None]]:
        proposals = Proposals(spec, build_policy(spec), warm)  # A new one, as after a crash.
        found = []
        for _ in range(count):
            proposal = proposals.next(trials, (), len(trials))
            assert isinstance(proposal, Proposal)
            trials.append(Trial(len(trials) + 1, proposal.config, baseline=proposal.baseline, origin=proposal.origin))
            found.append((proposal.baseline, proposal.origin))
        return found

    whole: list[Trial] = []
    assert configs(whole, 5) == [
        ("by hand", None),  # has the config of old/4: it is not tried twice
        (None, "old/3"),
        (None, "old/2"),
        (None, None),
        (None, None),
    ]
    parts: list[Trial] = []
    assert configs(parts, 2) + configs(parts, 3) == [(t.baseline, t.origin) for t in whole]
    assert [t.config for t in parts] == [t.config for t in whole]


def test_an_other_study_that_grows_offers_no_more_than_few_in_all(home: Home, past: Callable[..., int]):
    spec = spec_of("old")
    taken = [Trial(n, {"lr": 0.01 * n, "epochs": 20}, origin=f"old/{n}") for n in range(1, OFFERED + 1)]
    better = Trial(9, {"lr": 0.5, "epochs": 20}, origin="old/9")
    proposal = Proposals(spec, build_policy(spec), WarmStart((better,), (better,))).next(taken, (), 0)
    assert isinstance(proposal, Proposal) and proposal.origin is None


def test_a_searcher_is_told_what_others_found():
    told: list[Any] = []

    class Curious:
        def propose(self, trials: Any, others: Any = ()) -> dict[str, Any]:
            told.append(others)
            return {"lr": 0.5, "epochs": 20}

    other = Trial(1, {"lr": 0.1, "epochs": 20}, origin="old/1")
    policy = StoppingPolicy(Curious(), RunToTheEnd(), "val/score", others=(other,), last_epoch=lambda trial: 20)
    assert policy.next([], (), new=True) == New({"lr": 0.5, "epochs": 20})
    assert told == [(other,)]
