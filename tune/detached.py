"""Starts a study without its terminal: the same command once more, in a session of its own."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Callable
from typing import TextIO

from tune.run_output import RunOutput

OPTION = "--detach"
_READY = "NIGHTSWEEP_READY"  # names the descriptor by which the detached process says that its study runs


def start_detached(study: str, advice: str) -> int:
    """Starts this command without --detach, and passes on what it prints until its study runs; returns the exit code.

    0 once the study runs; what the command came to where it ended before. Ctrl-C until then ends it.
    """
    ready, theirs = os.pipe()
    process = subprocess.Popen(
        [*own_program(), *(word for word in sys.argv[1:] if word != OPTION)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # What happens to the terminal does not reach it.
        pass_fds=[theirs],
        env=os.environ | {_READY: str(theirs)},
    )
    os.close(theirs)
    assert process.stdout is not None and process.stderr is not None
    try:
        runs = _pass_on({process.stdout.fileno(): sys.stdout, process.stderr.fileno(): sys.stderr}, ready)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    if not runs:
        return process.wait()
    print(f"{study} runs as process {process.pid} and needs this terminal no more; {advice}", flush=True)
    return 0


def own_program() -> list[str]:
    """Returns the words by which this program was started, without its verb and options."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]


def readiness() -> Callable[[RunOutput], None] | None:
    """Returns what a detached process is to do once its study runs; None where the command was not detached."""
    text = os.environ.pop(_READY, None)
    if text is None or not text.isdigit():
        return None
    descriptor = int(text)
    os.set_inheritable(descriptor, False)

    def say_so(output: RunOutput) -> None:
        output.leave_everything()
        os.write(descriptor, b"1")
        os.close(descriptor)

    return say_so


def _pass_on(streams: dict[int, TextIO], ready: int) -> bool:
    """Copies what comes from the descriptors until `ready` says something (True) or ends, and all of them with it."""
    with selectors.DefaultSelector() as selector:
        for descriptor in (*streams, ready):
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        said = b""
        while not said and selector.get_map():
            # What was printed before `ready` is passed on before it is looked at.
            for key, _ in sorted(selector.select(), key=lambda found: found[0].fd == ready):
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == ready:
                    said = data
                else:
                    stream = streams[key.fd]
                    stream.write(data.decode(errors="replace"))
                    stream.flush()
    os.close(ready)
    return bool(said)
