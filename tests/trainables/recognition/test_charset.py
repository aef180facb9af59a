"""Checks the classes of characters."""

from __future__ import annotations

import pickle
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.recognition.charset import Charset, UnknownCharacter


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
