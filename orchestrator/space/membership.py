"""Translates a config that was tried under another space into this one, or says why it does not belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.mistake import shown
from orchestrator.plain_data import is_number, same
from orchestrator.space.domain import Fixed, described
from orchestrator.space.search_space import SearchSpace

# Where all trials have one number of epochs, it limits each trial, and makes no difference between configs.
LIMIT = "epochs"


class NotInSpace(ValueError):
    """Says in one line why a config is not one of the space."""


def as_config_of(space: SearchSpace, config: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the config of `space` that trains just as `config` does. Raises NotInSpace.

    defaults: the values that the trainable uses for names that are not given. A name that only one of the two spaces
    has makes no difference where its value is that default. Where the space has one number of epochs for all trials, a
    smaller number counts as that one.
    """
    found: dict[str, Any] = {}
    for name, parameter in space.parameters.items():
        domain = parameter.domain_in(found)
        if domain is None:
            if name in config:
                _must_be_default(name, config, defaults, because=parameter.absence(found))
            continue
        if name not in config and name not in defaults:
            raise NotInSpace(f"`{name}` must be {described(domain)}, but was not given")
        value = config.get(name, defaults.get(name))
        if name == LIMIT and isinstance(domain, Fixed) and _at_most(value, domain.value):
            value = domain.value
        if not domain.contains(value):
            by_itself = "" if name in config else ", what the trainable took by itself"
            raise NotInSpace(f"`{name}` must be {described(domain)}, but is {shown(value)}{by_itself}")
        found[name] = value
    for name in config:
        shortened = name == LIMIT and _at_most(config[name], defaults.get(name))
        if name not in space.parameters and not shortened:
            _must_be_default(name, config, defaults, because="`space` names it no more")
    for broken in space.broken_constraints(found):
        raise NotInSpace(broken.message)
    return space.restore(found)


def config_as_now(space: SearchSpace, config: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the config of a trial that counts, in the words of `space`, whatever the trainable's defaults are now."""
    try:
        return as_config_of(space, config, defaults)
    except NotInSpace:  # A default of the trainable's changed since the trial was found to lie in the space.
        return space.restore(config)


def limit_of(space: SearchSpace, defaults: Mapping[str, Any]) -> int | None:
    """Returns the number of epochs that all configs share; None where it is searched for, or not known."""
    limit = space.fixed.get(LIMIT) if LIMIT in space.parameters else defaults.get(LIMIT)
    return limit if isinstance(limit, int) and not isinstance(limit, bool) else None


def _must_be_default(name: str, config: Mapping[str, Any], defaults: Mapping[str, Any], *, because: str) -> None:
    """Raises NotInSpace unless the value is the trainable's default. because: why the space has no such name."""
    if name not in defaults:
        raise NotInSpace(f"`{name}` must be absent, because {because}, but is {shown(config[name])}")
    if not same(config[name], defaults[name]):
        must = f"must be {shown(defaults[name])}, the trainable's own value, because {because}"
        raise NotInSpace(f"`{name}` {must}, but is {shown(config[name])}")


def _at_most(value: Any, limit: Any) -> bool:
    return is_number(value) and is_number(limit) and value <= limit
