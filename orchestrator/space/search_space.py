"""Holds the search space, as named domains, conditions and constraints; draws configs and completes partial ones."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.mistake import Mistake, shown
from orchestrator.plain_data import PlainValues, same
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

# In a space where one config in 10,000 meets the constraints, so many draws all miss with a chance of e^-20.
DRAWS = 200_000
_LISTABLE = 20_000  # A space of more configs is not listed one by one.


class Unsatisfiable(ValueError):
    """Says that none of the configs drawn meets the constraints."""


@dataclass(frozen=True)
class ByValue:
    """Holds a domain for each value of another name. default: for the values not listed; None where all are listed."""

    parent: str
    domains: tuple[tuple[Any, Domain], ...]
    default: Domain | None = None

    def domain(self, value: Any) -> Domain | None:
        """Returns the domain where the parent has this value; None where there is none."""
        return next((domain for listed, domain in self.domains if same(listed, value)), self.default)


@dataclass(frozen=True)
class Parameter:
    """Describes one name of the space: its domain, or, in `by`, its domain for each value of another name.

    when: the name is in a config only where each of these other names has one of these values.
    default: the value that the trainable uses where nothing is given; None where that is not known.
    """

    name: str
    domain: Domain | None
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    by: ByValue | None = None
    default: Fixed | None = None

    @functools.cached_property
    def _conditions(self) -> dict[str, PlainValues]:
        """Returns the values of `when`, ready to be looked up."""
        return {parent: PlainValues(values) for parent, values in self.when.items()}

    @property
    def parents(self) -> tuple[str, ...]:
        """Returns the names whose values decide about this one."""
        deciding = [] if self.by is None else [self.by.parent]
        return tuple(dict.fromkeys([*self.when, *deciding]))

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Returns every domain that the name can have."""
        if self.by is None:
            return () if self.domain is None else (self.domain,)
        listed = tuple(domain for _, domain in self.by.domains)
        return listed if self.by.default is None else (*listed, self.by.default)

    def domain_in(self, config: Mapping[str, Any]) -> Domain | None:
        """Returns the domain in a config with these values of the parents; None where the name is absent from it."""
        for parent, values in self._conditions.items():
            if parent not in config or config[parent] not in values:
                return None
        if self.by is None:
            return self.domain
        return self.by.domain(config[self.by.parent]) if self.by.parent in config else None

    def absence(self, config: Mapping[str, Any]) -> str:
        """Says why the name is absent from a config with these values of the parents."""
        for parent in self.parents:
            if parent not in config:
                return f"`{parent}` is absent"
        for parent, values in self._conditions.items():
            if config[parent] not in values:
                needed = described(Categorical(self.when[parent]))
                return f"it needs `{parent}` to be {needed}, and that is {shown(config[parent])}"
        return f"it has no domain beside `{self.parents[-1]}` = {shown(config[self.parents[-1]])}"


@dataclass(frozen=True)
class SearchSpace:
    """Holds the names of the space, every name after its parents, and the constraints between them."""

    parameters: Mapping[str, Parameter]
    constraints: tuple[Expression, ...] = ()

    @functools.cached_property
    def fixed(self) -> dict[str, Any]:
        """Returns the names that have the same value in every config, with that value."""
        fixed: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            if all(parent in fixed for parent in parameter.parents):
                domain = parameter.domain_in(fixed)
                if isinstance(domain, Fixed):
                    fixed[name] = domain.value
        return fixed

    @functools.cached_property
    def searched(self) -> list[str]:
        """Returns the names that differ between configs: neither fixed, nor with a condition that is never met."""
        return [name for name, each in self.parameters.items() if name not in self.fixed and self._reachable(each)]

    @functools.cached_property
    def size(self) -> int | None:
        """Returns how many configs there are; None where they are uncountable, or too many to count one by one."""
        bound = self._product()
        if bound is None:
            return None
        if not self.constraints and not any(self.parameters[name].parents for name in self.searched):
            return bound
        return sum(1 for _ in self.configs()) if bound <= _LISTABLE else None

    def sample(self, rng: random.Random) -> dict[str, Any]:
        """Draws a config that meets the constraints. Raises Unsatisfiable."""
        return self._draw({}, rng)

    def complete(self, partial: Mapping[str, Any], rng: random.Random, draws: int = DRAWS) -> dict[str, Any]:
        """Returns a config with the values of `partial`, else the trainable's defaults, else the middle of each domain.

        Where that breaks a constraint, the values that were not given are drawn instead. The values of `partial` are
        not checked against the domains. Raises Unsatisfiable.
        """
        config = self.fill(partial)
        return config if self.meets_constraints(config) else self._draw(partial, rng, draws)

    def fill(self, partial: Mapping[str, Any]) -> dict[str, Any]:
        """Does as `complete` does, but ignores the constraints; leaves out given values whose condition is not met."""
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
        """Yields every config, in a fixed order. All domains must be countable."""
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
    def listable(self) -> bool:
        """Returns whether the configs, constraints aside, are few enough to be listed one by one."""
        bound = self._product()
        return bound is not None and bound <= _LISTABLE

    def broken_constraints(self, config: Mapping[str, Any]) -> list[Mistake]:
        """Lists the constraints that `config` breaks; one that refers to an absent name does not apply."""
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
        """Returns whether the config meets every constraint; one that cannot be computed is not met."""
        try:
            return all(constraint.met(config) for constraint in self.constraints)
        except ExpressionError:
            return False

    def restore(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a config that was stored as JSON with the keys of its mappings as the space has them: 1, not "1"."""
        restored = dict(config)
        for name, parameter in self.parameters.items():
            if name in config:
                listed = (each for each in parameter.domains if isinstance(each, (Fixed, Categorical)))
                domain = next((each for each in listed if each.contains(config[name])), None)
                restored[name] = config[name] if domain is None else domain.listed(config[name])
        return restored

    def draw_unconstrained(self, rng: random.Random, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Draws the values that are not given; the config may break a constraint."""
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
        if not given and self.size:
            return rng.choice(list(self.configs()))
        texts = ", ".join(f"`{constraint.text}`" for constraint in self.constraints)
        beside = " with " + ", ".join(f"{name}={shown(value)}" for name, value in given.items()) if given else ""
        advice = "widen the ranges or loosen the constraints"
        raise Unsatisfiable(f"none of {draws} drawn configs{beside} meets {texts}; {advice}")

    def _reachable(self, parameter: Parameter) -> bool:
        """Returns whether the name can be in a config at all."""
        for parent in parameter.parents:
            if parent not in self.fixed:
                if not self._reachable(self.parameters[parent]):
                    return False
            elif parent in parameter.when and self.fixed[parent] not in parameter._conditions[parent]:
                return False
        return True

    def _product(self) -> int | None:
        """Returns an upper bound of the number of configs; None where a reachable domain is uncountable."""
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
    """Returns a value as a study file fixes it: a list or mapping below `value`, where it means no choice or range."""
    return {"value": value} if isinstance(value, (list, tuple, dict)) else value
