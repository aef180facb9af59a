"""Reads the keys of a study file that are no sections of fixed names: data, warm_start, storage; looks for secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.mistake import Mistakes, shown
from orchestrator.plain_data import plain_mistake, with_whole_keys
from orchestrator.secret import addresses_with_secrets
from orchestrator.study_file.sections import NAME_PATTERN

_SECRETS_IN = {"storage": "AWS_SECRET_ACCESS_KEY", "tracking": "MLFLOW_TRACKING_PASSWORD"}


def read_data(raw: Any, mistakes: Mistakes) -> dict[str, Any]:
    """Reads `data`; a `root` that is a folder becomes an absolute path."""
    if not isinstance(raw, dict):
        mistakes.add("data", f"must be a mapping such as {{root: data/receipts}}, but got {shown(raw)}")
        return {}
    for key, value in raw.items():
        mistake = plain_mistake(value)
        if mistake:
            mistakes.add(f"data.{key}", mistake)
    data = {key: with_whole_keys(value) for key, value in raw.items()}
    accept = data.pop("accept", None)
    if accept is not None and not (isinstance(accept, list) and all(isinstance(kind, str) for kind in accept)):
        must = "must be a list of findings to take as they are, such as [unseen_characters]"
        mistakes.add("data.accept", f"{must}, but got {shown(accept)}; `tune check` names them")
    root = data.get("root")
    if root is not None and not (isinstance(root, str) and root and "\0" not in root):
        mistakes.add("data.root", f"must be the path of a folder, or synthetic/..., but got {shown(root)}")
    elif root is not None and not root.startswith("synthetic/"):
        data["root"] = os.path.abspath(os.path.expanduser(root))
    return data


def read_warm_start(raw: Any, study: str | None, mistakes: Mistakes) -> tuple[str, ...]:
    """Reads `warm_start`, the names of other studies. study: the name of this one."""
    if not isinstance(raw, list):
        mistakes.add("warm_start", f"must be a list of studies such as [hrnet-last-month], but got {shown(raw)}")
        return ()
    for index, name in enumerate(raw):
        path = f"warm_start[{index}]"
        if not isinstance(name, str) or re.fullmatch(NAME_PATTERN, name) is None:
            mistakes.add(path, f"must be the name of a study, as `tune list` prints it, but got {shown(name)}")
        elif name == study:
            mistakes.add(path, f"must be another study, but {shown(name)} is this one; remove it")
        elif name in raw[:index]:
            mistakes.add(path, f"must differ from the others, but {shown(name)} is there twice; remove one")
    return tuple(name for name in raw if isinstance(name, str))


def read_storage(raw: Any, mistakes: Mistakes) -> str | None:
    """Reads `storage`; a URL stays as it is, a folder becomes an absolute path."""
    if not (isinstance(raw, str) and raw and "\0" not in raw):
        mistakes.add("storage", f"must be a folder, or a URL such as s3://bucket/nightsweep, but got {shown(raw)}")
        return None
    if "://" not in raw:
        return os.path.abspath(os.path.expanduser(raw))
    return raw


def report_secrets(raw: Mapping[str, Any], mistakes: Mistakes) -> None:
    """Reports every address with a password: the ledger keeps the file, and MLflow and the report show it."""
    for path, masked in addresses_with_secrets(raw):
        variable = _SECRETS_IN.get(path.partition(".")[0])
        where = "the environment" + (f", such as {variable}" if variable else "")
        mistakes.add(path, f"must hold no password: put it into {where}; got {masked}")
