from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from orchestrator.ledger.lease import Lease, process_start

HERE = socket.gethostname()


def test_a_process_lives_until_it_is_killed_even_if_nobody_takes_notice() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start, now = process_start(process.pid), time.time()
        assert start is not None
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        assert abs(start - uptime) < 5
        lease = Lease(process.pid, HERE, now, now, start)
        assert lease.alive
        os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.2)
        assert process_start(process.pid) is None  # a zombie until it is waited for
        assert not lease.alive


def test_a_process_number_given_again_holds_nothing() -> None:
    now = time.time()
    start = process_start(os.getpid())
    assert start is not None
    assert Lease(os.getpid(), HERE, now, now, process_start=start).alive
    assert not Lease(os.getpid(), HERE, now - 9000, now, process_start=start - 9000).alive
    unix = psutil.Process().create_time()  # as earlier versions wrote it
    assert Lease(os.getpid(), HERE, now, now, process_start=unix).alive
    assert not Lease(os.getpid(), HERE, now - 9000, now, process_start=unix - 9000).alive
    assert Lease(os.getpid(), HERE, now, now, process_start=None).alive
    assert not Lease(2**22 + 1, HERE, now, now).alive


def test_on_another_host_a_minute_of_silence_is_death() -> None:
    now = time.time()
    assert Lease(1, "elsewhere", now - 900, now - 50).alive
    assert not Lease(1, "elsewhere", now - 900, now - 61).alive
    assert not Lease(1, "elsewhere", now - 900, now + 7200).alive  # the clock was set back


@pytest.mark.parametrize("hours", [-2, 9])
def test_on_this_host_a_process_lives_whatever_the_clock_shows(hours: float) -> None:
    now = time.time()
    set_clock = now + hours * 3600
    assert Lease(os.getpid(), HERE, now, now, process_start(os.getpid()), 60.0, now=set_clock).alive
