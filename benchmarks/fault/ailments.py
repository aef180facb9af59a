"""Makes trials fail, each in a way of its own, and looks what the study file's `failures:` makes of them."""

from __future__ import annotations

from benchmarks.fault.audit import TrialRow, select, status_in, trials_in
from benchmarks.fault.scene import Scene
from benchmarks.fault.stage import TWO_AT_A_TIME, Stage

AT = 3  # the epoch in which it happens
SOMETIMES = {"fail_at": [0, AT]}  # to about half of the trials


def non_finite(stage: Stage) -> None:
    """Makes a score NaN: the trial fails at once, and is not tried again."""
    scene = stage.scene(space={"nan_at": [0, AT]})
    stage.finish(scene)
    _judge(stage, scene, "non-finite:", ill="nan_at", attempts=1, epochs=AT)


def out_of_memory(stage: Stage) -> None:
    """Uses up the memory: the micro-batch is halved until it fits; a trial for which none is small enough fails."""
    scene = stage.scene(space=SOMETIMES | {"fault": "memory", "fits": [0, 2]}, failures={"memory_halvings": 3})
    stage.finish(scene)
    for trial in trials_in(scene):
        fits = trial.config["fits"] == 2
        if trial.config["fail_at"] == 0:
            _is(stage, trial, "completed", attempts=1)
        elif fits:  # 8 examples in 4 pieces
            _is(stage, trial, "completed", attempts=3)
        else:
            _is(stage, trial, "failed", "out of memory:", attempts=4)
        stage.caused += trial.attempts - 1 + (trial.state == "failed")
    stage.judge(scene, ends=("completed", "failed"))


def exceptions(stage: Stage) -> None:
    """Raises in the trainable: the trial fails with its traceback, the others go on."""
    scene = stage.scene(space=SOMETIMES, failures={"equal_exceptions": None})
    stage.finish(scene)
    _judge(stage, scene, "exception: RuntimeError: toy", ill="fail_at", attempts=1, epochs=AT - 1)
    shown = select(scene.ledger, "SELECT count(*) FROM trials WHERE state = 'failed' AND error LIKE '%in _fail%'")
    stage.expect(shown == [(stage.caused,)], "every failed trial must keep its traceback")


def equal_exceptions(stage: Stage) -> None:
    """Breaks the code: the study stops after a few trials, and after the mend none of them is lost."""
    like, scene = stage.references.of(TWO_AT_A_TIME), stage.scene()
    (scene.folder / "broken").touch()
    session = scene.start()
    stage.ended(session, 1)
    stage.caused = len(trials_in(scene))
    stage.expect(3 <= stage.caused <= 4, f"it must stop after 3 equal ones in a row, but began {stage.caused} trials")
    stage.expect("3 trials in a row failed alike" in session.said, "it must say why it stopped")
    stage.expect(status_in(scene) == "failed", f"the study must be failed, but is {status_in(scene)}")
    (scene.folder / "broken").unlink()
    stage.finish(scene)
    stage.judge(scene, like=like)


def deadly(stage: Stage) -> None:
    """Kills the worker in the same epoch each time: tried three times, then failed.

    Once more where another one died at the same time, because that may have been the machine.
    """
    scene = stage.scene(space=SOMETIMES | {"fault": "kill"})
    stage.finish(scene)
    for trial in trials_in(scene):
        ill = trial.config["fail_at"] > 0
        stage.caused += ill * trial.attempts
        attempts = max(3, trial.attempts) if ill else 1
        _is(stage, trial, "failed" if ill else "completed", "worker lost:" if ill else "", attempts=attempts)
        stage.expect(not ill or trial.epochs == AT - 1, f"trial {trial.number} must have {AT - 1} epochs")
    stage.expect(stage.caused > 0, "some trial must fail")
    stage.judge(scene, ends=("completed", "failed"))


LAST_WORDS = {
    "exit": "exit code 1",
    "kill": "SIGKILL",
    "abort": "SIGABRT",
    "leave": "SystemExit: 3",
    "unsayable": "Unsayable: its text cannot be shown",
}


def last_words(stage: Stage) -> None:
    """Ends the process by an exit code or a signal, or by an exception without a text: the reason names it."""
    sections = {"failures": {"lost_workers": 1, "equal_exceptions": None}, "budget": {"trials": 3}}
    sections["baselines"] = [{"name": "sound", "lr": 0.1, "fail_at": 0}]  # Without a value a study has failed.
    for fault, cause in LAST_WORDS.items():
        scene = stage.scene(space=SOMETIMES | {"fault": fault}, **sections)
        stage.finish(scene)
        ill = [trial for trial in trials_in(scene) if trial.config["fail_at"]]
        stage.caused += len(ill)
        for trial in ill:
            stage.expect(cause in (trial.reason or ""), f"the reason must name {cause}, but is: {trial.reason}")
        stage.judge(scene, ends=("completed", "failed"))
    stage.expect(stage.caused > 0, "some trial must end so")


def moved_checkpoints(stage: Stage) -> None:
    """Moves the folder that a trainable is to fill: its trial fails, and no other waits for the storage."""
    scene = stage.scene(space={"family": ["a", "b"]}, failures={"equal_exceptions": None})
    scene.sections["data"] = {"diary": str(scene.diary), "moves": "b"}
    scene.write()
    stage.finish(scene)
    for trial in trials_in(scene):
        ill = trial.config["family"] == "b"
        stage.caused += ill
        _is(stage, trial, "failed" if ill else "completed", "exception:" if ill else "", attempts=1)
    stage.expect(stage.caused > 0, "some trial must move its folder")
    stage.judge(scene, ends=("completed", "failed"))


def hangs(stage: Stage) -> None:
    """Hangs, asleep or in C code that holds the GIL: killed, its stacks kept, and tried again."""
    policy = {"hang_minutes": 0.1, "first_report_minutes": 1.0}
    space = SOMETIMES | {"fault": ["hang", "spin"], "fail_once": True}
    scene = stage.scene(space=space, failures=policy)
    stage.finish(scene)
    for trial in trials_in(scene):
        ill = trial.config["fail_at"] > 0
        stage.caused += ill
        _is(stage, trial, "completed", attempts=1 + ill)
        log = scene.home / scene.name / "trials" / f"{trial.number:04d}" / "log.txt"
        stage.expect(("Timeout (" in log.read_text()) == ill, f"the log of trial {trial.number} must hold its stacks")
    stage.expect(stage.caused > 0, "some trial must hang")
    stage.judge(scene)


def _judge(stage: Stage, scene: Scene, reason: str, *, ill: str, attempts: int, epochs: int) -> None:
    """Counts as wrong unless those trials fail whose config says so, and all the others complete."""
    for trial in trials_in(scene):
        if trial.config[ill]:
            stage.caused += attempts
            _is(stage, trial, "failed", reason, attempts=attempts)
            stage.expect(trial.epochs == epochs, f"trial {trial.number} must have {epochs} epochs")
        else:
            _is(stage, trial, "completed", attempts=1)
    stage.expect(stage.caused > 0, "some trial must fail")
    stage.judge(scene, ends=("completed", "failed"))


def _is(stage: Stage, trial: TrialRow, state: str, reason: str = "", *, attempts: int) -> None:
    stage.expect(
        trial.state == state and (trial.reason or "").startswith(reason) and trial.attempts == attempts,
        f"trial {trial.number} must be {state} after {attempts} attempts: {reason or 'no reason'}; "
        f"but is {trial.state} after {trial.attempts}: {trial.reason}",
    )
