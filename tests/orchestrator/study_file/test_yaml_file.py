"""Checks that YAML is read as people mean it, that mistakes have lines, and that what is written reads back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.errors import InputMistake
from orchestrator.mistake import Mistakes
from orchestrator.plain_data import plain_scalar
from orchestrator.study_file.yaml_file import parse_yaml, read_yaml, write_yaml

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff"), max_size=12),
    st.sampled_from(
        ["1e-5", "22:00", "yes", "010", "null", "~", "", "0x1F", "2024-01-31", ".5", "- a", "a: b", "#", "=", "<<"]
    ),
)
KEYS = st.text(st.characters(codec="utf-8", categories=["L", "N"]), max_size=8)
TREES = st.recursive(SCALARS, lambda t: st.lists(t, max_size=4) | st.dictionaries(KEYS, t, max_size=4), max_leaves=12)


def mistakes(text: str) -> list[str]:
    mistakes = Mistakes()
    parse_yaml(text, mistakes)
    return [str(mistake) for mistake in mistakes]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        (".5e-3", 0.5e-3),
        ("-1.", -1.0),
        ("+12", 12),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
        ("yes", "yes"),
        ("off", "off"),
        ("22:00", "22:00"),
        ("2024-01-31", "2024-01-31"),
        ("1_000", "1_000"),
        ("1e", "1e"),
        ("e5", "e5"),
        (".", "."),
        ("१२", "१२"),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text, value):
    read = plain_scalar(text)
    assert read == value and type(read) is type(value)


def test_the_examples_of_the_yaml_1_2_core_schema_are_read_as_its_specification_says():
    # YAML 1.2.2, example 10.9 ("Core Tag Resolution")
    text = """\
A null: null
Booleans: [ true, True, false, FALSE ]
Integers: [ 0, 0o7, 0x3A, -19 ]
Floats: [ 0., -0.0, .5, +12e03, -2E+05 ]
Also floats: [ .inf, -.Inf, +.INF, .NAN ]
"""
    value = parse_yaml(text, Mistakes())
    assert value["A null"] is None
    assert value["Booleans"] == [True, True, False, False]
    assert value["Integers"] == [0, 7, 58, -19]
    assert value["Floats"] == [0.0, -0.0, 0.5, 12e3, -2e5] and all(type(f) is float for f in value["Floats"])
    assert value["Also floats"][:3] == [math.inf, -math.inf, math.inf] and math.isnan(value["Also floats"][3])


def test_a_quoted_scalar_is_text():
    assert parse_yaml("a: '1e-5'\nb: \"true\"\nc: |\n  12\n", Mistakes()) == {"a": "1e-5", "b": "true", "c": "12\n"}


def test_every_key_that_stands_twice_is_reported_with_both_lines():
    assert mistakes("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n") == [
        "line 4: each key must stand once, but `c` stands on line 3 too; remove one",
        "line 5: each key must stand once, but `a` stands on line 1 too; remove one",
    ]


def test_a_number_and_the_same_number_as_text_are_one_key_as_in_json():
    assert mistakes("1: a\n'1': b\n") == ["line 2: each key must stand once, but `1` stands on line 1 too; remove one"]


def test_a_decimal_comma_and_grouped_digits_are_named_wherever_they_stand():
    advice = "is two entries; write the decimal point as `.`, and nothing at thousands"
    assert mistakes("lr: {low: 0,1, high: 0,5}\nbudget: {trials: 1,000}\n") == [
        f"line 1: `low: 0,1` {advice}",
        f"line 1: `high: 0,5` {advice}",
        f"line 2: `trials: 1,000` {advice}",
    ]
    must = "a number must be written without `_`, but got"
    assert mistakes("batch: 1_000\nsizes: [2_048, 1_000.5]\n") == [
        f"line 1: {must} `1_000`; write 1000, or '1_000' for the text",
        f"line 2: {must} `2_048`; write 2048, or '2_048' for the text",
        f"line 2: {must} `1_000.5`; write 1000.5, or '1_000.5' for the text",
    ]
    kept = {"a": "1_000", "b": "run_1_000", "c": "2024_01", "d": {1: 640, 5: None}, "gpus": "0,1", "e": {"x": None}}
    text = "a: '1_000'\nb: run_1_000\nc: 2024_01\nd: {1: 640, 5: ~}\ngpus: 0,1\ne: {x}\n"
    assert parse_yaml(text, Mistakes()) == kept


def test_every_tab_at_the_start_of_a_line_is_reported():
    assert mistakes("a:\n\tb: 1\n  \tc: 2\n# comment\n\t# comment\n") == [
        "line 2: must be indented by spaces, but got a tab",
        "line 3: must be indented by spaces, but got a tab",
    ]


def test_every_tag_is_refused():
    found = mistakes("a: !!python/object/apply:os.system ['true']\nb: !x 3\nc: !!str 1\n")
    assert [line.split(",")[0] for line in found] == [f"line {n}: must be plain data" for n in (1, 2, 3)]
    assert "`!!python/object/apply:os.system`" in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n---\nb: 2\n", "line 3: must be one document"),
        ("%YAML 1.1\n---\na: 1\n", "line 1: must be plain data, but got the directive `%YAML`"),
        ("a: [1, 2\n", "line 2, column 1: must be YAML, but expected ',' or ']'"),
        ("a: b: c\n", "line 1, column 5: must be YAML, but mapping values are not allowed here"),
        ("a: *b\n", "line 1, column 4: must be YAML, but found undefined alias"),
        ("a: &x [*x]\n", "line 1: must not contain itself"),
        ("<<: {a: 1}\n", "line 1: merge keys `<<` are not supported; use `extends`"),
        ("? [1]\n: 2\n", "line 1: a key must be a single word or number"),
        ("a: \x00\n", "must hold printable text only, but got the character 0x00"),
        ('a: "\\ud800"\n', "line 1: must be text that UTF-8 can hold"),
        ("a: " + "9" * 5000, "line 1: must be a number of at most 4000 digits"),
        ("[" * 5000, "is nested too deeply"),
    ],
)
def test_what_is_no_plain_yaml_is_reported_with_its_place(text, said):
    assert mistakes(text)[0].startswith(said)


def test_aliases_are_written_out_but_not_by_the_billion():
    assert parse_yaml("a: &x {b: 1}\nc: *x\n", Mistakes()) == {"a": {"b": 1}, "c": {"b": 1}}
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    bomb += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert mistakes(bomb) == ["must hold at most 50000 values, but its aliases stand for more; write fewer of them"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be a mapping, but the file is empty"),
        (b"# nothing yet\n", "must be a mapping, but the file is empty"),
        (b"- a\n- b\n", "must be a mapping of `key: value` lines at the top, but got a list"),
        (b"hello\n", "must be a mapping of `key: value` lines at the top, but got text"),
        (b"a: 1\nb: \xff\n", "line 2: must be UTF-8 text, but got byte 0xff"),
        ("a: 한글\n".encode("euc-kr"), "line 1: must be UTF-8 text, but got byte"),
    ],
)
def test_a_file_that_is_no_mapping_gives_one_line(tmp_path, content, said):
    path = write(tmp_path / "s.yaml", content)
    with pytest.raises(InputMistake) as caught:
        read_yaml(path)
    (line,) = caught.value.lines
    assert line.startswith(f"{path}: {said}")


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "\t\n", " \t\n", "[\n", "*a ", "&a ", "'", "a: |\n"])
def test_no_text_of_the_length_that_is_read_takes_long(piece: str):
    mistakes(piece * (50_000 // len(piece)))  # In time that grows with the square of its length, this would take hours.


def test_an_endless_file_is_refused(tmp_path):
    for file in (write(tmp_path / "long.yaml", "#" * 200_001), Path("/dev/zero")):
        with pytest.raises(InputMistake, match="must be a study file of at most 200 kB, but is longer"):
            read_yaml(file)


def test_a_file_that_is_not_there_or_is_a_directory_gives_one_line(tmp_path):
    for path, said in (
        (tmp_path / "no.yaml", "no such file"),
        (tmp_path, "is a directory"),
        (Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(InputMistake) as caught:
            read_yaml(path)
        (line,) = caught.value.lines
        assert line.startswith(f"{path}: ") and said in line


def test_a_byte_order_mark_is_not_part_of_the_first_key(tmp_path):
    assert read_yaml(write(tmp_path / "s.yaml", b"\xef\xbb\xbfstudy: a\r\nlr: 1e-3\r\n")) == {"study": "a", "lr": 1e-3}


@settings(max_examples=150)
@given(st.dictionaries(KEYS, TREES, max_size=5))
@example({"lr": 1e-5, "big": 1e22, "tiny": 5e-324, "negative": -0.0, "text": "1e-5"})
def test_what_is_written_is_read_back_equal_by_us_and_by_a_yaml_1_1_reader(value: dict[str, Any]):
    text = write_yaml(value)
    mistakes = Mistakes()
    read = parse_yaml(text, mistakes)
    assert not list(mistakes)
    if value:
        assert json.dumps(read) == json.dumps(value)  # This compares order and types, too.
        assert yaml.safe_load(text) == value


def test_keys_keep_their_order_and_leaves_stand_on_one_line():
    value = {"study": "a", "space": {"lr": {"low": 1e-5, "high": 0.01, "log": True}, "b": [1, 2]}, "none": None}
    assert write_yaml(value) == (
        "study: a\nspace:\n  lr: {low: 1.0e-5, high: 0.01, log: true}\n  b: [1, 2]\nnone: null\n"
    )


@settings(max_examples=200)
@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@#?\n \t0.e<\\", max_size=40))
def test_no_text_at_all_makes_the_reader_raise(text):
    parse_yaml(text, Mistakes())
