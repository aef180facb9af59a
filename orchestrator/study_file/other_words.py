"""Answers keys and values of other tools' files by their meaning: W&B, Optuna, Ray Tune, NNI, PyTorch Lightning."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.mistake import shown
from orchestrator.plain_data import is_number
from orchestrator.space.other_words import flow

_TRIALS = "n_trials run_cap num_samples max_trials num_trials max_evals n_iter n_calls max_trial_number trial_count"
_SECONDS = "timeout time_budget_s time_budget max_duration max_experiment_duration timeout_s seconds"
_CONCURRENT = "n_jobs max_concurrent_trials max_concurrent trial_concurrency parallel parallelism workers jobs"

# A key of ours as a path, `SECTION.KEY` -> what others call it. A path of one word is a whole section.
_KEYS = {
    "study": "name study_name sweep experiment experiment_name title id",
    "trainable": "program command entrypoint entry_point script trial_command task",
    "space": "parameters params param_space search_space searchspace hyperparameters distributions parameter_space",
    "objective": "metric metrics",
    "objective.metric": "metric_name monitor",
    "objective.mode": "mode goal direction directions optimize optimize_mode",
    "search.sampler": "method sampler tuner algorithm algo search_alg searcher strategy",
    "search.seed": "seed random_state random_seed",
    "scheduler": "early_terminate pruner early_stopping assessor stopper",
    "scheduler.grace_epochs": "grace_period min_iter min_t min_resource warmup_steps n_warmup_steps",
    "scheduler.eta": "eta reduction_factor factor",
    "space.epochs": "epochs max_t max_epochs max_iter max_resource num_epochs n_epochs",
    "budget.trials": f"{_TRIALS} trials",
    "budget.hours": f"{_SECONDS} hours max_hours",
    "budget.until": "until deadline",
    "budget.target": "target target_value stop",
    "budget.patience": "patience",
    "resources": "resources_per_trial resources_per_worker scaling_config",
    "resources.concurrent": _CONCURRENT,
    "resources.gpu": "gpu gpus num_gpus gpus_per_trial trial_gpu_number",
    "resources.cpu": "cpu cpus num_cpus cpus_per_trial cores",
    "data.root": "dataset data_dir data_path data_root datadir root train_data",
    "tracking.uri": "tracking_uri mlflow_uri mlflow_tracking_uri",
}
_BY_WORD = [(path, words.split()) for path, words in _KEYS.items()]
# Within a section some words mean another key than at the top.
_WITHIN = {
    "objective": {"name": "objective.metric", "metric": "objective.metric"},
    "search": {"name": "search.sampler", "type": "search.sampler"},
    "scheduler": {"type": "scheduler.name", "method": "scheduler.name", "class": "scheduler.name"},
    "tracking": {"url": "tracking.uri", "address": "tracking.uri"},
}
_NOT_NEEDED = {
    "project": "a study's name is its experiment in MLflow",
    "entity": "a study's name is its experiment in MLflow",
    "load_if_exists": "every start goes on with the study of that name",
    "resume": "every start goes on with the study of that name",
    "verbose": "what a trial prints is in its log.txt",
    "n_startup_trials": "the sampler has no settings",
}
_MAX = ("max", "maximize", "maximise", "maximum", "maximizing", "higher", "desc", "descending")
_MIN = ("min", "minimize", "minimise", "minimum", "minimizing", "lower", "asc", "ascending")
_NO_SCHEDULER = ("fifo", "nop", "noppruner", "null", "false", "off")
_AUTO = (
    "bayes bayesian bayesopt bo tpe tpesampler gp gpsampler cmaes cma hyperopt optuna bohb evolution grid gridsampler"
)


def key_in_our_words(section: str, key: str, value: Any) -> str | None:
    """Returns what a study file writes for an unknown key, `budget: {trials: 40}` or `mode: max`; None if unknown.

    section: the one that the key stands in, "" at the top. What the section itself holds is written without its name.
    """
    word = re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", key).casefold()
    path = _WITHIN.get(section, {}).get(word) or next((path for path, words in _BY_WORD if word in words), None)
    if path is None:
        return None
    above, _, name = path.partition(".")
    if not name:
        return _section(above, value)
    written = f"{name}: {_value(path, word, value)}"
    return written if above == section else f"{above}: {{{written}}}"


def advice_for(section: str, key: str, value: Any) -> str | None:
    """Returns what to do about a key that other tools have; None for one that no tool we know has."""
    meant = key_in_our_words(section, key, value) if isinstance(key, str) else None
    if meant is not None:
        return f"write {meant}"
    why = not_needed(key) if isinstance(key, str) else None
    return None if why is None else f"remove it: {why}"


def section_meant(key: str) -> str | None:
    """Returns the section that a key of another tool's stands for at the top: `space` for `parameters`."""
    word = re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", key).casefold()
    return next((path.partition(".")[0] for path, words in _BY_WORD if word in words), None)


def not_needed(key: str) -> str | None:
    """Returns why a key of another tool's has nothing to say here; None for any other."""
    return _NOT_NEEDED.get(key.casefold())


def value_in_our_words(path: str, value: Any) -> str | None:
    """Returns the value of ours that another tool's stands for, `max` for `maximize`; None for any other."""
    word = str(value).casefold() if isinstance(value, str | bool) or value is None else ""
    if path.endswith("mode"):
        return "max" if word in _MAX else "min" if word in _MIN else None
    if path == "search.sampler":
        return "auto" if word in _AUTO.split() else "random" if word.startswith("random") else None
    if path == "scheduler.name":
        return "none" if word in _NO_SCHEDULER else "asha" if _is_halving(word) else None
    return None


def _is_halving(word: str) -> bool:
    return any(part in word for part in ("halving", "hyperband", "asha", "sha", "bohb", "median", "pbt"))


def _section(name: str, value: Any) -> str:
    """Writes the start of a section; of a metric as W&B has it, the whole of it."""
    if name == "objective":
        metric = value.get("name", "...") if isinstance(value, dict) else value if isinstance(value, str) else "..."
        goal = value.get("goal", value.get("mode")) if isinstance(value, dict) else None
        mode = value_in_our_words("mode", goal) or "max"
        return f"objective: {{metric: {flow(metric)}, mode: {mode}}}"
    if name == "scheduler" and isinstance(value, dict):
        parts = [key_in_our_words("scheduler", key, part) for key, part in value.items() if isinstance(key, str)]
        inner = ", ".join(part for part in parts if part is not None and part.partition(":")[0] in _SCHEDULER)
        return f"scheduler: {{{inner or 'name: asha'}}}"
    return {
        "study": f"study: {flow(value) if isinstance(value, str) else '...'}",
        "trainable": "trainable: detection, or package.module:callable",
        "space": "space: with a name and its domain a line",
    }.get(name, f"{name}: {{...}}")


_SCHEDULER = ("name", "eta", "grace_epochs")


def _value(path: str, word: str, value: Any) -> str:
    """Writes a value as the key at `path` takes it."""
    if path == "budget.hours" and word in _SECONDS.split() and is_number(value):
        return f"{value / 3600:.3g}"
    if path == "search.sampler":
        return value_in_our_words(path, value) or "auto"
    if path == "scheduler.name":
        return value_in_our_words(path, value) or "asha"
    meant = value_in_our_words(path, value[0] if isinstance(value, list) and value else value)
    return meant or (
        "..." if isinstance(value, dict) else flow(value) if isinstance(value, list | str) else shown(value)
    )
