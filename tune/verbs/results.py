"""Takes out of a study what came of it: its report, its best config, what the winner reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, OutputOption, StudyName, home_with_ledger, written_to


def report(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="One study, or several side by side.")],
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: the study's report/; of several, the first one's side-by-side/."),
    ] = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Write report.html, report.md and report.json."""
    from orchestrator.errors import InputMistake
    from tune.study_report import write_study_report

    if lang not in ("en", "ko"):
        raise InputMistake(f"--lang: must be en or ko, but got {lang!r}")
    home, ledger = home_with_ledger(home_folder, ledger_url)
    print(home.shown(write_study_report(home, ledger, studies, lang, output)))


def best(
    study: StudyName,
    output: OutputOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Print the best config as a file for `tune train`, with its checkpoint."""
    from orchestrator.errors import NightsweepError
    from orchestrator.trial import best_trial
    from tune.summary import best_config

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    trial = best_trial(ledger.trials(row.id), row.objective)
    if trial is None:
        raise NightsweepError(f"{study}: no trial has reported {row.objective.metric} yet; see `tune show {study}`")
    text = best_config(row, trial, home)
    with written_to(output) as stream:
        stream.write(text)


def predict(
    study: StudyName,
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures, or folders of pictures.")],
    output: OutputOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Let the winner read new pictures."""
    from orchestrator.cluster.ray_process import local_resources
    from orchestrator.errors import NightsweepError
    from orchestrator.worker.prediction import predict

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    device = "cuda" if local_resources()["GPU"] >= 1 else "cpu"
    with written_to(output) as stream:
        unread = predict(row, ledger.trials(row.id), home, files, stream, device)
    if unread:
        raise NightsweepError(*unread)
