"""Says in a few lines how the trials of a study ended: last epoch, early stopping, the rung where they were cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.trial import State, Trial

NAMED = 12  # A line names at most so many trials.


def endings(trials: Sequence[Trial]) -> Iterator[str]:
    """Yields a line for each way in which trials were completed or pruned, the most frequent first.

    Trials that failed are told one by one elsewhere.
    """
    groups: dict[tuple[State, str], list[int]] = {}
    for trial in trials:
        if trial.reason and trial.state in (State.COMPLETED, State.PRUNED):
            groups.setdefault((trial.state, trial.reason), []).append(trial.number)
    for (state, reason), numbers in sorted(groups.items(), key=lambda group: (-len(group[1]), group[1])):
        listed = ", ".join(map(str, numbers[:NAMED])) + (", ..." if len(numbers) > NAMED else "")
        yield f"{state}: {reason} (trial{'' if len(numbers) == 1 else 's'} {listed})"
