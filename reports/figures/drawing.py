"""Gives all figures the same colours, axes and texts.

The colours are those of the light page; the page exchanges them for DARK's in the dark.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from orchestrator.trial import State, Trial
from reports.numbers.comparison import Comparison
from reports.words import Words, one_line, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

BEST, BASELINE, COMPLETED, PRUNED, FAILED, OPEN = "#0f62c4", "#b3650a", "#5d7289", "#b4bfca", "#c8323c", "#2c8a63"
INK, GRID, FAINT = "#1d2733", "#e6eaee", "#8793a0"
DARK = {
    BEST: "#6db3ff",
    BASELINE: "#f0a951",
    COMPLETED: "#9fb2c6",
    PRUNED: "#566472",
    FAILED: "#ff7a80",
    OPEN: "#5fcf9d",
    INK: "#e4e9ee",
    GRID: "#2b343e",
    FAINT: "#7d8a97",
}
COLOURS = {State.COMPLETED: COMPLETED, State.PRUNED: PRUNED, State.FAILED: FAILED}


def blank_figure(x: str, y: str, height: int) -> Figure:
    """Makes a figure without data, as wide as the page. x, y: titles of the axes. height: in pixels."""
    from plotly.graph_objects import Figure  # It is slow to import.

    axis = {
        "gridcolor": GRID,
        "linecolor": GRID,
        "zeroline": False,
        "automargin": True,
        "title": {"font": {"size": 12}},
    }
    figure = Figure()
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 8, "r": 8, "t": 10, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 12},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        hoverlabel={"align": "left", "font": {"size": 12}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": FAINT, "activecolor": INK},
        hovermode="closest",
        dragmode="zoom",
    )
    figure.update_xaxes(**axis, title_text=x)
    figure.update_yaxes(**axis, title_text=y)
    return figure


def hover(trial: Trial, comparison: Comparison, words: Words) -> str:
    """Returns what is shown at a trial: its number, state, and what was searched, one a line."""
    title = f"<b>{literal(words('standing.trial'))} {trial.number}</b>, {literal(words(f'state.{trial.state}'))}"
    lines = [title]
    if trial.baseline is not None:
        lines.append(literal(words("standing.baseline", name=trial.baseline)))
    names = [name for name in comparison.view.searched if name in trial.config][:16]
    lines += [literal(f"{name} = {short(trial.config[name])}"[:80]) for name in names]
    if trial.state is State.FAILED and trial.reason:
        lines.append(literal(trial.reason[:100]))
    return "<br>".join(lines)


def literal(text: str) -> str:
    """Returns the text as it was typed: Plotly would read tags and %{...} in it."""
    return html.escape(one_line(text), quote=False).replace("%{", "%\u200b{")


def value_title(comparison: Comparison) -> str:
    """Returns the title of an axis of values of the objective."""
    percent = " (%)" if comparison.scale.in_points else ""
    return literal(comparison.objective.metric + percent)


def value_format(words: Words) -> str:
    """Returns how plotly writes a value of the objective at a point."""
    return f"%{{y:.{words.scale.decimals}f}}" + ("%" if words.scale.in_points else "")
