"""Shows the studies of a home."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, StudyName, home_with_ledger


def list_studies(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """List the studies, the last active first."""
    from orchestrator.study.trash import is_deleted
    from tune.study_list import newest_first, print_studies, studies_json
    from tune.terminal import visible_json

    _, ledger = home_with_ledger(home_folder, ledger_url)
    studies = newest_first([(row, ledger.trials(row.id)) for row in ledger.studies() if not is_deleted(row)])
    if as_json:
        print(visible_json(json.dumps(studies_json(studies), indent=1, ensure_ascii=False)))
    else:
        print_studies(studies)


def show(
    study: StudyName,
    trial: Annotated[int | None, typer.Option(metavar="N", help="One trial: config, reports, log, traceback.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Every report of every trial.")] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Show one study: states, best, failures with reasons."""
    from orchestrator.errors import InputMistake
    from orchestrator.typed_command import command
    from tune.show import show_study, show_trial
    from tune.summary import study_summary
    from tune.terminal import output, visible_json

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    trials = ledger.trials(row.id)
    if trial is not None and trial not in [t.number for t in trials]:
        raise InputMistake(
            f"{study}: --trial: must be 1 to {len(trials)}, but got {trial}; see `{command(home, 'show', study)}`"
        )
    used, steps = ledger.gpu_seconds(row.id, row.counted_until), ledger.steps.of(row.id)
    if as_json:
        summary = study_summary(row, trials, home, steps=steps, gpu_seconds=used, history=history)
        if trial is not None:
            summary = next(t for t in summary["trials"] if t["number"] == trial)
        print(visible_json(json.dumps(summary, indent=1, ensure_ascii=False)), file=output())
    elif trial is not None:
        show_trial(row, next(t for t in trials if t.number == trial), home, steps)
    else:
        show_study(row, trials, home, steps=steps, gpu_seconds=used, history=history)


def delete(
    study: StudyName,
    undo: Annotated[bool, typer.Option("--restore", help="Bring back the one that was deleted last.")] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Move a study to the trash, in MLflow too."""
    from orchestrator import tracking
    from orchestrator.study.trash import move_to_trash, restore
    from orchestrator.typed_command import command
    from tune.study_report import tracking_uri

    home, ledger = home_with_ledger(home_folder, ledger_url)
    if undo:
        row = restore(ledger, home, study)
        print(f"{row.name} is back; in MLflow after: {command(home, 'sync', row.name)}")
        return
    row = move_to_trash(ledger, home, study)
    back = command(home, "delete", study, "--restore")
    print(f"{study} is in {home.shown(home.trash(row.name))}; bring it back with: {back}")
    storage = row.raw.get("storage")
    if storage:
        print(f"its checkpoints stay in {storage}")
    try:
        tracking.forget(row, tracking_uri(home, row))
    except tracking.TrackingError as error:  # The study is deleted; MLflow only shows it still.
        print(f"{error}; MLflow shows it until: {command(home, 'sync')}", file=sys.stderr)
