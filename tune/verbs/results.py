"""Takes out of a study what came of it: its report, its best config, what the winner reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune.options import HOME, ForceOption, HomeOption, LedgerOption, OutputOption, StudyName, home_with_ledger


def report(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="One study, or several side by side.")],
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Default: the study's report/, in Korean report-ko/; of several, the first one's side-by-side/.",
        ),
    ] = None,
    force: ForceOption = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Write report.html, report.md and report.json."""
    from orchestrator.errors import InputMistake
    from tune.study_report import write_study_report

    if lang not in ("en", "ko"):
        raise InputMistake(f"--lang: must be en or ko, but got {lang!r}")
    home, ledger = home_with_ledger(home_folder, ledger_url)
    print(home.shown(write_study_report(home, ledger, studies, lang, output, force=force)))


def best(
    study: StudyName,
    output: OutputOption = None,
    force: ForceOption = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Print the best config as a file for `tune train`, with its checkpoint."""
    from orchestrator.errors import NightsweepError
    from orchestrator.trial import best_trial
    from orchestrator.typed_command import command
    from tune.output_file import written_to
    from tune.summary import best_config

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    trial = best_trial(ledger.trials(row.id), row.objective)
    if trial is None:
        raise NightsweepError(
            f"{study}: no trial has reported {row.objective.metric} yet; see `{command(home, 'show', study)}`"
        )
    text = best_config(row, trial, home, str(output or "best.yaml"))
    with written_to(output, home, force=force) as stream:
        stream.write(text)


def predict(
    study: StudyName,
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures, or folders of pictures.")],
    output: OutputOption = None,
    force: ForceOption = False,
    excel: Annotated[
        bool, typer.Option("--excel", help="A table that Excel opens as it is: Hangul stays readable, 0012 stays 0012.")
    ] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Let the winner read new pictures."""
    from orchestrator.cluster.ray_process import local_resources
    from orchestrator.errors import NightsweepError
    from orchestrator.worker.prediction import pictures_in, predict
    from tune.output_file import written_to

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    device = "cuda" if local_resources()["GPU"] >= 1 else "cpu"
    pictures = pictures_in(files)
    encoding = "utf-8-sig" if excel else "utf-8"  # By its byte order mark Excel knows UTF-8.
    with written_to(output, home, force=force, inputs=pictures, encoding=encoding) as stream:
        unread = predict(row, ledger.trials(row.id), home, files, stream, device)
        if len(unread) == len(pictures):  # Nothing was read, so nothing takes the place of an older file.
            raise NightsweepError(*unread)
    if unread:
        raise NightsweepError(*unread)
