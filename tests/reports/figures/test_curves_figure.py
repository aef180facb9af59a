"""Figures say what the numbers say."""

from __future__ import annotations

import math

import pytest

from reports.figures.curves_figure import DRAWN, curves_figure, drawn_trials, zoom_range
from reports.figures.drawing import BEST, DARK, literal
from reports.figures.progress_figure import overlay_figure, progress_figure
from reports.figures.slice_figure import slice_figure, survivors_range
from reports.numbers.comparison import best_so_far, compare
from reports.numbers.quantity import Scale
from reports.numbers.search_quality import rungs, slices
from reports.words import Words
from tests.reports.few_trials import LOSS, study, trial

WORDS = Words("en", Scale("fraction", 2))
ASHA = {"name": "asha", "eta": 2, "grace_epochs": 1}


def test_the_best_curve_is_drawn_last_and_cuts_stand_where_trials_ended():
    trials = [trial(1, [0.5, 0.9]), trial(2, [0.3], "pruned"), trial(3, [0.4, math.nan], "failed", reason="x")]
    comparison = compare(study(trials, scheduler=ASHA))
    figure = curves_figure(comparison, rungs(comparison), WORDS)
    assert figure is not None
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert lines[-1].name == "best (1)" and lines[-1].line.color == BEST
    assert list(lines[-1].y) == [50.0, 90.0]
    ends = {trace.marker.symbol: (list(trace.x), list(trace.y)) for trace in figure.data if trace.mode == "markers"}
    assert ends == {"line-ew": ([1.0], [30.0]), "x": ([1.0], [40.0])}
    assert [shape.x0 for shape in figure.layout.shapes] == [1]


def test_no_value_is_no_figure():
    comparison = compare(study([trial(1, [])]))
    assert curves_figure(comparison, (), WORDS) is None
    assert progress_figure(comparison, WORDS) is None
    assert zoom_range(comparison, WORDS) is None


def test_of_very_many_curves_the_best_half_is_drawn_whole_and_the_rest_evenly():
    comparison = compare(study([trial(n, [n / 1000]) for n in range(1, 1000)]))
    numbers = [each.number for each in drawn_trials(comparison)]
    assert len(numbers) == len(set(numbers)) == DRAWN
    assert numbers[:100] == list(range(999, 899, -1))
    assert numbers[-1] < 20


def test_the_zoom_shows_where_long_trials_end():
    comparison = compare(study([trial(n, [0.1, 0.5, 0.9, 0.91 + 0.01 * n]) for n in (1, 2)]))
    low, high = zoom_range(comparison, WORDS) or [0.0, 0.0]
    assert 89.0 < low < 90.0 and 93.0 < high < 94.0


def test_best_so_far_counts_all_work_but_lets_no_failed_trial_lead():
    trials = [
        trial(1, [0.5, 0.4, 0.6], seconds=3600.0),
        trial(2, [0.9], "failed", seconds=3600.0, reason="x"),
        trial(3, [0.55, 0.7], seconds=3600.0),
    ]
    steps = best_so_far(compare(study(trials)))
    # In order of time: 1 at epochs 1..3 (4600, 8200, 11800 s), 2 at 5600 s, 3 at 6600 and 10200 s.
    assert [(step.trial, step.epoch, step.value) for step in steps] == [(1, 1, 0.5), (3, 1, 0.55), (3, 2, 0.7)]
    assert [step.hours for step in steps] == pytest.approx([1.0, 3.0, 5.0])


def test_best_so_far_of_a_loss_goes_down():
    trials = [trial(1, [3.0, 2.0, 2.5], metric="val/loss"), trial(2, [4.0, 1.0], metric="val/loss")]
    assert [step.value for step in best_so_far(compare(study(trials, LOSS)))] == [3.0, 2.0, 1.0]


def test_a_slice_clips_what_lies_far_below_and_marks_it_by_triangles():
    trials = [trial(n, [0.9 + 0.01 * n] * 4, config={"lr": 0.01 * n}) for n in range(1, 5)]
    trials += [trial(n, [0.1], "pruned", config={"lr": 0.05 * n}) for n in range(5, 10)]
    comparison = compare(study(trials))
    assert survivors_range(comparison) == pytest.approx((0.91, 0.94))
    figure = slice_figure(slices(comparison)[0], comparison, WORDS)
    pruned = figure.data[0]
    assert set(pruned.marker.symbol) == {"triangle-down-open"}
    assert list(pruned.y) == pytest.approx([100 * (0.91 - 0.16 * 0.03)] * 5)
    assert figure.layout.xaxis.type == "log"


def test_a_slice_of_choices_keeps_them_apart_whatever_they_are():
    choices = ["2024-01-01", "x" * 30 + "1", "x" * 30 + "2", None, 1, True]
    trials = [trial(n, [0.1 * n], config={"kind": choice}) for n, choice in enumerate(choices, start=1)]
    comparison = compare(study(trials, searched={"kind": {"choices": choices}}))
    figure = slice_figure(slices(comparison)[0], comparison, WORDS)
    places = sorted(round(x) for trace in figure.data for x in trace.x)
    assert places == [0, 1, 2, 3, 4, 5]
    assert len(figure.layout.xaxis.ticktext) == 6


def test_studies_are_overlaid_only_where_at_least_two_have_values():
    one, none = compare(study([trial(1, [0.5])])), compare(study([]))
    assert overlay_figure([one, none], WORDS) is None
    figure = overlay_figure([one, compare(study([trial(1, [0.6])], name="<b>"))], WORDS)
    assert figure is not None
    assert [trace.name for trace in figure.data if trace.showlegend is None] == ["made_up", "&lt;b&gt;"]


def test_texts_of_people_are_literal_to_plotly():
    assert literal("<b>%{x}\n") == "&lt;b&gt;%\u200b{x}"


def test_every_colour_has_its_counterpart_for_the_dark():
    assert len(set(DARK)) == len(set(DARK.values())) == 9
    assert not set(DARK) & set(DARK.values())
