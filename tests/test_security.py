"""What a stranger's study file, checkpoint, picture or name can do: nothing but be read.

Each is tried for real; where a whole class of calls must be absent, the source is parsed. docs/security.md says what is
trusted. Tests of one module alone stand with that module.
"""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import socket
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import tune
from orchestrator.home import Home
from orchestrator.job import Ended, Job, Workplace
from orchestrator.ledger import Ledger, StudyRow
from orchestrator.machine import probe
from orchestrator.study_file.study_spec import load_study
from orchestrator.trial import Objective, Report, State
from orchestrator.worker.attempt import Attempt
from tests.harness.source_tree import imports_of, source_files
from tune.summary import best_config

# Called under any of these names, code or a shell runs from data, or a file is unpickled.
FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "pty.spawn",
    "subprocess.getoutput", "subprocess.getstatusoutput", "yaml.load", "yaml.load_all", "yaml.full_load",
    "yaml.unsafe_load", "np.fromregex", "np.loadtxt", "cv2.imread", "cv2.VideoCapture", "tempfile.mktemp",
}  # fmt: skip
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "jsonpickle"}
# Called under these, the argument must be written out.
REQUIRED = {
    "torch.load": ("weights_only", "True"),
    "load_state_dict": ("weights_only", "True"),  # timm's; a network's own has an object before it
    "np.load": ("allow_pickle", "False"),
    "Image.open": ("formats", None),
}
PROGRAMS = ("subprocess.run", "subprocess.call", "subprocess.Popen", "subprocess.check_output", "subprocess.check_call")


def offences(root: Path) -> Iterator[str]:
    """`file:line what`, for every call that would run what is data."""
    for file in source_files(root):
        for line, name in imports_of(root, file):
            if name.split(".")[0] in UNPICKLERS:
                yield f"{file.relative_to(root)}:{line} {name}"
        for node in ast.walk(ast.parse(file.read_text(), str(file))):
            if isinstance(node, ast.Call):
                yield from (f"{file.relative_to(root)}:{node.lineno} {what}" for what in wrong_with(node))
            elif isinstance(node, ast.Constant) and node.value == "0.0.0.0":
                yield f"{file.relative_to(root)}:{node.lineno} listens everywhere"


def wrong_with(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in FORBIDDEN:
        yield name
    if given.get("shell", "False") != "False":
        yield "shell"
    if name in REQUIRED:
        argument, value = REQUIRED[name]
        if argument not in given or given[argument] != (value or given[argument]):
            yield name
    if name in PROGRAMS and isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp):
        yield "a command line in one text"
    if name in ("yaml.scan", "yaml.compose_all") and ast.unparse(call.args[-1]) != "_Loader":
        yield name


def test_nothing_of_ours_runs_or_unpickles_what_is_data(repository: Path) -> None:
    assert list(offences(repository)) == []


def test_the_search_sees_every_kind_of_offence(tmp_path: Path) -> None:
    lines = [
        "import pickle", "from joblib import load", "eval('1')", "os.system('x')", "subprocess.run('x', shell=True)",
        "subprocess.run(['x'], shell=flag)", "subprocess.run(f'{x} y')", "yaml.load(text)", "yaml.scan(text, Loader)",
        "torch.load(file)", "torch.load(file, weights_only=False)", "np.load(file)", "Image.open(file)",
        "a = '0.0.0.0'",
    ]  # fmt: skip
    (tmp_path / "tune").mkdir()
    (tmp_path / "tune" / "command.py").write_text("\n".join(lines))
    assert {int(offence.split(":")[1].split(" ")[0]) for offence in offences(tmp_path)} == set(range(1, len(lines) + 1))
    fine = ["subprocess.run(['x'])", "torch.load(f, weights_only=True)", "model.eval()", "re.compile('x')"]
    (tmp_path / "tune" / "command.py").write_text("\n".join(fine))
    assert list(offences(tmp_path)) == []


# Names

HOSTILE = "v\x1b[2J\x1b]0;x\x07\x9b31m\r\u202e\u2028\n[/red]:smile:</script><img src=x onerror=alert(1)>='=1+1|`${7*7}"


def orders(text: str) -> set[str]:
    """What a terminal would obey."""
    kinds = ("Cc", "Cs", "Zl", "Zp")
    return {c for c in text if unicodedata.category(c) in kinds or c in "\u202e"} - {"\n", "\t"}


@pytest.fixture
def hostile_study(home: Path) -> tuple[Ledger, StudyRow]:
    """Of which everything but the name, which cannot be, is hostile: as a team's ledger may hold it."""
    ledger = Ledger(home / "ledger.db")
    raw = {
        "study": "hostile",
        "trainable": HOSTILE,
        "objective": {"metric": HOSTILE, "mode": "max"},
        "data": {HOSTILE: HOSTILE},
        "space": {HOSTILE: [HOSTILE, HOSTILE + "2"]},
    }
    row = ledger.create_study("hostile", raw, Objective(HOSTILE, "max"), {"command": HOSTILE, HOSTILE: HOSTILE})
    ledger.acquire(row.id, os.getpid(), "here")
    for number, state in enumerate((State.COMPLETED, State.FAILED), start=1):
        ledger.add_trial(row.id, {HOSTILE: HOSTILE + "2" * (number - 1)}, baseline=HOSTILE + str(number))
        ledger.record(row.id, number, Report(1, {HOSTILE: 0.5}, 1.5, 1000.0))
        ledger.finish(row.id, number, state, HOSTILE, f"Traceback\n{HOSTILE}")
    ledger.release(row.id, "finished", HOSTILE)
    return ledger, row


@pytest.mark.parametrize(
    "words",
    [
        [0, "list"], [0, "show", "hostile", "--history"], [0, "show", "hostile", "--trial", "2"],
        [0, "show", "hostile", "--json"], [0, "best", "hostile", "--output", "best.yaml"], [2, "show", HOSTILE],
        [2, "predict", "hostile", HOSTILE], [0, "report", "hostile", "--output", "pages"],
    ],
    ids=lambda words: words[1],
)  # fmt: skip
@pytest.mark.usefixtures("hostile_study")
def test_no_name_gives_orders_to_a_terminal(
    words: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    code, *arguments = words
    monkeypatch.chdir(home)
    with pytest.raises(SystemExit) as ended:
        tune.main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == code
    assert (said.err if code else said.out) and not (said.out if code else said.err)
    assert not orders(said.out + said.err)
    if "--json" in arguments:
        assert json.loads(said.out)["trials"][0]["config"] == {HOSTILE: HOSTILE}


def test_the_best_config_of_a_hostile_study_is_that_config_and_nothing_more(
    hostile_study: tuple[Ledger, StudyRow], home: Path
) -> None:
    ledger, row = hostile_study
    ledger.update_study(row.id, raw=row.raw | {"trainable": "tests.toy"})
    row = ledger.study("hostile")
    (home / "best.yaml").write_text(best_config(row, ledger.trials(row.id)[0], Home.at(home)))
    with pytest.raises(ValueError, match=r"unknown|must") as refused:  # by the toy's Config, which has no such name
        load_study(home / "best.yaml")
    assert all(line.isprintable() for line in refused.value.lines)
    assert all("space" in line for line in refused.value.lines)


def test_a_name_in_a_teams_ledger_leads_nowhere(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(home / "ledger.db")
    ledger.create_study("../../elsewhere", {"trainable": "tests.toy"}, Objective("m", "max"), {})
    for words in (["show", "../../elsewhere"], ["report", "../../elsewhere"]):
        with pytest.raises(SystemExit) as ended:
            tune.main(words)
        assert ended.value.code == 2
        assert "must be the name of a study, but got '../../elsewhere'" in capsys.readouterr().err
    assert [path.name for path in home.parent.iterdir()] == [home.name]


# Secrets

LEAKY = """
def train(config, run):
    raise ConnectionError("cannot reach postgresql://ada:hun/ter2@db/x\\nnor https://host/x?token=hunter2")
    yield {}
"""


def first_step(folder: str) -> Ended:
    attempt = Attempt(Job(1, 1, {}, 0, None), Workplace("leaky", {}, folder, "cpu", folder))
    said = attempt.step()
    attempt.close()
    assert isinstance(said, Ended)
    return said


def test_a_password_in_what_a_trainable_raises_is_kept_nowhere(tmp_path: Path) -> None:
    (tmp_path / "leaky.py").write_text(LEAKY)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        ended = pool.apply(first_step, (str(tmp_path),))
    log = (tmp_path / "trials" / "0001" / "log.txt").read_text()
    assert ended.failure is not None and "postgresql://ada:***@db/x" in ended.failure.message
    for text in (str(ended), log):
        assert "ConnectionError" in text and "ter2" not in text


def test_the_address_of_mlflow_stands_on_no_command_line() -> None:
    password = f"open-sesame-{os.getpid()}"  # Other tests may run now, with passwords on their command lines.
    seen: list[str] = []

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                seen.extend(process.cmdline())
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        watching = threading.Thread(target=answer, args=(server,))
        watching.start()
        said = probe.ask_mlflow(f"http://ada:{password}@127.0.0.1:{server.getsockname()[1]}")
        watching.join(10)
    assert "error" in said and seen
    assert not [word for word in seen if password in word]
