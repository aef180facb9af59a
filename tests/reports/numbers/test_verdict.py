"""What is said of a study, and what is not: no single runs make a win."""

from __future__ import annotations

import pytest

from reports.numbers.comparison import compare
from reports.numbers.verdict import TIE, verdict
from reports.words import Words
from tests.reports.few_trials import LOSS, study, trial


def said(view, lang: str = "en") -> tuple[str, str, list[str]]:
    """Returns (standing, headline, support)."""
    comparison = compare(view)
    words, found = Words(lang, comparison.scale), verdict(comparison)
    plain = [words.say(each).replace("\u00a0", " ") for each in (found.headline, *found.support)]
    return found.standing, plain[0], plain[1:]


def curve(end: float, noise: float = 0.0, epochs: int = 12) -> list[float]:
    """Returns values that rise to `end` by epoch 6, then alternate by +-noise around it."""
    return [end * epoch / 6 for epoch in range(1, 6)] + [end - noise * (epoch % 2) for epoch in range(epochs - 5)]


def test_a_study_without_trials_says_so():
    assert said(study([], status="running")) == ("none", "No trial has run yet.", [])


def test_a_study_in_which_all_failed_leads_with_what_went_wrong():
    trials = [trial(n, [], "failed", reason="out of memory: no room") for n in (1, 2, 3)]
    standing, headline, support = said(study(trials, status="failed"))
    assert standing == "none"
    assert headline == "No result: 3 trials, none with a usable val/accuracy."
    assert support == ["3 trials failed alike: out of memory: no room"]


def test_one_trial_has_nothing_to_be_compared_with():
    _, headline, support = said(study([trial(1, [0.5, 0.6])]))
    assert headline == "Trial 1 reached 60.00 %; there is nothing to compare it with."
    assert support == ["val/accuracy 60.00 % at epoch 2."]


def test_a_lead_over_the_baseline_is_told_in_points_and_not_called_a_win():
    trials = [trial(1, curve(0.95), baseline="by hand"), trial(2, curve(0.96, 0.0004)), trial(3, curve(0.90))]
    standing, headline, support = said(study(trials))
    assert standing == "unknown"
    assert headline == "Trial 2 leads the baseline “by hand” by 1.00 point; not yet confirmed."
    assert support[0] == "val/accuracy 96.00 % at epoch 6, against 95.00 % (+1.1 % relative)."
    assert support[1].startswith("Each config ran once. A difference of 1.00 point from one run each is not a win")
    assert "how far another seed would move them is not known" in support[2]


def test_a_lead_smaller_than_the_scatter_between_epochs_is_a_tie():
    trials = [trial(1, curve(0.9595), baseline="by hand"), trial(2, curve(0.96, 0.01))]
    standing, headline, support = said(study(trials))
    assert standing == "tie"
    assert headline == "A tie: trial 2 and the baseline “by hand” are 0.05 points apart."
    assert any("less than that decides nothing" in line for line in support)


def test_the_boundary_of_a_tie_is_two_values_95_percent_apart():
    assert pytest.approx(2.77, abs=0.01) == TIE


def test_a_baseline_that_was_not_beaten_is_named_first():
    trials = [trial(1, curve(0.95), baseline="by hand"), trial(2, curve(0.94)), trial(3, curve(0.93))]
    _, headline, _ = said(study(trials))
    assert headline == (
        "The baseline “by hand” is not beaten: the best searched config, trial 2, is 1.00 point behind."
    )


def test_without_a_baseline_the_runner_up_is_what_counts():
    _, headline, support = said(study([trial(n, curve(0.90 + 0.01 * n)) for n in range(1, 6)]))
    assert headline == "Trial 5 leads with 95.00 %, 1.00 point ahead of trial 4; not yet confirmed."
    assert support[-1] == "Half of the 5 trials with a value did no better than 93.00 %."
    assert not any("Runner-up" in line for line in support)  # said in the headline


def test_a_loss_has_no_points_and_the_smaller_one_leads():
    trials = [trial(n, [2.0, 1.0 + 0.1 * n], metric="val/loss") for n in (1, 2)]
    _, headline, support = said(study(trials, LOSS))
    assert headline == "Trial 1 leads with 1.100, 0.100 ahead of trial 2; not yet confirmed."
    assert support[0] == "val/loss 1.100 at epoch 2, against 1.200 (−8.3 % relative)."


def test_equal_trials_tie():
    standing, headline, _ = said(study([trial(1, [0.5]), trial(2, [0.5])]))
    assert standing == "tie"
    assert headline == "No winner can be named: trials 1 and 2 are 0.00 points apart, a tie."


def test_what_weakens_the_result_is_said():
    trials = [trial(1, [0.5, 0.6], "running"), trial(2, [], "failed", reason="x"), trial(3, [0.5])]
    _, _, support = said(study(trials, name="made_up-smoke"))
    assert "This was a smoke test: it proves that the parts work together, and its values mean nothing." in support
    assert "Trial 1 is not finished (2 epochs so far)." in support
    assert "1 of 3 trials failed: look at the reasons below before trusting the rest." in support


def test_a_winner_that_was_cut_is_told():
    _, _, support = said(study([trial(1, [0.5, 0.6], "pruned"), trial(2, [0.3] * 4)]))
    assert "Trial 1 was cut after 2 epochs; trained to its end it might do better." in support


def test_korean_says_points_as_percent_p():
    trials = [trial(1, curve(0.95), baseline="기준"), trial(2, curve(0.96, 0.0004))]
    _, headline, _ = said(study(trials), "ko")
    assert headline == "2번 시도가 베이스라인 “기준”보다 1.00%p 앞서지만 아직 확인되지 않았습니다."
