"""Runs studies by night."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, home_at

STATUS, NOTIFY, INSTALL, UNINSTALL = ACTIONS = ("status", "notify", "install", "uninstall")


def nightly(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[status|notify|install|uninstall] NIGHT.yaml",
            help="The night file. status: say how its nights stand. notify: send the last digest "
            "again. install: have systemd or cron start every night; "
            "uninstall: no more.",
        ),
    ],
    until: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="Begin a night now that ends then, whatever the window says.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="By day, wait for the next window.")] = False,
    daemon: Annotated[
        bool, typer.Option("--daemon", help="Run every night until stopped, as in a container without cron.")
    ] = False,
    scheduled: Annotated[
        bool,
        typer.Option("--scheduled", help="As a timer starts it: silent by day, and where tonight is done or runs."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With install or uninstall: print what it would write, and write nothing.")
    ] = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Run a queue of studies within tonight's window, have that done every night, or say how its nights stand."""
    from orchestrator.nights.night_file import load_night_file
    from tune.night_install import install, uninstall
    from tune.night_message import send_by_hand
    from tune.nightly import run_every_night, run_nights, show_status

    action, file = _action(words)
    modes = {"--until": until is not None, "--wait": wait, "--daemon": daemon, "--scheduled": scheduled}
    _refuse_what_cannot_be_meant(action, [option for option, given in modes.items() if given], dry_run)
    home = home_at(home_folder, ledger_url)
    if action == UNINSTALL:
        uninstall(file, home, dry_run=dry_run)
        return
    night_file = load_night_file(file)
    if action == STATUS:
        show_status(night_file, home)
    elif action == NOTIFY:
        raise typer.Exit(send_by_hand(night_file, home))
    elif action == INSTALL:
        install(night_file, home, dry_run=dry_run)
    elif daemon:
        raise typer.Exit(run_every_night(night_file, home))
    else:
        raise typer.Exit(run_nights(night_file, home, wait=wait, until_text=until, scheduled=scheduled))


def _action(words: list[str]) -> tuple[str | None, Path]:
    """Returns what is to be done, None for running, and the night file. Raises InputMistake."""
    from orchestrator.errors import InputMistake

    *actions, file = words
    if file in ACTIONS or len(actions) > 1 or not set(actions) <= set(ACTIONS):
        known = ", ".join(f"`{action} NIGHT.yaml`" for action in ACTIONS)
        raise InputMistake(f"tune nightly: must be followed by NIGHT.yaml or one of {known}, but got {words}")
    return (actions[0] if actions else None), Path(file)


def _refuse_what_cannot_be_meant(action: str | None, modes: list[str], dry_run: bool) -> None:
    """Raises InputMistake. modes: the options for running that were given."""
    from orchestrator.errors import InputMistake

    if action is not None and modes:
        raise InputMistake(f"{modes[0]}: must stand without `{action}`, which runs nothing")
    if len(modes) > 1:
        why = "because it begins a night now" if modes[0] == "--until" else "because each says how to wait for a night"
        raise InputMistake(f"{modes[0]}: must stand without {modes[1]}, {why}")
    if dry_run and action not in (INSTALL, UNINSTALL):
        raise InputMistake("--dry-run: must stand with `install` or `uninstall`; nothing else writes a timer")
