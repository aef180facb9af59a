"""What must not be printed or kept: passwords in addresses, tokens on command lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

HIDDEN = "***"

_IN_ADDRESS = re.compile(r"(?<=://)([^/?#\s:@]*):[^/?#\s]*(?=@)")
_WORD = r"[\w.\-]*(?:token|passwd|password|secret|api[_\-]?key|access[_\-]?key|credential)[\w\-]*"
_ASSIGNED = re.compile(rf"(?i)({_WORD}\s*[=:]\s*)[^\s&;,]+")
_OPTION = re.compile(rf"(?i)--?{_WORD}")
_IN_QUERY = re.compile(rf"(?i)([?&](?:{_WORD}|key|sig|signature)=)[^&#\s]+")


def mask(text: str) -> str:
    """`text` with the passwords of its addresses, and what is assigned to names such as API_TOKEN, replaced by ***."""
    text = _IN_ADDRESS.sub(rf"\1:{HIDDEN}", text)
    text = _IN_QUERY.sub(rf"\1{HIDDEN}", text)
    return _ASSIGNED.sub(rf"\1{HIDDEN}", text)


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line's words masked one by one; `--token VALUE` in two words, too."""
    masked: list[str] = []
    for position, word in enumerate(arguments):
        hidden = position > 0 and _OPTION.fullmatch(arguments[position - 1]) is not None and not word.startswith("-")
        masked.append(HIDDEN if hidden else mask(word))
    return masked
