"""Checks labelled crops before training: texts, charset, lengths, pictures, leaks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from trainables.data.image_file import BadImage
from trainables.data.label_checks import Problem, Twins, findings_of, judge_unreadable, name_first
from trainables.data.look import Look, look_at
from trainables.data.splits import Split
from trainables.recognition.charset import Charset, name_character
from trainables.recognition.config import Config, time_steps
from trainables.recognition.crop import Crop
from trainables.recognition.ctc import steps_needed
from trainables.recognition.dataset import crop_size
from trainables.trainable import Finding

Splits = Mapping[Split, Sequence[Crop]]
TimeSteps = Callable[[Crop], int]

UNKNOWN_SHARE = 0.05  # of the crops of a split, with characters that the charset lacks: above it, they are a mistake
CONTRADICTORY_SHARE = 0.01  # of all crops, pictures labelled with two texts: above it, they are a mistake


def check_labels(
    splits: Splits, charset: Charset, time_steps: TimeSteps, *, skip: bool = False, folded: str = ""
) -> Iterator[Finding]:
    """Yields findings on counts, charset, lengths and leaks of the crops of each split, and on their pictures.

    `time_steps` returns how many time steps of CTC a crop gets (see time_steps_of). skip: crops whose picture cannot be
    read are left out. folded: what was done to the lines of the charset's file, "" for nothing.
    """
    looks = look_at(splits)
    if skip:
        bad = {look.example for look in looks if look.mistake is not None}
        splits = {split: [crop for crop in crops if crop not in bad] for split, crops in splits.items()}
    yield from _count(splits)
    yield from _check_charset(splits, charset, folded)
    yield from _check_lengths(splits, charset, time_steps)
    yield from _check_pictures(looks, skip)
    yield from _check_splits(splits, looks)


def time_steps_of(config: Config) -> TimeSteps:
    """Returns a function from a crop to its time steps; with width 0 the crop's own proportions decide."""
    size = crop_size(config)
    if size.width:
        return lambda crop: time_steps(size.width)
    return lambda crop: time_steps(size.fitted_width(*crop.size()))


def _all(splits: Splits) -> Iterator[tuple[Split, Crop]]:
    """Returns every crop with its split."""
    return ((split, crop) for split, crops in splits.items() for crop in crops)


def _count(splits: Splits) -> list[Finding]:
    """Counts crops and characters; a train whose crops all say the same cannot be learnt from."""
    counts = []
    for split, crops in splits.items():
        lengths = [len(crop.text) for crop in crops] or [0]
        counts.append(f"{split}: {len(crops)} crops of {min(lengths)} to {max(lengths)} characters")
    texts = {crop.text for crop in splits["train"]}
    problem = None
    if len(texts) == 1 and len(splits["train"]) > 1:
        told = f"all crops of train say {texts.pop()!r}: nothing can be learnt; is the right column the text?"
        problem = Problem("one_text_only", told)
    return findings_of("labels", "; ".join(counts), [problem])


def _check_charset(splits: Splits, charset: Charset, folded: str) -> list[Finding]:
    """Counts the crops that the charset cannot write, and checks that the others come back from it unchanged."""
    details, problems = [f"{len(charset.characters)} characters", *([folded] if folded else [])], []
    for split, crops in splits.items():
        unwritable = [crop for crop in crops if not charset.knows(crop.text)]
        if not unwritable:
            continue
        unknown = charset.unknown(crop.text for crop in unwritable).most_common()
        named = name_first([f"{name_character(character)} x {count}" for character, count in unknown], ", ")
        found = f"{len(unwritable)} of {len(crops)} crops of {split} hold characters that the charset lacks: {named}"
        if split == "train":
            problems.append(Problem("unwritable_characters", f"{found}; add them to the file of `charset`"))
        elif len(unwritable) > UNKNOWN_SHARE * len(crops):
            advice = "label crops of train with them, or deal the crops anew with data.folds"
            problems.append(Problem("unseen_characters", f"{found}; {advice}"))
        else:
            details.append(f"{found}; they can never be read right")
    known = [(split, crop) for split, crop in _all(splits) if charset.knows(crop.text)]
    changed = [
        f"{crop.name} ({split}): {crop.text!r} comes back as {back!r}"
        for split, crop in known
        if (back := charset.decode(charset.encode(crop.text))) != crop.text
    ]
    if changed:
        told = f"labels must encode and decode to themselves, but {name_first(changed)}; correct the charset"
        problems.append(Problem("labels_changed_by_charset", told))
    else:
        details.append(f"{len(known)} labels encode and decode to themselves")
    return findings_of("charset", "; ".join(details), problems)


def _check_lengths(splits: Splits, charset: Charset, time_steps: TimeSteps) -> list[Finding]:
    """Checks that each crop has a time step for every character, and for a blank between equal neighbours."""
    tight, too_long, most, count = 0.0, [], 0, 0
    for split, crop in _all(splits):
        needed = steps_needed(charset.encode_known(crop.text))
        try:
            steps = time_steps(crop)
        except BadImage:  # _check_pictures names it
            continue
        count += 1
        most = max(most, needed)
        tight = max(tight, needed / steps)
        if needed > steps:
            too_long.append(f"{crop.name} ({split}): {crop.text[:40]!r} needs {needed}, but has {steps}")
    detail = f"{count} labels need at most {most} time steps; the tightest takes {tight:.0%} of what its crop gets"
    problem = None
    if too_long:
        problem = Problem(
            "labels_too_long",
            f"{len(too_long)} labels are longer than their time steps and can never be read: {name_first(too_long)}; "
            "raise `width` (or `max_width` where `width` is 0), correct these labels or remove the crops",
        )
    return findings_of("label lengths", detail, [problem])


def _check_pictures(looks: Sequence[Look[Crop]], skip: bool) -> list[Finding]:
    """Names the pictures that cannot be read, and those that are labelled with several texts."""
    seen = [look.seen for look in looks if look.seen is not None]
    widths, heights = [each.width for each in seen] or [0], [each.height for each in seen] or [0]
    span = f"{min(widths)} to {max(widths)} px wide, {min(heights)} to {max(heights)} px high"
    left_out, unreadable = judge_unreadable(looks, skip=skip)
    details = [f"{len(seen)} of {len(looks)} decoded, {span}", *([left_out] if left_out else [])]
    if turned := sum(each.turned for each in seen):
        details.append(f"{turned} of them are turned upright, as their EXIF says")
    problems = [unreadable]
    contradictory = [group for group in Twins.among(looks).groups if len({look.example.text for look in group}) > 1]
    if contradictory:
        texts = [" = ".join(f"{t.example.name} {t.example.text!r}" for t in group[:3]) for group in contradictory]
        found = (
            f"{len(contradictory)} pictures are labelled with several texts: {name_first(texts)}; keep the right one"
        )
        if sum(map(len, contradictory)) > CONTRADICTORY_SHARE * len(looks):
            problems.append(Problem("contradictory_labels", found))
        else:
            details.append(found)
    return findings_of("pictures", "; ".join(details), problems)


def _check_splits(splits: Splits, looks: Sequence[Look[Crop]]) -> list[Finding]:
    """Names the pictures and the groups that stand in several splits, and counts the texts that recur."""
    twins = Twins.among(looks)
    problems = [twins.problem]
    groups: dict[str, Counter[Split]] = defaultdict(Counter)
    for split, crop in _all(splits):
        if crop.labelled_group is not None:
            groups[crop.labelled_group][split] += 1
    torn = [
        f"{group!r} ({', '.join(f'{split} {count}' for split, count in counts.items())})"
        for group, counts in groups.items()
        if len(counts) > 1
    ]
    if torn:
        problems.append(
            Problem(
                "group_in_splits",
                f"{len(torn)} groups are in several splits: {name_first(torn)}; give all crops of a group one split, "
                "or deal them with data.folds, which keeps groups together",
            )
        )
    learnt = {crop.text for crop in splits["train"]}
    repeated = sum(crop.text in learnt for split, crop in _all(splits) if split != "train")
    detail = (
        f"{twins.detail}; {len(groups)} groups, {len(torn)} of them in several splits; "
        f"{repeated} crops of val and test say what one of train says"
    )
    return findings_of("splits", detail, problems)
