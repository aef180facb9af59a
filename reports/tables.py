"""The tables of a report, worded and formatted, for both the page and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.plain_data import canonical, is_number
from orchestrator.trial import State, Trial
from reports.comparison import Comparison, Row, series, tested_value
from reports.diagnosis import Rung, Slice, position
from reports.quantity import Quantity
from reports.words import Words, one_line, short

SHOWN_TRIALS = 500
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Cell:
    """sort: what the column is ordered by; None sorts last. bar: where in a range a value lies, from 0 to 1."""

    text: str
    sort: float | str | None = None
    kind: str = ""  # a CSS class: a state, "best", "edge"
    title: str = ""  # the whole of what `text` says briefly
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    label: str
    numeric: bool = False
    name: bool = False  # the label is a name that someone typed, such as a parameter's


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    row_kinds: tuple[str, ...] = field(default=())

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.row_kinds or ("",) * len(self.rows)

    def without_empty_columns(self) -> Table:
        """Columns in which no row says anything are left out."""
        kept = [i for i in range(len(self.columns)) if i == 0 or any(row[i].text for row in self.rows)]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return Table(tuple(self.columns[i] for i in kept), rows, self.row_kinds)


def standing_table(comparison: Comparison, words: Words) -> Table | None:
    """The best, every baseline, the runner-up, and the median where no trial was cut short. None without a best."""
    best = comparison.best
    if best is None:
        return None
    rows = [_standing_row(words("standing.best"), best, comparison, words, "best")]
    if best.trial.baseline is not None:
        rows = [_standing_row(_baseline(best.trial, words, "standing"), best, comparison, words, "best")]
    listed = {best.number}
    for lead in comparison.baselines:
        row = comparison.row(lead.other)
        rows.append(_standing_row(_baseline(row.trial, words, "standing"), row, comparison, words))
        listed.add(lead.other)
    runner_up = comparison.runner_up
    if runner_up is not None and runner_up.other not in listed:
        row = comparison.row(runner_up.other)
        rows.insert(1, _standing_row(words("standing.runner_up"), row, comparison, words))
    if comparison.median is not None and comparison.scored >= 4 and not comparison.counts.get(State.PRUNED, 0):
        what = words("standing.median", trials=Quantity("trials", comparison.scored))
        behind = abs((best.value or 0.0) - comparison.median)
        cells = (Cell(what), Cell(""), Cell(words.value(comparison.median)), Cell(""))
        rows.append((*cells, Cell(words.bare_points(behind)), Cell(""), Cell(""), Cell(""), Cell("")))
    columns = (
        Column(words("standing.what")),
        Column(words("standing.trial"), True),
        Column(comparison.objective.metric, True, True),
        Column(words("standing.epoch"), True),
        Column(_in_points("standing.behind", words), True),
        Column(words("standing.relative"), True),
        Column(words("standing.test"), True),
        Column(_in_points("standing.test_behind", words), True),
        Column(words("standing.time"), True),
    )
    return Table(columns, tuple(rows), ("best",) + ("",) * (len(rows) - 1)).without_empty_columns()


def _standing_row(what: str, row: Row, comparison: Comparison, words: Words, kind: str = "") -> tuple[Cell, ...]:
    best = comparison.best
    assert best is not None and best.value is not None and row.value is not None
    tests = [tested_value(each.trial, comparison.objective) for each in (best, row)]
    behind, test_behind, relative = "", "", ""
    if row.number != best.number:
        behind = words.bare_points(row.behind or 0.0)
        if row.value:
            relative = words.quantity(Quantity("relative", (row.value - best.value) / abs(best.value or row.value)))
        if tests[0] is not None and tests[1] is not None:
            gap = tests[0] - tests[1] if comparison.objective.mode == "max" else tests[1] - tests[0]
            test_behind = words.bare_points(gap)
    return (
        Cell(what, kind=kind),
        Cell(str(row.number)),
        Cell(words.value(row.value)),
        Cell("" if row.best_epoch is None else str(row.best_epoch)),
        Cell(behind),
        Cell(relative),
        Cell("" if tests[1] is None else words.value(tests[1])),
        Cell(test_behind),
        Cell(words.duration(row.trial.seconds)),
    )


def config_table(comparison: Comparison, slices: Sequence[Slice], words: Words) -> Table | None:
    """What was searched: the best value, those of the baselines, the range and where in it the best lies."""
    best, view = comparison.best, comparison.view
    if best is None or not view.searched:
        return None
    baselines = [comparison.row(lead.other).trial for lead in comparison.baselines]
    by_name = {each.name: each for each in slices}
    rows = []
    for name in view.searched:
        domain = view.domain_of(name, best.trial.config)
        value = best.trial.config.get(name)
        note, edge = _edge_note(by_name.get(name), words)
        cells = [Cell(name, kind="name"), _config_cell(best.trial, name, words, exact=True)]
        cells += [_config_cell(trial, name, words, exact=True) for trial in baselines]
        cells += [Cell(_range(domain, words)), Cell("", bar=position(value, domain)), Cell(note, kind=edge)]
        rows.append(tuple(cells))
    columns = (
        Column(words("config.name")),
        Column(words("config.best", trial=best.number), True),
        *(Column(_baseline(trial, words, "standing"), True) for trial in baselines),
        Column(words("config.range")),
        Column(words("config.where")),
        Column(words("config.note")),
    )
    return Table(columns, tuple(rows))


def _config_cell(trial: Trial, name: str, words: Words, *, exact: bool = False) -> Cell:
    if name not in trial.config:
        return Cell(words("config.absent"))
    value = trial.config[name]
    text = short(value, 6 if exact else 3)
    cut = _cut(text, 40)
    return Cell(
        cut, value if is_number(value) else canonical(value), title=short(value, 17) if cut != str(value) else ""
    )


def _range(domain: Mapping[str, Any], words: Words) -> str:
    if domain.get("low") is not None:
        text = f"{short(domain['low'])} – {short(domain['high'])}"
        if domain.get("log"):
            text += ", " + words("config.log")
        if domain.get("step") not in (None, 1):
            text += ", " + words("config.step", step=short(domain["step"]))
    else:
        text = ", ".join(short(choice) for choice in domain.get("choices", ()))
        text = _cut(text, 60)
    if domain.get("when"):
        told = "; ".join(f"{n} = {' | '.join(map(short, values))}" for n, values in domain["when"].items())
        text += ", " + words("config.when", condition=told)
    return text


def _edge_note(slice: Slice | None, words: Words) -> tuple[str, str]:
    """(note, CSS class)."""
    if slice is None or slice.edge is None:
        return "", ""
    if slice.natural:
        return words("config.natural"), ""
    return words("config.leaning" if slice.leaning else f"config.edge_{slice.edge}"), "edge"


def edges_note(slices: Sequence[Slice], words: Words) -> str:
    """How many edges chance alone would make; "" where there is none to explain."""
    ranges = [each for each in slices if each.choices is None and each.low is not None]
    if not any(each.edge and not each.natural for each in ranges):
        return ""
    expected = sum(each.edge_by_chance for each in ranges)
    return words("config.edges", expected=f"{expected:.1f}", searched=len(ranges))


def trials_table(comparison: Comparison, words: Words, limit: int = SHOWN_TRIALS) -> Table:
    """Every trial, best first; the first `limit` of them."""
    view = comparison.view
    shown = comparison.rows[:limit]
    names = list(view.searched)
    columns = (
        Column(words("trials.number"), True),
        Column(words("trials.state")),
        Column(comparison.objective.metric, True, True),
        Column(_in_points("trials.behind", words), True),
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
    return "choices" not in domain or all(is_number(choice) for choice in domain["choices"])


def _trial_cells(row: Row, comparison: Comparison, names: Sequence[str], words: Words) -> tuple[Cell, ...]:
    trial = row.trial
    told = [_baseline(trial, words, "trials")] if trial.baseline is not None else []
    told += (
        [trial.reason] if trial.reason and trial.state is not State.PRUNED else []
    )  # that says no more than its state
    value = "" if row.value is None else words.value(row.value)
    curve = [value for _, value in series(trial, comparison.objective)]
    note = one_line("; ".join(told))
    return (
        Cell(str(trial.number), trial.number),
        Cell(words(f"state.{trial.state}"), trial.state.value, f"state {trial.state}"),
        Cell(value, row.value),
        Cell("" if row.behind is None else words.bare_points(row.behind), row.behind),
        Cell("" if row.best_epoch is None else str(row.best_epoch), row.best_epoch),
        Cell(str(trial.epochs), trial.epochs),
        Cell(words.duration(trial.seconds), trial.seconds),
        Cell(sparkline(curve), None, "spark"),
        *(_config_cell(trial, name, words) for name in names),
        Cell(_cut(note, 60), kind="reason", title=note if len(note) > 60 else ""),
    )


def sparkline(values: Sequence[float], width: int = 12) -> str:
    """The values as a row of bars from their smallest to their largest; every so many of them where they are more."""
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(_BARS[min(int((value - low) / span * len(_BARS)), len(_BARS) - 1)] for value in values)


def rungs_table(rungs: Sequence[Rung], words: Words) -> Table:
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


def side_by_side(comparisons: Sequence[Comparison], words: Sequence[Words], comparable: bool) -> Table:
    """One row a study. comparable: same objective, so that differences to the first mean something."""
    first = comparisons[0]
    name = one_line(first.view.name)
    gap_label = words[0]("compare.first_points" if words[0].scale.in_points else "compare.first", study=name)
    columns = (
        Column(words[0]("compare.study")),
        Column(words[0]("compare.status")),
        Column(words[0]("compare.objective")),
        Column(words[0]("compare.best"), True),
        Column(gap_label, True),
        Column(words[0]("compare.median"), True),
        Column(words[0]("compare.test"), True),
        Column(words[0]("compare.trials"), True),
        Column(words[0]("compare.failed"), True),
        Column(words[0]("compare.cost"), True),
    )
    rows = tuple(_study_cells(each, first, said, comparable) for each, said in zip(comparisons, words, strict=True))
    return Table(columns, rows).without_empty_columns()


def _study_cells(comparison: Comparison, first: Comparison, words: Words, comparable: bool) -> tuple[Cell, ...]:
    best, objective = comparison.best, comparison.objective
    value = None if best is None else best.value
    gap = ""
    if (
        comparable
        and comparison is not first
        and value is not None
        and first.best is not None
        and first.best.value is not None
    ):
        gap = words.bare_points(value - first.best.value, signed=True)
    test = None if best is None else tested_value(best.trial, objective)
    cost = comparison.cost
    return (
        Cell(one_line(comparison.view.name), kind="name"),
        Cell(words(f"status.{comparison.view.status}")),
        Cell(words("head.objective", metric=objective.metric, mode=objective.mode)),
        Cell(words.value(value)),
        Cell(gap),
        Cell("" if comparison.median is None else words.value(comparison.median)),
        Cell("" if test is None else words.value(test)),
        Cell(str(len(comparison.view.trials))),
        Cell(str(comparison.counts.get(State.FAILED, 0))),
        Cell(words.hours(cost.device_hours, cost.device)),
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _baseline(trial: Trial, words: Words, group: str) -> str:
    return words(f"{group}.baseline", name=trial.baseline or "")


def _in_points(key: str, words: Words) -> str:
    return words(f"{key}_points" if words.scale.in_points else key)
