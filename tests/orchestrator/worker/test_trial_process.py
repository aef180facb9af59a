"""A process in which trials run: where it stands, what one trial leaves to the next, and how its end is told."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.job import Ended, Failure, FailureClass, Job, Silence, Start, Workplace
from orchestrator.trial import Report
from orchestrator.worker.trial_process import TrialProcess

# Runs the code that its config holds, as the body of a trainable that somebody wrote.
TRAINABLE = """
import textwrap, numpy

def train(config, run):
    code = "def body(run):\\n" + textwrap.indent(config["code"], "    ")
    scope = {}
    exec(compile(code, "/home/me/body.py", "exec"), scope)
    yield from scope["body"](run)
"""
YIELD = "\nyield {'val/a': 0.5}"
# What a trial may find of others, as JSON in its own folder.
LOOK = """
import decimal, gc, json, logging, os, random, signal, sys, tempfile, warnings, numpy, socket, multiprocessing
mask = os.umask(0)
os.umask(mask)
found = {
    "environment": dict(os.environ),
    "path": sys.path,
    "folder": os.getcwd(),
    "mask": mask,
    "arguments": sys.argv,
    "handlers": [len(logging.getLogger(name).handlers) for name in (None, "mine")],
    "levels": [logging.getLogger(name).level for name in (None, "mine")] + [logging.root.manager.disable],
    "warnings": [str(each) for each in warnings.filters],
    "signal": str(signal.getsignal(signal.SIGUSR1)),
    "alarm": signal.alarm(0),
    "precision": decimal.getcontext().prec,
    "depth": sys.getrecursionlimit(),
    "collects": gc.isenabled(),
    "temporary": tempfile.tempdir,
    "timeout": socket.getdefaulttimeout(),
    "start method": multiprocessing.get_start_method(allow_none=True),
    "print": print.__module__,
    "stdout": type(sys.stdout).__name__,
}
numbers = [random.random(), float(numpy.random.random())]
(run.directory / "found.json").write_text(json.dumps([found, numbers]))
"""
CHANGE = """
import decimal, gc, logging, os, random, signal, sys, tempfile, warnings, numpy, socket, multiprocessing, builtins
os.environ["A"] = "1"
os.environ.pop("KEPT")
os.umask(0o77)
os.chdir("/")
sys.path.insert(0, "/elsewhere")
sys.argv.append("--lr=1")
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("mine").addHandler(logging.FileHandler(run.directory / "mine.log"))
logging.getLogger("mine").setLevel(logging.ERROR)
logging.disable(logging.INFO)
warnings.simplefilter("error")
signal.signal(signal.SIGUSR1, lambda number, frame: None)
signal.alarm(3600)
decimal.getcontext().prec = 3
sys.setrecursionlimit(5000)
gc.disable()
tempfile.tempdir = str(run.directory)
socket.setdefaulttimeout(1.0)
multiprocessing.set_start_method("fork")
builtins.print = logging.warning
sys.stdout = object()
random.seed(0)
numpy.random.seed(0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns the folder where `tune` is said to be started; the trainable lies there."""
    (tmp_path / "mine.py").write_text(TRAINABLE)
    (tmp_path / "settings.json").write_text("[1]")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "beside.py").write_text("")
    return tmp_path


class Trials:
    """Runs trials in one process, as a worker of Ray does, and in another one where it must not go on."""

    def __init__(self, folder: Path) -> None:
        self.study = folder / "runs" / "toy"
        self.study.mkdir(parents=True)
        start = Start(str(folder), "/usr/bin/tune", (*sys.path, str(folder)), "src", 0o027)
        self.workplace = Workplace("mine:train", {}, str(self.study), "cpu", str(folder), start=start)
        self.process: TrialProcess | None = None
        self.pids: list[int] = []

    def begin(self, code: str, silence: Silence | None = None) -> TrialProcess:
        job = Job(len(self.pids) + 1, 1, {"code": textwrap.dedent(code)}, 0, None, silence=silence)
        if self.process is None:
            self.process = TrialProcess(job, self.workplace)
        else:
            self.process.begin(job, self.workplace)
        self.pids.append(self.process.pid)
        return self.process

    def run(self, code: str) -> list[Report | Ended]:
        """Returns all that a trial says, up to its end."""
        process, said = self.begin(code), []
        while not said or isinstance(said[-1], Report):
            said.append(process.step().said)
        self.close()
        return said

    def failure(self, code: str) -> Failure:
        [end] = self.run(code)
        assert isinstance(end, Ended) and end.failure is not None
        return end.failure

    def close(self) -> None:
        assert self.process is not None
        if not self.process.close():
            self.process = None

    def file(self, name: str) -> Path:
        return self.study / "trials" / f"{len(self.pids):04d}" / name

    def log(self) -> str:
        return self.file("log.txt").read_text()


@pytest.fixture
def trials(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trials]:
    monkeypatch.setenv("KEPT", "as it was")
    made = Trials(folder)
    yield made
    if made.process is not None:
        made.process.end()


def test_a_trial_stands_where_tune_was_started_and_leaves_nothing_to_the_next_in_its_process(
    trials: Trials, folder: Path
):
    look = LOOK + YIELD
    here = """
        import argparse, os, subprocess, sys
        from pathlib import Path
        assert argparse.ArgumentParser().parse_args([]) and argparse.ArgumentParser().parse_args() is not None
        assert open("settings.json").read() == "[1]"
        Path("out.txt").write_text("x")
        subprocess.run([sys.executable, "-c", "import beside"], check=True)
    """
    assert isinstance(trials.run(textwrap.dedent(here) + look)[0], Report)
    before, numbers_before = json.loads(trials.file("files/found.json").read_text())
    assert (folder / "out.txt").read_text() == "x"
    assert (before["folder"], before["mask"], before["arguments"]) == (str(folder), 0o027, ["/usr/bin/tune"])
    assert before["environment"]["PYTHONPATH"] == "src" and "A" not in before["environment"]
    trials.begin(CHANGE + YIELD + "\nyield {'val/a': 0.6}")  # It is pruned after its first report.
    assert trials.process is not None
    assert isinstance(trials.process.step().said, Report)
    trials.close()
    assert isinstance(trials.run(look)[0], Report)
    after, numbers_after = json.loads(trials.file("files/found.json").read_text())
    assert after == before
    seeded = [0.8444218515250481, 0.5488135039273248]  # The first after random.seed(0) and numpy.random.seed(0).
    assert not set(numbers_after) & {*numbers_before, *seeded}
    assert len(set(trials.pids)) == 1


def test_what_the_end_of_a_trial_does_is_not_charged_to_the_next(trials: Trials):
    for last in ("import sys; sys.exit(4)", "raise KeyboardInterrupt", "import os; os._exit(5)"):
        process = trials.begin(f"try:\n    yield {{'val/a': 1}}\nfinally:\n    {last}")
        assert isinstance(process.step().said, Report)
        trials.close()
    assert "SystemExit: 4" in (trials.study / "trials" / "0001" / "log.txt").read_text()
    assert isinstance(trials.run(YIELD)[0], Report)
    assert len(set(trials.pids)) == 2  # After the last of them, which had ended the first process.


def test_what_cannot_be_put_back_ends_the_process_and_what_it_has_started(trials: Trials):
    left = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '1000'])\nopen('child.txt', 'w').write(str(child.pid))"
    )
    assert isinstance(trials.run(left + YIELD)[0], Report)
    assert "its process is not used for another trial: it had left child processes (sleep)" in trials.log()
    child = int((Path(trials.workplace.start.folder) / "child.txt").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(2,), name='mine').start()"
    assert isinstance(trials.run(thread + YIELD)[0], Report)
    assert "it had left threads (mine)" in trials.log()
    assert isinstance(trials.run(YIELD)[0], Report)
    assert len(set(trials.pids)) == 3


LOST = FailureClass.WORKER_LOST
RAISED = FailureClass.EXCEPTION
FORKED = """
import multiprocessing, os, time
multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()
"""


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("import os; os._exit(3)", RAISED, "the process ended itself with exit code 3"),
        (FORKED + "os._exit(0)", RAISED, "the process ended itself with exit code 0"),
        ("import os; os.abort()", FailureClass.CRASH, "the worker process crashed with SIGABRT: "),
        ("import ctypes\nctypes.string_at(0)", FailureClass.CRASH, "the worker process crashed with SIGSEGV: "),
        ("import os; os.kill(os.getpid(), 9)", LOST, "the worker process was killed by SIGKILL, as the kernel does"),
        ("import os; os.kill(os.getpid(), 15)", LOST, "the worker process was killed by SIGTERM"),
    ],
)
def test_the_end_of_a_process_says_its_exit_code_or_signal(trials: Trials, code: str, kind: FailureClass, said: str):
    started = time.monotonic()
    failure = trials.failure(f"print('up to here')\n{code}{YIELD}")
    assert time.monotonic() - started < 30
    assert failure.kind is kind and failure.message.startswith(said)
    assert "up to here" in trials.log()
    if "crashed" in said:
        assert failure.message.endswith("; its stacks are in log.txt")
        assert (failure.place or "").startswith("/home/me/body.py:") and "in body" in (failure.traceback or "")


def test_whatever_a_trainable_raises_or_does_to_its_output_is_told_by_its_cause(trials: Trials):
    tee = "import sys\nclass Tee:\n    def write(self, text): pass\nsys.stdout = sys.stderr = Tee()\nprint('gone')"
    closed = "import os, sys\nsys.stdout.close()\nsys.stderr.close()\nos.close(1)\nos.close(2)"
    for code in (tee, closed, "print(b'\\xbf.jpg'.decode('utf-8', 'surrogateescape'))"):
        assert [type(said) for said in trials.run(code + YIELD)] == [Report, Ended]
    assert len(set(trials.pids)) == 1
    assert "epoch 1: {'val/a': 0.5}" in trials.log()
    name = "{'val/' + b'\\xbf'.decode('utf-8', 'surrogateescape'): 1}"
    assert list(trials.run(f"yield {name}")[0].metrics) == ["val/\\udcbf"]  # type: ignore[union-attr]
    for code, said in (
        ("raise ValueError(b'\\xbf\\xa1.jpg'.decode('utf-8', 'surrogateescape'))", "ValueError: \\udcbf\\udca1.jpg"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: no message"),
        ("raise GeneratorExit", "GeneratorExit: no message"),
        ("yield None", "TypeError: a trainable must yield a mapping of metric names to numbers, but yielded None"),
    ):
        failure = trials.failure(code + YIELD)
        assert (failure.kind, failure.message) == (RAISED, said)
        assert failure.place == "/home/me/body.py:2"
    end = trials.run(f"{YIELD}\nyield None")[-1]
    assert isinstance(end, Ended) and end.failure is not None and "yielded None" in end.failure.message


def test_a_process_that_hangs_ends_with_its_stacks(trials: Trials):
    process = trials.begin(f"{YIELD}\nimport time\ntime.sleep(100)", Silence(60.0, 0.0, 2.0, 1.0))
    assert isinstance(process.step().said, Report)
    end = process.step().said
    assert isinstance(end, Ended) and end.failure is not None
    assert (end.failure.kind, end.failure.message) == (
        FailureClass.HANG,
        "no report for 1 s; its stacks are in log.txt",
    )
    assert "in body" in (end.failure.traceback or "")


def test_an_open_run_of_mlflow_is_ended_before_the_next_trial(trials: Trials, folder: Path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (folder / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    log = "import mlflow\nmlflow.set_experiment('mine')\nmlflow.log_metric('a', 1)\nyield {'val/a': 1}"
    assert isinstance(trials.run(log)[0], Report)
    check = "import mlflow\nassert mlflow.active_run() is None\nwith mlflow.start_run() as run:\n    yield {'val/a': 1}"
    assert isinstance(trials.run(check)[0], Report)
    assert len(set(trials.pids)) == 1


def test_each_trial_has_a_process_of_its_own_where_the_study_asks_for_it(trials: Trials):
    trials.workplace = replace(trials.workplace, fresh_process=True)
    for _ in range(2):
        assert isinstance(trials.run(YIELD)[0], Report)
    assert len(set(trials.pids)) == 2
