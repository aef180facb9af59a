"""Speaks with Ray, in a process of its own: connects, drives a study's trials or calls a function, asks the driver.

ray_process.py starts it. Requests and questions go through a connection. Standard input ends when the driver does,
whatever ended it, and then this process ends, too.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from orchestrator.cluster.remote_service import Done, Raised, RemoteService, Request
from orchestrator.cluster.sharing import Claim
from orchestrator.job import JobRef, Workplace
from orchestrator.secret import mask

EXCHANGE_SECONDS = 0.5
_CLAIMS = b"nightsweep"  # A namespace in the cluster's own key-value store.


class Driver:
    """Links this process to the driver, whose study `service` asks; tells the cluster what the study wants of it."""

    def __init__(self, connection: Connection) -> None:
        self.service = RemoteService(connection)
        self._exchanged = 0.0
        self._published: Claim | None = None
        self._go = False
        self._given_up: set[JobRef] = set()

    def exchange(self, stuck: bool = False) -> bool:
        """Returns whether a trial may start; now and then publishes the study's claim and reads those of the others."""
        if time.monotonic() - self._exchanged < EXCHANGE_SECONDS:
            return self._go
        self._exchanged = time.monotonic()
        job = own_job()
        claim, self._go, given_up = self.service.exchange(job, nodes(), claims_of_others(job), stuck)
        self._given_up |= given_up
        if claim != self._published:
            self._published = claim
            _store()._internal_kv_put(job.encode(), json.dumps(asdict(claim)).encode(), True, namespace=_CLAIMS)
        return self._go

    def take_given_up(self) -> set[JobRef]:
        """Returns the attempts whose workers are to be ended at once; each once."""
        found, self._given_up = self._given_up, set()
        return found


def main(descriptor: int) -> None:
    """Answers requests until one says to end. descriptor: of the connection to the driver."""
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    connection = Connection(descriptor)
    driver = Driver(connection)
    for name in ("mlflow", "wandb"):  # Ray would import them, which takes seconds.
        sys.modules[name] = None  # type: ignore[assignment]
    # These imports take 3 s, in which the cluster starts.
    threading.Thread(target=importlib.import_module, args=("ray.tune",), daemon=True).start()
    while True:
        request: Request = connection.recv()
        if request.function is None:
            break
        try:
            result = request.function(driver, *request.arguments)
        except Exception as error:
            import traceback

            traceback.print_exc()
            connection.send(Raised(str(error).strip() or type(error).__name__))
        else:
            connection.send(Done(result))
    _leave()


def _end_with_the_driver() -> None:
    """Ends this process when the driver ends, and standard input with it."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(1)


def connect(driver: Driver, address: str, environment: dict[str, str], on_this_machine: bool) -> dict[str, float]:
    """Connects to the cluster; returns what it has, {"CPU": n, "GPU": n}."""
    import ray

    # Where this is true, Ray replaces 127.0.0.1 by another address of this machine, on which ours does not listen.
    ray._private.ray_constants.ENABLE_RAY_CLUSTER = not on_this_machine
    # Ray puts these variables on the command line of a worker, which every user of the machine can read.
    secret = {name: value for name, value in environment.items() if (line := f"{name}={value}") != mask(line)}
    runtime_env: dict[str, Any] = {"env_vars": {n: value for n, value in environment.items() if n not in secret}}
    if secret:
        runtime_env["worker_process_setup_hook"] = _setting(secret)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False}
    ray.init(address=address, runtime_env=runtime_env if environment else None, **quiet)
    found = nodes()
    return {kind: sum(node[kind] for node in found) for kind in ("CPU", "GPU")}


def _setting(variables: Mapping[str, str]) -> Callable[[], None]:
    """Returns a function that sets the variables. It uses no other function here: a worker may not find this module."""

    def set_variables() -> None:
        import os

        os.environ.update(variables)

    return set_variables


def wait(driver: Driver) -> None:
    """Waits until a trial may start."""
    while not driver.exchange():
        time.sleep(EXCHANGE_SECONDS / 2)


def drive(driver: Driver, workplace: Workplace, cpu: float, gpu: float, storage: str) -> None:
    """Runs the driver's jobs until it says that it is over."""
    from orchestrator.cluster import ray_bridge

    ray_bridge.drive(driver, workplace, cpu=cpu, gpu=gpu, storage=storage)


def own_job() -> str:
    """Returns Ray's id of this driver."""
    import ray

    return str(ray.get_runtime_context().get_job_id())


def nodes() -> list[dict[str, float]]:
    """Returns what each living machine has, {"CPU": n, "GPU": n}."""
    import ray

    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [{kind: float(has.get(kind, 0.0)) for kind in ("CPU", "GPU")} for has in alive]


def claims_of_others(own: str) -> list[Claim]:
    """Returns the claims of the other living drivers; removes those of dead ones."""
    import ray

    living = {job["JobID"] for job in ray._private.state.jobs() if not job["IsDead"]}
    found = []
    for key in _store()._internal_kv_list(b"", namespace=_CLAIMS):
        if key.decode() not in living:
            _store()._internal_kv_del(key, namespace=_CLAIMS)
        elif key.decode() != own:
            value = _store()._internal_kv_get(key, namespace=_CLAIMS)
            found += [Claim(**json.loads(value))] if value else []
    return found


def _store() -> Any:
    from ray.experimental import internal_kv

    return internal_kv


def _leave() -> None:
    """Removes the study's claim and disconnects."""
    import ray

    if ray.is_initialized():
        _store()._internal_kv_del(own_job().encode(), namespace=_CLAIMS)
        ray.shutdown()
