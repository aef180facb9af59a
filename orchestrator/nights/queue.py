"""Fixes what runs in a night: each study file as it is when the night begins, with what changed since the last one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import InputMistake
from orchestrator.mistake import shown
from orchestrator.nights.night_file import NightFile, Queued
from orchestrator.nights.record import NightFolder, NightRecord, StudyRecord, record_of
from orchestrator.nights.turns import levelled
from orchestrator.nights.window import Night
from orchestrator.plain_data import plain, same
from orchestrator.study_file.composition import read_study_file
from orchestrator.study_file.yaml_file import read_yaml, write_yaml

_LISTED = 8  # differences of a study file that a digest names


def open_night(night_file: NightFile, night: Night, folder: NightFolder, zone: str | None, now: float) -> NightRecord:
    """Returns the record of a night that begins, or goes on after a stop or a reboot. Writes the copies alone.

    A night that goes on keeps its copies. Only a study that was broken is read anew, and tried again; one that was cut
    off has its turn again.
    """
    record = folder.read(night.start) or record_of(night, night_file.path, zone, now)
    last = folder.last(before=night.start)
    known = {study.file: study for study in record.studies}
    behind = levelled((study.file, study.owed) for study in last.studies) if last is not None else {}
    names: dict[str, str] = {}
    studies = []
    for queued in night_file.studies:
        study = known.get(queued.file)
        if study is None or study.state == "broken":
            study = _take(queued, folder.night(night.start), study)
            study.behind = behind.get(queued.file, 0.0)
            before = next((each for each in last.studies if each.file == queued.file), None) if last else None
            if last is not None and before is not None:
                study.changes = _changes(folder.night(last.start), before, folder.night(night.start), study)
        study.share = queued.share
        for turn in study.turns:
            turn.code = None
        if study.name in names and study.state != "broken":
            must = f"study: must differ from the other studies of the night, but {shown(study.name)} is also that of"
            study.state, study.errors = "broken", [f"{queued.file}: {must} {names[study.name]}; rename one"]
        names.setdefault(study.name, queued.file)
        studies.append(study)
    record.studies, record.end, record.ended, record.why = studies, night.end, None, None
    return record


def _take(queued: Queued, folder: Path, known: StudyRecord | None) -> StudyRecord:
    """Copies a study file, with what it extends; returns the study, broken where the file cannot be read."""
    turns = [] if known is None else known.turns
    try:
        raw, _ = read_study_file(queued.path)
    except InputMistake as mistake:
        name = Path(queued.file).stem
        return StudyRecord(queued.file, queued.share, name, state="broken", errors=mistake.lines, turns=turns)
    named = raw.get("study")
    copy = re.sub(r"[^\w.-]+", "-", queued.file).strip(".-") or "study.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / copy).write_text(f"# {queued.path}, as it was when the night began\n{write_yaml(raw)}", encoding="utf-8")
    return StudyRecord(
        queued.file, queued.share, named if isinstance(named, str) else Path(copy).stem, copy=copy, turns=turns
    )


def _changes(old_folder: Path, old: StudyRecord, folder: Path, study: StudyRecord) -> list[str]:
    """Says what differs between the copies of two nights; nothing where one of them is not there."""
    if old.copy is None or study.copy is None:
        return []
    try:
        before, now = plain(read_yaml(old_folder / old.copy)), plain(read_yaml(folder / study.copy))
    except InputMistake:
        return []
    found = differences(before, now)
    return found[:_LISTED] + ([f"and {len(found) - _LISTED} more"] if len(found) > _LISTED else [])


def differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """Returns what differs between two mappings: `budget.trials: 40 -> 80`, `space.lr: not there -> 0.1`."""
    found = []
    for key in dict.fromkeys((*before, *now)):
        at = f"{path}.{key}" if path else key
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, at)
        elif key not in before or key not in now or not same(old, new):
            words = (shown(old) if key in before else "not there", shown(new) if key in now else "not there")
            found.append(f"{at}: {' -> '.join(words)}")
    return found
