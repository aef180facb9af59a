"""Makes the tables of a report, worded and formatted, for both the page and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.plain_data import canonical, is_number
from orchestrator.trial import Trial
from reports.numbers.comparison import Comparison, Row, series
from reports.numbers.quantity import Quantity
from reports.numbers.search_quality import Rung
from reports.pages.endings import ending
from reports.words import Words, one_line, short

SHOWN_TRIALS = 500
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Cell:
    """Holds one field of a table.

    sort: what the column is ordered by; None sorts last. bar: where in its range a value lies, 0 to 1.
    """

    text: str
    sort: float | str | None = None
    kind: str = ""  # a CSS class: a state, "best", "edge"
    title: str = ""  # the whole of what `text` says briefly
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """Names a column."""

    label: str
    numeric: bool = False
    name: bool = False  # the label is a name that someone typed, such as a parameter's


@dataclass(frozen=True)
class Table:
    """Holds rows of cells under columns. row_kinds: the CSS class of each row."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    row_kinds: tuple[str, ...] = field(default=())

    @property
    def kinds(self) -> tuple[str, ...]:
        """Returns a CSS class for every row."""
        return self.row_kinds or ("",) * len(self.rows)

    def without_empty_columns(self) -> Table:
        """Leaves out the columns in which no row says anything; the first one stays."""
        kept = [
            i
            for i in range(len(self.columns))
            if i == 0 or any(row[i].text or row[i].bar is not None for row in self.rows)
        ]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return Table(tuple(self.columns[i] for i in kept), rows, self.row_kinds)


def config_cell(trial: Trial, name: str, words: Words, *, exact: bool = False) -> Cell:
    """Shows one value of a trial's config. exact: with six digits instead of three."""
    if name not in trial.config:
        return Cell(words("config.absent"))
    value = trial.config[name]
    text = short(value, 6 if exact else 3)
    cut = shortened(text, 40)
    return Cell(
        cut, value if is_number(value) else canonical(value), title=short(value, 17) if cut != str(value) else ""
    )


def trials_table(comparison: Comparison, words: Words, limit: int = SHOWN_TRIALS) -> Table:
    """Lists every trial, best first; the first `limit` of them."""
    view = comparison.view
    shown = comparison.rows[:limit]
    names = list(view.searched)
    columns = (
        Column(words("trials.number"), True),
        Column(words("trials.state")),
        Column(comparison.objective.metric, True, True),
        Column(in_points("trials.behind", words), True),
        Column(words("trials.best_epoch"), True),
        Column(words("trials.epochs"), True),
        Column(words("trials.time"), True),
        Column(words("trials.curve")),
        *(Column(name, _numeric(view.searched[name]), True) for name in names),
        Column(words("trials.note")),
    )
    return Table(
        columns,
        tuple(_trial_cells(row, comparison, names, words) for row in shown),
        tuple("best" if row is comparison.best else row.trial.state.value for row in shown),
    )


def _numeric(domain: Mapping[str, Any]) -> bool:
    """Returns whether the values of a name are numbers."""
    return "choices" not in domain or all(is_number(choice) for choice in domain["choices"])


def _trial_cells(row: Row, comparison: Comparison, names: Sequence[str], words: Words) -> tuple[Cell, ...]:
    trial = row.trial
    told = [baseline_name(trial, words, "trials")] if trial.baseline is not None else []
    told += [text] if (text := ending(trial, words)) else []
    value, behind = "" if row.value is None else words.value(row.value), ""
    best = comparison.best
    if row.behind is not None and best is not None and best.value is not None and row.value is not None:
        behind = words.bare_points(abs(comparison.scale.difference(best.value, row.value)))
    curve = [value for _, value in series(trial, comparison.objective)]
    note = one_line("; ".join(told))
    return (
        Cell(str(trial.number), trial.number),
        Cell(words(f"state.{trial.state}"), trial.state.value, f"state {trial.state}"),
        Cell(value, row.value),
        Cell(behind, row.behind),
        Cell("" if row.best_epoch is None else str(row.best_epoch), row.best_epoch),
        Cell(str(trial.epochs), trial.epochs),
        Cell(words.duration(trial.seconds), trial.seconds),
        Cell(sparkline(curve), None, "spark"),
        *(config_cell(trial, name, words) for name in names),
        Cell(shortened(note, 60), kind="reason", title=note if len(note) > 60 else ""),
    )


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """Draws the values as a row of bars between the smallest and the largest; evenly chosen ones if they are many."""
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] for value in values)


def rungs_table(rungs: Sequence[Rung], words: Words) -> Table:
    """Lists the rungs: who reached them, who was cut, how well they foretold the end."""
    columns = (
        Column(words("pruning.rung"), True),
        Column(words("pruning.seen"), True),
        Column(words("pruning.cut"), True),
        Column(words("pruning.rho"), True),
        Column(words("pruning.interval"), True),
        Column(words("pruning.winner_rank"), True),
    )
    return Table(columns, tuple(_rung_cells(rung, words) for rung in rungs)).without_empty_columns()


def _rung_cells(rung: Rung, words: Words) -> tuple[Cell, ...]:
    found = ["", ""]
    if rung.correlation is not None and rung.low is not None and rung.high is not None:
        low, high = (words.quantity(Quantity("correlation", bound)) for bound in (rung.low, rung.high))
        found = [words.quantity(Quantity("correlation", rung.correlation)), f"{low} … {high}"]
    rank = "" if rung.winner_rank is None else f"{rung.winner_rank} / {rung.seen}"
    return tuple(Cell(text) for text in (str(rung.epoch), str(rung.seen), str(rung.cut), *found, rank))


def shortened(text: str, length: int) -> str:
    """Cuts a text to a length, an ellipsis at its end."""
    return text if len(text) <= length else text[: length - 1] + "…"


def baseline_name(trial: Trial, words: Words, group: str) -> str:
    """Says that a trial is a baseline, by its name, in the words of that group of phrases."""
    return words(f"{group}.baseline", name=trial.baseline or "")


def in_points(key: str, words: Words) -> str:
    """Returns the phrase for a column of differences, which names points where values are percentages."""
    return words(f"{key}_points" if words.scale.in_points else key)
