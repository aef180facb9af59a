"""Runs studies by night."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, home_at

STATUS = "status"


def nightly(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[status] NIGHT.yaml", help="The night file; with `status` before it nothing runs."),
    ],
    until: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="Begin a night now that ends then, whatever the window says.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="By day, wait for the next window.")] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Run a queue of studies within tonight's window, or say how its nights stand."""
    from orchestrator.errors import InputMistake
    from orchestrator.nights.night_file import load_night_file
    from tune.nightly import run_nights, show_status

    *actions, file = words
    if actions not in ([], [STATUS]) or file == STATUS:
        raise InputMistake(f"tune nightly: must be followed by NIGHT.yaml or `status NIGHT.yaml`, but got {words}")
    if until is not None and (wait or actions):
        raise InputMistake("--until: must stand without --wait and `status`, because it begins a night now")
    night_file, home = load_night_file(Path(file)), home_at(home_folder, ledger_url)
    if actions:
        show_status(night_file, home)
        return
    raise typer.Exit(run_nights(night_file, home, wait=wait, until_text=until))
