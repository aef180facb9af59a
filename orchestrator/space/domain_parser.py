"""Reads the domain of one name: a value, a list, a range, `value`, `choices` or `by`; reports every mistake in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.mistake import Mistakes, did_you_mean, quoted, shown, unknown_field
from orchestrator.plain_data import canonical, is_number, plain_mistake, plain_scalar, with_whole_keys
from orchestrator.space.config_field import ConfigField, WrongValue
from orchestrator.space.domain import Categorical, Domain, Fixed, Float, Int, range_mistakes
from orchestrator.space.other_words import in_our_words

# The keys of a domain that is a mapping, each with its meaning.
KEYS = {
    "low": "the smallest value, included",
    "high": "the largest value, included; with `step`, lowered to the last value that the steps reach",
    "log": "true: drawn by order of magnitude; `low` must be above 0, and `step` absent",
    "step": "only low, low + step, low + 2 step, ...",
    "choices": "a list to choose from; as a list alone, but `when` may stand beside it",
    "value": "the one value; needed where it is a list or a mapping, or where `when` stands beside it",
    "when": "names and the value or values that they must have for this name to be there at all",
    "by": "another name: each of its values is then a key with a domain of its own",
    "default": "beside `by`: the domain for the values that are not listed",
}
RANGE = ("low", "high", "log", "step")
FORMS = {"low": RANGE, "high": RANGE, "log": RANGE, "step": RANGE, "choices": ("choices",), "value": ("value",)}
_HOW = "write a value, a list of choices, {low: ..., high: ...}, {value: ...} or {by: ...}"


@dataclass(frozen=True)
class Draft:
    """Holds a domain as read, before the names in its `when` and `by` have been looked up.

    by_domains: for each value of the name in `by`, written as text, its domain.
    """

    domain: Domain | None
    when: Mapping[str, Any] = field(default_factory=dict)
    by: str | None = None
    by_domains: Mapping[str, Domain] = field(default_factory=dict)
    by_default: Domain | None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """Returns the names in `when` and `by`."""
        return tuple(dict.fromkeys([*self.when, *([] if self.by is None else [self.by])]))


class DomainParser:
    """Reads the domain of one field of the trainable's Config, or of a name whose field is not known (None)."""

    def __init__(self, config_field: ConfigField | None, mistakes: Mistakes) -> None:
        self._field = config_field
        self._mistakes = mistakes

    def draft(self, raw: Any, path: str) -> Draft | None:
        """Returns the domain at `path`; None, with an entry in the mistakes, where it is wrong."""
        before = len(self._mistakes)
        when: Mapping[str, Any] = {}
        if isinstance(raw, dict) and "when" in raw:
            when = self._when(raw["when"], f"{path}.when")
            raw = {key: value for key, value in raw.items() if key != "when"}
            if not raw:
                self._mistakes.add(path, f"must hold a domain beside `when`, but got none; {_HOW}")
        if isinstance(raw, dict) and "by" in raw:
            draft = self._by(raw, path, when)
        else:
            draft = Draft(self._domain(raw, path), when)
        return draft if len(self._mistakes) == before else None

    def _when(self, raw: Any, path: str) -> Mapping[str, Any]:
        if isinstance(raw, dict) and raw:
            return raw
        example = "when: {backbone: [resnet18, resnet34]}"
        self._mistakes.add(path, f"must be a mapping such as `{example}`, but got {shown(raw)}")
        return {}

    def _by(self, raw: Mapping[str, Any], path: str, when: Mapping[str, Any]) -> Draft:
        parent = raw["by"]
        if not isinstance(parent, str):
            self._mistakes.add(f"{path}.by", f"must be the name whose value decides, but got {shown(parent)}")
            parent = None
        rest = {key: value for key, value in raw.items() if key not in ("by", "default")}
        if all(key in rest and not isinstance(rest[key], (list, dict)) for key in ("low", "high")):
            must = f"`low` must stand below a value of {quoted(str(parent))}"
            self._mistakes.add(path, f"{must}, but stands beside `by`; indent the range")
            return Draft(None, when, parent)
        domains = {key: self._domain(value, f"{path}.{key}") for key, value in rest.items()}
        default = self._domain(raw["default"], f"{path}.default") if "default" in raw else None
        if len(raw) == 1:
            must = "must hold a domain for each value of the name in `by`, or a `default`"
            self._mistakes.add(path, f"{must}, but got none")
        kept = {key: domain for key, domain in domains.items() if domain is not None}
        return Draft(None, when, parent, kept, default)

    def _domain(self, raw: Any, path: str) -> Domain | None:
        if isinstance(raw, list):
            return self._choices(raw, path)
        if not isinstance(raw, dict):
            value = self._value(raw, path)
            return Fixed(value[0]) if value else None
        if "by" in raw or "when" in raw:
            self._mistakes.add(path, "must hold no `by` or `when` of its own, but got one; write it at the name itself")
            return None
        meant = in_our_words(raw)
        if meant is not None:
            self._mistakes.add(
                path, f"must be a domain in the words of a study file, but got {shown(raw)}; write {meant}"
            )
            return None
        form = next((FORMS[key] for key in raw if key in FORMS), None)
        if form is None:
            self._report_formless(raw, path)
            return None
        unknown = [key for key in raw if key not in form]
        for key in unknown:
            self._mistakes.add(path, unknown_field(key, (*form, "when")), key=key)
        if form == ("choices",):
            return self._choices(raw["choices"], f"{path}.choices")
        if form == ("value",):
            value = self._value(raw["value"], f"{path}.value")
            return Fixed(value[0]) if value else None
        missing = [name for name in ("low", "high") if name not in raw]
        for name in missing:
            if not any(did_you_mean(key, [name]) for key in unknown):
                given = ", ".join(f"`{key}`" for key in raw if key in form)
                self._mistakes.add(path, f"`{name}` must be given beside {given}; add it")
        return None if missing else self._range(raw, path)

    def _report_formless(self, raw: Mapping[str, Any], path: str) -> None:
        """Reports a mapping in which no key tells what kind of domain it is."""
        near = [(key, did_you_mean(key, KEYS)) for key in raw]
        if raw and all(hint for _, hint in near):
            for key, hint in near:
                self._mistakes.add(path, f"unknown field {quoted(key)}{hint}", key=key)
        else:
            fixed = f"; to fix a mapping, write {{value: {shown(raw)}}}" if raw else ""
            self._mistakes.add(path, f"must be a domain, but got {shown(raw)}{fixed or '; ' + _HOW}")

    def _value(self, raw: Any, path: str) -> tuple[Any] | None:
        """Returns a tuple of the value alone, because the value may be None; returns None where it is wrong."""
        mistake = plain_mistake(raw)
        if mistake:
            self._mistakes.add(path, mistake)
            return None
        if self._field is None:
            return (with_whole_keys(raw),)
        try:
            return (self._field.read(raw),)
        except WrongValue as wrong:
            self._mistakes.add(path, str(wrong))
            return None

    def _choices(self, raw: Any, path: str) -> Categorical | None:
        if not isinstance(raw, list) or not raw:
            self._mistakes.add(path, f"must be a list of at least one choice, but got {shown(raw)}; {_HOW}")
            return None
        if self._is_list_itself(raw):
            what = f"a list is a choice between its items, but {shown(raw)} looks like one value"
            self._mistakes.add(path, f"{what}; write {{value: {shown(raw)}}}")
            return None
        choices: dict[str, Any] = {}
        complete = True
        for index, item in enumerate(raw):
            value = self._value(item, f"{path}[{index}]")
            complete &= value is not None
            if value and canonical(value[0]) in choices:
                what = f"each choice must stand once, but {shown(item)} stands twice"
                self._mistakes.add(f"{path}[{index}]", f"{what}; remove one")
            elif value:
                choices[canonical(value[0])] = value[0]
        return Categorical(tuple(choices.values())) if complete and choices else None

    def _is_list_itself(self, raw: list[Any]) -> bool:
        """Returns whether the field takes the whole list, but none of its items."""
        if self._field is None:
            return False

        def fits(value: Any) -> bool:
            try:
                assert self._field is not None
                self._field.read(value)
            except WrongValue:
                return False
            return True

        return fits(raw) and not any(fits(item) for item in raw)

    def _range(self, raw: Mapping[str, Any], path: str) -> Domain | None:
        before = len(self._mistakes)
        config_field = self._field
        if config_field is not None and not config_field.takes_range:
            advice = "write a value or a list of choices"
            self._mistakes.add(path, f"must be {config_field.words}, but got a range; {advice}")
            return None
        names = ["low", "high", *(["step"] if raw.get("step") is not None else [])]
        whole = config_field.whole if config_field is not None else None
        if whole is None:
            whole = all(isinstance(raw[name], int) for name in names)
        numbers = {name: self._number(raw[name], f"{path}.{name}", whole, bounded=name != "step") for name in names}
        log = raw.get("log", False)
        if not isinstance(log, bool):
            self._mistakes.add(f"{path}.log", f"must be true or false, but got {shown(log)}")
        plain = all(is_number(value) and (not whole or isinstance(value, int)) for value in numbers.values())
        if not plain or not isinstance(log, bool):
            return None
        step = numbers.get("step")
        for mistake in range_mistakes(numbers["low"], numbers["high"], log, step, whole):
            self._mistakes.add(path, mistake)
        if len(self._mistakes) > before:
            return None
        if whole:
            return Int(numbers["low"], numbers["high"], log, 1 if step is None else step)
        return Float(numbers["low"], numbers["high"], log, step)

    def _number(self, value: Any, path: str, whole: bool, bounded: bool) -> Any:
        if whole and isinstance(value, float) and math.isfinite(value) and value.is_integer():
            value = int(value)
        if not is_number(value) or (whole and not isinstance(value, int)):
            kind = "a whole" if whole else "a finite"
            self._mistakes.add(path, f"must be {kind} number, but got {shown(value)}{_as_number(value)}")
        elif bounded and self._field is not None:
            try:
                self._field.read(value)
            except WrongValue as wrong:
                self._mistakes.add(path, str(wrong))
        return value


def _as_number(value: Any) -> str:
    """Returns advice where a number was written as text."""
    if isinstance(value, str) and len(value) < 100 and is_number(plain_scalar(value.replace("_", "").strip())):
        return "; write it without quotes or underscores"
    return ""
