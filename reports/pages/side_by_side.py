"""Says of several studies who leads, whether they can be compared, and what repeats of a winner prove."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence

from reports.numbers.comparison import Comparison
from reports.words import Words, one_line

ENOUGH = 2  # So many repeats make a lead a win, if each of them leads.


def comparable(comparisons: Sequence[Comparison]) -> bool:
    """Returns whether all studies have one objective."""
    return len({(each.objective.metric, each.objective.mode) for each in comparisons}) == 1


def notes(comparisons: Sequence[Comparison], lang: str) -> list[str]:
    """Says what the table of the studies cannot say."""
    words = Words(lang)
    if not comparable(comparisons):
        return [words("compare.other_objective")]
    repeats = repeats_of_the_first(comparisons)
    told = _repeats(comparisons[0], repeats, lang) if repeats else [_leader(comparisons, lang)]
    data = {
        (str(each.view.facts.get("data_fingerprint")), json.dumps(each.view.data, sort_keys=True, default=str))
        for each in comparisons
    }
    return told + ([words("compare.other_data")] if len(data) > 1 else [])


def repeats_of_the_first(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Returns the later studies that trained the first one's best trial again.

    `tune best` wrote into their files which it is.
    """
    first = comparisons[0]
    if first.best is None:
        return []
    origin = (first.view.name, first.best.number)
    return [
        each
        for each in comparisons[1:]
        if each.best is not None and (each.view.source.get("study"), each.view.source.get("trial")) == origin
    ]


def _repeats(first: Comparison, repeats: Sequence[Comparison], lang: str) -> list[str]:
    """Says what the runs of one config reached, and whether they beat the first baseline."""
    words, best = Words(lang, first.scale), first.best
    assert best is not None and best.value is not None
    again = [each.best.value for each in repeats if each.best is not None and each.best.value is not None]
    values = sorted([best.value, *again])
    shown = {"low": words.value(values[0]), "high": words.value(values[-1])}
    mean = words.value(statistics.fmean(values))
    name = one_line(first.view.name)
    told = [words("compare.repeats", trial=best.number, study=name, runs=len(values), mean=mean, **shown)]
    if not first.baselines:
        return told
    lead = first.baselines[0]
    ahead = sum(1 for value in again if first.objective.better(value, lead.other_value))
    key = "compare.no_win" if ahead < len(again) else "compare.win" if len(again) >= ENOUGH else "compare.one_repeat"
    value = words.value(lead.other_value)
    return [*told, words(key, ahead=ahead, repeats=len(again), name=lead.baseline or "", value=value)]


def _leader(comparisons: Sequence[Comparison], lang: str) -> str:
    """Says which study has the best value, and by how much."""
    scored = [(each.best.value, each) for each in comparisons if each.best is not None and each.best.value is not None]
    if len(scored) < 2:
        return Words(lang)("compare.nothing")
    objective = comparisons[0].objective
    (value, leader), (next_value, second) = sorted(scored, key=lambda pair: -objective.worst_first(pair[0]))[:2]
    words = Words(lang, leader.scale)
    by = words.points(abs(leader.scale.difference(value, next_value)))
    key = "compare.leads" if value != next_value else "compare.equal"
    names = {"study": one_line(leader.view.name), "other": one_line(second.view.name)}
    return words(key, value=words.value(value), by=by, **names)
