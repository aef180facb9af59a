"""Checks the classes of characters, and every mistake that a file of characters can hold."""

from __future__ import annotations

import pickle
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.recognition.charset import Charset, UnknownCharacter, read_charset


@given(st.text(max_size=300), st.text(min_size=1))
def test_what_a_charset_knows_comes_back_as_it_was(text: str, more: str) -> None:
    charset = Charset.of([text, more])
    composed = unicodedata.normalize("NFC", text)
    indices = charset.encode(composed)
    assert charset.decode(indices) == composed
    assert all(0 < index < charset.size for index in indices) and len(indices) == len(composed)


def test_the_blank_comes_first_and_the_characters_are_sorted() -> None:
    charset = Charset.of(["나라1", "가1"])
    assert charset.characters == ("1", "가", "나", "라") and charset.size == 5
    assert charset.encode("가1") == [2, 1] and charset.encode("") == []
    assert charset == pickle.loads(pickle.dumps(charset)) == Charset(("1", "가", "나", "라"))


def test_hangul_written_in_pieces_is_the_same_syllable() -> None:
    pieces = unicodedata.normalize("NFD", "각")
    assert len(pieces) == 3 and Charset.of([pieces]).characters == ("각",)


def test_an_unknown_character_is_named_with_its_place() -> None:
    charset = Charset.of(["12가"])
    with pytest.raises(UnknownCharacter, match=r"'1闽': character 2 must be .* but is '闽' \(U\+95FD\)"):
        charset.encode("1闽")
    assert charset.encode_known("1闽2") == [1, 2] and not charset.knows("1闽2")
    assert charset.unknown(["闽1", "闽\u200b"]) == Counter({"闽": 2, "\u200b": 1})


@pytest.mark.parametrize("indices", [[0], [1, 5], [-1]])
def test_a_blank_or_a_class_too_many_is_no_character(indices: list[int]) -> None:
    with pytest.raises(IndexError, match="must be from 1 to 4"):
        Charset(tuple("abcd")).decode(indices)


@pytest.mark.parametrize("characters", [(), ("ab",), ("a", "a"), ("",)])
def test_a_charset_holds_single_characters_once_each(characters: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="a charset must hold"):
        Charset(characters)


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
