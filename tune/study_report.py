"""Writes a study's report for the command: its three files, and the same files in MLflow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator import tracking
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.tracking.store import default_uri
from orchestrator.trial import Outcome, Trial
from reports.numbers.study_view import view
from reports.report import write_report
from tune.terminal import visible


def write_study_report(
    home: Home, ledger: Ledger, names: Sequence[str], lang: str = "en", directory: Path | None = None
) -> Path:
    """Writes the report of one study, or of several side by side; returns the path of report.html.

    directory: where to; by default the folder of the first study. The report of one study is also shown in MLflow, and
    a line on stderr says so where that is not possible. Raises UnknownStudy, OSError.
    """
    rows = [ledger.study(name) for name in names]
    views = []
    for row in rows:
        trials = ledger.trials(row.id)
        used, steps = ledger.gpu_seconds(row.id, row.active), ledger.steps.of(row.id)
        views.append(view(row, trials, home.path, gpu_seconds=used, steps=steps))
    default = home.report(names[0]) if len(rows) == 1 else home.side_by_side(names[0])
    directory = (directory or default).absolute()
    page = write_report(views, directory, lang)
    if len(rows) == 1:
        try:
            tracking.log_report(ledger, rows[0].id, tracking_uri(home, rows[0]), home.path, directory)
        except tracking.TrackingError as error:  # The files are written, and that is what was asked for.
            print(visible(f"{error}; `tune report {rows[0].name}` shows the report there later"), file=sys.stderr)
    return page


def report_of_run(home: Home, ledger: Ledger, trials: Sequence[Trial], outcome: Outcome) -> Path:
    """Writes the report after a run unless the old one tells all; returns the path of report.html, written or not."""
    page = home.report(outcome.study) / "report.html"
    if not outcome.started and _tells_all(page, trials):
        return page
    try:
        return write_study_report(home, ledger, [outcome.study])
    except OSError as error:  # The disk is full: the last lines of the run still say how the study stands.
        why = error.strerror or error
        print(f"{page}: must be written, but {why}; then type: tune report {outcome.study}", file=sys.stderr)
        return page


def _tells_all(page: Path, trials: Sequence[Trial]) -> bool:
    """Returns whether the page was written after the last report and the last end of a trial.

    A driver that was killed wrote none.
    """
    told = [trial.ended or 0.0 for trial in trials] + [report.at for trial in trials for report in trial.reports]
    return page.exists() and page.stat().st_mtime > max(told, default=0.0)


def tracking_uri(home: Home, row: StudyRow) -> str:
    """Returns the address of the MLflow that shows the study."""
    return default_uri(home.path, row.raw.get("tracking", {}).get("uri"))
