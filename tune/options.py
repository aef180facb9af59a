"""Declares the arguments and options that several verbs share, and reads what they stand for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.home import Home
    from orchestrator.ledger import Ledger
    from orchestrator.study_file.study_spec import StudySpec

HOME = Path("runs")  # below the folder in which the command is started
NO_CHANGES: list[str] = []

SpaceFile = Annotated[Path, typer.Argument(metavar="SPACE.yaml", help="The study file.")]
HomeOption = Annotated[
    Path, typer.Option("--home", metavar="DIR", envvar="NIGHTSWEEP_HOME", help="Where the ledger and all studies lie.")
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        metavar="URL",
        envvar="NIGHTSWEEP_LEDGER",
        help="A team's ledger, postgresql://USER@HOST/DATABASE; default: ledger.db in the home.",
    ),
]


def _known_studies(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the studies that a shell offers behind a verb: those of the home that was typed."""
    from orchestrator.errors import NightsweepError
    from orchestrator.ledger import Ledger
    from orchestrator.study.trash import is_deleted

    home = home_at(Path(context.params.get("home_folder") or HOME), context.params.get("ledger_url"))
    try:
        rows = Ledger(home.ledger).studies() if home.has_ledger else []
    except NightsweepError:
        return []
    return [row.name for row in rows if row.name.startswith(incomplete) and not is_deleted(row)]


StudyName = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="A study's name, as `tune list` prints it.", autocompletion=_known_studies),
]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the file: --set space.lr=1e-3.")
]
NameOption = Annotated[str | None, typer.Option("--name", help="Another name for the study than the file's.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Move the old study of that name aside; delete nothing.")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="An existing Ray cluster: 10.0.0.1:6379, or auto for one on this machine."),
]
DetachOption = Annotated[
    bool,
    typer.Option("--detach", help="Return once the study runs, without this terminal: tune attach, tune stop."),
]
OutputOption = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write there instead of printing.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace what is there, whoever wrote it; the old content is lost.")
]
SkipOption = Annotated[
    bool, typer.Option("--skip-preflight", help="Start a new study without looking at data, labels and one batch.")
]


def load(file: Path, overrides: list[str], name: str | None) -> StudySpec:
    """Reads a study file with the changes of --set, under another name if --name gives one. Raises InputMistake."""
    from orchestrator.study_file.study_spec import load_study, parse_study

    spec = load_study(file, overrides)
    return spec if name is None else parse_study(spec.raw | {"study": name}, "--name")


def home_at(path: Path, ledger_url: str | None = None) -> Home:
    """Returns the home of --home and --ledger, whether it exists or not. Raises InputMistake where it cannot be one."""
    from orchestrator.errors import InputMistake
    from orchestrator.home import Home

    home = Home.at(path, ledger_url)
    there = next(folder for folder in (home.path, *home.path.parents) if os.path.lexists(folder))
    if not there.is_dir():
        raise InputMistake(
            f"--home: must be a folder, but {home.shown(there)} is none; name another with --home or NIGHTSWEEP_HOME"
        )
    return home


def home_with_ledger(path: Path, ledger_url: str | None) -> tuple[Home, Ledger]:
    """Returns the home and its ledger. Raises InputMistake if there is no ledger yet."""
    from orchestrator.errors import InputMistake
    from orchestrator.ledger import Ledger

    home = home_at(path, ledger_url)
    if not home.has_ledger:
        must = "--home: must be a folder that holds a ledger" if ledger_url is None else "--ledger: must exist"
        raise InputMistake(
            f"{must}, but {home.shown(Path(home.ledger))} does not exist; "
            "begin with `tune run SPACE.yaml`, or name another --home"
        )
    return home, Ledger(home.ledger)
