"""Looks at a study file before anything runs."""

from __future__ import annotations

import typer

from tune.options import (
    HOME,
    NO_CHANGES,
    AddressOption,
    HomeOption,
    LedgerOption,
    NameOption,
    SetOption,
    SpaceFile,
    home_at,
    load,
)


def check(
    space: SpaceFile,
    changes: SetOption = NO_CHANGES,
    name: NameOption = None,
    address: AddressOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Find every mistake of file, machine and ledger, then try data, labels and one batch; no study is created."""
    from orchestrator.preflight import Start, examine
    from orchestrator.typed_command import typed
    from tune.show import show_check

    spec = load(space, changes, name)
    start = Start(spec, home_at(home_folder, ledger_url), str(space), address=address)
    if not show_check(space, examine(start), str(typed().as_verb("run"))):
        raise typer.Exit(2)
