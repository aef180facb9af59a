"""Scores readings: exact match, normalised edit similarity, character error rate, confused characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class Score:
    """Sums over crops; the sum of the scores of all crops is the score of a split."""

    crops: int = 0
    exact: int = 0
    similarity: float = 0.0
    edits: int = 0
    characters: int = 0  # of the true texts

    def __add__(self, other: Score) -> Score:
        """Adds up the sums."""
        return Score(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def acc(self) -> float:
        """Returns the share of crops read without an error."""
        return self.exact / self.crops if self.crops else 0.0

    @property
    def ned(self) -> float:
        """Returns the mean of 1 - edits / length of the longer text; PaddleOCR's norm_edit_dis, spaces counted."""
        return self.similarity / self.crops if self.crops else 0.0

    @property
    def cer(self) -> float:
        """Returns the edits per true character, over all crops; above 1 where far too much is read."""
        return self.edits / max(self.characters, 1)

    def metrics(self, split: str) -> dict[str, float]:
        """Returns the three scores, named with their split."""
        return {f"{split}/acc": self.acc, f"{split}/ned": self.ned, f"{split}/cer": self.cer}


def score_reading(text: str, reading: str) -> Score:
    """Scores one crop by what it says and what was read."""
    edits = Levenshtein.distance(text, reading)
    longer = max(len(text), len(reading), 1)  # Reading nothing where there is nothing is right.
    return Score(1, int(text == reading), 1 - edits / longer, edits, len(text))


def score_readings(texts: Iterable[str], readings: Iterable[str]) -> Score:
    """Adds up the scores of crops."""
    return sum((score_reading(text, reading) for text, reading in zip(texts, readings, strict=True)), Score())


@dataclass(frozen=True)
class Confusion:
    """Counts how often `read` was read in the place of `given`; "" where one was left out or made up."""

    given: str
    read: str
    count: int


def confusions(texts: Sequence[str], readings: Sequence[str]) -> list[Confusion]:
    """Returns the fewest edits that turn each text into its reading, counted, most frequent first."""
    pairs: Counter[tuple[str, str]] = Counter()
    for text, reading in zip(texts, readings, strict=True):
        for edit in Levenshtein.editops(text, reading):
            given = "" if edit.tag == "insert" else text[edit.src_pos]
            pairs[given, "" if edit.tag == "delete" else reading[edit.dest_pos]] += 1
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [Confusion(given, read, count) for (given, read), count in ordered]
