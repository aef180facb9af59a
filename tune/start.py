"""Runs a study for the command: shows it, writes its report, and says how it stands and what to type next."""

from __future__ import annotations

import os
import socket
import time
from functools import partial

from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.moment import until
from orchestrator.runner import run
from orchestrator.study.budget import Limits
from orchestrator.study_file.study_spec import StudySpec
from orchestrator.time_of_day import moment_of
from orchestrator.typed_command import command, typed
from trainables import Finding
from tune.detached import readiness
from tune.live import RunView
from tune.outcome import show_outcome
from tune.run_log import NAME
from tune.run_output import RunOutput
from tune.show import console
from tune.study_report import next_step, report_of_run


def run_study(
    spec: StudySpec,
    home: Home,
    limits: Limits,
    *,
    fresh: bool,
    skip_preflight: bool,
    address: str | None,
    file: str,
) -> int:
    """Runs the study; returns the exit code. Whatever becomes of the terminal, the study goes on."""
    words = str(typed())
    heading = f"{words}   process {os.getpid()} on {socket.gethostname()}"
    with RunOutput(home.study(spec.study) / NAME, heading, advice(spec.study, home), readiness()) as output:
        told = intent(spec, limits, time.time())
        view = RunView(output, console(), deadline_is_told="until" in told)
        view.announce(f"{spec.study}: {told}")
        outcome = run(
            spec,
            home,
            view,
            limits=limits,
            address=address,
            file=file,
            fresh=fresh,
            skip_preflight=skip_preflight,
            say=view.announce,
            checked=lambda finding: view.announce(_checked(spec.study, finding)),
        )
        ledger = Ledger(home.ledger)
        row = ledger.study(outcome.study)
        trials = ledger.trials(row.id)
        page = report_of_run(home, ledger, trials, outcome)
        advised = partial(next_step, home, ledger, row)
        return show_outcome(row, trials, outcome, page, home, words, advised, ledger.steps.of(row.id))


def _checked(study: str, finding: Finding) -> str:
    """Says how one check before the first trial ended; what is wrong is told after all of them."""
    return f"{study}: {finding.check}: {finding.detail if finding.problem is None else 'something is wrong'}"


def intent(spec: StudySpec, limits: Limits, now: float) -> str:
    """Says how much a start is to do: `up to 12 trials, until Sat 07:00, in 8 h 52 min`. now: unix time."""
    if limits.more_trials is not None:
        parts = [f"{limits.more_trials} more trials"]
    else:
        trials = limits.trials if limits.trials is not None else spec.budget.trials
        parts = ["trials without a limit" if trials is None else f"up to {trials} trial{'' if trials == 1 else 's'}"]
    text = limits.until or spec.budget.until
    ends = [] if limits.hours is None else [now + 3600 * limits.hours]
    ends += [] if text is None else [moment_of(text, now)]
    return ", ".join(parts + [until(min(ends), now)] if ends else parts)


def advice(study: str, home: Home) -> str:
    """Says how to see and how to stop a study that has no terminal."""
    return f"{study} goes on: `{command(home, 'attach', study)}` shows it, `{command(home, 'stop', study)}` pauses it"
