"""Says what the numbers mean, in the language of a locale file: the only place where a report gets its wording."""

from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.study_file.yaml_file import read_yaml
from reports.numbers.quantity import Quantity, Scale, Sentence

LOCALES = Path(__file__).parent / "locales"
NO_BREAK = "\u00a0"
MINUS = "\u2212"


def languages() -> list[str]:
    """Returns the languages that there is a locale file for."""
    return sorted(path.stem for path in LOCALES.glob("*.yaml"))


@functools.cache
def phrases(lang: str) -> Mapping[str, str | Mapping[str, str]]:
    """Returns dotted key -> phrase, or -> {"one", "other"} where a number decides.

    Raises ValueError for an unknown language.
    """
    if lang not in languages():
        raise ValueError(f"lang: must be one of {', '.join(languages())}, but got {lang!r}")
    found: dict[str, str | Mapping[str, str]] = {}
    for group, entries in read_yaml(LOCALES / f"{lang}.yaml").items():
        for key, phrase in entries.items():
            found[f"{group}.{key}"] = phrase
    return found


class Words:
    """Speaks one language, and shows values of the objective on one scale."""

    def __init__(self, lang: str, scale: Scale | None = None) -> None:
        self.lang = lang
        self.scale = scale or Scale()
        self._phrases = phrases(lang)

    def __call__(self, key: str, **values: Quantity | str | int | float) -> str:
        """Returns the phrase of `key`, its placeholders filled."""
        phrase = self._phrases[key]
        assert isinstance(phrase, str), key
        return phrase.format_map({name: self._filled(value) for name, value in values.items()})

    def say(self, sentence: Sentence) -> str:
        """Writes a sentence in this language."""
        return self(sentence.key, **sentence.values)

    def _filled(self, value: Quantity | str | float) -> str:
        """Writes what fills a placeholder."""
        return self.quantity(value) if isinstance(value, Quantity) else one_line(value)

    # Quantities

    def quantity(self, quantity: Quantity) -> str:
        """Writes a quantity as its kind is written."""
        number, kind = quantity.number, quantity.kind
        if kind == "value":
            return self.value(number)
        if kind == "points":
            return self.points(number)
        if kind == "signed_points":
            return self.points(number, signed=True)
        if kind == "relative":
            return self._unit("percent", with_sign(100.0 * number, _percent_decimals(number)))
        if kind == "share":
            return self._unit("percent", plain(100.0 * number, 0 if abs(number) >= 0.1 else 1))
        if kind == "duration":
            return self.duration(number)
        if kind == "correlation":
            return with_sign(number, 2) if number < 0 else plain(number, 2)
        return self._unit(kind, f"{int(number):,}", int(number))

    def value(self, number: float | None) -> str:
        """Writes a value of the objective; a dash where there is none."""
        if number is None or not math.isfinite(number):
            return "\u2013"
        text = plain(number * self.scale.factor, self.scale.decimals)
        return self._unit("percent", text) if self.scale.in_points else text

    def points(self, difference: float, *, signed: bool = False) -> str:
        """Writes a difference of two values: in points where they are percentages, and called so."""
        text = self.bare_points(difference, signed=signed)
        if not self.scale.in_points:
            return text
        return self._unit("points", text, 1 if text in ("1", "1.00") else 2)

    def bare_points(self, difference: float, *, signed: bool = False) -> str:
        """Writes the same without its unit, for a column that names it. A difference too small to show is no zero."""
        number, decimals = difference * self.scale.factor, self.scale.decimals
        if 0.0 < abs(number) < 0.5 * 10.0**-decimals:
            least = plain(10.0**-decimals, decimals)
            return f"<{NO_BREAK}{least}"
        return with_sign(number, decimals) if signed else plain(number, decimals)

    def duration(self, seconds: float) -> str:
        """Writes seconds in the unit that suits them."""
        if seconds < 10.0:
            return self._unit("seconds", plain(seconds, 1 if seconds else 0))
        if seconds < 90.0:
            return self._unit("seconds", f"{seconds:.0f}")
        minutes = round(seconds / 60.0)
        if minutes < 90:
            return self._unit("minutes", str(minutes))
        hours, rest = divmod(minutes, 60)
        if hours >= 48 or rest == 0:
            return self._unit("hours", f"{round(minutes / 60):,}")
        return self("unit.hours_minutes", hours=str(hours), minutes=str(rest)).replace(" ", NO_BREAK)

    def hours(self, hours: float, device: str) -> str:
        """Writes device hours; minutes or seconds below one."""
        unit, number = ("hours", hours) if hours >= 1.0 or hours == 0.0 else ("minutes", hours * 60.0)
        if 0.0 < hours < 1.0 / 60.0:
            unit, number = "seconds", hours * 3600.0
        text = plain(number, 0 if number >= 9.95 or number == 0.0 else 1)
        if 0.0 < number < 0.1:
            text = f"<{NO_BREAK}0.1"
        return self._unit(f"{device}_{unit}", text, 1 if text == "1.0" else 2)

    def moment(self, at: float | None) -> str:
        """Writes a unix time as local date and time."""
        return "" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))

    def _unit(self, name: str, text: str, number: int = 2) -> str:
        """Writes a number with its unit, in the singular where `number` is 1."""
        phrase = self._phrases[f"unit.{name}"]
        form = phrase if isinstance(phrase, str) else phrase["one" if number == 1 else "other"]
        return form.format(n=text).replace(" ", NO_BREAK)


def plain(number: float, decimals: int) -> str:
    """Writes a number with a true minus sign, which does not break from its number, and without a negative zero."""
    text = f"{number:,.{decimals}f}" if abs(number) < 1e9 else f"{number:.3e}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def with_sign(number: float, decimals: int) -> str:
    """Writes a number as `plain` does, with a plus sign where it is positive."""
    text = plain(number, decimals)
    return f"+{text}" if number > 0 and text.strip("0.,") else text


def _percent_decimals(share: float) -> int:
    """Returns as many decimals as show two digits of a percentage."""
    return 0 if abs(share) >= 0.1 else 1 if abs(share) >= 0.01 else 2


def short(value: Any, digits: int = 4) -> str:
    """Writes a value of a config, brief enough for a table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.{digits}g}" if math.isfinite(value) else str(value)
    if value is None:
        return "null"
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, int):
        return str(value)
    return one_line(json.dumps(value, ensure_ascii=False, default=str))


def one_line(value: Any) -> str:
    """Returns text without line breaks or control characters: a terminal obeys those, and a name may hold them."""
    return "".join(c if c.isprintable() else " " for c in str(value)).strip()
