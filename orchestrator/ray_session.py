"""A quiet Ray cluster to work on, and single calls on it."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are the runner's
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger holds the results
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",  # Ray's own snapshots are never read
    "TUNE_MAX_PENDING_TRIALS_PG": "64",  # the study itself limits how many run
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "100000000",
}


class RayUnavailable(RuntimeError):
    """No Ray cluster could be started or reached."""


@contextmanager
def session(address: str | None, threads: int) -> Iterator[dict[str, float]]:
    """A Ray cluster, ours or the one at `address`; yields its resources {"CPU": n, "GPU": n}. Ray prints nothing.

    threads: how many each worker's numeric libraries may use.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    if address is not None:
        _knock(address)
    import ray

    # 3 s of imports, while ray.init waits for the processes that it starts.
    threading.Thread(target=importlib.import_module, args=("ray.tune",), daemon=True).start()
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False}
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    threads_wanted = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    try:
        if address is None:
            # Processes that Ray starts inherit the environment: quicker than a runtime_env for every worker.
            with _environment(threads_wanted):
                ray.init(include_dashboard=False, **quiet)
        else:
            ray.init(address=address, runtime_env={"env_vars": threads_wanted}, **quiet)
    except Exception as error:
        where = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
        raise RayUnavailable(f"{where} cannot be used: {error}; try `tune doctor`") from error
    for name in ("ray", "ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    ray._private.worker.print_to_stdstream = lambda *arguments, **named: None
    try:
        yield {kind: float(ray.cluster_resources().get(kind, 0.0)) for kind in ("CPU", "GPU")}
    finally:
        ray.shutdown()


def local_resources() -> dict[str, float]:
    """What a Ray cluster of this machine alone will have, {"CPU": n, "GPU": n}, without starting one."""
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager
    from ray._private.utils import get_num_cpus

    gpus = NvidiaGPUAcceleratorManager.get_current_node_num_accelerators()
    visible = NvidiaGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    return {"CPU": float(get_num_cpus()), "GPU": float(gpus if visible is None else min(gpus, len(visible)))}


def call(function: Callable[..., Any], *arguments: Any, cpu: float, gpu: float, tick: Callable[[], None]) -> Any:
    """Run `function` in a worker process with these resources; `tick` is called meanwhile. Raises what it raised."""
    import ray

    remote = ray.remote(num_cpus=cpu, num_gpus=gpu, max_retries=0)(function)
    result = remote.remote(*arguments)
    while not ray.wait([result], timeout=0.5)[0]:
        tick()
    return ray.get(result)


def _knock(address: str) -> None:
    """See that somebody listens there, because Ray itself waits for minutes; and bring the token, where there is one.

    `ray start` asks for a token as soon as one lies in the user's home, but ray.init(address) does not bring it along.
    """
    if (Path.home() / ".ray" / "auth_token").exists() or "RAY_AUTH_TOKEN" in os.environ:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in address:  # auto, or a form that Ray alone understands
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise RayUnavailable(
            f"--address: a Ray cluster must listen at {address}, but: {error}; start one with `ray start --head`, "
            "or leave --address out to work on this machine"
        ) from error


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def ray_command(arguments: list[str]) -> None:
    """The verbs of the `tune` script that Ray's wheel installs (list-trials, list-experiments)."""
    from ray.tune.cli import scripts

    scripts.cli(arguments)
