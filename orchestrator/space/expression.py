"""Parses and computes constraints, which are arithmetic and comparisons over names; no text is executed as code.

Numbers are the decimals that were typed, as in the steps of a range: 0.1 + 0.2 <= 0.3 is met.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from orchestrator.mistake import shown
from orchestrator.plain_data import exact

_MAX_LENGTH = 1000
_MAX_DEPTH = 50
_MAX_BITS = 20_000  # A number that takes more is rounded to a float, because its arithmetic would take long.
_WORDS = {"true": True, "false": False, "null": None}  # These values are written as in YAML.
_RESERVED = set(keyword.kwlist) - {"and", "or", "not", "in", "is", "if", "else", "True", "False", "None"}
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_EQUAL = (ast.Eq, ast.NotEq)
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Pow)
_ALLOWED = "write arithmetic (+ - * / % **), comparisons, and, or, not, names, numbers and quoted text"
_NAMES_OF = {
    ast.Call: "a function call",
    ast.Attribute: "a dot between names",
    ast.Subscript: "an index in square brackets",
    ast.Lambda: "a lambda",
    ast.IfExp: "an if",
    ast.NamedExpr: "an assignment",
    ast.FloorDiv: "the operator //",
    ast.In: "`in`",
    ast.NotIn: "`not in`",
    ast.Is: "`is`",
    ast.IsNot: "`is not`",
    ast.BitAnd: "the operator &",
    ast.BitOr: "the operator |",
    ast.BitXor: "the operator ^",
    ast.MatMult: "the operator @",
    ast.Invert: "the operator ~",
    ast.LShift: "the operator <<",
    ast.RShift: "the operator >>",
}


class ExpressionError(ValueError):
    """Says where and why a text is no constraint, or for which values it cannot be computed."""


@dataclass(frozen=True)
class Expression:
    """Holds one comparison, or several joined by and, or, not. names: those it refers to, in the order of the text."""

    text: str
    names: tuple[str, ...]
    _tree: ast.expr = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Parses the text. Raises ExpressionError with the position, counted in characters from 1."""
        if len(text) > _MAX_LENGTH:
            raise ExpressionError(f"must be at most {_MAX_LENGTH} characters long, but got {len(text)}")
        line = " ".join(text.split())
        if not line:
            raise ExpressionError("must be a comparison such as `lr * batch_size <= 8e-3`, but is empty")
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(line, mode="eval").body
        except SyntaxError as error:
            before = (word for word in re.finditer(r"[^\W\d]\w*", line) if word.start() < (error.offset or 0))
            reserved = next((word[0] for word in before if word[0] in _RESERVED), None)
            if reserved is not None:
                must = f"must hold names that Python leaves free, but `{reserved}` is a word of Python's own"
                raise ExpressionError(f"{must}; give that name of `space` another one to use it here") from None
            at = f"at character {error.offset} of" if error.offset else "at the end of"
            raise ExpressionError(f"syntax error {at} {shown(line)}: {error.msg}; {_ALLOWED}") from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise ExpressionError(f"cannot be read: {error}; {_ALLOWED}") from None
        names: dict[str, None] = {}
        _check(tree, line, names, 1)
        if not _is_logical(tree):
            example = "lr * batch_size <= 8e-3"
            raise ExpressionError(f"must be a comparison such as `{example}`, but got {shown(line)}; add `<= ...`")
        return cls(line, tuple(names), tree)

    def met(self, config: Mapping[str, Any]) -> bool:
        """Returns whether the config meets the constraint; True where the config lacks one of its names.

        Raises ExpressionError.
        """
        if not all(name in config for name in self.names):
            return True
        try:
            return bool(_value(self._tree, config))
        except (ArithmeticError, ValueError, TypeError) as error:
            values = ", ".join(f"{name}={shown(config[name])}" for name in self.names)
            raise ExpressionError(f"cannot be computed for {values}: {error}") from None


def _check(node: ast.expr, line: str, names: dict[str, None], depth: int) -> None:
    """Raises ExpressionError unless every node is of an allowed kind; comparisons may be joined, but not computed with.

    names: gets every name in the tree, as a key.
    """
    if depth > _MAX_DEPTH:
        raise ExpressionError(f"must be nested at most {_MAX_DEPTH} deep; write it flatter")
    operators: list[ast.AST] = []
    if isinstance(node, ast.Name):
        if node.id not in _WORDS:
            names[node.id] = None
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, float) and not math.isfinite(node.value):
            raise _not_allowed(node, line, "a number beyond 1.8e308", "write a smaller one")
        if node.value is None or isinstance(node.value, (bool, int, float, str)):
            return
        raise _not_allowed(node, line, f"{shown(node.value)}")
    if isinstance(node, ast.BinOp):
        operators, operands, logical = [node.op], [node.left, node.right], False
    elif isinstance(node, ast.Compare):
        operators, operands, logical = list(node.ops), [node.left, *node.comparators], False
    elif isinstance(node, ast.BoolOp):
        operands, logical = node.values, True
    elif isinstance(node, ast.UnaryOp):
        operators, operands, logical = [node.op], [node.operand], isinstance(node.op, ast.Not)
    else:
        raise _not_allowed(node, line, _NAMES_OF.get(type(node), "this syntax"))
    for operator in operators:
        if not isinstance(operator, (*_ARITHMETIC, *_ORDERED, *_EQUAL, ast.UAdd, ast.USub, ast.Not)):
            raise _not_allowed(node, line, _NAMES_OF.get(type(operator), "another operator"))
    for operand in operands:
        _check(operand, line, names, depth + 1)
        if logical and not _is_logical(operand):
            what = f"{shown(ast.get_source_segment(line, operand))} beside and, or, not"
            raise _not_allowed(operand, line, what, "compare it: `x == true`")
        if not logical and _is_logical(operand):
            raise _not_allowed(operand, line, "a comparison inside arithmetic", "join comparisons with and, or, not")


def _is_logical(node: ast.expr) -> bool:
    """Returns whether the node is true or false rather than a value."""
    return isinstance(node, (ast.Compare, ast.BoolOp)) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _not_allowed(node: ast.expr, line: str, what: str, advice: str = _ALLOWED) -> ExpressionError:
    at = len(line.encode()[: node.col_offset].decode(errors="replace")) + 1  # `ast` counts bytes.
    return ExpressionError(f"{what} is not allowed at character {at} of {shown(line)}; {advice}")


def _value(node: ast.expr, config: Mapping[str, Any]) -> Any:
    """Computes the node with the config's values. Raises ArithmeticError, ValueError or TypeError."""
    if isinstance(node, ast.Name):
        return _WORDS[node.id] if node.id in _WORDS else config[node.id]
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, config)
        if isinstance(node.op, ast.Not):
            return not value
        return -_number(value) if isinstance(node.op, ast.USub) else _number(value)
    if isinstance(node, ast.BoolOp):
        join = all if isinstance(node.op, ast.And) else any
        return join(_value(part, config) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _arithmetic(node.op, _number(_value(node.left, config)), _number(_value(node.right, config)))
    assert isinstance(node, ast.Compare)
    left = _value(node.left, config)
    for operator, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, config)
        if not _compare(operator, left, right):
            return False
        left = right
    return True


def _number(value: Any) -> Fraction:
    """Returns the value as an exact number, which true and false are not. Raises TypeError."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{shown(value)} is not a number")
    return exact(value)


def _arithmetic(operator: ast.operator, a: Fraction, b: Fraction) -> Fraction:
    if isinstance(operator, (ast.Div, ast.Mod)) and b == 0:
        raise ZeroDivisionError("division by zero")
    if isinstance(operator, ast.Add):
        result = a + b
    elif isinstance(operator, ast.Sub):
        result = a - b
    elif isinstance(operator, ast.Mult):
        result = a * b
    elif isinstance(operator, ast.Div):
        result = a / b
    elif isinstance(operator, ast.Mod):
        result = a % b
    else:
        result = _power(a, b)
    return result if _bits(result) <= _MAX_BITS else exact(float(result))


def _power(a: Fraction, b: Fraction) -> Fraction:
    """Returns a ** b, exactly for a whole b. Raises ArithmeticError or ValueError."""
    power = math.pow(a, b)  # A float overflows at once where 9 ** 9 ** 9 in whole numbers would take hours.
    return a ** int(b) if b.denominator == 1 and _bits(a) * abs(b) <= _MAX_BITS else exact(power)


def _bits(number: Fraction) -> int:
    return number.numerator.bit_length() + number.denominator.bit_length()


def _compare(operator: ast.cmpop, a: Any, b: Any) -> bool:
    if isinstance(operator, ast.Eq):
        return _equal(a, b)
    if isinstance(operator, ast.NotEq):
        return not _equal(a, b)
    if not (isinstance(a, str) and isinstance(b, str)):
        a, b = _number(a), _number(b)
    if isinstance(operator, ast.Lt):
        return a < b
    if isinstance(operator, ast.LtE):
        return a <= b
    return a > b if isinstance(operator, ast.Gt) else a >= b


def _equal(a: Any, b: Any) -> bool:
    """Returns whether two values are equal; true equals no number."""
    a, b = (exact(each) if isinstance(each, float) else each for each in (a, b))
    return a == b and isinstance(a, bool) == isinstance(b, bool)
