"""Starts a real MLflow server, and a proxy before it that fails as networks do."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from orchestrator.tracking.store import QUIET, address, artifacts, file_of
from tests.harness.free_port import free_port
from tests.harness.waiting import wait_for


def status_of(url: str, **headers: str) -> int | None:
    """Returns the HTTP status of the answer; None where none comes."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


@contextlib.contextmanager
def until_killed(command: list[str], log: Path, port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a server's command; yields once the server answers, and kills it with all its children at the end."""
    with open(log, "ab") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, start_new_session=True, env=os.environ | environment
        )
    try:
        wait_for(lambda: status_of(f"http://127.0.0.1:{port}/health") == 200, 200)
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@contextlib.contextmanager
def mlflow_server(store: str, folder: Path, port: int | None = None) -> Iterator[str]:
    """Runs `mlflow server` over the database `store`; yields its address. folder: for its artifacts and its log."""
    port = port or free_port()
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--artifacts-destination", artifacts(folder)]
    given = QUIET | {"MLFLOW_BACKEND_STORE_URI": address(store), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with until_killed([sys.executable, "-m", "mlflow", "server", *words], folder / "server.log", port, **given):
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Server:
    """Names a running MLflow server. address: of its pages. store: of its database."""

    address: str
    store: str


def new_database(server: str) -> str:
    """Creates an empty database on the PostgreSQL server at the address `server`; returns its address."""
    import psycopg2

    name = f"mlflow_{time.time_ns()}"
    with contextlib.closing(psycopg2.connect(server)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    return f"{server.rpartition('/')[0]}/{name}"


@contextlib.contextmanager
def locked(store: str) -> Iterator[None]:
    """Locks MLflow's runs from another process, so that they can be neither read nor written."""
    if file := file_of(store):
        text = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN EXCLUSIVE')"
        )
        target = str(file)
    else:
        text = "import psycopg2, sys; c = psycopg2.connect(sys.argv[1]).cursor(); c.execute('LOCK TABLE runs')"
        target = store
    command = [sys.executable, "-c", text + "; print('locked', flush=True); input()", target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            process.kill()


class FaultyProxy:
    """Passes HTTP requests on to another server, or fails as `does` says.

    does: takes (method, path) and returns "pass"; "500", to answer so at once; "hang", to pass the request on only once
    `freed` is set; "lose", to pass it on, but close the connection without an answer; "late", to pass it on, but answer
    only once `freed` is set. seen: (method, path) of every request.
    """

    def __init__(self, upstream: str) -> None:
        self.does: Callable[[str, str], str] = lambda method, path: "pass"
        self.freed = threading.Event()
        self.seen: list[tuple[str, str]] = []
        host = upstream.removeprefix("http://")
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path = self.path.partition("?")[0]
                proxy.seen.append((self.command, path))
                does = proxy.does(self.command, path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if does == "hang":
                    proxy.freed.wait(60)
                if does == "500":
                    self.send_error(500, "out of order")
                    return
                connection = http.client.HTTPConnection(host, timeout=60)
                headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                if does == "late":
                    proxy.freed.wait(60)
                if does == "lose":
                    self.close_connection = True
                    return
                with contextlib.suppress(OSError):  # The client has gone.
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def on(self, end: str, does: str, times: int = 10**9) -> None:
        """Does so with the next `times` requests whose path ends with `end`; passes all others on."""
        left = [times]

        def choose(method: str, path: str) -> str:
            if not path.endswith(end) or not left[0]:
                return "pass"
            left[0] -= 1
            return does

        self.does = choose

    def close(self) -> None:
        """Stops the proxy; requests that hang go on."""
        self.freed.set()
        self._server.shutdown()
        self._server.server_close()
