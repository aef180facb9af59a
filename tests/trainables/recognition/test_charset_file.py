"""Checks files of characters: what is read, what is folded and said, and every mistake that is the file's own."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from trainables.recognition.charset_file import read_charset, read_charset_file


@pytest.mark.parametrize(
    "content", ["1\n가\n \n", "\ufeff1\r\n가\r\n \r\n", "1\n" + unicodedata.normalize("NFD", "가") + "\n "]
)
def test_a_file_has_a_character_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "charset.txt").write_bytes(content.encode())
    assert read_charset(tmp_path / "charset.txt").characters == ("1", "가", " ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must hold one character a line, but is empty"),
        (b"a\n\nb\n", "charset.txt:2: must hold one character, but is empty"),
        (b"a\nbc\n", "charset.txt:2: must hold one character, but got 'bc'"),
        (b"a\nb\na\n", "charset.txt:3: must be given once, but 'a' is line 1 too"),
        (b"a\n\xb0\xa1\n", "charset.txt:2: must be UTF-8, but holds the byte 0xB0"),
        ("a\n".encode("utf-16"), "charset.txt:1: must be UTF-8, but begins as UTF-16"),
        (b"ab\n" * 50, "and 30 more mistakes"),
    ],
)
def test_a_mistake_in_a_charset_is_named_by_its_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "charset.txt").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_charset(tmp_path / "charset.txt")


def write(folder: Path, *lines: str) -> Path:
    (folder / "dict.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "dict.txt"


def test_characters_that_composition_makes_one_are_folded_and_said(tmp_path: Path) -> None:
    found = read_charset_file(write(tmp_path, "\uf902", "a", "\u8eca", unicodedata.normalize("NFD", "가"), "가"))
    assert found.charset.characters == ("\u8eca", "a", "가")
    assert found.detail == (
        "2 lines folded into other characters by composition (NFC): "
        "'\uf902' (U+F902) is '\u8eca' (U+8ECA), '\u1100' (U+1100) + '\u1161' (U+1161) is '가' (U+AC00)"
    )


def test_a_character_that_composition_takes_apart_gives_its_parts(tmp_path: Path) -> None:
    found = read_charset_file(write(tmp_path, "\u0915", "\u0958"))
    assert found.charset.characters == ("\u0915", "\u093c")
    assert found.detail.endswith(": '\u0958' (U+0958) is '\u0915' (U+0915) + '\u093c' (U+093C)")
    assert all(found.charset.knows(unicodedata.normalize("NFC", text)) for text in ("\u0958", "\u0915"))


def test_blanks_beside_a_character_are_cut_and_lines_of_a_tab_left_out(tmp_path: Path) -> None:
    found = read_charset_file(write(tmp_path, "p\t", "q", "\t", "ы ", " ", "\u3000", "\u200b", "", ""))
    assert found.charset.characters == ("p", "q", "ы", " ", "\u3000", "\u200b")
    assert found.detail == "the blanks of 2 lines cut; 1 blank lines left out"
    twins = read_charset_file(write(tmp_path, "p", "p\t"))
    assert twins.charset.characters == ("p",) and twins.detail == "the blanks of 1 lines cut"


def test_of_a_file_without_such_lines_nothing_is_said(tmp_path: Path) -> None:
    assert read_charset_file(write(tmp_path, "a", "b")).detail == ""
