"""Hands Ctrl-C and SIGTERM to whoever pauses work instead of ending at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_signals(handle: Callable[[int, Any], None]) -> Iterator[None]:
    """Lets `handle` have SIGINT and SIGTERM while the block runs, and puts back what had them before."""
    before = {kind: signal.signal(kind, handle) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
