"""Looks before `tune check` and `tune run` alike: what is cheap first, then data, labels and one batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from orchestrator.cluster.ray_process import local_resources
from orchestrator.cluster.sharing import gpus_wanted
from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.mistake import did_you_mean
from orchestrator.preflight.course import notes_on_course, wrong_mode
from orchestrator.preflight.data_check import Workbench, due, examine_apart
from orchestrator.preflight.this_machine import check_machine
from orchestrator.space.config_field import defaults_of
from orchestrator.study.budget import Limits
from orchestrator.study.continuation import (
    INSTEAD,
    fingerprint_of,
    forbidden_changes,
    is_measured,
    wanted_trials,
    wrong_data,
)
from orchestrator.study.outlook import Outlook, outlook
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.trial import Trial
from orchestrator.typed_command import beside, typed
from trainables import Finding, Trainable, load_trainable, signature_mistake
from trainables.trainable import BUILT_IN

T = TypeVar("T")

QUICK = ("study file", "machine", "ledger")  # the checks that are made at every start
RISK = (
    "not checked: labels that do not fit their images, an augmentation that destroys them or a batch that does not "
    "fit into memory will show only in the trials"
)


@dataclass(frozen=True)
class Start:
    """Describes a start before anything of it is done.

    file: the study file as it was typed. fresh: a study of that name is moved aside first. address: of a cluster, whose
    machines are judged there; None: this machine.
    """

    spec: StudySpec
    home: Home
    file: str
    fresh: bool = False
    address: str | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def directory(self) -> Path:
        """Returns where the pictures of the check go."""
        return self.home.path / "check" / self.spec.study


@dataclass(frozen=True)
class Standing:
    """Holds what the ledger has of the study; row None: nothing."""

    row: StudyRow | None = None
    trials: tuple[Trial, ...] = ()

    @property
    def measured(self) -> bool:
        """Returns whether any trial has a value by which others were judged."""
        return self.row is not None and is_measured(self.trials, self.row.objective)


def examine(start: Start) -> Iterator[Finding]:
    """Yields all that can be found before a start, the quick findings first; nothing is created but pictures."""
    spec = start.spec
    available = None if start.address is not None else local_resources()
    standing = _standing(start)
    yield from _quick(start, load_trainable(spec.trainable), standing, available, compare_data=True)
    yield from _accepting(spec, examine_apart(spec, start.directory, _bench(spec, available, report=True)))


def check_before_start(
    start: Start,
    *,
    skip: bool,
    say: Callable[[str], None],
    checked: Callable[[Finding], None] = lambda finding: None,
    mistakes: Iterable[str] = (),
) -> bool:
    """Looks at file, machine and ledger at every start, at data, labels and one batch until trials have run on them.

    skip: the data are not looked at; says what is risked. checked: is told of each check as it ends, where the data
    are looked at. mistakes: lines that were found before. Returns whether the trials of a changed study were told of.
    Raises InputMistake with all that is wrong; nothing of the study has been created by then.
    """
    spec, file = start.spec, start.file or start.spec.study
    available = None if start.address is not None else local_resources()
    standing = _standing(start)
    row, looks = standing.row, due(spec, standing.row, len(standing.trials))
    findings = []
    for finding in _quick(start, load_trainable(spec.trainable), standing, available):
        findings.append(finding)
        if looks and not skip:
            checked(finding)
    problems = [f"{file}: {line}" for each in findings for line in (each.problem or "").splitlines()]
    if problems or mistakes:
        raise InputMistake(*dict.fromkeys([*mistakes, *problems]))
    changed = row is not None and bool(standing.trials) and row.raw != spec.raw
    if not standing.trials or changed:
        for line in (line for each in findings for line in (each.note or "").splitlines()):
            say(f"{spec.study}: {line}")
    if changed:
        say(f"{spec.study}: {findings[-1].detail}")  # The ledger's is the last: what will run, and what it costs.
    if looks and skip:
        say(f"{spec.study}: {RISK}")
    elif looks:
        for finding in _accepting(spec, examine_apart(spec, start.directory, _bench(spec, available))):
            findings.append(finding)
            checked(finding)
            if finding.note is not None:
                say(f"{spec.study}: {finding.check}: {finding.note}")
        _refuse_what_is_wrong(spec, file, findings, say)
    return changed


def _refuse_what_is_wrong(spec: StudySpec, file: str, findings: Sequence[Finding], say: Callable[[str], None]) -> None:
    """Says in one line what was looked at. Raises InputMistake with what is wrong."""
    wrong = [finding for finding in findings if finding.problem is not None]
    looked_at = ", ".join(dict.fromkeys(finding.check for finding in findings))
    say(f"{spec.study}: looked at {looked_at}: {'something is wrong' if wrong else 'nothing wrong'}")
    if wrong:
        lines = [f"{file}: {line}" for finding in wrong for line in _lines(finding)]
        see = typed().as_verb("check") if typed().argument == file else beside("check", file)
        hint = f"no trial was started; see {see}{way_out(wrong)}"
        raise InputMistake(*dict.fromkeys(lines), f"{file}: {hint}")


def way_out(wrong: Sequence[Finding]) -> str:
    """Says how to start although these findings stand: accept what has a kind, skip what else the data check found.

    "" where there is no way: file, machine and ledger must fit.
    """
    if any(finding.check in QUICK for finding in wrong):
        return ""
    kinds = sorted({finding.kind for finding in wrong if finding.kind is not None})
    if kinds and all(finding.kind is not None for finding in wrong):
        return f", or take it as it is: --set 'data.accept=[{', '.join(kinds)}]'"
    return ", or start without a look at the data: --skip-preflight"


def collecting(lines: list[str], act: Callable[[], T]) -> T | None:
    """Returns what `act` returns; None where the user's input is wrong, whose mistakes are added to `lines`."""
    try:
        return act()
    except InputMistake as mistake:
        lines.extend(mistake.lines)
        return None


def _standing(start: Start) -> Standing:
    """Reads what the ledger has of the study; nothing where it is new, or about to be moved aside."""
    if start.fresh or not start.home.has_ledger:
        return Standing()
    with contextlib.closing(Ledger(start.home.ledger)) as ledger:
        row = next((row for row in ledger.studies() if row.name == start.spec.study), None)
        if row is None:
            return Standing()
        return Standing(row, tuple(ledger.trials(row.id)))


def _quick(
    start: Start,
    trainable: Trainable,
    standing: Standing,
    available: dict[str, float] | None,
    *,
    compare_data: bool = False,
) -> Iterator[Finding]:
    """Yields what can be said at once. compare_data: are they what the study was begun with? It reads all of them."""
    spec, row = start.spec, standing.row
    ahead = None if row is None or not standing.trials else _look_ahead(start, trainable, row, standing.trials)
    yield _check_file(spec, trainable, measured=standing.measured)
    if available is not None:
        machine = check_machine(spec, available)
        if ahead is not None and ahead.is_done:  # Where nothing is to run, it need not fit.
            machine = replace(machine, problem=None, note=machine.problem or machine.note)
        yield machine
    if row is None or ahead is None:
        yield Finding("ledger", f"no trials of a study {spec.study!r} yet: all begin anew")
        return
    mistakes = forbidden_changes(row, spec, defaults_of(trainable), measured=standing.measured)
    wrong = [f"{mistake}; {INSTEAD}" for mistake in mistakes]
    with contextlib.suppress(InputMistake):  # Data that cannot be read are told of by their own check.
        if compare_data and (other := wrong_data(row, fingerprint_of(trainable, spec, start.file))):
            wrong.append(other)
    notes = [] if wrong else notes_on_change(ahead, row)
    yield Finding("ledger", ahead.plan, "\n".join(wrong) or None, note="\n".join(notes) or None)


def _check_file(spec: StudySpec, trainable: Trainable, *, measured: bool) -> Finding:
    """Judges what the file asks for as a whole. measured: trials go by its objective already, so that it stays."""
    size = spec.space.size
    held = "more configs than can be counted" if size is None else f"{size} config{'s' * (size != 1)}"
    detail = f"{len(spec.space.searched)} of the {len(spec.space.parameters)} names in space are searched: {held}"
    if root := spec.data.get("root"):
        detail += f"; data in {_relative(str(root), '')}"
    mode, notes = wrong_mode(spec, trainable), list(notes_on_course(spec, trainable))
    wrong = [] if mode is None or measured else [mode]
    signature = None if trainable.name in BUILT_IN else signature_mistake(trainable.train)
    wrong += [] if signature is None else [f"trainable: `{spec.trainable}` {signature}"]
    return Finding("study file", detail, "\n".join(wrong) or None, note="\n".join(notes) or None)


def notes_on_change(ahead: Outlook, row: StudyRow) -> list[str]:
    """Returns what a changed file does to the trials that there are, a line each."""
    lines = [line.removeprefix(f"{row.name}: ") for line in ahead.changes]
    return lines + ([] if ahead.warning is None else [ahead.warning])


def _look_ahead(start: Start, trainable: Trainable, row: StudyRow, trials: tuple[Trial, ...]) -> Outlook:
    """Returns what this start makes of the study's trials."""
    counting = sum(trial.counts for trial in trials)
    wanted = wanted_trials(start.spec, start.limits, row, counting)
    return outlook(row, start.spec, trials, defaults_of(trainable), wanted)


def _bench(spec: StudySpec, available: dict[str, float] | None, *, report: bool = False) -> Workbench:
    """Returns what a trial would have, as far as this machine has it."""
    if available is None:
        return Workbench(spec.resources.threads, report=report)
    threads = max(1, int(min(spec.resources.cpu, available["CPU"])))
    cuda = min(gpus_wanted(spec, available), available["GPU"]) > 0
    return Workbench(threads, "cuda" if cuda else "cpu", report)


def _accepting(spec: StudySpec, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Takes what `data.accept` names as it is, and says what it names in vain."""
    met: set[str | None] = set()
    kinds: set[str] = set()
    for finding in findings:
        root = str(spec.data.get("root", ""))
        problem = None if finding.problem is None else _relative(finding.problem, root)
        pictures = tuple(Path(_relative(str(picture), "")) for picture in finding.pictures)
        finding = replace(finding, detail=_relative(finding.detail, root), problem=problem, pictures=pictures)
        if finding.problem is not None and finding.kind is not None:
            kinds.add(finding.kind)
        if finding.problem is not None and finding.kind in spec.accepted:
            met.add(finding.kind)
            finding = replace(finding, problem=None, note=f"accepted as {finding.kind}: {finding.problem}")
        yield finding
    idle = [kind for kind in spec.accepted if kind not in met]
    if idle:
        named = ", ".join(f"`{kind}`{did_you_mean(kind, kinds)}" for kind in idle)
        yield Finding(
            "accepted",
            f"{len(met)} of {len(spec.accepted)} kinds of findings in data.accept were met",
            note=f"data.accept: {named} was not found",
        )


def _relative(text: str, root: str) -> str:
    """Writes paths below the data's folder from there, and others below the current folder from here."""
    for folder in (root, str(Path.cwd())):
        if folder.startswith("/") and folder != "/":
            text = text.replace(f"{folder}/", "")
    return text


def _lines(finding: Finding) -> list[str]:
    """Returns the lines of a problem, each with its check, the last with the pictures that show it."""
    lines = [f"{finding.check}: {line}" for line in (finding.problem or "").splitlines()]
    return [*lines[:-1], lines[-1] + "".join(f"; picture: {picture}" for picture in finding.pictures)]
