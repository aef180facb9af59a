"""Answers the domains of other tools by their meaning: W&B's `values`, Optuna's `distribution`, Ray's `loguniform`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.mistake import shown
from orchestrator.plain_data import is_number, plain_scalar

# A word of another tool's -> ours.
_LISTS = ("values", "categories", "options", "choice", "grid", "grid_search", "enum", "categorical")
_LOWS = ("min", "minimum", "lower", "lower_bound", "from", "start")
_HIGHS = ("max", "maximum", "upper", "upper_bound", "to", "end", "stop")
_STEPS = ("q", "quantum", "step_size", "stride")
_INTS = ("randint", "qrandint", "lograndint", "qlograndint")
_PAIRS = ("bounds", "range", "uniform", "int", *_INTS, "loguniform", "log_uniform", "quniform", "qloguniform")
_BELOW = ("randint", "lograndint")  # Their upper end is never drawn, by Ray Tune as by NNI.
_KINDS = ("distribution", "type", "scale", "prior", "sampling")
_LOGS = ("log_scale", "logarithmic")
_ODDS = ("probabilities", "weights", "probs")
_NORMAL = (("mu", "mean", "loc"), ("sigma", "std", "scale"))
_OURS = ("low", "high", "log", "step", "value", "choices")
_KNOWN = {*_LISTS, *_LOWS, *_HIGHS, *_STEPS, *_PAIRS, *_KINDS, *_LOGS, *_ODDS, *_NORMAL[0], *_NORMAL[1], *_OURS}


def in_our_words(raw: Mapping[str, Any]) -> str | None:
    """Returns the domain as a study file writes it, `low: 0, high: 0.6`.

    Returns None where all words are ours, or where it cannot be told what is meant.
    """
    words = {str(key).lstrip("_").casefold(): value for key, value in raw.items()}
    if not words.keys() <= _KNOWN or words.keys() <= set(_OURS):
        return None
    kind = next((str(words[name]).casefold() for name in _KINDS if isinstance(words.get(name), str)), "")
    listed = next((words[name] for name in _LISTS if isinstance(words.get(name), list)), None)
    value = words.get("value")
    if listed is None and isinstance(value, list) and kind in ("choice", "categorical", "grid", "constant"):
        listed = value  # as NNI writes a choice
    if listed is not None:
        odds = any(name in words for name in _ODDS)
        return f"choices: {flow(listed)}" + (" (all of them equally often)" if odds else "")
    ends = _ends(words, value)
    if ends is None:
        return f"value: {flow(value)}" if "value" in words and kind in ("", "constant") else None
    low, high, step = ends
    log = "log" in kind or any(words.get(name) is True for name in _LOGS) or _by_logs(words)
    log = log or words.get("log") is True
    if (kind in _BELOW or any(name in words for name in _BELOW)) and isinstance(high, int) and high - 1 > low:
        high -= 1
    if log and low <= 0:  # W&B's log_uniform names the exponents of e.
        low, high = (float(f"{math.exp(end):.3g}") for end in (low, high))
    said = f"low: {shown(low)}, high: {shown(high)}"
    if log:
        return f"{said}, log: true"  # A range by order of magnitude has no step.
    if step is None and kind.startswith("int") and not (isinstance(low, int) and isinstance(high, int)):
        step = 1
    return said if step is None else f"{said}, step: {shown(step)}"


def _ends(words: Mapping[str, Any], value: Any) -> tuple[Any, Any, Any] | None:
    """Returns (low, high, step or None); None where the words tell no two numbers."""
    pair = next((words[name] for name in _PAIRS if isinstance(words.get(name), list)), value)
    step = next((words[name] for name in (*_STEPS, "step") if is_number(words.get(name))), None)
    if isinstance(pair, list) and len(pair) in (2, 3) and all(map(is_number, pair)):
        return pair[0], pair[1], pair[2] if len(pair) == 3 else step
    low = next((words[name] for name in ("low", *_LOWS) if is_number(words.get(name))), None)
    high = next((words[name] for name in ("high", *_HIGHS) if is_number(words.get(name))), None)
    if low is not None and high is not None:
        return low, high, step
    middle, spread = (next((words[name] for name in names if is_number(words.get(name))), None) for names in _NORMAL)
    if middle is None or spread is None:
        return None
    return middle - 2 * spread, middle + 2 * spread, step  # Where 95 of 100 draws from a normal distribution lie.


def _by_logs(words: Mapping[str, Any]) -> bool:
    """Returns whether a key alone says that the range is logarithmic: `loguniform: [1e-4, 1e-1]`."""
    return any(name in words for name in ("loguniform", "log_uniform", "qloguniform", *_INTS[2:]))


def flow(value: Any) -> str:
    """Writes plain data on one line as a study file has it: `[adam, sgd]`."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z][\w./-]*", value) and isinstance(plain_scalar(value), str)
        return value if plain else json.dumps(value, ensure_ascii=False)
    return shown(value)
