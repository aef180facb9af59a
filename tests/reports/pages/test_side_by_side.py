"""Several studies together: what repeats of a winner prove."""

from __future__ import annotations

import pytest

from reports.numbers.comparison import compare
from reports.pages.side_by_side import notes
from tests.reports.few_trials import LOSS, study, trial

FIRST = study([trial(1, [0.90], baseline="by hand"), trial(2, [0.94])], name="first")


def repeat(value: float, **source) -> object:
    origin = {"study": "first", "trial": 2} | source
    return study([trial(1, [value])], name=f"first-seed{value}", source=origin)


def told(*views, lang: str = "en") -> list[str]:
    return [note.replace("\u00a0", " ") for note in notes([compare(view) for view in views], lang)]


def test_repeats_that_all_beat_the_baseline_make_a_win():
    assert told(FIRST, repeat(0.92), repeat(0.93)) == [
        "Trial 2 of first, trained 3 times: 92.00 % to 94.00 %, mean 93.00 %.",
        "Each of the 2 repeats beats the baseline “by hand” (90.00 %): a win over its one run.",
    ]


def test_one_repeat_that_does_not_is_enough_for_no_win():
    assert told(FIRST, repeat(0.92), repeat(0.89))[1] == (
        "1 of 2 repeats beat the baseline “by hand” (90.00 %): not a win."
    )


def test_one_repeat_is_too_few():
    assert told(FIRST, repeat(0.92))[1].startswith("The repeat beats the baseline “by hand” (90.00 %); one repeat")


@pytest.mark.parametrize("source", [{"study": "other"}, {"trial": 1}])
def test_a_study_from_elsewhere_is_no_repeat(source):
    assert told(FIRST, repeat(0.92, **source)) == [
        "first leads with 94.00 %, 2.00 points ahead of first-seed0.92; one run each, so a win for none."
    ]


def test_equal_studies_lead_nothing():
    assert told(study([trial(1, [0.5])], name="a"), study([trial(1, [0.5])], name="b")) == [
        "a and b both reach 50.00 %."
    ]


def test_a_study_without_a_value_cannot_be_compared():
    assert told(FIRST, study([])) == ["At most one of them has a value: nothing to compare."]
    assert told(study([]), study([])) == ["At most one of them has a value: nothing to compare."]


def test_studies_of_other_objectives_or_other_data_are_told_apart():
    loss = study([trial(1, [0.5], metric="val/loss")], LOSS)
    assert told(FIRST, loss) == ["The objectives differ, so the values cannot be compared."]
    elsewhere = study([trial(1, [0.5])], name="b", data={"root": "data/plates"})
    assert told(FIRST, elsewhere)[1].startswith("The data differ")
