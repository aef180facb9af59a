"""What can be wrong with labelled crops, found before training: texts, charset, lengths, pictures, leaks."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from trainables.data.image_file import BadImage
from trainables.data.splits import Split
from trainables.recognition.charset import Charset, name_character
from trainables.recognition.config import Config, time_steps
from trainables.recognition.crop import Crop, ImageFile
from trainables.recognition.ctc import steps_needed
from trainables.recognition.dataset import crop_size
from trainables.trainable import Finding

Splits = Mapping[Split, Sequence[Crop]]
TimeSteps = Callable[[Crop], int]

DECODED = 10_000  # crops that are decoded; of the others the bytes are compared
NAMED = 5  # mistakes of one kind that are named
UNREADABLE_SHARE = 0.05  # of the crops of a split with characters that the charset lacks
CONTRADICTORY_SHARE = 0.01  # of the crops: pictures that are labelled with two texts


def check_labels(splits: Splits, charset: Charset, time_steps: TimeSteps) -> list[Finding]:
    """Counts, charset, lengths and leaks of the crops of each split, and whether their pictures can be read.

    `time_steps` says how many time steps of CTC a crop gets (see time_steps_of).
    """
    looks = _look(splits)
    return [
        _count(splits),
        _check_charset(splits, charset),
        _check_lengths(splits, charset, time_steps),
        _check_pictures(looks),
        _check_splits(splits, _twins(looks)),
    ]


def time_steps_of(config: Config) -> TimeSteps:
    """The time steps that a crop gets; with width 0 that is for its own proportions to say."""
    size = crop_size(config)
    if size.width:
        return lambda crop: time_steps(size.width)
    return lambda crop: time_steps(size.fitted_width(*crop.size()))


def _all(splits: Splits) -> Iterator[tuple[Split, Crop]]:
    return ((split, crop) for split, crops in splits.items() for crop in crops)


def _count(splits: Splits) -> Finding:
    counts = []
    for split, crops in splits.items():
        lengths = [len(crop.text) for crop in crops] or [0]
        counts.append(f"{split}: {len(crops)} crops of {min(lengths)} to {max(lengths)} characters")
    texts = {crop.text for crop in splits["train"]}
    problem = None
    if len(texts) == 1 and len(splits["train"]) > 1:
        problem = f"all crops of train say {texts.pop()!r}: nothing can be learned; is the right column the text?"
    return Finding("labels", "; ".join(counts), problem)


def _check_charset(splits: Splits, charset: Charset) -> Finding:
    details, problems = [f"{len(charset.characters)} characters"], []
    for split, crops in splits.items():
        unreadable = [crop for crop in crops if not charset.knows(crop.text)]
        if not unreadable:
            continue
        unknown = charset.unknown(crop.text for crop in unreadable).most_common()
        named = _name([f"{name_character(character)} x {count}" for character, count in unknown], ", ")
        found = f"{len(unreadable)} of {len(crops)} crops of {split} hold characters that the charset lacks: {named}"
        if split == "train":
            problems.append(f"{found}; add them to the file of `charset`")
        elif len(unreadable) > UNREADABLE_SHARE * len(crops):
            problems.append(f"{found}; label crops of train with them, or deal the crops anew with data.folds")
        else:
            details.append(f"{found}; they can never be read right")
    known = [(split, crop) for split, crop in _all(splits) if charset.knows(crop.text)]
    changed = [
        f"{crop.name} ({split}): {crop.text!r} comes back as {back!r}"
        for split, crop in known
        if (back := charset.decode(charset.encode(crop.text))) != crop.text
    ]
    if changed:
        problems.append(f"labels must encode and decode to themselves, but {_name(changed)}; correct the charset")
    else:
        details.append(f"{len(known)} labels encode and decode to themselves")
    return Finding("charset", "; ".join(details), "; ".join(problems) or None)


def _check_lengths(splits: Splits, charset: Charset, time_steps: TimeSteps) -> Finding:
    """Is there a time step for every character, and for a blank between equal neighbours?"""
    tight, too_long, most, count = 0.0, [], 0, 0
    for split, crop in _all(splits):
        needed = steps_needed(charset.encode_known(crop.text))
        try:
            steps = time_steps(crop)
        except BadImage:  # named with the other pictures that cannot be read
            continue
        count += 1
        most = max(most, needed)
        tight = max(tight, needed / steps)
        if needed > steps:
            too_long.append(f"{crop.name} ({split}): {crop.text[:40]!r} needs {needed}, but has {steps}")
    detail = f"{count} labels need at most {most} time steps; the tightest takes {tight:.0%} of what its crop gets"
    problem = None
    if too_long:
        problem = (
            f"{len(too_long)} labels are longer than their time steps and can never be read: {_name(too_long)}; raise "
            "`width` (or `max_width` where `width` is 0), correct these labels or remove the crops"
        )
    return Finding("label lengths", detail, problem)


@dataclass(frozen=True)
class _Look:
    """What was seen of one crop: its size where it was decoded, and what equal pictures have equal."""

    split: Split
    crop: Crop
    size: tuple[int, int] | None = None  # width, height
    pixels: bytes | None = None
    content: bytes | None = None  # of the file
    problem: str | None = None


def _look(splits: Splits) -> list[_Look]:
    crops = list(_all(splits))
    step = max(1, -(-len(crops) // DECODED))
    decode = [index % step == 0 for index in range(len(crops))]
    with ThreadPoolExecutor() as threads:
        return list(threads.map(_look_at, crops, decode))


def _look_at(labelled: tuple[Split, Crop], decode: bool) -> _Look:
    split, crop = labelled
    content = None
    try:
        if isinstance(crop.source, ImageFile):
            content = hashlib.sha256(crop.source.path.read_bytes()).digest()
        if not decode:
            return _Look(split, crop, content=content)
        image = crop.read()
    except (BadImage, OSError) as error:
        return _Look(split, crop, content=content, problem=str(error))
    height, width = image.shape[:2]
    pixels = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()
    return _Look(split, crop, (width, height), pixels, content)


def _check_pictures(looks: Sequence[_Look]) -> Finding:
    sizes = [look.size for look in looks if look.size is not None]
    widths, heights = [width for width, _ in sizes] or [0], [height for _, height in sizes] or [0]
    span = f"{min(widths)} to {max(widths)} px wide, {min(heights)} to {max(heights)} px high"
    details = [f"{len(sizes)} of {len(looks)} decoded, {span}"]
    problems = []
    unreadable = [look.problem for look in looks if look.problem]
    if unreadable:
        problems.append(_name(unreadable))
    contradictory = [twins for twins in _twins(looks) if len({look.crop.text for look in twins}) > 1]
    if contradictory:
        named = _name([" = ".join(f"{t.crop.name} {t.crop.text!r}" for t in twins[:3]) for twins in contradictory])
        found = f"{len(contradictory)} pictures are labelled with several texts: {named}"
        many = sum(map(len, contradictory)) > CONTRADICTORY_SHARE * len(looks)
        (problems if many else details).append(f"{found}; keep the right one")
    return Finding("pictures", "; ".join(details), "; ".join(problems) or None)


def _twins(looks: Sequence[_Look]) -> list[list[_Look]]:
    """Crops whose pictures are the same: by their pixels where they were decoded, else by the bytes of their files."""
    pixels_of = {look.content: look.pixels for look in looks if look.content and look.pixels}
    alike: dict[bytes, list[_Look]] = defaultdict(list)
    for look in (look for look in looks if look.problem is None):
        key = look.pixels or (pixels_of.get(look.content, look.content) if look.content else None)
        if key is not None:
            alike[key].append(look)
    return [group for group in alike.values() if len(group) > 1]


def _check_splits(splits: Splits, twins: Sequence[Sequence[_Look]]) -> Finding:
    leaks = [group for group in twins if len({look.split for look in group}) > 1]
    problems = []
    if leaks:
        named = _name([" = ".join(f"{look.crop.name} ({look.split})" for look in group[:3]) for group in leaks])
        problems.append(f"the same picture is learned and scored: {named}; keep one of each")
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
            f"{len(torn)} groups are in several splits: {_name(torn)}; give all crops of a group one split, "
            "or deal them with data.folds, which keeps groups together"
        )
    learned = {crop.text for crop in splits["train"]}
    repeated = sum(crop.text in learned for split, crop in _all(splits) if split != "train")
    detail = (
        f"{len(twins)} pictures are there more than once, {len(leaks)} of them in several splits; "
        f"{len(groups)} groups, {len(torn)} of them in several splits; "
        f"{repeated} crops of val and test say what one of train says"
    )
    return Finding("splits", detail, "; ".join(problems) or None)


def _name(problems: Sequence[str], between: str = "; ") -> str:
    more = f"{between}and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
    return between.join(problems[:NAMED]) + more
