"""Draws the best value over what was spent: of one study, or of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.figures.drawing import (
    BASELINE,
    BEST,
    COMPLETED,
    FAILED,
    FAINT,
    OPEN,
    blank_figure,
    hover,
    literal,
    value_format,
    value_title,
)
from reports.numbers.comparison import Comparison, Step, best_so_far
from reports.words import Words, one_line

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

OVERLAY = (BEST, BASELINE, OPEN, FAILED, COMPLETED, FAINT)


def progress_figure(comparison: Comparison, words: Words) -> Figure | None:
    """Draws the best value so far over device hours, a marker where a trial took the lead. None without a value."""
    steps = best_so_far(comparison)
    if not steps:
        return None
    unit, per = _hours_unit(comparison)
    figure = blank_figure(words(f"progress.axis_{unit}"), value_title(comparison), 300)
    _add_steps(figure, steps, comparison, words, per, BEST, words("curves.best"))
    for lead in comparison.baselines[:3]:
        name = words("standing.baseline", name=lead.baseline or "")
        y = lead.other_value * words.scale.factor
        figure.add_scatter(
            x=[0.0, comparison.cost.device_hours * per],
            y=[y, y],
            mode="lines",
            line={"color": BASELINE, "width": 1.5, "dash": "dash"},
            name=literal(name),
            hovertemplate=f"{literal(name)}: {value_format(words)}<extra></extra>",
        )
    figure.update_layout(showlegend=bool(comparison.baselines))
    figure.update_xaxes(range=[0.0, comparison.cost.device_hours * per * 1.01])
    _show_late(figure, [(steps, comparison)], [lead.other_value for lead in comparison.baselines[:3]], words)
    return figure


def overlay_figure(comparisons: Sequence[Comparison], words: Words) -> Figure | None:
    """Draws the best value so far of several studies of one objective. None where fewer than two have a value."""
    with_steps = [(each, best_so_far(each)) for each in comparisons]
    with_steps = [(each, steps) for each, steps in with_steps if steps]
    if len(with_steps) < 2:
        return None
    unit, per = _hours_unit(max((each for each, _ in with_steps), key=lambda each: each.cost.device_hours))
    figure = blank_figure(words(f"progress.axis_{unit}"), value_title(with_steps[0][0]), 320)
    for index, (each, steps) in enumerate(with_steps):
        colour = OVERLAY[index % len(OVERLAY)]
        _add_steps(figure, steps, each, words, per, colour, one_line(each.view.name))
    _show_late(figure, [(steps, each) for each, steps in with_steps], [], words)
    return figure


def _show_late(
    figure: Figure, drawn: Sequence[tuple[list[Step], Comparison]], others: Sequence[float], words: Words
) -> None:
    """Lets the value axis begin where a tenth of the work was done: the first steps are large and of no interest."""
    late = [step.value for steps, each in drawn for step in steps if step.hours > 0.1 * each.cost.device_hours]
    late += [steps[-1].value for steps, _ in drawn] + list(others)
    if len(late) > 2 and max(late) > min(late):
        margin = 0.1 * (max(late) - min(late))
        ends = (min(late) - margin, max(late) + margin)
        figure.update_yaxes(range=[end * words.scale.factor for end in ends])


def _add_steps(
    figure: Figure,
    steps: Sequence[Step],
    comparison: Comparison,
    words: Words,
    per: float,
    colour: str,
    name: str,
) -> None:
    """Draws a staircase to the end of what was spent, with a marker where the lead changed hands."""
    end = comparison.cost.device_hours * per
    figure.add_scatter(
        x=[step.hours * per for step in steps] + [end],
        y=[step.value * words.scale.factor for step in [*steps, steps[-1]]],
        mode="lines",
        line={"color": colour, "width": 2.5, "shape": "hv"},
        name=literal(name),
        legendgroup=literal(name),
        hoverinfo="skip",
    )
    changes = [
        step
        for before, step in zip([None, *steps], steps, strict=False)
        if before is None or before.trial != step.trial
    ]
    trials = {row.number: row.trial for row in comparison.rows}
    epoch = literal(words("curves.epoch"))
    figure.add_scatter(
        x=[step.hours * per for step in changes],
        y=[step.value * words.scale.factor for step in changes],
        mode="markers",
        marker={"color": colour, "size": 7},
        text=[f"{hover(trials[step.trial], comparison, words)}<br>{epoch} {step.epoch}" for step in changes],
        hovertemplate="%{text}: " + value_format(words) + "<extra></extra>",
        showlegend=False,
        legendgroup=literal(name),
    )


def _hours_unit(comparison: Comparison) -> tuple[str, float]:
    """Returns (key of the axis, units in an hour)."""
    device = comparison.cost.device
    return (device, 1.0) if comparison.cost.device_hours >= 1.0 else (f"{device}_minutes", 60.0)
