"""Says why the process of an attempt ended before the attempt did."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from orchestrator.job import Failure, FailureClass, Silence
from orchestrator.worker.traceback_text import Frame, place_of
from orchestrator.worker.trial_log import stacks_in

# A process causes these itself; any other signal came from outside.
_CRASHES: dict[int, str] = {
    signal.SIGSEGV: "a library read memory that is not its own",
    signal.SIGABRT: "a library gave up",
    signal.SIGBUS: "a file that it had mapped is gone, or /dev/shm is full",
    signal.SIGFPE: "a library divided by zero",
    signal.SIGILL: "a library is built for another processor",
    signal.SIGTRAP: "a library gave up",
    signal.SIGSYS: "a library made a forbidden system call",
}
_FROM_OUTSIDE: dict[int, str] = {
    signal.SIGKILL: "as the kernel does when memory runs out",
    signal.SIGALRM: "an alarm that the trainable had set",
}
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)


def why_ended(code: int, seconds: float, silence: Silence | None, log: Path) -> Failure:
    """Returns the failure of an attempt whose process has ended.

    code: its exit code, below 0 the signal, as subprocess has it. seconds: since it was last asked for a report. log:
    the trial's log.txt.
    """
    stacks = stacks_in(log)
    if silence is not None and code == 1 and _hung(seconds, silence, stacks):
        return hang(silence, stacks)
    if code >= 0:
        message = f"the process ended itself with exit code {code}: the trainable or a library called os._exit or exit"
        return Failure(FailureClass.EXCEPTION, message, cause=f"exit code {code}")
    number, name = -code, _name(-code)
    if number in _CRASHES:
        where = "; its stacks are in log.txt" if stacks else ""
        message = f"the worker process crashed with {name}: {_CRASHES[number]}{where}"
        return Failure(FailureClass.CRASH, message, stacks, _place(stacks), name)
    hint = _FROM_OUTSIDE.get(number)
    return Failure(
        FailureClass.WORKER_LOST, f"the worker process was killed by {name}" + (f", {hint}" if hint else ""), cause=name
    )


def hang(silence: Silence, stacks: str | None) -> Failure:
    """Returns the failure of an attempt that hung. stacks: which it left, if it could."""
    how = "the whole process stood still" if stacks is None else "its stacks are in log.txt"
    return Failure(FailureClass.HANG, f"no report for {silence.limit:.0f} s; {how}", stacks)


def _hung(seconds: float, silence: Silence, stacks: str | None) -> bool:
    return seconds >= 0.95 * silence.limit or (stacks is not None and stacks.startswith("Timeout ("))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # A real-time signal has no name.
        return f"signal {number}"


def _place(stacks: str | None) -> str | None:
    """Returns the trainable's line at which the thread that crashed stood."""
    if stacks is None:
        return None
    current = stacks.partition("Current thread")[2].partition("\n\n")[0]
    frames = [Frame(file, int(line)) for file, line in _FRAME.findall(current)]
    return place_of(list(reversed(frames)))  # The innermost stands first.
