"""Names what a trial's curves say of its training: stuck, labels without effect, a learning rate gone too soon.

The rules come from the records of experiments run by hand: days went by before somebody read them off the curves.
Before a rule accuses, it looks whether any other metric of the same reports says the contrary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from orchestrator.study.endings import early_stop
from orchestrator.trial import Objective, Report, State, Trial
from reports.numbers.evidence import FLAT, courses, improved, is_error

FEWEST = 6  # With fewer reports a curve says nothing.
LEARNT = 0.5  # Nobody calls a trial with a better score stuck.
FALLING = 0.1  # A loss that falls by a smaller share of itself, from the first quarter to the end, does not fall.
SPENT_LR = 0.02  # Below this share of its peak a learning rate teaches nothing: it is spent.
SPENT_EPOCHS = 0.25  # A larger share of all epochs with a spent learning rate is wasted; a smaller one ends a schedule.
GOOD = 0.95  # A trial with a better score may rest, its learning rate spent.
LOST = 0.02  # A score from 0 to 1 is lost that falls so far below its best while the training loss still falls.
GAP = 0.1  # A score in training that is so far ahead of the same one in validation is overfitting.
CHANCE = 0.4  # A share of characters may get better by so much through guesses alone.
CARRIED_OVER = 0.1  # A smaller share of the score in training is nothing in validation.
RISEN = 2.0  # The loss has diverged when it is more than so many times its smallest value.


class Kind(StrEnum):
    """Names a symptom."""

    STUCK = "stuck"
    LABELS = "labels without effect"
    LR_SPENT = "learning rate decayed too low"
    OVERFIT = "overfit"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Symptom:
    """Describes what the curves of one trial show. numbers: what the sentence about it needs, by name."""

    kind: Kind
    numbers: dict[str, float]

    def __str__(self) -> str:
        return f"{self.kind}: {_SENTENCES[self.key].format(**self.numbers)}"

    @property
    def key(self) -> str:
        """Returns the key of the sentence that tells it: there are two of overfitting."""
        return "gap" if "trained" in self.numbers else self.kind.name.lower()


_SENTENCES = {
    "stuck": "train/loss fell from {early:.3g} to {late:.3g}, but the score never left {score:.3g}; "
    "try a longer warm-up, another learning rate or another seed",
    "labels": "nothing of train (train/loss {early:.3g} to {late:.3g}) shows in validation (score {score:.3g}); "
    "look with `tune check` whether labels fit their images, then at the learning rate",
    "lr_spent": "from epoch {epoch:.0f} on lr is below {share:.0%} of its peak {peak:.2g} and nothing is learnt "
    "any more, stuck at {score:.3g}; let lr fall later, or end higher",
    "overfit": "best {best:.3g} at epoch {epoch:.0f}, {score:.3g} at the end, while train/loss fell from {early:.3g} "
    "to {late:.3g}; more augmentation or weight decay, or fewer epochs",
    "gap": "{trained:.3g} in training, {score:.3g} in validation; more augmentation, weight decay or data",
    "diverged": "train/loss rose from {early:.3g} to {late:.3g}; lower the learning rate, or lengthen its warm-up",
}


def symptom_of(trial: Trial, objective: Objective) -> Symptom | None:
    """Returns the gravest symptom that fits; None for a healthy or short trial, or one that reports no train/loss.

    A score is a metric between 0 and 1 of which more is better: without one as objective only a divergence is told.
    """
    reports = [report for report in trial.reports if _complete(report, objective.metric)]
    if len(reports) < FEWEST:
        return None
    loss = [report.metrics["train/loss"] for report in reports]
    quarter = len(reports) // 4
    early, late, least = loss[quarter], fmean(loss[-max(quarter, 1) :]), min(loss)
    if _diverged(loss, early, late) and improved(reports[loss.index(least) :], objective) is None:
        return Symptom(Kind.DIVERGED, {"early": least, "late": late})
    score = [report.metrics[objective.metric] for report in reports]
    if objective.mode != "max" or not all(0 <= value <= 1 for value in score):
        return None
    rates = [report.metrics.get("lr", math.nan) for report in reports]
    peak = max((rate for rate in rates if math.isfinite(rate)), default=math.nan)
    numbers = {"early": early, "late": late, "score": max(score)}
    spent = _spent_from(rates, peak)
    if (
        spent is not None
        and max(score) < GOOD
        and _rests(score[spent:], loss[spent:], loss)
        and improved(reports[spent:], objective) is None
    ):
        return Symptom(Kind.LR_SPENT, numbers | {"peak": peak, "epoch": reports[spent].epoch, "share": SPENT_LR})
    trained = _trained(reports[-1], objective.metric)
    if trained > GAP and max(score) < CARRIED_OVER * trained and not _learnt_elsewhere(reports, objective):
        return Symptom(Kind.LABELS, numbers)  # The data were learnt by heart, and validation knows nothing of it.
    later = reports[quarter:]
    if (
        not cut_short(trial)  # It may have been on the plateau that CTC begins with.
        and max(score) < LEARNT
        and all(_flat(series[quarter:]) for series in _scores(reports))
        and improved(later, objective) is None
    ):
        return Symptom(Kind.STUCK if early - late > FALLING * abs(early) else Kind.LABELS, numbers)
    return _overfit(reports, score, loss, objective)


def cut_short(trial: Trial) -> bool:
    """Returns whether the trial did not come to the last epoch of its config, as far as that is known."""
    planned = trial.config.get("epochs")
    unfinished = isinstance(planned, int) and not isinstance(planned, bool) and trial.epochs < planned
    return trial.state is State.PRUNED or unfinished or early_stop(trial.reason) is not None


@dataclass(frozen=True)
class Symptoms:
    """Groups trials with the same symptom. first: of the first of them, whose numbers stand for all."""

    kind: Kind
    first: Symptom
    trials: tuple[Trial, ...]


def symptoms_of(trials: Sequence[Trial], objective: Objective) -> tuple[Symptoms, ...]:
    """Groups the trials whose curves show a symptom by its kind, the most frequent first."""
    groups: dict[Kind, list[tuple[Symptom, Trial]]] = {}
    for trial in trials:
        found = symptom_of(trial, objective)
        if found is not None:
            groups.setdefault(found.kind, []).append((found, trial))
    told = [Symptoms(kind, group[0][0], tuple(trial for _, trial in group)) for kind, group in groups.items()]
    return tuple(sorted(told, key=lambda each: -len(each.trials)))


def _complete(report: Report, metric: str) -> bool:
    """Returns whether the report has finite values of the objective and of train/loss."""
    return all(math.isfinite(report.metrics.get(name, math.nan)) for name in (metric, "train/loss"))


def _scores(reports: Sequence[Report]) -> list[list[float]]:
    """Returns the series of every validation metric that is a share: accuracy, similarity, precision."""
    names = [name for name in reports[0].metrics if name.startswith("val/") and not name.endswith("/loss")]
    series = [[report.metrics.get(name, math.nan) for report in reports] for name in names]
    return [values for values in series if all(0 <= value <= 1 for value in values)]


def _trained(report: Report, metric: str) -> float:
    """Returns the same score in training; NaN where it is not reported."""
    if not metric.startswith("val/"):
        return math.nan
    return report.metrics.get(metric.replace("val/", "train/", 1), math.nan)


def _learnt_elsewhere(reports: Sequence[Report], objective: Objective) -> bool:
    """Returns whether another metric shows that validation learns from the data.

    A share must come past the half, or by more than chance: where texts belong to other pictures, guesses of their
    length and of frequent characters take val/ned to about 0.3.
    """
    better = [course for course in courses(reports, objective) if course.got == "better"]
    return any(
        not 0 <= course.last <= 1
        or "loss" in course.metric
        or (1 - course.last if is_error(course.metric) else course.last) >= LEARNT
        or abs(course.last - course.first) > CHANCE
        for course in better
    )


def _diverged(loss: Sequence[float], early: float, late: float) -> bool:
    """Returns whether the loss rose again, by more than it moves once all is learnt."""
    least = min(loss)
    return least > 0 and late > RISEN * least and late > early and late - least > FALLING * (loss[0] - least)


def _flat(values: Sequence[float]) -> bool:
    """Returns whether the values have not moved."""
    return max(values) - min(values) < FLAT


def _spent_from(rates: Sequence[float], peak: float) -> int | None:
    """Returns the index from which the rate stays spent; None if that is a small share of all, or the warm-up."""
    alive = [place for place, rate in enumerate(rates) if not rate < SPENT_LR * peak]
    start = alive[-1] + 1 if alive else 0
    return start if start > 0 and len(rates) - start >= SPENT_EPOCHS * len(rates) else None


def _rests(score: Sequence[float], loss: Sequence[float], whole: Sequence[float]) -> bool:
    """Returns whether neither moves any more, although the loss moved before."""
    fall = whole[0] - min(whole)
    return max(score) - score[0] < FLAT / 2 and loss[0] - min(loss) < FALLING * max(fall, 1e-12)


def _overfit(
    reports: Sequence[Report], score: Sequence[float], loss: Sequence[float], objective: Objective
) -> Symptom | None:
    """Returns overfitting where the score fell while the loss fell, or where training is far ahead of validation."""
    top = max(range(len(score)), key=score.__getitem__)
    tail = max(len(score) // 4, 1)
    end = fmean(score[-tail:])
    falling = loss[top] - fmean(loss[-tail:]) > FALLING * abs(loss[top])
    lost = top < len(score) - tail and score[top] - end > LOST and falling
    if lost and improved(reports[top:], objective) is None:
        numbers = {"best": score[top], "epoch": reports[top].epoch, "score": end, "early": loss[top]}
        return Symptom(Kind.OVERFIT, numbers | {"late": fmean(loss[-tail:])})
    trained = _trained(reports[-1], objective.metric)
    reached = max(score[-tail:])
    return Symptom(Kind.OVERFIT, {"trained": trained, "score": reached}) if trained - reached > GAP else None
