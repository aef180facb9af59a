"""Looks at `train` before it is called: can it be a generator of metrics over (config, run)?"""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any

MUST = "must be a function of (config, run) that yields a mapping of metrics once an epoch"


def signature_mistake(train: Callable[..., Any]) -> str | None:
    """Says in one line why `train` cannot be trained with, `must be ..., but ...; what to do`; None where it may.

    What a function returns that contains no `yield` is known only when it is called: it may be another generator.
    """
    if inspect.isclass(train):
        if hasattr(train, "__iter__") or hasattr(train, "__next__"):
            return _arguments_mistake(train)
        return f"{MUST}, but `{train.__name__}` is a class; write a function that makes one and yields its metrics"
    called = _function(train)
    if inspect.isasyncgenfunction(called) or inspect.iscoroutinefunction(called):
        return f"{MUST}, but `{_name(train)}` is asynchronous; write `def` in place of `async def`"
    mistake = _arguments_mistake(train)
    if mistake is None and not inspect.isgeneratorfunction(called) and _returns_nothing(called):
        return f"{MUST}, but `{_name(train)}` has no `yield`; write one at the end of each epoch"
    return mistake


def _function(train: Callable[..., Any]) -> Callable[..., Any]:
    """Returns what is called in the end: of a partial its function, of an object its __call__."""
    while isinstance(train, functools.partial):
        train = train.func
    if isinstance(train, (FunctionType, MethodType)):
        return train
    return getattr(type(train), "__call__", train)  # noqa: B004  an object that can be called


def _arguments_mistake(train: Callable[..., Any]) -> str | None:
    """Says that `train` does not take two arguments by position."""
    try:
        signature = inspect.signature(train, follow_wrapped=False)
    except (TypeError, ValueError):  # It is written in C, and does not tell.
        return None
    try:
        signature.bind(None, None)
    except TypeError:
        return f"{MUST}, but `{_name(train)}` takes {signature}; give it two parameters, config and run"
    return None


def _returns_nothing(function: Callable[..., Any]) -> bool:
    """Tells whether a function of Python's own can return nothing but None."""
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and not any(_returns_value(code))


def _returns_value(code: CodeType) -> list[bool]:
    found, before = [], None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "RETURN_VALUE":
            found.append(before is None or before.opname != "LOAD_CONST" or before.argval is not None)
        elif instruction.opname == "RETURN_CONST":
            found.append(instruction.argval is not None)
        before = instruction
    return found


def _name(train: Callable[..., Any]) -> str:
    return getattr(train, "__name__", None) or type(train).__name__
