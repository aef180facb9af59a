"""Draws one parameter against the objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.plain_data import canonical
from orchestrator.trial import State
from reports.figures.drawing import BEST, COLOURS, FAINT, OPEN, blank_figure, hover, literal
from reports.numbers.comparison import Comparison
from reports.numbers.search_quality import Slice
from reports.words import Words, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def slice_figure(slice: Slice, comparison: Comparison, words: Words) -> Figure:
    """Draws the objective over one parameter, a dot a trial; a triangle where a value lies beyond the axis."""
    figure = blank_figure("", "", 210)
    best, reach = comparison.best, survivors_range(comparison)
    for state in (State.PRUNED, State.PAUSED, State.RUNNING, State.COMPLETED):
        points = [point for point in slice.points if point[3] is state and (best is None or point[0] != best.number)]
        _add_dots(figure, points, slice, comparison, words, reach, COLOURS.get(state, OPEN), state is State.COMPLETED)
    if best is not None:
        points = [point for point in slice.points if point[0] == best.number]
        _add_dots(figure, points, slice, comparison, words, reach, BEST, True, 12)
    if slice.choices is not None:
        places = list(range(len(slice.choices)))
        labels = [literal(short(choice)[:24]) for choice in slice.choices]
        figure.update_xaxes(tickvals=places, ticktext=labels, range=[-0.5, len(places) - 0.5])
    else:
        _set_range(figure, slice)
    if reach is not None:
        figure.update_yaxes(range=[end * words.scale.factor for end in _with_margin(reach, 0.26)])
    figure.update_yaxes(nticks=5)
    figure.update_layout(showlegend=False, margin={"l": 8, "r": 8, "t": 6, "b": 8})
    return figure


def survivors_range(comparison: Comparison) -> tuple[float, float] | None:
    """Returns (low, high) of the values of trials half as long as the longest or more; None if that is most of all.

    Trials cut at the first rung would else press all others into a line.
    """
    rows = [row for row in comparison.rows if row.rank is not None and row.value is not None]
    longest = max((row.trial.epochs for row in rows), default=0)
    lasted = [row.value for row in rows if row.value is not None and 2 * row.trial.epochs >= longest]
    every = [row.value for row in rows if row.value is not None]
    if len(lasted) < 3 or 2 * (max(lasted) - min(lasted)) > max(every) - min(every) or min(lasted) == max(lasted):
        return None
    return min(lasted), max(lasted)


def _with_margin(reach: tuple[float, float], share: float) -> tuple[float, float]:
    """Widens a range at both ends by a share of itself."""
    margin = share * (reach[1] - reach[0])
    return reach[0] - margin, reach[1] + margin


def _set_range(figure: Figure, slice: Slice) -> None:
    """Shows the searched range with a margin, its bounds dotted; marks 1, 2 and 5 where it is logarithmic."""
    values = [value for _, value, _, _ in slice.points]
    low, high = min([*values, *_given(slice.low)]), max([*values, *_given(slice.high)])
    for bound in _given(slice.low) + _given(slice.high):
        figure.add_vline(x=bound, line={"color": FAINT, "width": 1, "dash": "dot"}, layer="below")
    if not slice.log or low <= 0:
        margin = 0.04 * (high - low) or 1.0
        whole = all(isinstance(value, int) for value in values)
        figure.update_xaxes(range=[low - margin, high + margin], tickformat="d" if whole else None, nticks=6)
        if slice.step and (high - low) / slice.step <= 8:
            figure.update_xaxes(tickmode="linear", tick0=low, dtick=slice.step)
        return
    ends = math.log10(low), math.log10(high)
    margin = 0.04 * (ends[1] - ends[0]) or 0.5
    marks = [m * 10.0**power for power in range(math.floor(ends[0]), math.ceil(ends[1]) + 1) for m in (1, 2, 5)]
    if ends[1] - ends[0] > 2.5:
        marks = marks[::3]
    shown = [mark for mark in marks if ends[0] - margin <= math.log10(mark) <= ends[1] + margin]
    texts = [
        f"{mark:g}" if 1e-3 <= mark < 1e5 else f"{mark:.0e}".replace("e-0", "e-").replace("e+0", "e") for mark in shown
    ]
    figure.update_xaxes(type="log", range=[ends[0] - margin, ends[1] + margin], tickvals=shown, ticktext=texts)


def _given(bound: float | None) -> list[float]:
    """Returns the bound as a list; an empty one where there is none."""
    return [] if bound is None else [bound]


def _add_dots(
    figure: Figure,
    points: Sequence[tuple[int, Any, float, State]],
    slice: Slice,
    comparison: Comparison,
    words: Words,
    reach: tuple[float, float] | None,
    colour: str,
    filled: bool,
    size: int = 8,
) -> None:
    """Draws trials as dots; those beyond `reach` as triangles at its edge."""
    if not points:
        return
    rows = {row.number: row.trial for row in comparison.rows}
    low, high = _with_margin(reach, 0.16) if reach else (-math.inf, math.inf)
    shown = [min(max(value, low), high) for _, _, value, _ in points]
    symbols = []
    for (_, _, value, _), at in zip(points, shown, strict=True):
        shape = "triangle-down" if value < at else "triangle-up" if value > at else "circle"
        symbols.append(shape if filled else f"{shape}-open")
    figure.add_scatter(
        x=[_across(number, value, slice) for number, value, _, _ in points],
        y=[value * words.scale.factor for value in shown],
        mode="markers",
        marker={"color": colour, "symbol": symbols, "size": size, "line": {"width": 1.5, "color": colour}},
        text=[f"{hover(rows[number], comparison, words)}<br>{words.value(value)}" for number, _, value, _ in points],
        hovertemplate="%{text}<extra></extra>",
    )


def _across(number: int, value: Any, slice: Slice) -> float:
    """Returns where on the axis a trial lies: choices stand side by side, the trials of one a little apart."""
    if slice.choices is None:
        return float(value)
    choices = [canonical(choice) for choice in slice.choices]
    place = choices.index(canonical(value)) if canonical(value) in choices else len(choices)
    return place + 0.03 * (7 * number % 11 - 5)
