"""Tells whether a trial has reported its last epoch: then it is completed, whatever the session wants of it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from orchestrator.trial import State, Trial
from trainables import Trainable


class LastEpoch:
    """Knows it from the config, where that names its `epochs`, else from the trials that have completed."""

    def __init__(self, trainable: Trainable) -> None:
        self._trainable = trainable
        self._guessed: set[int] = set()  # trials that were let go on because of others; they are once, at most

    def of(self, trial: Trial) -> float:
        """Returns the number of epochs of the trial's complete run, infinite where its config does not tell."""
        config = self._trainable.build_config(trial.config)
        epochs = config.get("epochs") if isinstance(config, dict) else getattr(config, "epochs", None)
        return math.inf if epochs is None else epochs

    def reached(self, trial: Trial) -> bool:
        """Returns whether the trial is known to have reported its last epoch."""
        return trial.epochs > 0 and trial.epochs == self.of(trial)

    def ends_now(self, trial: Trial, trials: Iterable[Trial]) -> bool:
        """Returns whether the trial comes to its own end instead of another epoch, if it is let go on.

        Where its config does not tell, it probably does if all the trials that completed had as many epochs.
        """
        if self.reached(trial):
            return True
        if trial.number in self._guessed:
            return False
        likely = {t.epochs for t in trials if t.state is State.COMPLETED} == {trial.epochs}
        if likely:
            self._guessed.add(trial.number)
        return likely
