"""Finds the runs that trained a study's best config once more with another seed, and counts what they prove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.plain_data import config_key
from orchestrator.trial import Objective, State, Trial

if TYPE_CHECKING:
    from orchestrator.ledger import StudyRow  # It would bring in the database, which a report does not need.

ENOUGH = 2  # With the winner's first run these are three seeds, the fewest that show a spread.


@dataclass(frozen=True)
class Repeat:
    """Names one more run of a config: a trial, and the study that it belongs to."""

    study: str
    trial: Trial

    @property
    def seed(self) -> int:
        return self.trial.seed


@dataclass(frozen=True)
class Confirmation:
    """Says what the repeats of the best trial prove.

    values: of the repeats by seed; the first run is none of them, because it was chosen for its value. against: the
    one value that they are held against; None without another trial. ahead: how many of them are better. standing: win
    where each is, no_win where one is not, measured where there is nothing to be better than, open while there are
    fewer than ENOUGH.
    """

    values: tuple[float, ...]
    mean: float
    against: float | None
    ahead: int
    standing: Literal["win", "no_win", "measured", "open"]


def confirmation(values: Sequence[float], against: float | None, objective: Objective) -> Confirmation | None:
    """Counts what the repeats prove over one value; None without a repeat."""
    if not values:
        return None
    ahead = 0 if against is None else sum(objective.better(value, against) for value in values)
    standing: Literal["win", "no_win", "measured", "open"] = "win" if ahead == len(values) else "no_win"
    if len(values) < ENOUGH:
        standing = "open"
    elif against is None:
        standing = "measured"
    return Confirmation(tuple(values), fmean(values), against, ahead, standing)


def may_hold_repeats(row: StudyRow, other: StudyRow) -> bool:
    """Returns whether `other` trained what `row` did, on the same data: its trials are worth a look.

    `tune best` writes into a file which trial its config comes from; a config of one's own has the same space.
    """
    if other.id == row.id or other.objective != row.objective:
        return False
    same = all((row.raw.get(key) or {}) == (other.raw.get(key) or {}) for key in ("trainable", "data"))
    if not same or row.facts.get("data_fingerprint") != other.facts.get("data_fingerprint"):
        return False
    source, origin = row.raw.get("source") or {}, other.raw.get("source") or {}
    kin = origin.get("study") == row.name or source.get("study") == other.name
    siblings = bool(source) and (source.get("study"), source.get("trial")) == (origin.get("study"), origin.get("trial"))
    return kin or siblings or (_is_one_config(row.raw) and row.raw.get("space") == other.raw.get("space"))


def _is_one_config(raw: Mapping[str, Any]) -> bool:
    """Returns whether the file leaves nothing to search for."""
    written = (raw.get("space") or {}).values()
    return not any(
        isinstance(value, list) or (isinstance(value, Mapping) and "value" not in value) for value in written
    )


def repeats_of(best: Trial | None, others: Iterable[tuple[StudyRow, Sequence[Trial]]]) -> tuple[Repeat, ...]:
    """Returns the trials of other studies that have the config of `best` and another seed, each seed once, by seed.

    Of two with one seed the one that completed counts, else the later one. others: those that `may_hold_repeats`.
    """
    if best is None:
        return ()
    key, found = config_key(best.config), dict[int, Repeat]()
    for row, trials in others:
        for trial in trials:
            if not trial.counts or trial.seed == best.seed or config_key(trial.config) != key:
                continue
            before = found.get(trial.seed)
            if before is None or before.trial.state is not State.COMPLETED:
                found[trial.seed] = Repeat(row.name, trial)
    return tuple(found[seed] for seed in sorted(found))


def original_of(
    row: StudyRow, best: Trial | None, others: Iterable[tuple[StudyRow, Sequence[Trial]]]
) -> tuple[str, int] | None:
    """Returns the study and the number of the trial that this study trained once more; None where it trained another.

    others: those that `may_hold_repeats`. A config that was changed after `tune best` wrote it repeats nothing.
    """
    source = row.raw.get("source") or {}
    for other, trials in others:
        for trial in trials:
            if best is None or (other.name, trial.number) != (source.get("study"), source.get("trial")):
                continue
            if config_key(trial.config) == config_key(best.config):
                return other.name, trial.number
    return None


def values_of(repeats: Iterable[Repeat], objective: Objective) -> tuple[float, ...]:
    """Returns the values of the repeats that were trained to their end."""
    values = (each.trial.value(objective) for each in repeats if each.trial.state is State.COMPLETED)
    return tuple(value for value in values if value is not None)
