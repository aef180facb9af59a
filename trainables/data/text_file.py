"""Reads a text file that must be UTF-8, or says on which line it is not."""

from __future__ import annotations

from pathlib import Path


def read_utf8(file: Path) -> str:
    """Returns the text of `file` without a byte order mark; line ends stay. Raises ValueError naming the line."""
    content = file.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{file}:1: must be UTF-8, but begins as UTF-16 does; save the file as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise ValueError(
            f"{file}:{line}: must be UTF-8, but holds the byte 0x{byte:02X}; save the file as UTF-8 "
            "(a spreadsheet: as `CSV UTF-8`)"
        ) from error
