"""Writes the script by which a timer starts the nights of a file as they were started by hand: folder, environment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.secret import mask

# What a timer's process lacks and a run may depend on. No secret goes by these names; passwords have their own file.
_KEPT = (
    *("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "XDG_CACHE_HOME"),
    *("CUDA_HOME", "CUDA_VISIBLE_DEVICES", "HF_HOME", "TORCH_HOME", "RAY_TMPDIR", "OMP_NUM_THREADS"),
    *("MLFLOW_TRACKING_URI", "NIGHTSWEEP_CACHE", "NIGHTSWEEP_WEIGHTS"),
)


@dataclass(frozen=True)
class Launcher:
    """Holds what a timer starts.

    words: the command. folder: that it works in. log: what it prints is added to it. secrets: a file of NAME=value
    lines. needed: names of variables that must be set there. All paths are absolute.
    """

    words: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    secrets: Path
    needed: Sequence[str] = ()

    def script(self) -> str:
        """Returns it for /bin/sh. The command takes the place of the shell, so that signals reach it."""
        secrets = shlex.quote(str(self.secrets))
        lines = [
            "#!/bin/sh",
            "# Written by `tune nightly install`, which replaces it. Variables of your own belong into the file below.",
            f"exec >>{shlex.quote(str(self.log))} 2>&1",
            f"cd {shlex.quote(str(self.folder))} || exit 1",
            *(f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()),
            f"if [ -r {secrets} ]; then set -a; . {secrets}; set +a; fi",
        ]
        for name in self.needed:
            said = shlex.quote(f"{name}: must be set in {self.secrets}")
            lines.append(f"""if [ -z "${name}" ]; then printf '%s\\n' {said}; exit 2; fi""")
        return "\n".join([*lines, f"exec {shlex.join(self.words)}", ""])


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns what of an environment a timer's process is to have, without what holds a password."""
    found = {name: environment[name] for name in _KEPT if name in environment}
    return {name: value for name, value in found.items() if mask(value) == value}
