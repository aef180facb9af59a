"""Shows the studies in MLflow."""

from __future__ import annotations

from typing import Annotated

import typer

from tune.options import HOME, HomeOption, LedgerOption, home_with_ledger


def sync(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="Default: every study.")] = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Make MLflow equal to the ledger."""
    from orchestrator import tracking
    from orchestrator.secret import mask
    from orchestrator.study.trash import is_deleted
    from tune.study_report import tracking_uri

    home, ledger = home_with_ledger(home_folder, ledger_url)
    for row in [ledger.study(study)] if study else ledger.studies():
        uri = tracking_uri(home, row)
        if is_deleted(row):
            tracking.forget(row, uri)
            continue
        result = tracking.sync(ledger, row.id, uri, home.path)
        print(f"{row.name}: {result} in {mask(uri)}")


def ui(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="Print the addresses of its pages.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on 127.0.0.1.")] = 5000,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Open MLflow's pages on this ledger's tracking store, on this machine only."""
    from orchestrator import tracking
    from tune.study_report import tracking_uri

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = None if study is None else ledger.study(study)
    uri = tracking.default_uri(home.path, None) if row is None else tracking_uri(home, row)
    raise typer.Exit(tracking.serve_ui(uri, home.path, port, ledger, row))
