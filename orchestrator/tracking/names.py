"""Gives params, metrics and tags names that MLflow takes, two of ours never the same."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable

NAME_LENGTH = 250
_MARK_LENGTH = 6  # A dash and five digits.


def legal(name: str) -> str:
    """Returns the name with _ for the characters that MLflow refuses in the names of params and metrics."""
    name = re.sub(r"[^/\w.\- :]", "_", str(name))[:NAME_LENGTH]
    # MLflow takes it for a path that leads outside.
    if name != posixpath.normpath(name) or name.startswith(("/", "..")) or name == ".":
        name = name.replace("/", "_").replace("..", "__")
    return "_" if name in ("", ".") else name


def told_apart(names: Iterable[str], ours: Collection[str] = ()) -> dict[str, str]:
    """Returns, for each name, the one under which MLflow is to have it.

    MLflow has `p_1` for `p@1`, too. Where several names would become one, those that had to be changed end in a mark of
    their own. ours: names that are taken already.
    """
    changed = {name: legal(name) for name in names}
    count = Counter(changed.values())
    return {
        name: new if new not in ours and (count[new] == 1 or new == name) else _marked(name, new)
        for name, new in changed.items()
    }


def _marked(name: str, new: str) -> str:
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[: _MARK_LENGTH - 1]
    return f"{new[: NAME_LENGTH - _MARK_LENGTH]}-{mark}"
