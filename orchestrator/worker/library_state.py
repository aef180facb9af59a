"""Puts back what libraries keep for a whole process: random numbers, settings of torch, a tracker's open run.

Imports none of them: what a trainable has not brought has no state.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

PutBack = Callable[[], str | None]

_TORCH_SEED = 67280421310721  # With which torch begins in every new process (c10::detail).
_ONE_RUN = ("wandb", "clearml", "comet_ml", "neptune")  # Trackers that keep the run of a process in many places.


def trackers() -> PutBack:
    """Ends the MLflow runs that were left open, and forgets the address and experiment that were set."""

    def put_back() -> str | None:
        used = [name for name in _ONE_RUN if name in sys.modules]
        if used:
            return f"it had used {', '.join(used)}, which keeps one run for a whole process"
        mlflow: Any = sys.modules.get("mlflow")
        fluent: Any = sys.modules.get("mlflow.tracking.fluent")
        service: Any = sys.modules.get("mlflow.tracking._tracking_service.utils")
        if mlflow is None or fluent is None:
            return None
        while mlflow.active_run() is not None:
            mlflow.end_run()
        if not hasattr(fluent, "_active_experiment_id") or not hasattr(service, "_tracking_uri"):
            return "it had used an MLflow whose address and experiment cannot be put back"
        fluent._active_experiment_id, service._tracking_uri = None, None
        return None

    return put_back


def random_numbers() -> PutBack:
    """Seeds the generators of a whole process as those of a new one are: anew, and torch's with its own constant."""
    loaded: Any = sys.modules.get("torch")
    state = None if loaded is None else loaded.get_rng_state()

    def put_back() -> None:
        random.seed()
        numpy: Any = sys.modules.get("numpy")
        if numpy is not None and hasattr(numpy, "random"):
            numpy.random.seed()
        torch: Any = sys.modules.get("torch")
        if torch is None:
            return
        torch.manual_seed(_TORCH_SEED)
        if state is not None:
            torch.set_rng_state(state)

    return put_back


_TORCH: dict[str, Any] = {  # What torch begins with, where it was not imported yet when the state was noted.
    "dtype": None,  # torch.float32
    "deterministic": False,
    "precision": "highest",
    "gradients": True,
    "anomalies": False,
    "cudnn.enabled": True,
    "cudnn.benchmark": False,
    "cudnn.deterministic": False,
    "threads": None,
}


def torch_settings() -> PutBack:
    """Puts back what torch.set_... and torch.backends.cudnn set for a whole process, and leaves its process group."""
    loaded: Any = sys.modules.get("torch")
    saved = dict(_TORCH) if loaded is None else _settings(loaded)

    def put_back() -> str | None:
        torch: Any = sys.modules.get("torch")
        if torch is None:
            return None
        begun = {"dtype": torch.float32, "threads": torch.get_num_threads()}
        _set(torch, {name: begun[name] if value is None else value for name, value in saved.items()})
        with suppress(Exception):
            torch.set_default_device(None)
        group: Any = sys.modules.get("torch.distributed")
        if group is not None and group.is_available() and group.is_initialized():
            return "it had left a process group of torch.distributed"
        return None

    return put_back


def _settings(torch: Any) -> dict[str, Any]:
    cudnn = torch.backends.cudnn
    return {
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "gradients": torch.is_grad_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "cudnn.enabled": cudnn.enabled,
        "cudnn.benchmark": cudnn.benchmark,
        "cudnn.deterministic": cudnn.deterministic,
        "threads": torch.get_num_threads(),
    }


def _set(torch: Any, wanted: dict[str, Any]) -> None:
    now = _settings(torch)
    setters: dict[str, Callable[[Any], Any]] = {
        "dtype": torch.set_default_dtype,
        "deterministic": torch.use_deterministic_algorithms,
        "precision": torch.set_float32_matmul_precision,
        "gradients": torch.set_grad_enabled,
        "anomalies": torch.autograd.set_detect_anomaly,
        "threads": torch.set_num_threads,
    }
    for name, value in wanted.items():
        if now[name] == value:
            continue
        if name.startswith("cudnn."):
            setattr(torch.backends.cudnn, name.removeprefix("cudnn."), value)
        else:
            setters[name](value)
