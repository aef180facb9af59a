"""Makes the `--smoke` version of a study: the same parts, but minutes of work on a CPU to prove that they fit."""

from __future__ import annotations

import shutil
from typing import Any

from orchestrator.errors import InputMistake
from orchestrator.home import Home
from orchestrator.space.search_space import as_fixed
from orchestrator.study_file.study_spec import StudySpec, parse_study
from trainables import load_trainable

SMOKE = "-smoke"  # how the name of such a study ends


def smoke_version(spec: StudySpec) -> StudySpec:
    """Returns `spec` with the trainable's smoke overrides and two trials of one CPU each, under the name STUDY-smoke.

    Raises InputMistake if the trainable has no `smoke`.
    """
    overrides = load_trainable(spec.trainable).smoke
    if overrides is None:
        raise InputMistake(
            f"--smoke: trainable `{spec.trainable}` must have an attribute `smoke` (a mapping with `space` and `data` "
            "overrides that need no GPU, no data and no network), but has none"
        )
    raw: dict[str, Any] = dict(spec.raw)
    fixed = {name: as_fixed(value) for name, value in overrides.get("space", {}).items()}
    raw["study"] = f"{spec.study}{SMOKE}"
    raw["space"] = {name: _without_conditions(domain, fixed) for name, domain in raw.get("space", {}).items()} | fixed
    raw["data"] = dict(overrides.get("data", raw.get("data", {})))
    raw["budget"] = {"trials": 2}
    raw["resources"] = {"gpu": 0, "cpu": 1}
    raw["scheduler"] = {"name": "none"}
    raw.pop("baselines", None)  # Their values may differ from what is now fixed.
    raw.pop("constraints", None)
    raw.pop("warm_start", None)
    raw.pop("storage", None)
    return parse_study(raw, f"{spec.study} (--smoke)")


def forget_checkpoints(home: Home, study: str) -> None:
    """Deletes the checkpoints of a smoke test that has ended: they can be written, which was to be proved."""
    for folder in home.study(study).glob("trials/*/checkpoint"):
        shutil.rmtree(folder, ignore_errors=True)


def _without_conditions(domain: Any, fixed: dict[str, Any]) -> Any:
    """Returns a domain without its `when` if that names something that is now fixed: it then always applies."""
    if isinstance(domain, dict) and "when" in domain and domain["when"].keys() & fixed.keys():
        return {key: value for key, value in domain.items() if key != "when"}
    return domain
