"""Reads the `space` and `constraints` of a study file, and reports every mistake in them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.mistake import Mistakes, did_you_mean, nearest, quoted, shown, unknown_field
from orchestrator.plain_data import canonical
from orchestrator.space.conditions import by_value, condition
from orchestrator.space.config_field import ConfigField
from orchestrator.space.domain import Fixed
from orchestrator.space.domain_parser import DomainParser, Draft
from orchestrator.space.expression import Expression, ExpressionError
from orchestrator.space.search_space import ByValue, Parameter, SearchSpace

_DRAWS = 10_000  # A constraint that none of so many drawn configs meets counts as impossible to meet.
_ENOUGH = 200  # So many configs are tried even where one that meets all constraints is found sooner.
_RESERVED = {"name": "names a baseline", "true": "is a value", "false": "is a value", "null": "is a value"}


def parse_space(
    raw: Mapping[str, Any],
    constraints: Sequence[Any],
    fields: Mapping[str, ConfigField] | None,
    mistakes: Mistakes,
) -> SearchSpace:
    """Returns the space that `raw` describes. fields: of the trainable's Config; None where they are not known.

    Adds mistakes at `space.NAME...` and `constraints[i]`, and leaves out the names that they concern.
    """
    before = len(mistakes)
    drafts = _drafts(raw, fields, mistakes)
    _report_required(raw, fields, mistakes)
    space = SearchSpace(
        _parameters(raw, drafts, fields, mistakes), tuple(_constraints(constraints, raw, fields, mistakes))
    )
    if len(mistakes) == before:
        _report_unmet(space, mistakes)
    return space


def _drafts(raw: Mapping[str, Any], fields: Mapping[str, ConfigField] | None, mistakes: Mistakes) -> dict[str, Draft]:
    """Reads the domain of each name."""
    drafts = {}
    for name, value in raw.items():
        path = f"space.{name}"
        field = None
        if not name.isidentifier():
            must = "a name must be letters, digits and _, not starting with a digit"
            mistakes.add("space", f"{must}, but got {quoted(name)}; rename it", key=name)
        elif name in _RESERVED:
            mistakes.add("space", f"a name must not be `{name}`, which {_RESERVED[name]}; rename it", key=name)
        elif fields is not None and name not in fields:
            mistakes.add("space", unknown_field(name, fields), key=name)
        elif fields is not None:
            field = fields[name]
        draft = DomainParser(field, mistakes).draft(value, path)
        if draft is not None:
            drafts[name] = draft
    return drafts


def _report_required(raw: Mapping[str, Any], fields: Mapping[str, ConfigField] | None, mistakes: Mistakes) -> None:
    """Reports the fields without a default that the space does not always give."""
    unknown = [name for name in raw if fields is not None and name not in fields]
    for name, field in (fields or {}).items():
        if not field.required:
            continue
        because = f"because the trainable has no default for `{name}`"
        if name not in raw and nearest(name, unknown) is None:
            mistakes.add("space", f"`{name}` must be given, as {field.words}, {because}; add `{name}: ...`")
        elif isinstance(raw.get(name), dict) and "when" in raw[name]:
            mistakes.add(f"space.{name}.when", f"must not stand here, {because}; remove it")


def _parameters(
    raw: Mapping[str, Any], drafts: Mapping[str, Draft], fields: Mapping[str, ConfigField] | None, mistakes: Mistakes
) -> dict[str, Parameter]:
    """Turns drafts into parameters, in the order of the file; leaves out, silently, a name whose parent is wrong."""
    _report_parents(raw, drafts, fields, mistakes)
    parameters: dict[str, Parameter] = {}
    for name, draft in drafts.items():
        path = f"space.{name}"
        before = len(mistakes)
        if any(parent not in parameters for parent in draft.parents):
            continue
        when = {
            parent: condition(parameters[parent], (fields or {}).get(parent), value, f"{path}.when.{parent}", mistakes)
            for parent, value in draft.when.items()
        }
        by: ByValue | None = None
        if draft.by is not None:
            by = by_value(parameters[draft.by], (fields or {}).get(draft.by), draft, path, mistakes)
        if len(mistakes) == before:
            parameters[name] = Parameter(name, draft.domain, when, by, _default((fields or {}).get(name)))
    return parameters


def _report_parents(
    raw: Mapping[str, Any], drafts: Mapping[str, Draft], fields: Mapping[str, ConfigField] | None, mistakes: Mistakes
) -> None:
    """Reports conditions on a name that is missing or comes later, and conditions that form a circle."""
    parents = {name: draft.parents for name, draft in drafts.items()}
    names = list(raw)
    circles = set()
    for name, draft in drafts.items():
        for parent in draft.parents:
            where = f"space.{name}.when" if parent in draft.when else f"space.{name}.by"
            cycle = _cycle(name, parent, parents)
            if parent not in raw and fields is not None and parent in fields:
                mistakes.add(
                    where, f"must be about a name of `space`, but `{parent}` is not there; add it above `{name}`"
                )
            elif parent not in raw:
                hint = did_you_mean(parent, names)
                mistakes.add(where, f"must be about a name of `space`, but got {quoted(parent)}{hint}")
            elif cycle is not None and frozenset(cycle) not in circles:
                circles.add(frozenset(cycle))
                around = " needs ".join(f"`{step}`" for step in cycle)
                mistakes.add(where, f"must not depend on itself, but {around}; break the cycle")
            elif cycle is None and names.index(parent) > names.index(name):
                must = "must be about an earlier name"
                mistakes.add(where, f"{must}, but `{parent}` comes later; move `{parent}` above `{name}`")


def _cycle(name: str, parent: str, parents: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Returns the names from `name` over `parent` back to `name`; None where the way does not lead back."""
    stack = [[name, parent]]
    seen = set()
    while stack:
        way = stack.pop()
        if way[-1] == name:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            stack.extend([*way, above] for above in parents.get(way[-1], ()))
    return None


def _default(field: ConfigField | None) -> Fixed | None:
    """Returns the field's default, if it has one that is plain data."""
    if field is None or field.required:
        return None
    try:
        canonical(field.default)
    except (TypeError, ValueError):  # The default is an object that cannot be written in a file.
        return None
    return Fixed(field.default)


def _constraints(
    texts: Sequence[Any], raw: Mapping[str, Any], fields: Mapping[str, ConfigField] | None, mistakes: Mistakes
) -> Iterator[Expression]:
    """Yields the constraints that can be parsed and refer only to names of the space."""
    for index, text in enumerate(texts):
        path = f"constraints[{index}]"
        if not isinstance(text, str):
            example = "lr * batch_size <= 8e-3"
            mistakes.add(path, f"must be text such as `{example}`, but got {shown(text)}; put it between quotes")
            continue
        try:
            expression = Expression.parse(text)
        except ExpressionError as error:
            mistakes.add(path, str(error))
            continue
        unknown = [name for name in expression.names if name not in raw]
        for name in unknown:
            there = fields is not None and name in fields
            hint = "; add it to `space`" if there else did_you_mean(name, raw)
            mistakes.add(path, f"must be about names of `space`, but got {quoted(name)}{hint}")
        if not unknown:
            yield expression


def _report_unmet(space: SearchSpace, mistakes: Mistakes) -> None:
    """Reports constraints that no config meets, or that cannot be computed for some config."""
    if not space.constraints:
        return
    free = SearchSpace(space.parameters)
    rng = random.Random(0)
    listable = free.listable
    drawn = free.configs() if listable else (free.draw_unconstrained(rng) for _ in range(_DRAWS))
    met_by = [0] * len(space.constraints)
    met_all = count = 0
    for config in drawn:
        count += 1
        met = []
        for index, constraint in enumerate(space.constraints):
            try:
                met.append(constraint.met(config))
            except ExpressionError as error:
                mistakes.add(f"constraints[{index}]", str(error))
                return
            met_by[index] += met[-1]
        met_all += all(met)
        if met_all and count >= _ENOUGH:
            return
    if met_all:
        return
    if count == 1:  # Everything is fixed, so that the message can say the values.
        mistakes.extend(space.broken_constraints(next(free.configs())))
        return
    none = f"none of {'the ' if listable else ''}{count} {'' if listable else 'drawn '}configs"
    alone = [index for index, configs in enumerate(met_by) if configs == 0]
    for index in alone:
        what = f"some config must meet it, but {none} meets `{space.constraints[index].text}`"
        mistakes.add(f"constraints[{index}]", f"{what}; widen the ranges or loosen it")
    if not alone:
        texts = " and ".join(f"`{constraint.text}`" for constraint in space.constraints)
        mistakes.add("constraints", f"some config must meet them all, but {none} meets {texts}; loosen one of them")
