"""Defines the verbs of the command: each parses, calls and prints.

Imports stay inside the verbs, so that `tune --help` is instant.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tune.options import (
    HOME,
    NO_CHANGES,
    AddressOption,
    FreshOption,
    HomeOption,
    LedgerOption,
    NameOption,
    OutputOption,
    SetOption,
    SkipOption,
    SpaceFile,
    StudyName,
    home_at,
    home_with_ledger,
    load,
    written_to,
)

if TYPE_CHECKING:
    from orchestrator.home import Home
    from orchestrator.study.budget import Limits
    from orchestrator.study_file.study_spec import StudySpec

app = typer.Typer(
    name="tune",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Search hyperparameters overnight; read in the morning what won, by how much, and how sure we are.",
    epilog="Begin with: tune run search_spaces/quickstart.yaml",
)


@app.command(epilog="Example: tune run search_spaces/hrnet.yaml --until 07:00")
def run(
    space: SpaceFile,
    changes: SetOption = NO_CHANGES,
    trials: Annotated[str | None, typer.Option(metavar="N|+N", help="Trials in all, or +N more.")] = None,
    hours: Annotated[float | None, typer.Option(min=0.0, help="Stop gracefully after so many hours from now.")] = None,
    until: Annotated[str | None, typer.Option(metavar="HH:MM", help="Stop gracefully at this time of day.")] = None,
    name: NameOption = None,
    fresh: FreshOption = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Real parts, tiny budget; no GPU, data or network: proves the wiring.")
    ] = False,
    skip_preflight: SkipOption = False,
    address: AddressOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Run a study, or go on with it: every start is a resume."""
    from orchestrator.study.budget import Limits
    from orchestrator.study_file.smoke import smoke_version

    limits = Limits.parse(trials, hours, until)
    spec = load(space, changes, name)
    if smoke:
        spec = smoke_version(spec)
    home = home_at(home_folder, ledger_url)
    _run(spec, home, limits, fresh=fresh or smoke, skip_preflight=skip_preflight, address=address, file=space)


@app.command(epilog="Example: tune train best.yaml")
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A study file in which every value is fixed.")],
    changes: SetOption = NO_CHANGES,
    name: NameOption = None,
    fresh: FreshOption = False,
    skip_preflight: SkipOption = False,
    address: AddressOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Train one config, without a search, by the same engine."""
    from orchestrator.errors import InputMistake
    from orchestrator.study.budget import Limits

    spec = load(config, changes, name)
    if spec.space.searched:
        raise InputMistake(
            *(f"{config}: space.{n}: must be one value, but is searched; use `tune run`" for n in spec.space.searched)
        )
    home, once = home_at(home_folder, ledger_url), Limits(trials=1)
    _run(spec, home, once, fresh=fresh, skip_preflight=skip_preflight, address=address, file=config)


@app.command(epilog="Example: tune check search_spaces/pages.yaml --set data.root=data/tapuscorpus")
def check(space: SpaceFile, changes: SetOption = NO_CHANGES, home_folder: HomeOption = HOME) -> None:
    """Find every mistake in the file, then try data, labels and one batch; no study is created."""
    from orchestrator.preflight import examine
    from orchestrator.study_file.study_spec import load_study
    from tune.show import show_check

    spec = load_study(space, changes)
    if not show_check(space, examine(spec, home_at(home_folder).path / "check" / spec.study)):
        raise typer.Exit(2)


@app.command("list", epilog="Example: tune list --home runs")
def list_studies(home_folder: HomeOption = HOME, ledger_url: LedgerOption = None) -> None:
    """List the studies of this home."""
    from tune.show import show_studies

    _, ledger = home_with_ledger(home_folder, ledger_url)
    show_studies([(row, ledger.trials(row.id)) for row in ledger.studies()])


@app.command(epilog="Example: tune show quickstart --trial 3")
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
    from tune.terminal import visible_json

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    trials = ledger.trials(row.id)
    if trial is not None and trial not in [t.number for t in trials]:
        raise InputMistake(f"{study}: --trial: must be 1 to {len(trials)}, but got {trial}; see `tune show {study}`")
    used, steps = ledger.gpu_seconds(row.id, row.active), ledger.steps.of(row.id)
    if as_json:
        summary = study_summary(row, trials, home, steps=steps, gpu_seconds=used, history=history)
        if trial is not None:
            summary = next(t for t in summary["trials"] if t["number"] == trial)
        print(visible_json(json.dumps(summary, indent=1, ensure_ascii=False)))
    elif trial is not None:
        show_trial(row, next(t for t in trials if t.number == trial), home, steps)
    else:
        show_study(row, trials, home, steps=steps, gpu_seconds=used, history=history)


@app.command(epilog="Example: tune report quickstart --lang ko")
def report(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="One study, or several side by side.")],
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: the study's report/; of several, the first one's side-by-side/."),
    ] = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Write report.html, report.md and report.json."""
    from orchestrator.errors import InputMistake
    from tune.study_report import write_study_report

    if lang not in ("en", "ko"):
        raise InputMistake(f"--lang: must be en or ko, but got {lang!r}")
    home, ledger = home_with_ledger(home_folder, ledger_url)
    print(home.shown(write_study_report(home, ledger, studies, lang, output)))


@app.command(epilog="Example: tune best quickstart --output best.yaml && tune train best.yaml")
def best(
    study: StudyName,
    output: OutputOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Print the best config as a file for `tune train`, with its checkpoint."""
    from orchestrator.errors import NightsweepError
    from orchestrator.trial import best_trial
    from tune.summary import best_config

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    trial = best_trial(ledger.trials(row.id), row.objective)
    if trial is None:
        raise NightsweepError(f"{study}: no trial has reported {row.objective.metric} yet; see `tune show {study}`")
    text = best_config(row, trial, home)
    with written_to(output) as stream:
        stream.write(text)


@app.command(epilog="Example: tune predict plates crops/ --output readings.csv")
def predict(
    study: StudyName,
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures, or folders of pictures.")],
    output: OutputOption = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Let the winner read new pictures."""
    from orchestrator.cluster.ray_process import local_resources
    from orchestrator.errors import NightsweepError
    from orchestrator.worker.prediction import predict

    home, ledger = home_with_ledger(home_folder, ledger_url)
    row = ledger.study(study)
    device = "cuda" if local_resources()["GPU"] >= 1 else "cpu"
    with written_to(output) as stream:
        unread = predict(row, ledger.trials(row.id), home, files, stream, device)
    if unread:
        raise NightsweepError(*unread)


@app.command(epilog="Example: tune sync quickstart")
def sync(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="Default: every study.")] = None,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Make MLflow equal to the ledger."""
    from orchestrator import tracking
    from orchestrator.secret import mask
    from tune.study_report import tracking_uri

    home, ledger = home_with_ledger(home_folder, ledger_url)
    for row in [ledger.study(study)] if study else ledger.studies():
        uri = tracking_uri(home, row)
        result = tracking.sync(ledger, row.id, uri, home.path)
        print(f"{row.name}: {result} in {mask(uri)}")


@app.command(epilog="Example: tune ui --port 5001")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on 127.0.0.1.")] = 5000,
    home_folder: HomeOption = HOME,
    ledger_url: LedgerOption = None,
) -> None:
    """Open MLflow's pages on this ledger's tracking store, on this machine only."""
    from orchestrator import tracking

    home, _ = home_with_ledger(home_folder, ledger_url)
    raise typer.Exit(tracking.serve_ui(tracking.default_uri(home.path, None), home.path, port))


@app.command(epilog="Example: tune doctor")
def doctor(home_folder: HomeOption = HOME) -> None:
    """Say what is wrong on this machine, and what to type."""
    from orchestrator.machine.doctor import examine
    from tune.show import show_health

    if not show_health(examine(home_at(home_folder).path)):
        raise typer.Exit(1)


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
    from orchestrator.ledger import Ledger
    from orchestrator.machine.provenance import command
    from orchestrator.runner import run
    from tune.live import build_progress
    from tune.show import console, say, show_outcome
    from tune.study_report import report_of_run

    outcome = run(
        spec,
        home,
        build_progress(console()),
        limits=limits,
        address=address,
        file=str(file),
        fresh=fresh,
        skip_preflight=skip_preflight,
        say=say,
    )
    ledger = Ledger(home.ledger)
    row = ledger.study(outcome.study)
    trials = ledger.trials(row.id)
    page = report_of_run(home, ledger, trials, outcome)
    raise typer.Exit(show_outcome(row, trials, outcome, page, home, command(sys.argv), ledger.steps.of(row.id)))
