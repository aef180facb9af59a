"""Reads the `space` and `constraints` of a study file, and says everything that is wrong with them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.config_field import ConfigField
from orchestrator.domain import Fixed, canonical
from orchestrator.domain_parser import DomainParser, Draft
from orchestrator.expression import Expression, ExpressionError
from orchestrator.problem import Problems, did_you_mean, nearest, quoted, shown, unknown_field
from orchestrator.search_space import ByValue, Parameter, SearchSpace
from orchestrator.space_conditions import by_value, condition

_DRAWS = 10_000  # configs drawn before a constraint counts as impossible to meet
_ENOUGH = 200  # configs in which every constraint could be computed, one of them meeting all
_RESERVED = {"name": "names a baseline", "true": "is a value", "false": "is a value", "null": "is a value"}


def parse_space(
    raw: Mapping[str, Any],
    constraints: Sequence[Any],
    fields: Mapping[str, ConfigField] | None,
    problems: Problems,
) -> SearchSpace:
    """The space that `raw` describes; `fields` is the schema of its names, None without one.

    Mistakes go into `problems`, at `space.NAME...` and `constraints[i]`; the names they concern are then left out.
    """
    before = len(problems)
    drafts = _drafts(raw, fields, problems)
    _report_required(raw, fields, problems)
    space = SearchSpace(_parameters(raw, drafts, fields, problems), tuple(_constraints(constraints, raw, fields, problems)))
    if len(problems) == before:
        _report_unmet(space, problems)
    return space


def _drafts(raw: Mapping[str, Any], fields: Mapping[str, ConfigField] | None, problems: Problems) -> dict[str, Draft]:
    drafts = {}
    for name, value in raw.items():
        path = f"space.{name}"
        field = None
        if not name.isidentifier():
            problems.add("space", f"a name must be letters, digits and _, not starting with a digit, but got {quoted(name)}; rename it")
        elif name in _RESERVED:
            problems.add("space", f"a name must not be `{name}`, which {_RESERVED[name]}; rename it")
        elif fields is not None and name not in fields:
            problems.add("space", unknown_field(name, fields))
        elif fields is not None:
            field = fields[name]
        draft = DomainParser(field, problems).draft(value, path)
        if draft is not None:
            drafts[name] = draft
    return drafts


def _report_required(raw: Mapping[str, Any], fields: Mapping[str, ConfigField] | None, problems: Problems) -> None:
    for name, field in (fields or {}).items():
        if not field.required:
            continue
        if name not in raw and nearest(name, [given for given in raw if given not in (fields or {})]) is None:
            problems.add("space", f"`{name}` must be given ({field.words}), because the trainable has no default for it; add `{name}: ...`")
        elif isinstance(raw.get(name), dict) and "when" in raw[name]:
            problems.add(f"space.{name}.when", f"must not stand here, because the trainable has no default for `{name}`; remove it")


def _parameters(
    raw: Mapping[str, Any], drafts: Mapping[str, Draft], fields: Mapping[str, ConfigField] | None, problems: Problems
) -> dict[str, Parameter]:
    """Drafts to parameters, in the order of the file; a name whose parent is faulty is left out without a word."""
    parents = {name: draft.parents for name, draft in drafts.items()}
    names = list(raw)
    parameters: dict[str, Parameter] = {}
    for name, draft in drafts.items():
        path = f"space.{name}"
        before = len(problems)
        for parent in draft.parents:
            where = f"{path}.when" if parent in draft.when else f"{path}.by"
            cycle = _cycle(name, parent, parents)
            if parent not in raw:
                there = " is a name of the trainable; add it to `space`, above" if fields is not None and parent in fields else ""
                hint = f", but {quoted(parent)}{there}" if there else f", but got {quoted(parent)}{did_you_mean(parent, names)}"
                problems.add(where, f"must be about a name of `space`{hint}")
            elif cycle is not None:
                problems.add(where, "must not depend on itself, but " + " needs ".join(f"`{step}`" for step in cycle) + "; break the cycle")
            elif names.index(parent) > names.index(name):
                problems.add(where, f"must be about an earlier name, but `{parent}` comes later; move `{parent}` above `{name}`")
        if len(problems) > before or any(parent not in parameters for parent in draft.parents):
            continue
        when = {
            parent: condition(parameters[parent], (fields or {}).get(parent), value, f"{path}.when.{parent}", problems)
            for parent, value in draft.when.items()
        }
        by: ByValue | None = None
        if draft.by is not None:
            by = by_value(parameters[draft.by], (fields or {}).get(draft.by), draft, path, problems)
        if len(problems) == before:
            parameters[name] = Parameter(name, draft.domain, when, by, _default((fields or {}).get(name)))
    return parameters


def _cycle(name: str, parent: str, parents: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The way from `name` over `parent` back to `name`, if there is one."""
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
    if field is None or field.required:
        return None
    try:
        canonical(field.default)
    except (TypeError, ValueError):  # an object that no file can name
        return None
    return Fixed(field.default)


def _constraints(
    texts: Sequence[Any], raw: Mapping[str, Any], fields: Mapping[str, ConfigField] | None, problems: Problems
) -> Iterator[Expression]:
    for index, text in enumerate(texts):
        path = f"constraints[{index}]"
        if not isinstance(text, str):
            problems.add(path, f"must be text such as `lr * batch_size <= 8e-3`, but got {shown(text)}; put it between quotes")
            continue
        try:
            expression = Expression.parse(text)
        except ExpressionError as error:
            problems.add(path, str(error))
            continue
        unknown = [name for name in expression.names if name not in raw]
        for name in unknown:
            if fields is not None and name in fields:
                problems.add(path, f"must be about names of `space`, but got `{name}`, which is not there; add it to `space`")
            else:
                problems.add(path, f"must be about names of `space`, but got {quoted(name)}{did_you_mean(name, raw)}")
        if not unknown:
            yield expression


def _report_unmet(space: SearchSpace, problems: Problems) -> None:
    """A constraint that no config meets, or that cannot be computed for some."""
    if not space.constraints:
        return
    free = SearchSpace(space.parameters)
    rng = random.Random(0)
    countable = free.countable
    drawn = free.configs() if countable else (free.draw_unconstrained(rng) for _ in range(_DRAWS))
    met_by = [0] * len(space.constraints)
    met_all = count = 0
    for config in drawn:
        count += 1
        met = []
        for index, constraint in enumerate(space.constraints):
            try:
                met.append(constraint.met(config))
            except ExpressionError as error:
                problems.add(f"constraints[{index}]", str(error))
                return
            met_by[index] += met[-1]
        met_all += all(met)
        if met_all and count >= _ENOUGH:
            return
    if met_all:
        return
    who = f"none of the {count} configs" if countable else f"none of {count} drawn configs"
    if count == 1:
        who = "the only config does not; it"
    alone = [index for index, met_count in enumerate(met_by) if met_count == 0]
    for index in alone:
        text = space.constraints[index].text
        if count == 1:
            problems.add(f"constraints[{index}]", _broken_by_the_only(space, index, free))
        else:
            problems.add(f"constraints[{index}]", f"some config must meet it, but {who} meets `{text}`; widen the ranges or loosen it")
    if not alone:
        texts = " and ".join(f"`{constraint.text}`" for constraint in space.constraints)
        problems.add("constraints", f"some config must meet them all, but {who} meets {texts} together; loosen one")


def _broken_by_the_only(space: SearchSpace, index: int, free: SearchSpace) -> str:
    config = next(free.configs())
    constraint = space.constraints[index]
    values = ", ".join(f"{name}={shown(config[name])}" for name in constraint.names)
    return f"`{constraint.text}` must hold, but got {values}"
