"""Says in a few lines what a night came to: what became better, what is broken and why, what changed."""

from __future__ import annotations

from datetime import tzinfo

from orchestrator.mistake import duration
from orchestrator.moment import moment
from orchestrator.nights.night import ending
from orchestrator.nights.record import NightRecord, Standing, StudyRecord
from orchestrator.trial import Objective


def digest(
    record: NightRecord, last: NightRecord | None, zone: tzinfo | None, now: float, *, runs: bool = False
) -> list[str]:
    """Returns the lines, the result first.

    last: the night before, to say what changed since. now: unix time. runs: whether a process runs this night.
    """
    began = f"night of {moment(record.start, now, zone)}"
    if record.ended is not None:
        began += f", ended {moment(record.ended, now, zone)} ({record.why})"
    else:
        began += f", until {moment(record.end, now, zone)}: {'it goes on' if runs else 'it was cut off'}"
    lines = [subject(record), began]
    for study in record.studies:
        turn_goes_on = runs and bool(study.turns) and study.turns[-1].code is None
        lines.append(f"  {study.name}: {_result(study, runs=turn_goes_on)}")
        if study.state == "broken":
            code = study.full_turns[-1].code if study.full_turns else None
            how = [f"its run ended with {ending(code)}"] if code else []
            lines += [f"    {line}" for line in how + study.errors]
        if study.changes:
            lines.append(f"    changed since the last night: {'; '.join(study.changes)}")
        lines += [f"    {line}" for line in _code_changes(study, record)]
    moved = _commits(record, last)
    return lines + ([f"  {moved}"] if moved else [])


def subject(record: NightRecord) -> str:
    """Says the result in one line: `plates: val/acc 0.8420 -> 0.8610`, `no change`, `broken: hrnet`."""
    parts = [better for study in record.studies if (better := _better(study)) is not None]
    broken = [study.name for study in record.studies if study.state == "broken"]
    if broken:
        parts.append(f"broken: {', '.join(broken)}")
    return "; ".join(parts) or "no change"


def _better(study: StudyRecord) -> str | None:
    before, after = _value(study.before), _value(study.after)
    if after is None or study.after is None:
        return None
    if before is None:
        return f"{study.name}: {study.after.metric} {after:.4f}, its first"
    if not Objective(study.after.metric, study.after.mode).better(after, before):
        return None
    return f"{study.name}: {study.after.metric} {before:.4f} -> {after:.4f}"


def _result(study: StudyRecord, *, runs: bool) -> str:
    """Writes `paused (the deadline came); val/acc 0.8420 -> 0.8610; 4 trials ended, 3 h 10 min in 1 turn`.

    runs: whether its turn goes on.
    """
    after, before = study.after, study.before
    tells = study.turns and study.state != "broken" and not runs  # The reason is that of a turn of this night.
    reason = f" ({after.reason})" if tells and after is not None and after.reason else ""
    state = "its turn now" if runs else study.state
    parts = [f"{state}{reason}"]
    value = _value(after)
    if after is not None and value is not None:
        better = _better(study)
        parts.append(better.partition(": ")[2] if better else f"{after.metric} {value:.4f} as before")
    trials = (after.trials if after else 0) - (before.trials if before else 0)
    if study.turns:
        turns = "1 turn" if len(study.turns) == 1 else f"{len(study.turns)} turns"
        parts.append(f"{trials} trial{'' if trials == 1 else 's'} ended, {duration(study.seconds)} in {turns}")
    elif study.state != "broken":
        parts.append("it had no turn")
    gpu = (after.gpu_seconds if after else 0.0) - (before.gpu_seconds if before else 0.0)
    if gpu >= 36:
        parts.append(f"{gpu / 3600:.2f} GPU-hours")
    return "; ".join(parts)


def _code_changes(study: StudyRecord, record: NightRecord) -> list[str]:
    """Returns what a run noted of changed code since this night began."""
    return [] if study.after is None else [what for at, what in study.after.code if at >= record.began]


def _commits(record: NightRecord, last: NightRecord | None) -> str | None:
    """Says which commit ran where it is another than in the last night, or where the tree differed from it."""
    if record.commit is None:
        return None
    dirty = ", with changes that are not committed" if record.dirty else ""
    if last is None or last.commit is None or last.commit == record.commit:
        return f"code: commit {record.commit[:10]}{dirty}" if dirty else None
    return f"code: commit {last.commit[:10]} -> {record.commit[:10]}{dirty}"


def _value(standing: Standing | None) -> float | None:
    return None if standing is None else standing.best
