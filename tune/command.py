"""Builds the command from its verbs, in the order in which `tune --help` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from tune.verbs import background, machine, mlflow_pages, nightly, results, running, studies, study_file

app = typer.Typer(
    name="tune",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Search hyperparameters overnight; read in the morning what won, by how much, and how sure we are.",
    epilog="Begin with: tune run search_spaces/quickstart.yaml",
)

# A verb -> what it does, and the example at the end of its help.
VERBS: dict[str, tuple[Callable[..., None], str]] = {
    "run": (running.run, "tune run search_spaces/hrnet.yaml --until 07:00"),
    "train": (running.train, "tune train best.yaml"),
    "nightly": (nightly.nightly, "tune nightly nightly.yaml --wait"),
    "attach": (background.attach, "tune attach quickstart"),
    "stop": (background.stop, "tune stop quickstart"),
    "check": (study_file.check, "tune check search_spaces/pages.yaml --set data.root=data/tapuscorpus"),
    "list": (studies.list_studies, "tune list --home runs"),
    "show": (studies.show, "tune show quickstart --trial 3"),
    "delete": (studies.delete, "tune delete quickstart-smoke"),
    "report": (results.report, "tune report quickstart --lang ko"),
    "best": (results.best, "tune best quickstart --output best.yaml && tune train best.yaml"),
    "predict": (results.predict, "tune predict plates crops/ --output readings.csv"),
    "sync": (mlflow_pages.sync, "tune sync quickstart"),
    "ui": (mlflow_pages.ui, "tune ui quickstart"),
    "doctor": (machine.doctor, "tune doctor"),
}


def _version(wanted: bool) -> None:
    """Prints the version and ends the command."""
    if wanted:
        from importlib.metadata import version

        print(f"nightsweep {version('nightsweep')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Takes the options that stand before a verb."""


def options_of(verb: str) -> set[str]:
    """Returns the options of a verb, long and short."""
    known = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]  # It is a group.
    return {name for parameter in known.params for name in parameter.opts}


for _verb, (_function, _example) in VERBS.items():
    app.command(_verb, epilog=f"Example: {_example}")(_function)
