"""Draws the learning curves of a study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.trial import State, Trial
from reports.figures.drawing import (
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
from reports.numbers.comparison import Comparison, series
from reports.numbers.search_quality import Rung
from reports.words import Words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DRAWN = 200  # More curves would be one grey cloud.


def curves_figure(comparison: Comparison, rungs: Sequence[Rung], words: Words) -> Figure | None:
    """Draws value over epoch for every trial: the best in front, cuts and failures marked, rungs dotted.

    None without a value.
    """
    drawn = drawn_trials(comparison)
    if not drawn:
        return None
    figure = blank_figure(words("curves.epoch"), value_title(comparison), 400)
    cut: list[tuple[float, float, str]] = []
    broken: list[tuple[float, float, str]] = []
    named: set[str] = set()
    for trial in reversed(drawn):  # The best is drawn last, and so in front.
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
    """Returns the trials whose curves are drawn, best first: all, or the best half of DRAWN and every n-th other."""
    trials = [row.trial for row in comparison.rows if series(row.trial, comparison.objective)]
    if len(trials) <= DRAWN:
        return trials
    first, rest = trials[: DRAWN // 2], trials[DRAWN // 2 :]
    return first + [rest[i * len(rest) // (DRAWN // 2)] for i in range(DRAWN // 2)]


def zoom_range(comparison: Comparison, words: Words) -> list[float] | None:
    """Returns the part of the value axis in which long trials spend their second half; None if that is most of it."""
    curves = [series(trial, comparison.objective) for trial in drawn_trials(comparison)]
    half = max((points[-1][0] for points in curves), default=0) / 2
    late = [value for points in curves for epoch, value in points if epoch > half]
    every = [value for points in curves for _, value in points]
    if not late or half < 2 or max(late) - min(late) >= 0.5 * (max(every) - min(every)):
        return None
    margin = 0.08 * (max(late) - min(late)) or 0.01 * abs(max(late)) or 1.0
    return [(min(late) - margin) * words.scale.factor, (max(late) + margin) * words.scale.factor]


def _role(trial: Trial, comparison: Comparison, words: Words) -> tuple[str, str, float]:
    """Returns (legend, colour, width) of a trial's curve."""
    if comparison.best is not None and trial.number == comparison.best.number:
        return literal(f"{words('curves.best')} ({trial.number})"), BEST, 3.0
    if trial.baseline is not None and trial.state is not State.FAILED:
        return words("curves.baseline"), BASELINE, 2.2
    if trial.state in (State.RUNNING, State.PAUSED):
        return words("curves.running"), OPEN, 1.5
    return words(f"curves.{trial.state}"), COLOURS[trial.state], 1.5


def _add_ends(figure: Figure, ends: Sequence[tuple[float, float, str]], symbol: str, colour: str, what: str) -> None:
    """Marks the last points of curves that were cut, or that failed."""
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
