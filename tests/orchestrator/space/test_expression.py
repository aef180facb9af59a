"""Checks that constraints are computed in exact decimals, and that nothing else is accepted as one."""

from __future__ import annotations

import pickle
import re
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.space.expression import Expression, ExpressionError

NAMES = {"lr": 0.01, "batch_size": 8, "layers": 3, "zero": 0, "negative": -2.5}
ATOMS = st.one_of(
    st.sampled_from(sorted(NAMES)),
    st.integers(0, 20).map(str),
    st.floats(0, 100, allow_subnormal=False).map(repr),
)
SUMS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "%"]), inner).map(" ".join),
        st.tuples(inner, st.just("**"), st.integers(0, 4).map(str)).map("".join),
        inner.map("({})".format),
        inner.map("-{}".format),
    ),
    max_leaves=6,
)
COMPARISONS = st.tuples(SUMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), SUMS).map(" ".join)
CHAINS = st.tuples(SUMS, st.sampled_from(["<", "<="]), SUMS, st.sampled_from(["<", "=="]), SUMS).map(" ".join)
LOGICAL = st.recursive(
    COMPARISONS | CHAINS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map("not {}".format),
        inner.map("({})".format),
    ),
    max_leaves=4,
)


def refusal(text: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(text)
    return str(caught.value)


@settings(max_examples=250)
@given(LOGICAL)
def test_the_value_is_that_of_pythons_fractions(text):
    expression = Expression.parse(text)
    in_fractions = re.sub(r"(?<![\w.])\d[\d.]*(e[-+]?\d+)?", lambda number: f"Fraction('{number[0]}')", text)
    try:
        names = {name: Fraction(str(value)) for name, value in NAMES.items()}
        expected = eval(in_fractions, {"__builtins__": {}, "Fraction": Fraction}, names)
    except (ArithmeticError, TypeError):  # It divides by zero, overflows, or gives a complex number.
        return
    assert expression.met(NAMES) == expected
    assert set(expression.names) == {name for name in NAMES if name in text}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("lr * batch_size <= 8e-3", False),
        ("lr * batch_size <= 8e-2", True),
        ("backbone == 'resnet18' and layers > 2", True),
        ('backbone != "resnet18" or lr < 1', True),
        ("ema == true", True),
        ("ema == 1", False),
        ("clip == null", True),
        ("clip == None or clip <= 1", True),
        ("1 <= layers < 3", False),
        ("backbone < 'zzz'", True),
        ("2 ** layers == batch_size", True),
        ("not (layers == 3)", False),
        ("layers\n  <= 3", True),
        ("0.1 + 0.2 <= 0.3", True),
        ("0.1 + 0.2 == 0.3", True),
        ("0.3 - 0.2 - 0.1 == 0", True),
        ("0.1 * 3 <= 0.3 and 0.3 / 3 == 0.1", True),
        ("0.3 % 0.1 == 0", True),
        ("0.3 ** 2 == 0.09", True),
        ("0.7 + 0.1 != 0.8", False),
        ("4 ** 0.5 == 2 and 2 ** -1 == 0.5", True),
    ],
)
def test_hand_made_constraints_over_all_kinds_of_values(text, met):
    config = {"lr": 0.01, "batch_size": 8, "backbone": "resnet18", "layers": 3, "ema": True, "clip": None}
    assert Expression.parse(text).met(config) is met


def test_a_constraint_does_not_apply_where_a_name_is_absent():
    assert Expression.parse("momentum > 1").met({"lr": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a comparison such as `lr * batch_size <= 8e-3`, but is empty"),
        ("lr", "must be a comparison such as `lr * batch_size <= 8e-3`, but got 'lr'"),
        ("lr + 1", "must be a comparison"),
        ("true", "must be a comparison"),
        ("lr <", "syntax error at the end of 'lr <'"),
        ("lambda + lr <= 0.5", "must hold names that Python leaves free, but `lambda` is a word of Python's own; give"),
        ("lr and or lr", "syntax error at character 8 of 'lr and or lr'"),
        ("lr = 3", "syntax error at character 4 of 'lr = 3'"),
        ("(lr < 3", "syntax error at character 1 of '(lr < 3': '(' was never closed"),
        ("lr < 3 4", "syntax error at character 8"),
        ("lr < 3; import os", "syntax error at character 7"),
        ("f(lr) < 1", "a function call is not allowed at character 1"),
        ("a < 1 and x.y < 3", "a dot between names is not allowed at character 11"),
        ("한글 < 1 and x.y < 3", "a dot between names is not allowed at character 12"),
        ("__import__('os').system('true') < 1", "a function call is not allowed at character 1"),
        ("a[0] < 1", "an index in square brackets is not allowed at character 1"),
        ("(lambda: 1) < 1", "a lambda is not allowed"),
        ("[x for x in y] < 1", "this syntax is not allowed"),
        ("f'{lr}' == 'a'", "this syntax is not allowed"),
        ("(1 if a else 2) < 1", "an if is not allowed"),
        ("(a := 3) < 4", "an assignment is not allowed"),
        ("a // 2 < 1", "the operator // is not allowed"),
        ("a in (1, 2)", "`in` is not allowed"),
        ("a is 1", "`is` is not allowed"),
        ("~a < 1", "the operator ~ is not allowed"),
        ("a < 1j", "1j"),
        ("a < b'x'", "is not allowed"),
        ("a < 1e400", "a number beyond 1.8e308 is not allowed at character 5"),
        ("(a < 1) + 2 < 3", "a comparison inside arithmetic is not allowed at character 2"),
        ("(a < 1) == true", "a comparison inside arithmetic is not allowed"),
        ("ema and lr < 1", "'ema' beside and, or, not is not allowed at character 1 of 'ema and lr < 1'; compare it"),
        ("not ema", "'ema' beside and, or, not is not allowed at character 5"),
        ("a < 1" + " " * 2000 + "b", "must be at most 1000 characters long"),
        ("-" * 400 + "a < 1", "must be nested at most 50 deep"),
        ("(" * 400 + "a" + ")" * 400 + "< 1", "too many nested parentheses"),
        ("a < 1\0", "null bytes"),
    ],
)
def test_what_is_no_comparison_is_refused_with_its_position(text, said):
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a / zero < 1", "cannot be computed for a=2, zero=0: division by zero"),
        ("name < 1", "cannot be computed for name='x': 'x' is not a number"),
        ("name * 3 == 'xxx'", "'x' is not a number"),
        ("ema + 1 < 3", "true is not a number"),
        ("none <= 1", "null is not a number"),
        ("(0 - 8) ** 0.5 < a", "math domain error"),
        ("10 ** 400 < a", "math range error"),
    ],
)
def test_what_cannot_be_computed_says_for_which_values(text, said):
    with pytest.raises(ExpressionError) as caught:
        Expression.parse(text).met({"a": 2, "zero": 0, "name": "x", "ema": True, "none": None})
    assert said in str(caught.value)


def test_a_tower_of_powers_is_refused_at_once():
    start = time.perf_counter()
    with pytest.raises(ExpressionError, match="cannot be computed"):
        Expression.parse("9 ** 9 ** 9 ** 9 < a").met({"a": 1})
    assert time.perf_counter() - start < 0.5


def test_small_powers_of_whole_numbers_are_exact():
    assert Expression.parse("3 ** 30 == a").met({"a": 3**30})


def test_an_expression_crosses_processes():
    expression = pickle.loads(pickle.dumps(Expression.parse("lr < 1 and b == 'x'")))
    assert expression == Expression.parse("lr < 1 and b == 'x'") and expression.met({"lr": 0.5, "b": "x"})


@settings(max_examples=250)
@given(st.text(alphabet="ab1.0e<>=!+-*/%()[]{}'\" \\:,@#and or not", max_size=30))
def test_no_text_at_all_raises_anything_else(text):
    try:
        Expression.parse(text).met({"a": 1, "b": "x"})
    except ExpressionError as error:
        assert str(error)
