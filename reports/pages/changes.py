"""Tells what was not as planned: a changed file or code, trials left out or extended, configs taken over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from orchestrator.study.code_change import changes_of
from reports.numbers.quantity import Quantity
from reports.numbers.study_view import StudyView
from reports.words import Words, one_line

LISTED = 20  # A line names at most so many trials.


def changes(view: StudyView, words: Words) -> Iterator[str]:
    """Yields a line for each change of file or code, reason why trials do not count, extension, and for origins."""
    for change in view.facts.get("changes", ()):
        sections = ", ".join(change.get("was", {})) or words("changes.no_section")
        yield words("changes.file", moment=words.moment(change["at"]), sections=sections)
    for code in changes_of(view.facts):
        told = {"moment": words.moment(code.at), "what": one_line(code.names), "numbers": _listed(list(code.before))}
        yield words("changes.code", trials=Quantity("trials", len(code.before)), **told)
        if code.across:
            count = Quantity("trials", len(code.across))
            yield words("changes.code_across", trials=count, numbers=_listed(list(code.across)))
    by_reason: dict[str, list[int]] = defaultdict(list)
    for trial in view.left_out:
        by_reason[trial.left_out or ""].append(trial.number)
    for reason, numbers in by_reason.items():
        count = Quantity("trials", len(numbers))
        yield words("changes.left_out", trials=count, numbers=_listed(numbers), reason=one_line(reason))
    extended: dict[tuple[int, int], list[int]] = defaultdict(list)
    for trial in view.trials:
        for extension in trial.extended:
            extended[extension.limit, extension.new_limit].append(trial.number)
    for (limit, new_limit), numbers in extended.items():
        count = Quantity("trials", len(numbers))
        yield words("changes.extended", trials=count, numbers=_listed(numbers), before=limit, after=new_limit)
    taken = [f"{trial.number} ({trial.origin})" for trial in view.trials if trial.origin is not None]
    if taken:
        yield words("changes.origin", numbers=", ".join(taken[:LISTED]))


def _listed(numbers: list[int]) -> str:
    """Returns the numbers in one line, the first LISTED of them."""
    return ", ".join(map(str, numbers[:LISTED])) + (", …" if len(numbers) > LISTED else "")
