"""Writes a study's report for the command: its three files, and the same files in MLflow."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator import tracking
from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.tracking.store import default_uri
from orchestrator.trial import Outcome, Trial
from orchestrator.typed_command import command
from reports.numbers.advice import advice
from reports.numbers.comparison import compare
from reports.numbers.repeats import may_hold_repeats
from reports.numbers.search_quality import slices
from reports.numbers.study_view import StudyView, view
from reports.pages.plain_text import escape
from reports.report import write_report
from reports.words import NO_BREAK, Words, one_line
from tune.output_file import Written, check_free
from tune.terminal import visible

REPORT_FILES = ("report.html", "report.md", "report.json")


def write_study_report(
    home: Home,
    ledger: Ledger,
    names: Sequence[str],
    lang: str = "en",
    directory: Path | None = None,
    *,
    force: bool = False,
) -> Path:
    """Writes the report of one study, or of several side by side; returns the path of report.html.

    directory: where to; by default the folder of the first study. The report of one study is also shown in MLflow, and
    a line on stderr says so where that is not possible. force: replaces files in `directory` that others wrote. Raises
    UnknownStudy, InputMistake, OSError.
    """
    rows = [ledger.study(name) for name in names]
    views = [view_of(row, home, ledger) for row in rows]
    default = home.report(names[0], lang) if len(rows) == 1 else home.side_by_side(names[0], lang)
    if directory is not None and directory.absolute() != default:
        _check_free(directory, home, force)
    page = write_report(views, (directory or default).absolute(), lang)
    files = [page.parent / file for file in REPORT_FILES]
    if directory is not None:
        for file in files:
            Written(home).add(file)
    if len(rows) == 1:
        try:
            uri, text = tracking_uri(home, rows[0]), description(page.parent / "report.json")
            tracking.log_report(ledger, rows[0].id, uri, home.path, files=files, name=default.name, description=text)
        except tracking.TrackingError as error:  # The files are written, and that is what was asked for.
            again = command(home, "report", rows[0].name)
            print(visible(f"{error}; `{again}` shows the report there later"), file=sys.stderr)
    return page


def view_of(row: StudyRow, home: Home, ledger: Ledger) -> StudyView:
    """Reads the study, and the repeats of its best trial that other studies of the ledger hold."""
    all_rows = ledger.studies()
    others = [(other, ledger.trials(other.id)) for other in all_rows if may_hold_repeats(row, other)]
    return view(
        row,
        ledger.trials(row.id),
        home.path,
        ledger=home.named_ledger,
        gpu_seconds=ledger.gpu_seconds(row.id, row.counted_until),
        steps=ledger.steps.of(row.id),
        others=others,
        names=[other.name for other in all_rows],
    )


def _check_free(directory: Path, home: Home, force: bool) -> None:
    """Raises InputMistake where the folder of --output is none, or holds a report that is not of our making."""
    if directory.exists() and not directory.is_dir():
        raise InputMistake(f"--output: must be a folder, but {directory} is a file; name another")
    check_free("--output", [directory / file for file in REPORT_FILES], home, force=force)


def report_of_run(home: Home, ledger: Ledger, trials: Sequence[Trial], outcome: Outcome) -> Path:
    """Writes the report after a run unless the old one tells all; returns the path of report.html, written or not."""
    page = home.report(outcome.study) / "report.html"
    if not outcome.started and _tells_all(page, trials):
        return page
    try:
        return write_study_report(home, ledger, [outcome.study])
    except OSError as error:  # The disk is full: the last lines of the run still say how the study stands.
        why = error.strerror or error
        again = command(home, "report", outcome.study)
        print(f"{page}: must be written, but {why}; then type: {again}", file=sys.stderr)
        return page


@dataclass(frozen=True)
class NextStep:
    """Holds what the report advises: a sentence or two, and the commands for it, in their order."""

    text: str
    commands: tuple[str, ...]


def next_step(home: Home, ledger: Ledger, row: StudyRow) -> NextStep:
    """Returns what the report of the study advises now, in English."""
    comparison = compare(view_of(row, home, ledger))
    words, found = Words("en", comparison.scale), advice(comparison, slices(comparison))
    said = [words.say(found.what)]
    if found.device_hours is not None:
        said.append(words("next.cost", hours=words.hours(found.device_hours, comparison.cost.device)))
    return NextStep(" ".join(said).replace(NO_BREAK, " "), tuple(one_line(each) for each in found.commands))


def description(report: Path) -> str:
    """Returns what a report.json says of its first study, as Markdown: verdict, evidence, doubts, what to do next."""
    study = json.loads(report.read_text(encoding="utf-8"))["studies"][0]
    verdict, step = study["verdict"], study["next"]
    lines = [f"**{escape(verdict['text'])}**", "", *(f"- {escape(each)}" for each in verdict["support"])]
    commands = [f"    {one_line(command)}" for command in step["commands"]]
    return "\n".join([*lines, "", escape(step["text"]), "", *commands]).strip().replace(NO_BREAK, " ") + "\n"


def _tells_all(page: Path, trials: Sequence[Trial]) -> bool:
    """Returns whether the page was written after the last report and the last end of a trial.

    A driver that was killed wrote none.
    """
    told = [trial.ended or 0.0 for trial in trials] + [report.at for trial in trials for report in trial.reports]
    return page.exists() and page.stat().st_mtime > max(told, default=0.0)


def tracking_uri(home: Home, row: StudyRow) -> str:
    """Returns the address of the MLflow that shows the study."""
    return default_uri(home.path, row.raw.get("tracking", {}).get("uri"))
