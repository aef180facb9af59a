"""Shows the studies of a home."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, StudyName, home_with_ledger


def list_studies(home_folder: HomeOption = HOME, ledger_url: LedgerOption = None) -> None:
    """List the studies of this home."""
    from tune.show import show_studies

    _, ledger = home_with_ledger(home_folder, ledger_url)
    show_studies([(row, ledger.trials(row.id)) for row in ledger.studies()])


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
    from tune.show import show_study, show_trial
    from tune.summary import study_summary
    from tune.terminal import output, visible_json

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    trials = ledger.trials(row.id)
    if trial is not None and trial not in [t.number for t in trials]:
        raise InputMistake(f"{study}: --trial: must be 1 to {len(trials)}, but got {trial}; see `tune show {study}`")
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
