"""The Ray that a session works on, seen from the driver: a process of its own that alone speaks with Ray.

Whatever Ray does when its cluster dies (it waits a minute, then ends its process), the driver and its ledger live on.
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
from typing import IO, Any

from orchestrator.cluster.ray_host import HostFailed, Membership, join
from orchestrator.errors import NightsweepError
from orchestrator.job import Workplace

CHECK_SECONDS = 0.5  # between two looks whether the cluster lives
KNOCK_SECONDS = 5.0  # the same for a cluster of other machines
TICK_SECONDS = 0.1
END_SECONDS = 10.0  # for Ray to take its leave

_OURS = Path(__file__).parents[2]  # the folder of our packages

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are the driver's
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the ledger holds the results
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",  # Ray's own snapshots are never read
    "TUNE_MAX_PENDING_TRIALS_PG": "64",  # the study itself limits how many run
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "100000000",
}

# Variables of a terminal or a session, and those that only a driver reads: no reason for workers of another kind.
_NOT_FOR_WORKERS = {"_", "PWD", "OLDPWD", "SHLVL", "TERM", "COLUMNS", "LINES"}
_NOT_FOR_WORKERS |= {"NIGHTSWEEP_HOME", "NIGHTSWEEP_LEDGER", "NIGHTSWEEP_NOTIFY"}
_NOT_FOR_WORKERS_PREFIXES = ("RAY_", "TUNE_", "SSH_", "XDG_SESSION", "TMUX", "DBUS_", "PYTEST_", "VSCODE_")


class RayUnavailable(NightsweepError):
    """No Ray cluster could be started or reached."""


class RayLost(NightsweepError):
    """The cluster that the session worked on is gone."""


class WorkFailed(NightsweepError):
    """What was to be done on the cluster raised; the text is what it said."""


@contextmanager
def session(address: str | None, threads: int) -> Iterator[RayProcess]:
    """A process that is connected to this machine's cluster, or to the one at `address`. Raises RayUnavailable.

    threads: how many each worker's numeric libraries may use.
    """
    environment = {**_ENVIRONMENT, **os.environ}
    wanted = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if address is None:
        environment["RAY_AUTH_MODE"] = "token"
    else:
        _knock(address)
        if (Path.home() / ".ray" / "auth_token").exists() or "RAY_AUTH_TOKEN" in os.environ:
            # `ray start` asks for a token as soon as one lies there, but ray.init(address) does not bring it along.
            environment.setdefault("RAY_AUTH_MODE", "token")
    with ExitStack() as stack:
        process = stack.enter_context(_process(environment))  # it imports Ray while the cluster starts
        if address is None:
            # The host starts with what this study's workers need: no runtime_env, which takes them half a second each.
            place = stack.enter_context(_join(environment | wanted))
            process.watch = place.lost
            process.connect(place.address, differences(environment | wanted, place.environment), on_this_machine=True)
        else:
            process.watch = Knocking(address)
            process.connect(address, wanted, on_this_machine=False)
        yield process


@contextmanager
def _join(environment: Mapping[str, str]) -> Iterator[Membership]:
    try:
        with join(environment) as place:
            yield place
    except HostFailed as error:
        raise RayUnavailable(f"no Ray can be started on this machine: {error}; try `tune doctor`") from error


class RayProcess:
    """A process of ray_main.py. One request at a time; while it works, it may ask `service`."""

    def __init__(self, process: subprocess.Popen[bytes], connection: Connection, output: IO[bytes]) -> None:
        self.resources: dict[str, float] = {}  # {"CPU": n, "GPU": n} of all machines of the cluster
        self.watch: Callable[[], bool] = lambda: False  # is the cluster gone? cheap
        self._where = ""
        self._process, self._connection, self._output = process, connection, output
        self._said = selectors.DefaultSelector()  # Connection.poll makes one each time
        self._said.register(connection, selectors.EVENT_READ)
        self._looked = self._ticked = time.monotonic()

    def connect(self, address: str, environment: Mapping[str, str], *, on_this_machine: bool) -> None:
        """environment: of the workers, where it differs from the cluster's. Raises RayUnavailable."""
        self._where = "of this machine" if on_this_machine else f"at {address}"
        try:
            self.resources = self._ask("connect", address, dict(environment), on_this_machine)
        except (WorkFailed, RayLost) as error:
            raise RayUnavailable(f"the Ray {self._where} cannot be used: {error}; try `tune doctor`") from error

    def wait(self, service: Any, tick: Callable[[], None]) -> None:
        """Until the service says that a trial may start."""
        self._ask("wait", service=service, tick=tick)

    def drive(
        self, service: Any, workplace: Workplace, cpu: float, gpu: float, storage: str, tick: Callable[[], None]
    ) -> None:
        """Run the service's jobs until it says that it is over."""
        self._ask("drive", workplace, cpu, gpu, storage, service=service, tick=tick)

    def call(
        self,
        function: Callable[..., Any],
        *arguments: Any,
        cpu: float,
        gpu: float,
        service: Any,
        tick: Callable[[], None],
    ) -> Any:
        """Run `function` in a worker with these resources. Raises WorkFailed with what it raised."""
        return self._ask("call", function, arguments, cpu, gpu, service=service, tick=tick)

    def end(self) -> None:
        """Let Ray take its leave; what does not go in time is ended."""
        with suppress(OSError):
            self._connection.send(("end", ()))
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)

    def close(self) -> None:
        self._said.close()
        self._connection.close()

    def _ask(self, request: str, *arguments: Any, service: Any = None, tick: Callable[[], None] = lambda: None) -> Any:
        try:
            self._connection.send((request, arguments))
            while True:
                if self._said.select(TICK_SECONDS):
                    kind, *said = self._connection.recv()
                    if kind == "done":
                        return said[0]
                    if kind == "raised":
                        raise WorkFailed(said[0])
                    self._connection.send(getattr(service, said[0])(*said[1]))
                now = time.monotonic()
                if now - self._ticked >= TICK_SECONDS:
                    self._ticked = now
                    tick()
                if now - self._looked >= CHECK_SECONDS:
                    self._looked = now
                    if self.watch():
                        raise RayLost(f"the Ray {self._where} died")
        except (EOFError, ConnectionError) as error:
            raise RayLost(f"the process that speaks with Ray ended: {self._last_words()}") from error

    def _last_words(self) -> str:
        self._output.seek(0)
        lines = [line.strip() for line in self._output.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"


@contextmanager
def _process(environment: Mapping[str, str]) -> Iterator[RayProcess]:
    ours, theirs = socket.socketpair()
    program = "import json, sys; sys.path[:], sys.argv[:] = json.loads(sys.argv[2]), [sys.argv[3], sys.argv[1]]; "
    program += "from orchestrator.cluster.ray_main import main; main(int(sys.argv[1]))"
    words = [str(theirs.fileno()), json.dumps(sys.path), sys.argv[0]]  # Ray's workers look beside our script as well
    with ours, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            stdin=subprocess.PIPE,  # its end is our end
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=_OURS,  # Ray's workers look there first, and so find no package of the user's in the place of ours
            start_new_session=True,  # a signal to a whole group of processes is for the driver alone
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        connection = Connection(os.dup(ours.fileno()))
        talk = RayProcess(process, connection, output)
        try:
            yield talk
            talk.end()
        finally:
            process.kill()
            process.wait()
            talk.close()
            assert process.stdin is not None
            process.stdin.close()


def differences(mine: Mapping[str, str], hosts: Mapping[str, str]) -> dict[str, str]:
    """What has to be set for workers that would inherit `hosts`; a variable that `mine` has not becomes empty."""
    names = {
        name
        for name in mine.keys() | hosts.keys()
        if name not in _NOT_FOR_WORKERS and not name.startswith(_NOT_FOR_WORKERS_PREFIXES)
    }
    return {name: mine.get(name, "") for name in sorted(names) if mine.get(name, "") != hosts.get(name, "")}


class Knocking:
    """Is the cluster at `address` gone? Looks now and then; twice without answer is gone."""

    def __init__(self, address: str) -> None:
        self._address, self._looked, self._missed = address, time.monotonic(), 0

    def __call__(self) -> bool:
        if time.monotonic() - self._looked >= KNOCK_SECONDS:
            self._looked = time.monotonic()
            try:
                _knock(self._address)
            except RayUnavailable:
                self._missed += 1
            else:
                self._missed = 0
        return self._missed >= 2


def _knock(address: str) -> None:
    """See that somebody listens there, because Ray itself waits for minutes. Raises RayUnavailable."""
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


def local_resources() -> dict[str, float]:
    """What a Ray cluster of this machine alone will have, {"CPU": n, "GPU": n}, without starting one."""
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager
    from ray._private.utils import get_num_cpus

    gpus = NvidiaGPUAcceleratorManager.get_current_node_num_accelerators()
    visible = NvidiaGPUAcceleratorManager.get_current_process_visible_accelerator_ids()
    return {"CPU": float(get_num_cpus()), "GPU": float(gpus if visible is None else min(gpus, len(visible)))}


def ray_command(arguments: list[str]) -> None:
    """The verbs of the `tune` script that Ray's wheel installs (list-trials, list-experiments)."""
    from ray.tune.cli import scripts

    scripts.cli(arguments)
