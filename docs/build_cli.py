"""Writes docs/cli.md from the command's own help: `make reference`. `--check` only says whether it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path

import typer
from typer.testing import CliRunner

PAGE = Path(__file__).parent / "cli.md"

HEAD = """\
# The command

Written from the command's own help by `make reference`; edit `tune/verbs/` and `tune/options.py` instead.

`tune`, `nightsweep` and `python -m tune` are the same program. Ray installs a script named `tune` as well: if
`tune --help` does not look like this page, use `nightsweep`; `nightsweep doctor` says how to repair the short name.

| exit code | meaning |
|---|---|
| 0 | done, or stopped where you asked: deadline, trials, hours |
| 1 | no trial could complete, or the verb failed |
| 2 | your input is wrong: a line a mistake on stderr says where, what must hold, what came; nothing was created |
| 130 | interrupted; the same command goes on |
"""


def verbs(app: typer.Typer) -> list[str]:
    """The verbs in the order of the help."""
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    return names + [group.name for group in app.registered_groups if group.name]


def help_of(app: typer.Typer, *arguments: str) -> str:
    """What `tune ARGUMENTS --help` prints, at 100 columns and without colours."""
    environment = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb", "NIGHTSWEEP_HOME": None}
    result = CliRunner().invoke(app, [*arguments, "--help"], prog_name="tune", env=environment)
    if result.exit_code:
        raise RuntimeError(f"`tune {' '.join(arguments)} --help` ends with {result.exit_code}: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def page(app: typer.Typer) -> str:
    """The whole page, one section a verb."""
    sections = [("tune", help_of(app)), *((f"tune {name}", help_of(app, name)) for name in verbs(app))]
    return "\n".join([HEAD, *(f"## {title}\n\n```text\n{text}\n```\n" for title, text in sections)])


def main() -> None:
    import tune

    fresh = page(tune.app)
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(fresh, encoding="utf-8")
        print(PAGE)
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/cli.md is stale: it must say what `tune --help` says; type: make reference")


if __name__ == "__main__":
    main()
