"""Numbers -> plotly figures: learning curves, and the best value over what was spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.trial import State, Trial
from reports.comparison import Comparison, series
from reports.diagnosis import Rung
from reports.drawing import (
    BASELINE,
    BEST,
    COLOURS,
    COMPLETED,
    FAILED,
    FAINT,
    OPEN,
    PRUNED,
    blank_figure,
    hover,
    literal,
    value_format,
    value_title,
)
from reports.words import Words, one_line

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

OVERLAY = (BEST, BASELINE, OPEN, FAILED, COMPLETED, FAINT)
DRAWN = 200  # curves at most: more are one grey cloud


def curves_figure(comparison: Comparison, rungs: Sequence[Rung], words: Words) -> Figure | None:
    """Value per epoch of every trial: the best in front, cuts and failures marked, rungs dotted."""
    drawn = drawn_trials(comparison)
    if not drawn:
        return None
    figure = blank_figure(words("curves.epoch"), value_title(comparison), 400)
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
            hovertemplate=f"%{{text}}<br>{literal(words('curves.epoch'))} %{{x}}: {value_format(words)}<extra></extra>",
        )
        named.add(name)
        if trial.state is State.PRUNED:
            cut.append((x[-1], y[-1], hover(trial, comparison, words)))
        elif trial.state is State.FAILED:
            broken.append((x[-1], y[-1], hover(trial, comparison, words)))
    _add_ends(figure, cut, "line-ew", PRUNED, literal(words("curves.cut")))
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
    if not late or half < 2 or max(late) - min(late) >= 0.5 * (max(every) - min(every)):
        return None
    margin = 0.08 * (max(late) - min(late)) or 0.01 * abs(max(late)) or 1.0
    return [(min(late) - margin) * words.scale.factor, (max(late) + margin) * words.scale.factor]


def progress_figure(comparison: Comparison, words: Words) -> Figure | None:
    """The best value so far against device hours spent, a marker where a trial took the lead."""
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
    figure = blank_figure(words(f"progress.axis_{unit}"), value_title(with_steps[0][0]), 320)
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


def _role(trial: Trial, comparison: Comparison, words: Words) -> tuple[str, str, float]:
    """(legend, colour, width) of a trial's curve."""
    if comparison.best is not None and trial.number == comparison.best.number:
        return literal(f"{words('curves.best')} ({trial.number})"), BEST, 3.0
    if trial.baseline is not None and trial.state is not State.FAILED:
        return words("curves.baseline"), BASELINE, 2.2
    if trial.state in (State.RUNNING, State.PAUSED):
        return words("curves.running"), OPEN, 1.5
    return words(f"curves.{trial.state}"), COLOURS[trial.state], 1.5


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
        name=literal(name),
        legendgroup=literal(name),
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
            hover(rows[number], comparison, words) + f"<br>{literal(words('curves.epoch'))} {epoch}"
            for _, _, number, epoch in changes
        ],
        hovertemplate="%{text}: " + value_format(words) + "<extra></extra>",
        showlegend=False,
        legendgroup=literal(name),
    )


def _hours_unit(comparison: Comparison) -> tuple[str, float]:
    """(key of the axis, units in an hour)."""
    device = comparison.cost.device
    return (device, 1.0) if comparison.cost.device_hours >= 0.5 else (f"{device}_minutes", 60.0)
