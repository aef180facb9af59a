"""Checks that users of a machine share a cluster, which ends with its files after its last user."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from orchestrator.cluster import local_cluster
from orchestrator.cluster.local_cluster import HostFailed, token_file, use_cluster
from tests.harness.waiting import wait_for


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Returns the environment of a cluster that lies in a folder of its own."""
    with TemporaryDirectory(prefix="ns-", dir="/tmp") as folder:
        given = dict(os.environ) | {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "HOME": "/proc/nobody"}
        yield given | {"RAY_AUTH_TOKEN_PATH": str(token_file(given))}


def processes_of(directory: Path) -> list[psutil.Process]:
    """Returns the processes whose command line names the cluster's folder: its host and all of Ray's."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(directory) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


@pytest.mark.ray
def test_two_users_have_one_cluster_that_ends_with_its_files_after_the_second(environment):
    with use_cluster(environment, linger=0.0) as first:
        with use_cluster(environment) as second:
            assert second.address == first.address
            host, port = first.address.split(":")
            assert host == "127.0.0.1"
            socket.create_connection((host, int(port)), timeout=5).close()
        assert not first.lost() and first.environment["RAY_TMPDIR"] == environment["RAY_TMPDIR"]
        ray = processes_of(first.directory)
        listening = [c.laddr.ip for process in ray for c in process.net_connections("tcp") if c.status == "LISTEN"]
        assert listening and {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
        root = first.directory.parent
        assert root.stat().st_mode & 0o777 == 0o700
    wait_for(lambda: not processes_of(root))
    assert sorted(path.name for path in root.iterdir()) == ["auth_token", "start.lock"]


@pytest.mark.ray
def test_a_killed_host_is_noticed_takes_ray_with_it_and_its_remains_are_removed_by_the_next(environment):
    with use_cluster(environment) as first:
        [host] = [process for process in processes_of(first.directory) if "ray_host.py" in str(process.cmdline())]
        host.send_signal(signal.SIGKILL)
        wait_for(first.lost)
        wait_for(lambda: not processes_of(first.directory))
        assert first.directory.exists()
        with use_cluster(environment, linger=0.0) as second:
            assert second.directory != first.directory and not second.lost()
            assert not first.directory.exists()
            root = second.directory.parent
    wait_for(lambda: not processes_of(root))


@pytest.mark.ray
def test_a_cluster_whose_files_were_tidied_away_is_lost_and_ends(environment):
    with use_cluster(environment) as first:
        shutil.rmtree(first.directory / "session")
        assert first.lost()
        wait_for(lambda: not processes_of(first.directory))


def test_a_host_that_cannot_start_says_why_and_leaves_nothing(environment):
    folder = Path(environment["RAY_TMPDIR"], 80 * "x")  # It is longer than the path of a socket may be.
    with pytest.raises(HostFailed, match=r"socket|AF_UNIX"), use_cluster(environment | {"RAY_TMPDIR": str(folder)}):
        pass
    wait_for(lambda: not processes_of(folder))
    assert [path.name for path in folder.rglob("*")] == [f"nightsweep-{os.getuid()}", "start.lock"]


def test_the_token_is_read_by_nobody_else(environment):
    token = token_file(environment)
    text = token.read_text()
    assert (oct(token.stat().st_mode & 0o777), len(text)) == ("0o600", 64)
    assert token_file(environment) == token and token.read_text() == text  # the next driver takes the same
    assert [path.name for path in token.parent.iterdir()] == ["auth_token"]


STARTER = """
import sys, time
from pathlib import Path
from orchestrator.cluster.local_cluster import _Lock
with _Lock(Path(sys.argv[1])) as lock:
    assert lock.take()
    print("taken", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def suspended(environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Returns a process that was suspended while it started a cluster; whoever waits for it waits half a second."""
    monkeypatch.setattr(local_cluster, "START_SECONDS", 0.3)
    monkeypatch.setattr(local_cluster, "LOCK_SECONDS", 0.2)
    root = Path(environment["RAY_TMPDIR"]) / f"nightsweep-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    process = subprocess.Popen([sys.executable, "-c", STARTER, str(root / "start.lock")], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"taken\n"
    process.send_signal(signal.SIGSTOP)
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_who_waits_for_a_suspended_starter_says_for_whom_and_gives_up(environment, suspended):
    told: list[tuple[float, str]] = []
    who = f"process {suspended.pid} (suspended: kill -CONT {suspended.pid} lets it go on)"
    with (
        pytest.raises(HostFailed) as failed,
        use_cluster(environment, waits=lambda seconds, what: told.append((seconds, what))),
    ):
        pass
    assert {what for _, what in told} == {f"{who}, which starts Ray"}
    assert told[0][0] < 0.2 and len(told) > 2
    assert str(failed.value).startswith(f"{who} has been starting it for 0 s by now; let it go on with: kill -CONT")


def test_a_cluster_that_is_up_is_used_even_if_its_starter_was_suspended(environment, suspended):
    root = Path(environment["RAY_TMPDIR"]) / f"nightsweep-{os.getuid()}"
    directory = root / f"{local_cluster._key(environment)}-up"
    directory.mkdir()
    (directory / "users").touch()
    (directory / "cluster.json").write_text(json.dumps({"address": "127.0.0.1:1", "pid": os.getpid()}))
    with use_cluster(environment) as cluster:
        assert cluster.address == "127.0.0.1:1"


def test_a_folder_that_others_may_write_to_is_refused(environment):
    root = Path(environment["RAY_TMPDIR"]) / f"nightsweep-{os.getuid()}"
    root.chmod(0o777)
    with (
        pytest.raises(HostFailed, match=r"must be a folder that belongs to you .*0700.*drwxrwxrwx"),
        use_cluster(environment),
    ):
        pass
    shutil.rmtree(root)
    root.symlink_to("/")
    with pytest.raises(HostFailed, match="must be a folder"), use_cluster(environment):
        pass
