"""Reads the `baselines` of a study file: configs, given in part or in full, that are tried first and compared with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.mistake import Mistakes, did_you_mean, quoted, shown
from orchestrator.plain_data import config_key, plain_mistake, with_whole_keys
from orchestrator.space.config_field import ConfigField, WrongValue
from orchestrator.space.domain import Fixed, described
from orchestrator.space.search_space import Parameter, SearchSpace, Unsatisfiable

_DRAWS = 10_000  # A baseline that so many draws do not complete counts as impossible to complete.


@dataclass(frozen=True)
class Baseline:
    """Holds a config to compare with. values: those that the file gives; `SearchSpace.complete` adds the rest."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)


def parse_baselines(
    raw: Any,
    names: Mapping[str, Any],
    space: SearchSpace,
    fields: Mapping[str, ConfigField] | None,
    mistakes: Mistakes,
) -> list[Baseline]:
    """Returns the baselines of the file; adds mistakes at `baselines[i].NAME`.

    names: everything that the file has under `space`. Names that `space` lacks were wrong there, so that a baseline may
    give them any value.
    """
    if not isinstance(raw, list):
        example = "- {name: by hand, lr: 1e-3}"
        mistakes.add("baselines", f"must be a list of mappings such as `{example}`, but got {shown(raw)}")
        return []
    found: list[Baseline] = []
    first_with: dict[str, str] = {}  # The key is a name or a config, the value the path of the baseline that has it.
    for index, item in enumerate(raw):
        path = f"baselines[{index}]"
        if not isinstance(item, dict):
            mistakes.add(path, f"must be a mapping of names to values, but got {shown(item)}")
            continue
        before = len(mistakes)
        name = item.get("name", f"baseline {index + 1}")
        if not isinstance(name, str) or not name.strip():
            mistakes.add(f"{path}.name", f"must be text, but got {shown(name)}")
        elif first_with.setdefault(f"name {name}", path) != path:
            other = first_with[f"name {name}"]
            mistakes.add(f"{path}.name", f"must differ from the others, but {other} is {shown(name)} too; rename one")
        values = _values(item, path, names, space, fields, mistakes)
        whole = len(space.parameters) == len(names)
        if len(mistakes) == before:
            _check(values, path, space if whole else _unconditional(space), mistakes)
        if len(mistakes) > before or not whole:
            continue
        found.append(Baseline(name, values))
        key = f"config {config_key(space.fill(values))}"
        if first_with.setdefault(key, path) != path:
            other = first_with[key]
            mistakes.add(path, f"must differ from the others, but is the same config as {other}; remove one")
    return found


def _unconditional(space: SearchSpace) -> SearchSpace:
    """Returns the names that have a domain of their own, without conditions: enough to check each value alone."""
    return SearchSpace({name: Parameter(name, each.domain) for name, each in space.parameters.items() if each.domain})


def _values(
    item: Mapping[str, Any],
    path: str,
    names: Mapping[str, Any],
    space: SearchSpace,
    fields: Mapping[str, ConfigField] | None,
    mistakes: Mistakes,
) -> dict[str, Any]:
    """Reads the values of one baseline, each converted to the type of its field."""
    values: dict[str, Any] = {}
    for name, value in item.items():
        if name == "name":
            continue
        if name not in names:
            where = "; add it to `space`" if fields is not None and name in fields else did_you_mean(name, names)
            mistakes.add(path, f"must hold names of `space`, but got {quoted(name)}{where}", key=name)
            continue
        mistake = plain_mistake(value)
        if mistake:
            mistakes.add(f"{path}.{name}", mistake)
            continue
        try:
            values[name] = with_whole_keys(value) if fields is None or name not in fields else fields[name].read(value)
        except WrongValue as wrong:
            mistakes.add(f"{path}.{name}", str(wrong))
    return values


def _check(values: Mapping[str, Any], path: str, space: SearchSpace, mistakes: Mistakes) -> None:
    """Checks that the values lie inside their domains, and that the constraints can be met."""
    before = len(mistakes)
    filled = space.fill(values)
    for name, value in values.items():
        if name not in space.parameters:
            continue
        parameter = space.parameters[name]
        domain = parameter.domain_in(filled)
        if domain is None:
            missing = [f"`{parent}`" for parent in parameter.parents if parent not in values]
            advice = f"give {' and '.join(missing)} here too, or remove it" if missing else "remove it"
            mistakes.add(f"{path}.{name}", f"must be absent, because {parameter.absence(filled)}; {advice}")
        elif not domain.contains(value):
            must, advice = described(domain), "widen the domain in `space`, or change the value"
            if isinstance(domain, Fixed):
                must, advice = f"{must}, its value in `space`", "make it a choice there, or leave it out here"
            mistakes.add(f"{path}.{name}", f"must be {must}, but got {shown(value)}; {advice}")
    if len(mistakes) > before:
        return
    settled = {name: value for name, value in filled.items() if name in values or name in space.fixed}
    for broken in space.broken_constraints(settled):
        mistakes.add(path, broken.message)
    if len(mistakes) == before:
        try:
            space.complete(values, random.Random(0), draws=_DRAWS)
        except Unsatisfiable as unsatisfiable:
            mistakes.add(path, str(unsatisfiable))
