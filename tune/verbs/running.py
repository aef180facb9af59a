"""Runs a study: by a search, or one config alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune.options import (
    HOME,
    NO_CHANGES,
    AddressOption,
    DetachOption,
    FreshOption,
    HomeOption,
    LedgerOption,
    NameOption,
    SetOption,
    SkipOption,
    SpaceFile,
    home_at,
    load,
)

if TYPE_CHECKING:
    from orchestrator.home import Home
    from orchestrator.study.budget import Limits
    from orchestrator.study_file.study_spec import StudySpec


def run(
    space: SpaceFile,
    changes: SetOption = NO_CHANGES,
    trials: Annotated[str | None, typer.Option(metavar="N|+N", help="Trials in all, or +N more.")] = None,
    hours: Annotated[float | None, typer.Option(min=0.0, help="Stop gracefully after so many hours from now.")] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="HH:MM", help="Stop gracefully at this time of day, or at '2026-03-10 07:00'."),
    ] = None,
    name: NameOption = None,
    fresh: FreshOption = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Real parts, tiny budget; no GPU, data or network: proves the wiring.")
    ] = False,
    skip_preflight: SkipOption = False,
    address: AddressOption = None,
    detach: DetachOption = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Run a study, or go on with it: every start is a resume."""
    from orchestrator.study.budget import Limits
    from orchestrator.study_file.smoke import forget_checkpoints, smoke_version

    limits = Limits.parse(trials, hours, until)
    spec = load(space, changes, name)
    if smoke:
        spec = smoke_version(spec)
    home = home_at(home_folder, ledger_url)
    if detach:
        _detach(spec, home)
    try:
        _run(spec, home, limits, fresh=fresh or smoke, skip_preflight=skip_preflight, address=address, file=space)
    except typer.Exit:  # It ran. Where it could not, the checkpoints are those of another process that runs it.
        if smoke:
            forget_checkpoints(home, spec.study)
        raise


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A study file in which every value is fixed.")],
    changes: SetOption = NO_CHANGES,
    name: NameOption = None,
    fresh: FreshOption = False,
    skip_preflight: SkipOption = False,
    address: AddressOption = None,
    detach: DetachOption = False,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Train one config, without a search, by the same engine."""
    from orchestrator.errors import InputMistake
    from orchestrator.study.budget import Limits
    from orchestrator.typed_command import typed

    spec = load(config, changes, name)
    if spec.space.searched:
        run = typed().as_verb("run")
        raise InputMistake(
            *(f"{config}: space.{n}: must be one value, but is searched; use `{run}`" for n in spec.space.searched)
        )
    home, once = home_at(home_folder, ledger_url), Limits(trials=1)
    if detach:
        _detach(spec, home)
    _run(spec, home, once, fresh=fresh, skip_preflight=skip_preflight, address=address, file=config)


def _detach(spec: StudySpec, home: Home) -> None:
    """Starts the command that was typed without its terminal, and ends this one."""
    from tune.detached import start_detached
    from tune.start import advice

    raise typer.Exit(start_detached(spec.study, advice(spec.study, home)))


def _run(
    spec: StudySpec,
    home: Home,
    limits: Limits,
    *,
    fresh: bool,
    skip_preflight: bool,
    address: str | None,
    file: Path,
) -> None:
    """Runs a study, writes its report and prints how it stands; ends the command with the exit code of that."""
    from tune.start import run_study

    code = run_study(spec, home, limits, fresh=fresh, skip_preflight=skip_preflight, address=address, file=str(file))
    raise typer.Exit(code)
