"""Sees to studies that run elsewhere: detached, in another terminal, on another machine."""

from __future__ import annotations

from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, StudyName, home_with_ledger


def attach(study: StudyName, home_folder: HomeOption = HOME, ledger_url: LedgerOption = None) -> None:
    """Show what a running study says, as its terminal would; Ctrl-C leaves the study running."""
    from tune.attach import attach

    home, ledger = home_with_ledger(home_folder, ledger_url)
    attach(home, ledger, study)


def stop(
    study: StudyName,
    now: Annotated[
        bool, typer.Option("--now", help="Do not wait for the next reports: running epochs are lost.")
    ] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Pause a running study gracefully, wherever it runs, and say how that ended."""
    from tune.show import say
    from tune.stop import stop

    _, ledger = home_with_ledger(home_folder, ledger_url)
    stop(ledger, study, say, now=now)
