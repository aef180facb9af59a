"""The command: parses, calls, prints. Heavy imports stay inside the verbs, so that `tune --help` is instant."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from orchestrator.home import Home
    from orchestrator.ledger import Ledger, StudyRow
    from orchestrator.study.budget import Limits
    from orchestrator.study_file.study_spec import StudySpec
    from orchestrator.trial import Trial

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

SpaceFile = Annotated[Path, typer.Argument(metavar="SPACE.yaml", help="The study file.")]
StudyName = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, as `tune list` prints it.")]
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
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the file: --set space.lr=1e-3.")
]
NameOption = Annotated[str | None, typer.Option("--name", help="Another name for the study than the file's.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Move the old study of that name aside; delete nothing.")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="An existing Ray cluster: 10.0.0.1:6379, or auto for one on this machine."),
]
SkipOption = Annotated[
    bool, typer.Option("--skip-preflight", help="Start a new study without looking at data, labels and one batch.")
]
RUNS = Path("runs")
NOTHING: list[str] = []


@app.command(epilog="Example: tune run search_spaces/hrnet.yaml --until 07:00")
def run(
    space: SpaceFile,
    set: SetOption = NOTHING,
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
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Run a study, or go on with it: every start is a resume."""
    from orchestrator.study.budget import Limits
    from orchestrator.study_file.smoke import smoke_version

    limits = Limits.parse(trials, hours, until)
    spec = _load(space, set, name)
    if smoke:
        spec = smoke_version(spec)
    place, skip = _home(home, ledger_url), skip_preflight
    _run(spec, place, limits, fresh=fresh or smoke, skip_preflight=skip, address=address, file=space)


@app.command(epilog="Example: tune train best.yaml")
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="A study file in which every value is fixed.")],
    set: SetOption = NOTHING,
    name: NameOption = None,
    fresh: FreshOption = False,
    skip_preflight: SkipOption = False,
    address: AddressOption = None,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Train one config, without a search, by the same engine."""
    from orchestrator.errors import InputMistake
    from orchestrator.study.budget import Limits

    spec = _load(config, set, name)
    if spec.space.searched:
        raise InputMistake(
            *(f"{config}: space.{n}: must be one value, but is searched; use `tune run`" for n in spec.space.searched)
        )
    place, skip = _home(home, ledger_url), skip_preflight
    _run(spec, place, Limits(trials=1), fresh=fresh, skip_preflight=skip, address=address, file=config)


@app.command(epilog="Example: tune check search_spaces/pages.yaml --set data.root=data/tapuscorpus")
def check(space: SpaceFile, set: SetOption = NOTHING, home: HomeOption = RUNS) -> None:
    """Find every mistake in the file, then try data, labels and one batch; no study is created."""
    from orchestrator.preflight import examine
    from orchestrator.study_file.study_spec import load_study
    from tune.show import show_check

    spec = load_study(space, set)
    if not show_check(space, examine(spec, _home(home).path / "check" / spec.study)):
        raise typer.Exit(2)


@app.command("list", epilog="Example: tune list --home runs")
def list_studies(home: HomeOption = RUNS, ledger_url: LedgerOption = None) -> None:
    """List the studies of this home."""
    from tune.show import show_studies

    _, ledger = _existing(home, ledger_url)
    show_studies([(row, ledger.trials(row.id)) for row in ledger.studies()])


@app.command(epilog="Example: tune show quickstart --trial 3")
def show(
    study: StudyName,
    trial: Annotated[int | None, typer.Option(metavar="N", help="One trial: config, reports, log, traceback.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Every report of every trial.")] = False,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Show one study: states, best, failures with reasons."""
    from orchestrator.errors import InputMistake
    from orchestrator.study.budget import gpu_attempts
    from tune.show import show_study, show_trial
    from tune.summary import study_summary
    from tune.terminal import visible_json

    place, ledger = _existing(home, ledger_url)
    row = ledger.study(study)
    trials = ledger.trials(row.id)
    if trial is not None and trial not in [t.number for t in trials]:
        raise InputMistake(f"{study}: --trial: must be 1 to {len(trials)}, but got {trial}; see `tune show {study}`")
    if as_json:
        summary = study_summary(row, trials, place, attempts=gpu_attempts(ledger, row.id, trials), history=history)
        if trial is not None:
            summary = next(t for t in summary["trials"] if t["number"] == trial)
        print(visible_json(json.dumps(summary, indent=1, ensure_ascii=False)))
    elif trial is not None:
        show_trial(row, next(t for t in trials if t.number == trial), place)
    else:
        show_study(row, trials, place, attempts=gpu_attempts(ledger, row.id, trials), history=history)


@app.command(epilog="Example: tune report quickstart --lang ko")
def report(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="One study, or several side by side.")],
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: the study's report/; of several, the first one's side-by-side/."),
    ] = None,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Write report.html, report.md and report.json."""
    from orchestrator.errors import InputMistake

    if lang not in ("en", "ko"):
        raise InputMistake(f"--lang: must be en or ko, but got {lang!r}")
    place, ledger = _existing(home, ledger_url)
    print(place.shown(_write_report(place, ledger, studies, lang, output)))


@app.command(epilog="Example: tune best quickstart --output best.yaml && tune train best.yaml")
def best(
    study: StudyName,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of printing.")] = None,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Print the best config as a file for `tune train`, with its checkpoint."""
    from orchestrator.trial import best_trial
    from tune.summary import best_config
    from tune.terminal import output as standard_output

    place, ledger = _existing(home, ledger_url)
    row = ledger.study(study)
    trial = best_trial(ledger.trials(row.id), row.objective)
    if trial is None:
        _fail(f"{study}: no trial has reported {row.objective.metric} yet; see `tune show {study}`")
    text = best_config(row, trial, place)
    if output is None:
        print(text, end="", file=standard_output())
    else:
        output.write_text(text, encoding="utf-8")
        print(output)


@app.command(epilog="Example: tune predict plates crops/ --output readings.csv")
def predict(
    study: StudyName,
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures, or folders of pictures.")],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of printing.")] = None,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Let the winner read new pictures."""
    from orchestrator.cluster.ray_process import local_resources
    from orchestrator.worker.prediction import predict
    from tune.terminal import output as standard_output

    place, ledger = _existing(home, ledger_url)
    row = ledger.study(study)
    device = "cuda" if local_resources()["GPU"] >= 1 else "cpu"
    with nullcontext(standard_output()) if output is None else output.open("w", encoding="utf-8", newline="") as stream:
        problems = predict(row, ledger.trials(row.id), place, files, stream, device)
    if output is not None:
        print(output)
    if problems:
        _fail("\n".join(problems))


@app.command(epilog="Example: tune sync quickstart")
def sync(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="Default: every study.")] = None,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Make MLflow equal to the ledger."""
    from orchestrator import tracking
    from orchestrator.secret import mask

    place, ledger = _existing(home, ledger_url)
    for row in [ledger.study(study)] if study else ledger.studies():
        uri = _tracking_uri(place, row)
        result = tracking.sync(ledger, row.id, uri, place.path)
        print(f"{row.name}: {result} in {mask(uri)}")


@app.command(epilog="Example: tune ui --port 5001")
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on 127.0.0.1.")] = 5000,
    home: HomeOption = RUNS,
    ledger_url: LedgerOption = None,
) -> None:
    """Open MLflow's pages on this ledger's tracking store, on this machine only."""
    from orchestrator import tracking

    place, _ = _existing(home, ledger_url)
    raise typer.Exit(tracking.serve_ui(tracking.default_uri(place.path, None), place.path, port))


@app.command(epilog="Example: tune doctor")
def doctor(home: HomeOption = RUNS) -> None:
    """Say what is wrong on this machine, and what to type."""
    from orchestrator.machine.doctor import examine
    from tune.show import show_health

    if not show_health(examine(_home(home).path)):
        raise typer.Exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; mistakes become lines on stderr and exit codes, never tracebacks."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] in (["list-trials"], ["list-experiments"]):  # Ray's wheel installs a `tune` too: its verbs
        from orchestrator.cluster.ray_process import ray_command

        ray_command(arguments)
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a user's own trainable is found in the folder `tune` is started in
    from orchestrator.errors import explain

    try:
        app(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # tune show STUDY | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except Exception as error:
        from orchestrator.secret import mask_addresses
        from tune.terminal import visible

        lines, code = explain(error)
        print(visible(mask_addresses("\n".join(lines))), file=sys.stderr)
        sys.exit(code)


def _home(path: Path, ledger_url: str | None = None) -> Home:
    from orchestrator.home import Home

    return Home.at(path, ledger_url)


def _load(file: Path, overrides: list[str], name: str | None) -> StudySpec:
    from orchestrator.study_file.study_spec import load_study, parse_study

    spec = load_study(file, overrides)
    return spec if name is None else parse_study(spec.raw | {"study": name}, "--name")


def _preflight(spec: StudySpec, home: Home, file: Path, *, skip: bool, fresh: bool) -> None:
    """Check data, labels and one batch before the first trial. Raises InputMistake; nothing of the study is created."""
    from orchestrator.errors import InputMistake
    from orchestrator.ledger import Ledger
    from orchestrator.preflight import RISK, due, examine_apart
    from tune.show import show_preflight

    rows = {} if fresh or not home.has_ledger else {row.name: row for row in Ledger(home.ledger).studies()}
    row = rows.get(spec.study)
    trials = 0 if row is None else len(Ledger(home.ledger).trials(row.id, reports=False))
    if not due(spec, row, trials):
        return
    if skip:
        print(f"{spec.study}: {RISK}")
    elif problems := show_preflight(spec.study, examine_apart(spec, home.path / "check" / spec.study)):
        hint = f"no trial was started; see tune check {file}, or start all the same with --skip-preflight"
        raise InputMistake(*(f"{file}: {problem}" for problem in problems), f"{file}: {hint}")


def _existing(path: Path, ledger_url: str | None) -> tuple[Home, Ledger]:
    """The home and its ledger; a mistake if there is none yet."""
    from orchestrator.errors import InputMistake
    from orchestrator.ledger import Ledger

    home = _home(path, ledger_url)
    if not home.has_ledger:
        must = "--home: must be a folder that holds a ledger" if ledger_url is None else "--ledger: must exist"
        raise InputMistake(
            f"{must}, but {home.shown(Path(home.ledger))} does not exist; "
            "begin with `tune run SPACE.yaml`, or name another --home"
        )
    return home, Ledger(home.ledger)


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
    from orchestrator.ledger import Ledger
    from orchestrator.machine.provenance import command
    from orchestrator.runner import run
    from orchestrator.study.continuation import move_aside
    from tune.live import build_progress
    from tune.show import console, show_outcome

    def before() -> None:
        _preflight(spec, home, file, skip=skip_preflight, fresh=fresh)
        if fresh and (moved := move_aside(home, spec.study)):
            print(f"{spec.study}: the old study is now {moved}")

    progress = build_progress(console())
    outcome = run(spec, home, progress, limits=limits, address=address, file=str(file), before=before)
    ledger = Ledger(home.ledger)
    page = home.report(outcome.study) / "report.html"
    row = ledger.study(outcome.study)
    trials = ledger.trials(row.id)
    if outcome.started or not _is_fresh(page, trials):
        try:
            page = _write_report(home, ledger, [outcome.study], "en", None)
        except OSError as error:  # a full disk: how the study stands is said all the same
            why = error.strerror or error
            print(f"{page}: must be written, but {why}; then type: tune report {outcome.study}", file=sys.stderr)
    raise typer.Exit(show_outcome(row, trials, outcome, page, home, command(sys.argv)))


def _is_fresh(page: Path, trials: list[Trial]) -> bool:
    """Was it written after the last report and the last end? A driver that was killed may not have come to it."""
    told = [trial.ended or 0.0 for trial in trials] + [report.at for trial in trials for report in trial.reports]
    return page.exists() and page.stat().st_mtime > max(told, default=0.0)


def _write_report(home: Home, ledger: Ledger, studies: list[str], lang: str, output: Path | None) -> Path:
    from orchestrator import tracking
    from orchestrator.study.budget import gpu_attempts
    from reports.numbers.study_view import view
    from reports.report import write_report
    from tune.terminal import visible

    rows = [ledger.study(name) for name in studies]
    directory = (output or (home.report if len(rows) == 1 else home.side_by_side)(studies[0])).absolute()
    studies_seen = []
    for row in rows:
        trials = ledger.trials(row.id)
        studies_seen.append(view(row, trials, home.path, gpu_attempts(ledger, row.id, trials)))
    page = write_report(studies_seen, directory, lang)
    if len(rows) == 1:
        try:
            tracking.log_report(ledger, rows[0].id, _tracking_uri(home, rows[0]), home.path, directory)
        except tracking.TrackingError as error:  # the page is written: that is what was asked for
            print(visible(f"{error}; `tune report {rows[0].name}` shows the report there later"), file=sys.stderr)
    return page


def _tracking_uri(home: Home, row: StudyRow) -> str:
    from orchestrator.tracking.store import default_uri

    return default_uri(home.path, row.raw.get("tracking", {}).get("uri"))


def _fail(line: str) -> NoReturn:
    from tune.terminal import visible

    print(visible(line), file=sys.stderr)
    raise typer.Exit(1)
