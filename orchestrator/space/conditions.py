"""Checks the values in `when` and `by` against the domain of the name that they refer to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.mistake import Mistakes, did_you_mean, shown
from orchestrator.plain_data import PlainValues, key_text, plain_mistake, plain_scalar
from orchestrator.space.config_field import ConfigField, WrongValue
from orchestrator.space.domain import Domain, Fixed, Float, described
from orchestrator.space.domain_parser import FORMS, Draft
from orchestrator.space.search_space import ByValue, Parameter

_LISTABLE = 1000  # A parent with more values than this needs a `default` beside `by`.
_NOT_COUNTABLE = "must be about choices, whole numbers or a fixed value, but `{}` is a range of real numbers"


def condition(parent: Parameter, field: ConfigField | None, raw: Any, path: str, mistakes: Mistakes) -> tuple[Any, ...]:
    """Returns the values of `parent` under which a name is part of a config; adds to `mistakes` what is wrong."""
    values = raw if isinstance(raw, list) else [raw]
    if not values:
        mistakes.add(path, "must list at least one value, but got []")
    if not _countable(parent):
        mistakes.add(path, _NOT_COUNTABLE.format(parent.name))
        return ()
    found = []
    for value in values:
        mistake = plain_mistake(value)
        if mistake:
            mistakes.add(path, mistake)
            continue
        read, mistake = _read_value(parent, field, value)
        if mistake:
            mistakes.add(path, mistake)
        else:
            found.append(read)
    return tuple(found)


def by_value(
    parent: Parameter, field: ConfigField | None, draft: Draft, path: str, mistakes: Mistakes
) -> ByValue | None:
    """Returns the domains of `draft` by the values of `parent`; None, after adding to `mistakes`, if one is wrong."""
    before = len(mistakes)
    if not _countable(parent):
        mistakes.add(f"{path}.by", _NOT_COUNTABLE.format(parent.name))
        return None
    known = list(_values(parent.domains)) if _listable(parent) else None
    by_text = {key_text(value): value for value in known or () if not isinstance(value, (list, dict))}
    domains: list[tuple[Any, Domain]] = []
    for text, domain in draft.by_domains.items():
        match = by_text.get(text)
        if match is None:
            match, mistake = _read_value(parent, field, plain_scalar(text) if len(text) < 100 else text)
            if mistake and text in FORMS:
                mistakes.add(
                    path, f"`{text}` must stand below a value of `{parent.name}`, but stands beside `by`; indent it"
                )
            elif mistake:
                mistakes.add(f"{path}.{text}", mistake)
        domains.append((match, domain))
    if len(mistakes) > before:
        return None
    if draft.by_default is not None:
        return ByValue(parent.name, tuple(domains), draft.by_default)
    if known is None:
        mistakes.add(path, f"must hold a `default`, because `{parent.name}` has too many values to list them all")
    covered = PlainValues(listed for listed, _ in domains)
    uncovered = [value for value in known or () if value not in covered]
    if uncovered:
        which = ", ".join(shown(value) for value in uncovered[:5]) + (", ..." if len(uncovered) > 5 else "")
        must = f"must hold a domain for each value of `{parent.name}`"
        mistakes.add(path, f"{must}, but {which} has none; add it, or a `default`")
    return ByValue(parent.name, tuple(domains))


def _read_value(parent: Parameter, field: ConfigField | None, value: Any) -> tuple[Any, str | None]:
    """Returns the value as the parent's field reads it, and what is wrong with it (None: nothing).

    Where the parent is fixed, every value that its field accepts is right: `--set` or a file that extends this one may
    give it another value.
    """
    try:
        value = value if field is None else field.read(value)
    except WrongValue as wrong:
        return value, f"must be a value of `{parent.name}`, {str(wrong).removeprefix('must be ')}"
    fixed = all(isinstance(domain, Fixed) for domain in parent.domains)
    if fixed or any(domain.contains(value) for domain in parent.domains):
        return value, None
    choices = [choice for choice in _values(parent.domains) if isinstance(choice, str)] if _listable(parent) else []
    allowed = " or ".join(dict.fromkeys(described(domain) for domain in parent.domains))
    return value, f"must be a value of `{parent.name}`, {allowed}, but got {shown(value)}{did_you_mean(value, choices)}"


def _countable(parent: Parameter) -> bool:
    """Returns whether the parent has no range of real numbers, of which no single value can be named."""
    return not any(isinstance(domain, Float) and domain.size is None for domain in parent.domains)


def _listable(parent: Parameter) -> bool:
    """Returns whether the parent has few enough values to list them all."""
    return sum(domain.size or 0 for domain in parent.domains) <= _LISTABLE


def _values(domains: Iterable[Domain]) -> Iterable[Any]:
    return (value for domain in domains for value in domain.values())
