"""Says no more than one run of each config proves: one headline, then its evidence and its doubts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from orchestrator.study.endings import early_stop
from orchestrator.trial import State
from reports.numbers.alike import Alike
from reports.numbers.comparison import Comparison, Lead, series, shown_test_lead, value_on_test
from reports.numbers.quantity import Quantity, Scale, Sentence, sentence
from reports.numbers.repeats import ENOUGH, Confirmation
from reports.numbers.search_quality import failures

# Two values of one trial, each with the scatter `noise`, differ by less than this many times `noise` in 95 % of cases.
TIE = 1.96 * math.sqrt(2.0)


Standing = Literal["none", "tie", "unknown", "win", "no_win"]


@dataclass(frozen=True)
class Verdict:
    """Says who leads and how sure that is.

    standing: of the best against the best baseline, or else against the runner-up. tie: no further apart than values of
    one trial are from epoch to epoch. unknown: further, but from one run each. win: each repeat with another seed
    leads, too. no_win: one does not. none: nothing to compare.
    """

    standing: Standing
    headline: Sentence
    support: tuple[Sentence, ...]


def verdict(comparison: Comparison) -> Verdict:
    """Judges who leads, by how much, and what speaks against believing it."""
    best, view = comparison.best, comparison.view
    if not view.trials:
        return Verdict("none", sentence("verdict.nothing_ran"), ())
    if best is None or best.value is None:
        return Verdict("none", _nothing_scored(comparison), tuple(_what_went_wrong(comparison)))
    if comparison.alike is not None and not is_smoke(comparison):  # The values of a smoke test accuse nobody.
        said = [*_all_alike(comparison, comparison.alike), *_reservations(comparison)]
        return Verdict("none", _alike_headline(comparison, comparison.alike), tuple(said))
    lead, repeats = comparison.lead, comparison.confirmation
    if lead is None:
        headline = sentence("verdict.only_one", trial=best.number, value=Quantity("value", best.value))
        said = [*_how_good(comparison, None), *_repeated(comparison), *_reservations(comparison)]
        return Verdict("none", headline, tuple(said))
    if repeats is not None and repeats.standing in ("win", "no_win"):
        said = [*_repeated(comparison), *_how_good(comparison, lead), *_level(comparison), *_reservations(comparison)]
        return Verdict(repeats.standing, _confirmed(comparison, lead, repeats), tuple(said))
    standing = standing_of(lead, comparison.noise)
    support = [*_how_good(comparison, lead), *_doubts(comparison, lead, standing)]
    said = [*support, *_repeated(comparison), *_reservations(comparison)]
    return Verdict(standing, _headline(comparison, lead, standing), tuple(said))


def standing_of(lead: Lead, noise: float | None) -> Literal["tie", "unknown"]:
    """Calls a lead within the noise a tie, and every other one unknown: single runs make no win."""
    return "tie" if abs(lead.by) <= TIE * (noise or 0.0) else "unknown"


def shown_lead(lead: Lead, scale: Scale) -> Quantity:
    """Returns how far the two are apart."""
    return Quantity("points", abs(scale.difference(lead.value, lead.other_value)))


def _confirmed(comparison: Comparison, lead: Lead, repeats: Confirmation) -> Sentence:
    """Says whether the lead held when the best config was trained with other seeds."""
    best = comparison.best
    assert best is not None
    by = abs(comparison.scale.difference(repeats.mean, lead.other_value))
    words: dict[str, Quantity | str | int] = {"trial": best.number, "other": lead.other, "repeats": len(repeats.values)}
    words |= {"ahead": repeats.ahead, "value": Quantity("value", lead.other_value)}
    words |= {"by": Quantity("points", by), "mean": Quantity("value", repeats.mean)}
    if best.trial.baseline is not None:
        return sentence(f"verdict.baseline_{repeats.standing}", name=best.trial.baseline, **words)
    if lead.baseline is not None:
        return sentence(f"verdict.over_baseline_{repeats.standing}", name=lead.baseline, **words)
    return sentence(f"verdict.over_runner_up_{repeats.standing}", **words)


def _repeated(comparison: Comparison) -> list[Sentence]:
    """Says what the repeats reached, and that what they are held against ran once."""
    repeats, best = comparison.confirmation, comparison.best
    if repeats is None or best is None or best.value is None:
        return []
    values = sorted([best.value, *repeats.values])
    low, high, mean = (Quantity("value", n) for n in (values[0], values[-1], repeats.mean))
    said = [
        sentence("verdict.repeats", trial=best.number, runs=len(values), low=low, high=high),
        sentence("verdict.repeats_mean", mean=mean),
    ]
    if repeats.standing == "open":
        said[1] = sentence("verdict.repeats_open", more=ENOUGH - len(repeats.values))
    elif repeats.standing == "win":
        said.append(sentence("verdict.other_ran_once"))
    return said


def _nothing_scored(comparison: Comparison) -> Sentence:
    """Says that no trial has a value, or none yet."""
    count = Quantity("trials", len(comparison.view.trials))
    key = "verdict.none_yet" if comparison.view.so_far else "verdict.none_scored"
    return sentence(key, trials=count, metric=comparison.objective.metric)


def _what_went_wrong(comparison: Comparison) -> list[Sentence]:
    """Names the most frequent reason of failure."""
    groups = failures(comparison.view.trials)
    if not groups:
        return []
    count = Quantity("trials", len(groups[0].trials))
    return [sentence("verdict.most_failed", trials=count, reason=groups[0].reason or "?")]


def _alike_headline(comparison: Comparison, found: Alike) -> Sentence:
    """Says that all values are one, and so name no winner."""
    metric, value = comparison.objective.metric, _only_value(found)
    if found.kind == "no_difference":
        count = Quantity("trials", comparison.scored)
        return sentence("verdict.no_difference", trials=count, metric=metric, value=value)
    if comparison.view.so_far:
        return sentence("verdict.nothing_learnt_yet", value=value)
    if found.moved is not None:
        return sentence("verdict.nothing_learnt_shown", metric=metric, value=value)
    return sentence("verdict.nothing_learnt", value=value)


def _all_alike(comparison: Comparison, found: Alike) -> list[Sentence]:
    """Says where that value stood, and what other metrics say of it."""
    metric = comparison.objective.metric
    said = []
    if found.kind == "nothing_learnt":
        count = Quantity("epochs", sum(len(series(trial, comparison.objective)) for trial in comparison.view.trials))
        trials = Quantity("trials", len(comparison.view.trials))
        said.append(
            sentence("verdict.same_everywhere", metric=metric, value=_only_value(found), epochs=count, trials=trials)
        )
    stops = [stop for trial in comparison.view.trials if (stop := early_stop(trial.reason)) and stop.patience]
    if found.kind == "nothing_learnt" and stops:
        patience, count = Quantity("epochs", stops[0].patience or 0), Quantity("trials", len(stops))
        said.append(sentence("verdict.stopped_early", trials=count, metric=stops[0].metric or "", epochs=patience))
    if found.perfect:
        said.append(sentence("verdict.perfect", metric=metric))
    if found.moved is not None and found.mover is not None:
        first, last = f"{found.moved.first:.3g}", f"{found.moved.last:.3g}"
        said.append(
            sentence(
                "verdict.other_moved",
                other=found.moved.metric,
                first=first,
                last=last,
                trial=found.mover,
                metric=metric,
            )
        )
    return said


def _only_value(found: Alike) -> Quantity | str:
    """Returns the one value; nothing is nothing, in whatever unit."""
    return "0" if found.value == 0.0 else Quantity("value", found.value)


def _headline(comparison: Comparison, lead: Lead, standing: str) -> Sentence:
    """Says who leads whom, and by how much."""
    best = comparison.best
    assert best is not None
    words: dict[str, Quantity | str | int] = {"trial": lead.ahead, "other": lead.other}
    words |= {"by": shown_lead(lead, comparison.scale), "value": Quantity("value", lead.value)}
    if best.trial.baseline is not None:
        return sentence(f"verdict.baseline_{standing}", name=best.trial.baseline, **words)
    if lead.baseline is not None:
        return sentence(f"verdict.over_baseline_{standing}", name=lead.baseline, **words)
    return sentence(f"verdict.over_runner_up_{standing}", **words)


def _how_good(comparison: Comparison, lead: Lead | None) -> list[Sentence]:
    """Says the value of the best, on the test split too, against the other's."""
    best = comparison.best
    assert best is not None and best.value is not None and best.best_epoch is not None
    words: dict[str, Quantity | str | int] = {"metric": comparison.objective.metric, "epoch": best.best_epoch}
    words |= {"value": Quantity("value", best.value)}
    if lead is None or lead.relative is None:
        said = [sentence("verdict.value", **words)]
    else:
        other = Quantity("value", lead.other_value)
        change = Quantity("relative", lead.relative if comparison.objective.mode == "max" else -lead.relative)
        said = [sentence("verdict.values", other=other, relative=change, **words)]
    test = value_on_test(best.trial, comparison.objective)
    ahead = None if lead is None else shown_test_lead(comparison, lead.ahead, lead.other)
    if test is not None and ahead is not None:
        by = Quantity("signed_points", ahead)
        said.append(sentence("verdict.test_against", test=Quantity("value", test), by=by))
    elif test is not None:
        said.append(sentence("verdict.test", test=Quantity("value", test)))
    return said


def _doubts(comparison: Comparison, lead: Lead, standing: str) -> list[Sentence]:
    """Names the doubts: one run each, how far values scatter, who comes next, what most trials reached."""
    said = [sentence("verdict.one_run_tie")]
    if comparison.confirmation is not None:
        said = []
    elif standing == "unknown":
        said = [sentence("verdict.one_run_unknown", by=shown_lead(lead, comparison.scale))]
    if comparison.noise is not None:
        noise = Quantity("points", TIE * comparison.noise)
        said.append(sentence(f"verdict.noise_{standing}", noise=noise))
    runner_up = comparison.runner_up
    if runner_up is not None and runner_up.other != lead.other:
        by = shown_lead(runner_up, comparison.scale)
        said.append(
            sentence(f"verdict.runner_up_{standing_of(runner_up, comparison.noise)}", trial=runner_up.other, by=by)
        )
    return [*said, *_level(comparison)]


def _level(comparison: Comparison) -> list[Sentence]:
    """Says what most trials reached."""
    if comparison.median is None or comparison.scored < 4:
        return []
    count, median = Quantity("trials", comparison.scored), Quantity("value", comparison.median)
    pruned = comparison.counts.get(State.PRUNED, 0)
    if pruned:
        return [sentence("verdict.median_pruned", trials=count, median=median, pruned=pruned)]
    return [sentence("verdict.median", trials=count, median=median)]


def _reservations(comparison: Comparison) -> list[Sentence]:
    """Says what else must be known before the headline is believed."""
    view, best = comparison.view, comparison.best
    said = []
    if is_smoke(comparison):
        said.append(sentence("verdict.smoke"))
    if best is not None and not best.trial.state.final:
        said.append(
            sentence("verdict.best_unfinished", trial=best.number, epochs=Quantity("epochs", best.trial.epochs))
        )
    elif best is not None and best.trial.state is State.PRUNED:
        said.append(sentence("verdict.best_pruned", trial=best.number, epochs=Quantity("epochs", best.trial.epochs)))
    if best is not None and best.trial.extended:
        before, after = best.trial.extended[0].limit, best.trial.extended[-1].new_limit
        said.append(sentence("verdict.best_extended", trial=best.number, before=before, after=after))
    failed = comparison.counts.get(State.FAILED, 0)
    if 3 * failed >= len(view.trials):
        said.append(sentence("verdict.many_failed", failed=failed, trials=Quantity("trials", len(view.trials))))
    return said


def is_smoke(comparison: Comparison) -> bool:
    """Returns whether this was a run of `--smoke`, which proves the wiring and whose values mean nothing."""
    return comparison.view.name.endswith("-smoke")
