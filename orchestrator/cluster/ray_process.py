"""Starts a process that alone speaks with Ray, and makes requests to it on behalf of the driver.

When a cluster dies, Ray waits for a minute and then ends its process: the driver and its ledger must not be in it.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Concatenate, ParamSpec, TypeVar

from orchestrator.cluster import ray_main
from orchestrator.cluster.errors import RayLost, RayUnavailable, WorkFailed
from orchestrator.cluster.local_cluster import HostFailed, LocalCluster, token_file, use_cluster
from orchestrator.cluster.remote_cluster import RemoteCheck, check_listening
from orchestrator.cluster.remote_service import Done, Question, Raised, Request, Service
from orchestrator.job import Workplace

P = ParamSpec("P")
R = TypeVar("R")

CHECK_SECONDS = 0.5  # Between two checks that the cluster of this machine lives.
TICK_SECONDS = 0.1
CONNECT_SECONDS = 120.0  # Ray itself would try for longer, without a word.
END_SECONDS = 10.0  # Ray gets so long to disconnect.

_OUR_FOLDER = Path(__file__).parents[2]  # It holds our packages.

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # The driver handles signals.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # The ledger holds the results.
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",  # Nothing reads Ray's own snapshots.
    "TUNE_MAX_PENDING_TRIALS_PG": "64",  # The study itself limits how many run.
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "100000000",
}

# Variables of a terminal or a login, and those that only a driver reads, make no difference to workers.
_NOT_FOR_WORKERS = {"_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES"}
_NOT_FOR_WORKERS |= {"NIGHTSWEEP_HOME", "NIGHTSWEEP_LEDGER", "NIGHTSWEEP_NOTIFY"}
_NOT_FOR_WORKERS_PREFIXES = ("RAY_", "TUNE_", "SSH_", "XDG_SESSION", "TMUX", "DBUS_", "PYTEST_", "VSCODE_")


@contextmanager
def session(
    address: str | None, threads: int, waits: Callable[[float, str], None] = lambda seconds, what: None
) -> Iterator[RayProcess]:
    """Yields a process that is connected to this machine's cluster, or to the one at `address`.

    threads: how many each worker's numeric libraries may use. waits: is called several times a second until it is
    connected, with the seconds that something has been waited for, and what; it may raise. Raises RayUnavailable.
    """
    environment = {**_ENVIRONMENT, **os.environ}
    wanted = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if address is None:
        environment |= _token(environment)
    else:
        check_listening(address)
        if _has_token_at_home() or "RAY_AUTH_TOKEN" in os.environ:
            # `ray start` asks for a token where this file exists, but ray.init(address) would not send it.
            environment.setdefault("RAY_AUTH_MODE", "token")
    with ExitStack() as stack:
        process = stack.enter_context(_process(environment))  # It imports Ray while the cluster starts.
        if address is None:
            # A host that is started here has the environment that this study's workers need: they start without a
            # runtime_env, which would take each of them half a second.
            cluster = stack.enter_context(_local_cluster(environment | wanted, waits))
            process.cluster_gone = cluster.lost
            missing = differences(environment | wanted, cluster.environment)
            process.connect(cluster.address, missing, waits, on_this_machine=True)
        else:
            process.cluster_gone = RemoteCheck(address)
            process.connect(address, wanted, waits, on_this_machine=False)
        yield process


def _token(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables by which all of this machine's Ray finds one token. Raises RayUnavailable."""
    if environment.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        return {"RAY_AUTH_MODE": "token"}
    try:
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file(environment))}
    except (HostFailed, OSError) as error:
        raise RayUnavailable(f"no Ray can be started on this machine: {error}; try `tune doctor`") from error


def _has_token_at_home() -> bool:
    """Returns whether Ray finds a token in the home folder, which an account of a container may lack."""
    try:
        return (Path.home() / ".ray" / "auth_token").exists()
    except (RuntimeError, OSError):
        return False


@contextmanager
def _local_cluster(environment: Mapping[str, str], waits: Callable[[float, str], None]) -> Iterator[LocalCluster]:
    """Yields this machine's cluster. Raises RayUnavailable."""
    try:
        with use_cluster(environment, waits=waits) as cluster:
            yield cluster
    except HostFailed as error:
        raise RayUnavailable(f"no Ray can be started on this machine: {error}; try `tune doctor`") from error


class RayProcess:
    """Makes requests to a process of ray_main.py, one at a time; meanwhile the process may ask `service`.

    resources: {"CPU": n, "GPU": n} of all machines of the cluster. cluster_gone: tells whether the cluster has died; is
    called often, and must be cheap.
    """

    def __init__(self, process: subprocess.Popen[bytes], connection: Connection, output: IO[bytes]) -> None:
        self.resources: dict[str, float] = {}
        self.cluster_gone: Callable[[], bool] = lambda: False
        self._where = ""
        self._process, self._connection, self._output = process, connection, output
        self._said = selectors.DefaultSelector()  # Connection.poll would make one each time.
        self._said.register(connection, selectors.EVENT_READ)
        self._looked = self._ticked = time.monotonic()

    def connect(
        self,
        address: str,
        environment: Mapping[str, str],
        waits: Callable[[float, str], None] = lambda seconds, what: None,
        *,
        on_this_machine: bool,
    ) -> None:
        """Connects to a cluster. environment: what workers need beyond the cluster's own. Raises RayUnavailable."""
        self._where = "of this machine" if on_this_machine else f"at {address}"
        began = time.monotonic()

        def tick() -> None:
            seconds = time.monotonic() - began
            waits(seconds, f"an answer of the Ray {self._where}")
            if seconds > CONNECT_SECONDS:
                ask = "see `tune doctor`" if on_this_machine else f"see what `ray status --address {address}` says"
                raise RayUnavailable(
                    f"the Ray {self._where} must let us connect, but has not answered for {CONNECT_SECONDS:.0f} s; "
                    f"if it was restarted, its old processes may still be there: `ray stop`, then start it again; {ask}"
                )

        try:
            self.resources = self._request(None, tick, ray_main.connect, address, dict(environment), on_this_machine)
        except (WorkFailed, RayLost) as error:
            raise RayUnavailable(f"the Ray {self._where} cannot be used: {error}; try `tune doctor`") from error

    def wait(self, service: Service, tick: Callable[[], None]) -> None:
        """Waits until the service says that a trial may start."""
        self._request(service, tick, ray_main.wait)

    def drive(
        self, service: Service, workplace: Workplace, cpu: float, gpu: float, storage: str, tick: Callable[[], None]
    ) -> None:
        """Runs the service's jobs until it says that it is over."""
        self._request(service, tick, ray_main.drive, workplace, cpu, gpu, storage)

    def end(self) -> None:
        """Lets Ray disconnect and the process end by itself, in END_SECONDS at most."""
        with suppress(OSError):
            self._connection.send(Request(None))
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)

    def close(self) -> None:
        """Closes the connection to the process."""
        self._said.close()
        self._connection.close()

    def _request(
        self,
        service: Service | None,
        tick: Callable[[], None],
        function: Callable[Concatenate[ray_main.Driver, P], R],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> R:
        """Returns what a function of ray_main.py returns in the process; meanwhile `service` answers its questions.

        named: none. Raises WorkFailed with what the function raises.
        """
        assert not named
        try:
            self._connection.send(Request(function, arguments))
            while True:
                if self._said.select(TICK_SECONDS):
                    said: Done | Raised | Question = self._connection.recv()
                    if isinstance(said, Done):
                        result: R = said.result
                        return result
                    if isinstance(said, Raised):
                        raise WorkFailed(said.text)
                    assert service is not None
                    self._connection.send(said.answer(service))
                now = time.monotonic()
                if now - self._ticked >= TICK_SECONDS:
                    self._ticked = now
                    tick()
                if now - self._looked >= CHECK_SECONDS:
                    self._looked = now
                    if self.cluster_gone():
                        raise RayLost(f"the Ray {self._where} died")
        except (EOFError, ConnectionError) as error:
            raise RayLost(f"the process that speaks with Ray ended: {self._last_line()}") from error

    def _last_line(self) -> str:
        """Returns the last line that the process printed."""
        self._output.seek(0)
        lines = [line.strip() for line in self._output.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"


@contextmanager
def _process(environment: Mapping[str, str]) -> Iterator[RayProcess]:
    """Starts a process of ray_main.py, and ends it in any case."""
    ours, theirs = socket.socketpair()
    program = "import json, sys; sys.path[:], sys.argv[:] = json.loads(sys.argv[2]), [sys.argv[3], sys.argv[1]]; "
    program += "from orchestrator.cluster.ray_main import main; main(int(sys.argv[1]))"
    # Ray's workers look for modules beside our script, too.
    words = [str(theirs.fileno()), json.dumps(sys.path), sys.argv[0]]
    with ours, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            stdin=subprocess.PIPE,  # It ends with this process, and then that one does.
            stdout=output,
            stderr=output,
            env=dict(environment),
            # Ray's workers look there first, and so find our packages before a user's of the same name.
            cwd=_OUR_FOLDER,
            start_new_session=True,  # A signal to a whole group of processes is for the driver.
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        connection = Connection(os.dup(ours.fileno()))
        ray = RayProcess(process, connection, output)
        try:
            yield ray
            ray.end()
        finally:
            process.kill()
            process.wait()
            ray.close()
            assert process.stdin is not None
            process.stdin.close()


def differences(mine: Mapping[str, str], hosts: Mapping[str, str]) -> dict[str, str]:
    """Returns what has to be set for workers that would inherit `hosts`; variables that `mine` lacks become empty."""
    names = {
        name
        for name in mine.keys() | hosts.keys()
        if name not in _NOT_FOR_WORKERS and not name.startswith(_NOT_FOR_WORKERS_PREFIXES)
    }
    return {name: mine.get(name, "") for name in sorted(names) if mine.get(name, "") != hosts.get(name, "")}


def local_resources() -> dict[str, float]:
    """Returns what a Ray cluster of this machine would have, {"CPU": n, "GPU": n}, without starting one."""
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager
    from ray._private.utils import get_num_cpus

    gpus = NvidiaGPUAcceleratorManager.get_current_node_num_accelerators()
    visible = NvidiaGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    return {"CPU": float(get_num_cpus()), "GPU": float(gpus if visible is None else min(gpus, len(visible)))}


def ray_command(arguments: list[str]) -> None:
    """Runs the `tune` script of Ray's wheel, which has verbs of its own (list-trials, list-experiments)."""
    from ray.tune.cli import scripts

    scripts.cli(arguments)
