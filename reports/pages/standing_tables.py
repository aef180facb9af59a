"""Makes the tables of the first screen: who stands where, the best config, several studies side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.trial import State
from reports.numbers.comparison import Comparison, Row, shown_test_lead, value_on_test
from reports.numbers.quantity import Quantity
from reports.numbers.search_quality import Slice, position
from reports.pages.tables import Cell, Column, Table, baseline_name, config_cell, in_points, shortened
from reports.words import Words, one_line, short


def standing_table(comparison: Comparison, words: Words) -> Table | None:
    """Lists the best, every baseline, the runner-up, and the median where no trial was cut.

    None with fewer than two trials to be compared, or where all have the same value.
    """
    best = comparison.best
    if best is None or comparison.scored < 2 or comparison.alike is not None:
        return None
    rows = [_standing_row(words("standing.best"), best, comparison, words, "best")]
    if best.trial.baseline is not None:
        rows = [_standing_row(baseline_name(best.trial, words, "standing"), best, comparison, words, "best")]
    listed = {best.number}
    for lead in comparison.baselines:
        row = comparison.row(lead.other)
        rows.append(_standing_row(baseline_name(row.trial, words, "standing"), row, comparison, words))
        listed.add(lead.other)
    runner_up = comparison.runner_up
    if runner_up is not None and runner_up.other not in listed:
        row = comparison.row(runner_up.other)
        rows.insert(1, _standing_row(words("standing.runner_up"), row, comparison, words))
    if comparison.median is not None and comparison.scored >= 4 and not comparison.counts.get(State.PRUNED, 0):
        what = words("standing.median", trials=Quantity("trials", comparison.scored))
        behind = abs(comparison.scale.difference(best.value or 0.0, comparison.median))
        cells = (Cell(what), Cell(""), Cell(words.value(comparison.median)), Cell(""))
        rows.append((*cells, Cell(words.bare_points(behind)), Cell(""), Cell(""), Cell(""), Cell("")))
    columns = (
        Column(words("standing.what")),
        Column(words("standing.trial"), True),
        Column(comparison.objective.metric, True, True),
        Column(words("standing.epoch"), True),
        Column(in_points("standing.behind", words), True),
        Column(words("standing.relative"), True),
        Column(words("standing.test"), True),
        Column(in_points("standing.test_behind", words), True),
        Column(words("standing.time"), True),
    )
    return Table(columns, tuple(rows), ("best",) + ("",) * (len(rows) - 1)).without_empty_columns()


def _standing_row(what: str, row: Row, comparison: Comparison, words: Words, kind: str = "") -> tuple[Cell, ...]:
    best = comparison.best
    assert best is not None and best.value is not None and row.value is not None
    test = value_on_test(row.trial, comparison.objective)
    behind, test_behind, relative = "", "", ""
    if row.number != best.number:
        behind = words.bare_points(abs(comparison.scale.difference(best.value, row.value)))
        if row.value:
            relative = words.quantity(Quantity("relative", (row.value - best.value) / abs(best.value or row.value)))
        gap = shown_test_lead(comparison, best.number, row.number)
        test_behind = "" if gap is None else words.bare_points(gap)
    return (
        Cell(what, kind=kind),
        Cell(str(row.number)),
        Cell(words.value(row.value)),
        Cell("" if row.best_epoch is None else str(row.best_epoch)),
        Cell(behind),
        Cell(relative),
        Cell("" if test is None else words.value(test)),
        Cell(test_behind),
        Cell(words.duration(row.trial.seconds)),
    )


def config_table(comparison: Comparison, slices: Sequence[Slice], words: Words) -> Table | None:
    """Lists what was searched: the best value, those of the baselines, the range and where in it the best lies."""
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
        cells = [Cell(name, kind="name"), config_cell(best.trial, name, words, exact=True)]
        cells += [config_cell(trial, name, words, exact=True) for trial in baselines]
        cells += [Cell(_range(domain, words)), Cell("", bar=position(value, domain)), Cell(note, kind=edge)]
        rows.append(tuple(cells))
    columns = (
        Column(words("config.name")),
        Column(words("config.best", trial=best.number), True),
        *(Column(baseline_name(trial, words, "standing"), True) for trial in baselines),
        Column(words("config.range")),
        Column(words("config.where")),
        Column(words("config.note")),
    )
    return Table(columns, tuple(rows)).without_empty_columns()


def _range(domain: Mapping[str, Any], words: Words) -> str:
    """Writes the range or the choices of a name, and the condition under which it is searched."""
    if domain.get("low") is not None:
        text = f"{short(domain['low'])} – {short(domain['high'])}"
        if domain.get("log"):
            text += ", " + words("config.log")
        if domain.get("step") not in (None, 1):
            text += ", " + words("config.step", step=short(domain["step"]))
    else:
        text = ", ".join(short(choice) for choice in domain.get("choices", ()))
        text = shortened(text, 60)
    if domain.get("when"):
        told = "; ".join(f"{n} = {' | '.join(map(short, values))}" for n, values in domain["when"].items())
        text += ", " + words("config.when", condition=told)
    return text


def _edge_note(slice: Slice | None, words: Words) -> tuple[str, str]:
    """Returns (note, CSS class) for a value that lies at a bound."""
    if slice is None or slice.edge is None:
        return "", ""
    if slice.natural:
        return words("config.natural"), ""
    return words("config.leaning" if slice.leaning else f"config.edge_{slice.edge}"), "edge"


def edges_note(slices: Sequence[Slice], words: Words) -> str:
    """Says how many values chance alone would put at a bound; "" where no bound needs explaining."""
    ranges = [each for each in slices if each.choices is None and each.low is not None]
    if not any(each.edge and not each.natural for each in ranges):
        return ""
    expected = sum(each.edge_by_chance for each in ranges)
    return words("config.edges", expected=f"{expected:.1f}", searched=len(ranges))


def studies_table(comparisons: Sequence[Comparison], words: Sequence[Words], comparable: bool) -> Table:
    """Lists one row a study. comparable: same objective, so that differences to the first mean something."""
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
        gap = words.bare_points(comparison.scale.difference(value, first.best.value), signed=True)
    test = None if best is None else value_on_test(best.trial, objective)
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
