"""Runs the command once, from the words that were typed to the exit code."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress
from pathlib import Path

from tune.command import VERBS, app, options_of
from tune.habits import answer, help_for
from tune.outlet import descriptor_of, lead_nowhere, lose_no_character
from tune.python_options import restart_with_docstrings


def main(arguments: list[str] | None = None) -> None:
    """Runs the command; errors of ours become lines on stderr and an exit code, never a traceback."""
    if arguments is None:
        restart_with_docstrings()
    _look_in_the_current_folder_last()
    for stream in (sys.stdout, sys.stderr):
        lose_no_character(stream)
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] in (["list-trials"], ["list-experiments"]):  # These are verbs of the `tune` that Ray installs.
        from orchestrator.cluster.ray_process import ray_command

        ray_command(arguments)
    try:
        code = _exit_code_of(arguments)
        sys.stdout.flush()  # Here an error can still be told; while the interpreter ends, it could not.
    except OSError as error:
        code = _say_why(error)
    sys.exit(code)


def _exit_code_of(arguments: list[str]) -> int:
    """Runs the verb. Raises OSError where what it prints cannot be written."""
    arguments = help_for(arguments, list(VERBS)) or arguments
    said = answer(arguments, list(VERBS), options_of) if arguments else None
    if said is not None:
        print(said, file=sys.stderr)
        return 2
    try:
        app(arguments)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            raise ended.__context__ from None  # typer would have it end with 1, whatever pipe it was.
        if not isinstance(ended.code, int | None):
            raise
        return ended.code or 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except Exception as error:
        return _say_why(error)
    return 0


def _say_why(error: Exception) -> int:
    """Prints what an error is about on stderr; returns the exit code. Raises what is a bug."""
    from orchestrator.errors import explain
    from orchestrator.secret import mask_addresses
    from tune.terminal import visible

    if _is_of_standard_output(error):
        _leave_standard_output()
        if isinstance(error, BrokenPipeError):
            return 0  # Whoever reads the output has read enough: tune show STUDY | head
        lines, code = [f"standard output: must take what is printed, but: {error}"], 1
    else:
        lines, code = explain(error)
    with suppress(OSError):
        print(visible(mask_addresses("\n".join(lines))), file=sys.stderr, flush=True)
    return code


def _is_of_standard_output(error: Exception) -> bool:
    """Returns whether it was raised because standard output takes nothing any more. Trying again says so again."""
    if not isinstance(error, OSError) or error.filename is not None:
        return False
    descriptor = descriptor_of(sys.stdout)
    if isinstance(error, BrokenPipeError) and descriptor is not None:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _leave_standard_output() -> None:
    """Lets what is still in its buffer go nowhere."""
    descriptor = descriptor_of(sys.stdout)
    if descriptor is not None:
        lead_nowhere(descriptor)


def _look_in_the_current_folder_last() -> None:
    """Lets a user's own trainable be found in the current folder, where none of its packages may stand in for ours."""
    current, ours = os.getcwd(), str(Path(__file__).parent.parent)
    if current != ours:
        sys.path[:] = [folder for folder in sys.path if folder not in ("", current)] + [current]
