"""Texts in CSV files that are data to us, and that a spreadsheet must not take for formulas."""

from __future__ import annotations

import re

# What a spreadsheet computes begins with one of these, in East Asia also with a wide one. A number with its sign, and a
# sign alone, do no harm.
_FORMULA = re.compile(r"'*([=@\t\r＝＠].|[+\-＋－](?=.*[^\W\d]|.*[(|!]).)", re.DOTALL)


def as_text(text: str) -> str:
    """The text, behind an apostrophe if a spreadsheet would compute it; `written` takes that off again."""
    return f"'{text}" if _FORMULA.match(text) else text


def written(field: str) -> str:
    """The text that `as_text` was given."""
    return field[1:] if field.startswith("'") and _FORMULA.match(field) else field
