"""Writes texts into CSV files so that a spreadsheet does not compute them, and reads them back."""

from __future__ import annotations

import re

# A spreadsheet computes what begins with one of these, or in East Asia with a wide one. A number with its sign and a
# sign alone are harmless.
_FORMULA = re.compile(r"'*([=@\t\r＝＠].|[+\-＋－](?=.*[^\W\d]|.*[(|!]).)", re.DOTALL)


def as_text(text: str) -> str:
    """Returns the text, behind an apostrophe if a spreadsheet would compute it."""
    return f"'{text}" if _FORMULA.match(text) else text


def written(field: str) -> str:
    """Returns the text that `as_text` was given."""
    return field[1:] if field.startswith("'") and _FORMULA.match(field) else field
