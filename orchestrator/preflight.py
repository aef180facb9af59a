"""Checks before GPU hours. The mechanism is here; every task brings its own checks (`Trainable.check`)."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.mistake import duration
from orchestrator.policies.build import build_policy
from orchestrator.study_file.study_spec import StudySpec, parse_study
from trainables import Finding, load_trainable

CHECKED = ("trainable", "data", "space")  # the sections of a study file that a check depends on
RISK = (
    "not checked: labels that do not fit their images, an augmentation that destroys them or a batch that does not "
    "fit into memory will show only in the trials"
)


def check_before_first_trial(
    spec: StudySpec,
    home: Home,
    file: str,
    *,
    fresh: bool,
    skip: bool,
    say: Callable[[str], None],
    checked: Callable[[Finding], None] = lambda finding: None,
) -> None:
    """Looks at data, labels and one batch unless trials have run on them already; says in one line what was looked at.

    fresh: the study's old trials do not count, they will be moved aside. skip: says only what is risked. checked: is
    told of each check as it ends. Raises InputMistake with all that is wrong; nothing of the study has been created by
    then.
    """
    row, trials = (None, 0) if fresh else _known(home, spec.study)
    if not due(spec, row, trials):
        return
    if skip:
        say(f"{spec.study}: {RISK}")
        return
    findings = []
    for finding in examine_apart(spec, home.path / "check" / spec.study):
        findings.append(finding)
        checked(finding)
    wrong = [finding for finding in findings if finding.problem is not None]
    looked_at = ", ".join(finding.check for finding in findings)
    say(f"{spec.study}: looked at {looked_at}: {'something is wrong' if wrong else 'nothing wrong'}")
    if wrong:
        hint = f"no trial was started; see tune check {file}, or start all the same with --skip-preflight"
        raise InputMistake(*(f"{file}: {_with_pictures(finding)}" for finding in wrong), f"{file}: {hint}")


def _known(home: Home, study: str) -> tuple[StudyRow | None, int]:
    """Returns the study as the ledger has it and how many trials it has; None and 0 for a new one."""
    if not home.has_ledger:
        return None, 0
    with contextlib.closing(Ledger(home.ledger)) as ledger:
        row = next((row for row in ledger.studies() if row.name == study), None)
        return row, 0 if row is None else len(ledger.trials(row.id, reports=False))


def _with_pictures(finding: Finding) -> str:
    return f"{finding.check}: {finding.problem}" + "".join(f"; picture: {picture}" for picture in finding.pictures)


def due(spec: StudySpec, row: StudyRow | None, trials: int) -> bool:
    """Must a start be preceded by a check? Not once trials have run on what it would look at.

    row: the study as the ledger has it, None for a new one. trials: how many it has.
    """
    if load_trainable(spec.trainable).check is None:
        return False
    return row is None or trials == 0 or any(row.raw.get(key) != spec.raw.get(key) for key in CHECKED)


def examine(spec: StudySpec, directory: Path) -> Iterator[Finding]:
    """The trainable's own findings for the first config of the study, and the cost; pictures go into `directory`."""
    trainable = load_trainable(spec.trainable)
    size = "endless" if spec.space.size is None else f"{spec.space.size} configs"
    yield Finding("study file", f"{len(spec.space.searched)} of {len(spec.space.parameters)} names searched, {size}")
    if trainable.check is None:
        yield Finding("data and model", f"not tried: trainable `{spec.trainable}` has no `check`")
        return
    given = spec.baselines[0].values if spec.baselines else {}
    config = trainable.build_config(spec.space.complete(given, random.Random(spec.search.seed)))
    directory.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(spec.resources.cpu))))  # as a trial's worker has it
    measured = None
    try:
        for finding in trainable.check(config, spec.data, directory):
            measured = finding.epoch_seconds if finding.epoch_seconds is not None else measured
            yield finding
    except Exception as error:  # a broken label file must not end in a traceback
        yield Finding("data and model", "", f"{type(error).__name__}: {error}")
        return
    if measured is not None:
        yield _cost(spec, config, measured)


def examine_apart(spec: StudySpec, directory: Path) -> Iterator[Finding]:
    """`examine` in a process of its own: the driver of a long night keeps neither its torch nor its GPU memory."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send_findings, args=(spec.raw, directory, there), daemon=True)
    process.start()
    there.close()
    try:
        while (finding := here.recv()) is not None:
            yield finding
    except EOFError:
        process.join()
        yield Finding("data and model", "", _death(process.exitcode or 0))
    finally:
        process.terminate()
        process.join()


def _send_findings(raw: Mapping[str, Any], directory: Path, findings: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the check without a traceback of its own
    for finding in examine(parse_study(dict(raw), ""), directory):
        findings.send(finding)
    findings.send(None)


def _death(exit_code: int) -> str:
    if exit_code >= 0:
        return f"the check ended with exit code {exit_code}; run `tune check` for what it prints"
    name = signal.Signals(-exit_code).name
    hint = "memory ran out, most likely: lower `batch_size`" if name == "SIGKILL" else "a library crashed"
    return f"the check was killed by {name}; {hint}"


def _cost(spec: StudySpec, config: Any, epoch_seconds: float) -> Finding:
    """What the whole study takes, evaluation and start-up aside, if every config is as quick as the first."""
    epochs, trials = getattr(config, "epochs", None), spec.budget.trials
    if epochs is None or trials is None:
        return Finding(
            "cost", f"about {duration(epoch_seconds)} an epoch; the budget has no number of trials to multiply"
        )
    whole = min(trials, len(spec.baselines))  # A baseline is never stopped.
    total = whole * epochs
    if trials > whole:
        total += round(build_policy(spec).expected_epochs(trials - whole, epochs))
    detail = f"{trials} trials of at most {epochs} epochs take about {total} epochs, {duration(total * epoch_seconds)}"
    if spec.budget.hours is not None:
        detail += f", and the budget ends after {spec.budget.hours:g} hours"
    return Finding("cost", detail + "; n trials at once take an n-th of it")
