"""The search space: named domains, conditions, constraints; draws configs, completes and checks them."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.mistake import Mistake, shown, unknown_field
from orchestrator.plain_data import same
from orchestrator.space.domain import Categorical, Domain, Fixed, Float, Int, described
from orchestrator.space.expression import Expression, ExpressionError

__all__ = [
    "ByValue",
    "Categorical",
    "Domain",
    "Fixed",
    "Float",
    "Int",
    "Parameter",
    "SearchSpace",
    "Unsatisfiable",
    "as_fixed",
]

DRAWS = 200_000  # a space in which the parser met one config in 10,000 draws fails here with a chance of e^-20
_ENUMERABLE = 20_000  # configs that are counted one by one


class Unsatisfiable(ValueError):
    """None of the configs drawn meets the constraints."""


@dataclass(frozen=True)
class ByValue:
    """A domain for each value of another name. default: for the values not listed; None where all are listed."""

    parent: str
    domains: tuple[tuple[Any, Domain], ...]
    default: Domain | None = None

    def domain(self, value: Any) -> Domain | None:
        return next((domain for listed, domain in self.domains if same(listed, value)), self.default)


@dataclass(frozen=True)
class Parameter:
    """One name of the space: a domain, or one `by` another name's value.

    when: the name is in a config only where each of these others has one of these values.
    default: what the trainable takes where nothing is given; None where that is not known.
    """

    name: str
    domain: Domain | None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    by: ByValue | None = None
    default: Fixed | None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """The names that decide about this one."""
        deciding = [] if self.by is None else [self.by.parent]
        return tuple(dict.fromkeys([*self.when, *deciding]))

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Every domain that the name can have."""
        if self.by is None:
            return () if self.domain is None else (self.domain,)
        listed = tuple(domain for _, domain in self.by.domains)
        return listed if self.by.default is None else (*listed, self.by.default)

    def domain_in(self, config: Mapping[str, Any]) -> Domain | None:
        """The domain beside the values of `config`, which holds the parents' values; None: the name is absent there."""
        for parent, values in self.when.items():
            if parent not in config or not any(same(config[parent], value) for value in values):
                return None
        if self.by is None:
            return self.domain
        return self.by.domain(config[self.by.parent]) if self.by.parent in config else None

    def absence(self, config: Mapping[str, Any]) -> str:
        """Why the name is absent beside the values of `config`."""
        for parent in self.parents:
            if parent not in config:
                return f"`{parent}` is absent"
        for parent, values in self.when.items():
            if not any(same(config[parent], value) for value in values):
                return (
                    f"it needs `{parent}` to be {described(Categorical(values))}, and that is {shown(config[parent])}"
                )
        return f"it has no domain beside `{self.parents[-1]}` = {shown(config[self.parents[-1]])}"


@dataclass(frozen=True)
class SearchSpace:
    """Names in an order in which parents come first, and what must hold between them."""

    parameters: Mapping[str, Parameter]
    constraints: tuple[Expression, ...] = ()

    @functools.cached_property
    def fixed(self) -> dict[str, Any]:
        """The names with one value in every config, with it."""
        fixed: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if all(parent in fixed for parent in parameter.parents):
                domain = parameter.domain_in(fixed)
                if isinstance(domain, Fixed):
                    fixed[name] = domain.value
        return fixed

    @functools.cached_property
    def searched(self) -> list[str]:
        """The names that differ between configs; not the fixed ones, nor those whose condition is never met."""
        return [name for name, each in self.parameters.items() if name not in self.fixed and self._reachable(each)]

    @functools.cached_property
    def size(self) -> int | None:
        """How many configs there are; None where there are uncountably many, or too many to count one by one."""
        bound = self._product()
        if bound is None:
            return None
        if not self.constraints and not any(self.parameters[name].parents for name in self.searched):
            return bound
        return sum(1 for _ in self.configs()) if bound <= _ENUMERABLE else None

    def domain_in(self, name: str, config: Mapping[str, Any]) -> Domain | None:
        """The domain of `name` beside the values of `config`; None where it is absent."""
        return self.parameters[name].domain_in(config)

    def sample(self, rng: random.Random) -> dict[str, Any]:
        """A config drawn from the domains, among those that meet the constraints. Raises Unsatisfiable."""
        return self._draw({}, rng)

    def complete(self, partial: Mapping[str, Any], rng: random.Random, draws: int = DRAWS) -> dict[str, Any]:
        """A config with the values of `partial`, else the trainable's defaults, else the middle of each domain.

        Where that breaks a constraint, what was not given is drawn instead. Values are not checked against the domains.
        Raises Unsatisfiable.
        """
        config = self.fill(partial)
        return config if self.meets_constraints(config) else self._draw(partial, rng, draws)

    def fill(self, partial: Mapping[str, Any]) -> dict[str, Any]:
        """`complete` without regard to the constraints. A value of `partial` whose condition is not met is left out."""
        config: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            domain = parameter.domain_in(config)
            if domain is None:
                continue
            if name in partial:
                config[name] = partial[name]
            elif parameter.default is not None and domain.contains(parameter.default.value):
                config[name] = parameter.default.value
            else:
                config[name] = domain.middle
        return config

    def configs(self) -> Iterator[dict[str, Any]]:
        """Every config, in a fixed order; only where all domains are countable."""
        parameters = list(self.parameters.values())

        def extend(config: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
            if index == len(parameters):
                if self.meets_constraints(config):
                    yield config
                return
            domain = parameters[index].domain_in(config)
            if domain is None:
                yield from extend(config, index + 1)
                return
            for value in domain.values():
                yield from extend({**config, parameters[index].name: value}, index + 1)

        return extend({}, 0)

    @property
    def countable(self) -> bool:
        """Are the configs, met or not by the constraints, few enough to be counted one by one?"""
        bound = self._product()
        return bound is not None and bound <= _ENUMERABLE

    def contains(self, config: Mapping[str, Any]) -> bool:
        return not self.problems_of(config)

    def problems_of(self, config: Mapping[str, Any]) -> list[Mistake]:
        """What keeps `config` from being a config of this space; paths are names, or `constraints[i]`."""
        unknown = [str(name) for name in config if name not in self.parameters]
        found = [Mistake("", unknown_field(name, self.parameters, "name")) for name in unknown]
        for name, parameter in self.parameters.items():
            domain = parameter.domain_in(config)
            if domain is None and name in config:
                found.append(Mistake(name, f"must be absent, because {parameter.absence(config)}; remove it"))
            elif domain is not None and name not in config:
                found.append(Mistake(name, f"must be given, as {described(domain)}"))
            elif domain is not None and not domain.contains(config[name]):
                found.append(Mistake(name, f"must be {described(domain)}, but got {shown(config[name])}"))
        return found or self.broken_constraints(config)

    def broken_constraints(self, config: Mapping[str, Any]) -> list[Mistake]:
        """The constraints that `config` breaks; one that names an absent parameter does not apply."""
        found = []
        for index, constraint in enumerate(self.constraints):
            try:
                if constraint.met(config):
                    continue
                got = ", ".join(f"{name}={shown(config[name])}" for name in constraint.names)
            except ExpressionError as error:
                got = f"one that {error}"
            found.append(Mistake(f"constraints[{index}]", f"`{constraint.text}` must hold, but got {got}"))
        return found

    def meets_constraints(self, config: Mapping[str, Any]) -> bool:
        """A constraint that cannot be computed is not met."""
        try:
            return all(constraint.met(config) for constraint in self.constraints)
        except ExpressionError:
            return False

    def restore(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A config of this space that was kept as JSON, with the keys of its mappings as they were: 1, not "1"."""
        restored = dict(config)
        for name, parameter in self.parameters.items():
            if name in config:
                values = [v for d in parameter.domains if isinstance(d, (Fixed, Categorical)) for v in d.values()]
                restored[name] = next((value for value in values if same(value, config[name])), config[name])
        return restored

    def draw_unconstrained(self, rng: random.Random, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A config drawn from the domains, beside the values given; it may break a constraint."""
        config: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            domain = parameter.domain_in(config)
            if domain is not None:
                config[name] = given[name] if given is not None and name in given else domain.sample(rng)
        return config

    def _draw(self, given: Mapping[str, Any], rng: random.Random, draws: int = DRAWS) -> dict[str, Any]:
        for _ in range(draws):
            config = self.draw_unconstrained(rng, given)
            if self.meets_constraints(config):
                return config
        if not given and self.size:  # few enough to be listed
            return rng.choice(list(self.configs()))
        texts = ", ".join(f"`{constraint.text}`" for constraint in self.constraints)
        beside = " with " + ", ".join(f"{name}={shown(value)}" for name, value in given.items()) if given else ""
        advice = "widen the ranges or loosen the constraints"
        raise Unsatisfiable(f"none of {draws} drawn configs{beside} meets {texts}; {advice}")

    def _reachable(self, parameter: Parameter) -> bool:
        """Can the name be in a config at all?"""
        for parent in parameter.parents:
            if parent not in self.fixed:
                if not self._reachable(self.parameters[parent]):
                    return False
            elif parent in parameter.when and not any(
                same(self.fixed[parent], value) for value in parameter.when[parent]
            ):
                return False
        return True

    def _product(self) -> int | None:
        """At least as many as there are configs; None where a reachable domain is uncountable."""
        product = 1
        for name in self.searched:
            parameter = self.parameters[name]
            domains = parameter.domains
            if parameter.by is not None and parameter.by.parent in self.fixed:
                chosen = parameter.by.domain(self.fixed[parameter.by.parent])
                domains = () if chosen is None else (chosen,)
            sizes = [domain.size for domain in domains]
            if None in sizes:
                return None
            product *= sum(size for size in sizes if size is not None) + (1 if parameter.parents else 0)
        return product


def as_fixed(value: Any) -> Any:
    """How a study file fixes `value`: lists and mappings, which else mean a choice or a range, stand below `value`."""
    return {"value": value} if isinstance(value, (list, tuple, dict)) else value
