"""Says what went wrong, in lines that the user reads, and the exit code of the command."""

from __future__ import annotations


class NightsweepError(Exception):
    """Ends the command with these lines on stderr and without a traceback. exit_code: 2 for a mistake of the user's."""

    exit_code = 1

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)  # so that it crosses processes whole
        self.lines = list(lines)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class InputMistake(NightsweepError, ValueError):
    """Refuses the user's input; each line says where, what must hold, what came, what to do."""

    exit_code = 2


def explain(error: Exception) -> tuple[list[str], int]:
    """Returns the lines for stderr and the exit code. Raises what is a bug."""
    if isinstance(error, NightsweepError):
        return error.lines, error.exit_code
    if isinstance(error, OSError):  # a full disk, a folder that cannot be written
        return [f"{error.filename or 'the system'}: {error.strerror or error}"], 1
    raise error
