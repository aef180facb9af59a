"""Tells whether a cluster at an address answers, without Ray, which would wait for minutes."""

from __future__ import annotations

import socket
import time

from orchestrator.cluster.errors import RayUnavailable

REMOTE_CHECK_SECONDS = 5.0  # Between two checks that it lives.


class RemoteCheck:
    """Tells whether the cluster at `address` is gone: it has not answered twice in a row."""

    def __init__(self, address: str) -> None:
        self._address, self._looked, self._missed = address, time.monotonic(), 0

    def __call__(self) -> bool:
        if time.monotonic() - self._looked >= REMOTE_CHECK_SECONDS:
            self._looked = time.monotonic()
            try:
                check_listening(self._address)
            except RayUnavailable:
                self._missed += 1
            else:
                self._missed = 0
        return self._missed >= 2


def check_listening(address: str) -> None:
    """Raises RayUnavailable where nobody listens at the address, because Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in address:  # It is `auto`, or a form that only Ray understands.
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise RayUnavailable(
            f"--address: a Ray cluster must listen at {address}, but: {error}; start one with `ray start --head`, "
            "or leave --address out to work on this machine"
        ) from error
