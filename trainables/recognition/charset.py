"""Numbers the characters that a network can read, as CTC's classes. No torch here."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

BLANK = 0  # the class of CTC that means that no character is here


class UnknownCharacter(ValueError):
    """Raised for a text with a character that the charset lacks; the message names it."""


@dataclass(frozen=True)
class Charset:
    """Holds characters in the order of their classes: class 0 is CTC's blank, character i is class i + 1.

    A character is one code point of composed (NFC) text: a Hangul syllable is one character, not two or three letters.
    Raises ValueError for none, for one given twice, and for what is not a single code point.
    """

    characters: tuple[str, ...]
    _classes: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError("a charset must hold a character, but it is empty; label some crops with text")
        for character, times in Counter(self.characters).items():
            if len(character) != 1 or times > 1:
                raise ValueError(f"a charset must hold single characters once each, but got {character!r} x {times}")
        object.__setattr__(self, "_classes", {c: index for index, c in enumerate(self.characters, start=1)})

    @classmethod
    def of(cls, texts: Iterable[str]) -> Charset:
        """Returns the charset of all characters of the texts, sorted by code point."""
        return cls(tuple(sorted(set().union(*map(normalise, texts)))))

    @property
    def size(self) -> int:
        """Returns the number of classes of the network, the blank included."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Returns the classes of the characters. Raises UnknownCharacter."""
        try:
            return [self._classes[character] for character in text]
        except KeyError as error:
            character = error.args[0]
            place = text.index(character) + 1
            raise UnknownCharacter(
                f"{text!r}: character {place} must be one of the charset's {len(self.characters)}, "
                f"but is {name_character(character)}; add it to the charset file, or label crops of train with it"
            ) from None

    def encode_known(self, text: str) -> list[int]:
        """Returns the classes of the characters, without those that the charset lacks."""
        return [self._classes[character] for character in text if character in self._classes]

    def decode(self, indices: Sequence[int]) -> str:
        """Returns the text of classes without blanks. Raises IndexError for a blank, and for classes there are not."""
        if any(not 0 < index < self.size for index in indices):
            raise IndexError(f"classes of characters must be from 1 to {self.size - 1}, but got {list(indices)}")
        return "".join(self.characters[index - 1] for index in indices)

    def knows(self, text: str) -> bool:
        """Returns whether the charset has all characters of the text."""
        return all(character in self._classes for character in text)

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """Returns the characters that the charset lacks, and how often each occurs."""
        return Counter(c for text in texts for c in text if c not in self._classes)


def normalise(text: str) -> str:
    """Composes the text (Unicode NFC): macOS writes Hangul in pieces that look the same and are other characters."""
    return unicodedata.normalize("NFC", text)


def name_character(character: str) -> str:
    """Names a character so that a person can find it, also where it cannot be seen: '가' (U+AC00)."""
    return f"{character!r} (U+{ord(character):04X})"
