"""A report says why each trial ended, in its own language."""

from __future__ import annotations

import pytest

from reports.numbers.comparison import compare
from reports.pages.tables import trials_table
from reports.words import Words
from tests.reports.few_trials import study, trial

PATIENCE = "stopped early: val/acc did not improve for 5 epochs"


@pytest.mark.parametrize(
    ("state", "reason", "english", "korean"),
    [
        ("completed", "last epoch: 2 of 2", "last epoch", "마지막 에폭까지 학습"),
        ("completed", PATIENCE, PATIENCE, "조기 종료: val/acc 값이 5에폭 동안 나아지지 않음"),
        (
            "completed",
            "ended by itself after epoch 2 of 9",
            "ended by itself after epoch 2",
            "2번째 에폭 뒤 스스로 종료",
        ),
        ("completed", "the loss is small enough", "the loss is small enough", "the loss is small enough"),
        ("completed", None, "", ""),
        (
            "pruned",
            "below the best 1/4 at the rung of epoch 2",
            "cut at the rung of epoch 2",
            "2번째 에폭의 판정에서 중단",
        ),
        ("pruned", "the search ended before it went on", *["the search ended before it went on"] * 2),
        ("failed", "hang: no report for 300 s", *["hang: no report for 300 s"] * 2),
    ],
)
def test_the_note_of_a_trial_says_why_it_ended(state: str, reason: str | None, english: str, korean: str):
    comparison = compare(study([trial(1, [0.5, 0.6], state, reason=reason)]))
    for lang, expected in (("en", english), ("ko", korean)):
        [row] = trials_table(comparison, Words(lang, comparison.scale)).rows
        assert row[-1].text.replace("\u00a0", " ") == expected
