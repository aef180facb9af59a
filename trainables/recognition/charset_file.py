"""Reads a file of characters, such as PaddleOCR's dictionaries, and says what it folds of it. No torch here."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.data.label_mistakes import raise_mistakes
from trainables.data.text_file import read_utf8
from trainables.recognition.charset import Charset, name_character, normalise

NAMED = 3  # of the lines that are folded alike


@dataclass(frozen=True)
class CharsetFile:
    """Holds the charset of a file, and what of its lines are no characters of their own.

    folded: lines whose character is another line's once both are composed (U+F902 and U+8ECA are one character of
    labels), or that composition takes apart; what came and what became of it. cut: lines of one character and blanks.
    blank: lines of a tab or another blank alone.
    """

    charset: Charset
    folded: Sequence[tuple[str, str]] = ()
    cut: int = 0
    blank: int = 0

    @property
    def detail(self) -> str:
        """Says how many lines were folded, cut and left out; "" where each line is a character of its own."""
        said = []
        if self.folded:
            named = ", ".join(f"{_points(given)} is {_points(kept)}" for given, kept in self.folded[:NAMED])
            more = ", ..." if len(self.folded) > NAMED else ""
            said.append(f"{len(self.folded)} lines folded into other characters by composition (NFC): {named}{more}")
        if self.cut:
            said.append(f"the blanks of {self.cut} lines cut")
        if self.blank:
            said.append(f"{self.blank} blank lines left out")
        return "; ".join(said)


def read_charset(file: Path) -> Charset:
    """Returns the charset of a file (see read_charset_file)."""
    return read_charset_file(file).charset


def read_charset_file(file: Path) -> CharsetFile:
    """Reads one character a line, in UTF-8, as PaddleOCR's dictionaries; a line of one space is the space.

    Labels are composed, so the characters are, too; where that makes twins, the first one stays. Raises ValueError, a
    line for each mistake of the file's own: `FILE:LINE: what must hold, but what came; what to do`; OSError.
    """
    lines = [line.removesuffix("\r") for line in read_utf8(file).split("\n")]
    while lines and lines[-1] == "":
        lines.pop()
    seen: dict[str, tuple[int, str]] = {}  # by composed character: the number and the text of its line
    folded: list[tuple[str, str]] = []
    mistakes, cut, blank = [], 0, 0
    for number, line in enumerate(lines, start=1):
        where = f"{file}:{number}"
        given = _character(line)
        cut += 0 < len(given) < len(line)
        composed = normalise(given)
        if line == "":
            mistakes.append(f"{where}: must hold one character, but is empty; remove the line")
        elif given == "" or unicodedata.category(given[0]) == "Cc":
            blank += 1
        elif len(given) > 1 and len(composed) > 1:
            mistakes.append(f"{where}: must hold one character, but got {composed[:20]!r}; one a line")
        elif composed in seen and seen[composed][1] == line:
            mistakes.append(
                f"{where}: must be given once, but {composed!r} is line {seen[composed][0]} too; remove one"
            )
        else:
            if len(composed) > 1 or given != composed:
                twin = composed in seen or len(composed) > 1
                folded += [(given, composed)] if twin else []
            elif composed in seen and (first := _character(seen[composed][1])) != composed:
                folded.append((first, composed))  # This line is the character itself, and the one before is folded.
            for character in composed:
                seen.setdefault(character, (number, line))
    if not seen and not mistakes:
        mistakes.append(f"{file}: must hold one character a line, but is empty; leave `charset` out to take train's")
    raise_mistakes(file, mistakes)
    return CharsetFile(Charset(tuple(seen)), folded, cut, blank)


def _character(line: str) -> str:
    """Returns a line without the blanks beside its character; a line of one blank is this blank."""
    return line if len(line) == 1 else line.strip()


def _points(text: str) -> str:
    """Names the code points of a text, and shows it where it is one: '車' (U+8ECA)."""
    return " + ".join(map(name_character, text))
