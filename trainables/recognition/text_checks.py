"""Checks what is written in the labels: which file is read, what is cut, what is invisible, what nobody can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from trainables.data.invisible import describe, hidden
from trainables.data.label_checks import Problem, findings_of, name_first
from trainables.data.splits import SPLITS
from trainables.recognition.data_section import LABELS, CropSection
from trainables.recognition.labels import Label, read_labels
from trainables.trainable import Finding

BROKEN = "\ufffd"  # what programs write in place of what they could not decode


def check_texts(section: CropSection) -> list[Finding]:
    """Looks at the labels as they are written; nothing to say of drawn crops. Raises ValueError and OSError."""
    if section.drawn:
        return []
    labels = read_labels(section)
    learnt = [label for label in labels if not label.unreadable]
    details = [
        detail
        for detail in (_files_read(section), _ends_cut(section.folder, labels), _left_out(section.folder, labels))
        if detail
    ]
    told = "; ".join(details)
    problems = findings_of("texts", told, [_invisible(section.folder, learnt), _broken(section.folder, learnt)])
    # What was done to the texts is told on a line of its own, where a problem would hide it.
    return [Finding("texts", told), *(finding for finding in problems if finding.problem is not None)]


def _files_read(section: CropSection) -> str:
    """Says which files the labels are read from, and which beside them are not read."""
    read = ", ".join(_relative(str(file.path), section.folder) for file in section.labels)
    beside = [name for split in SPLITS if (section.folder / (name := f"{split}.txt")).is_file()]
    if [file.path for file in section.labels] != [section.folder / LABELS] or not beside:
        return f"read from {read}"
    return f"read from {read}, and not from {', '.join(beside)} beside it: to read those, name them in data.labels"


def _ends_cut(folder: Path, labels: Sequence[Label]) -> str:
    """Says how many texts had blanks at their ends, which were cut, and names those that cannot be seen."""
    cut = [label for label in labels if label.given != label.text]
    if not cut:
        return ""
    places: dict[str, list[str]] = defaultdict(list)
    for label in cut:
        start = label.given.find(label.text)
        for character in dict.fromkeys(label.given[:start] + label.given[start + len(label.text) :]):
            if character != " ":
                places[character].append(_relative(label.where, folder))
    named = [f"{describe(character)} in {name_first(where, ', ')}" for character, where in places.items()]
    return f"blanks cut at the ends of {len(cut)} texts" + (f" ({name_first(named)})" if named else "")


def _left_out(folder: Path, labels: Sequence[Label]) -> str:
    """Says how many crops are labelled as unreadable."""
    unreadable = [_relative(label.where, folder) for label in labels if label.unreadable]
    if not unreadable:
        return ""
    return f"{len(unreadable)} crops are labelled ### (do not care) and left out: {name_first(unreadable, ', ')}"


def _invisible(folder: Path, labels: Sequence[Label]) -> Problem | None:
    """Names the texts that hold characters that nobody can see or tell from a space."""
    found = [
        f"{_relative(label.where, folder)}: {label.text[:40]!r} holds {describe(label.text[places[0]])} as its "
        f"character {places[0] + 1}" + (f" and {len(places) - 1} more" if len(places) > 1 else "")
        for label in labels
        if (places := hidden(label.text))
    ]
    if not found:
        return None
    return Problem(
        "invisible_characters",
        f"{len(found)} texts must hold what can be seen, but hold invisible characters, which would be learnt: "
        f"{name_first(found)}; remove them, or write a plain space",
    )


def _broken(folder: Path, labels: Sequence[Label]) -> Problem | None:
    """Names the texts that lost characters when a program decoded them wrongly."""
    found = [f"{_relative(label.where, folder)}: {label.text[:40]!r}" for label in labels if BROKEN in label.text]
    if not found:
        return None
    return Problem(
        "broken_characters",
        f"{len(found)} texts hold U+FFFD, which stands for what a program could not decode: {name_first(found)}; "
        "export the labels again as UTF-8",
    )


def _relative(where: str, folder: Path) -> str:
    """Returns FILE or FILE:LINE from the folder of the data, where it lies in there."""
    return where.removeprefix(f"{folder}/")
