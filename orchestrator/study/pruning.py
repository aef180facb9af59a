"""Whether a trial goes on after a report: what the scheduler says, but for those that it may not stop."""

from __future__ import annotations

import math

from orchestrator.policies.build import build_scheduler
from orchestrator.policies.scheduler import Decision
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Report, Trial
from trainables import Trainable


class Pruning:
    """Its state depends on the reports alone, in their order: replaying a ledger rebuilds it.

    metric: by whose values trials are compared.
    """

    def __init__(self, spec: StudySpec, trainable: Trainable) -> None:
        self.metric = spec.scheduler.metric or spec.objective.metric
        self._trainable = trainable
        self._scheduler = build_scheduler(
            spec.scheduler.name,
            eta=spec.scheduler.eta,
            grace_epochs=spec.scheduler.grace_epochs,
            mode=spec.scheduler.mode or spec.objective.mode,
        )

    def decide(self, trial: Trial, report: Report) -> Decision:
        """trial: with this report."""
        decision = self._scheduler.report(trial.number, report.epoch, report.metrics[self.metric])
        if decision is Decision.CONTINUE:
            return decision
        if trial.baseline is not None or report.epoch >= self._last_epoch(trial):
            return Decision.CONTINUE  # a baseline is compared with: it is trained whole; a last epoch saves nothing
        if any(report.epoch <= extension.after for extension in trial.extended):
            return Decision.CONTINUE  # decided then, and it goes on all the same
        return decision

    def _last_epoch(self, trial: Trial) -> float:
        config = self._trainable.build_config(trial.config)
        epochs = config.get("epochs") if isinstance(config, dict) else getattr(config, "epochs", None)
        return math.inf if epochs is None else epochs
