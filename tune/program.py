"""Runs the command once, from the words that were typed to the exit code."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tune.command import app


def main(arguments: list[str] | None = None) -> None:
    """Runs the command; errors of ours become lines on stderr and an exit code, never a traceback."""
    _look_in_the_current_folder_last()
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] in (["list-trials"], ["list-experiments"]):  # These are verbs of the `tune` that Ray installs.
        from orchestrator.cluster.ray_process import ray_command

        ray_command(arguments)
    from orchestrator.errors import explain

    try:
        app(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # Whoever reads the output has read enough: tune show STUDY | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except Exception as error:
        from orchestrator.secret import mask_addresses
        from tune.terminal import visible

        lines, code = explain(error)
        print(visible(mask_addresses("\n".join(lines))), file=sys.stderr)
        sys.exit(code)


def _look_in_the_current_folder_last() -> None:
    """Lets a user's own trainable be found in the current folder, where none of its packages may stand in for ours."""
    current, ours = os.getcwd(), str(Path(__file__).parent.parent)
    if current != ours:
        sys.path[:] = [folder for folder in sys.path if folder not in ("", current)] + [current]
