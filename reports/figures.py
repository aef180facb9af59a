"""Numbers -> plotly figures. Colours are those of the light page; the page exchanges them for DARK's in the dark."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.trial import State, Trial
from reports.comparison import Comparison, series
from reports.diagnosis import Rung, Slice
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
OVERLAY = (BEST, BASELINE, OPEN, FAILED, COMPLETED, FAINT)
DRAWN = 200  # curves at most: more are one grey cloud
_COLOURS = {State.COMPLETED: COMPLETED, State.PRUNED: PRUNED, State.FAILED: FAILED}


def curves_figure(comparison: Comparison, rungs: Sequence[Rung], words: Words) -> Figure | None:
    """Value per epoch of every trial: the best in front, cuts and failures marked, rungs dotted."""
    drawn = drawn_trials(comparison)
    if not drawn:
        return None
    figure = _figure(words("curves.epoch"), _axis_title(comparison), 400)
    cut: list[tuple[float, float, str]] = []
    broken: list[tuple[float, float, str]] = []
    named: set[str] = set()
    for trial in reversed(drawn):  # the best is drawn last, and so in front
        points = series(trial, comparison.objective)
        name, colour, width = _role(trial, comparison, words)
        x, y = [float(epoch) for epoch, _ in points], [value * words.scale.factor for _, value in points]
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            line={"color": colour, "width": width},
            marker={"size": 7 if colour == BEST else 4, "color": colour},
            name=name,
            legendgroup=name,
            showlegend=name not in named,
            legendrank=_LEGEND.index(colour),
            text=hover(trial, comparison, words),
            hovertemplate="%{text}<br>" + _plain(words("curves.epoch")) + " %{x}: %{y}<extra></extra>",
        )
        named.add(name)
        if trial.state is State.PRUNED:
            cut.append((x[-1], y[-1], hover(trial, comparison, words)))
        elif trial.state is State.FAILED:
            broken.append((x[-1], y[-1], hover(trial, comparison, words)))
    _add_ends(figure, cut, "line-ew", PRUNED, _plain(words("curves.cut")))
    _add_ends(figure, broken, "x", FAILED, "")
    for rung in rungs:
        figure.add_vline(x=rung.epoch, line={"color": FAINT, "width": 1, "dash": "dot"}, layer="below")
    longest = max(trial.epochs for trial in drawn)
    figure.update_xaxes(range=[0.6, longest + 0.4], tickformat="d", nticks=min(longest + 1, 12))
    return figure


_LEGEND = (BEST, BASELINE, COMPLETED, PRUNED, OPEN, FAILED)


def drawn_trials(comparison: Comparison) -> list[Trial]:
    """The trials whose curves are drawn, best first: all of them, or the best half of DRAWN and every n-th other."""
    trials = [row.trial for row in comparison.rows if series(row.trial, comparison.objective)]
    if len(trials) <= DRAWN:
        return trials
    first, rest = trials[: DRAWN // 2], trials[DRAWN // 2 :]
    return first + [rest[i * len(rest) // (DRAWN // 2)] for i in range(DRAWN // 2)]


def zoom_range(comparison: Comparison, words: Words) -> list[float] | None:
    """The part of the value axis in which long trials spend their second half; None where that is most of it anyway."""
    curves = [series(trial, comparison.objective) for trial in drawn_trials(comparison)]
    half = max((points[-1][0] for points in curves), default=0) / 2
    late = [value for points in curves for epoch, value in points if epoch > half]
    every = [value for points in curves for _, value in points]
    if not late or half < 2 or max(late) - min(late) > 0.5 * (max(every) - min(every)):
        return None
    margin = 0.08 * (max(late) - min(late)) or 0.01 * abs(max(late)) or 1.0
    return [(min(late) - margin) * words.scale.factor, (max(late) + margin) * words.scale.factor]


def progress_figure(comparison: Comparison, words: Words) -> Figure | None:
    """The best value so far against device hours spent, a marker where a trial took the lead."""
    steps = best_so_far(comparison)
    if not steps:
        return None
    unit, per = _hours_unit(comparison)
    figure = _figure(words(f"progress.axis_{unit}"), _axis_title(comparison), 300)
    _add_steps(figure, steps, comparison, words, per, BEST, words("curves.best"))
    for lead in comparison.baselines[:3]:
        name = words("standing.baseline", name=lead.baseline or "")
        y = lead.other_value * words.scale.factor
        figure.add_scatter(
            x=[0.0, comparison.cost.device_hours * per],
            y=[y, y],
            mode="lines",
            line={"color": BASELINE, "width": 1.5, "dash": "dash"},
            name=_plain(name),
            hovertemplate=f"{_plain(name)}: %{{y}}<extra></extra>",
        )
    figure.update_layout(showlegend=bool(comparison.baselines))
    figure.update_xaxes(range=[0.0, comparison.cost.device_hours * per * 1.01])
    late = [value for hours, value, _, _ in steps if hours > 0.1 * comparison.cost.device_hours]
    late += [steps[-1][1]] + [lead.other_value for lead in comparison.baselines[:3]]
    if len(late) > 2 and max(late) > min(late):  # the first steps are large, and of no interest
        margin = 0.1 * (max(late) - min(late))
        low, high = (min(late) - margin) * words.scale.factor, (max(late) + margin) * words.scale.factor
        figure.update_yaxes(range=[low, high])
    return figure


def overlay_figure(comparisons: Sequence[Comparison], words: Words) -> Figure | None:
    """Best so far of several studies of one objective."""
    with_steps = [(each, best_so_far(each)) for each in comparisons]
    with_steps = [(each, steps) for each, steps in with_steps if steps]
    if len(with_steps) < 2:
        return None
    unit, per = _hours_unit(max((each for each, _ in with_steps), key=lambda each: each.cost.device_hours))
    figure = _figure(words(f"progress.axis_{unit}"), _axis_title(with_steps[0][0]), 320)
    for index, (each, steps) in enumerate(with_steps):
        colour = OVERLAY[index % len(OVERLAY)]
        _add_steps(figure, steps, each, words, per, colour, one_line(each.view.name))
    return figure


def best_so_far(comparison: Comparison) -> list[tuple[float, float, int, int]]:
    """(device hours spent in all trials, value, trial, epoch) of every report that was better than all before it."""
    objective = comparison.objective
    reports = [
        (report.at, row.number, report)
        for row in comparison.rows
        for report in row.trial.reports
        if row.trial.state is not State.FAILED or row.rank is not None
    ]
    spent, best, steps = 0.0, None, []
    for _, number, report in sorted(reports, key=lambda item: (item[0], item[1], item[2].epoch)):
        spent += report.seconds
        value = report.metrics.get(objective.metric)
        if value is None or value != value or abs(value) == float("inf"):
            continue
        if best is None or objective.better(value, best):
            best = value
            steps.append((comparison.cost.hours_of(spent), value, number, report.epoch))
    return steps


def slice_figure(slice: Slice, comparison: Comparison, words: Words) -> Figure:
    """The objective over one parameter, a dot a trial; a triangle at the edge where its value lies beyond the axis."""
    figure = _figure("", "", 210)
    best, reach = comparison.best, survivors_range(comparison)
    for state in (State.PRUNED, State.PAUSED, State.RUNNING, State.COMPLETED):
        points = [point for point in slice.points if point[3] is state and (best is None or point[0] != best.number)]
        _add_dots(figure, points, slice, comparison, words, reach, _COLOURS.get(state, OPEN), state is State.COMPLETED)
    if best is not None:
        points = [point for point in slice.points if point[0] == best.number]
        _add_dots(figure, points, slice, comparison, words, reach, BEST, True, 12)
    if slice.choices is not None:
        labels = [_label(choice) for choice in slice.choices]
        figure.update_xaxes(
            type="category", categoryorder="array", categoryarray=labels, range=[-0.5, len(labels) - 0.5]
        )
    else:
        _set_range(figure, slice)
    if reach is not None:
        margin = 0.08 * (reach[1] - reach[0])
        figure.update_yaxes(range=[(reach[0] - margin) * words.scale.factor, (reach[1] + margin) * words.scale.factor])
    figure.update_yaxes(nticks=5)
    figure.update_layout(showlegend=False, margin={"l": 8, "r": 8, "t": 6, "b": 8})
    return figure


def survivors_range(comparison: Comparison) -> tuple[float, float] | None:
    """(low, high) of the values of trials that lasted half as long as the longest; None where that is most of all values.

    Trials cut at the first rung would else press all others into a line.
    """
    rows = [row for row in comparison.rows if row.rank is not None and row.value is not None]
    longest = max((row.trial.epochs for row in rows), default=0)
    lasted = [row.value for row in rows if row.value is not None and 2 * row.trial.epochs >= longest]
    every = [row.value for row in rows if row.value is not None]
    if len(lasted) < 3 or 2 * (max(lasted) - min(lasted)) > max(every) - min(every) or min(lasted) == max(lasted):
        return None
    return min(lasted), max(lasted)


def _set_range(figure: Figure, slice: Slice) -> None:
    """The searched range with a little around it, its bounds dotted; 1, 2 and 5 marked where it is logarithmic."""
    values = [value for _, value, _, _ in slice.points]
    low, high = min([*values, *_given(slice.low)]), max([*values, *_given(slice.high)])
    for bound in _given(slice.low) + _given(slice.high):
        figure.add_vline(x=bound, line={"color": FAINT, "width": 1, "dash": "dot"}, layer="below")
    if not slice.log or low <= 0:
        margin = 0.04 * (high - low) or 1.0
        whole = all(isinstance(value, int) for value in values)
        figure.update_xaxes(range=[low - margin, high + margin], tickformat="d" if whole else None, nticks=6)
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
    return [] if bound is None else [bound]


def _label(choice: Any) -> str:
    return _plain(short(choice))[:24]


def hover(trial: Trial, comparison: Comparison, words: Words) -> str:
    """What is shown at a trial: its number, state, and what was searched, one a line."""
    title = f"<b>{_plain(words('standing.trial'))} {trial.number}</b>, {_plain(words(f'state.{trial.state}'))}"
    lines = [title]
    if trial.baseline is not None:
        lines.append(_plain(words("standing.baseline", name=trial.baseline)))
    names = [name for name in comparison.view.searched if name in trial.config][:16]
    lines += [_plain(f"{name} = {short(trial.config[name])}"[:80]) for name in names]
    if trial.state is State.FAILED and trial.reason:
        lines.append(_plain(trial.reason[:100]))
    return "<br>".join(lines)


def _plain(text: str) -> str:
    """Plotly reads tags and %{...} in texts; what people typed is shown as they typed it."""
    return html.escape(one_line(text), quote=False).replace("%{", "%\u200b{")


def _figure(x: str, y: str, height: int) -> Figure:
    from plotly.graph_objects import Figure  # slow to import

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


def _axis_title(comparison: Comparison) -> str:
    percent = " (%)" if comparison.scale.in_points else ""
    return _plain(comparison.objective.metric + percent)


def _role(trial: Trial, comparison: Comparison, words: Words) -> tuple[str, str, float]:
    """(legend, colour, width) of a trial's curve."""
    if comparison.best is not None and trial.number == comparison.best.number:
        return _plain(f"{words('curves.best')} ({trial.number})"), BEST, 3.0
    if trial.baseline is not None and trial.state is not State.FAILED:
        return words("curves.baseline"), BASELINE, 2.2
    if trial.state in (State.RUNNING, State.PAUSED):
        return words("curves.running"), OPEN, 1.5
    return words(f"curves.{trial.state}"), _COLOURS[trial.state], 1.5


def _add_ends(figure: Figure, ends: Sequence[tuple[float, float, str]], symbol: str, colour: str, what: str) -> None:
    if not ends:
        return
    figure.add_scatter(
        x=[x for x, _, _ in ends],
        y=[y for _, y, _ in ends],
        mode="markers",
        marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 2, "color": colour}},
        text=[text for _, _, text in ends],
        hovertemplate="%{text}" + (f"<br>{what}" if what else "") + "<extra></extra>",
        showlegend=False,
    )


def _add_steps(
    figure: Figure,
    steps: Sequence[tuple[float, float, int, int]],
    comparison: Comparison,
    words: Words,
    per: float,
    colour: str,
    name: str,
) -> None:
    """A staircase that goes on to the end of what was spent, with a marker where the lead changed hands."""
    end = comparison.cost.device_hours * per
    figure.add_scatter(
        x=[hours * per for hours, _, _, _ in steps] + [end],
        y=[value * words.scale.factor for _, value, _, _ in steps] + [steps[-1][1] * words.scale.factor],
        mode="lines",
        line={"color": colour, "width": 2.5, "shape": "hv"},
        name=_plain(name),
        legendgroup=_plain(name),
        hoverinfo="skip",
    )
    changes = [step for index, step in enumerate(steps) if index == 0 or steps[index - 1][2] != step[2]]
    rows = {row.number: row.trial for row in comparison.rows}
    figure.add_scatter(
        x=[hours * per for hours, _, _, _ in changes],
        y=[value * words.scale.factor for _, value, _, _ in changes],
        mode="markers",
        marker={"color": colour, "size": 7},
        text=[
            hover(rows[number], comparison, words) + f"<br>{_plain(words('curves.epoch'))} {epoch}"
            for _, _, number, epoch in changes
        ],
        hovertemplate="%{text}: %{y}<extra></extra>",
        showlegend=False,
        legendgroup=_plain(name),
    )


def _hours_unit(comparison: Comparison) -> tuple[str, float]:
    """(key of the axis, units in an hour)."""
    device = comparison.cost.device
    return (device, 1.0) if comparison.cost.device_hours >= 0.5 else (f"{device}_minutes", 60.0)


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
    if not points:
        return
    rows = {row.number: row.trial for row in comparison.rows}
    low, high = reach or (-math.inf, math.inf)
    shown = [min(max(value, low), high) for _, _, value, _ in points]
    symbols = []
    for (_, _, value, _), at in zip(points, shown, strict=True):
        shape = "triangle-down" if value < at else "triangle-up" if value > at else "circle"
        symbols.append(shape if filled else f"{shape}-open")
    figure.add_scatter(
        x=[value if slice.choices is None else _label(value) for _, value, _, _ in points],
        y=[value * words.scale.factor for value in shown],
        mode="markers",
        marker={"color": colour, "symbol": symbols, "size": size, "line": {"width": 1.5, "color": colour}},
        text=[f"{hover(rows[number], comparison, words)}<br>{words.value(value)}" for number, _, value, _ in points],
        hovertemplate="%{text}<extra></extra>",
    )
