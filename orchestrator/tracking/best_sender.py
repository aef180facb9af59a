"""Keeps the best trial of a study in the study's own run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.ledger import Ledger, StudyRow
from orchestrator.ledger.mlflow_marks import Behind
from orchestrator.tracking.best_so_far import BestSent, former_leaders, study_best_points
from orchestrator.tracking.checkpoint_address import Checkpoints
from orchestrator.tracking.mlflow_client import ABOUT_ONE_RUN, log
from orchestrator.tracking.projection import best_tags
from orchestrator.trial import best_trial

if TYPE_CHECKING:
    from orchestrator.tracking.mlflow_client import MlflowClient


class BestSender:
    """Sends the study's best when it has changed. Finding it takes the whole study, which is read for that alone."""

    def __init__(self, ledger: Ledger, study_id: int, home: Path) -> None:
        self._ledger, self._id, self._home = ledger, study_id, home
        self._sent = BestSent()

    @property
    def trial(self) -> int:
        """Returns the number of the best trial, as last sent; 0 for none."""
        return self._sent.trial

    def send(self, client: MlflowClient, row: StudyRow, behind: Sequence[Behind], *, look: bool) -> None:
        """Sends the best of the study to its own run. look: it may have changed, whatever `behind` says.

        To be called before the trials are sent: who dies in between has them sent again, and with them this.
        """
        if not look and not any(self._sent.changed_by(lack.trial, lack.unseen, row.objective) for lack in behind):
            return
        trials = self._ledger.trials(self._id)
        best = best_trial(trials, row.objective)
        if best is None or row.mlflow_run_id is None:
            return
        changed = max((change["at"] for change in row.facts.get("changes", ())), default=0.0)
        points = study_best_points(trials, row.objective, changed)
        if points[-1].value != self._sent.value:  # Of two at one instant MLflow shows the larger.
            points[-1] = replace(points[-1], at=max(points[-1].at, self._sent.at + 1))
        checkpoints = Checkpoints(row, self._home)
        before, unsent = self._sent, [point for point in points if look or point.at >= self._sent.at]
        log(client, row.mlflow_run_id, unsent, {}, best_tags(best, row.objective, checkpoints.of(best, best.number)))
        self._sent = BestSent(best.number, points[-1].value, points[-1].at)
        # Whoever led between two rounds is sent after this, and its tag with it.
        leaders = former_leaders(trials, row.objective) if look else [t for t in trials if t.number == before.trial]
        for trial in leaders:
            if trial.mlflow_run_id is None or not trial.state.final:
                continue
            try:  # A pruned trial keeps its checkpoint only while it leads.
                log(client, trial.mlflow_run_id, [], {}, {"checkpoint": checkpoints.of(trial, best.number)})
            except Exception as error:
                if getattr(error, "error_code", None) not in ABOUT_ONE_RUN:  # Else its run was deleted.
                    raise
