"""Keeps with a study which code its trials were trained by, and says where it changed between two starts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.machine.code_fingerprint import Code, code_of
from orchestrator.trial import State
from trainables import Trainable

if TYPE_CHECKING:
    from orchestrator.ledger import Ledger, StudyRow  # They would bring the database into every report.

LISTED = 5  # A line names at most so many files.
KEPT_ASIDE = ("code", "code_changes")  # Facts that are no short texts: they are shown as sentences.


@dataclass(frozen=True)
class CodeChange:
    """Says what of the code was another from a moment on.

    at: unix time. what: files, and `nightsweep 1.0 -> 1.1`. before: the trials that had reports by then. across: those
    of them that went on after it.
    """

    at: float
    what: tuple[str, ...]
    before: tuple[int, ...]
    across: tuple[int, ...]

    @property
    def moment(self) -> str:
        """Returns when, by this machine's clock."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))

    @property
    def names(self) -> str:
        """Returns the first of what changed, in one line."""
        more = len(self.what) - LISTED
        return ", ".join(self.what[:LISTED]) + (f" and {more} more" if more > 0 else "")


def code_facts(trainable: Trainable) -> dict[str, Any]:
    """Returns what a study keeps of the code, as facts."""
    return _as_facts(code_of(trainable))


def changes_of(facts: Mapping[str, Any]) -> list[CodeChange]:
    """Returns the changes of the code that the facts of a study tell of, by time."""
    return [
        CodeChange(each["at"], tuple(each["what"]), tuple(each["before"]), tuple(each["across"]))
        for each in facts.get("code_changes", ())
    ]


def note_code(ledger: Ledger, row: StudyRow, trainable: Trainable) -> tuple[StudyRow, list[str]]:
    """Keeps the code as it is at this start; returns the study, and what to tell the user. The study must be held.

    The start is not refused: to mend the code and go on is what a study whose trials failed is for. A trial without a
    report has nothing that the change could spoil.
    """
    now = code_of(trainable)
    kept = row.facts.get("code")
    if kept is not None and Code(**kept) == now:
        return row, []
    facts = row.facts | _as_facts(now)
    what = [] if kept is None else now.differences(Code(**kept))
    measured = [trial for trial in ledger.trials(row.id) if trial.reports and trial.state is not State.FAILED]
    news = []
    if what and measured:
        across = [trial.number for trial in measured if not trial.state.final]
        change = CodeChange(time.time(), tuple(what), tuple(trial.number for trial in measured), tuple(across))
        kept_change = {"at": change.at, "what": what, "before": list(change.before), "across": across}
        facts["code_changes"] = [*row.facts.get("code_changes", []), kept_change]
        news.append(
            f"{row.name}: {sentence(change)}; if their values must compare, put the code back, "
            "or begin anew with --fresh or another --name"
        )
    ledger.update_study(row.id, facts=facts)
    return ledger.study_of(row.id), news


def sentence(change: CodeChange) -> str:
    """Says what changed, and which trials had been measured by the code before."""
    text = f"the code is not what {numbers(change.before)} ran ({change.names})"
    goes = "goes" if len(change.across) == 1 else "go"
    return text + (f", and {numbers(change.across)} {goes} on with the new code" if change.across else "")


def numbers(found: Sequence[int]) -> str:
    """Writes `trial 3`, `trials 1 to 7`, `trials 1, 2, 5`."""
    listed = sorted(found)
    if len(listed) == 1:
        return f"trial {listed[0]}"
    if len(listed) > 2 and listed[-1] - listed[0] == len(listed) - 1:
        return f"trials {listed[0]} to {listed[-1]}"
    return "trials " + ", ".join(map(str, listed[:12])) + (", ..." if len(listed) > 12 else "")


def _as_facts(code: Code) -> dict[str, Any]:
    return {"code": {"version": code.version, "files": dict(code.files)}, "code_fingerprint": code.fingerprint}
