"""What is said of a study, and what is not: no single runs make a win."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.trial import Report
from reports.numbers.comparison import compare
from reports.numbers.repeats import Repeat
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
    assert support[0] == "val/accuracy 96.00 % at epoch 12, against 95.00 % (+1.1 % relative)."
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


def test_a_study_whose_every_value_is_zero_learnt_nothing():
    trials = [trial(n, [0.0] * 4, state) for n, state in ((1, "completed"), (2, "pruned"), (3, "failed"))]
    standing, headline, support = said(study(trials))
    assert (standing, headline) == ("none", "Nothing was learnt: every value is 0.")
    assert support[0] == "val/accuracy is 0 in every report: 12 epochs of 3 trials."
    assert not any("tie" in line or "luck" in line or "Runner-up" in line for line in support)
    assert said(study(trials), "ko")[1] == "배운 것이 없습니다. 모든 값이 0입니다."
    assert said(study([trial(1, [0.0, 0.0], "running")], status="running"))[1] == (
        "Nothing was learnt yet: every value so far is 0."
    )


def test_a_constant_that_is_not_zero_is_named_as_the_metric_is_shown():
    assert said(study([trial(n, [0.5] * 3) for n in (1, 2)]))[1] == "Nothing was learnt: every value is 50.00 %."
    stuck = [trial(n, [0.693] * 3, metric="val/loss") for n in (1, 2)]
    assert said(study(stuck, LOSS))[1] == "Nothing was learnt: every value is 0.6930."


def test_what_another_metric_learnt_is_told_beside_an_objective_that_never_moved():
    reports = tuple(Report(e, {"val/accuracy": 0.0, "val/ned": 0.1 * e}, 1.0, e) for e in range(1, 9))
    _, headline, support = said(study([replace(trial(1, []), reports=reports), trial(2, [0.0])]))
    assert headline == "Nothing was learnt that val/accuracy shows: every value is 0."
    assert (
        "Yet val/ned went from 0.1 to 0.75 in trial 1: something is learnt that val/accuracy does not show, or not "
        in (support[1])
    )


def test_the_values_of_a_smoke_test_accuse_nobody():
    _, headline, support = said(study([trial(n, [0.0] * 3) for n in (1, 2)], name="made_up-smoke"))
    assert "learnt" not in headline and any("smoke test" in line for line in support)


def test_one_value_that_is_not_all_zero_is_no_study_that_learnt_nothing():
    assert "learnt" not in said(study([trial(1, [0.0] * 4), trial(2, [0.0, 0.0, 0.01])]))[1]
    assert "learnt" not in said(study([trial(1, [0.0] * 4), trial(2, [0.3], "failed")]))[1]


def test_trials_that_all_reach_the_same_best_are_not_told_apart_and_a_perfect_one_is_said_to_be():
    standing, headline, support = said(study([trial(n, [0.2 * n, 1.0]) for n in (1, 2, 3)]))
    assert standing == "none"
    assert headline == (
        "No winner can be named: 3 trials all reach the same 100.00 %, so val/accuracy does not tell them apart."
    )
    assert support[0].startswith("There is no better value than that")
    assert said(study([trial(n, [0.1 * n, 0.6]) for n in (1, 2)]))[0] == "tie"  # Two may be a coincidence.


def repeats(*values: float, state: str = "completed") -> tuple[Repeat, ...]:
    return tuple(Repeat(f"made_up-seed{n}", trial(1, [v], state, seed=n)) for n, v in enumerate(values, start=1))


def test_repeats_that_all_beat_the_baseline_make_the_lead_a_win():
    trials = [trial(1, curve(0.90), baseline="by hand"), trial(2, curve(0.95))]
    standing, headline, support = said(study(trials, repeats=repeats(0.94, 0.92)))
    assert standing == "win"
    assert headline == (
        "Trial 2 beats the baseline “by hand”: each of 2 repeats with other seeds does so too, "
        "on average by 3.00 points."
    )
    assert support[0] == "The config of trial 2 was trained 3 times with different seeds: 92.00 % to 95.00 %."
    assert support[1].startswith("The repeats reach 93.00 % on average.")
    assert not any("Each config ran once" in line for line in support)


def test_one_repeat_that_does_not_lead_is_enough_for_no_win():
    trials = [trial(1, curve(0.90), baseline="by hand"), trial(2, curve(0.95))]
    assert said(study(trials, repeats=repeats(0.94, 0.89)))[:2] == (
        "no_win",
        "Trial 2 does not beat the baseline “by hand”: 1 of 2 repeats with other seeds do.",
    )


def test_without_a_baseline_the_repeats_are_held_against_the_runner_up():
    trials = [trial(1, curve(0.90)), trial(2, curve(0.95))]
    assert said(study(trials, repeats=repeats(0.94, 0.92)))[1] == (
        "Trial 2 leads, confirmed: each of 2 repeats with other seeds is ahead of trial 1, on average by 3.00 points."
    )
    losses = [trial(1, [1.0], metric="val/loss"), trial(2, [0.5], metric="val/loss")]
    again = tuple(Repeat("r", trial(1, [v], metric="val/loss", seed=s)) for s, v in ((1, 0.6), (2, 1.2)))
    assert said(study(losses, LOSS, repeats=again))[0] == "no_win"


def test_a_baseline_that_leads_is_confirmed_over_the_best_searched_config():
    trials = [trial(1, curve(0.95), baseline="by hand"), trial(2, curve(0.90))]
    standing, headline, _ = said(study(trials, repeats=repeats(0.94, 0.92)))
    assert standing == "win" and headline.startswith("The baseline “by hand” is not beaten, confirmed: each of its 2 ")


def test_one_repeat_decides_nothing_and_one_that_is_not_done_counts_for_nothing():
    trials = [trial(1, curve(0.90), baseline="by hand"), trial(2, curve(0.95))]
    standing, _, support = said(study(trials, repeats=repeats(0.94)))
    assert standing == "tie" or standing == "unknown"
    assert "1 more with another seed will decide whether the lead holds." in support
    assert not any("Each config ran once" in line for line in support)
    for state in ("running", "paused", "failed", "pruned"):
        assert said(study(trials, repeats=repeats(0.94, 0.92, state=state))) == said(study(trials))


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
