"""Writes texts into CSV files so that a spreadsheet does not compute them, and reads them back."""

from __future__ import annotations

import re

# A spreadsheet computes what begins with one of these, or in East Asia with a wide one. A number with its sign and a
# sign alone are harmless.
_FORMULA = re.compile(r"'*([=@\t\r＝＠].|[+\-＋－](?=.*[^\W\d]|.*[(|!]).)", re.DOTALL)


# A spreadsheet shows such a text in another way once it has read it, and saves that: 0012 as 12, 1-2 as a date.
_NUMBER = re.compile(
    r"'*(?=[^\d]*\d)[\s\d.,:/%+\-()₩$€¥£eE]+|'*(?=.*\d)[\s\d년월일시분초]+|'*(true|false)", re.IGNORECASE
)


def as_text(text: str, *, excel: bool = False) -> str:
    """Returns the text, behind an apostrophe if a spreadsheet would compute it.

    excel: also if it would read a number or a date, and lose how that was written.
    """
    number = _NUMBER.fullmatch(text) is not None and (excel or text.startswith("'"))
    return f"'{text}" if number or _FORMULA.match(text) else text


def written(field: str) -> str:
    """Returns the text that `as_text` was given."""
    quoted = field.startswith("'") and (_FORMULA.match(field) or _NUMBER.fullmatch(field))
    return field[1:] if quoted else field
