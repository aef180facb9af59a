"""Masks what must not be printed or kept: passwords in addresses, tokens on command lines.

Every pattern takes a time in proportion to the text, whatever the text: a trial's error may be one word of a megabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HIDDEN = "***"

_SECRET = re.compile(
    r"(?i)token|passwd|password|passphrase|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|credential"
    r"|authorization"
)
_IN_QUERY = re.compile(r"(?<=[?&])([\w.%-]++)=([^&#\s]++)")
_OF_A_QUERY = re.compile(r"(?i)(.*[_-])?(key|sig|signature)")  # what means a secret there, and elsewhere need not
# NAME=VALUE, NAME: VALUE and "NAME": "VALUE"; a list goes on with another NAME=.
_ASSIGNED = re.compile(
    r"(?<![\w.-])([\w.-]++)([\"']?\s*+[=:]\s*+)"
    r"(\"[^\"\n]*+\"?|'[^'\n]*+'?|(?:[^\s&;,\"']|[&;,](?=[^\s])(?![\w.-]{1,40}+[=:]))++)"
)
_BEARER = re.compile(r"(?i)(?<!\w)(bearer\s++)[\w.~+/=-]{16,}+")
_PORT = re.compile(r"\d{1,5}[/?#]")


def mask(text: str) -> str:
    """Masks the passwords of a text's addresses, and what is assigned to names such as API_TOKEN, by ***."""
    return _ASSIGNED.sub(_mask_assigned, _BEARER.sub(rf"\1{HIDDEN}", mask_addresses(text)))


def mask_addresses(text: str) -> str:
    """Masks the passwords of a text's addresses by ***; what is assigned elsewhere, as in code, stays."""
    first, *others = text.split("://")
    masked = [first]
    for part in others:
        masked.append(_mask_user(part, web=masked[-1].endswith(("http", "https"))))
    return _IN_QUERY.sub(_mask_query, "://".join(masked))


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Masks a command line's words one by one; `--token VALUE` in two words, too."""
    masked: list[str] = []
    for position, word in enumerate(arguments):
        before = arguments[position - 1] if position else ""
        names_it = before.startswith("-") and "=" not in before and _SECRET.search(before) is not None
        masked.append(HIDDEN if names_it and not word.startswith("-") else mask(word))
    return masked


def addresses_with_secrets(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields (path, masked text) of every text in plain data that is an address with a password or a token."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from addresses_with_secrets(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from addresses_with_secrets(item, f"{path}[{index}]")
    elif isinstance(value, str) and "://" in value and (masked := mask_addresses(value)) != value:
        yield path, masked


def _mask_user(part: str, *, web: bool) -> str:
    """Masks a part: what follows `://`. On the web a user without a password is a token, as git's remotes have it."""
    token = part.split(maxsplit=1)[0] if part and not part[0].isspace() else ""
    authority = re.split(r"[/?#]", token, maxsplit=1)[0]
    if "@" in authority:
        user = authority.rpartition("@")[0]
    elif "@" in token and ":" in authority and not _PORT.match(token.partition(":")[2]):
        user = token.rpartition("@")[0]  # a password with / ? or # in it, as databases take them
    else:
        return part
    name, colon, _ = user.partition(":")
    hidden = f"{name}:{HIDDEN}" if colon else HIDDEN if web and user else user
    return hidden + part[len(user) :]


def _mask_query(match: re.Match[str]) -> str:
    name, value = match.groups()
    return f"{name}={HIDDEN if _SECRET.search(name) or _OF_A_QUERY.fullmatch(name) else value}"


def _mask_assigned(match: re.Match[str]) -> str:
    name, between, value = match.groups()
    if not _SECRET.search(name):
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{between}{quote}{HIDDEN}{quote}"
