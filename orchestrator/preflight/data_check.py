"""Tries data, labels and one batch, and what a trainable of one's own reports first, in a process of its own.

The mechanism is here; every task brings its own checks (`Trainable.check`).
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from orchestrator.ledger import StudyRow
from orchestrator.mistake import duration
from orchestrator.policies.build import build_policy
from orchestrator.preflight.course import largest, smallest
from orchestrator.preflight.first_report import CHECK, first_report
from orchestrator.space.membership import LIMIT
from orchestrator.study_file.study_spec import StudySpec, parse_study, section_of
from trainables import Finding, Trainable, load_trainable, signature_mistake
from trainables.trainable import BUILT_IN

REPORT_SECONDS = 300.0  # A trial of hours must not make a check of hours.
_TRAINING = "training"  # what the other process sends before it trains until a first report
_TO_END = 5.0  # seconds that it has to end
CHECKED = ("trainable", "data", "space")  # the sections of a study file that a check depends on


@dataclass(frozen=True)
class Workbench:
    """Says with what the check works: threads, "cpu" or "cuda".

    report: it trains until a first report, for report_seconds at most.
    """

    threads: int = 1
    device: str = "cpu"
    report: bool = False
    report_seconds: float = REPORT_SECONDS


def due(spec: StudySpec, row: StudyRow | None, trials: int) -> bool:
    """Returns whether a check must precede a start: not once trials have run on what it would look at.

    row: the study as the ledger has it, None for a new one. trials: how many it has.
    """
    if load_trainable(spec.trainable).check is None:
        return False
    if row is None or trials == 0 or (row.raw.get("data") or {}).get("on_bad") != spec.data.get("on_bad"):
        return True
    return any(section_of(row.raw, key) != section_of(spec.raw, key) for key in CHECKED)


def stops(spec: StudySpec, finding: Finding) -> bool:
    """Returns whether the finding has a problem that `data.accept` does not name."""
    return finding.problem is not None and finding.kind not in spec.accepted


def examine_apart(spec: StudySpec, directory: Path, bench: Workbench = Workbench()) -> Iterator[Finding]:
    """Yields `examine_data`'s findings from another process, whose torch and GPU memory go with it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send_findings, args=(spec.raw, directory, bench, there))
    with _hang_ups_blocked():  # It keeps the mask: a terminal that closes ends neither the study nor its check.
        process.start()
    there.close()
    try:
        limit = None
        while limit is None or here.poll(limit):
            said = here.recv()
            limit = bench.report_seconds if said == _TRAINING else None
            if said is None:
                return
            if said != _TRAINING:
                yield said
        yield _no_report(bench.report_seconds)
    except EOFError:
        process.join()
        yield Finding("data and model", "", _death(process.exitcode or 0))
    finally:
        process.terminate()
        process.join(_TO_END)
        process.kill()
        process.join()


def examine_data(
    spec: StudySpec, directory: Path, bench: Workbench, training: Callable[[], None] = lambda: None
) -> Iterator[Finding]:
    """Yields the trainable's own findings for the first config of the study, then the cost.

    Pictures go into `directory`. training: is called before the trainable trains until its first report.
    """
    trainable = load_trainable(spec.trainable)
    os.environ.setdefault("OMP_NUM_THREADS", str(bench.threads))  # as a trial's worker has it
    directory.mkdir(parents=True, exist_ok=True)
    given = spec.baselines[0].values if spec.baselines else {}
    values = spec.space.complete(given, random.Random(spec.search.seed))
    config, measured, good = trainable.build_config(values), None, True
    for finding in _findings(spec, trainable, config, values, directory, bench, training):
        measured = finding.epoch_seconds if finding.epoch_seconds is not None else measured
        good = good and not stops(spec, finding)
        yield finding
    if measured is not None and good:
        yield _cost(spec, trainable, config, measured)


def _findings(
    spec: StudySpec,
    trainable: Trainable,
    config: Any,
    values: Mapping[str, Any],
    directory: Path,
    bench: Workbench,
    training: Callable[[], None],
) -> Iterator[Finding]:
    own, good = trainable.name not in BUILT_IN, True
    if trainable.check is not None:
        data = dict(spec.data) | ({"accept": list(spec.accepted)} if spec.accepted else {})
        try:
            for finding in trainable.check(config, data, directory):
                if own and finding.problem is not None and finding.kind is None:
                    finding = replace(finding, kind=finding.check.replace(" ", "_"))
                good = good and not stops(spec, finding)
                yield finding
        except Exception as error:  # a broken label file must not end in a traceback
            yield Finding("data and model", "", f"{type(error).__name__}: {error}")
            return
    elif not own:
        yield Finding("data and model", f"not tried: trainable `{spec.trainable}` has no `check`")
    if own and good and bench.report and signature_mistake(trainable.train) is None:  # which the file's check tells
        training()
        yield first_report(spec, trainable, config, values, bench.device)


@contextmanager
def _hang_ups_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send_findings(raw: Mapping[str, Any], directory: Path, bench: Workbench, findings: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the check without a traceback of its own
    del sys.argv[1:]  # A trainable that parses arguments has its own defaults, as in a trial.
    for finding in examine_data(parse_study(dict(raw), ""), directory, bench, lambda: findings.send(_TRAINING)):
        findings.send(finding)
    findings.send(None)


def _no_report(seconds: float) -> Finding:
    """Says that no report came in time: an epoch may be long, so that this alone is no mistake."""
    return Finding(
        CHECK,
        f"none within {duration(seconds)}, and not waited for any longer",
        note="what `train` yields was not seen: if its epochs are shorter than that, it hangs; else start and look at "
        "the first report",
    )


def _death(exit_code: int) -> str:
    if exit_code >= 0:
        return f"the check ended with exit code {exit_code}; look at what it printed"
    name = signal.Signals(-exit_code).name
    hint = "memory ran out, most likely: lower `batch_size`" if name == "SIGKILL" else "a library crashed"
    return f"the check was killed by {name}; {hint}"


def _cost(spec: StudySpec, trainable: Trainable, config: Any, epoch_seconds: float) -> Finding:
    """Returns what the whole study takes, evaluation and start-up aside, if every config is as quick as the first.

    config: the first one, whose epochs count where the file does not say how many a trial has.
    """
    own = config.get(LIMIT) if isinstance(config, Mapping) else getattr(config, LIMIT, None)
    most = largest(spec, trainable, LIMIT) or own
    least = smallest(spec, trainable, LIMIT) or most
    trials, size = spec.budget.trials, spec.space.size
    if not isinstance(most, int) or least is None or trials is None:
        return Finding(
            "cost", f"about {duration(epoch_seconds)} an epoch; the budget has no number of trials to multiply"
        )
    if size is not None and size > 1:  # One config is trained with other seeds; of several each is tried once.
        trials = min(trials, size)
    baselines = spec.baselines[:trials]
    middle = round((least + most) / 2)  # what a config that is drawn has on average
    total = sum(baseline.values.get(LIMIT, middle) for baseline in baselines)  # A baseline is never stopped.
    if trials > len(baselines):
        total += round(build_policy(spec).expected_epochs(trials - len(baselines), middle))
    detail = f"{trials} trials of at most {most} epochs take about {total} epochs, {duration(total * epoch_seconds)}"
    if spec.budget.hours is not None:
        detail += f", and the budget ends after {spec.budget.hours:g} hours"
    return Finding("cost", detail + "; n trials at once take an n-th of it")
