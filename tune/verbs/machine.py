"""Looks at this machine."""

from __future__ import annotations

import typer

from tune.options import HOME, HomeOption, home_at


def doctor(home_folder: HomeOption = HOME) -> None:
    """Say what is wrong on this machine, and what to type."""
    from orchestrator.machine.doctor import examine
    from tune.show import show_health

    if not show_health(examine(home_at(home_folder).path)):
        raise typer.Exit(1)
