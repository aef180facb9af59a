"""The numbers at the top of a report agree with what is said of them below."""

from __future__ import annotations

from orchestrator.trial import Trial
from reports.numbers.comparison import compare
from reports.numbers.repeats import Repeat
from reports.pages.chapter import build_chapter
from tests.reports.few_trials import study, trial


def lead_tile(repeats: tuple[float, ...], lang: str = "en") -> str:
    """Returns what stands below the lead over the baseline, where the winner was trained again with other seeds."""
    trials: list[Trial] = [trial(1, [0.898, 0.899, 0.9], baseline="by hand"), trial(2, [0.948, 0.949, 0.95])]
    again = tuple(Repeat(f"again-seed{n}", trial(1, [value], seed=n)) for n, value in enumerate(repeats, start=1))
    return build_chapter(compare(study(trials, repeats=again)), lang, 1).tiles[1].detail


def test_the_lead_says_how_many_repeats_it_has_had():
    assert lead_tile(()) == "one run each: unknown"
    assert lead_tile((0.94,)) == "1 of 2 repeats done"
    assert lead_tile((0.94,), "ko") == "반복 2번 중 1번 완료"
    assert lead_tile((0.94, 0.93)) == "confirmed by 2 repeats"
    assert lead_tile((0.94, 0.7)) == "held in 1 of 2 repeats"
