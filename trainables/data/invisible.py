"""Knows the characters that cannot be seen: what is blank at the ends of a text, and what is hidden inside it."""

from __future__ import annotations

import unicodedata

# Letters and symbols by their category, yet nothing is drawn for them.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_FILLER_RANGES = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))  # variation selectors
# Format characters by their category, yet drawn: signs that stand over a number (Prepended_Concatenation_Mark).
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_JOINERS = "\u200c\u200d"
_VIRAMA = 9  # the combining class of the marks that kill a vowel
_PLAIN_SPACE = " "


def strip(text: str) -> str:
    """Cuts what is blank or invisible from both ends of a text."""
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while end > start and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def hidden(text: str) -> list[int]:
    """Returns the places (from 0) of the characters that nobody can see or tell from a plain space.

    A joiner counts only where it joins nothing: after a virama, and between letters of Arabic, it decides how they are
    written (RFC 5892, appendix A.1).
    """
    return [
        place
        for place, character in enumerate(text)
        if character != _PLAIN_SPACE and _is_blank(character) and not _joins(text, place)
    ]


def describe(character: str) -> str:
    """Names a character by its code point and its name in Unicode: U+200B ZERO WIDTH SPACE."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" {name}" if name else "")


def _is_blank(character: str) -> bool:
    """Returns whether nothing is drawn for the character."""
    if character.isascii():
        return character.isspace()
    if character in _FILLERS or any(first <= ord(character) <= last for first, last in _FILLER_RANGES):
        return True
    return unicodedata.category(character) in ("Cf", "Zs", "Zl", "Zp") and character not in _DRAWN


def _joins(text: str, place: int) -> bool:
    """Returns whether the character is a joiner that changes how its neighbours are written."""
    if text[place] not in _JOINERS or not 0 < place < len(text) - 1:
        return False
    before, after = text[place - 1], text[place + 1]
    arabic = unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
    return arabic or unicodedata.combining(before) == _VIRAMA
