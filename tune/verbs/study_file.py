"""Looks at a study file before anything runs."""

from __future__ import annotations

import typer

from tune.options import HOME, NO_CHANGES, HomeOption, SetOption, SpaceFile, home_at


def check(space: SpaceFile, changes: SetOption = NO_CHANGES, home_folder: HomeOption = HOME) -> None:
    """Find every mistake in the file, then try data, labels and one batch; no study is created."""
    from orchestrator.preflight import examine
    from orchestrator.study_file.study_spec import load_study
    from tune.show import show_check

    spec = load_study(space, changes)
    if not show_check(space, examine(spec, home_at(home_folder).path / "check" / spec.study)):
        raise typer.Exit(2)
