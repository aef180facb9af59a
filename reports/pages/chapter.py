"""Puts one study's part of a report together: its numbers as words, tables and figures for the templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.home import Home
from orchestrator.trial import State
from reports.figures import curves_figure
from reports.figures.progress_figure import progress_figure
from reports.figures.slice_figure import slice_figure, survivors_range
from reports.numbers.advice import advice, original_command, reproduction
from reports.numbers.comparison import Comparison, shown_test_lead, value_on_test
from reports.numbers.quantity import Quantity
from reports.numbers.repeats import ENOUGH
from reports.numbers.search_quality import FEW, Rung, Slice, failures, rungs, slices, stops_early
from reports.numbers.symptoms import symptoms_of
from reports.numbers.verdict import shown_lead, standing_of, verdict
from reports.pages import standing_tables, tables
from reports.pages.changes import changes
from reports.pages.environment import environment, is_dirty
from reports.pages.example_tables import ExampleTable, example_tables
from reports.pages.failures_and_symptoms import TrialGroup, failure_group, step_group, symptom_group
from reports.pages.pictures import Pictures, example_pictures
from reports.pages.report_json import study_numbers
from reports.pages.tables import Table
from reports.words import NO_BREAK, Words, one_line, short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SLICES = 24  # At most so many parameters are drawn.
_STATES = (State.COMPLETED, State.PRUNED, State.FAILED, State.RUNNING, State.PAUSED)


@dataclass(frozen=True)
class Tile:
    """Shows one of the few numbers at the top."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class SlicePanel:
    """Describes one slice figure. widen: the search should reach further."""

    id: str
    name: str
    note: str
    edge: str
    widen: bool


@dataclass(frozen=True)
class Chapter:
    """Holds what the templates show of one study: final texts, not yet escaped.

    figures: id -> figure, for the page alone.
    """

    id: str
    name: str
    status: str
    words: Words
    comparison: Comparison
    headline: str
    standing: str
    support: tuple[str, ...]
    step: str
    step_cost: str
    commands: tuple[str, ...]
    tiles: tuple[Tile, ...]
    standing_table: Table | None
    config_table: Table | None
    edges_note: str
    fixed: tuple[tuple[str, str], ...]
    trials_table: Table
    trials_note: str
    changes: tuple[str, ...]
    curves_notes: tuple[str, ...]
    zoom: list[float] | None
    slices_beyond: bool
    slice_panels: tuple[SlicePanel, ...]
    pruning: tuple[str, ...]
    rungs_table: Table | None
    pictures: Pictures | None
    pictures_note: str
    example_tables: tuple[ExampleTable, ...]
    failures: tuple[TrialGroup, ...]
    symptoms: tuple[TrialGroup, ...]
    checkpoint: str
    original: str
    reproduction: tuple[str, ...]
    dirty: bool
    facts: tuple[tuple[str, str], ...]
    figures: Mapping[str, Figure]
    numbers: Mapping[str, Any]


def build_chapter(comparison: Comparison, lang: str, index: int) -> Chapter:
    """Builds the chapter of a study. index: of the study in the report, from 1; ids within the page begin with it."""
    words = Words(lang, comparison.scale)
    view, best = comparison.view, comparison.best
    found_rungs, found_slices = rungs(comparison), slices(comparison)
    said, step = verdict(comparison), advice(comparison, found_slices)
    failed, symptoms = failures(view.trials), symptoms_of(view.trials, view.objective)
    shown_slices = found_slices[:_SLICES]
    drawn = _figures(comparison, found_rungs, shown_slices, words, index)
    cost = "" if step.device_hours is None else words.hours(step.device_hours, comparison.cost.device)
    pictures = None if best is None else example_pictures(view.trial_directory / f"{best.number:04d}")
    return Chapter(
        id=f"s{index}",
        name=one_line(view.name),
        status=_status(comparison, words),
        words=words,
        comparison=comparison,
        headline=words.say(said.headline),
        standing=said.standing,
        support=tuple(words.say(each) for each in said.support),
        step=words.say(step.what),
        step_cost=cost and words("next.left" if view.so_far else "next.cost", hours=cost),
        commands=step.commands,
        tiles=tuple(_tiles(comparison, words)),
        standing_table=standing_tables.standing_table(comparison, words),
        config_table=standing_tables.config_table(comparison, found_slices, words),
        edges_note=standing_tables.edges_note(found_slices, words),
        fixed=tuple((one_line(name), short(value, 6)) for name, value in view.fixed.items()),
        trials_table=tables.trials_table(comparison, words),
        trials_note=_trials_note(comparison, words),
        changes=tuple(changes(view, words)),
        curves_notes=tuple(_curves_notes(comparison, found_rungs, words)),
        zoom=curves_figure.zoom_range(comparison, words),
        slices_beyond=survivors_range(comparison) is not None,
        slice_panels=tuple(_panel(each, number, index, words) for number, each in enumerate(shown_slices, start=1)),
        pruning=tuple(_pruning(comparison, found_rungs, words)),
        rungs_table=tables.rungs_table(found_rungs, words) if any(rung.seen for rung in found_rungs) else None,
        pictures=pictures,
        pictures_note=_pictures_note(pictures, words),
        example_tables=() if best is None else example_tables(view.trial_directory / f"{best.number:04d}"),
        failures=(
            *(failure_group(each, words) for each in failed),
            *(step_group(each, words) for each in view.failed_steps),
        ),
        symptoms=tuple(symptom_group(each, words) for each in symptoms),
        checkpoint=view.checkpoint or "",
        original=original_command(view),
        reproduction=reproduction(view) if best is not None else (),
        dirty=is_dirty(view.facts),
        facts=tuple(environment(view, words)),
        figures=drawn,
        numbers=study_numbers(comparison, said, step, found_rungs, found_slices, failed, symptoms, words),
    )


def _figures(
    comparison: Comparison, found: tuple[Rung, ...], shown: tuple[Slice, ...], words: Words, index: int
) -> dict[str, Figure]:
    """Draws the figures of the chapter, by id."""
    drawn = {
        f"s{index}-curves": curves_figure.curves_figure(comparison, found, words),
        f"s{index}-progress": progress_figure(comparison, words),
    }
    for number, each in enumerate(shown, start=1):
        drawn[f"s{index}-slice{number}"] = slice_figure(each, comparison, words)
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _status(comparison: Comparison, words: Words) -> str:
    """Says the study's status, and the reason where that says more."""
    view = comparison.view
    text = words(f"status.{view.status}")
    if view.reason and view.reason != view.status:
        text += f" ({one_line(view.reason)})"
    return text


def _tiles(comparison: Comparison, words: Words) -> Iterator[Tile]:
    """Yields the numbers at the top."""
    best, counts, cost = comparison.best, comparison.counts, comparison.cost
    if best is not None and best.best_epoch is not None:
        label = f"{words('key.best')} · {comparison.objective.metric}"
        yield Tile(label, words.value(best.value), words("key.at", trial=best.number, epoch=best.best_epoch))
    lead, repeats = comparison.lead, comparison.confirmation
    if lead is not None and comparison.alike is None:
        key = "key.baseline" if lead.baseline is not None else "key.runner_up"
        if comparison.searched_best is not None:
            key = "key.behind_baseline"
        standing = standing_of(lead, comparison.noise)
        detail = words(f"key.{standing}")
        if repeats is not None and repeats.standing == "open" and standing == "unknown":
            detail = words("key.open", repeats=len(repeats.values), enough=ENOUGH)
        elif repeats is not None and repeats.standing in ("win", "no_win"):
            detail = words(f"key.{repeats.standing}", ahead=repeats.ahead, repeats=len(repeats.values))
        yield Tile(words(key), words.quantity(shown_lead(lead, comparison.scale)), detail)
    test = None if best is None else value_on_test(best.trial, comparison.objective)
    if test is not None:
        lead = comparison.baselines[0] if comparison.baselines else None
        against = None if lead is None else shown_test_lead(comparison, lead.ahead, lead.other)
        by = "" if against is None else words("key.against", by=Quantity("signed_points", against))
        yield Tile(words("key.test"), words.value(test), by)
    told = [
        words("key.state", count=counts[state], state=words(f"state.{state}")) for state in _STATES if counts.get(state)
    ]
    detail = ", ".join(text.replace(" ", NO_BREAK) for text in told)
    yield Tile(words("key.trials"), f"{len(comparison.view.trials):,}", detail)
    wall = words("key.wall", epochs=Quantity("epochs", cost.epochs), wall=Quantity("duration", cost.wall_seconds))
    yield Tile(words("key.cost"), words.hours(cost.device_hours, cost.device), wall)
    if cost.saved_epochs:
        saved = words.hours(cost.hours_of(cost.saved_seconds), cost.device)
        detail = words("key.saved_detail", epochs=Quantity("epochs", cost.saved_epochs), hours=saved)
        yield Tile(words("key.saved"), words.quantity(Quantity("share", cost.saved_share)), detail)


def _trials_note(comparison: Comparison, words: Words) -> str:
    """Says how many trials the table leaves out; "" where it lists all."""
    count = len(comparison.rows)
    if count <= tables.SHOWN_TRIALS:
        return ""
    return words("trials.shown", shown=tables.SHOWN_TRIALS, trials=Quantity("trials", count))


def _curves_notes(comparison: Comparison, found: tuple[Rung, ...], words: Words) -> Iterator[str]:
    """Yields what must be known to read the learning curves."""
    yield words("curves.about")
    if found:
        epochs = ", ".join(str(rung.epoch) for rung in found)
        yield words("curves.rungs", rungs=epochs, eta=str(comparison.view.scheduler["eta"]))
    drawn = len(curves_figure.drawn_trials(comparison))
    if drawn == curves_figure.DRAWN:
        yield words("curves.drawn", drawn=drawn, trials=Quantity("trials", len(comparison.rows)))


def _panel(slice: Slice, number: int, index: int, words: Words) -> SlicePanel:
    """Says how much the parameter explains, and whether the best lies at a bound."""
    if slice.explained is None or slice.by_chance is None:
        note = words("slices.few", trials=Quantity("trials", len(slice.points)))
    else:
        shares = {"share": Quantity("share", slice.explained), "chance": Quantity("share", slice.by_chance)}
        note = words("slices.explained" if slice.explained > slice.by_chance else "slices.no_more", **shares)
    edge = ""
    if slice.edge is not None:
        edge = words("slices.natural" if slice.natural else f"slices.edge_{slice.edge}")
    return SlicePanel(f"s{index}-slice{number}", one_line(slice.name), note, edge, bool(edge) and not slice.natural)


def _pruning(comparison: Comparison, found: tuple[Rung, ...], words: Words) -> Iterator[str]:
    """Yields the judgement of the first rung, where all trials meet."""
    if not stops_early(comparison.view.scheduler):
        return
    if not found or not found[0].seen:
        yield words("pruning.nothing")
        return
    first = found[0]
    if not comparison.counts.get(State.PRUNED, 0):
        yield words("pruning.none_cut")
    compared = Quantity("trials", first.compared)
    if first.correlation is None or first.low is None or first.high is None:
        yield words("pruning.few", trials=compared, enough=FEW)
    else:
        rho, low, high = (Quantity("correlation", n) for n in (first.correlation, first.low, first.high))
        yield words(f"pruning.{first.judgement}", epoch=first.epoch, rho=rho, low=low, high=high, trials=compared)
        if comparison.counts.get(State.PRUNED, 0):
            yield words("pruning.survivors")
        if first.judgement in ("unclear", "weak"):
            yield _later_rung(first, comparison, words)
    if first.winner_rank is not None and comparison.counts.get(State.PRUNED, 0):
        yield words("pruning.winner", epoch=first.epoch, rank=first.winner_rank, seen=first.seen)


def _later_rung(first: Rung, comparison: Comparison, words: Words) -> str:
    """Says which setting, in another study, would judge trials later: one of this study's is not changed."""
    eta = int(comparison.view.scheduler.get("eta", 4))
    later = first.epoch * eta
    longest = max((trial.epochs for trial in comparison.view.trials), default=0)
    return words("pruning.later", grace=later) if later < longest else words("pruning.never")


def _pictures_note(pictures: Pictures | None, words: Words) -> str:
    """Says how many pictures the page leaves out, and where they lie; "" where it shows all."""
    if pictures is None or not pictures.left_out:
        return ""
    more = Quantity("pictures", pictures.left_out)
    return words("examples.left_out", pictures=more, folder=_shown(pictures.folder))


def _shown(path: Path) -> str:
    return Home(path).shown(path)
